//! Plans of ALTERs as wholes: what is built passes the check, what is spoilt does not.

use super::super::{Action, Asked, Gate, Plan, Run, Step, Strategy, Undo, check, file, unread};
use super::build;
use crate::alter::{Altered, Back, Tried, mark_retired, resolve};
use crate::assess::{AlterCase, Fixture, Retirement, Survey, Usage, assess_alter};
use crate::ddl::with_body_of;
use crate::names::{ReplicaId, TableName};
use crate::render;

/// What a server would make of each stage is not known here: each gives another comment to the table.
fn tried(fixture: &Fixture, sql: &str, retirement: Option<&Retirement>) -> Plan {
    let mut alter = resolve(sql, &fixture.snapshot).unwrap();
    if retirement.is_some() {
        mark_retired(&mut alter, &fixture.snapshot, "2026-11-24").unwrap();
    }
    let alter = alter;
    let local = fixture.snapshot.table(ReplicaId::new(1, 1), &TableName::new("d", "events")).unwrap();
    let orders = alter.orders.clone().into_iter().map(|order| {
        let mut text = order.definition.to_sql();
        let stages = order.stages.clone().into_iter().enumerate().map(|(number, stage)| {
            let before = text.clone();
            text = format!("{before} COMMENT '{number}'");
            let way_back = match &stage.back {
                Back::Ways(ways) => ways.first().cloned(),
                _ => None,
            };
            Altered { stage, is_first: number == 0, before, after: text.clone(), way_back }
        });
        let stages = stages.collect();
        Tried { order, stages }
    });
    let tried: Vec<Tried> = orders.collect();
    let survey = Survey::default();
    let case =
        AlterCase { snapshot: &fixture.snapshot, alter: &alter, tried: &tried, local, retirement, survey: &survey };
    let logs = fixture.snapshot.replicas.keys().map(|id| (*id, Vec::new())).collect();
    let unread = retirement.map(|it| {
        let asked =
            Asked { table: &alter.change.table, columns: &it.columns, seconds: it.seconds, by_star: it.by_star };
        unread(&asked, &logs)
    });
    build(&case, assess_alter(&case), unread.as_ref()).unwrap()
}

fn plan(sql: &str) -> Plan {
    tried(&Fixture::new(), sql, None)
}

const ADD: &str = "ALTER TABLE d.events_all ADD COLUMN a UInt8";
const DROP: &str = "ALTER TABLE d.events DROP COLUMN value";

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn a_column_is_added_below_first() {
    let plan = plan(ADD);
    assert_eq!(check(&plan), [""; 0]);
    assert_eq!(plan.strategy, Strategy::InPlace);
    assert!(!plan.has_gate(Gate::Finalize));
    assert_eq!(
        ids(&plan),
        [
            "preflight.s1",
            "preflight.s2",
            "gate.start",
            "alter.local.s1",
            "alter.local.s2",
            "alter.everywhere",
            "alter.after.s1",
            "alter.after.s2",
            "verify.s1",
            "verify.s2"
        ]
    );
}

#[test]
fn a_column_is_dropped_above_first_and_below_behind_the_gate() {
    let plan = plan(DROP);
    assert_eq!(check(&plan), [""; 0]);
    assert_eq!(plan.strategy, Strategy::Mutation);
    let ids = ids(&plan);
    let place = |id: &str| ids.iter().position(|known| *known == id).unwrap_or_else(|| panic!("{id}: {ids:?}"));
    assert!(place("alter.before.s2") < place("alter.drain") && place("alter.drain") < place("gate.finalize"));
    assert!(place("gate.finalize") < place("finalize.local.s1"));
    assert!(place("finalize.mutations.s2") < place("finalize.everywhere"));
    assert!(plan.choices.iter().any(|choice| choice.contains("52.4 MB a second, a guess")), "{:?}", plan.choices);
}

