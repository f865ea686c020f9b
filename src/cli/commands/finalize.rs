//! `finalize`: passes the point of no return.

use super::super::args::{Finalize, Global};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::say;
use super::super::prompt::Prompt;
use super::{execute, planned};
use crate::execute::Until;
use crate::plan::{Gate, Phase};

pub(in super::super) async fn run(global: &Global, args: &Finalize) -> Result<Exit, Failure> {
    let path = args.plan.as_path();
    let sealed = planned::read(path)?;
    let progress = planned::progress(path, &sealed)?;
    if !sealed.plan.has_gate(Gate::Finalize) && sealed.plan.steps.iter().all(|step| progress.is_done(&step.id)) {
        say("done: the plan has no point of no return, so there is nothing to finalize; `rollback` undoes it");
        return Ok(Exit::Done);
    }
    let ahead = sealed.plan.steps.iter().find(|step| step.phase < Phase::Finalize && !progress.is_done(&step.id));
    if let Some(step) = ahead {
        let message = format!("the plan is not ready to be finalized: {} ({}) is not done", step.id, step.title);
        let gate = if sealed.plan.has_gate(Gate::Cutover) { Gate::Cutover } else { Gate::Start };
        let waits = if progress.approvals.contains_key(&gate) { Exit::Error } else { Exit::Waiting };
        return Err(Failure::new(message).exit(waits).hint("carry on with `execute` first"));
    }
    let prompt = Prompt { approve_reversible: false };
    execute::carry_on(global, path, &sealed, &Until::default(), prompt, false, args.take_over).await
}
