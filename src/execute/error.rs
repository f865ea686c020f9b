//! How carrying out a plan can fail.

use super::ports::CallError;
use crate::journal::JournalError;
use crate::plan::{GraphError, StepId};
use crate::words::count;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A statement failed, and the server said so.
    #[error("{step} failed on {source}")]
    Call {
        /// The step.
        step: StepId,
        /// Where, and the server's words.
        source: CallError,
    },
    /// What must hold before a step does not.
    #[error("{step}: on {replica} it no longer holds that {says}: expected {expected:?}, found {found:?}")]
    Drift {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// The condition.
        says: String,
        /// The answer that the plan expects.
        expected: String,
        /// The answer given.
        found: String,
    },
    /// Rows differ.
    #[error("{step}: rows differ on {replica} in {}: {}", count(.differences.len(), "partition"), .differences.join("; "))]
    Verification {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// What differs, a partition each.
        differences: Vec<String>,
    },
    /// Rows differ, one by one.
    #[error("{step}: on {replica} {}", .rows.join("; "))]
    Rows {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// What differs: how many rows, in which partitions, and a few of their hashes.
        rows: Vec<String>,
    },
    /// It cannot be told under writes which rows belong where.
    #[error("{step}: the boundary cannot be drawn on {replica} while writers write: {reason}")]
    Fence {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// What was seen.
        reason: String,
    },
    /// Merges that the step stopped could not be started again.
    #[error("{step}: merges stay stopped until `{sql}` is run: {source}")]
    MergesStopped {
        /// The step.
        step: StepId,
        /// The statement that failed.
        sql: String,
        /// Where, and why.
        source: CallError,
    },
    /// Nobody knows whether a step was done, and looking did not tell.
    #[error("{step}: whether it was done on {replica} is in doubt: {reason}")]
    InDoubt {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// What was seen.
        reason: String,
    },
    /// Replication does not get on.
    #[error("{step}: replication on {replica} has made no progress for {seconds} s: {waiting_for}")]
    Stalled {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// How long.
        seconds: u64,
        /// What it waits for.
        waiting_for: String,
    },
    /// What a dead run left running could not be ended.
    #[error("{step}: a query of an earlier run may still be running on {source}")]
    Leftover {
        /// The step.
        step: StepId,
        /// Where, and why it is not known.
        source: CallError,
    },
    /// A rollback was asked for, but data is gone.
    #[error("{step} has begun, and it cannot be undone: {because}")]
    NoReturn {
        /// The step.
        step: StepId,
        /// The reason, from the plan.
        because: String,
    },
    /// A rollback has begun and not ended.
    #[error("a rollback of this plan is under way")]
    RollingBack,
    /// The journal could not be written: without it nothing may be done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The plan's steps do not form a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl ExecuteError {
    /// Whether the step's outcome is unknown, so that it must be looked at before anything else.
    pub fn is_in_doubt(&self) -> bool {
        match self {
            Self::InDoubt { .. } | Self::Leftover { .. } | Self::MergesStopped { .. } | Self::RollingBack => true,
            Self::Call { source, .. } => source.outcome_unknown,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Call { source, .. } if source.code.is_none() => {
                "see that the replica runs and can be reached, then run `execute` again: it goes on from here; \
                 or `rollback` to undo what was done"
            }
            Self::Call { .. } => {
                "correct what the server complains about, then run `execute` again: it goes on from here; \
                 or `rollback` to undo what was done"
            }
            Self::Drift { .. } => {
                "somebody changed the table since the plan was made; `rollback` undoes what was done, then make a new plan"
            }
            Self::Verification { step, .. } if step.as_str().starts_with("reconcile") => {
                "the names are swapped, and readers meet a table that lacks rows or has too many: look into it now; \
                 `rollback` swaps back, but only if nothing would be lost by it"
            }
            Self::Rows { step, .. } if step.as_str().starts_with("reconcile") => {
                "the names are swapped, and both tables are there: look into it now; `execute` looks again, and `rollback` swaps \
                 back, but only if nothing would be lost by it"
            }
            Self::Fence { .. } => {
                "pause the writers of this shard, run `execute --fence` (it proves that they are still before it goes on), and let \
                 them write again once the step is done"
            }
            Self::MergesStopped { .. } => {
                "run `execute` or `rollback` once the replica answers: merges are started first of all"
            }
            Self::Verification { .. } | Self::Rows { .. } => {
                "nothing has been swapped or dropped by this step; `verify` compares again, `rollback` undoes what was done"
            }
            Self::InDoubt { .. } | Self::Leftover { .. } => {
                "look at the replica; once it answers and nothing of ours runs there, `execute` or `rollback` looks again and goes on"
            }
            Self::RollingBack => "run `rollback` to end it; then the plan may be executed anew",
            Self::Stalled { .. } => "look at system.replication_queue on the replica; then run `execute` again",
            Self::NoReturn { .. } => "to go back, plan the opposite change",
            Self::Journal(_) => "the journal is what makes a resume safe; mend it or its disk first",
            Self::Graph(_) => "make the plan anew",
        }
    }
}
