//! `dry-run`: a plan made on the replicated 18.16.1 cluster, rehearsed on a current ClickHouse without replication.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;
use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, Member};

use crate::harness::{Running, block_on, shared};
use crate::tool::{PLAN, Tool};

/// The cluster that plans are rehearsed on.
pub(crate) fn stage() -> &'static Running {
    static STAGE: OnceLock<Running> = OnceLock::new();
    STAGE.get_or_init(|| {
        let running = Running::start(Engine::Chdb, 2, 1).unwrap();
        add_limited_user(&running);
        running
    })
}

/// A user who may do all that a dry run needs but replace partitions. These servers read users when they start.
const LIMITED: &str = "<clickhouse><users><limited><password></password><networks><ip>127.0.0.1</ip></networks>\
    <profile>default</profile><quota>default</quota><grants><query>GRANT SELECT, INSERT, CREATE TABLE, CREATE DATABASE, \
    DROP, TRUNCATE, SYSTEM, KILL QUERY ON *.*</query><query>GRANT TABLE ENGINE ON *</query></grants></limited></users></clickhouse>";

fn add_limited_user(running: &Running) {
    for id in running.ids() {
        let dir = running.dir().join(id.to_string()).join("users.d");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("limited.xml"), LIMITED).unwrap();
        block_on(running.stop(Member::Replica(id))).unwrap();
        block_on(running.start(Member::Replica(id))).unwrap();
    }
}

/// A table with a view, a `Distributed` table over it, and a plan to change its key.
pub(crate) fn planned(database: &str, definition: &str) -> Tool {
    let cluster = shared();
    cluster.fresh_database(database);
    for id in cluster.ids() {
        let keeper = format!("'/clickhouse/tables/{{shard}}/{database}/t', '{{replica}}'");
        cluster.query(id, &format!("CREATE TABLE {database}.t {}", definition.replace("KEEPER", &keeper)));
        cluster.query(
            id,
            &format!("CREATE TABLE {database}.t_all AS {database}.t ENGINE = Distributed(main, {database}, t, rand())"),
        );
        cluster.query(
            id,
            &format!("CREATE TABLE {database}.daily (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day"),
        );
        let view = format!(
            "CREATE MATERIALIZED VIEW {database}.daily_mv TO {database}.daily AS SELECT toDate(ts) AS day, toUInt64(count()) AS n FROM {database}.t GROUP BY day"
        );
        cluster.query(id, &view);
    }
    for shard in [1, 2] {
        let rows = "SELECT number, toDateTime('2024-01-01 00:00:00') + number * 3000, toString(number % 10), NULL FROM numbers(2000)";
        cluster.query(ReplicaId::new(shard, 1), &format!("INSERT INTO {database}.t (id, ts, event, note) {rows}"));
    }
    let tool = Tool::new(&cluster);
    tool.plan(&format!("ALTER TABLE {database}.t_all MODIFY ORDER BY (event, id)"));
    tool
}

pub(crate) const TABLE: &str = "(id UInt64, ts DateTime, event String, note Nullable(String)) ENGINE = ReplicatedMergeTree(KEEPER) \
                     PARTITION BY toYYYYMM(ts) ORDER BY (id, event)";

pub(crate) fn on_stage() -> String {
    stage().config_path().display().to_string()
}

