//! One step of a plan: exactly what is run where, how to see whether it was done, and how to undo it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::step_id::StepId;
use super::work::{
    AwaitMutations, Backfill, CatchUp, Compare, Drain, ProbeOn, Ready, Redistribute, Run, Settle, Swap, Unread,
};
use crate::names::ReplicaId;

/// The stages of a plan, in order. Edges never lead from a later phase to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Read-only checks that the cluster is as the plan expects and fit for it.
    Preflight,
    /// Definitions changed in place, and what that starts.
    Alter,
    /// New tables, still unused.
    Create,
    /// Where old rows end and mirrored rows begin.
    Boundary,
    /// Copying of the old rows.
    Backfill,
    /// Waiting until every replica has the copy.
    Sync,
    /// Comparing source and shadow.
    Verify,
    /// Swapping the names.
    Cutover,
    /// Checking both sides after the swap.
    Reconcile,
    /// Dropping what is no longer needed.
    Finalize,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 10] = [
        Self::Preflight,
        Self::Alter,
        Self::Create,
        Self::Boundary,
        Self::Backfill,
        Self::Sync,
        Self::Verify,
        Self::Cutover,
        Self::Reconcile,
        Self::Finalize,
    ];

    /// The phase's name as it is written in step ids and shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Alter => "alter",
            Self::Create => "create",
            Self::Boundary => "boundary",
            Self::Backfill => "backfill",
            Self::Sync => "sync",
            Self::Verify => "verify",
            Self::Cutover => "cutover",
            Self::Reconcile => "reconcile",
            Self::Finalize => "finalize",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A place where the plan waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Before the first step that changes anything.
    Start,
    /// Before names are swapped.
    Cutover,
    /// Before old data is dropped, or values are destroyed: the point of no return.
    Finalize,
}

impl Gate {
    /// The gate's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Cutover => "cutover",
            Self::Finalize => "finalize",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// Its phase.
    pub phase: Phase,
    /// The shard it belongs to; none for steps over the whole cluster, at which shards wait for each other.
    pub shard: Option<u32>,
    /// What it does, in a few words, as a command: `create the shadow table`.
    pub title: String,
    /// Why it is there, in a sentence or two.
    pub why: String,
    /// What is run.
    pub action: Action,
    /// How it is taken back.
    pub undo: Undo,
    /// What it is expected to cost.
    pub cost: Cost,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Waits for a person's approval.
    Gate {
        /// Which one.
        gate: Gate,
    },
    /// Asks questions that change nothing; every answer must be the expected one.
    Check {
        /// The questions.
        probes: Vec<ProbeOn>,
    },
    /// Runs statements on replicas, each replica once.
    Run {
        /// Whether replicas take turns, in order, rather than run at the same time.
        one_by_one: bool,
        /// The statements, with the replicas on which they are run.
        runs: Vec<Run>,
    },
    /// Draws the line between the rows that are copied and those that the mirror writes, without stopping the writers.
    Settle(Box<Settle>),
    /// Swaps the names where that takes several renames, and brings over what inserts in the middle of it misplaced.
    Swap(Box<Swap>),
    /// Copies the snapshot into the shadow table through the staging table, chunk by chunk.
    Backfill(Backfill),
    /// Brings the rows of all shards into another table, by another sharding key; and swaps the names, if that is the end of it.
    Redistribute(Box<Redistribute>),
    /// Waits until the replicas have every part that was in the replication log of a table when the wait began.
    CatchUp(CatchUp),
    /// Waits until every insert that had begun has ended and has reached every replica.
    Drain(Drain),
    /// Waits until the mutations of a table are done on every replica.
    AwaitMutations(AwaitMutations),
    /// Asks whether nobody has read columns for a while; if somebody has, the plan waits.
    Unread(Box<Unread>),
    /// Compares two tables on every replica named, and puts right what it can.
    Compare(Box<Compare>),
    /// Looks whether all shards are fit to be swapped, so that none is swapped where another one cannot be.
    Ready(Ready),
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// By these statements.
    Run {
        /// Whether replicas take turns.
        one_by_one: bool,
        /// The statements.
        runs: Vec<Run>,
        /// What is waited for or compared after that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        then: Vec<Action>,
    },
    /// There is nothing to take back, for this reason.
    Nothing {
        /// The reason as a sentence.
        because: String,
    },
    /// It cannot be taken back: the step lies behind the point of no return.
    Impossible {
        /// The reason as a sentence.
        because: String,
    },
}

/// What a step is expected to cost; zero where that is next to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Rows read or written.
    pub rows: u64,
    /// Bytes on disk of them.
    pub bytes: u64,
    /// Seconds.
    pub seconds: u64,
}

impl Action {
    /// Whether the step changes anything on a server.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Gate { .. }
            | Self::Check { .. }
            | Self::CatchUp(_)
            | Self::Drain(_)
            | Self::AwaitMutations(_)
            | Self::Unread(_)
            | Self::Ready(_) => true,
            Self::Compare(compare) => compare.repair.is_none(),
            Self::Run { .. } | Self::Settle(_) | Self::Swap(_) | Self::Backfill(_) | Self::Redistribute(_) => false,
        }
    }

    /// The statements that are run once on each of some replicas.
    pub fn runs(&self) -> &[Run] {
        match self {
            Self::Run { runs, .. } => runs,
            Self::Settle(settle) => &settle.mirror,
            Self::Swap(swap) => &swap.runs,
            Self::Redistribute(work) => work.last.as_ref().map_or(&[], |last| &last.runs),
            _ => &[],
        }
    }

    /// The replicas on which the step does something, in order, each once.
    pub fn replicas(&self) -> Vec<ReplicaId> {
        let mut all: Vec<ReplicaId> = match self {
            Self::Gate { .. } => Vec::new(),
            Self::Check { probes } => probes.iter().flat_map(|probe| probe.on.clone()).collect(),
            Self::Run { runs, .. } => runs.iter().flat_map(|run| run.on.clone()).collect(),
            Self::Settle(settle) => settle.unmirror.on.clone(),
            Self::Swap(swap) => swap.compare.on.clone(),
            Self::Backfill(backfill) => vec![backfill.on],
            Self::Redistribute(work) => work.on.clone(),
            Self::CatchUp(wait) => wait.on.clone(),
            Self::Drain(drain) => drain.on.clone(),
            Self::AwaitMutations(wait) => wait.groups.iter().flat_map(|group| group.on.clone()).collect(),
            Self::Unread(unread) => unread.logs.iter().flat_map(|log| log.on.clone()).collect(),
            Self::Compare(compare) => compare.on.clone(),
            Self::Ready(ready) => ready.probes.iter().flat_map(|probe| probe.on.clone()).collect(),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Undo {
    /// The statements that are run first, once on each of some replicas.
    pub fn runs(&self) -> &[Run] {
        match self {
            Self::Run { runs, .. } => runs,
            Self::Nothing { .. } | Self::Impossible { .. } => &[],
        }
    }
}
