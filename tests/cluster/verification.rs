//! Negative controls: rows that were tampered with between copy and comparison must be found, and named.

use std::collections::BTreeMap;

use shardwright::names::ReplicaId;

use crate::harness::{End, Running, on_both_ends};
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{ask, assert_nothing_left, definitions, delete, engine, everywhere, firsts, prepare, sync};

/// A table, planned and executed up to the gate of the swap.
#[track_caller]
fn copied(cluster: &Running, family: &str, database: &str) -> Tool {
    fill(cluster, family, database);
    planned(cluster, database)
}

/// A table with rows in three partitions.
#[track_caller]
fn fill(cluster: &Running, family: &str, database: &str) {
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
}

/// Another key for it, executed up to the gate of the swap.
#[track_caller]
fn planned(cluster: &Running, database: &str) -> Tool {
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
    assert!(!ran.stderr.contains("came to nothing"), "what it puts right itself is no reason to compare again: {ran}");
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
        a_missing_row_is_found, a_mutation_slipped_in_is_found, where_one_shard_differs_none_is_swapped, without_the_mirror_nothing_is_swapped,
        what_came_later_to_a_table_keeps_its_values, what_a_swap_misplaced_is_brought_over, what_is_deleted_after_a_swap_stays_deleted,
        a_spare_copy_in_the_old_data_is_no_difference;
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

/// Rows that a merging engine combines are for a person to judge. The other shard agrees, and waits.
fn where_one_shard_differs_none_is_swapped(cluster: &Running) {
    let database = "not_mended";
    let tool = copied(cluster, "AggregatingMergeTree", database);
    let look = || (served(cluster, database), definitions(cluster, database));
    let before = look();
    let second = firsts(cluster)[1];
    cluster.query(second, &format!("INSERT INTO {database}.t__sw_shadow VALUES ('2024-02-03', 777777, 'x')"));
    sync(cluster, &[&format!("{database}.t__sw_shadow")]);
    let said = tool.expect(6, &["verify", PLAN]);
    assert!(said.stderr.contains("verify.s2") && said.stderr.contains("202402"), "{said}");
    for runs in 1..=2 {
        let stopped = tool.expect(6, &["execute", PLAN]);
        assert!(stopped.stderr.contains("cutover.verify.s2") && stopped.stderr.contains("202402"), "{stopped}");
        assert_eq!(look(), before, "nothing is swapped on any shard");
        assert_eq!(
            ["cutover.verify.s1", "cutover.verify.s2", "cutover.ready", "cutover.s1"].map(|step| state(&tool, step)),
            ["done", "failed", "pending", "pending"]
        );
        assert_eq!(times_done(&tool, "cutover.verify.s1"), runs, "every run compares all shards");
    }
    let delete = format!("ALTER TABLE {database}.t__sw_shadow DELETE WHERE a = 777777");
    cluster.query(second, &delete);
    for id in cluster.ids() {
        cluster.eventually(id, &format!("SELECT count() FROM {database}.t__sw_shadow WHERE a = 777777"), "0");
    }
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(times_done(&tool, "cutover.verify.s1"), 3);
    assert_eq!(times_done(&tool, "cutover.ready"), 1);
    assert_eq!(served(cluster, database), before.0);
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// A step's state.
#[track_caller]
fn state(tool: &Tool, step: &str) -> String {
    let status = tool.status();
    let steps = status["steps"].as_array().expect("steps");
    let step = steps.iter().find(|one| one["id"] == step).expect("the step");
    step["state"].as_str().expect("a state").to_owned()
}

/// How often a step was done.
#[track_caller]
fn times_done(tool: &Tool, step: &str) -> usize {
    let journal = std::fs::read_to_string(tool.dir().join(format!("{PLAN}.journal.jsonl"))).expect("the journal");
    let records = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a record"));
    records.filter(|record| record["event"] == "done" && record["step"] == step).count()
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

/// The same up to the comparison after the swap.
#[track_caller]
fn swapped(cluster: &Running, family: &str, database: &str) -> Tool {
    fill(cluster, family, database);
    everywhere(
        cluster,
        &[
            &format!("CREATE TABLE {database}.seen (a UInt64) ENGINE = MergeTree ORDER BY a"),
            &format!("CREATE MATERIALIZED VIEW {database}.feed TO {database}.seen AS SELECT a FROM {database}.t"),
        ],
    );
    let tool = planned(cluster, database);
    tool.expect(0, &["execute", PLAN, "--until", "reconcile.verify.s1"]);
    tool
}

/// An insert that the swap overtook leaves its rows in the old data twice, where nobody reads them: that is told, and is no difference. More
/// copies are.
fn a_spare_copy_in_the_old_data_is_no_difference(cluster: &Running) {
    let database = "spare";
    let tool = swapped(cluster, "MergeTree", database);
    let home = cluster.ids()[0];
    // Another block each time: a Replicated table drops one that it has had.
    let again = |copies: usize| {
        let row = format!("SELECT * FROM (SELECT * FROM {database}.t ORDER BY a LIMIT 1)");
        let rows = vec![row; copies].join(" UNION ALL ");
        cluster.query(home, &format!("INSERT INTO {database}.t__sw_shadow {rows}"));
        sync(cluster, &[&format!("{database}.t__sw_shadow")]);
    };
    tool.expect(0, &["verify", PLAN]);
    again(1);
    let told = tool.expect(0, &["verify", PLAN]);
    assert!(told.stdout.contains("the old data has 1 row twice"), "{told}");
    again(2);
    let found = tool.expect(6, &["verify", PLAN]);
    assert!(found.stderr.contains("has 3 too many"), "{found}");
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// Parts of before lack columns that were added later: what is read of them is their default, in the clone too.
fn what_came_later_to_a_table_keeps_its_values(cluster: &Running) {
    let database = "came_later";
    let local = engine(cluster.replicates(), "MergeTree", database, "t", "");
    let create = format!(
        "CREATE TABLE {database}.t (id UInt64, v String, m UInt64 MATERIALIZED id * 2) ENGINE = {local} ORDER BY id"
    );
    prepare(cluster, database, &[&create]);
    for first in firsts(cluster) {
        cluster.query(first, &format!("INSERT INTO {database}.t (id, v) SELECT number, 'v' FROM numbers(5000)"));
        for more in ["kind String DEFAULT 'x'", "of_m UInt64 MATERIALIZED id * 3"] {
            cluster.query(first, &format!("ALTER TABLE {database}.t ADD COLUMN {more}"));
        }
    }
    sync(cluster, &[&format!("{database}.t")]);
    let tool = Tool::new(cluster);
    tool.plan(&format!("ALTER TABLE {database}.t MODIFY ORDER BY (v, id)"));
    tool.approve(&["start", "cutover", "finalize"]);
    let ran = tool.expect(0, &["execute", PLAN]);
    assert!(!ran.stderr.contains("put right"), "the copy itself was right: {ran}");
    let wrong = format!("SELECT count(), countIf(kind != 'x' OR m != id * 2 OR of_m != id * 3) FROM {database}.t");
    for id in cluster.ids() {
        assert_eq!(cluster.query(id, &wrong), "5000\t0", "{id}");
    }
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// An insert that the swap overtook wrote to the old data. Where it met no view its rows go through them now; where it met them, its
/// rows are there twice, and no view sees them again.
fn what_a_swap_misplaced_is_brought_over(cluster: &Running) {
    let database = "misplaced";
    let tool = swapped(cluster, "MergeTree", database);
    let home = cluster.ids()[0];
    let (unseen, seen) = ("('2024-02-03', 555555, 'x')", "('2024-02-03', 666666, 'y')");
    for sql in [
        format!("INSERT INTO {database}.t__sw_shadow VALUES {unseen}"),
        format!("INSERT INTO {database}.t__sw_shadow VALUES {seen}, {seen}"),
        format!("INSERT INTO {database}.seen VALUES (666666)"),
    ] {
        cluster.query(home, &sql);
    }
    sync(cluster, &[&format!("{database}.t__sw_shadow")]);
    tool.expect(0, &["execute", PLAN]);
    sync(cluster, &[&format!("{database}.t")]);
    let each = |table: &str| format!("SELECT countIf(a = 555555), countIf(a = 666666) FROM {database}.{table}");
    let of_shard: Vec<ReplicaId> = cluster.ids().into_iter().filter(|id| id.shard == 1).collect();
    for id in &of_shard {
        assert_eq!(cluster.query(*id, &each("t")), "1\t1", "{id}");
    }
    let sum: Vec<String> = of_shard.iter().map(|id| cluster.query(*id, &each("seen"))).collect();
    let expected = |id: &ReplicaId| if *id == home { "1\t1" } else { "0\t0" };
    assert_eq!(sum, of_shard.iter().map(expected).collect::<Vec<_>>(), "each row was seen once");
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// While names are exchanged, servers know of no views for a moment: an insert of that moment is in the new table alone. A part of its
/// own is shown to the views; what was merged with other rows stays, and is told.
#[test]
fn what_met_no_view_while_names_were_exchanged_is_shown_to_them() {
    let (cluster, database) = (&*End::New.shared(), "unseen");
    let shown = (false, "3 of them had met no view, and were inserted through the views");
    let told = (true, "3 of them were in the new table alone, merged with others: unseen.feed may have missed them");
    let each = ["MergeTree", "ReplacingMergeTree"].into_iter().flat_map(|family| [(family, shown), (family, told)]);
    for (family, (merged, said)) in each {
        let tool = swapped(cluster, family, database);
        let home = cluster.ids()[0];
        let values = "('2024-02-03', 555555, 'x'), ('2024-02-04', 666666, 'y'), ('2024-03-04', 777777, 'z')";
        for sql in [
            format!("CREATE TABLE {database}.arrivals AS {database}.t"),
            format!("INSERT INTO {database}.arrivals VALUES {values}"),
            format!("ALTER TABLE {database}.t ATTACH PARTITION ID '202402' FROM {database}.arrivals"),
            format!("ALTER TABLE {database}.t ATTACH PARTITION ID '202403' FROM {database}.arrivals"),
            format!("DROP TABLE {database}.arrivals"),
        ] {
            cluster.query(home, &sql);
        }
        if merged {
            cluster.query(home, &format!("OPTIMIZE TABLE {database}.t FINAL"));
        }
        let ran = tool.expect(0, &["execute", PLAN]);
        assert!(ran.stderr.contains(said), "{said}: {ran}");
        let each = |table: &str| {
            let sql =
                format!("SELECT count(), uniqExact(a) FROM {database}.{table} WHERE a IN (555555, 666666, 777777)");
            cluster.query(home, &sql)
        };
        assert_eq!(each("t"), "3\t3");
        assert_eq!(each("seen"), if merged { "0\t0" } else { "3\t3" });
        assert_nothing_left(cluster, database);
        everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
    }
}

/// `FINAL` shows each partition by itself, as merging does: else a later row of the key in another partition hides what is lacking.
#[test]
fn what_a_row_of_another_partition_hides_is_missed() {
    let (cluster, database) = (&*End::New.shared(), "hidden_by_final");
    let table = "(a UInt32, b UInt32, day Date, ver UInt32) ENGINE = ReplacingMergeTree(ver) PARTITION BY toYYYYMM(day) ORDER BY (a, b)";
    prepare(cluster, database, &[&format!("CREATE TABLE {database}.t {table}")]);
    let home = cluster.ids()[0];
    for (day, ver) in [("2024-01-10", 1), ("2024-02-10", 2)] {
        cluster
            .query(home, &format!("INSERT INTO {database}.t SELECT number, number, '{day}', {ver} FROM numbers(1000)"));
    }
    let tool = Tool::new(cluster);
    tool.plan(&format!("ALTER TABLE {database}.t MODIFY ORDER BY (b, a)"));
    tool.approve(&["start"]);
    tool.expect(0, &["execute", PLAN, "--until", "gate.cutover"]);
    tool.expect(0, &["verify", PLAN]);
    delete(cluster, &format!("{database}.t__sw_shadow"), "ver = 1 AND a < 10");
    let found = tool.expect(6, &["verify", PLAN]);
    assert!(found.stderr.contains("lacks 10 rows"), "{found}");
    tool.expect(0, &["rollback", PLAN]);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

/// The mirror does not delete: the old data still has what was deleted from the new table, as if a swap had misplaced it.
fn what_is_deleted_after_a_swap_stays_deleted(cluster: &Running) {
    let database = "stays_deleted";
    let tool = swapped(cluster, "MergeTree", database);
    let lose = |table: &str| delete(cluster, &format!("{database}.{table}"), "a = 31");
    lose("t");
    let after = served(cluster, database);
    for _ in 0..2 {
        let stopped = tool.expect(6, &["execute", PLAN]);
        let said = "rows were deleted or altered since the comparison before the swap, in the partitions";
        assert!(stopped.stderr.contains(said) && stopped.stderr.contains(" of the new table"), "{stopped}");
        assert_eq!(served(cluster, database), after);
    }
    lose("t__sw_shadow");
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(served(cluster, database), after);
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}
