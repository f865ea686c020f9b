//! A case in which nothing is amiss, for tests of rules to spoil: two shards of two replicas, the Replicated table
//! `d.events`, a `Distributed` table over it and a materialized view that reads from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::assess::{Case, Finding};
use crate::catalog::{Column, Keys, Partition, Replication, Table};
use crate::change::{Change, Sharding, Wanted};
use crate::ddl::{ItemKind, Statement, key_items, read_change, read_engine, read_table};
use crate::names::{ReplicaId, TableName};
use crate::snapshot::{Capability, Disk, Observation, ReplicaState, Snapshot};
use crate::topology::{Replica, Shard, Topology};

const EVENTS: &str = "CREATE TABLE d.events (id UInt64, team UInt32, day Date, sign Int8, version UInt64, value Float64 \
                      DEFAULT 1) ENGINE = ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}') PARTITION BY \
                      toYYYYMM(day) ORDER BY (team, id) SETTINGS index_granularity = 8192";
const EVENTS_ALL: &str = "CREATE TABLE d.events_all (id UInt64, team UInt32, day Date, sign Int8, version UInt64, value \
                          Float64) ENGINE = Distributed('main', 'd', 'events', rand())";
const DAILY: &str = "CREATE MATERIALIZED VIEW d.daily TO d.daily_data (day Date) AS SELECT day FROM d.events";

/// What a [`Case`] is made of.
pub(crate) struct Fixture {
    pub(crate) snapshot: Snapshot,
    pub(crate) change: Change,
    pub(super) target: Table,
    pub(super) written: Option<Table>,
}

pub(super) fn id(text: &str) -> ReplicaId {
    text.parse().unwrap()
}

impl Fixture {
    /// `ORDER BY (team, id)` shall become `ORDER BY (id, team)`.
    pub(crate) fn new() -> Self {
        let shard = |num| Shard { num, replicas: [1, 2].map(|replica| server(ReplicaId::new(num, replica))).into() };
        let topology = Topology { cluster: "main".to_owned(), shards: [1, 2].map(shard).into() };
        let ids: Vec<ReplicaId> = topology.replicas().map(|replica| replica.id).collect();
        let replicas = ids.into_iter().map(|id| (id, Observation::Answered(Box::new(state(id))))).collect();
        let change = Change {
            statement: "ALTER TABLE d.events MODIFY ORDER BY (id, team)".to_owned(),
            table: TableName::new("d", "events"),
            distributed: vec![TableName::new("d", "events_all")],
            wanted: Wanted { order_by: Some("(id, team)".to_owned()), ..Wanted::default() },
        };
        let mut fixture =
            Self { snapshot: Snapshot { topology, replicas }, change, target: table(EVENTS), written: None };
        fixture.aim("ORDER BY (team, id)", "ORDER BY (id, team)");
        fixture
    }

