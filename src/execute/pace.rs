//! Holding a copy back: while a person pauses it, or while a replica does not bear up. Held is not stalled, and it says which.

use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{News, Reporter, Servers};
use crate::config::{Limit, Throttle};
use crate::names::ReplicaId;
use crate::plan::{Signal, Step};

/// How often a copy that is held looks again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a signal may be lost. A copy is held meanwhile; then the run ends, for a person to see to the replica.
const LOST_PATIENCE: Duration = Duration::from_secs(30);
/// Nobody keeps a change waiting for longer on purpose.
const HELD_MAX: Duration = Duration::from_hours(14 * 24);

/// Why nothing is begun now.
enum Held {
    /// Somebody wants it, or a signal is beyond its limit.
    For(String),
    /// A replica did not answer.
    Lost(ExecuteError),
}

impl<S: Servers, R: Reporter> Engine<'_, S, R> {
    /// Waits while a person pauses the run.
    pub(super) async fn hold_while_paused(&self, step: &Step) -> Result<(), ExecuteError> {
        self.hold(step, None).await.map(drop)
    }

    /// Waits while the run is paused or some replica does not bear up. Gives the limits as they are now, and how long it waited.
    pub(super) async fn hold_for_signals(
        &self,
        step: &Step,
        here: ReplicaId,
        signals: &[Signal],
    ) -> Result<(Throttle, Duration), ExecuteError> {
        self.hold(step, Some((here, signals))).await
    }

    async fn hold(
        &self,
        step: &Step,
        work: Option<(ReplicaId, &[Signal])>,
    ) -> Result<(Throttle, Duration), ExecuteError> {
        let began = Instant::now();
        let mut answered = began;
        let Some(pace) = self.pace() else { return Ok((Throttle::default(), Duration::ZERO)) };
        loop {
            let held = match (pace.paused(), pace.throttle()) {
                // Without limits there is no telling what is too much.
                (Some(why), _) | (None, Err(why)) => Held::For(why),
                (None, Ok(throttle)) if throttle.pause => Held::For("paused by the config file".to_owned()),
                (None, Ok(throttle)) => match self.strained(step, work, &throttle).await {
                    None => return Ok((throttle, began.elapsed())),
                    Some(held) => held,
                },
            };
            let why = match held {
                Held::For(why) => {
                    answered = Instant::now();
                    why
                }
                Held::Lost(error) if answered.elapsed() > LOST_PATIENCE => return Err(error),
                Held::Lost(error) => format!("a signal is lost: {error}"),
            };
            if began.elapsed() > HELD_MAX {
                let (step, seconds) = (step.id.clone(), HELD_MAX.as_secs());
                return Err(ExecuteError::Stalled { step, replica: "the copy".to_owned(), seconds, waiting_for: why });
            }
            self.report(News::Held { step, why: &why });
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The first signal that is beyond its limit, or that cannot be had.
    async fn strained(&self, step: &Step, work: Option<(ReplicaId, &[Signal])>, throttle: &Throttle) -> Option<Held> {
        let (here, signals) = work?;
        let here = [here];
        let everywhere = signals.first().map_or(&here[..], |signal| &signal.on);
        let planned = signals.iter().filter_map(|signal| {
            Some((signal.on.as_slice(), &signal.sql, Some(signal.of), throttle.limit(signal.of)?))
        });
        let own = throttle.query.iter().map(|sql| (everywhere, sql, None, Limit::AtMost(0)));
        for (on, sql, of, limit) in planned.chain(own) {
            for on in on {
                let figure = match self.figure(step, *on, sql).await {
                    Err(error) => return Some(Held::Lost(error)),
                    Ok(figure) if limit.is_kept(figure) => continue,
                    Ok(figure) => figure,
                };
                let why = match of {
                    Some(of) => limit.broken_by(of, figure),
                    None => format!("the query of [throttle] answers {figure}, not 0"),
                };
                return Some(Held::For(format!("{}: {why}", self.desk.replica_name(*on))));
            }
        }
        None
    }

    async fn figure(&self, step: &Step, on: ReplicaId, sql: &str) -> Result<u64, ExecuteError> {
        let answer = self.desk.ask(&step.id, on, sql).await?;
        // An empty set has no greatest: nothing strains it.
        if answer.is_empty() {
            return Ok(0);
        }
        answer.trim().parse().map_err(|_| self.desk.unreadable(&step.id, on, &answer))
    }
}
