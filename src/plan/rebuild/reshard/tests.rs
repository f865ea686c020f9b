//! Plans for another sharding key as wholes: what is built passes the check, and what is spoilt does not.

use super::build_reshard;
use crate::assess::{Fixture, assess};
use crate::plan::{Action, Fence, Last, Plan, Redistribute, Step, Undo, build, check, file};

fn plan_of(spoil: impl FnOnce(&mut Fixture)) -> Plan {
    let mut fixture = Fixture::new();
    spoil(&mut fixture);
    fixture.reshard("cityHash64(team)");
    let case = fixture.case();
    let sharding = case.change.wanted.sharding.clone().unwrap();
    build_reshard(&case, &sharding, assess(&case), Fence::Feeds).unwrap()
}

fn plan() -> Plan {
    plan_of(|_| {})
}

fn step<'p>(plan: &'p mut Plan, id: &str) -> &'p mut Step {
    plan.steps.iter_mut().find(|step| step.id.as_str() == id).unwrap()
}

fn forward(plan: &mut Plan) -> &mut Redistribute {
    match &mut step(plan, "cutover.all").action {
        Action::Redistribute(work) => work,
        other => panic!("{other:?}"),
    }
}

fn back(plan: &mut Plan) -> &mut Redistribute {
    match &mut step(plan, "cutover.all").undo {
        Undo::Run { then, .. } => match then.as_mut_slice() {
            [Action::Redistribute(work)] => work,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn last(work: &mut Redistribute) -> &mut Last {
    work.last.as_mut().unwrap()
}

#[track_caller]
fn assert_objects(spoil: impl FnOnce(&mut Plan), expected: &str) {
    let mut plan = plan();
    spoil(&mut plan);
    let found = check(&plan);
    assert!(found.iter().any(|objection| objection.contains(expected)), "{expected:?} is not among {found:#?}");
}

#[test]
fn what_is_built_passes_the_check_and_reads_back() {
    let plan = plan();
    assert_eq!(check(&plan), Vec::<String>::new());
    let (text, _) = file::write(&plan).unwrap();
    assert_eq!(file::read(&text).unwrap().plan, plan);
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    insta::assert_snapshot!(ids.join("\n"), @"
    preflight.s1
    preflight.s2
    gate.start
    create.shadow.s1
    create.routes.s1
    create.shadow.s2
    create.routes.s2
    backfill.all
    gate.cutover
    cutover.all
    reconcile.check.s1
    reconcile.check.s2
    gate.finalize
    finalize.routes.s1
    finalize.old.s1
    finalize.check.s1
    finalize.routes.s2
    finalize.old.s2
    finalize.check.s2
    ");
}

#[test]
fn every_row_goes_by_the_new_key_and_comes_back_by_the_old_one() {
    let mut plan = plan();
    let hash = "cityHash64(`id`, `team`, `day`, `sign`, `version`, `value`)";
    let there = forward(&mut plan).clone();
    assert!(there.copy.to_string().starts_with("INSERT INTO `d`.`events__sw_route` (`id`, `team`, "), "{}", there.copy);
    assert!(there.send.to_string().contains(&format!(" = {{chunk}} AND {hash} GLOBAL IN")));
    assert!(there.send.to_string().ends_with(&format!("LIMIT {{times}} BY {hash}")));
    let back = back(&mut plan).clone();
    assert!(back.copy.to_string().starts_with("INSERT INTO `d`.`events__sw_back` ("), "{}", back.copy);
    assert_eq!(back.clear, None, "the old data is never emptied");
    let (there, back) = (there.last.unwrap(), back.last.unwrap());
    assert_eq!(back.finish, there.runs, "names mean the same everywhere before rows go back");
    assert_eq!(there.runs.len(), back.runs.len());
}

/// An alias hides a column of the same name from the hash beside it.
#[test]
fn no_name_given_to_an_expression_can_be_that_of_a_column() {
    let mut plan = plan();
    let mut texts = Vec::new();
    for work in [forward(&mut plan).clone(), back(&mut plan).clone()] {
        texts.extend(work.digests.iter().map(ToString::to_string));
        texts.extend([work.copy, work.lacking, work.send, work.last.unwrap().behind].map(|sql| sql.to_string()));
    }
    let fixture = Fixture::new();
    let case = fixture.case();
    for step in build(&case, assess(&case), Fence::Auto).unwrap().steps {
        if let Action::Settle(settle) = step.action {
            let gap = settle.gap;
            texts.extend([gap.found, gap.copy, gap.lacking, gap.copy_rows].map(|sql| sql.to_string()));
        }
    }
    let given = texts.iter().flat_map(|text| text.split(" AS ").skip(1));
    let given: Vec<&str> = given.filter_map(|rest| rest.split([' ', ',', ')']).next()).collect();
    assert!(given.len() > 10 && given.iter().all(|name| name.starts_with("__sw_")), "{given:?}");
}

#[test]
fn what_would_harm_is_objected_to() {
    let foreign = "changes something other than the plan's own tables";
    assert_objects(|plan| last(forward(plan)).runs[0].sql[0] = "DROP TABLE `d`.`events`".to_owned(), foreign);
    assert_objects(|plan| last(back(plan)).finish[0].sql[0] = "TRUNCATE TABLE `d`.`events`".to_owned(), foreign);
    assert_objects(
        |plan| last(back(plan)).runs[0].sql[0] = "DROP TABLE `d`.`events__sw_shadow`".to_owned(),
        "drops a table before the point of no return",
    );
    assert_objects(
        |plan| {
            forward(plan).clear = Some(crate::plan::Template::new("ALTER TABLE `d`.`events` DROP PARTITION ID ", ""));
        },
        "is to change d.events__sw_shadow, but changes something else",
    );
    let elsewhere = "EXCHANGE TABLES `d`.`events` AND `d`.`daily_data`";
    assert_objects(|plan| last(forward(plan)).runs[0].sql[0] = elsewhere.to_owned(), foreign);
    let detaches = |plan: &mut Plan| {
        let mut run = last(forward(plan)).runs[0].clone();
        run.sql = vec!["DETACH TABLE `d`.`events`".to_owned()];
        last(forward(plan)).renew.push(run);
    };
    assert_objects(detaches, foreign);
    assert_objects(
        |plan| forward(plan).parts[0] = "DROP TABLE `d`.`events`".to_owned(),
        "is to look, but does something",
    );
    assert_objects(
        |plan| forward(plan).copy = back(plan).copy.clone(),
        "is to change d.events__sw_route, but changes something else",
    );
    assert_objects(|plan| back(plan).clear = forward(plan).clear.clone(), "may empty the old data on its way back");
    assert_objects(
        |plan| step(plan, "create.shadow.s1").undo = Undo::Nothing { because: "so".to_owned() },
        "dropped by no undo",
    );
}

#[test]
fn what_leaves_somebody_out_is_objected_to() {
    assert_objects(|plan| _ = forward(plan).on.pop(), "does not compare every replica");
    assert_objects(|plan| last(forward(plan)).runs[0].on.truncate(1), "does not swap d.events_all on s1r2");
    assert_objects(|plan| _ = last(back(plan)).runs.pop(), "does not swap d.events on s2");
    assert_objects(|plan| _ = last(back(plan)).finish.pop(), "goes back from another swap than its own");
    assert_objects(|plan| forward(plan).before.clear(), "asks for nothing before it begins");
    let same = |plan: &mut Plan| forward(plan).digests[1] = forward(plan).digests[0].clone();
    assert_objects(same, "does not look at d.events__sw_shadow on its side");
    assert_objects(|plan| forward(plan).homes.clear(), "does not count the rows of each shard once");
    assert_objects(
        |plan| forward(plan).homes[1] = forward(plan).homes[0],
        "does not count the rows of each shard once",
    );
    assert_objects(
        |plan| plan.edges.retain(|edge| edge.from.as_str() != "backfill.all"),
        "the gate cutover does not wait for backfill.all",
    );
    assert_objects(|plan| step(plan, "cutover.all").undo = Undo::Nothing { because: "so".to_owned() }, "no way back");
    assert_objects(|plan| forward(plan).last = None, "names are swapped by 0 steps");
    assert_objects(
        |plan| plan.edges.retain(|edge| edge.from.as_str() != "gate.cutover"),
        "cutover.all does not wait for the gate cutover",
    );
    assert_objects(
        |plan| plan.edges.retain(|edge| edge.to.as_str() != "gate.finalize"),
        "the gate finalize does not wait for reconcile.check.s1",
    );
}

#[test]
fn what_feeds_the_table_is_stopped_until_names_are_swapped() {
    let mut plan = plan_of(|fixture| {
        fixture.add("s1r1", "CREATE TABLE d.stream (a UInt64) ENGINE = Kafka('k:1', 't', 'g', 'JSONEachRow')");
        fixture.add("s1r1", "CREATE MATERIALIZED VIEW d.reader TO d.events AS SELECT a FROM d.stream");
    });
    assert_eq!(check(&plan), Vec::<String>::new());
    for work in [forward(&mut plan).clone(), back(&mut plan).clone()] {
        let feeds = work.last.unwrap().feeds;
        assert!(feeds.iter().any(|feed| feed.stop == "DETACH TABLE `d`.`stream`"), "{feeds:?}");
    }
    let spoilt = |feed: &mut crate::plan::Feed| feed.start = "ATTACH TABLE `d`.`other`".to_owned();
    last(forward(&mut plan)).feeds.iter_mut().for_each(spoilt);
    assert!(check(&plan)[0].contains("stops something that it does not start again"));
}
