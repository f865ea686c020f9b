//! Where statements leave for the servers, each with an id and a bound on its time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::ExecuteError;
use super::hold::Hold;
use super::ports::{Call, CallError, Servers, step_prefix};
use crate::names::ReplicaId;
use crate::plan::{Plan, Probe, StepId};
use crate::snapshot::Capability;

/// A probe reads system tables; a server that takes longer is not fit to be changed.
const PROBE_TIMEOUT: Duration = Duration::from_mins(2);
/// Definitions change at once, but DROP and ATTACH of many parts take their time.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(15);
/// Longest that the copy or the comparison of one chunk may take.
pub(super) const COPY_TIMEOUT: Duration = Duration::from_hours(24);

/// A plan, the servers that it is for, and a count of what was sent.
#[derive(Debug)]
pub(super) struct Desk<'a, S> {
    pub(super) plan: &'a Plan,
    pub(super) servers: &'a S,
    /// What this run knows of the lock. Statements that change something are sent only while it is held.
    pub(super) hold: Hold,
    pub(super) run: String,
    sent: AtomicU64,
}

impl<'a, S: Servers> Desk<'a, S> {
    pub(super) fn new(plan: &'a Plan, servers: &'a S) -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            plan,
            servers,
            hold: Hold::default(),
            run: format!("{}-{began:x}", std::process::id()),
            sent: AtomicU64::new(0),
        }
    }

    /// A query id that no other query of this or an earlier run has.
    fn query_id(&self, step: &StepId) -> String {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        format!("{}{}-{number}", step_prefix(self.plan, step), self.run)
    }

    /// The beginning of the ids of the queries that this run sends for a step. Those of a run that took over have another.
    pub(super) fn own_prefix(&self, step: &StepId) -> String {
        format!("{}{}-", step_prefix(self.plan, step), self.run)
    }

    /// A question to one replica.
    pub(super) async fn ask(&self, step: &StepId, on: ReplicaId, sql: &str) -> Result<String, ExecuteError> {
        self.read(step, on, sql, PROBE_TIMEOUT).await
    }

    /// A question that reads whole tables.
    pub(super) async fn ask_slowly(&self, step: &StepId, on: ReplicaId, sql: &str) -> Result<String, ExecuteError> {
        self.read(step, on, sql, COPY_TIMEOUT).await
    }

    /// A statement that changes something but is short.
    pub(super) async fn statement(&self, step: &StepId, on: ReplicaId, sql: &str) -> Result<String, CallError> {
        self.send(self.labelled(step, None, on, sql, STATEMENT_TIMEOUT)).await
    }

    /// A statement that changes something and may take its time.
    pub(super) async fn statement_slowly(&self, step: &StepId, on: ReplicaId, sql: &str) -> Result<String, CallError> {
        self.send(self.labelled(step, None, on, sql, COPY_TIMEOUT)).await
    }

    /// The same, for a chunk.
    pub(super) async fn statement_for(
        &self,
        step: &StepId,
        chunk: &str,
        on: ReplicaId,
        sql: &str,
    ) -> Result<String, CallError> {
        self.send(self.labelled(step, Some(chunk), on, sql, STATEMENT_TIMEOUT)).await
    }

    async fn read(&self, step: &StepId, on: ReplicaId, sql: &str, timeout: Duration) -> Result<String, ExecuteError> {
        let call = self.labelled(step, None, on, sql, timeout);
        let result = self.named(on, self.servers.call(call).await);
        // A question changes nothing, so nothing is in doubt when its answer is lost.
        let known = |source| CallError { outcome_unknown: false, ..source };
        result.map_err(|source| ExecuteError::Call { step: step.clone(), source: known(source) })
    }

    /// An error names the replica as the plan does.
    pub(super) fn named<T>(&self, on: ReplicaId, result: Result<T, CallError>) -> Result<T, CallError> {
        result.map_err(|error| CallError { replica: self.replica_name(on), ..error })
    }

    /// A statement that says which plan, step and chunk it belongs to.
    pub(super) fn labelled(
        &self,
        step: &StepId,
        chunk: Option<&str>,
        on: ReplicaId,
        sql: &str,
        timeout: Duration,
    ) -> Call {
        let comment = || match chunk {
            Some(chunk) => format!("shardwright plan={} step={step} chunk={chunk}", self.plan.id),
            None => format!("shardwright plan={} step={step}", self.plan.id),
        };
        let log_comment = self.plan.capabilities.contains(&Capability::LogComment).then(comment);
        Call { on, sql: sql.to_owned(), query_id: self.query_id(step), log_comment, timeout }
    }

    /// An answer in a form that no question of the plan has.
    pub(super) fn unreadable(&self, step: &StepId, on: ReplicaId, line: &str) -> ExecuteError {
        let reason = format!("the answer {line:?} cannot be read");
        ExecuteError::InDoubt { step: step.clone(), replica: self.replica_name(on), reason }
    }

    /// A condition that does not hold.
    pub(super) fn drift(&self, step: &StepId, on: ReplicaId, probe: &Probe, found: String) -> ExecuteError {
        let Probe { says, expect, otherwise, .. } = probe.clone();
        let (step, replica) = (step.clone(), self.replica_name(on));
        ExecuteError::Drift { step, replica, says, expected: expect, found, otherwise }
    }

    /// A replica with its address, for people.
    pub(super) fn replica_name(&self, on: ReplicaId) -> String {
        let known = self.plan.cluster.replicas.iter().find(|replica| replica.id == on);
        known.map_or_else(|| on.to_string(), |replica| format!("{on} ({}:{})", replica.host, replica.port))
    }
}
