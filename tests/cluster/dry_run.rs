//! `dry-run`: a plan made on the replicated 18.16.1 cluster, rehearsed on a current ClickHouse without replication.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;

use serde_json::Value;
use shardwright::names::ReplicaId;

use crate::harness::{current, shared};
use crate::tool::{PLAN, Tool};

/// A table with a view, a `Distributed` table over it, and a plan to change its key.
fn planned(database: &str, definition: &str) -> Tool {
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

const TABLE: &str = "(id UInt64, ts DateTime, event String, note Nullable(String)) ENGINE = ReplicatedMergeTree(KEEPER) \
                     PARTITION BY toYYYYMM(ts) ORDER BY (id, event)";

fn on_current() -> String {
    current().config_path().display().to_string()
}

fn report(tool: &Tool) -> Value {
    let text = fs::read_to_string(tool.dir().join("plan.json.dry-run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn tables_on_stage(database: &str) -> String {
    let count = format!("SELECT count() FROM system.tables WHERE database = '{database}'");
    current().ids().into_iter().map(|id| current().query(id, &count)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plan_for_old_replicated_servers_is_rehearsed_on_a_current_one() {
    let tool = planned("dry_passes", TABLE);
    let before = tool.expect(0, &["show", PLAN]);
    assert!(before.stderr.contains("this plan has not been dry-run"), "{before}");
    tool.expect(0, &["dry-run", PLAN, "--on", &on_current(), "--rows", "20000"]);
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
    assert!(backfill["outcome"].as_str().unwrap().starts_with("10000 rows"), "{backfill}");
    let not_covered = report["not_covered"].to_string();
    assert!(not_covered.contains("replication") && not_covered.contains("2 of the plan's 4 replicas"), "{not_covered}");
    assert_eq!(tables_on_stage("dry_passes"), "0 0", "nothing is left on the sandbox");
    let after = tool.expect(0, &["show", PLAN]);
    assert!(after.stderr.contains("this very plan has passed a dry run"), "{after}");
    assert_eq!(tool.state(), "not started", "the plan itself has not been touched");
}

#[test]
fn writers_show_what_the_simple_boundary_does() {
    let tool = planned("dry_writers", TABLE);
    let ran = tool.run(&["dry-run", PLAN, "--on", &on_current(), "--rows", "20000", "--writers", "4"]);
    let report = report(&tool);
    let count = |key: &str| report["ledger"][key].as_u64().unwrap();
    assert!(count("acknowledged") > 0);
    assert_eq!(count("found") + count("lost"), count("acknowledged"));
    // Rows that come in between clone and mirror are in neither copy, and comparisons race with the writers: whichever it
    // meets first, a run that is not exact must not be called passed.
    let is_exact = count("lost") == 0 && count("doubled") == 0 && report["error"].is_null();
    assert_eq!(report["verdict"] == "passed", is_exact, "{report}");
    assert_eq!(ran.code, Some(if is_exact { 0 } else { 6 }), "{ran}");
    assert_eq!(tables_on_stage("dry_writers"), "0 0", "nothing is left on the sandbox");
}

#[test]
fn a_definition_that_the_sandbox_refuses_fails_the_dry_run() {
    // 18.16 wants a mirror to give MATERIALIZED columns to its target; the other end refuses such a view.
    let table = TABLE.replace("note Nullable(String)", "note Nullable(String), day Date MATERIALIZED toDate(ts)");
    let tool = planned("dry_refused", &table);
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &on_current(), "--rows", "20000"]);
    let report = report(&tool);
    assert_eq!(report["verdict"], "failed");
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("boundary.mirror.s") && error.contains("not found in the target table"), "{error}");
    let shown = tool.expect(0, &["show", PLAN]);
    assert!(shown.stderr.contains("this very plan has FAILED a dry run"), "{shown}\n{ran}");
    assert_eq!(tables_on_stage("dry_refused"), "0 0", "nothing is left on the sandbox");
}

#[test]
fn only_a_sandbox_that_is_not_the_plans_own_cluster_is_written_to() {
    let tool = planned("dry_where", TABLE);
    let own = shared().config_path().display().to_string();
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &own]);
    assert!(ran.stderr.contains("belongs to the plan's own cluster"), "{ran}");
    let text = fs::read_to_string(current().config_path()).unwrap();
    assert!(text.contains("sandbox = true"));
    fs::write(tool.dir().join("production.toml"), text.replace("sandbox = true", "")).unwrap();
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", "production.toml"]);
    assert!(ran.stderr.contains("lacks `sandbox = true`"), "{ran}");
    let first = current().ids()[0];
    current().fresh_database("dry_where");
    current().query(first, "CREATE TABLE dry_where.t (precious UInt8) ENGINE = MergeTree ORDER BY precious");
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &on_current()]);
    assert!(ran.stderr.contains("has a table dry_where.t on s1r1 already"), "{ran}");
    assert_eq!(current().query(first, "SELECT name FROM system.columns WHERE database = 'dry_where'"), "precious");
    assert!(!tool.dir().join("plan.json.dry-run.json").exists());
}
