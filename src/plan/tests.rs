//! Plans as wholes: what is built passes the check, what is spoilt does not, what is written reads back.

use super::file::{PlanFileError, read, write};
use super::{Action, Edge, FORMAT_VERSION, Fence, Otherwise, Phase, Plan, Step, StepId, Undo, build, check};
use crate::assess::{Fixture, assess};
use crate::names::{ReplicaId, TableName};

fn plan() -> Plan {
    let fixture = Fixture::new();
    let case = fixture.case();
    build(&case, assess(&case), Fence::Auto).unwrap()
}

/// The same table, of which a column of the key gets a wider type.
fn wider(redefine: impl FnOnce(&mut Fixture)) -> Plan {
    let mut fixture = Fixture::new();
    redefine(&mut fixture);
    fixture.change.wanted.types = vec![("team".to_owned(), "UInt64".to_owned())];
    fixture.aim("team UInt32", "team UInt64");
    let case = fixture.case();
    build(&case, assess(&case), Fence::Auto).unwrap()
}

/// The objections to a plan after something was done to it.
fn objections(spoil: impl FnOnce(&mut Plan)) -> Vec<String> {
    let mut plan = plan();
    spoil(&mut plan);
    check(&plan)
}

fn assert_objects(spoil: impl FnOnce(&mut Plan), expected: &str) {
    let found = objections(spoil);
    assert!(found.iter().any(|objection| objection.contains(expected)), "{expected:?} is not among {found:#?}");
}

fn remove_edge(plan: &mut Plan, from: &str, to: &str) {
    let before = plan.edges.len();
    plan.edges.retain(|edge| edge.from.as_str() != from || edge.to.as_str() != to);
    assert_eq!(plan.edges.len() + 1, before, "there was no edge from {from} to {to}");
}

fn step<'a>(plan: &'a mut Plan, id: &str) -> &'a mut super::Step {
    plan.steps.iter_mut().find(|step| step.id.as_str() == id).unwrap()
}

/// The first statement of a step that runs some.
fn statement<'a>(plan: &'a mut Plan, id: &str) -> &'a mut String {
    match &mut step(plan, id).action {
        Action::Run { runs, .. } => &mut runs[0].sql[0],
        Action::Settle(settle) => &mut settle.mirror[0].sql[0],
        other => panic!("{id}: {other:?}"),
    }
}

#[test]
fn what_is_built_passes_the_check() {
    assert_eq!(check(&plan()), Vec::<String>::new());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(write(&plan()).unwrap().0, write(&plan()).unwrap().0);
}

#[test]
fn another_statement_or_definition_gives_another_id() {
    let first = plan().id;
    let mut fixture = Fixture::new();
    fixture.change.statement.push(' ');
    assert_ne!(build(&fixture.case(), Vec::new(), Fence::Auto).unwrap().id, first);
    let mut fixture = Fixture::new();
    fixture.redefine("value Float64", "value Float32");
    assert_ne!(build(&fixture.case(), Vec::new(), Fence::Auto).unwrap().id, first);
}

