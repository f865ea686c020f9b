//! Holding the lock: taking it, sending under it, giving it back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Call, CallError, CallSession, News, Reporter, Servers};
use crate::journal::{Event, StepState};
use crate::lock::{self, Holder, Seen};
use crate::names::ReplicaId;
use crate::plan::{Step, StepId, Undo, query_prefix};

const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a run that holds the lock leaves a sign of life.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// The server's codes.
const TABLE_ALREADY_EXISTS: u32 = 57;
const SESSION_NOT_FOUND: u32 = 372;
const SESSION_IS_LOCKED: u32 = 373;
/// A statement that the server found to come too late is sent again after another look, at most this often.
const SENDS_MAX: u32 = 5;
/// Codes with which a server says that it cannot do a thing yet, and has done nothing: the table waits for its session with
/// Keeper (225, 242), or there is no leader among the replicas yet (292, 529).
const NOT_YET: [u32; 4] = [225, 242, 292, 529];
/// How long that is waited out, and how often it is tried again: longer than a session with Keeper lasts.
const NOT_YET_PATIENCE: Duration = Duration::from_secs(45);
const NOT_YET_PAUSE: Duration = Duration::from_millis(500);
/// An answer may be here a moment before the server has let go of its session.
const SESSION_PAUSE: Duration = Duration::from_millis(20);
/// A lock that comes and goes while it is looked at.
const CLAIMS_MAX: u32 = 5;

/// What a run knows of its hold on the lock.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// The lock is not ours.
    #[default]
    Without,
    /// It is, as long as it bears this text.
    With(String),
    /// It was, and somebody took it: from here on nothing is sent.
    Lost(String),
}

impl Hold {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(&*self.state(), State::With(_))
    }

    /// Who took the lock from this run, if that was seen.
    fn lost(&self) -> Option<String> {
        match &*self.state() {
            State::Lost(by) => Some(by.clone()),
            State::With(_) | State::Without => None,
        }
    }

    /// Whether what a look showed is this run's lock; if not, why not.
    fn compare(&self, seen: &str) -> Result<(), String> {
        let mut state = self.state();
        let text = match &*state {
            State::Without => return Err("the lock is not held".to_owned()),
            State::Lost(by) => return Err(by.clone()),
            State::With(text) => text,
        };
        let by = match lock::read(seen) {
            Seen::Held(holder) if holder.text() == *text => return Ok(()),
            Seen::Held(holder) => format!("it was taken over by {holder}"),
            Seen::Free => "nobody holds it any more".to_owned(),
            Seen::Foreign => "in its place is a table of another kind".to_owned(),
        };
        *state = State::Lost(by.clone());
        Err(by)
    }
}

