//! What may be done next: a pure function of the plan and of how far it has come.

use std::collections::BTreeSet;

use crate::journal::{Progress, StepState};
use crate::plan::{Action, Gate, Graph, Phase, Plan, Step, StepId, Undo};

/// What may be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// These steps, in any order or at the same time. Empty while all that is left waits for steps under way.
    Steps(Vec<&'a Step>),
    /// Nothing until a person approves this gate.
    Gate(&'a Step, Gate),
    /// Nothing: everything is done.
    Finished,
}

/// The next move forward. `under_way` are steps being carried out now.
pub fn forward<'a>(plan: &'a Plan, graph: &Graph, progress: &Progress, under_way: &BTreeSet<StepId>) -> Next<'a> {
    let undone: Vec<&Step> = plan.steps.iter().filter(|step| !progress.is_done(&step.id)).collect();
    if undone.is_empty() {
        return Next::Finished;
    }
    let is_ready = |step: &&&Step| {
        !under_way.contains(&step.id) && graph.before(&step.id).all(|earlier| progress.is_done(earlier))
    };
    let ready: Vec<&Step> = undone.iter().filter(is_ready).copied().collect();
    let closed = |step: &&Step| closed_gate(step, progress).is_some();
    let open: Vec<&Step> = ready.iter().filter(|step| !closed(step)).copied().collect();
    let gate = ready.iter().find_map(|step| Some((*step, closed_gate(step, progress)?)));
    match gate {
        Some((step, gate)) if open.is_empty() && under_way.is_empty() => Next::Gate(step, gate),
        _ => Next::Steps(open),
    }
}

/// The gate that a step is, unless somebody approved it.
fn closed_gate(step: &Step, progress: &Progress) -> Option<Gate> {
    match step.action {
        Action::Gate { gate } if !progress.approvals.contains_key(&gate) => Some(gate),
        _ => None,
    }
}

/// How long evidence keeps, beyond the time that all of it took.
const EVIDENCE_SECONDS_MAX: u64 = 3600;

/// The steps whose evidence is too old to swap names on, and that are to be done again: the comparisons right before the swap that
/// another run made, or this one long ago, of shards whose names nobody has begun to swap; and with them the step at which shards
/// wait for each other, unless some shard has gone on from there.
///
/// `age` gives the seconds since this run began with a step; none for a step that another run carried out. What comparisons took
/// altogether counts for none of them, so a run that nothing holds up never finds its own evidence too old, however many shards there are.
pub fn outdated<'a>(plan: &'a Plan, progress: &Progress, age: impl Fn(&StepId) -> Option<u64>) -> Vec<&'a Step> {
    let of_cutover = || plan.steps.iter().filter(|step| step.phase == Phase::Cutover);
    let is_swap = |step: &&Step| matches!(step.action, Action::Run { .. } | Action::Swap(_));
    let has_begun = |step: &&Step| *progress.step(&step.id) != StepState::Pending;
    let swapped: BTreeSet<Option<u32>> =
        of_cutover().filter(is_swap).filter(has_begun).map(|step| step.shard).collect();
    let took = |step: &Step| match progress.step(&step.id) {
        StepState::Done { milliseconds, .. } => Some(*milliseconds),
        _ => None,
    };
    let compared = || of_cutover().filter(|step| matches!(step.action, Action::Compare(_)));
    let keeps = EVIDENCE_SECONDS_MAX.saturating_add(compared().filter_map(took).sum::<u64>() / 1000);
    let is_old = |step: &&Step| took(step).is_some() && age(&step.id).is_none_or(|age| age > keeps);
    let mut old: Vec<&Step> = compared().filter(|step| !swapped.contains(&step.shard)).filter(is_old).collect();
    if !old.is_empty() && swapped.is_empty() {
        old.extend(of_cutover().filter(|step| matches!(step.action, Action::Ready(_)) && took(step).is_some()));
    }
    old
}

/// How long the answer keeps that nobody has read a column: what follows it takes less.
const UNREAD_SECONDS_MAX: u64 = 60;

/// Steps that asked whether nobody has read a column, right before its values go, and that are to ask again: another run did it, or
/// this one too long ago, and nothing has gone since.
pub fn unproven<'a>(
    plan: &'a Plan,
    graph: &Graph,
    progress: &Progress,
    age: impl Fn(&StepId) -> Option<u64>,
) -> Vec<&'a Step> {
    let asks = |step: &&Step| matches!(step.action, Action::Unread(_)) && step.phase == Phase::Finalize;
    let is_old = |step: &&Step| progress.is_done(&step.id) && age(&step.id).is_none_or(|age| age > UNREAD_SECONDS_MAX);
    let has_begun = |id: &StepId| *progress.step(id) != StepState::Pending;
    plan.steps.iter().filter(asks).filter(is_old).filter(|step| !graph.after(&step.id).any(has_begun)).collect()
}

/// The steps that may be undone next: those that left a mark, and on which nothing that left a mark depends.
pub fn backward<'a>(plan: &'a Plan, graph: &Graph, progress: &Progress, under_way: &BTreeSet<StepId>) -> Vec<&'a Step> {
    let has_mark = |id: &StepId| *progress.step(id) != StepState::Pending;
    let is_next =
        |step: &&Step| has_mark(&step.id) && !under_way.contains(&step.id) && !graph.after(&step.id).any(has_mark);
    plan.steps.iter().rev().filter(is_next).collect()
}

/// The first step that left a mark and cannot be undone: the plan is past the point of no return.
pub fn point_of_no_return<'a>(plan: &'a Plan, progress: &Progress) -> Option<(&'a Step, &'a str)> {
    plan.steps.iter().find_map(|step| match &step.undo {
        Undo::Impossible { because } if *progress.step(&step.id) != StepState::Pending => {
            Some((step, because.as_str()))
        }
        _ => None,
    })
}
