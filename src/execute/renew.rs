//! Names are swapped on evidence of now: a comparison that another run made, that is long ago, or since which rows were deleted or
//! altered is made again. See [`outdated`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::engine::Engine;
use super::error::ExecuteError;
use super::next_move::{outdated, unproven};
use super::ports::{News, Reporter, Servers};
use crate::journal::Event;
use crate::plan::{Phase, Step, StepId};

/// How often shards are compared again in a run because rows were deleted or altered while they waited for each other.
const REPEATS_MAX: u32 = 3;

/// When this run began with which step, by the time of day: the machine may have slept since. And how often it compared again.
#[derive(Debug)]
pub(super) struct Seen {
    now: fn() -> SystemTime,
    began: Mutex<BTreeMap<StepId, SystemTime>>,
    repeats: AtomicU32,
}

impl Seen {
    pub(super) fn new(now: fn() -> SystemTime) -> Self {
        Self { now, began: Mutex::default(), repeats: AtomicU32::new(0) }
    }

    pub(super) fn begin(&self, step: &StepId) {
        self.began.lock().unwrap_or_else(PoisonError::into_inner).insert(step.clone(), (self.now)());
    }

    /// Seconds since this run began with a step; none for one that it did not begin with, or if the clock was put back.
    fn age(&self, step: &StepId) -> Option<u64> {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner).get(step)?;
        Some((self.now)().duration_since(began).ok()?.as_secs())
    }
}

impl<S: Servers, R: Reporter> Engine<'_, S, R> {
    /// Lets evidence lapse that is too old.
    pub(super) fn renew(&self) -> Result<(), ExecuteError> {
        let age = |step: &StepId| self.seen.age(step);
        let mut old = outdated(self.desk.plan, self.journal().progress(), age);
        old.extend(unproven(self.desk.plan, &self.graph, self.journal().progress(), age));
        for step in old {
            let why = match self.seen.age(&step.id) {
                None => "an earlier run did it".to_owned(),
                Some(seconds) => format!("that was {} min ago", seconds / 60),
            };
            self.lapse(step, &why)?;
        }
        Ok(())
    }

    fn lapse(&self, step: &Step, why: &str) -> Result<(), ExecuteError> {
        self.report(News::Lapsed { step, why });
        self.record(Event::Lapsed { step: step.id.clone() })
    }

    /// Whether a step may begin now. Before it a person may have been asked, or the run been paused.
    pub(super) fn may_still_begin(&self, step: &Step) -> Result<bool, ExecuteError> {
        let retires = step.phase == Phase::Finalize && self.desk.plan.retirement.is_some();
        if step.phase != Phase::Cutover && !retires {
            return Ok(true);
        }
        self.renew()?;
        let journal = self.journal();
        Ok(self.graph.before(&step.id).all(|earlier| journal.progress().is_done(earlier)))
    }

    /// Whether a step that failed is to be tried again once comparisons are made anew; then they have lapsed.
    pub(super) fn repeats(&self, step: &Step, error: &ExecuteError) -> Result<bool, ExecuteError> {
        let ExecuteError::Outdated { lapsed, .. } = error else { return Ok(false) };
        let attempt = self.seen.repeats.fetch_add(1, Ordering::Relaxed) + 1;
        if attempt > REPEATS_MAX {
            return Ok(false);
        }
        let why = error.to_string();
        self.report(News::Again { step, attempt, why: &why });
        self.record(Event::Failed { step: step.id.clone(), error: why })?;
        for step in lapsed.iter().filter_map(|id| self.desk.plan.step(id)) {
            self.lapse(step, "rows were deleted or altered since")?;
        }
        Ok(true)
    }
}
