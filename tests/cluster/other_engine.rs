//! From `MergeTree` to `ReplacingMergeTree` and back, with a version and without one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::harness::{Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{ask_all, assert_nothing_left, engine, everywhere, firsts, prepare, sync};

/// Keys on each shard, each in two rows with versions 1 and 2.
const KEYS_A_SHARD: u64 = 5_000;
const ACCEPT: &str = "SW007=the last version is all that is wanted";

on_both_ends! {
    shared: rows_of_equal_keys_become_one, and_are_kept_apart_again, what_cannot_be_compared_is_refused;
}

fn table(cluster: &Running, db: &str, family: &str, args: &str) -> String {
    let engine = engine(cluster.replicates(), family, db, "t", args);
    format!(
        "CREATE TABLE {db}.t (id UInt64, day Date, ver UInt32, v String) ENGINE = {engine} PARTITION BY toYYYYMM(day) ORDER BY (id, day)"
    )
}

#[track_caller]
fn set_up(cluster: &Running, db: &str, family: &str, args: &str) -> Tool {
    let over = format!("CREATE TABLE {db}.read AS {db}.t ENGINE = Distributed(main, '{db}', t, id)");
    prepare(cluster, db, &[&table(cluster, db, family, args), &over]);
    for first in firsts(cluster) {
        for ver in 1..=2 {
            insert(cluster, first, db, 0, KEYS_A_SHARD, ver);
        }
    }
    sync(cluster, &[&format!("{db}.t")]);
    Tool::new(cluster)
}

fn insert(cluster: &Running, on: shardwright::names::ReplicaId, db: &str, from: u64, count: u64, ver: u64) {
    cluster.query(
        on,
        &format!("INSERT INTO {db}.t SELECT {from} + number, toDate('2024-01-01') + number % 60, {ver}, toString({ver}) FROM numbers({count})"),
    );
}

/// A writer into every replica until the story is told, of keys that nobody else has. Gives their number. An insert that an old server
/// refuses while the mirror is made is sent again.
#[track_caller]
fn under_writers(cluster: &Running, db: &str, story: impl FnOnce()) -> u64 {
    const ROWS: u64 = 20;
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let write = |port: u16, first: u64| {
        let mut next = first;
        while !stop.load(Ordering::Relaxed) {
            let sql = format!("INSERT INTO {db}.t SELECT {next} + number, '2024-02-01', 1, 'w' FROM numbers({ROWS})");
            if block_on(send(port, "", &sql)).is_ok() {
                written.fetch_add(ROWS, Ordering::Relaxed);
                next += ROWS;
            }
            sleep(Duration::from_millis(30));
        }
    };
    scope(|scope| {
        for (number, (_, ports)) in (1..).zip(cluster.replicas()) {
            let write = &write;
            scope.spawn(move || write(ports.http, number * 1_000_000));
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(story));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = told {
            std::panic::resume_unwind(panic);
        }
    });
    written.into_inner()
}

/// Plans the table with this engine; the plan lands in [`PLAN`].
#[track_caller]
fn aim(tool: &Tool, wanted: &str, accept: &[&str]) {
    std::fs::write(tool.dir().join("wanted.sql"), wanted).unwrap();
    let planned = tool.expect(2, &[&["plan", "--target", "wanted.sql", "--detailed-exitcode"], accept].concat());
    assert!(planned.stdout.contains("Engine"), "{planned}");
}

fn rows_of_equal_keys_become_one(cluster: &Running) {
    let db = "other_engine";
    let tool = set_up(cluster, db, "MergeTree", "");
    let wanted = table(cluster, db, "ReplacingMergeTree", "ver");
    let unaccepted = tool.expect(3, &["plan", "--sql", &wanted]);
    assert!(unaccepted.stdout.contains("SW007") && unaccepted.stdout.contains("keeps every row"), "{unaccepted}");
    aim(&tool, &wanted, &["--accept", ACCEPT]);
    tool.approve(&["start", "cutover"]);
    let written = under_writers(cluster, db, || {
        tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
        let agreed = tool.expect(0, &["verify", PLAN]);
        assert!(agreed.stdout.contains("different keys agree"), "{agreed}");
    });
    assert!(written > 100, "the writers did something: {written}");
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    for table in ["t", "t__sw_shadow"] {
        let keys = firsts(cluster).into_iter().map(|first| {
            cluster
                .query(first, &format!("SELECT uniqExact(id) FROM {db}.{table} WHERE id >= 1000000"))
                .parse::<u64>()
                .unwrap()
        });
        assert_eq!(keys.sum::<u64>(), written, "{table}");
    }

    // A key of which the copy has only an older version, and then none.
    let first = firsts(cluster)[0];
    for gone in ["ver = 2", "ver = 1"] {
        cluster.query(first, &format!("ALTER TABLE {db}.t__sw_shadow DELETE WHERE id = 77 AND {gone}"));
        let left = format!("SELECT count() FROM {db}.t__sw_shadow WHERE id = 77 AND {gone}");
        cluster.ids().iter().filter(|id| id.shard == 1).for_each(|id| cluster.eventually(*id, &left, "0"));
        let found = tool.expect(6, &["verify", PLAN]);
        assert!(found.stderr.contains("lacks 1 row"), "{found}");
    }
    tool.expect(0, &["rollback", PLAN]);
    let rows = 4 * KEYS_A_SHARD + written;
    assert_eq!(ask_all(cluster, &format!("SELECT count() FROM {db}.read")), rows.to_string());

    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    // What comes in meanwhile goes to the old data too, where nothing merges it.
    for ver in 3..=4 {
        insert(cluster, first, db, 0, 10, ver);
    }
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    tool.expect(0, &["verify", PLAN]);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(ask_all(cluster, &format!("SELECT count() FROM {db}.read")), (rows + 20).to_string());

    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    let merged = format!("SELECT count(), uniqExact(id), sum(ver) FROM {db}.t FINAL WHERE id < 1000000");
    assert_eq!(cluster.query(first, &merged), format!("{KEYS_A_SHARD}\t{KEYS_A_SHARD}\t{}", 2 * KEYS_A_SHARD + 20));
    let again = tool.expect(0, &["plan", "--target", "wanted.sql", "-o", "again.json"]);
    assert!(again.stderr.contains("no change"), "{again}");
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

fn and_are_kept_apart_again(cluster: &Running) {
    let db = "other_engine_back";
    let tool = set_up(cluster, db, "ReplacingMergeTree", "");
    aim(&tool, &table(cluster, db, "MergeTree", ""), &[]);
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    insert(cluster, firsts(cluster)[0], db, 0, 1, 9);
    insert(cluster, firsts(cluster)[0], db, 0, 1, 9);
    let kept = format!("SELECT count() FROM {db}.t WHERE id = 0 AND ver = 9");
    // A Replicated table takes a block once.
    assert_eq!(cluster.query(firsts(cluster)[0], &kept), if cluster.replicates() { "1" } else { "2" });
    assert_eq!(ask_all(cluster, &format!("SELECT uniqExact(id) FROM {db}.read")), KEYS_A_SHARD.to_string());
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

fn what_cannot_be_compared_is_refused(cluster: &Running) {
    let db = "other_engine_refused";
    let tool = set_up(cluster, db, "MergeTree", "");
    for (family, args) in [("SummingMergeTree", ""), ("AggregatingMergeTree", "")] {
        let ran = tool.run(&["plan", "--sql", &table(cluster, db, family, args), "-o", "refused.json"]);
        let is_refused = ran.code == Some(3) && ran.stdout.contains("SW010");
        assert!(is_refused && !tool.dir().join("refused.json").exists(), "{ran}");
    }
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}
