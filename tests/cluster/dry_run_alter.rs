//! `dry-run` of plans that alter tables where they are: planned once more on the sandbox, there and back and there again.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::corpus::stage as today;
use crate::dry_run::{TABLE, on_stage, planned, report, stage, tables_on_stage};
use crate::harness::single;
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{definitions, everywhere, prepare};

fn rehearse(tool: &Tool, code: i32, more: &[&str]) -> Ran {
    tool.expect(code, &[&["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"], more].concat())
}

fn planned_today(database: &str) -> Tool {
    let create = "CREATE TABLE DB.t (id UInt64, ts DateTime, v UInt32, z String DEFAULT 'a') ENGINE = MergeTree \
                  PARTITION BY toYYYYMM(ts) ORDER BY id";
    let statements = [
        create,
        "CREATE TABLE DB.t_all AS DB.t ENGINE = Distributed(main, DB, t, id)",
        "CREATE VIEW DB.report AS SELECT id, ts FROM DB.t_all",
        "INSERT INTO DB.t SELECT number, 1700000000 + number, number, 'z' FROM numbers(1000)",
    ];
    let statements: Vec<String> = statements.iter().map(|sql| sql.replace("DB", database)).collect();
    prepare(today(), database, &statements.iter().map(String::as_str).collect::<Vec<_>>());
    Tool::new(today())
}

/// Every acknowledged row was found once.
#[track_caller]
fn assert_all_found(report: &Value, rows: u64) {
    let count = |key: &str| report["ledger"][key].as_u64().unwrap();
    assert!(count("acknowledged") > rows, "those that the table was filled with and more: {report}");
    assert_eq!((count("found"), count("lost"), count("doubled")), (count("acknowledged"), 0, 0), "{report}");
}

/// No step did otherwise than the plan says.
#[track_caller]
fn assert_word_for_word(report: &Value) {
    let not_covered = report["not_covered"].to_string();
    assert!(!not_covered.contains("word for word"), "{not_covered}");
}

