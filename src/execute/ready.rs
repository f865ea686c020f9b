//! Looking at all shards at once, right before names are swapped on any of them: see [`crate::plan::Ready`].

use futures_util::future::try_join_all;

use super::carry_out::check;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::drain;
use super::ports::{Reporter, Servers};
use super::stillness::{FOR_SWAP, until_still};
use super::watch;
use crate::names::ReplicaId;
use crate::plan::{Ready, Step, Still};

/// Whether every shard is fit to be swapped. Where rows were deleted or altered since a comparison, its evidence is none.
pub(super) async fn ready<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Ready,
) -> Result<String, ExecuteError> {
    let held = check(engine, &step.id, &work.probes).await?;
    let looks = work.watches.iter().map(|watch| watch::altered_before_swap(engine, &step.id, watch));
    let found = try_join_all(looks).await?;
    let (mut lapsed, mut altered) = (Vec::new(), Vec::new());
    for (watch, places) in work.watches.iter().zip(found).filter(|(_, places)| !places.is_empty()) {
        lapsed.push(watch.by.clone());
        altered.extend(places.iter().map(|place| format!("{place} on {}", engine.desk.replica_name(watch.on))));
    }
    if !lapsed.is_empty() {
        return Err(ExecuteError::Outdated { step: step.id.clone(), lapsed, altered });
    }
    wait_until_still(engine, step, &work.stills).await?;
    Ok(held)
}

/// Waits until the inserts that had begun have ended and none has come for a while, on any replica of any of these shards.
async fn wait_until_still<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    stills: &[Still],
) -> Result<(), ExecuteError> {
    if stills.is_empty() {
        return Ok(());
    }
    for still in stills {
        drain(&engine.desk, &step.id, &still.drain).await?;
    }
    let mut last = last_inserts(engine, step, stills).await?;
    let moved = async || {
        let now = last_inserts(engine, step, stills).await?;
        let moved = now.iter().zip(&last).find(|(now, last)| now != last);
        let what = moved.map(|((on, _), _)| format!("inserts came to {}", engine.desk.replica_name(*on)));
        last = now;
        Ok(what)
    };
    until_still(engine, step, FOR_SWAP, moved)
        .await?
        .map_err(|reason| ExecuteError::Restless { step: step.id.clone(), reason })
}

/// The last inserts into each partition, on every replica of these shards.
async fn last_inserts<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    stills: &[Still],
) -> Result<Vec<(ReplicaId, String)>, ExecuteError> {
    let asked = stills.iter().flat_map(|still| {
        still.drain.on.iter().flat_map(|on| {
            still.blocks.iter().map(|sql| async { Ok((*on, engine.desk.ask(&step.id, *on, sql).await?)) })
        })
    });
    try_join_all(asked).await
}
