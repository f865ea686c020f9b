//! How carrying out a plan can fail.

use super::ports::CallError;
use crate::journal::JournalError;
use crate::names::TableName;
use crate::plan::{GraphError, Otherwise, StepId};
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
        /// What that means.
        otherwise: Otherwise,
    },
    /// Nothing failed: what the step asks is not so yet.
    #[error("{step} is postponed: {why}; {again}")]
    Postponed {
        /// The step.
        step: StepId,
        /// What holds it up.
        why: String,
        /// When to ask again.
        again: String,
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
    /// Rows differ after a swap, and not because an insert fell into it.
    #[error("{step}: on {replica} {}; rows were deleted or altered since the comparison before the swap, in {}", .rows.join("; "), .altered.join(" and "))]
    Altered {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// What differs.
        rows: Vec<String>,
        /// Where rows were deleted or altered.
        altered: Vec<String>,
    },
    /// Rows were deleted or altered while shards waited for each other before the swap.
    #[error("{step}: while shards waited for each other rows were deleted or altered in {}", .altered.join(" and "))]
    Outdated {
        /// The step.
        step: StepId,
        /// The comparisons that must be made again.
        lapsed: Vec<StepId>,
        /// Where rows were deleted or altered.
        altered: Vec<String>,
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
    /// Writers go on where what they change cannot be compared, or could not be put right.
    #[error("{step}: {reason}")]
    Restless {
        /// The step.
        step: StepId,
        /// What was seen.
        reason: String,
    },
    /// Writers go on where they must be still.
    #[error("{step}: writers are not still: {} came in on {replica} within seconds", count(*.rows, "row"))]
    Written {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// Rows that came in.
        rows: u64,
    },
    /// Rows came in while names were swapped, though writers were to be still.
    #[error("{step}: the names are swapped, and {} that came in meanwhile are in the table that had them before, and not in the one that has them now", count(*.rows, "row"))]
    Behind {
        /// The step.
        step: StepId,
        /// Rows that came in.
        rows: u64,
        /// Whether it was the way back.
        is_back: bool,
    },
    /// The old data has other rows than the table, so that going back would bring rows back.
    #[error("{step}: the old data has rows that the table has not: {}", .differences.join("; "))]
    Returning {
        /// The step.
        step: StepId,
        /// What differs, a partition each.
        differences: Vec<String>,
    },
    /// What the step stopped, merges or a feed, could not be started again.
    #[error("{step}: what it stopped stays so until `{sql}` is run: {source}")]
    StaysStopped {
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
    /// A mutation fails, or does not get on.
    #[error("{step}: mutation {mutation} is not done on {replica}: {reason}")]
    Mutation {
        /// The step.
        step: StepId,
        /// The replica.
        replica: String,
        /// Its id in `system.mutations`, and its command.
        mutation: String,
        /// The server's words, or what was seen; and what ends it.
        reason: String,
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
    /// Another run holds the lock.
    #[error("the lock {lock} on {replica} is held by {holder}; {sign_of_life}")]
    Locked {
        /// The lock.
        lock: TableName,
        /// The replica that has it.
        replica: String,
        /// Who holds it.
        holder: String,
        /// When it was last heard of.
        sign_of_life: String,
    },
    /// Where the lock should be is something else.
    #[error("there is a table {lock} on {replica}, and it is no lock that this version can read")]
    ForeignLock {
        /// The lock.
        lock: TableName,
        /// The replica that has it.
        replica: String,
    },
    /// The run held the lock, and does not any more.
    #[error("this run no longer holds the lock and has stopped: {by}")]
    TakenOver {
        /// Who has it now, or that nobody has.
        by: String,
    },
    /// The lock is to be taken over from a run of this plan that the journal has never heard of.
    #[error("the lock {lock} is held by {holder}, and that run did not write to this journal")]
    OtherJournal {
        /// The lock.
        lock: TableName,
        /// Who holds it.
        holder: String,
    },
    /// What a run that lost its lock left running could not be ended.
    #[error("the lock is taken, but a query of the run that held it may still be running on {source}")]
    LeftoverOfHolder {
        /// Where, and why it is not known.
        source: CallError,
    },
    /// The run is over but could not give the lock back.
    #[error("all went as it should, but the lock {lock} could not be given back on {source}")]
    Unreleased {
        /// The lock.
        lock: TableName,
        /// Where, and why not.
        source: CallError,
    },
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
            Self::InDoubt { .. } | Self::Leftover { .. } | Self::StaysStopped { .. } | Self::RollingBack => true,
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
            Self::Drift { otherwise, .. } => of_drift(*otherwise),
            Self::Postponed { .. } => {
                "run `execute` again then: it goes on from here; or `rollback` to undo what was done"
            }
            Self::Altered { .. } => {
                "the names are swapped, and nothing was put right: it would bring back what was deleted. Do to the one table what was \
                 done to the other one (DELETE, UPDATE, DROP PARTITION), then run `execute` again: it compares and goes on from here"
            }
            Self::Outdated { .. } => {
                "no name has been swapped. Such shards were compared again, and rows were deleted or altered once more: pause what does that \
                 until the names are swapped, then run `execute` again: it compares all shards anew and goes on"
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
            Self::Restless { .. } => {
                "nothing is lost: pause the writers of the table and run the same command again; let them write once the names are swapped and compared"
            }
            Self::Written { .. } => {
                "no name has been swapped. Stop the writers, those of queues and streams too (`--fence feeds` makes a plan that stops such \
                 tables itself), then run `execute` again"
            }
            Self::Behind { is_back: true, .. } => {
                "nothing is lost, and nothing was dropped: stop all writers and run `rollback` again, which brings these rows over"
            }
            Self::Behind { .. } => {
                "nothing is lost: `rollback --despite-differences REASON` goes back to the old data, which has these rows, and sends it what the new \
                 table got since. Then stop all writers before the gate `cutover` is approved again"
            }
            Self::Returning { .. } => {
                "they were deleted or altered since the swap, or came in while it went on. Delete them from the old data too and run `rollback` again; \
                 or `rollback --despite-differences REASON`, which brings them back"
            }
            Self::StaysStopped { .. } => {
                "run `execute` or `rollback` once the replica answers: what was stopped is started first of all"
            }
            Self::Verification { .. } | Self::Rows { .. } => {
                "nothing was dropped; `verify` compares again, `rollback` undoes what was done"
            }
            Self::InDoubt { .. } | Self::Leftover { .. } => {
                "look at the replica; once it answers and nothing of ours runs there, `execute` or `rollback` looks again and goes on"
            }
            Self::Locked { .. } => {
                "wait until that run ends. If its process is gone or must not go on, take the lock from it with `--take-over`: \
                 what it left running is ended first, and should it still live, it stops before its next statement"
            }
            Self::ForeignLock { .. } => "see what it is; if nobody needs it, drop it",
            Self::TakenOver { .. } => {
                "nothing was sent since. The plan is in the hands of the other run, and its journal is the one that counts; \
                 if there is no other run, `execute` or `rollback` goes on from here"
            }
            Self::OtherJournal { .. } => {
                "the journal beside the plan must be the one that the holder wrote to: copy it here and try again. If it is \
                 lost and that process is gone, drop the lock by hand and see what `status` and the cluster have"
            }
            Self::LeftoverOfHolder { .. } => {
                "nothing was changed; once that replica answers, the same command with `--take-over` tries again"
            }
            Self::Unreleased { .. } => {
                "the next `execute` or `rollback` on this machine gives it back, or drop that table by hand"
            }
            Self::RollingBack => "run `rollback` to end it; then the plan may be executed anew",
            Self::Mutation { .. } => {
                "the server tries again and again, and later mutations wait for this one. Once the cause is gone, run `execute` \
                 again: it waits on; or `rollback`, which ends the mutation where the plan has a way back"
            }
            Self::Stalled { .. } => "look at system.replication_queue on the replica; then run `execute` again",
            Self::NoReturn { .. } => "to go back, plan the opposite change",
            Self::Journal(_) => "the journal is what makes a resume safe; mend it or its disk first",
            Self::Graph(_) => "make the plan anew",
        }
    }
}

/// What to do about a condition that does not hold.
fn of_drift(otherwise: Otherwise) -> &'static str {
    match otherwise {
        Otherwise::Busy => {
            "it was waited for; once it holds, run the same command again: it goes on from here. What does not end by itself stands in \
             system.mutations or system.replication_queue with its reason; `KILL MUTATION` ends a mutation where the server has it"
        }
        Otherwise::Unfit => {
            "see to it, then run `execute` again: it goes on from here; or `rollback` to undo what was done"
        }
        Otherwise::Beyond => {
            "take these rows out of the table and run `rollback` again, or keep the new table: `finalize`"
        }
        Otherwise::Apart => {
            "give both tables the column, or take it away from the one that has it, then run the same command again; the values that \
             the live table got in it meanwhile are not in the other one. Or keep the new table: `finalize`"
        }
        Otherwise::Foreign => {
            "the way back carries the columns that the plan was made for: take the others away again, with their values, and run `rollback`; or keep \
             the new tables: `finalize`"
        }
        Otherwise::Changed => {
            "somebody changed the table since the plan was made; `rollback` undoes what was done, then make a new plan"
        }
    }
}