#[test]
fn steps_stand_in_an_order_in_which_they_can_be_done() {
    let plan = plan();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    insta::assert_snapshot!(ids[..15].join("\n"), @"
    preflight.s1
    preflight.s2
    gate.start
    create.shadow.s1
    create.staging.s1
    create.shadow.s2
    create.staging.s2
    boundary.s1
    boundary.s2
    backfill.s1
    backfill.s2
    sync.s1
    sync.source.s1
    sync.s2
    sync.source.s2
    ");
}

#[test]
fn a_circle_is_objected_to() {
    let edge = |from, to| Edge { from: StepId::new(from), to: StepId::new(to), because: "the test says so".to_owned() };
    assert_objects(|plan| plan.edges.push(edge("verify.s1", "backfill.s1")), "in a circle");
    assert_objects(|plan| plan.edges.push(edge("verify.s1", "backfill.s2")), "of phase verify comes before");
    assert_objects(|plan| plan.edges.push(edge("verify.s1", "nowhere")), "nowhere");
    assert_objects(|plan| plan.edges[0].because.clear(), "nothing says why");
    assert_objects(|plan| plan.steps.swap(0, 7), "stands after");
}

#[test]
fn a_step_that_touches_the_lock_is_objected_to() {
    assert_objects(
        |plan| *statement(plan, "finalize.old.s1") = format!("DROP TABLE {}", plan.objects.lock.sql()),
        "finalize.old.s1 has a statement about the lock d.events__sw_lock",
    );
    assert_objects(
        |plan| plan.objects.lock = super::RebuildTables::of(&plan.objects.source).swap,
        "d.events__sw_swap is not the lock by which plans for d.events meet",
    );
}

#[test]
fn a_way_around_a_gate_is_objected_to() {
    assert_objects(
        |plan| remove_edge(plan, "gate.start", "create.shadow.s1"),
        "create.shadow.s1 does not wait for the gate start",
    );
    assert_objects(
        |plan| remove_edge(plan, "gate.cutover", "cutover.verify.s2"),
        "cutover.ready does not wait for a comparison on s2r1 behind the gate cutover",
    );
    assert_objects(
        |plan| plan.edges.retain(|edge| edge.from.as_str() != "gate.cutover"),
        "cutover.s2 does not wait for the gate cutover",
    );
    assert_objects(
        |plan| remove_edge(plan, "verify.s2", "gate.cutover"),
        "the gate cutover does not wait for verify.s2",
    );
    assert_objects(
        |plan| remove_edge(plan, "gate.finalize", "finalize.mirror.s1"),
        "finalize.old.s1 does not wait for the gate finalize",
    );
    assert_objects(
        |plan| plan.steps.retain(|step| step.id.as_str() != "gate.cutover"),
        "gate.cutover, which is not in the plan",
    );
}

#[test]
fn a_shard_that_may_be_swapped_without_the_others_is_objected_to() {
    assert_objects(
        |plan| remove_edge(plan, "cutover.verify.s2", "cutover.ready"),
        "cutover.ready does not wait for a comparison on s2r1 behind the gate cutover",
    );
    assert_objects(
        |plan| remove_edge(plan, "cutover.ready", "cutover.s1"),
        "cutover.s1 does not wait until every shard is fit to be swapped",
    );
    assert_objects(
        |plan| {
            let Action::Ready(ready) = &mut step(plan, "cutover.ready").action else { panic!("it looks at shards") };
            ready.probes.iter_mut().for_each(|probe| probe.on.retain(|id| *id != ReplicaId::new(2, 2)));
        },
        "cutover.ready does not look at s2r2",
    );
    assert_objects(
        |plan| {
            plan.steps.retain(|step| step.id.as_str() != "cutover.ready");
            plan.edges.retain(|edge| edge.from.as_str() != "cutover.ready" && edge.to.as_str() != "cutover.ready");
        },
        "cutover.s2 does not wait until every shard is fit to be swapped",
    );
}

/// Each shard's swap waits for all comparisons, its own among them.
#[test]
fn shards_wait_for_each_other_before_the_swap() {
    let plan = plan();
    let before: Vec<String> = plan
        .edges
        .iter()
        .filter(|edge| ["cutover.ready", "cutover.s1"].contains(&edge.to.as_str()))
        .map(|edge| format!("{} -> {}: {}", edge.from, edge.to, edge.because))
        .collect();
    insta::assert_snapshot!(before.join("\n"), @"
    cutover.ready -> cutover.s1: all shards are swapped or none: where only some are, one name has two keys
    cutover.verify.s1 -> cutover.ready: no shard is swapped unless every shard was compared once more
    cutover.verify.s1 -> cutover.s1: names are swapped on evidence of now, not of before the gate
    cutover.verify.s2 -> cutover.ready: no shard is swapped unless every shard was compared once more
    ");
    let Action::Ready(ready) = &plan.step(&StepId::new("cutover.ready")).unwrap().action else { panic!("no look") };
    let asked: Vec<&str> = ready.probes.iter().map(|probe| probe.probe.says.as_str()).collect();
    insta::assert_snapshot!(asked.join("\n"), @"
    d.events is defined as it was when the plan was made
    d.events__sw_shadow is a ReplicatedMergeTree table with sorting key (id, team), partition key (toYYYYMM(day)) and primary key (id, team)
    there is a MaterializedView named d.events__sw_mirror
    no mutation of d.events is unfinished
    replication of d.events is healthy: writable, all replicas active, less than 300 s behind
    replication of d.events__sw_shadow is healthy: writable, all replicas active, less than 300 s behind
    ");
    assert_eq!(ready.watches.iter().map(|watch| watch.on.shard).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn touching_a_table_of_somebody_else_is_objected_to() {
    let source = plan().objects.source.sql();
    assert_objects(
        |plan| *statement(plan, "finalize.old.s1") = format!("DROP TABLE IF EXISTS {source}"),
        "changes something other than the plan's own tables",
    );
    assert_objects(
        |plan| *statement(plan, "boundary.s1") = "DROP TABLE `d`.`events__sw_shadow`".to_owned(),
        "drops a table before the point of no return",
    );
    let other = TableName::new("d", "other");
    assert_objects(
        |plan| {
            let Action::Backfill(backfill) = &mut step(plan, "backfill.s1").action else { panic!("no backfill") };
            backfill.attach = super::sql::attach_partition(&other, &other);
        },
        "but changes something else",
    );
}

#[test]
fn a_replica_or_an_undo_left_out_is_objected_to() {
    let shadow_on_all = |plan: &mut Plan| match &mut step(plan, "create.shadow.s1").action {
        Action::Run { runs, .. } => runs[0].on.retain(|id| id.replica == 1),
        other => panic!("{other:?}"),
    };
    assert_objects(shadow_on_all, "the phase create leaves out s1r2");
    assert_objects(
        |plan| step(plan, "boundary.s2").undo = Undo::Nothing { because: "the test says so".to_owned() },
        "no undo drops it",
    );
    assert_objects(
        |plan| step(plan, "backfill.s1").undo = Undo::Impossible { because: "the test says so".to_owned() },
        "cannot be undone though it comes before",
    );
    assert_objects(
        |plan| plan.steps.retain(|step| step.phase != Phase::Reconcile || step.shard != Some(1)),
        "not in the plan",
    );
}

/// ClickHouse 18.16.1 never ends a TRUNCATE of a Replicated table that meets a merge; see `sql::drop_partition`.
#[test]
fn no_table_that_may_be_replicated_is_truncated() {
    let plan = plan();
    let text = serde_json::to_string(&plan).unwrap();
    let truncated = |table: &crate::names::TableName| text.contains(&format!("TRUNCATE TABLE {}", table.sql()));
    let tables = &plan.rebuild().unwrap().tables;
    assert!(truncated(&tables.staging) && truncated(&tables.snapshot));
    assert!(!truncated(&tables.shadow) && !truncated(&plan.objects.source));
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    let (text, sha256) = write(&plan()).unwrap();
    let sealed = read(&text).unwrap();
    assert_eq!((sealed.plan, sealed.sha256), (plan(), sha256));
}

#[test]
fn an_edited_plan_is_refused() {
    let (text, _) = write(&plan()).unwrap();
    let edited = text.replacen("create the shadow table", "create a shadow table", 1);
    assert!(matches!(read(&edited), Err(PlanFileError::Edited { .. })));
    assert!(matches!(
        read(&text.replace(&format!("\"format_version\": {FORMAT_VERSION}"), "\"format_version\": 99")),
        Err(PlanFileError::OtherVersion(99))
    ));
    assert!(matches!(read(&text[..text.len() / 2]), Err(PlanFileError::NotJson(_))));
    assert!(matches!(read("{}"), Err(PlanFileError::NotAPlan(_))));
    assert!(matches!(read("[1]"), Err(PlanFileError::NotAPlan(_))));
}

#[test]
fn feeds_are_stopped_only_where_the_plan_says_so_and_always_started_again() {
    let mut fixture = Fixture::new();
    for replica in ["s1r1", "s2r1"] {
        fixture.add(replica, "CREATE TABLE d.stream (a UInt64) ENGINE = Kafka('k:1', 't', 'g', 'JSONEachRow')");
        fixture.add(replica, "CREATE MATERIALIZED VIEW d.reader TO d.events AS SELECT a FROM d.stream");
        fixture.add(replica, "CREATE TABLE d.other (a UInt64) ENGINE = Kafka('k:1', 'u', 'g', 'JSONEachRow')");
    }
    let case = fixture.case();
    let feeds = |fence| {
        let plan = build(&case, assess(&case), fence).unwrap();
        assert_eq!(check(&plan), Vec::<String>::new());
        let settle = |step: &Step| match &step.action {
            Action::Settle(settle) => settle.feeds.clone(),
            _ => Vec::new(),
        };
        plan.steps.iter().flat_map(settle).map(|feed| (feed.on, feed.stop, feed.start)).collect::<Vec<_>>()
    };
    assert_eq!(feeds(Fence::Manual), []);
    let stream = |shard| {
        let [stop, start] = ["DETACH TABLE `d`.`stream`", "ATTACH TABLE `d`.`stream`"].map(str::to_owned);
        (vec![ReplicaId::new(shard, 1)], stop, start)
    };
    assert_eq!(feeds(Fence::Feeds), [stream(1), stream(2)]);
}

#[test]
fn another_type_is_compared_as_one_and_comes_to_distributed_tables_with_the_swap() {
    let mut plan = wider(|_| {});
    assert_eq!(check(&plan), Vec::<String>::new());
    let fits = "CAST(CAST(`team`, 'UInt32'), 'UInt64') = CAST(`team`, 'UInt64')";
    assert!(statement(&mut plan, "boundary.s1").ends_with(&format!("FROM `d`.`events` WHERE {fits}")));
    assert_eq!(
        *statement(&mut plan, "reconcile.distributed"),
        "ALTER TABLE `d`.`events_all` MODIFY COLUMN `team` UInt64"
    );
    let compared: Vec<&str> = plan.comparison_queries().map(|(_, sql)| sql).collect();
    assert!(
        compared.iter().all(|sql| sql.contains("CAST(`team`, 'UInt64'), ") && sql.contains(&format!("WHERE {fits}")))
    );
    let Undo::Run { runs, then, .. } = &step(&mut plan, "cutover.s1").undo else { panic!("a swap is undone by a run") };
    assert!(runs.iter().all(|run| run.before.iter().any(|probe| probe.otherwise == Otherwise::Beyond)));
    assert!(matches!(then.as_slice(), [Action::Compare(_), Action::Check { .. }]));
    *statement(&mut plan, "reconcile.distributed") =
        "ALTER TABLE `d`.`daily_data` MODIFY COLUMN `team` UInt64".to_owned();
    assert!(check(&plan)[0].contains("changes something other than the plan's own tables"));
}

#[test]
fn partitions_by_a_column_of_another_type_are_told_by_the_common_one() {
    let plan = wider(|fixture| {
        fixture.redefine("toYYYYMM(day)", "intDiv(team, 10)");
    });
    let (_, sql) = plan.comparison_queries().next().unwrap();
    assert!(sql.starts_with("SELECT toString(intDiv(CAST(`team`, 'UInt64'), 10)), count()"), "{sql}");
}
