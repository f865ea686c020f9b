use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::catalog::Catalog;
use crate::snapshot::ReplicaState;
use crate::topology::Topology;

pub(super) fn bare(name: &str, engine: &str, engine_full: &str, create_query: &str) -> Table {
    Table {
        name: TableName::new("d", name),
        engine: engine.into(),
        engine_full: engine_full.into(),
        create_query: create_query.into(),
        definition_hash: format!("{create_query}{engine_full}"),
        keys: Keys::default(),
        columns: vec![Column::new("a", "UInt32"), Column::new("day", "Date")],
        partitions: Vec::new(),
        replication: None,
        mutations_pending: 0,
        mutation_next: 0,
        column_bytes: BTreeMap::new(),
        dependents: Vec::new(),
    }
}

fn replicated(id: ReplicaId) -> Table {
    let engine_full = "ReplicatedMergeTree('/t/{shard}', '{replica}') PARTITION BY toYYYYMM(day) ORDER BY (a, day)";
    let create = format!("CREATE TABLE d.t (`a` UInt32, `day` Date) ENGINE = {engine_full}");
    Table {
        keys: Keys {
            sorting: "a, day".into(),
            primary: "a, day".into(),
            partition: "toYYYYMM(day)".into(),
            sampling: String::new(),
        },
        partitions: vec![Partition { id: "202601".into(), parts: 2, rows: 1_500_000, bytes: 30 << 20 }],
        replication: Some(Replication {
            keeper_path: format!("/t/{}", id.shard),
            replica_name: format!("r{}", id.replica),
            is_readonly: false,
            is_session_expired: false,
            queue_size: 0,
            absolute_delay: 0,
            total_replicas: 2,
            active_replicas: 2,
        }),
        dependents: vec![TableName::new("d", "mv")],
        ..bare("t", "ReplicatedMergeTree", engine_full, &create)
    }
}

fn state(id: ReplicaId) -> ReplicaState {
    let view = "CREATE MATERIALIZED VIEW d.mv TO d.daily (`day` Date) AS SELECT day FROM d.t";
    let tables = [
        replicated(id),
        bare("mv", "MaterializedView", "", view),
        bare(
            "daily",
            "MergeTree",
            "MergeTree ORDER BY day",
            "CREATE TABLE d.daily (`day` Date) ENGINE = MergeTree ORDER BY day",
        ),
        bare("all", "Distributed", "Distributed('main', 'd', 't', rand())", "CREATE TABLE d.all (`a` UInt32)"),
    ];
    ReplicaState {
        version: "26.9.2".into(),
        macros: BTreeMap::from([
            ("shard".to_owned(), id.shard.to_string()),
            ("replica".to_owned(), format!("r{}", id.replica)),
        ]),
        capabilities: BTreeSet::new(),
        databases: BTreeMap::from([("d".to_owned(), "Atomic".to_owned())]),
        tables: tables.into_iter().map(|table| (table.name.clone(), table)).collect::<Catalog>(),
        disks: None,
    }
}

fn snapshot() -> Snapshot {
    let replica = |id: ReplicaId| Replica { id, host: format!("ch{}{}", id.shard, id.replica), port: 9000 };
    let shard = |num| Shard { num, replicas: (1..=2).map(|n| replica(ReplicaId::new(num, n))).collect() };
    let topology = Topology { cluster: "main".into(), shards: vec![shard(1), shard(2)] };
    let answered = |replica: &Replica| (replica.id, Observation::Answered(Box::new(state(replica.id))));
    let replicas = topology.replicas().map(answered).collect();
    Snapshot { topology, replicas }
}

const S1R2: ReplicaId = ReplicaId { shard: 1, replica: 2 };
const S2R1: ReplicaId = ReplicaId { shard: 2, replica: 1 };

fn state_of(snapshot: &mut Snapshot, id: ReplicaId) -> &mut ReplicaState {
    match snapshot.replicas.get_mut(&id) {
        Some(Observation::Answered(state)) => state,
        other => panic!("{other:?}"),
    }
}

fn table_on<'a>(snapshot: &'a mut Snapshot, id: ReplicaId, name: &str) -> &'a mut Table {
    let table = state_of(snapshot, id).tables.get_mut(&TableName::new("d", name)).unwrap();
    table.definition_hash.push_str(&id.to_string());
    table
}

fn differences(snapshot: &Snapshot) -> Vec<String> {
    Report::new(snapshot).differences.into_iter().map(|difference| difference.text).collect()
}

#[test]
fn replicas_that_are_alike_have_no_differences() {
    assert_eq!(differences(&snapshot()), Vec::<String>::new());
}

