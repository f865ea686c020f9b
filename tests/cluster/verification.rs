//! Negative controls: rows that were tampered with between copy and comparison must be found, and named.

use std::collections::BTreeMap;

use shardwright::names::ReplicaId;

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{ask, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, sync};

/// A table, planned and executed up to the comparison.
#[track_caller]
fn copied(cluster: &Running, family: &str, database: &str) -> Tool {
    let engine = engine(cluster.replicates(), family, database, "t", "");
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

/// Tampers with the first shard, and waits until replicas have it.
#[track_caller]
fn tamper(cluster: &Running, database: &str, tampering: &[&str]) {
    let first = cluster.ids()[0];
    let at_once = if cluster.replicates() { "" } else { " SETTINGS mutations_sync = 2" };
    for sql in tampering {
        let sql =
            sql.replace("SHADOW", &format!("{database}.t__sw_shadow")).replace("SOURCE", &format!("{database}.t"));
        cluster.query(first, &sql.replace(" AT ONCE", at_once));
    }
    sync(cluster, &[&format!("{database}.t__sw_shadow")]);
    for id in cluster.ids() {
        let unfinished = format!("SELECT count() FROM system.mutations WHERE database = '{database}' AND NOT is_done");
        cluster.eventually(id, &unfinished, "0");
    }
}

/// The rows that each replica serves.
#[track_caller]
fn served(cluster: &Running, database: &str) -> BTreeMap<ReplicaId, String> {
    ask(cluster, &format!("SELECT count(), sum(cityHash64(day, a, v)) FROM {database}.t"))
}

/// `verify` must name the partition and end with exit code 6, and a run must put it right before it swaps anything, and say where.
#[track_caller]
fn is_found(cluster: &Running, database: &str, partition: &str, tampering: &[&str]) {
    let tool = copied(cluster, "MergeTree", database);
    tamper(cluster, database, tampering);
    let before = served(cluster, database);
    let found = tool.expect(6, &["verify", PLAN]);
    names(cluster, &found, partition);
    let ran = tool.expect(0, &["execute", PLAN]);
    assert!(ran.stderr.contains(&format!("were put right in the partitions {partition} (")), "{ran}");
    assert_eq!(served(cluster, database), before, "the new table holds the rows that the old one held");
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
    shared: a_row_too_many_is_found, a_doubled_row_is_found, an_altered_row_is_found, rows_with_two_values_swapped_are_found, a_missing_partition_is_found,
        a_missing_row_is_found, a_mutation_slipped_in_is_found, rows_that_it_cannot_put_right_stop_it, without_the_mirror_nothing_is_swapped;
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

fn a_missing_row_is_found(cluster: &Running) {
    is_found(cluster, "missing_row", "202403", &["ALTER TABLE SHADOW DELETE WHERE a = 89 AT ONCE"]);
}

/// The mirror does not see what is changed in the source; the comparison does.
fn a_mutation_slipped_in_is_found(cluster: &Running) {
    is_found(cluster, "slipped_in", "202401", &["ALTER TABLE SOURCE UPDATE v = 'changed' WHERE a = 30 AT ONCE"]);
}

/// Rows that a merging engine adds up are for a person to judge.
fn rows_that_it_cannot_put_right_stop_it(cluster: &Running) {
    let database = "not_mended";
    let tool = copied(cluster, "SummingMergeTree", database);
    // The other shard agrees, and may be swapped.
    let look = || {
        let mut tables = definitions(cluster, database);
        tables.retain(|id, _| id.shard == 1);
        (served(cluster, database), tables)
    };
    let before = look();
    tamper(cluster, database, &["INSERT INTO SHADOW VALUES ('2024-02-03', 777777, 'x')"]);
    for args in [["verify", PLAN], ["execute", PLAN], ["execute", PLAN]] {
        let stopped = tool.expect(6, &args);
        assert!(stopped.stderr.contains("202402"), "{stopped}");
        assert_eq!(look(), before, "nothing is swapped");
    }
    tool.expect(0, &["rollback", PLAN]);
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// Rows that came in without the mirror are found, and put right; but what comes next would be lost, so the names stay.
fn without_the_mirror_nothing_is_swapped(cluster: &Running) {
    let database = "no_mirror";
    let tool = copied(cluster, "MergeTree", database);
    everywhere(cluster, &[&format!("DROP TABLE {database}.t__sw_mirror")]);
    tamper(cluster, database, &["INSERT INTO SOURCE VALUES ('2024-02-03', 777777, 'x')"]);
    sync(cluster, &[&format!("{database}.t")]);
    let before = served(cluster, database);
    names(cluster, &tool.expect(6, &["verify", PLAN]), "202402");
    let stopped = tool.expect(5, &["execute", PLAN]);
    assert!(stopped.stderr.contains("1 were put right in the partitions 202402 ("), "{stopped}");
    assert!(stopped.stderr.contains("t__sw_mirror"), "{stopped}");
    assert_eq!(served(cluster, database), before);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(served(cluster, database), before);
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}
