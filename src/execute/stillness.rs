//! Waiting until writers are still.

use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{News, Reporter, Servers};
use crate::plan::Step;

/// How long is long enough for a boundary that goes by what has come in before.
pub(super) const FOR_BOUNDARY: Duration = Duration::from_secs(3);
/// The same where names are swapped.
pub(super) const FOR_SWAP: Duration = Duration::from_secs(1);
/// How long writers are waited for.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often it is looked.
const POLL: Duration = Duration::from_millis(200);

/// Looks until nothing has moved for this long; each look gives what moved since the one before. People are told meanwhile
/// what is waited for. Gives what moved last where it never ended.
pub(super) async fn until_still<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    still: Duration,
    mut moved: impl AsyncFnMut() -> Result<Option<String>, ExecuteError>,
) -> Result<Result<(), String>, ExecuteError> {
    let (began, mut since) = (Instant::now(), Instant::now());
    while since.elapsed() < still {
        tokio::time::sleep(POLL).await;
        if let Some(what) = moved().await? {
            let why = format!("writers are not still: {what}");
            if began.elapsed() > PATIENCE {
                return Ok(Err(why));
            }
            engine.report(News::Held { step, why: &why });
            since = Instant::now();
        }
    }
    Ok(Ok(()))
}
