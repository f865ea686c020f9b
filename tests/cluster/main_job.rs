//! The main job from end to end, as a user does it: plan, execute, roll back, execute again, finalize, and once more.

use std::collections::BTreeMap;

use serde_json::Value;
use shardwright::names::ReplicaId;

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Tool};
use crate::world::{
    ask, ask_all, assert_nothing_left, databases, definitions, engine, everywhere, firsts, keeper, prepare, sync,
};

/// Rows inserted on each shard.
const ROWS_A_SHARD: u64 = 500_000;
const OLD_KEY: &str = "at, id, tenant";
const NEW_KEY: &str = "tenant, at, id";
/// Rows by partition as FINAL shows them: what merges have or have not done yet does not matter.
const DIGEST: &str = "SELECT toYYYYMM(at) AS month, count(), sum(cityHash64(id, version, tenant, at, kind, toString(amount))) \
                      FROM main_job.events FINAL GROUP BY month ORDER BY month";
const KEEPER: [&str; 2] = ["/clickhouse/main_job/1", "/clickhouse/main_job/2"];

#[track_caller]
fn set_up(cluster: &Running) {
    let engine = |family, table, args| engine(cluster.replicates(), family, "main_job", table, args);
    let (replacing, summing) =
        (engine("ReplacingMergeTree", "events", "version"), engine("SummingMergeTree", "by_tenant", ""));
    prepare(
        cluster,
        "main_job",
        &[
            &format!(
                "CREATE TABLE main_job.events (id UInt64, version UInt32, tenant UInt32, at DateTime, kind String, \
                 amount Decimal(12, 2)) ENGINE = {replacing} PARTITION BY toYYYYMM(at) ORDER BY (at, id, tenant)"
            ),
            &format!("CREATE TABLE main_job.by_tenant (tenant UInt32, rows UInt64) ENGINE = {summing} ORDER BY tenant"),
            "CREATE MATERIALIZED VIEW main_job.feed TO main_job.by_tenant AS \
             SELECT tenant, count() AS rows FROM main_job.events GROUP BY tenant",
            "CREATE TABLE main_job.everywhere AS main_job.events ENGINE = Distributed(main, main_job, events, id)",
        ],
    );
    for first in firsts(cluster) {
        // Half a year; every tenth row comes again with a higher version.
        for (version, step) in [(1, 1), (2, 10)] {
            let shard = u64::from(first.shard);
            let count = ROWS_A_SHARD / step;
            cluster.query(
                first,
                &format!(
                    "INSERT INTO main_job.events SELECT number * {step} * 2 + {shard} AS id, {version}, \
                     toUInt32(cityHash64(id) % 200), toDateTime('2024-01-01 00:00:00') + number * {step} * 31, \
                     concat('kind ', toString(id % 7 + {version})), toDecimal64(id % 1000, 2) FROM numbers({count})"
                ),
            );
        }
    }
    sync(cluster, &["main_job.events", "main_job.by_tenant"]);
}

/// The live sorting key on every replica.
#[track_caller]
fn assert_key(cluster: &Running, key: &str) {
    let sql = "SELECT sorting_key FROM system.tables WHERE database = 'main_job' AND name = 'events'";
    assert_eq!(ask_all(cluster, sql), key);
}

/// Rows that a query on the new key's prefix reads, on every replica together.
fn rows_read(cluster: &Running) -> u64 {
    let sql = "SELECT sum(amount) FROM main_job.events WHERE tenant = 7 FORMAT JSON";
    let of = |answer: &String| -> u64 {
        let document: Value = serde_json::from_str(answer).expect("FORMAT JSON is JSON");
        document["statistics"]["rows_read"].as_u64().expect("a number of rows")
    };
    ask(cluster, sql).values().map(of).sum()
}

/// Inserts through the Distributed table; on arrival the local tables and the view's target have `rows` more in total.
#[track_caller]
fn insert_more(cluster: &Running, first_id: u64, rows: u64) {
    let on = firsts(cluster)[0];
    let total = "SELECT count() FROM main_job.everywhere";
    let fed = "SELECT sum(rows) FROM cluster('main', main_job, by_tenant)";
    let before: Vec<u64> = [total, fed].map(|sql| cluster.query(on, sql).parse().expect("a number of rows")).into();
    cluster.query(
        on,
        &format!(
            "INSERT INTO main_job.everywhere SELECT {first_id} + number, 1, toUInt32(number % 200), \
             toDateTime('2024-03-05 00:00:00') + number, 'later', toDecimal64(1, 2) FROM numbers({rows})"
        ),
    );
    cluster.eventually(on, total, &(before[0] + rows).to_string());
    cluster.eventually(on, fed, &(before[1] + rows).to_string());
    sync(cluster, &["main_job.events", "main_job.by_tenant"]);
}

/// The tables' paths in Keeper, where there is one.
#[track_caller]
fn keeper_paths(cluster: &Running) -> Vec<String> {
    KEEPER.iter().filter(|_| cluster.replicates()).map(|path| keeper(cluster, path)).collect()
}

/// What a rollback must bring back, but for rows.
#[track_caller]
fn objects(cluster: &Running) -> (BTreeMap<ReplicaId, String>, Vec<String>) {
    (definitions(cluster, "main_job"), keeper_paths(cluster))
}

