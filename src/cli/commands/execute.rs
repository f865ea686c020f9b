//! `execute`: carries a plan out, or on from where it stands.

use std::path::Path;

use super::super::args::{AutoApprove, Execute, Global, gate};
use super::super::executor;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::heed;
use super::super::output::say;
use super::super::pace::FilePace;
use super::super::progress::Progress;
use super::super::prompt::{self, Prompt};
use super::{dry_run, planned};
use crate::execute::{Engine, Outcome, Until};
use crate::plan::file::Sealed;
use crate::plan::{Changed, Gate, Plan, StepId};

pub(in super::super) async fn run(global: &Global, args: &Execute) -> Result<Exit, Failure> {
    let sealed = planned::read(&args.plan)?;
    let before = args.until.as_deref().map(|text| place(&sealed.plan, text)).transpose()?;
    if let Some(step) = &before {
        refuse_passed(&args.plan, &sealed, step)?;
    }
    if args.step && !prompt::is_terminal() {
        return Err(
            Failure::new("--step asks before every step, and there is no terminal to ask on").exit(Exit::Waiting)
        );
    }
    let until = Until { before, ask_each_step: args.step };
    let prompt = Prompt { approve_reversible: args.auto_approve == Some(AutoApprove::Reversible) };
    carry_on(global, &args.plan, &sealed, &until, prompt, args.fence, args.take_over).await
}

/// A step's id or a gate's name.
fn place(plan: &Plan, text: &str) -> Result<StepId, Failure> {
    let id = match gate(text) {
        Ok(gate) => StepId::new(format!("gate.{gate}")),
        Err(_) => StepId::new(text),
    };
    if plan.step(&id).is_some() {
        return Ok(id);
    }
    Err(Failure::usage(format!("the plan has no step or gate {text:?}")).hint("`show PLAN` lists the steps"))
}

/// A run cannot stop before what is done already; it would go on to the next gate instead.
fn refuse_passed(path: &Path, sealed: &Sealed, step: &StepId) -> Result<(), Failure> {
    if planned::progress(path, sealed)?.is_done(step) {
        return Err(Failure::usage(format!("--until {step}: that step is done already")));
    }
    Ok(())
}

/// Takes the plan as far as gates, errors and `until` allow, and says how it ended.
pub(super) async fn carry_on(
    global: &Global,
    path: &Path,
    sealed: &Sealed,
    until: &Until,
    mut prompt: Prompt,
    fence: bool,
    take_over: bool,
) -> Result<Exit, Failure> {
    let journal = planned::open_journal(path, sealed)?;
    say(&dry_run::known(path, sealed));
    let cluster = planned::cluster_of(global, &sealed.plan).await?;
    let (progress, pace) = (Progress::new(), FilePace::listen(&global.config, path)?);
    let claim = executor::claim(take_over);
    let engine =
        Engine::new(&sealed.plan, &cluster, &progress, journal, planned::now, claim)?.fenced(fence).paced(&pace);
    let outcome = heed(&engine, engine.execute(until, &mut prompt)).await?;
    Ok(tell(path, &sealed.plan, outcome))
}

fn tell(path: &Path, plan: &Plan, outcome: Outcome) -> Exit {
    let source = &plan.objects.source;
    match outcome {
        Outcome::Finished => {
            say(&match &plan.change.what {
                Changed::Keys(rebuild) => {
                    let key = &rebuild.after.sorting;
                    format!("done: {source} is sorted by ({key}), and nothing of the plan is left over")
                }
                Changed::Sharding(reshard) => format!(
                    "done: {} and its rows are spread by {}, and nothing of the plan is left over",
                    reshard.distributed, reshard.after
                ),
                Changed::Commands(_) => format!("done: {source} and the tables over it are as wanted on every replica"),
            });
            if plan.alters() && !plan.has_gate(Gate::Finalize) {
                planned::suggest("rollback", path);
            }
            Exit::Done
        }
        Outcome::Waiting(gate) => {
            say(&format!("waiting for approval: gate {gate}"));
            match gate {
                Gate::Finalize => {
                    say(&before_the_end(plan));
                    planned::suggest("finalize", path);
                }
                Gate::Start | Gate::Cutover => planned::suggest(&format!("approve --gate {gate}"), path),
            }
            Exit::Waiting
        }
        Outcome::Postponed { step, why, again } => {
            say(&format!("postponed: {step}: {why}"));
            say(&format!("nothing failed; {again}, with the same command. `rollback` undoes what was done so far"));
            Exit::Waiting
        }
        Outcome::Stopped => {
            say("stopped where asked");
            planned::suggest("execute", path);
            Exit::Done
        }
        Outcome::RolledBack => Exit::Done,
    }
}

/// What stands so far, and that it can be taken back.
fn before_the_end(plan: &Plan) -> String {
    let source = &plan.objects.source;
    match &plan.change.what {
        Changed::Sharding(reshard) => format!(
            "{} and its rows are spread by {}; writers may go on. The old data stays in {} as it was: `rollback` waits for writers \
             to be still, brings back what came in since and swaps back.",
            reshard.distributed, reshard.after, reshard.tables.shadow
        ),
        Changed::Keys(rebuild) => format!(
            "{source} is sorted by ({}). The old data stays in {} and is kept current: `rollback` swaps back.",
            rebuild.after.sorting, rebuild.tables.shadow
        ),
        Changed::Commands(_) => {
            format!("{source} is as it was: what follows cannot be taken back. Until then `rollback` undoes the rest.")
        }
    }
}
