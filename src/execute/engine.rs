//! The engine: takes the next steps, carries them out, writes the journal. It decides nothing that the plan leaves open.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::agree::agree;
use super::carry_out::carry_out;
use super::desk::Desk;
use super::error::ExecuteError;
use super::next_move::{Next, backward, forward, point_of_no_return};
use super::place::{start_feeds, start_merges};
use super::ports::{Approver, Clock, Decision, News, Pace, Reporter, Servers};
use super::redistribute::mend;
use super::renew::Seen;
use super::take_back::{require_way_back, take_back};
use crate::journal::{Approval, Direction, Event, File, Progress, StepState};
use crate::lock::Claim;
use crate::names::ReplicaId;
use crate::plan::{Action, Gate, Graph, Phase, Plan, Step, StepId, Truth, Undo};

/// Most steps under way at the same time; each works on one shard or one replica at a time.
const STEPS_AT_ONCE_MAX: usize = 16;

/// Everything that carrying out a plan needs.
#[derive(Debug)]
pub struct Engine<'a, S, R> {
    plan: &'a Plan,
    pub(super) graph: Graph,
    pub(super) desk: Desk<'a, S>,
    reporter: &'a R,
    pub(super) clock: Clock,
    pub(super) claim: Claim,
    journal: Mutex<File>,
    pub(super) seen: Seen,
    fence: bool,
    pace: Option<&'a dyn Pace>,
}

/// How far to go.
#[derive(Debug, Clone, Default)]
pub struct Until {
    /// Stop before this step or gate.
    pub before: Option<StepId>,
    /// Ask before every step.
    pub ask_each_step: bool,
}

/// How a run ended that met no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every step of the plan is done.
    Finished,
    /// A gate is waiting for approval.
    Waiting(Gate),
    /// What a step asks is not so yet.
    Postponed {
        /// The step.
        step: StepId,
        /// What holds it up.
        why: String,
        /// When to ask again.
        again: String,
    },
    /// The place named by [`Until`] is reached, or a person declined a step.
    Stopped,
    /// Everything is undone.
    RolledBack,
}

impl<'a, S: Servers, R: Reporter> Engine<'a, S, R> {
    /// An engine for a plan and its open journal.
    pub fn new(
        plan: &'a Plan,
        servers: &'a S,
        reporter: &'a R,
        journal: File,
        clock: Clock,
        claim: Claim,
    ) -> Result<Self, ExecuteError> {
        let graph = Graph::new(&plan.steps, &plan.edges)?;
        let desk = Desk::new(plan, servers);
        let (journal, seen) = (Mutex::new(journal), Seen::new(SystemTime::now));
        Ok(Self { plan, graph, desk, reporter, clock, claim, journal, seen, fence: false, pace: None })
    }

