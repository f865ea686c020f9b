//! How planning grows with the cluster: builds, checks and writes the plan of a synthetic cluster of 250, 500 and 1,000 shards of
//! three replicas and a hundred partitions, and prints seconds, peak memory and the file's size.
//!
//! `cargo run --release --example plan_benchmark`; with a number of shards as an argument, that size alone.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::Command;
use std::time::Instant;

use shardwright::assess::{Case, assess};
use shardwright::catalog::{Column, Keys, Partition, Replication, Table};
use shardwright::change::{Change, Wanted};
use shardwright::names::{ReplicaId, TableName};
use shardwright::plan::{Fence, build, check, file};
use shardwright::snapshot::{Capability, Observation, ReplicaState, Snapshot};
use shardwright::topology::{Replica, Shard, Topology};

const REPLICAS: u32 = 3;
const PARTITIONS: u64 = 100;
const ROWS_A_PARTITION: u64 = 10_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(shards) = std::env::args().nth(1) {
        return measure(shards.parse()?);
    }
    println!(
        "shards  assess    build    check    write  (s)     total  of which CPU  peak memory  of which snapshot  plan"
    );
    for shards in [250, 500, 1000] {
        // Each in a process of its own: the peak of memory is that of the process.
        let status = Command::new(std::env::current_exe()?).arg(shards.to_string()).status()?;
        if !status.success() {
            return Err(format!("{shards} shards: {status}").into());
        }
    }
    Ok(())
}

fn measure(shards: u32) -> Result<(), Box<dyn Error>> {
    let snapshot = snapshot(shards);
    let (change, target) = (change(), table("d.events", "user, day, id", None));
    let case = Case { snapshot: &snapshot, change: &change, target: &target, written: None, evaluation: None };
    let (before, cpu_before) = (memory("VmRSS")?, cpu_seconds()?);

    let began = Instant::now();
    let findings = assess(&case);
    let assessed = began.elapsed().as_secs_f64();
    let plan = build(&case, findings, Fence::Auto)?;
    let built = began.elapsed().as_secs_f64();
    let objections = check(&plan);
    let checked = began.elapsed().as_secs_f64();
    let (text, _) = file::write(&plan)?;
    let written = began.elapsed().as_secs_f64();

    if !objections.is_empty() {
        return Err(objections.join("; ").into());
    }
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "{shards:>6} {assessed:>7.2} {:>8.2} {:>8.2} {:>8.2} {written:>14.2} {:>13.2} {:>8} MiB {:>14} MiB {:>5} MiB, {} steps",
        built - assessed,
        checked - built,
        written - checked,
        cpu_seconds()? - cpu_before,
        mib(memory("VmHWM")?),
        mib(before),
        mib(text.len() as u64),
        plan.steps.len(),
    );
    Ok(())
}

/// Seconds that this process has had of a processor: on a busy machine they say more than the clock does.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = schedstat.split_whitespace().next().ok_or("no such figure")?;
    Ok(nanoseconds.parse::<u64>()? as f64 / 1e9)
}

/// A figure of `/proc/self/status`, in bytes.
fn memory(figure: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no such figure")?;
    Ok(kib.parse::<u64>()? << 10)
}

fn change() -> Change {
    Change {
        statement: "ALTER TABLE d.events MODIFY ORDER BY (user, day, id)".to_owned(),
        table: TableName::new("d", "events"),
        distributed: vec![TableName::new("d", "events_all")],
        wanted: Wanted { order_by: Some("(user, day, id)".to_owned()), ..Wanted::default() },
    }
}

fn snapshot(shards: u32) -> Snapshot {
    let replica = |shard: u32, num: u32| Replica {
        id: ReplicaId::new(shard, num),
        host: format!("ch-{shard:04}-{num}.example.internal"),
        port: 9000,
    };
    let shard = |num| Shard { num, replicas: (1..=REPLICAS).map(|replica_num| replica(num, replica_num)).collect() };
    let topology = Topology { cluster: "main".to_owned(), shards: (1..=shards).map(shard).collect() };
    let replicas = topology.replicas().map(|replica| (replica.id, state(replica.id))).collect();
    Snapshot { topology, replicas }
}

fn state(id: ReplicaId) -> Observation {
    let local = table("d.events", "day, user, id", Some(id));
    let engine_full = "Distributed(main, 'd', 'events', rand())".to_owned();
    let distributed = Table {
        engine: "Distributed".to_owned(),
        create_query: format!("CREATE TABLE d.events_all ({COLUMNS}) ENGINE = {engine_full}"),
        engine_full,
        partitions: Vec::new(),
        ..table("d.events_all", "", None)
    };
    Observation::Answered(Box::new(ReplicaState {
        version: "26.9.2.1".to_owned(),
        macros: BTreeMap::from([("shard".to_owned(), id.shard.to_string()), ("replica".to_owned(), id.to_string())]),
        capabilities: BTreeSet::from([Capability::Keeper, Capability::PartitionIdColumn, Capability::Exchange]),
        databases: BTreeMap::from([("d".to_owned(), "Atomic".to_owned())]),
        tables: [local, distributed].into_iter().map(|table| (table.name.clone(), table)).collect(),
        disks: None,
    }))
}

const COLUMNS: &str =
    "`id` UInt64, `user` UInt64, `day` Date, `kind` LowCardinality(String), `value` Float64, `note` String";

fn table(name: &str, sorting: &str, on: Option<ReplicaId>) -> Table {
    let engine_full = if on.is_some() {
        format!(
            "ReplicatedMergeTree('/clickhouse/tables/{{shard}}/events', '{{replica}}') PARTITION BY toMonday(day) \
             ORDER BY ({sorting}) SETTINGS index_granularity = 8192"
        )
    } else {
        format!("MergeTree PARTITION BY toMonday(day) ORDER BY ({sorting}) SETTINGS index_granularity = 8192")
    };
    let column = |definition: &str| {
        let (name, kind) = definition.split_once(' ').unwrap_or_default();
        Column {
            name: name.trim_matches('`').to_owned(),
            kind: kind.to_owned(),
            default_kind: String::new(),
            default_expression: String::new(),
            comment: String::new(),
        }
    };
    let partition = |number: u64| Partition {
        id: format!("2024{number:04}"),
        parts: 8,
        rows: ROWS_A_PARTITION,
        bytes: ROWS_A_PARTITION * 20,
    };
    let (database, table) = name.split_once('.').unwrap_or_default();
    Table {
        name: TableName::new(database, table),
        engine: if on.is_some() { "ReplicatedMergeTree" } else { "MergeTree" }.to_owned(),
        create_query: format!("CREATE TABLE {name} ({COLUMNS}) ENGINE = {engine_full}"),
        engine_full,
        definition_hash: "1234567890123456789".to_owned(),
        keys: Keys {
            sorting: sorting.to_owned(),
            primary: sorting.to_owned(),
            partition: "toMonday(day)".to_owned(),
            sampling: String::new(),
        },
        columns: COLUMNS.split(", ").map(column).collect(),
        partitions: if on.is_some() { (0..PARTITIONS).map(partition).collect() } else { Vec::new() },
        replication: on.map(|id| Replication {
            keeper_path: format!("/clickhouse/tables/{}/events", id.shard),
            replica_name: id.to_string(),
            is_readonly: false,
            is_session_expired: false,
            queue_size: 0,
            absolute_delay: 0,
            total_replicas: u64::from(REPLICAS),
            active_replicas: u64::from(REPLICAS),
        }),
        mutations_pending: 0,
        mutation_next: 0,
        column_bytes: std::collections::BTreeMap::new(),
        dependents: Vec::new(),
    }
}
