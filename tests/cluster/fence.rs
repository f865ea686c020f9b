//! Fences: a boundary that is drawn while nothing writes, and what the plan itself stops for it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Tool};
use crate::world::{ask, ask_all, assert_nothing_left, engine, everywhere, firsts, prepare, sync};

const DATABASE: &str = "fenced";

/// A Kafka table where servers make one without a broker, a view from it, and a Distributed table over the target.
fn set_up(cluster: &Running) {
    let engine = engine(cluster.replicates(), "MergeTree", DATABASE, "t", "");
    let table = format!("CREATE TABLE {DATABASE}.t (a UInt64, b UInt64) ENGINE = {engine} ORDER BY (a, b)");
    let over = format!(
        "CREATE TABLE {DATABASE}.all AS {DATABASE}.t ENGINE = Distributed({}, {DATABASE}, t, a)",
        shardwright::sandbox::CLUSTER
    );
    prepare(cluster, DATABASE, &[&table, &over]);
    if cluster.replicates() {
        let kafka = format!(
            "CREATE TABLE {DATABASE}.`from kafka` (a UInt64, b UInt64) \
             ENGINE = Kafka('127.0.0.1:1', 'events', 'shardwright', 'JSONEachRow')"
        );
        let view = format!(
            "CREATE MATERIALIZED VIEW {DATABASE}.reader TO {DATABASE}.all AS SELECT a, b FROM {DATABASE}.`from kafka`"
        );
        everywhere(cluster, &[&kafka, &view]);
    }
    for first in firsts(cluster) {
        cluster.query(first, &format!("INSERT INTO {DATABASE}.t SELECT number, number % 7 FROM numbers(10000)"));
    }
    sync(cluster, &[&format!("{DATABASE}.t")]);
}

fn digest() -> String {
    format!("SELECT count(), sum(cityHash64(a, b)) FROM {DATABASE}.t")
}

/// How many Kafka tables each replica has.
fn attached(cluster: &Running) -> Vec<String> {
    let sql = format!("SELECT count() FROM system.tables WHERE database = '{DATABASE}' AND engine = 'Kafka'");
    ask(cluster, &sql).into_values().map(|answer| answer.trim().to_owned()).collect()
}

fn attached_normally(cluster: &Running) -> &'static str {
    if cluster.replicates() { "1" } else { "0" }
}

/// Waits until a run is at its boundary, which waits for writers to be still.
#[track_caller]
fn await_stopped(cluster: &Running) {
    let began = Instant::now();
    if !cluster.replicates() {
        return sleep(Duration::from_secs(1));
    }
    while !attached(cluster).iter().any(|tables| tables == "0") {
        assert!(began.elapsed() < Duration::from_mins(1), "it was never detached");
        sleep(Duration::from_millis(20));
    }
}

fn what_feeds_a_table_is_stopped_for_the_boundary_and_started_whatever_happens(cluster: &Running) {
    set_up(cluster);
    let before = ask(cluster, &digest());
    let tool = Tool::new(cluster);
    tool.expect(0, &["plan", "--fence", "feeds", "--sql", &format!("ALTER TABLE {DATABASE}.t MODIFY ORDER BY (b, a)")]);
    let feed =
        if cluster.replicates() { "fenced.from kafka, which reads a stream (Kafka)" } else { "sends of fenced.all" };
    let shown = tool.expect(0, &["show", PLAN, "--format", "markdown"]);
    let [stop, start] =
        if cluster.replicates() { ["DETACH", "ATTACH"] } else { ["STOP DISTRIBUTED", "START DISTRIBUTED"] };
    assert!(shown.stdout.contains(stop) && shown.stdout.contains(start), "{shown}");
    tool.approve(&["start", "cutover", "finalize"]);

    // Ctrl-C: the run itself starts what it has stopped, and gives the lock back.
    let run = tool.start(&["execute", PLAN]);
    await_stopped(cluster);
    run.signal(Signal::INT);
    let ran = run.end();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("interrupted") && !ran.stderr.contains("not all"), "{ran}");
    assert!(attached(cluster).iter().all(|tables| tables == attached_normally(cluster)), "{:?}", attached(cluster));
    let lock = format!("SELECT count() FROM system.tables WHERE database = '{DATABASE}' AND name LIKE '%__sw_lock'");
    assert_eq!(ask_all(cluster, &lock).trim(), "0");

    // kill -9: the next run does.
    let run = tool.start(&["execute", PLAN]);
    await_stopped(cluster);
    run.kill();
    tool.expect(0, &["execute", PLAN]);

    let journal = std::fs::read_to_string(tool.dir().join(format!("{PLAN}.journal.jsonl"))).expect("the journal");
    assert!(journal.contains(&format!("{feed} stopped meanwhile")), "{journal}");
    assert!(attached(cluster).iter().all(|tables| tables == attached_normally(cluster)), "{:?}", attached(cluster));
    if !cluster.replicates() {
        let blocked =
            format!("SELECT count() FROM system.distribution_queue WHERE database = '{DATABASE}' AND is_blocked");
        assert_eq!(ask_all(cluster, &blocked).trim(), "0");
    }
    let key = format!("SELECT sorting_key FROM system.tables WHERE database = '{DATABASE}' AND name = 't'");
    assert_eq!(ask_all(cluster, &key), "b, a");
    assert_eq!(ask(cluster, &digest()), before);
    assert_nothing_left(cluster, DATABASE);
    everywhere(cluster, &[&format!("DROP DATABASE {DATABASE}")]);
}

on_both_ends! {
    shared: what_feeds_a_table_is_stopped_for_the_boundary_and_started_whatever_happens;
}