on_both_ends! {
    shared: a_sorting_key_is_changed_rolled_back_changed_and_finalized;
}

fn a_sorting_key_is_changed_rolled_back_changed_and_finalized(cluster: &Running) {
    set_up(cluster);
    let tool = Tool::new(cluster);
    let (before, rows, read_before) = (objects(cluster), ask(cluster, DIGEST), rows_read(cluster));
    let databases_before = databases(cluster);
    assert!(rows.values().all(|digest| digest.lines().count() >= 6), "{rows:?}");

    // Plan: says so by exit code if asked, changes nothing, is the same when made again.
    let alter = format!("ALTER TABLE main_job.events MODIFY ORDER BY ({NEW_KEY})");
    let planned = tool.expect(2, &["plan", "--sql", &alter, "--detailed-exitcode"]);
    assert!(planned.stdout.contains("main_job.events"), "{planned}");
    let plan = std::fs::read(tool.dir().join(PLAN)).unwrap();
    tool.plan(&alter);
    assert_eq!(std::fs::read(tool.dir().join(PLAN)).unwrap(), plan, "same cluster, same statement, same bytes");
    assert_eq!((objects(cluster), databases(cluster)), (before.clone(), databases_before.clone()));
    assert_eq!(tool.state(), "not started");

    // No gate passes by itself.
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(tool.state(), "waiting start");
    assert_eq!(objects(cluster), before);
    tool.expect(4, &["execute", PLAN, "--auto-approve", "reversible"]);
    assert_eq!(tool.state(), "waiting cutover");
    assert_key(cluster, OLD_KEY);
    let verified = tool.expect(0, &["verify", PLAN]);
    assert!(verified.stdout.contains("verify.s1") && verified.stdout.contains("verify.s2"), "{verified}");
    tool.expect(4, &["finalize", PLAN]);
    tool.approve(&["cutover"]);
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(tool.state(), "waiting finalize");

    assert_key(cluster, NEW_KEY);
    assert_eq!(ask(cluster, DIGEST), rows);
    let read_after = rows_read(cluster);
    println!("rows read by a query for one tenant of 200, all replicas: {read_before} before, {read_after} after");
    assert!(read_after * 5 < read_before, "{read_after} of {read_before}");
    insert_more(cluster, 10_000_000, 1_000);
    let with_more = ask(cluster, DIGEST);
    assert_ne!(with_more, rows);

    // Back: everything as before, and what came in meanwhile is kept.
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(tool.state(), "rolled back");
    assert_eq!(objects(cluster), before);
    assert_key(cluster, OLD_KEY);
    sync(cluster, &["main_job.events"]);
    assert_eq!(ask(cluster, DIGEST), with_more);
    assert_nothing_left(cluster, "main_job");
    insert_more(cluster, 20_000_000, 1_000);
    let rows = ask(cluster, DIGEST);

    // Forward again, with new approvals.
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(tool.state(), "waiting start");
    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    insert_more(cluster, 30_000_000, 1_000);
    let rows_final = ask(cluster, DIGEST);
    assert_ne!(rows_final, rows);
    tool.expect(4, &["finalize", PLAN]);
    assert_eq!(tool.state(), "waiting finalize");
    tool.approve(&["finalize"]);
    tool.expect(0, &["finalize", PLAN]);
    assert_eq!(tool.state(), "finalized");
    assert_finalized(cluster, &tool, NEW_KEY);
    assert_eq!(ask(cluster, DIGEST), rows_final);
    insert_more(cluster, 40_000_000, 1_000);
    let rows = ask(cluster, DIGEST);

    // Nothing more to do, and no way back.
    tool.expect(0, &["execute", PLAN]);
    let refused = tool.expect(1, &["rollback", PLAN]);
    assert!(refused.stderr.contains("cannot be undone"), "{refused}");
    let nothing = tool.expect(0, &["plan", "--sql", &alter, "--detailed-exitcode"]);
    assert!(nothing.stderr.contains("no change"), "{nothing}");

    // The next plan for the same table, by way of the Distributed one.
    tool.plan(&format!("ALTER TABLE main_job.everywhere MODIFY ORDER BY ({OLD_KEY})"));
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(tool.state(), "finalized");
    assert_finalized(cluster, &tool, OLD_KEY);
    assert_eq!(ask(cluster, DIGEST), rows);
    insert_more(cluster, 50_000_000, 1_000);
    assert_eq!(databases(cluster), databases_before);
    everywhere(cluster, &["DROP DATABASE main_job"]);
}

/// The table has the key, its own Keeper path is the plan's, and there is nothing else of the plan.
#[track_caller]
fn assert_finalized(cluster: &Running, tool: &Tool, key: &str) {
    assert_key(cluster, key);
    assert_nothing_left(cluster, "main_job");
    let own = format!("by_tenant\nevents__sw_{}", tool.plan_json()["id"].as_str().expect("the plan has an id"));
    assert_eq!(keeper_paths(cluster), if cluster.replicates() { vec![own.clone(), own] } else { vec![] });
    let names = ask_all(cluster, "SELECT name FROM system.tables WHERE database = 'main_job' ORDER BY name");
    assert_eq!(names, "by_tenant\nevents\neverywhere\nfeed");
}