impl<S: Servers> Desk<'_, S> {
    /// Sends a statement that changes something: only if this run holds the lock at most
    /// [`SESSION_SECONDS`](lock::SESSION_SECONDS) before the server begins with it. An error names the replica as the plan does.
    pub(super) async fn send(&self, call: Call) -> Result<String, CallError> {
        let began = Instant::now();
        loop {
            let sent = self.send_now(&call).await;
            let is_not_yet = sent.as_ref().is_err_and(|error| error.code.is_some_and(|code| NOT_YET.contains(&code)));
            if !is_not_yet || began.elapsed() > NOT_YET_PATIENCE {
                return sent;
            }
            tokio::time::sleep(NOT_YET_PAUSE).await;
        }
    }

    async fn send_now(&self, call: &Call) -> Result<String, CallError> {
        for _ in 1..SENDS_MAX {
            let session = self.open_session(call.on).await?;
            match self.send_in(call, &session).await {
                Err(error) if error.code == Some(SESSION_NOT_FOUND) => {}
                answer => return answer,
            }
        }
        let session = self.open_session(call.on).await?;
        self.send_in(call, &session).await
    }

    async fn send_in(&self, call: &Call, session: &str) -> Result<String, CallError> {
        let session = CallSession { id: session.to_owned(), must_exist: true };
        for _ in 1..SENDS_MAX {
            match self.servers.call_in(call.clone(), session.clone()).await {
                Err(error) if error.code == Some(SESSION_IS_LOCKED) => tokio::time::sleep(SESSION_PAUSE).await,
                answer => return self.named(call.on, answer),
            }
        }
        self.named(call.on, self.servers.call_in(call.clone(), session).await)
    }

    /// Opens a session on a replica, and only then sees that the lock is still held.
    async fn open_session(&self, on: ReplicaId) -> Result<String, CallError> {
        let (at, look) = (self.plan.lock_replica(), lock::look(&self.plan.objects.lock));
        let open = self.lock_call(on, if on == at { &look } else { "SELECT 1" });
        let id = open.query_id.clone();
        let session = CallSession { id: id.clone(), must_exist: false };
        let opened = self.named(on, self.servers.call_in(open, session).await);
        if on == at {
            self.expect_ours(&what_is_there(opened)?)?;
        } else {
            opened.map_err(known)?;
            self.look_at_lock().await?;
        }
        Ok(id)
    }

    /// Sees that the lock is still held.
    pub(super) async fn look_at_lock(&self) -> Result<(), CallError> {
        let (at, look) = (self.plan.lock_replica(), lock::look(&self.plan.objects.lock));
        let answer = self.named(at, self.servers.call(self.lock_call(at, &look)).await);
        self.expect_ours(&what_is_there(answer)?)
    }

    fn expect_ours(&self, seen: &str) -> Result<(), CallError> {
        self.hold.compare(seen).map_err(|why| {
            let replica = self.replica_name(self.plan.lock_replica());
            CallError { replica, code: None, message: format!("not sent: {why}"), outcome_unknown: false }
        })
    }

    fn lock_call(&self, on: ReplicaId, sql: &str) -> Call {
        self.labelled(&step(), None, on, sql, LOOK_TIMEOUT)
    }

    /// A look, and the session in which what follows from it may be sent.
    async fn look(&self) -> Result<(Seen, String), ExecuteError> {
        let at = self.plan.lock_replica();
        let call = self.lock_call(at, &lock::look(&self.plan.objects.lock));
        let id = call.query_id.clone();
        let session = CallSession { id: id.clone(), must_exist: false };
        let answer = self.named(at, self.servers.call_in(call, session).await);
        Ok((lock::read(&what_is_there(answer).map_err(lock_failed)?), id))
    }

    /// Takes a lock that nobody holds. False if somebody was quicker.
    async fn create(&self, holder: &Holder) -> Result<bool, ExecuteError> {
        let at = self.plan.lock_replica();
        let call = self.lock_call(at, &lock::create(&self.plan.objects.lock, holder));
        let failed = match self.named(at, self.servers.call(call).await) {
            Ok(_) => None,
            Err(error) if error.code == Some(TABLE_ALREADY_EXISTS) => return Ok(false),
            Err(error) => Some(error),
        };
        // Whatever the answer was: the lock says whose it is.
        match (self.look().await?.0, failed) {
            (Seen::Held(seen), _) if seen.text() == holder.text() => {
                *self.hold.state() = State::With(holder.text());
                Ok(true)
            }
            (Seen::Free, Some(source)) => Err(lock_failed(source)),
            _ => Ok(false),
        }
    }

    /// Removes the lock of another run, if it is the one that was looked at a moment ago.
    async fn remove(&self, holder: &Holder, session: &str) -> Result<(), ExecuteError> {
        let call = self.lock_call(self.plan.lock_replica(), &lock::drop(&self.plan.objects.lock));
        let Err(source) = self.send_in(&call, session).await else { return Ok(()) };
        match self.look().await?.0 {
            Seen::Held(seen) if seen.text() == holder.text() => Err(lock_failed(source)),
            _ => Ok(()),
        }
    }

    async fn sign_of_life(&self, holder: &Holder) -> String {
        let call = self.lock_call(self.plan.lock_replica(), &lock::silence(&self.plan.objects.lock, &holder.run));
        match self.servers.call(call).await {
            Ok(seconds) if !seconds.is_empty() => format!("last sign of life {seconds} s ago"),
            _ => "it has given no sign of life".to_owned(),
        }
    }

    /// Ends what a run has left on a replica.
    async fn end_run_of(&self, holder: &Holder, on: ReplicaId) -> Result<(), ExecuteError> {
        let ended = self.servers.end_leftovers(on, &query_prefix(&holder.plan)).await;
        self.named(on, ended).map_err(|source| ExecuteError::LeftoverOfHolder { source })
    }
}

