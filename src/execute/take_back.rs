//! Undoing one step.

use super::carry_out::act;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Reporter, Servers};
use crate::plan::{Action, Probe, Step, Undo};

/// Undoes a step that was done, was begun or failed half way: wherever it left something, and nowhere else.
pub(super) async fn take_back<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
) -> Result<(), ExecuteError> {
    match &step.undo {
        Undo::Nothing { .. } => Ok(()),
        Undo::Run { one_by_one, runs, then } => {
            engine.run_all(&step.id, runs, *one_by_one, true).await?;
            for action in then {
                act(engine, step, action, true).await?;
            }
            Ok(())
        }
        Undo::Impossible { because } => Err(ExecuteError::NoReturn { step: step.id.clone(), because: because.clone() }),
    }
}

/// Looks for rows and columns that undoing a step would lose.
pub(super) async fn require_way_back<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
) -> Result<(), ExecuteError> {
    let Undo::Run { runs, then, .. } = &step.undo else { return Ok(()) };
    // Where names are renamed, the swap comes after.
    for run in runs.iter().chain(then.iter().flat_map(Action::runs)) {
        let mut forbidding = run.before.iter().filter(|probe| probe.otherwise.forbids_return()).peekable();
        if forbidding.peek().is_none() {
            continue;
        }
        let forbidding: Vec<Probe> = forbidding.cloned().collect();
        for on in &run.on {
            // Where nothing was swapped, or all is swapped back, nothing is lost.
            if engine.first_failing(&step.id, *on, &run.after).await?.is_some() {
                engine.require(&step.id, *on, &forbidding).await?;
            }
        }
    }
    Ok(())
}
