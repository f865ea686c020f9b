//! Negative controls: rows that were tampered with between copy and comparison must be found, and named.

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{ask_all, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, sync};

/// A table, planned and executed up to the comparison.
#[track_caller]
fn copied(cluster: &Running, database: &str) -> Tool {
    let engine = engine(cluster.replicates(), "MergeTree", database, "t", "");
    prepare(
        cluster,
        database,
        &[&format!(
            "CREATE TABLE {database}.t (day Date, a UInt64, v String) ENGINE = {engine} \
             PARTITION BY toYYYYMM(day) ORDER BY (day, a)"
        )],
    );
    for first in firsts(cluster) {
        cluster.query(
            first,
            &format!("INSERT INTO {database}.t SELECT toDate('2024-01-01') + number % 90, number, toString(number) FROM numbers(3000)"),
        );
    }
    sync(cluster, &[&format!("{database}.t")]);
    let tool = Tool::new(cluster);
    tool.plan(&format!("ALTER TABLE {database}.t MODIFY ORDER BY (a, day)"));
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    tool
}

/// Tampers with the shadow of the first shard: `verify` must name the partition and end with exit code 6, and a run must put it
/// right before it swaps anything.
#[track_caller]
fn is_found(cluster: &Running, database: &str, partition: &str, tampering: &[&str]) {
    let tool = copied(cluster, database);
    let rows = || ask_all(cluster, &format!("SELECT count(), sum(cityHash64(day, a, v)) FROM {database}.t"));
    let before = rows();
    let first = cluster.ids()[0];
    for sql in tampering {
        cluster.query(
            first,
            &sql.replace("SHADOW", &format!("{database}.t__sw_shadow")).replace("SOURCE", &format!("{database}.t")),
        );
    }
    sync(cluster, &[&format!("{database}.t__sw_shadow")]);

    let found = tool.expect(6, &["verify", PLAN]);
    names(cluster, &found, partition);
    let ran = tool.expect(0, &["execute", PLAN]);
    assert!(ran.stderr.contains("were put right"), "{ran}");
    assert_eq!(rows(), before, "the new table holds the rows that the old one held");
    assert_nothing_left(cluster, database);
    assert!(definitions(cluster, database).values().all(|tables| tables.lines().count() == 1));
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// The partition, and a replica of the shard with its address.
#[track_caller]
fn names(cluster: &Running, found: &Ran, partition: &str) {
    let error = found.stderr.lines().find(|line| line.starts_with("error:")).expect("an error is reported");
    assert!(error.contains("verify.s1") && error.contains(partition), "{found}");
    let ports: Vec<u16> = cluster.replicas().filter(|(id, _)| id.shard == 1).map(|(_, ports)| ports.native).collect();
    assert!(ports.iter().any(|port| error.contains(&format!("(127.0.0.1:{port})"))), "{found}");
    let others = ["202401", "202402", "202403"].into_iter().filter(|other| *other != partition);
    assert!(others.into_iter().all(|other| !error.contains(other)), "only {partition} differs: {found}");
}

on_both_ends! {
    shared: a_row_too_many_is_found, a_doubled_row_is_found, an_altered_row_is_found, rows_with_two_values_swapped_are_found, a_missing_partition_is_found;
}

fn a_row_too_many_is_found(cluster: &Running) {
    is_found(cluster, "row_too_many", "202402", &["INSERT INTO SHADOW VALUES ('2024-02-03', 1, 'x')"]);
}

fn a_doubled_row_is_found(cluster: &Running) {
    is_found(
        cluster,
        "doubled_row",
        "202403",
        &["INSERT INTO SHADOW SELECT * FROM SOURCE WHERE toYYYYMM(day) = 202403 LIMIT 1"],
    );
}

fn an_altered_row_is_found(cluster: &Running) {
    is_found(
        cluster,
        "altered_row",
        "202402",
        &[
            "ALTER TABLE SHADOW DROP PARTITION 202402",
            "INSERT INTO SHADOW SELECT day, a, if(a = 31, '', v) FROM SOURCE WHERE toYYYYMM(day) = 202402",
        ],
    );
}

fn rows_with_two_values_swapped_are_found(cluster: &Running) {
    is_found(
        cluster,
        "swapped_values",
        "202402",
        &[
            "ALTER TABLE SHADOW DROP PARTITION 202402",
            "INSERT INTO SHADOW SELECT day, a, multiIf(a = 31, '32', a = 32, '31', v) FROM SOURCE WHERE toYYYYMM(day) = 202402",
        ],
    );
}

fn a_missing_partition_is_found(cluster: &Running) {
    is_found(cluster, "missing_partition", "202401", &["ALTER TABLE SHADOW DROP PARTITION 202401"]);
}
