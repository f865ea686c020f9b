//! One line of the journal.

use serde::{Deserialize, Serialize};

use crate::plan::{Gate, StepId};

/// One line: a number, a time and what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// When it was written, UTC, as RFC 3339.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen to a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The journal begins: the plan that it belongs to.
    Opened {
        /// SHA-256 of the plan's content.
        plan_sha256: String,
    },
    /// An executor begins to work.
    RunStarted {
        /// Version of the tool.
        version: String,
        /// Its process id, to tell runs on one machine apart.
        pid: u32,
        /// What the run is called in the lock and in the ids of its queries.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        run: String,
        /// The fencing token that it takes the lock with, or tries to.
        #[serde(default)]
        token: u64,
    },
    /// A person let the plan pass a gate.
    Approved(Approval),
    /// A step is about to be carried out.
    Started {
        /// The step.
        step: StepId,
    },
    /// The parts that two tables have before their names are swapped, or before they are compared for the last time ahead of that: what
    /// comes later, or is gone, is looked at.
    Marked {
        /// The step.
        step: StepId,
        /// Of the table that had the source's name when the plan was made.
        old: Vec<String>,
        /// Of the new table.
        new: Vec<String>,
    },
    /// A chunk of a backfill is about to be copied into an empty staging table.
    ChunkStarted {
        /// The step.
        step: StepId,
        /// The chunk.
        chunk: String,
    },
    /// The chunk is in the staging table, compared and equal; a partition of it is about to be attached.
    Attaching {
        /// The step.
        step: StepId,
        /// The chunk.
        chunk: String,
        /// The staging table's partition.
        partition: String,
    },
    /// The partition is in the shadow table.
    Attached {
        /// The step.
        step: StepId,
        /// The chunk.
        chunk: String,
        /// The staging table's partition.
        partition: String,
    },
    /// All of the chunk is in the shadow table.
    ChunkDone {
        /// The step.
        step: StepId,
        /// The chunk.
        chunk: String,
        /// Its rows.
        rows: u64,
    },
    /// A step is done and its postcondition holds.
    Done {
        /// The step.
        step: StepId,
        /// How long it took.
        milliseconds: u64,
        /// What was seen, in a few words: rows compared, replicas waited for.
        evidence: String,
    },
    /// A step failed; nothing of it is under way any more.
    Failed {
        /// The step.
        step: StepId,
        /// What went wrong.
        error: String,
    },
    /// What a step asks is not so yet. Nothing failed, and it is asked again in a later run.
    Postponed {
        /// The step.
        step: StepId,
        /// What holds it up.
        why: String,
        /// When to ask again.
        again: String,
    },
    /// What a step saw is too old to act on, or does not hold any more: it is to be done again.
    Lapsed {
        /// The step.
        step: StepId,
    },
    /// From here on steps are undone.
    RollbackStarted {
        /// Why, although both sides differ, if a person gave a reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        despite_differences: Option<String>,
    },
    /// A step is about to be undone.
    Undoing {
        /// The step.
        step: StepId,
    },
    /// A step is undone and the cluster is as it was before the step.
    Undone {
        /// The step.
        step: StepId,
    },
    /// Everything is undone. The plan may be executed again, from the beginning and with new approvals.
    RolledBack,
}

/// A person's approval of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The gate.
    pub gate: Gate,
    /// Who approved.
    pub by: String,
    /// What they had to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}