pub(crate) fn report(tool: &Tool) -> Value {
    let text = fs::read_to_string(tool.dir().join("plan.json.dry-run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn tables_on_stage(database: &str) -> String {
    let count = format!("SELECT count() FROM system.tables WHERE database = '{database}'");
    stage().ids().into_iter().map(|id| stage().query(id, &count)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plan_for_old_replicated_servers_is_rehearsed_on_a_current_one() {
    let tool = planned("dry_passes", TABLE);
    let before = tool.expect(0, &["show", PLAN]);
    assert!(before.stderr.contains("this plan has not been dry-run"), "{before}");
    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"]);
    let report = report(&tool);
    assert_eq!(report["verdict"], "passed");
    assert_eq!(report["plan_sha256"], tool.plan_json()["sha256"]);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(
        steps.len(),
        tool.plan_json()["steps"].as_array().unwrap().len(),
        "every step of the plan has an outcome"
    );
    let backfill = steps.iter().find(|step| step["id"] == "backfill.s1").unwrap();
    // Those of the second time: with the rows that came in during the first.
    assert!(backfill["outcome"].as_str().unwrap().starts_with("10100 rows"), "{backfill}");
    let not_covered = report["not_covered"].to_string();
    assert!(not_covered.contains("replication") && not_covered.contains("2 of the plan's 4 replicas"), "{not_covered}");
    assert_eq!(tables_on_stage("dry_passes"), "0 0", "nothing is left on the sandbox");
    let after = tool.expect(0, &["show", PLAN]);
    assert!(after.stderr.contains("this very plan has passed a dry run"), "{after}");
    assert_eq!(tool.state(), "not started", "the plan itself has not been touched");
    let executed = tool.expect(4, &["execute", PLAN]);
    assert!(executed.stderr.contains("this very plan has passed a dry run"), "{executed}");
}

#[test]
fn no_row_of_the_writers_is_lost_or_doubled() {
    let tool = planned("dry_writers", TABLE);
    let ran = tool.run(&["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000", "--writers", "4"]);
    let report = report(&tool);
    let count = |key: &str| report["ledger"][key].as_u64().unwrap();
    assert!(count("acknowledged") > 0);
    assert_eq!((count("lost"), count("doubled")), (0, 0), "{report}\n{ran}");
    assert_eq!(count("found"), count("acknowledged"));
    assert_eq!(report["verdict"], "passed", "{report}");
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(tables_on_stage("dry_writers"), "0 0", "nothing is left on the sandbox");
}

#[test]
fn a_mirror_gives_materialized_columns_where_servers_want_that_and_only_there() {
    // 18.16 wants a mirror to give MATERIALIZED columns to its target; the other end refuses such a view.
    let table = TABLE.replace("note Nullable(String)", "note Nullable(String), day Date MATERIALIZED toDate(ts)");
    let tool = planned("dry_materialized", &table);
    let ran = tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"]);
    assert!(ran.stdout.contains("a mirror that gives MATERIALIZED columns"), "{ran}");
    assert_eq!(tables_on_stage("dry_materialized"), "0 0", "nothing is left on the sandbox");
}

#[test]
fn a_dry_run_that_was_killed_is_cleared_up_by_the_next() {
    let tool = planned("dry_killed", TABLE);
    let again = ["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"];
    kill_on_stage(&tool, "dry_killed");
    let ran = tool.expect(0, &again);
    assert!(ran.stderr.contains("removing what an earlier dry run of this plan has left"), "{ran}");
    assert_eq!(databases_on_stage("dry_killed"), "0 0", "nothing is left on the sandbox, markers neither");

    kill_on_stage(&tool, "dry_killed");
    let first = stage().ids()[0];
    for name in ["daily_mv", "t_all", "t__sw_mirror", "t"] {
        stage().query(first, &format!("DROP TABLE IF EXISTS dry_killed.{name}"));
    }
    stage().query(first, "CREATE TABLE dry_killed.t (precious UInt8) ENGINE = MergeTree ORDER BY precious");
    let ran = tool.expect(1, &again);
    assert!(ran.stderr.contains("has a table dry_killed.t on s1r1 already"), "{ran}");
    assert_eq!(
        stage().query(first, "SELECT name FROM system.columns WHERE database = 'dry_killed' AND table = 't'"),
        "precious"
    );
    stage().query(first, "DROP TABLE dry_killed.t");
    tool.expect(0, &again);
    assert_eq!(databases_on_stage("dry_killed"), "0 0");
}

/// Kills a dry run once it has made its tables; another that is tried before is refused.
fn kill_on_stage(tool: &Tool, database: &str) {
    let mut running = tool.start(&["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000000"]);
    let made = format!("SELECT count() > 0 FROM system.tables WHERE database = '{database}' AND name = 't'");
    for id in stage().ids() {
        stage().eventually(id, &made, "1");
    }
    let second = tool.expect(1, &["dry-run", PLAN, "--on", &on_stage()]);
    assert!(second.stderr.contains("another dry run of this plan is under way"), "{second}");
    assert!(!running.has_ended(), "it ended before it was killed");
    running.kill();
    // What the servers were doing for it they end by themselves or not at all.
    for id in stage().ids() {
        let left = format!("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO %{database}%'");
        stage().query(id, &format!("KILL QUERY WHERE query LIKE 'INSERT INTO %{database}%' SYNC"));
        stage().eventually(id, &left, "0");
    }
}

/// The databases of a test and those of markers.
fn databases_on_stage(database: &str) -> String {
    let count = format!("SELECT count() FROM system.databases WHERE name = '{database}'");
    stage().ids().into_iter().map(|id| stage().query(id, &count)).collect::<Vec<_>>().join(" ")
}

#[test]
fn only_a_sandbox_that_is_not_the_plans_own_cluster_is_written_to() {
    let tool = planned("dry_where", TABLE);
    let own = shared().config_path().display().to_string();
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &own]);
    assert!(ran.stderr.contains("belongs to the plan's own cluster"), "{ran}");
    let text = fs::read_to_string(stage().config_path()).unwrap();
    assert!(text.contains("sandbox = true"));
    fs::write(tool.dir().join("production.toml"), text.replace("sandbox = true", "")).unwrap();
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", "production.toml"]);
    assert!(ran.stderr.contains("lacks `sandbox = true`"), "{ran}");
    let first = stage().ids()[0];
    stage().fresh_database("dry_where");
    stage().query(first, "CREATE TABLE dry_where.t (precious UInt8) ENGINE = MergeTree ORDER BY precious");
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &on_stage()]);
    assert!(ran.stderr.contains("has a table dry_where.t on s1r1 already"), "{ran}");
    assert_eq!(stage().query(first, "SELECT name FROM system.columns WHERE database = 'dry_where'"), "precious");
    assert!(!tool.dir().join("plan.json.dry-run.json").exists());
}