#[test]
fn rows_are_changed_by_themselves_before_what_their_condition_needs_goes() {
    const MIXED: &str = "ALTER TABLE d.events DROP COLUMN value, UPDATE version = version + 1 WHERE value > 0";
    let plan = plan(MIXED);
    assert_eq!(check(&plan), [""; 0]);
    let ids = ids(&plan);
    let places = ["alter.before.s1", "gate.finalize", "finalize.rows.s1", "finalize.rewritten.s1", "finalize.local.s1"]
        .map(|id| ids.iter().position(|known| *known == id).unwrap_or_else(|| panic!("{id}: {ids:?}")));
    assert!(places.is_sorted(), "{ids:?}");
    let sent = |id: &str| run(&mut plan.clone(), id).sql.clone();
    assert!(sent("finalize.rows.s1")[0].contains("UPDATE") && !sent("finalize.rows.s1")[0].contains("DROP"));
    assert_eq!(sent("finalize.local.s1"), ["ALTER TABLE `d`.`events` DROP COLUMN `value`"]);
    let together = |plan: &mut Plan| {
        let rows = run(plan, "finalize.rows.s1").sql[0].clone();
        run(plan, "finalize.local.s1").sql[0] = format!("{rows}, DROP COLUMN `value`");
    };
    assert_objects(MIXED, together, "sends a change of rows along with one of the definition");
}

fn objections(sql: &str, spoil: impl FnOnce(&mut Plan)) -> Vec<String> {
    let mut plan = plan(sql);
    spoil(&mut plan);
    check(&plan)
}

#[track_caller]
fn assert_objects(sql: &str, spoil: impl FnOnce(&mut Plan), expected: &str) {
    let found = objections(sql, spoil);
    assert!(found.iter().any(|objection| objection.contains(expected)), "{expected:?} is not among {found:#?}");
}

fn step<'a>(plan: &'a mut Plan, id: &str) -> &'a mut Step {
    plan.steps.iter_mut().find(|step| step.id.as_str() == id).unwrap()
}

