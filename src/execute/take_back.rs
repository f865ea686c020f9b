//! Undoing one step.

use super::carry_out::act;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Reporter, Servers};
use crate::plan::{Action, Step, Undo};

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
    let swaps = then.iter().filter_map(|action| match action {
        Action::Swap(swap) => Some(&swap.runs),
        _ => None,
    });
    for run in runs.iter().chain(swaps.flatten()) {
        for probe in run.before.iter().filter(|probe| probe.otherwise.forbids_return()) {
            for on in &run.on {
                // Where nothing was swapped, or all is swapped back, nothing is lost.
                if engine.first_failing(&step.id, *on, &run.after).await?.is_none() {
                    continue;
                }
                engine.require(&step.id, *on, std::slice::from_ref(probe)).await?;
            }
        }
    }
    Ok(())
}
