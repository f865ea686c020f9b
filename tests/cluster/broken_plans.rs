//! Plans that are wrong fail their dry run, and the report says at which step.
//!
//! An edited plan is refused on account of its hash, so each is broken as a defect of the planner would break it: by the
//! library, sealed again.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;

use shardwright::plan::{Action, Backfill, Plan, Template, check, file};

use crate::dry_run::{TABLE, on_stage, planned, report, stage, tables_on_stage};
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{assert_nothing_left, everywhere, prepare};

/// Breaks the plan, and has the dry run end with this code at this step.
#[track_caller]
fn fails(database: &str, code: i32, step: &str, why: &str, spoil: impl Fn(&mut Plan)) -> Ran {
    let tool = planned(database, TABLE);
    let path = tool.dir().join(PLAN);
    let mut plan = file::read(&fs::read_to_string(&path).unwrap()).unwrap().plan;
    let whole = plan.clone();
    spoil(&mut plan);
    assert_ne!(plan, whole, "nothing was spoiled");
    assert_eq!(check(&plan), [""; 0], "the checker does not see it");
    fs::write(&path, file::write(&plan).unwrap().0).unwrap();
    dry_run_fails(&tool, database, code, step, why, &on_stage())
}

#[track_caller]
fn dry_run_fails(tool: &Tool, database: &str, code: i32, step: &str, why: &str, on: &str) -> Ran {
    let ran = tool.expect(code, &["dry-run", PLAN, "--on", on, "--rows", "20000"]);
    assert!(ran.stdout.starts_with("# Dry run: FAILED"), "{ran}");
    let report = report(tool);
    assert_eq!(report["verdict"], "failed");
    let outcome = report["steps"].as_array().unwrap().iter().find(|one| one["id"] == step);
    let outcome = outcome.unwrap_or_else(|| panic!("{step} has no outcome: {report}"))["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("failed: ") && outcome.contains(why), "{step}: {outcome}");
    assert!(report["error"].as_str().unwrap().contains(why), "{report}");
    let shown = tool.expect(0, &["show", PLAN]);
    assert!(shown.stderr.contains("this very plan has FAILED a dry run"), "{shown}");
    assert_eq!(tables_on_stage(database), "0 0", "nothing is left on the sandbox");
    ran
}

/// The action of one step: shards go on at the same time, so the one that is spoiled is the one that fails.
fn action<'plan>(plan: &'plan mut Plan, step: &str) -> &'plan mut Action {
    &mut plan.steps.iter_mut().find(|known| known.id.as_str() == step).unwrap().action
}

fn statements(plan: &mut Plan, step: &str, from: &str, to: &str) {
    let runs = match action(plan, step) {
        Action::Run { runs, .. } => runs,
        Action::Settle(settle) => &mut settle.mirror,
        other => panic!("{step} has no statements: {other:?}"),
    };
    runs.iter_mut().flat_map(|run| &mut run.sql).for_each(|sql| *sql = sql.replace(from, to));
}

fn backfill<'plan>(plan: &'plan mut Plan, step: &str) -> &'plan mut Backfill {
    match action(plan, step) {
        Action::Backfill(backfill) => backfill,
        other => panic!("{step} copies nothing: {other:?}"),
    }
}

/// A template with some of its text replaced.
fn replaced(template: &Template, from: &str, to: &str) -> Template {
    let text = serde_json::to_string(template).unwrap();
    assert!(text.contains(from), "{text}");
    serde_json::from_str(&text.replace(from, to)).unwrap()
}

#[test]
fn a_mirror_with_a_wrong_column_list() {
    fails("broken_mirror", 1, "boundary.s1", "no_such_column", |plan| {
        statements(
            plan,
            "boundary.s1",
            "`id`, `ts`, `event`, `note` FROM",
            "`id`, `ts`, `event`, `no_such_column` FROM",
        );
    });
}