#[test]
fn a_literal_keeper_path_for_each_replica_is_no_difference() {
    let mut snapshot = snapshot();
    let table = table_on(&mut snapshot, S1R2, "t");
    table.engine_full = table.engine_full.replace("'/t/{shard}', '{replica}'", "'/t/1', 'r2'");
    table.create_query = table.create_query.replace("'/t/{shard}', '{replica}'", "'/t/1', 'r2'");
    assert_eq!(differences(&snapshot), Vec::<String>::new());
}

#[test]
fn definitions_that_differ_are_told_by_facet() {
    let mut snapshot = snapshot();
    let table = table_on(&mut snapshot, S1R2, "t");
    table.keys.sorting = "a".into();
    table.engine_full = table.engine_full.replace("ReplicatedMergeTree", "ReplicatedReplacingMergeTree");
    table.columns[1].kind = "DateTime".into();
    table.columns.push(Column::new("extra", "String"));
    let view = table_on(&mut snapshot, S2R1, "mv");
    view.create_query = view.create_query.replace("FROM d.t", "FROM d.t WHERE a > 1");
    state_of(&mut snapshot, S2R1).tables.remove(&TableName::new("d", "daily"));
    insta::assert_snapshot!(differences(&snapshot).join("\n"), @r"
    d.daily: missing on s2r1
    d.mv: query differs: SELECT day FROM d.t on s1r1, s1r2, s2r2; SELECT day FROM d.t WHERE a > 1 on s2r1
    d.t: engine differs: ReplicatedMergeTree on s1r1, s2r1, s2r2; ReplicatedReplacingMergeTree on s1r2
    d.t: sorting key differs: a, day on s1r1, s2r1, s2r2; a on s1r2
    d.t: column day differs: Date on s1r1, s2r1, s2r2; DateTime on s1r2
    d.t: column extra is missing on s1r1, s2r1, s2r2
    ");
}

#[test]
fn a_codec_on_one_replica_is_found() {
    let mut snapshot = snapshot();
    let table = table_on(&mut snapshot, S1R2, "t");
    table.create_query = table.create_query.replace("`a` UInt32", "`a` UInt32 CODEC(ZSTD(1))");
    insta::assert_snapshot!(differences(&snapshot).join("\n"), @r"
    d.t: codecs, indexes, projections or constraints differ: `a` UInt32, `day` Date on s1r1, s2r1, s2r2; `a` UInt32 CODEC(ZSTD(1)), `day` Date on s1r2
    ");
}

#[test]
fn data_that_differs_within_a_shard_is_found() {
    let mut snapshot = snapshot();
    table_on(&mut snapshot, S1R2, "t").partitions[0].rows -= 1;
    let other = table_on(&mut snapshot, S2R1, "t");
    other.replication.as_mut().unwrap().keeper_path = "/t/1".into();
    insta::assert_snapshot!(differences(&snapshot).join("\n"), @r"
    d.t: shards 1 and 2 share Keeper path /t/1, so each has the rows of all
    d.t: rows of partition 202601 differ in shard 1: 1500000 on s1r1; 1499999 on s1r2
    d.t: replicas of shard 2 have different Keeper paths, so they do not replicate: /t/1 on s2r1; /t/2 on s2r2
    ");
}

#[test]
fn rows_that_differ_between_shards_are_not() {
    let mut snapshot = snapshot();
    for replica in 1..=2 {
        table_on(&mut snapshot, ReplicaId::new(2, replica), "t").partitions.clear();
    }
    assert_eq!(differences(&snapshot), Vec::<String>::new());
}

#[test]
fn servers_that_differ_are_found() {
    let mut snapshot = snapshot();
    state_of(&mut snapshot, S1R2).version = "26.8.1".into();
    state_of(&mut snapshot, S1R2).macros.insert("replica".into(), "r1".into());
    state_of(&mut snapshot, S2R1).macros.insert("shard".into(), "1".into());
    state_of(&mut snapshot, S2R1).macros.remove("replica");
    state_of(&mut snapshot, S2R1).databases.insert("e".into(), "Ordinary".into());
    insta::assert_snapshot!(differences(&snapshot).join("\n"), @r"
    versions differ: 26.9.2 on s1r1, s2r1, s2r2; 26.8.1 on s1r2
    macro {replica} is missing on s2r1
    macro {shard} is 1 in shards 1 and 2
    macro {shard} differs within shard 2: 1 on s2r1; 2 on s2r2
    macro {replica} is r1 on s1r1, s1r2
    database e is missing on s1r1, s1r2, s2r2
    ");
}

#[test]
fn json_has_the_promised_keys() {
    let mut snapshot = snapshot();
    snapshot.replicas.insert(S1R2, Observation::Failed("s1r2 (ch12:8123): Connection refused".into()));
    let json = serde_json::to_value(Report::new(&snapshot)).unwrap();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["cluster"], "main");
    let replica = &json["shards"][0]["replicas"][1];
    assert_eq!(
        (&replica["host"], &replica["port"], &replica["reachable"]),
        (&"ch12".into(), &9000.into(), &false.into())
    );
    assert!(replica["version"].is_null());
    let table = json["tables"].as_array().unwrap().iter().find(|table| table["name"] == "t").unwrap();
    assert_eq!(table["database"], "d");
    assert_eq!(table["sorting_key"], "a, day");
    assert_eq!(table["shards"][1]["num"], 2);
    assert_eq!(table["shards"][1]["rows"], 1_500_000);
    assert_eq!(table["shards"][1]["bytes"], 30 << 20);
    assert_eq!(json["differences"], serde_json::json!([]));
}

#[test]
fn the_overview_is_a_table() {
    let mut snapshot = snapshot();
    snapshot.replicas.insert(S1R2, Observation::Failed("s1r2 (ch12:8123): Connection refused".into()));
    state_of(&mut snapshot, S2R1).version = "26.8.1".into();
    insta::assert_snapshot!(tables(&Report::new(&snapshot), 100, None), @r"
    Cluster main: 2 shards, 4 replicas, 3 of which answer
     Shard  Replica  Address    Version    Macros
     1      s1r1     ch11:9000  26.9.2     replica=r1, shard=1
     1      s1r2     ch12:9000  no answer  s1r2 (ch12:8123): Connection refused
     2      s2r1     ch21:9000  26.8.1     replica=r1, shard=2
     2      s2r2     ch22:9000  26.9.2     replica=r2, shard=2

    Tables (rows and size: one replica of each shard)
     Table    Engine               Sorting key  Partition key  Rows         Size
     d.all    Distributed
     d.daily  MergeTree                                                  0     0 B
     d.mv     MaterializedView
     d.t      ReplicatedMergeTree  a, day       toYYYYMM(day)  3.0 million  60 MiB

    Differences
     -  versions differ: 26.9.2 on s1r1, s2r2; 26.8.1 on s2r1
    ");
}

#[test]
fn one_table_is_shown_with_what_hangs_on_it() {
    let report = Report::new(&snapshot());
    insta::assert_snapshot!(tables(&report, 100, Some(&TableName::new("d", "t"))), @r"
    d.t
     Engine         ReplicatedMergeTree('/t/{shard}', '{replica}') PARTITION BY toYYYYMM(day) ORDER BY
                    (a, day)
     Sorting key    a, day
     Partition key  toYYYYMM(day)
     Data           3.0 million rows, 60 MiB

    Replicas
     Replica  Rows         Size    Parts  Mutations  Replication
     s1r1     1.5 million  30 MiB      2             2 of 2 active
     s1r2     1.5 million  30 MiB      2             2 of 2 active
     s2r1     1.5 million  30 MiB      2             2 of 2 active
     s2r2     1.5 million  30 MiB      2             2 of 2 active

    Partitions
     Shard  Partition  Rows         Size    Parts
     1      202601     1.5 million  30 MiB      2
     2      202601     1.5 million  30 MiB      2

    Columns
     a    UInt32
     day  Date

    Upstream: where its rows come from
     d.t
     └─ written by Distributed d.all

    Downstream: where they go and what reads them
     d.t
     ├─ materialized view d.mv
     │  └─ writes to MergeTree d.daily
     └─ Distributed over it d.all
    ");
    assert_eq!(tables(&report, 100, Some(&TableName::new("d", "u\u{1b}"))), "no table d.u\\u{1b} on cluster main\n");
}

#[test]
fn narrowing_keeps_what_concerns_the_table() {
    let mut snapshot = snapshot();
    table_on(&mut snapshot, S1R2, "t").keys.sorting = "a".into();
    table_on(&mut snapshot, S1R2, "daily").keys.sorting = "a".into();
    let report = Report::new(&snapshot).narrowed(&TableName::new("d", "t"));
    assert_eq!(report.tables.len(), 1);
    assert_eq!(report.differences.len(), 1);
    assert_eq!(report.graph.edges.len(), 4);
}

#[test]
fn views_in_a_circle_end() {
    let mut snapshot = snapshot();
    for id in snapshot.topology.replicas().map(|replica| replica.id).collect::<Vec<_>>() {
        let view = "CREATE MATERIALIZED VIEW d.back TO d.t (`day` Date) AS SELECT day FROM d.daily";
        state_of(&mut snapshot, id)
            .tables
            .insert(TableName::new("d", "back"), bare("back", "MaterializedView", "", view));
    }
    let shown = tables(&Report::new(&snapshot), 100, Some(&TableName::new("d", "t")));
    assert!(shown.contains("writes to ReplicatedMergeTree d.t (see above)"), "{shown}");
}
