//! `approve`: lets a plan pass a gate before it gets there.

use super::super::args::Approve;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::say;
use super::planned;
use crate::journal::{Approval, Event};
use crate::plan::StepId;

pub(in super::super) fn run(args: &Approve) -> Result<Exit, Failure> {
    let sealed = planned::read(&args.plan)?;
    let mut journal = planned::open_journal(&args.plan, &sealed)?;
    if journal.progress().is_done(&StepId::new(format!("gate.{}", args.gate))) {
        say(&format!("the plan has passed the gate {} already", args.gate));
        return Ok(Exit::Done);
    }
    let approval = Approval { gate: args.gate, by: args.by.clone(), note: args.note.clone() };
    journal.append(Event::Approved(approval), &planned::now())?;
    say(&format!("{} approved by {} for plan {} (SHA-256 {})", args.gate, args.by, sealed.plan.id, sealed.sha256));
    planned::suggest("execute", &args.plan);
    Ok(Exit::Done)
}
