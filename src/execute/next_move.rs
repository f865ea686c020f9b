//! What may be done next: a pure function of the plan and of how far it has come.

use std::collections::BTreeSet;

use crate::journal::{Progress, StepState};
use crate::plan::{Action, Gate, Graph, Plan, Step, StepId, Undo};

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
