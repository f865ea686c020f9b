//! What the steps of a change of sharding key draw on beside the blueprint of the local table.

use std::collections::BTreeMap;

use super::super::blueprint::{Blueprint, BuildError, ShardSite, together};
use crate::catalog::Column;
use crate::change::Sharding;
use crate::ddl::{CreateTable, Engine, Name};
use crate::names::{OWN_MARK, ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::definition;
use crate::plan::work::{Otherwise, Probe, Run};
use crate::plan::{Reshard, ReshardTables, probes};
use crate::snapshot::Capability;

/// By which rows go back to a table that no key spread over the shards.
const ANY_SHARD: &str = "rand()";

/// A `Distributed` table on one replica.
pub(super) struct Over {
    /// Its definition.
    pub(super) live: CreateTable,
    /// Its engine as the server writes it, with the old key and with the new one.
    pub(super) engines: [String; 2],
}

/// How the new table is told from the old one where both have the same keys.
enum Mark {
    /// By the plan's id in its Keeper path.
    Path(String),
    /// By the UUID that it was created with.
    Uuid,
}

pub(super) struct Site<'b, 'a> {
    pub(super) blueprint: &'b Blueprint<'a>,
    pub(super) tables: ReshardTables,
    pub(super) distributed: TableName,
    /// The `Distributed` table on each replica that has it.
    pub(super) over: BTreeMap<ReplicaId, Over>,
    cluster: String,
    before: Option<String>,
    after: String,
    mark: Mark,
}

impl<'b, 'a> Site<'b, 'a> {
    pub(super) fn new(blueprint: &'b Blueprint<'a>, sharding: &Sharding) -> Result<Self, BuildError> {
        let snapshot = blueprint.case.snapshot;
        let name = &sharding.distributed;
        let mut over = BTreeMap::new();
        let mut first = None;
        for id in snapshot.replicas.keys() {
            let Some(table) = snapshot.table(*id, name) else { continue };
            let live = definition::live(table)?;
            let engine = definition::engine(table)?;
            let wanted = engine.with_sharding_key(Some(&sharding.key));
            over.insert(*id, Over { live, engines: [table.engine_full.clone(), wanted.to_sql()] });
            first.get_or_insert(engine);
        }
        let args = first.as_ref().and_then(Engine::distributed);
        let Some(args) = args else {
            return Err(BuildError::NoSource { shard: 1, table: name.clone() });
        };
        let path = blueprint.is_replicated() && blueprint.engine.keeper_path().is_some();
        Ok(Self {
            blueprint,
            tables: ReshardTables::of(&blueprint.objects.source, name),
            distributed: name.clone(),
            over,
            cluster: args.cluster,
            before: args.sharding_key,
            after: sharding.key.clone(),
            mark: if path { Mark::Path(format!("{OWN_MARK}{}", blueprint.id)) } else { Mark::Uuid },
        })
    }

    pub(super) fn summary(&self) -> Reshard {
        Reshard {
            distributed: self.distributed.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            tables: self.tables.clone(),
        }
    }

    pub(super) fn choices(&self) -> Vec<String> {
        let mut choices = vec![
            "strategy reshard: by another sharding key rows belong to other shards, so each is sent to where it belongs".to_owned(),
            "writers write while rows are sent, and are still while what came in since is sent, all is compared and names are swapped"
                .to_owned(),
        ];
        choices.push(if self.blueprint.swaps_by_exchange {
            "names are swapped with EXCHANGE TABLES: no moment without the tables; while some replicas are swapped and others are not, a \
             query over all shards may meet rows twice or not at all"
                .to_owned()
        } else {
            "names are swapped by one RENAME of three names; in between, and while some replicas are swapped and others are not, queries \
             may fail, or meet rows twice or not at all"
                .to_owned()
        });
        choices.push(match self.mark {
            Mark::Path(_) => "the new table is told from the old one by its Keeper path".to_owned(),
            Mark::Uuid => "the new table is told from the old one by its UUID".to_owned(),
        });
        choices
    }

    /// Holds while a name means the new table, or the old one.
    pub(super) fn is(&self, table: &TableName, new: bool, shard: u32) -> Probe {
        Probe {
            says: format!("{table} is the {}", if new { "new table" } else { "table of before" }),
            sql: format!("SELECT {} FROM system.tables WHERE {}", self.is_new(shard), probes::named(table)),
            expect: u8::from(new).to_string(),
            otherwise: Otherwise::Changed,
        }
    }

    /// The same, where there may be no such table.
    pub(super) fn is_none_or(&self, table: &TableName, new: bool, shard: u32) -> Probe {
        let not = if new { "NOT " } else { "" };
        Probe {
            says: format!("{table}, if it is there, is the {}", if new { "new table" } else { "table of before" }),
            sql: format!(
                "SELECT count() FROM system.tables WHERE {} AND {not}({})",
                probes::named(table),
                self.is_new(shard)
            ),
            expect: "0".to_owned(),
            otherwise: Otherwise::Changed,
        }
    }

    fn is_new(&self, shard: u32) -> String {
        match &self.mark {
            Mark::Path(mark) => format!("position(engine_full, {}) > 0", quote_string(mark)),
            Mark::Uuid => format!("toString(uuid) = {}", quote_string(&self.uuid(shard))),
        }
    }

    /// Of the replicas of a shard, which may share what their Keeper path makes of it.
    fn uuid(&self, shard: u32) -> String {
        format!("{}-0000-4000-8000-{shard:012x}", self.blueprint.id)
    }

    /// Creates the new table on a replica.
    pub(super) fn create_shadow(&self, id: ReplicaId, live: &CreateTable) -> String {
        let sql = self.blueprint.shadow_definition(live).to_sql();
        if !self.blueprint.case.exchanges_on(id) {
            return sql;
        }
        let name = self.tables.shadow.sql();
        sql.replacen(&name, &format!("{name} UUID {}", quote_string(&self.uuid(id.shard))), 1)
    }

    /// Creates the `Distributed` table with the new key beside the one with the old key.
    pub(super) fn create_next(&self, over: &Over) -> String {
        let engine = over.live.engine.with_sharding_key(Some(&self.after));
        let name = Name::from(&self.tables.next);
        CreateTable { name, if_not_exists: true, on_cluster: None, engine, ..over.live.clone() }.to_sql()
    }

    /// Holds while a name has the new sharding key, or the old one.
    pub(super) fn spreads(over: &Over, table: &TableName, new: bool) -> Probe {
        probes::is_made_as(table, &over.engines[usize::from(new)])
    }

    /// What the steps do to which table.
    pub(super) fn privileges(&self) -> Vec<(&'static str, &TableName)> {
        const TO_LEAD: &str = "SELECT, INSERT, CREATE TABLE, DROP TABLE";
        let ReshardTables { shadow, next, route, back, gather, .. } = &self.tables;
        let led = [&self.blueprint.objects.source, &self.distributed, next, route, back, gather];
        let mut all: Vec<(&str, &TableName)> = led.map(|table| (TO_LEAD, table)).into();
        all.push(("SELECT, INSERT, ALTER DELETE, CREATE TABLE, DROP TABLE", shadow));
        if self.blueprint.all_have(Capability::DistributedSends) {
            all.extend(self.blueprint.objects.distributed.iter().map(|table| ("SYSTEM FLUSH DISTRIBUTED", table)));
        }
        all
    }

    /// Holds while none of the plan's own tables is there.
    pub(super) fn absent(&self) -> Vec<Probe> {
        let database = &self.blueprint.objects.source.database;
        let (beside, elsewhere): (Vec<_>, Vec<_>) =
            self.tables.all().into_iter().partition(|table| table.database == *database);
        [beside, elsewhere].iter().filter(|tables| !tables.is_empty()).map(|tables| probes::absent(tables)).collect()
    }

    /// What must hold before the `Distributed` table that waits or has been is dropped: that nothing is queued in it, where servers tell,
    /// and that no other table's queue goes with it.
    pub(super) fn next_can_go(&self, id: ReplicaId) -> Vec<Probe> {
        let sends =
            self.blueprint.all_have(Capability::DistributedSends).then(|| probes::nothing_kept(&self.tables.next));
        let by_name = || probes::kept_by_name(&self.distributed);
        sends.into_iter().chain(self.leaves_directories(id).then(by_name)).collect()
    }

    /// Whether a server leaves the directory of a `Distributed` table that is renamed as it was.
    pub(super) fn leaves_directories(&self, id: ReplicaId) -> bool {
        let case = self.blueprint.case;
        let says = case.snapshot.state(id).is_some_and(|state| state.capabilities.contains(&Capability::DataPath));
        says && !case.exchanges_in(id, &self.distributed.database)
    }

    /// What leads to the tables over all shards: to what has the shadow's name by either key, and from the live name; each with its engine.
    pub(super) fn routes(&self) -> [(&TableName, String); 3] {
        let engine = |to: &TableName, key: Option<&str>| {
            let key = key.map_or_else(String::new, |key| format!(", {key}"));
            let [cluster, database, table] = [&self.cluster, &to.database, &to.table].map(|text| quote_string(text));
            format!("Distributed({cluster}, {database}, {table}{key})")
        };
        let ReshardTables { shadow, route, back, gather, .. } = &self.tables;
        let before = self.before.as_deref().unwrap_or(ANY_SHARD);
        [
            (route, engine(shadow, Some(&self.after))),
            (back, engine(shadow, Some(before))),
            (gather, engine(&self.blueprint.objects.source, None)),
        ]
    }

    /// Creates them.
    pub(super) fn create_routes(&self) -> Vec<String> {
        let columns: Vec<String> =
            sent(self.blueprint).map(|column| format!("{} {}", quote_identifier(&column.name), column.kind)).collect();
        let create = |(name, engine): (&TableName, String)| {
            format!("CREATE TABLE IF NOT EXISTS {} ({}) ENGINE = {engine}", name.sql(), columns.join(", "))
        };
        self.routes().map(create).into()
    }

    /// Runs, replicas with the same ones together.
    pub(super) fn runs_over(&self, shard: Option<&ShardSite<'_>>, make: impl Fn(ReplicaId, &Over) -> Run) -> Vec<Run> {
        let wanted = |(id, _): &(&ReplicaId, &Over)| shard.is_none_or(|shard| shard.num == id.shard);
        together(self.over.iter().filter(wanted).map(|(id, over)| (*id, make(*id, over))))
    }

    /// Swaps two names; the same statement swaps them back.
    pub(super) fn swap(&self, on: ReplicaId, [one, other, between]: [&TableName; 3]) -> String {
        let [live, own, between] = [one, other, between].map(TableName::sql);
        if self.blueprint.case.exchanges_in(on, &one.database) {
            format!("EXCHANGE TABLES {live} AND {own}")
        } else {
            format!("RENAME TABLE {live} TO {between}, {own} TO {live}, {between} TO {own}")
        }
    }
}

/// Columns whose values are sent. Servers that refuse values of MATERIALIZED columns compute them anew.
pub(super) fn sent<'a>(blueprint: &Blueprint<'a>) -> impl Iterator<Item = &'a Column> + use<'a> {
    let takes = blueprint.all_have(Capability::ViewsLeaveMaterialized);
    blueprint.stored().filter(move |column| takes || !column.is_materialized())
}