    /// Goes as fast as this allows.
    #[must_use]
    pub fn paced(mut self, pace: &'a dyn Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    pub(super) fn pace(&self) -> Option<&'a dyn Pace> {
        self.pace
    }

    /// Draws boundaries only while writers are still.
    #[must_use]
    pub fn fenced(mut self, fence: bool) -> Self {
        self.fence = fence;
        self
    }

    pub(super) fn fence(&self) -> bool {
        self.fence
    }

    /// Ends what this run may have left running of a step.
    pub(super) async fn end_leftovers(&self, step: &StepId, on: &[ReplicaId]) -> Result<(), ExecuteError> {
        let prefix = self.desk.own_prefix(step);
        for replica in on {
            let ended = self.desk.servers.end_leftovers(*replica, &prefix).await;
            ended.map_err(|source| ExecuteError::Leftover { step: step.clone(), source })?;
        }
        Ok(())
    }

    /// Carries the plan on until it is finished, a gate waits, `until` is reached or a step fails.
    pub async fn execute(&self, until: &Until, approver: &mut impl Approver) -> Result<Outcome, ExecuteError> {
        if self.progress().direction == Direction::Back {
            return Err(ExecuteError::RollingBack);
        }
        self.take_lock().await?;
        self.under_lock(Box::pin(self.carry_on(until, approver))).await
    }

    /// Ends a run whose future was dropped: nothing of it runs on, what it stopped is started, and the lock is free. The steps that
    /// were under way stay in doubt, and the next run looks at them first.
    pub async fn wind_up(&self) -> Result<(), ExecuteError> {
        if !self.desk.hold.is_held() {
            return Ok(());
        }
        let ended = self.end_what_is_in_doubt().await;
        let released = self.release().await;
        ended.and(released)
    }

    async fn carry_on(&self, until: &Until, approver: &mut impl Approver) -> Result<Outcome, ExecuteError> {
        self.end_what_is_in_doubt().await?;
        self.renew()?;
        let mut running = FuturesUnordered::new();
        let mut under_way = BTreeSet::new();
        let mut stopping = None;
        loop {
            if stopping.is_none() {
                stopping =
                    self.start_ready(until, approver, &mut under_way, |step| running.push(self.forward_step(step)))?;
            }
            match running.next().await {
                Some((id, Ok(()))) => _ = under_way.remove(&id),
                // What is already under way is let finish: a statement on a server does not end because we stop looking.
                Some((id, Err(error))) => {
                    under_way.remove(&id);
                    stopping.get_or_insert(postponed(error));
                }
                None => {
                    if let Some(outcome) = stopping {
                        return outcome;
                    }
                    // Nothing under way and nothing to stop for: an approval has just been written down, so look again.
                }
            }
        }
    }

    /// Starts what may be started. Gives the outcome if the run is to end once what is under way has ended.
    fn start_ready(
        &self,
        until: &Until,
        approver: &mut impl Approver,
        under_way: &mut BTreeSet<StepId>,
        mut start: impl FnMut(&'a Step),
    ) -> Result<Option<Result<Outcome, ExecuteError>>, ExecuteError> {
        let next = forward(self.plan, &self.graph, self.journal().progress(), under_way);
        match next {
            Next::Finished if under_way.is_empty() => Ok(Some(Ok(Outcome::Finished))),
            Next::Gate(step, _) if until.before.as_ref() == Some(&step.id) => Ok(Some(Ok(Outcome::Stopped))),
            Next::Gate(_, gate) => match approver.gate(self.plan, &self.progress(), gate) {
                Decision::Wait => Ok(Some(Ok(Outcome::Waiting(gate)))),
                Decision::Approve { by, note } => {
                    self.record(Event::Approved(Approval { gate, by, note }))?;
                    Ok(None)
                }
            },
            Next::Finished => Ok(None),
            Next::Steps(steps) => {
                let free = STEPS_AT_ONCE_MAX.saturating_sub(under_way.len());
                for step in steps.into_iter().take(free) {
                    let declined =
                        until.ask_each_step && !matches!(step.action, Action::Gate { .. }) && !approver.step(step);
                    if until.before.as_ref() == Some(&step.id) || declined {
                        return Ok(Some(Ok(Outcome::Stopped)));
                    }
                    under_way.insert(step.id.clone());
                    start(step);
                }
                Ok(None)
            }
        }
    }

    /// Undoes everything that was done, latest first. Where the names are swapped, both sides must agree first, so that nothing
    /// is lost by going back; unless a person gives a reason why their differences do not matter.
    pub async fn roll_back(&self, despite_differences: Option<String>) -> Result<Outcome, ExecuteError> {
        if let Some((step, because)) = point_of_no_return(self.plan, &self.progress()) {
            return Err(ExecuteError::NoReturn { step: step.id.clone(), because: because.to_owned() });
        }
        self.take_lock().await?;
        self.under_lock(Box::pin(self.undo_all(despite_differences))).await
    }

    async fn undo_all(&self, despite_differences: Option<String>) -> Result<Outcome, ExecuteError> {
        self.end_what_is_in_doubt().await?;
        if despite_differences.is_none() {
            self.require_agreement().await?;
        }
        self.record(Event::RollbackStarted { despite_differences })?;
        let mut running = FuturesUnordered::new();
        let mut under_way = BTreeSet::new();
        let mut failed = None;
        loop {
            if failed.is_none() {
                let free = STEPS_AT_ONCE_MAX.saturating_sub(under_way.len());
                for step in backward(self.plan, &self.graph, &self.progress(), &under_way).into_iter().take(free) {
                    under_way.insert(step.id.clone());
                    running.push(self.backward_step(step));
                }
            }
            match (running.next().await, failed) {
                (Some((id, result)), earlier) => {
                    under_way.remove(&id);
                    failed = earlier.or(result.err());
                }
                (None, Some(error)) => return Err(error),
                (None, None) => break,
            }
        }
        self.record(Event::RolledBack)?;
        Ok(Outcome::RolledBack)
    }

    /// Compares both sides of every shard whose names may be swapped.
    async fn require_agreement(&self) -> Result<(), ExecuteError> {
        let progress = self.progress();
        let is_swapped = |shard: Option<u32>| {
            let mut swaps = self.plan.steps.iter().filter(|step| step.phase == Phase::Cutover && step.shard == shard);
            swaps.any(|step| {
                matches!(step.action, Action::Run { .. } | Action::Swap(_) | Action::Redistribute(_))
                    && *progress.step(&step.id) != StepState::Pending
            })
        };
        // Before anything is undone on any shard.
        for step in self.plan.steps.iter().filter(|step| is_swapped(step.shard)) {
            require_way_back(self, step).await?;
        }
        let looks = |step: &&Step| matches!(step.action, Action::CatchUp(_) | Action::Compare(_));
        let reconcile = self.plan.steps.iter().filter(|step| step.phase == Phase::Reconcile).filter(looks);
        for step in reconcile.filter(|step| is_swapped(step.shard)) {
            match &step.action {
                // Reconciled long ago: what differs now was written or deleted since.
                Action::Compare(compare) if progress.is_done(&step.id) => {
                    drop(agree(self, step, compare, Truth::Kept).await?);
                }
                _ => {
                    carry_out(self, step, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes over from a run that may have died: nothing that it started is left running on any server.
    async fn end_what_is_in_doubt(&self) -> Result<(), ExecuteError> {
        for step in self.touched(|state| matches!(state, StepState::Started | StepState::Undoing)) {
            for replica in step.action.replicas() {
                let prefix = super::ports::step_prefix(self.plan, &step.id);
                // The prefix is that of every run of this plan: none but the holder of the lock may use it.
                self.still_ours(step).await?;
                self.desk
                    .servers
                    .end_leftovers(replica, &prefix)
                    .await
                    .map_err(|source| ExecuteError::Leftover { step: step.id.clone(), source })?;
            }
        }
        self.start_what_was_stopped().await
    }

    /// Steps that left a mark, or may have, and stand so.
    fn touched(&self, stands: impl Fn(&StepState) -> bool) -> Vec<&'a Step> {
        let progress = self.progress();
        progress.touched().filter(|(_, state)| stands(state)).filter_map(|(id, _)| self.plan.step(id)).collect()
    }

    /// Refuses to begin with a step unless this run still holds the lock.
    async fn still_ours(&self, step: &Step) -> Result<(), ExecuteError> {
        let looked = self.desk.look_at_lock().await;
        looked.map_err(|source| ExecuteError::Call { step: step.id.clone(), source })
    }

    /// Merges and feeds that a boundary stopped and did not start again are started before anything else.
    async fn start_what_was_stopped(&self) -> Result<(), ExecuteError> {
        for step in self.touched(|state| !matches!(state, StepState::Done { .. })) {
            match &step.action {
                Action::Settle(work) => {
                    start_merges(self, &step.id, &work.unmirror.on, &work.start_merges).await?;
                    start_feeds(self, &step.id, &work.feeds).await?;
                }
                Action::Swap(work) => start_merges(self, &step.id, &work.compare.on, &work.start_merges).await?,
                Action::Redistribute(work) => {
                    if let Some(last) = &work.last {
                        mend(self, &step.id, last).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn forward_step(&self, step: &'a Step) -> (StepId, Result<(), ExecuteError>) {
        let resumed = *self.progress().step(&step.id) == StepState::Started;
        // A step that waits has not begun, so its end would not be one of the journal's.
        let may_begin = async {
            self.hold_while_paused(step).await?;
            self.still_ours(step).await
        };
        // From here to the record that it began nothing is waited for.
        match may_begin.await.and_then(|()| self.may_still_begin(step)) {
            Ok(true) => {}
            // What it waits for is to be done again first.
            Ok(false) => return (step.id.clone(), Ok(())),
            Err(error) => return (step.id.clone(), Err(error)),
        }
        let began = Instant::now();
        self.seen.begin(&step.id);
        let result = async {
            self.record(Event::Started { step: step.id.clone() })?;
            self.reporter.report(News::Started(step));
            carry_out(self, step, resumed).await
        };
        let result = match result.await {
            Ok(evidence) => self.step_done(step, began.elapsed(), evidence),
            Err(ExecuteError::Postponed { step: id, why, again }) => {
                self.reporter.report(News::Postponed { step, why: &why });
                let written =
                    self.record(Event::Postponed { step: id.clone(), why: why.clone(), again: again.clone() });
                written.and(Err(ExecuteError::Postponed { step: id, why, again }))
            }
            Err(error) => match self.repeats(step, &error) {
                Ok(true) => Ok(()),
                Ok(false) => Err(self.step_failed(step, error)),
                Err(journal) => Err(journal),
            },
        };
        (step.id.clone(), result)
    }

    fn step_done(&self, step: &Step, took: Duration, evidence: String) -> Result<(), ExecuteError> {
        self.reporter.report(News::Done { step, took, evidence: &evidence });
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.record(Event::Done { step: step.id.clone(), milliseconds, evidence })
    }

    /// Writes the failure down, unless the outcome is in doubt: then the step stays started, and the next run looks first.
    fn step_failed(&self, step: &Step, error: ExecuteError) -> ExecuteError {
        let text = error.to_string();
        self.reporter.report(News::Failed { step, error: &text });
        if error.is_in_doubt() {
            return error;
        }
        match self.record(Event::Failed { step: step.id.clone(), error: text }) {
            Ok(()) => error,
            Err(journal) => journal,
        }
    }

    async fn backward_step(&self, step: &'a Step) -> (StepId, Result<(), ExecuteError>) {
        if let Err(error) = self.still_ours(step).await {
            return (step.id.clone(), Err(error));
        }
        let result = async {
            // Steps that left nothing are passed over in silence; the journal has them all.
            let leaves_something = matches!(step.undo, Undo::Run { .. });
            self.record(Event::Undoing { step: step.id.clone() })?;
            if leaves_something {
                self.reporter.report(News::Undoing(step));
            }
            take_back(self, step).await?;
            self.record(Event::Undone { step: step.id.clone() })?;
            if leaves_something {
                self.reporter.report(News::Undone(step));
            }
            Ok(())
        };
        let result: Result<(), ExecuteError> = result.await;
        (step.id.clone(), result.map_err(|error| self.step_failed(step, error)))
    }

    pub(super) fn report(&self, news: News<'_>) {
        self.reporter.report(news);
    }

    pub(super) fn record(&self, event: Event) -> Result<(), ExecuteError> {
        Ok(self.journal().append(event, &(self.clock)())?)
    }

    /// How far the plan has come.
    pub fn progress(&self) -> Progress {
        self.journal().progress().clone()
    }

    /// A panic while the journal was held has already ended the run; the journal itself is on disk.
    pub(super) fn journal(&self) -> MutexGuard<'_, File> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That something is not so yet is no error.
fn postponed(error: ExecuteError) -> Result<Outcome, ExecuteError> {
    match error {
        ExecuteError::Postponed { step, why, again } => Ok(Outcome::Postponed { step, why, again }),
        error => Err(error),
    }
}
