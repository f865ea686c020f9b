//! `verify`: compares source and shadow now, or definitions with those wanted.

use std::path::Path;

use super::super::args::Global;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, say};
use super::planned;
use crate::execute;
use crate::journal::{Progress, StepState};
use crate::plan::{Action, Phase, Plan, Step, StepId};

pub(in super::super) async fn run(global: &Global, path: &Path) -> Result<Exit, Failure> {
    let sealed = planned::read(path)?;
    let plan = &sealed.plan;
    let progress = planned::progress(path, &sealed)?;
    if plan.reshard().is_some() && !progress.is_done(&StepId::new("cutover.all")) {
        let message =
            "there is nothing to verify yet: all rows are compared over all shards at the cutover, with writers still";
        return Err(Failure::new(message).hint("`execute` carries on"));
    }
    if plan.rebuild().is_none() {
        return definitions(global, plan, &progress).await;
    }
    let reached =
        |phase: Phase| plan.steps.iter().filter(|step| step.phase == phase).all(|step| progress.is_done(&step.id));
    let touched = |phase: Phase| {
        plan.steps.iter().filter(|step| step.phase == phase).any(|step| *progress.step(&step.id) != StepState::Pending)
    };
    if !reached(Phase::Backfill) {
        return Err(
            Failure::new("there is nothing to compare yet: the copy is not complete").hint("`execute` makes it")
        );
    }
    if touched(Phase::Finalize) && progress.is_done(&StepId::new("gate.finalize")) {
        return Err(Failure::new("there is nothing to compare any more: the old data has been dropped"));
    }
    let cluster = planned::cluster_of(global, plan).await?;
    let is_swap =
        |step: &&Step| matches!(step.action, Action::Run { .. } | Action::Swap(_)) && step.phase == Phase::Cutover;
    let swapped = plan.steps.iter().filter(is_swap).any(|step| *progress.step(&step.id) != StepState::Pending);
    let evidence = execute::verify(plan, &cluster, swapped).await?;
    data(&evidence.join("\n"));
    say("source and shadow agree");
    Ok(Exit::Done)
}

/// Whether every table is as the plan wants it, on every replica.
async fn definitions(global: &Global, plan: &Plan, progress: &Progress) -> Result<Exit, Failure> {
    let is_ahead = |step: &&Step| step.phase < Phase::Finalize || plan.alters();
    let ahead = |step: &&Step| is_ahead(step) && !step.action.is_read_only() && !progress.is_done(&step.id);
    if let Some(step) = plan.steps.iter().find(ahead) {
        let message = format!("there is nothing to verify yet: {} ({}) is not done", step.id, step.title);
        return Err(Failure::new(message).hint("`execute` carries on"));
    }
    let cluster = planned::cluster_of(global, plan).await?;
    let evidence = execute::verify(plan, &cluster, false).await?;
    data(&evidence.join("\n"));
    say("every table is as wanted on every replica");
    Ok(Exit::Done)
}