fn run<'a>(plan: &'a mut Plan, id: &str) -> &'a mut Run {
    match &mut step(plan, id).action {
        Action::Run { runs, .. } => &mut runs[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_spoilt_plan_is_objected_to() {
    let other = || "ALTER TABLE `d`.`other` ADD COLUMN a UInt8".to_owned();
    assert_objects(ADD, |plan| run(plan, "alter.local.s1").sql[0] = other(), "something other than the plan's tables");
    let table = || "DROP TABLE `d`.`events`".to_owned();
    assert_objects(ADD, |plan| run(plan, "alter.local.s1").sql[0] = table(), "something other than the plan's tables");
    let drop = || "ALTER TABLE `d`.`events` DROP COLUMN `value`".to_owned();
    assert_objects(ADD, |plan| run(plan, "alter.local.s1").sql[0] = drop(), "destroys values");
    let twice = |plan: &mut Plan| run(plan, "alter.local.s1").on.push(ReplicaId::new(1, 2));
    assert_objects(ADD, twice, "is altered on 2 replicas of shard 1, not on 1");
    let missing = |plan: &mut Plan| {
        run(plan, "alter.local.s2").sql[0] = "ALTER TABLE `d`.`events_all` ADD COLUMN a Int8".to_owned();
    };
    assert_objects(ADD, missing, "is altered on 0 replicas of shard 2");
    assert_objects(ADD, |plan| run(plan, "alter.local.s1").after.clear(), "nothing tells whether alter.local.s1");
    let nothing = |plan: &mut Plan| step(plan, "finalize.local.s1").undo = Undo::Nothing { because: "so".to_owned() };
    assert_objects(DROP, nothing, "destroys values and says that it can be undone");
}

#[test]
fn edges_left_out_are_objected_to() {
    let without = |from: &'static str, to: &'static str| {
        move |plan: &mut Plan| {
            let before = plan.edges.len();
            plan.edges.retain(|edge| edge.from.as_str() != from || edge.to.as_str() != to);
            assert_eq!(plan.edges.len() + 1, before, "{from} {to}");
        }
    };
    assert_objects(ADD, without("gate.start", "alter.local.s1"), "alter.local.s1 does not wait for the gate start");
    assert_objects(
        ADD,
        without("alter.local.s2", "alter.everywhere"),
        "alter.after.s1 does not wait for alter.local.s2",
    );
    assert_objects(
        DROP,
        without("gate.finalize", "finalize.local.s2"),
        "finalize.local.s2 does not wait for the gate finalize",
    );
    let no_waits = |plan: &mut Plan| {
        let is_wait = |id: &crate::plan::StepId| id.as_str().starts_with("finalize.mutations");
        plan.edges.retain(|edge| !is_wait(&edge.from) && !is_wait(&edge.to));
        plan.steps.retain(|step| !is_wait(&step.id));
    };
    assert_objects(DROP, no_waits, "nothing waits for the mutations of finalize.local.s1 on s1r1");
}

#[test]
fn every_rendering_has_the_statements() {
    let plan = plan(DROP);
    assert_eq!(file::read(&file::write(&plan).unwrap().0).unwrap().plan, plan);
    let texts =
        [render::terminal(&plan, 100, false), render::markdown(&plan), render::html(&plan), render::sql(&plan, None)];
    for text in texts.iter().chain(&[
        render::dot(&plan),
        render::mermaid(&plan),
        render::json(&plan),
        render::swimlane_svg(&plan),
    ]) {
        assert!(text.contains("DROP COLUMN") && text.contains("finalize"), "{text}");
    }
}

#[test]
fn what_is_expected_of_a_replica_is_in_its_own_words() {
    let fixture = Fixture::new();
    let live = &fixture.snapshot.table(ReplicaId::new(1, 1), &TableName::new("d", "events")).unwrap().create_query;
    let other = "CREATE TABLE s.t (a Int8) ENGINE = MergeTree ORDER BY a";
    let expected = with_body_of(live, other).unwrap();
    assert!(
        expected
            .starts_with("CREATE TABLE d.events (a Int8) ENGINE = ReplicatedMergeTree('/clickhouse/{shard}/events'")
    );
    assert!(expected.ends_with(" ORDER BY a"));
}

/// [`DROP`] once nobody has read the column for a week, on servers that take comments.
fn retiring() -> Plan {
    let mut fixture = Fixture::new();
    for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
        fixture.state(id).capabilities.insert(crate::snapshot::Capability::MutationsSync);
    }
    let retirement =
        Retirement { columns: vec!["value".to_owned()], seconds: 604_800, by_star: true, usage: Usage::default() };
    tried(&fixture, DROP, Some(&retirement))
}

#[test]
fn a_column_is_marked_asked_for_and_asked_for_again_before_it_goes() {
    let plan = retiring();
    assert_eq!(check(&plan), [""; 0]);
    assert_eq!(file::read(&file::write(&plan).unwrap().0).unwrap().plan, plan);
    let ids = ids(&plan);
    let places = [
        "gate.start",
        "alter.mark.s1",
        "alter.unread",
        "alter.before.s1",
        "gate.finalize",
        "finalize.unread",
        "finalize.local.s1",
    ]
    .map(|id| ids.iter().position(|known| *known == id).unwrap_or_else(|| panic!("{id}: {ids:?}")));
    assert!(places.is_sorted(), "{ids:?}");
    let mark = &run(&mut plan.clone(), "alter.mark.s1").sql[0].clone();
    assert!(mark.contains("COMMENT COLUMN `value` 'deprecated since 2026-11-24, to be dropped"), "{mark}");
    for text in [render::terminal(&plan, 100, false), render::markdown(&plan), render::html(&plan)] {
        assert!(text.contains("Uses") && text.contains("7 d"), "{text}");
    }
}

#[test]
fn a_plan_without_the_question_is_objected_to() {
    #[track_caller]
    fn assert_objects(spoil: impl FnOnce(&mut Plan), expected: &str) {
        let mut plan = retiring();
        spoil(&mut plan);
        let found = check(&plan);
        assert!(found.iter().any(|objection| objection.contains(expected)), "{expected:?} is not among {found:#?}");
    }
    fn without(plan: &mut Plan, id: &str) {
        plan.edges.retain(|edge| edge.from.as_str() != id && edge.to.as_str() != id);
        plan.steps.retain(|step| step.id.as_str() != id);
    }
    fn question<'a>(plan: &'a mut Plan, id: &str) -> &'a mut crate::plan::Unread {
        match &mut step(plan, id).action {
            Action::Unread(unread) => unread,
            other => panic!("{other:?}"),
        }
    }
    assert_objects(|plan| without(plan, "alter.unread"), "alter.before.s1 drops a column, and no step before it asks");
    assert_objects(|plan| without(plan, "finalize.unread"), "finalize.local.s2 destroys values, and not right before");
    assert_objects(|plan| question(plan, "finalize.unread").seconds = 1, "not right before it is asked");
    assert_objects(|plan| question(plan, "finalize.unread").by_star = false, "not right before it is asked");
    assert_objects(|plan| question(plan, "alter.unread").columns.clear(), "no step before it asks");
    assert_objects(|plan| _ = question(plan, "alter.unread").logs[0].on.pop(), "no step before it asks");
    assert_objects(|plan| plan.retirement = None, "none is to go for that");
}
