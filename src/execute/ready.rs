//! Looking at all shards at once, right before names are swapped on any of them: see [`crate::plan::Ready`].

use futures_util::future::try_join_all;

use super::carry_out::check;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::wait_until_still;
use super::ports::{Reporter, Servers};
use super::watch;
use crate::plan::{Ready, Step};

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
    wait_until_still(&engine.desk, &step.id, &work.stills).await?;
    Ok(held)
}
