//! What the engine needs of the world: servers to run statements on, a clock, somebody to tell, somebody to ask.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::config::Throttle;
use crate::journal::Progress;
use crate::names::ReplicaId;
use crate::plan::{Gate, Plan, Step, StepId, query_prefix};

/// A statement as the engine sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The replica that runs it.
    pub on: ReplicaId,
    /// The SQL text.
    pub sql: String,
    /// Begins with the plan's prefix, so that what a dead executor left running can be found.
    pub query_id: String,
    /// The same for people: plan, step and chunk. Only where every replica has the setting `log_comment`.
    pub log_comment: Option<String>,
    /// After this long the outcome is unknown.
    pub timeout: Duration,
}

/// A session on one server. It ends by itself some time after its last statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSession {
    /// Its name.
    pub id: String,
    /// Whether it must be there already: if it is not, the server refuses the statement with code 372.
    pub must_exist: bool,
}

/// Why a statement came to nothing, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The replica with its address, for people.
    pub replica: String,
    /// The server's error code, where it gave one.
    pub code: Option<u32>,
    /// What happened.
    pub message: String,
    /// Whether the server may have carried the statement out, or be carrying it out still.
    pub outcome_unknown: bool,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.replica, self.message)
    }
}

impl std::error::Error for CallError {}

/// The cluster.
pub trait Servers: Sync {
    /// Runs a statement and returns its answer as raw tab-separated text without the last line's end.
    fn call(&self, call: Call) -> impl Future<Output = Result<String, CallError>> + Send;

    /// The same in a session, which is to last [`SESSION_SECONDS`](crate::lock::SESSION_SECONDS) beyond it.
    fn call_in(&self, call: Call, session: CallSession) -> impl Future<Output = Result<String, CallError>> + Send;

    /// Rows that the query with this id has written so far, if it is running.
    fn rows_written(&self, on: ReplicaId, query_id: &str) -> impl Future<Output = Option<u64>> + Send;

    /// Ends all queries whose ids begin with `prefix` and waits until none of them runs any more.
    fn end_leftovers(&self, on: ReplicaId, prefix: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// How fast a run may go: asked again and again, since a person may change it while the run goes on.
pub trait Pace: Sync + fmt::Debug {
    /// Why nothing more is to be begun, while a person wants that.
    fn paused(&self) -> Option<String>;

    /// The limits for a copy, or why they cannot be known.
    fn throttle(&self) -> Result<Throttle, String>;
}

/// Somebody to tell what is going on.
pub trait Reporter: Sync {
    /// Something happened.
    fn report(&self, news: News<'_>);
}

/// What the engine has to tell.
#[derive(Debug)]
pub enum News<'a> {
    /// The lock of another run was taken.
    TookOver {
        /// Who held it.
        holder: &'a str,
        /// Whether that process has provably ended.
        is_gone: bool,
    },
    /// A step begins.
    Started(&'a Step),
    /// A step that copies has come this far.
    Copied {
        /// The step.
        step: &'a Step,
        /// Rows in place so far.
        rows: u64,
        /// The chunk under way.
        chunk: &'a str,
    },
    /// A mutation has come this far.
    Mutating {
        /// The step.
        step: &'a Step,
        /// The replica.
        replica: &'a str,
        /// Parts that are to be written anew yet.
        parts: u64,
    },
    /// Nothing is begun for now.
    Held {
        /// The step that waits.
        step: &'a Step,
        /// What for.
        why: &'a str,
    },
    /// An attempt at a step came to nothing, and another one follows.
    Again {
        /// The step.
        step: &'a Step,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// Why.
        why: &'a str,
    },
    /// A step is to be done again, since names are swapped on evidence of now only.
    Lapsed {
        /// The step.
        step: &'a Step,
        /// Why what it saw does not count any more.
        why: &'a str,
    },
    /// What a step asks is not so yet.
    Postponed {
        /// The step.
        step: &'a Step,
        /// What holds it up.
        why: &'a str,
    },
    /// A step is done.
    Done {
        /// The step.
        step: &'a Step,
        /// How long it took.
        took: Duration,
        /// What was seen.
        evidence: &'a str,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: &'a Step,
        /// Why.
        error: &'a str,
    },
    /// A step begins to be undone.
    Undoing(&'a Step),
    /// A step is undone.
    Undone(&'a Step),
}

/// Somebody to ask.
pub trait Approver {
    /// Whether the plan may pass a gate, and who says so.
    fn gate(&mut self, plan: &Plan, progress: &Progress, gate: Gate) -> Decision;
    /// Whether a step may be carried out, when each step is to be asked for.
    fn step(&mut self, step: &Step) -> bool;
}

/// A person's answer at a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Approve {
        /// Who says so.
        by: String,
        /// What they had to say.
        note: String,
    },
    /// Wait here.
    Wait,
}

/// The time of day, as RFC 3339 in UTC.
pub type Clock = fn() -> String;

/// The beginning of the ids of the queries of one step.
pub fn step_prefix(plan: &Plan, step: &StepId) -> String {
    format!("{}{step}-", query_prefix(&plan.id))
}
