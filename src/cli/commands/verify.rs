//! `verify`: compares source and shadow now.

use std::path::Path;

use super::super::args::Global;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, say};
use super::planned;
use crate::execute;
use crate::journal::StepState;
use crate::plan::{Phase, StepId};

pub(in super::super) async fn run(global: &Global, path: &Path) -> Result<Exit, Failure> {
    let sealed = planned::read(path)?;
    let plan = &sealed.plan;
    let progress = planned::progress(path, &sealed)?;
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
    let evidence = execute::verify(plan, &cluster).await?;
    data(&evidence.join("\n"));
    say("source and shadow agree");
    Ok(Exit::Done)
}