impl<S: Servers, R: Reporter> Engine<'_, S, R> {
    /// Takes the lock; from another run only if that has provably ended or a person wants it.
    pub(super) async fn take_lock(&self) -> Result<(), ExecuteError> {
        let mut seen = self.desk.look().await?.0;
        for _ in 0..CLAIMS_MAX {
            let taken = match &seen {
                Seen::Free => self.take_free_lock(0).await?,
                Seen::Held(holder) => self.take_lock_from(holder).await?,
                Seen::Foreign => {
                    let (lock, replica) = self.lock_and_replica();
                    return Err(ExecuteError::ForeignLock { lock, replica });
                }
            };
            if taken {
                return Ok(());
            }
            seen = self.desk.look().await?.0;
        }
        match seen {
            Seen::Held(holder) => Err(self.refusal(&holder).await),
            Seen::Free | Seen::Foreign => {
                let (lock, replica) = self.lock_and_replica();
                let (holder, sign_of_life) = ("other runs by turns".to_owned(), "try again".to_owned());
                Err(ExecuteError::Locked { lock, replica, holder, sign_of_life })
            }
        }
    }

    async fn take_free_lock(&self, token_before: u64) -> Result<bool, ExecuteError> {
        let holder = Holder {
            token: token_before.max(self.progress().token) + 1,
            run: self.desk.run.clone(),
            plan: self.desk.plan.id.clone(),
            executor: self.claim.executor.clone(),
            since: (self.clock)(),
        };
        // Before the lock is there: whoever finds it must find its run in this journal.
        let (run, token) = (holder.run.clone(), holder.token);
        self.record(Event::RunStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: holder.executor.pid,
            run,
            token,
        })?;
        self.desk.create(&holder).await
    }

    async fn take_lock_from(&self, holder: &Holder) -> Result<bool, ExecuteError> {
        let is_gone = (self.claim.is_gone)(&holder.executor);
        if !is_gone && !self.claim.take_over {
            return Err(self.refusal(holder).await);
        }
        if holder.plan == self.desk.plan.id && !self.progress().knows_run(&holder.run) {
            let lock = self.desk.plan.objects.lock.clone();
            return Err(ExecuteError::OtherJournal { lock, holder: holder.to_string() });
        }
        let at = self.desk.plan.lock_replica();
        // A dead run's own removal of the lock, still under way, must not remove ours.
        self.desk.end_run_of(holder, at).await?;
        // That may have taken longer than a session lasts, so look again.
        let session = match self.desk.look().await? {
            (Seen::Held(seen), session) if seen.text() == holder.text() => session,
            _ => return Ok(false),
        };
        self.desk.remove(holder, &session).await?;
        if !self.take_free_lock(holder.token).await? {
            return Ok(false);
        }
        self.report(News::TookOver { holder: &holder.to_string(), is_gone });
        if !is_gone {
            tokio::time::sleep(Duration::from_secs(self.claim.takeover_seconds)).await;
        } else if self.may_be_on_its_way() {
            tokio::time::sleep(Duration::from_secs(self.claim.late_seconds)).await;
        }
        for replica in &self.desk.plan.cluster.replicas {
            // Whoever took the lock from us in the meantime must not have its queries ended.
            let looked = self.desk.look_at_lock().await;
            looked.map_err(|source| match self.desk.hold.lost() {
                Some(by) => ExecuteError::TakenOver { by },
                None => lock_failed(source),
            })?;
            self.desk.end_run_of(holder, replica.id).await?;
        }
        Ok(true)
    }

    /// Whether a run that has ended may have sent a statement that no server has begun with. In its session it is accepted for a
    /// while, and then it would meet what this run has done meanwhile: a swap would be swapped back, a partition attached twice.
    fn may_be_on_its_way(&self) -> bool {
        let progress = self.progress();
        let changes = |step: &Step, state: &StepState| match state {
            StepState::Started => !step.action.is_read_only(),
            StepState::Undoing => matches!(step.undo, Undo::Run { .. }),
            _ => false,
        };
        progress.touched().any(|(id, state)| self.desk.plan.step(id).is_some_and(|step| changes(step, state)))
    }

    async fn refusal(&self, holder: &Holder) -> ExecuteError {
        let (lock, replica) = self.lock_and_replica();
        let sign_of_life = self.desk.sign_of_life(holder).await;
        ExecuteError::Locked { lock, replica, holder: holder.to_string(), sign_of_life }
    }

    fn lock_and_replica(&self) -> (crate::names::TableName, String) {
        let plan = self.desk.plan;
        (plan.objects.lock.clone(), self.desk.replica_name(plan.lock_replica()))
    }

    /// Does something under the lock: gives signs of life meanwhile, and the lock back in the end, however it went.
    pub(super) async fn under_lock<T>(
        &self,
        work: impl Future<Output = Result<T, ExecuteError>>,
    ) -> Result<T, ExecuteError> {
        let alive = async {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                let renew = lock::renew(&self.desk.plan.objects.lock, &self.desk.run);
                // A sign of life that is not given changes nothing; a lock that was lost is noted.
                _ = self.desk.send(self.desk.lock_call(self.desk.plan.lock_replica(), &renew)).await;
            }
        };
        let result = tokio::select! {
            biased;
            result = work => result,
            never = alive => never,
        };
        let released = self.release().await;
        match (result, self.desk.hold.lost()) {
            (_, Some(by)) => Err(ExecuteError::TakenOver { by }),
            (Err(error), None) => Err(error),
            (Ok(done), None) => released.map(|()| done),
        }
    }

    /// Takes the lock and gives it back: for a run that died after its last step.
    pub async fn clear_lock(&self) -> Result<(), ExecuteError> {
        self.take_lock().await?;
        self.under_lock(async { Ok(()) }).await
    }

    /// Gives the lock back if it is still held.
    pub(super) async fn release(&self) -> Result<(), ExecuteError> {
        let call = || self.desk.lock_call(self.desk.plan.lock_replica(), &lock::drop(&self.desk.plan.objects.lock));
        let mut sent = self.desk.send(call()).await;
        if sent.is_err() && self.desk.hold.lost().is_none() {
            // Its answer may have been lost; and what is gone was dropped by us.
            if let Ok((Seen::Free, _)) = self.desk.look().await {
                sent = Ok(String::new());
            } else {
                sent = self.desk.send(call()).await;
            }
        }
        let source = match (sent, self.desk.hold.lost()) {
            (Ok(_), None) => {
                *self.desk.hold.state() = State::Without;
                return Ok(());
            }
            (_, Some(by)) => return Err(ExecuteError::TakenOver { by }),
            (Err(source), None) => source,
        };
        Err(ExecuteError::Unreleased { lock: self.desk.plan.objects.lock.clone(), source })
    }
}

/// What the ids of queries about the lock bear in place of a step.
fn step() -> StepId {
    StepId::new("lock")
}

fn lock_failed(source: CallError) -> ExecuteError {
    ExecuteError::Call { step: step(), source }
}

/// What a look has shown: nothing, where there is no lock.
fn what_is_there(answer: Result<String, CallError>) -> Result<String, CallError> {
    match answer {
        Err(error) if error.code.is_some_and(lock::is_free) => Ok(String::new()),
        answer => answer.map_err(known),
    }
}

/// A look changes nothing, so nothing is in doubt when its answer is lost.
fn known(error: CallError) -> CallError {
    CallError { outcome_unknown: false, ..error }
}