    pub(crate) fn case(&self) -> Case<'_> {
        let Self { snapshot, change, target, written } = self;
        Case { snapshot, change, target, written: written.as_ref(), evaluation: None }
    }

    /// What a rule finds, a line each: `blocker SW001: what`.
    pub(super) fn found(&self, check: fn(&Case<'_>) -> Vec<Finding>) -> Vec<String> {
        let line = |finding: Finding| format!("{} {}: {}", finding.severity, finding.code, finding.what);
        check(&self.case()).into_iter().map(line).collect()
    }

    /// What one replica answered.
    pub(crate) fn state(&mut self, id: &str) -> &mut ReplicaState {
        match self.snapshot.replicas.get_mut(&id.parse().unwrap()) {
            Some(Observation::Answered(state)) => state,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// The source on one replica.
    pub(super) fn source(&mut self, id: &str) -> &mut Table {
        let name = self.change.table.clone();
        self.state(id).tables.get_mut(&name).unwrap()
    }

    /// Does something to the source on every replica.
    pub(super) fn sources(&mut self, change: impl Fn(&mut Table)) {
        for id in self.ids() {
            change(self.source(&id));
        }
    }

    /// Does something to every replica.
    pub(super) fn states(&mut self, change: impl Fn(&mut ReplicaState)) {
        for id in self.ids() {
            change(self.state(&id));
        }
    }

    /// Gives `d.events_all` another sharding key, and nothing else.
    pub(crate) fn reshard(&mut self, key: &str) {
        let sharding = Sharding { distributed: TableName::new("d", "events_all"), key: key.to_owned() };
        self.change.wanted = Wanted { sharding: Some(sharding), ..Wanted::default() };
        self.target = self.source("s1r1").clone();
    }

    /// Replaces text in the source's definition, on every replica and in the target.
    pub(crate) fn redefine(&mut self, from: &str, to: &str) {
        self.sources(|source| redefine(source, from, to));
        // The target is plain: what stands behind `Replicated` comes with Keeper arguments in the source alone.
        if self.target.create_query.contains(from) {
            redefine(&mut self.target, from, to);
        }
    }

    /// Replaces text in the target's definition.
    pub(crate) fn aim(&mut self, from: &str, to: &str) {
        let plain = "ENGINE = MergeTree";
        let replicated = "ENGINE = ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')";
        self.target = table(&self.target.create_query.replace(replicated, plain));
        redefine(&mut self.target, from, to);
    }

    /// Takes a whole definition as the wanted one: the target's with some text replaced, and the source's engine.
    pub(super) fn write(&mut self, from: &str, to: &str) {
        let replicated = "ENGINE = ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')";
        let mut written = self.target.clone();
        let text = written.create_query.replace("ENGINE = MergeTree", replicated);
        let text = replaced(&text, from, to);
        let Ok(Statement::Create(definition)) = read_change(&text) else { panic!("{text}") };
        self.change.wanted.definition = Some(definition);
        if written.create_query.contains(from) {
            redefine(&mut written, from, to);
        }
        self.written = Some(written);
    }

    /// The same with another engine and the source's keys: its name without `Replicated`, and arguments that are not Keeper's.
    pub(super) fn write_engine(&mut self, family: &str, args: &[&str]) {
        let args = [&["'/x'", "'y'"], args].concat().join(", ");
        self.write(
            "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}'",
            &format!("Replicated{family}({args}"),
        );
    }

    /// A further table or view on one replica.
    pub(crate) fn add(&mut self, on: &str, create_query: &str) {
        let table = table(create_query);
        self.state(on).tables.insert(table.name.clone(), table);
    }

    fn ids(&self) -> Vec<String> {
        self.snapshot.replicas.keys().map(ToString::to_string).collect()
    }
}

/// Replaces text in a table's definition, and reads it again.
pub(super) fn redefine(source: &mut Table, from: &str, to: &str) {
    let new = table(&replaced(&source.create_query, from, to));
    let Table { engine, engine_full, create_query, keys, columns, .. } = new;
    *source = Table { engine, engine_full, create_query, keys, columns, ..source.clone() };
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from:?} in {text}");
    text.replace(from, to)
}

fn server(id: ReplicaId) -> Replica {
    Replica { id, host: format!("ch-{}-{}", id.shard, id.replica), port: 9000 }
}

fn state(id: ReplicaId) -> ReplicaState {
    let mut events = table(EVENTS);
    events.partitions = ["202401", "202402"]
        .map(|id| Partition { id: id.to_owned(), parts: 3, rows: 500, bytes: 1_000_000_000 })
        .into();
    events.dependents = vec![TableName::new("d", "daily")];
    events.replication = Some(Replication {
        keeper_path: format!("/clickhouse/{}/events", id.shard),
        replica_name: id.to_string(),
        is_readonly: false,
        is_session_expired: false,
        queue_size: 0,
        absolute_delay: 0,
        total_replicas: 2,
        active_replicas: 2,
    });
    let tables = [events, table(EVENTS_ALL), table(DAILY)];
    let macros = [("shard", id.shard.to_string()), ("replica", id.to_string()), ("cluster", "main".to_owned())];
    ReplicaState {
        version: "25.8.1.1".to_owned(),
        macros: macros.map(|(name, value)| (name.to_owned(), value)).into(),
        capabilities: BTreeSet::from([Capability::Keeper, Capability::Exchange, Capability::Disks]),
        databases: BTreeMap::from([("d".to_owned(), "Atomic".to_owned())]),
        tables: tables.map(|table| (table.name.clone(), table)).into(),
        disks: Some(vec![Disk { name: "default".to_owned(), free_bytes: 10_000_000_000, total_bytes: 20_000_000_000 }]),
    }
}

/// A table or view as a server would describe it.
fn table(create_query: &str) -> Table {
    let (name, engine, engine_full, keys, columns) = match read_table(create_query) {
        Err(_) => {
            let view = crate::ddl::read_view(create_query).unwrap();
            let engine = if view.materialized { "MaterializedView" } else { "View" };
            (view.name, engine.to_owned(), String::new(), Keys::default(), Vec::new())
        }
        Ok(create) => {
            let engine = create.engine.name.clone();
            let engine_full = create.engine.to_sql();
            let column = |item: &crate::ddl::Item| match &item.kind {
                ItemKind::Column { name } => Some(column(name, &item.text.text)),
                _ => None,
            };
            let columns = create.items.iter().filter_map(column).collect();
            (create.name, engine, engine_full.clone(), keys(&engine_full), columns)
        }
    };
    Table {
        name: name.in_database("default"),
        engine,
        engine_full,
        create_query: create_query.to_owned(),
        definition_hash: "1".to_owned(),
        keys,
        columns,
        partitions: Vec::new(),
        replication: None,
        mutations_pending: 0,
        mutation_next: 0,
        column_bytes: BTreeMap::new(),
        dependents: Vec::new(),
    }
}

fn keys(engine_full: &str) -> Keys {
    let engine = read_engine(engine_full).unwrap();
    let (is_old_style, clauses) = (engine.is_old_style(), engine.clauses);
    let list =
        |key: Option<crate::ddl::Text>| key.map(|key| key_items(&key.text).unwrap().join(", ")).unwrap_or_default();
    let (sorting, primary) = (list(clauses.order_by), list(clauses.primary_key));
    Keys {
        primary: if primary.is_empty() && !is_old_style { sorting.clone() } else { primary },
        sorting,
        partition: clauses.partition_by.map(|key| key.text).unwrap_or_default(),
        sampling: clauses.sample_by.map(|key| key.text).unwrap_or_default(),
    }
}

fn column(name: &str, text: &str) -> Column {
    let mut words = text.split_whitespace().skip(1);
    Column {
        name: name.to_owned(),
        kind: words.next().unwrap_or_default().to_owned(),
        default_kind: words.next().unwrap_or_default().to_owned(),
        default_expression: words.collect::<Vec<_>>().join(" "),
        comment: String::new(),
    }
}