#[test]
fn a_column_of_old_replicated_servers_is_added_and_another_dropped_on_a_current_one() {
    let tool = planned("dry_alters", TABLE);
    tool.plan("ALTER TABLE dry_alters.t_all ADD COLUMN kind LowCardinality(String) DEFAULT 'x' AFTER id");
    rehearse(&tool, 0, &["--writers", "2"]);
    let added = report(&tool);
    assert_eq!(added["verdict"], "passed");
    let steps: Vec<&str> = added["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    let wanted = tool.plan_json();
    let wanted: Vec<&str> =
        wanted["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(steps, wanted, "every step has an outcome");
    assert_all_found(&added, 20_000);
    assert_word_for_word(&added);
    let not_covered = added["not_covered"].to_string();
    assert!(not_covered.contains("replication") && not_covered.contains("2 of the plan's 4 replicas"), "{not_covered}");

    tool.plan("ALTER TABLE dry_alters.t_all DROP COLUMN note");
    rehearse(&tool, 0, &["--writers", "2"]);
    assert_all_found(&report(&tool), 20_000);
    assert_eq!(tables_on_stage("dry_alters"), "0 0", "nothing is left on the sandbox");
    assert_eq!(tool.state(), "not started", "the plan itself has not been touched");
    let after = tool.expect(0, &["show", PLAN]);
    assert!(after.stderr.contains("this very plan has passed a dry run"), "{after}");
}

#[test]
fn a_mutation_and_a_target_of_today_are_rehearsed() {
    let tool = planned_today("dry_mutates");
    let before = definitions(today(), "dry_mutates");
    tool.plan("ALTER TABLE dry_mutates.t_all ON CLUSTER main RENAME COLUMN v TO weight, MODIFY COLUMN z LowCardinality(String)");
    rehearse(&tool, 0, &["--writers", "2"]);
    let renamed = report(&tool);
    assert_all_found(&renamed, 20_000);
    assert_word_for_word(&renamed);

    tool.plan("ALTER TABLE dry_mutates.t UPDATE v = v + 1 WHERE id % 2 = 0");
    let updated = rehearse(&tool, 0, &[]);
    assert!(
        updated.stdout.contains("what became of each row: the statement itself removes or alters rows"),
        "{updated}"
    );
    assert!(report(&tool)["ledger"].is_null(), "nothing is claimed of them");

    let target = "CREATE TABLE dry_mutates.t (id UInt64, ts DateTime, v UInt32, z String DEFAULT 'b', more UInt8) ENGINE = MergeTree \
                  PARTITION BY toYYYYMM(ts) ORDER BY id";
    tool.plan(target);
    rehearse(&tool, 0, &[]);
    assert_all_found(&report(&tool), 20_000);

    tool.expect(
        0,
        &["plan", "--sql", "ALTER TABLE dry_mutates.t_all DROP COLUMN z", "--unread-for", "1s", "-o", "retire.json"],
    );
    let retired = tool.expect(0, &["dry-run", "retire.json", "--on", &on_stage(), "--rows", "2000"]);
    assert!(retired.stdout.contains("on a sandbox nobody reads the columns"), "{retired}");
    let marked = tool.dir().join("retire.json.dry-run.json");
    assert_word_for_word(&serde_json::from_slice(&std::fs::read(marked).unwrap()).unwrap());

    assert_eq!(definitions(today(), "dry_mutates"), before, "the plan's cluster is left as it was");
    assert_eq!(tables_on_stage("dry_mutates"), "0 0");
    everywhere(today(), &["DROP DATABASE dry_mutates"]);
}

#[test]
fn what_fails_on_the_way_fails_the_dry_run() {
    let tool = planned_today("dry_fails");
    // Rows come in no more, and a mutation fails on a row that the cluster does not have yet.
    tool.plan("ALTER TABLE dry_fails.t ADD CONSTRAINT few CHECK id < 1000000");
    let refused = rehearse(&tool, 1, &[]);
    assert!(refused.stdout.contains("Dry run: FAILED") && refused.stdout.contains("few"), "{refused}");
    assert_eq!(report(&tool)["verdict"], "failed");
    tool.plan("ALTER TABLE dry_fails.t UPDATE v = throwIf(id = 15000) + v WHERE id > 0");
    let failed = rehearse(&tool, 1, &[]);
    assert!(failed.stdout.contains("throwIf"), "{failed}");
    assert_eq!(tables_on_stage("dry_fails"), "0 0");
    everywhere(today(), &["DROP DATABASE dry_fails"]);
}

#[test]
fn rows_that_go_meanwhile_are_missed() {
    let tool = planned_today("dry_misses");
    tool.plan("ALTER TABLE dry_misses.t ADD COLUMN more UInt8");
    let run = tool.start(&["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"]);
    let first = stage().ids()[0];
    let rows = "SELECT sum(rows) FROM system.parts WHERE database = 'dry_misses' AND table = 't' AND active";
    let filled = (0..6000).any(|_| {
        sleep(Duration::from_millis(10));
        stage().query(first, rows) == "10000"
    });
    assert!(filled, "the table was never filled");
    let gone = stage().query(first, "SELECT count() FROM dry_misses.t WHERE toYYYYMM(ts) = 202402");
    stage().query(first, "ALTER TABLE dry_misses.t DROP PARTITION 202402");
    let ran = run.end();
    assert_eq!(ran.code, Some(6), "{ran}");
    assert_eq!(report(&tool)["ledger"]["lost"].to_string(), gone, "{ran}");
    assert_eq!(tables_on_stage("dry_misses"), "0 0");
    everywhere(today(), &["DROP DATABASE dry_misses"]);
}

#[test]
fn what_old_servers_cannot_do_is_said_before_anything_is_done_there() {
    let old = single();
    let tool = planned_today("dry_other");
    let on = old.config_path().display().to_string();
    tool.plan("ALTER TABLE dry_other.t_all ADD COLUMN kind String DEFAULT 'x' AFTER id");
    tool.expect(0, &["dry-run", PLAN, "--on", &on, "--rows", "2000"]);
    tool.plan("ALTER TABLE dry_other.t RENAME COLUMN v TO weight");
    let ran = tool.expect(1, &["dry-run", PLAN, "--on", &on, "--rows", "2000"]);
    assert!(ran.stderr.contains("the sandbox's servers cannot rehearse it"), "{ran}");
    everywhere(today(), &["DROP DATABASE dry_other"]);
}