#[test]
fn a_copy_with_a_wrong_column_list() {
    fails("broken_copy", 6, "backfill.s1", "count and sum of hashes are", |plan| {
        let work = backfill(plan, "backfill.s1");
        work.copy = replaced(&work.copy, "SELECT `id`, `ts`, `event`, `note`", "SELECT `id`, `ts`, 'x', `note`");
    });
    fails("broken_copy", 1, "backfill.s1", "no_such_column", |plan| {
        let work = backfill(plan, "backfill.s1");
        work.copy = replaced(&work.copy, "SELECT `id`", "SELECT `no_such_column`");
    });
}

#[test]
fn a_definition_that_the_server_refuses() {
    fails("broken_definition", 1, "create.staging.s1", "no_such_setting", |plan| {
        statements(plan, "create.staging.s1", "index_granularity = 8192", "no_such_setting = 1");
    });
}

#[test]
fn checksums_that_do_not_match() {
    fails("broken_digest", 6, "backfill.s2", "nothing was attached", |plan| {
        let work = backfill(plan, "backfill.s2");
        work.digest_staging = work.digest_staging.replace("sum(", "1 + sum(");
    });
    fails("broken_comparison", 6, "verify.s1", "differ", |plan| {
        let Action::Compare(compare) = action(plan, "verify.s1") else { panic!("verify.s1 compares nothing") };
        compare.right = compare.right.replace("count()", "1 + count()");
        compare.drill.buckets = Template::text("SELECT 1");
        compare.drill.suspects = Template::text("SELECT number FROM system.numbers LIMIT 100001");
    });
}

#[test]
fn a_missing_grant() {
    let tool = planned("broken_grant", TABLE);
    without_what_hangs_on_it(&tool);
    let config = fs::read_to_string(stage().config_path()).unwrap().replace("\"default\"", "\"limited\"");
    fs::write(tool.dir().join("limited.toml"), config).unwrap();
    dry_run_fails(&tool, "broken_grant", 1, "boundary.s1", "privileges", "limited.toml");
}

/// The table alone: to make what reaches other servers takes grants of its own.
fn without_what_hangs_on_it(tool: &Tool) {
    let path = tool.dir().join(PLAN);
    let mut plan = file::read(&fs::read_to_string(&path).unwrap()).unwrap().plan;
    plan.objects.views.clear();
    plan.objects.distributed.clear();
    plan.related.clear();
    plan.fingerprints.retain(|print| print.table == plan.objects.source);
    for step in &mut plan.steps {
        if let Action::Check { probes } = &mut step.action {
            probes.retain(|asked| !["daily_mv", "t_all"].iter().any(|name| asked.probe.says.contains(name)));
        }
    }
    fs::write(&path, file::write(&plan).unwrap().0).unwrap();
}

#[test]
fn a_user_who_lacks_a_grant_is_told_before_anything_is_made() {
    const DATABASE: &str = "lacks_grants";
    let cluster = stage();
    let create = format!("CREATE TABLE {DATABASE}.t (a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a");
    let read = |key: &str| {
        format!("CREATE TABLE {DATABASE}.read (a UInt64, b UInt64) ENGINE = Distributed(main, {DATABASE}, t, {key})")
    };
    prepare(cluster, DATABASE, &[&create, &read("a")]);
    let config = fs::read_to_string(cluster.config_path()).unwrap().replace("\"default\"", "\"limited\"");
    for change in [format!("ALTER TABLE {DATABASE}.t MODIFY ORDER BY (b, a)"), read("b")] {
        let tool = Tool::new(cluster);
        tool.plan(&change);
        fs::write(tool.dir().join("limited.toml"), &config).unwrap();
        let ran = tool.expect(5, &["--config", "limited.toml", "execute", PLAN, "--auto-approve", "reversible"]);
        assert!(ran.stderr.contains("preflight.s1") && ran.stderr.contains("ALTER DELETE"), "{ran}");
        assert_nothing_left(cluster, DATABASE);
        // The same plan with a user who has them.
        tool.expect(4, &["execute", PLAN, "--auto-approve", "reversible"]);
        tool.expect(0, &["rollback", PLAN]);
        assert_nothing_left(cluster, DATABASE);
    }
    everywhere(cluster, &[&format!("DROP DATABASE {DATABASE}")]);
}
