use super::*;
use crate::render::fixture;

#[test]
fn stages_keep_every_step_after_what_it_depends_on() {
    let plan = fixture::plan(3);
    let runbook = Runbook::new(&plan);
    let order: Vec<&StepId> = runbook.stages.iter().flat_map(Stage::entries).map(|entry| &entry.step.id).collect();
    assert_eq!(order.len(), plan.steps.len());
    let place = |id: &StepId| order.iter().position(|other| *other == id);
    for edge in &plan.edges {
        assert!(place(&edge.from) < place(&edge.to), "{} before {}", edge.from, edge.to);
    }
}

#[test]
fn a_gate_in_the_middle_divides_its_phase() {
    let mut plan = fixture::plan(1);
    plan.steps.sort_by_key(|step| step.phase);
    for step in &mut plan.steps {
        if step.id.as_str() == "gate.start" || step.id.as_str().starts_with("create.") {
            step.phase = Phase::Preflight;
        }
    }
    let runbook = Runbook::new(&plan);
    let names: Vec<String> = runbook
        .stages
        .iter()
        .take(3)
        .map(|stage| stage.entries().iter().map(|entry| entry.step.id.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(names, ["preflight.s1", "gate.start", "create.shadow.s1 create.staging.s1"]);
}

#[test]
fn shards_that_wait_for_each_other_divide_their_phase() {
    let plan = fixture::plan(2);
    let runbook = Runbook::new(&plan);
    let cutover = runbook.stages.iter().filter(|stage| stage.entries()[0].step.phase == Phase::Cutover);
    let told: Vec<String> = cutover
        .map(|stage| {
            let name = match stage {
                Stage::Gate(gate, _) => format!("gate {gate}"),
                Stage::Joint(entry) => format!("joint {}", entry.step.id),
                Stage::Work(work) => work.name(),
            };
            let ids: Vec<&str> = stage.entries().iter().map(|entry| entry.step.id.as_str()).collect();
            format!("{name}: {}", ids.join(" "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    gate cutover: gate.cutover
    cutover: cutover.verify.s1 cutover.verify.s2
    joint cutover.ready: cutover.ready
    cutover, continued: cutover.s1 cutover.s2
    ");
    assert_eq!(runbook.gates(), 3);
}

#[test]
fn time_is_that_of_the_longest_way() {
    let plan = fixture::plan(3);
    let runbook = Runbook::new(&plan);
    let on_third: u64 = plan.steps.iter().filter(|step| step.shard == Some(3)).map(|step| step.cost.seconds).sum();
    assert_eq!(runbook.seconds, on_third, "the third shard is the slowest, and its steps follow each other");
    let backfill = runbook.phases().find(|work| work.phase == Phase::Backfill).unwrap();
    assert_eq!(backfill.cost.seconds, backfill.cell(3)[0].step.cost.seconds);
    assert_eq!(backfill.cost.rows, plan.rows());
}

#[test]
fn a_kind_finds_its_steps_by_shard() {
    let plan = fixture::plan(12);
    let runbook = Runbook::new(&plan);
    let create = runbook.phases().find(|work| work.phase == Phase::Create).unwrap();
    let stems: Vec<&str> = create.kinds.iter().map(|kind| kind.stem.as_str()).collect();
    assert_eq!(stems, ["create.shadow", "create.staging"]);
    assert_eq!(create.kinds[0].on(11)[0].step.id.as_str(), "create.shadow.s11");
    assert!(create.kinds[0].on(13).is_empty());
}

#[test]
fn dependencies_are_told_by_reason() {
    let plan = fixture::plan(3);
    let runbook = Runbook::new(&plan);
    let Stage::Gate(_, gate) = &runbook.stages[1] else { panic!("the second stage is a gate") };
    let dependencies = gate.dependencies();
    assert_eq!(dependencies.len(), 1);
    assert_eq!(dependencies[0].because, "a person decides on what the checks have shown");
    assert_eq!(dependencies[0].steps.len(), 3);
}
