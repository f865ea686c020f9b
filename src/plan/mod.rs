//! The plan: a dependency graph of steps, with everything that an executor and a reviewer need to know.

mod check;
pub mod definition;
pub mod file;
mod graph;
pub mod probes;
mod rebuild;
mod related;
mod sql;
mod step;
mod step_id;
mod template;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use check::check;
pub use graph::{Graph, GraphError};
pub use rebuild::{BuildError, Fence, build};
pub use related::leads_outside;
pub use sql::{hash_argument, list_partitions, of_table, partition_id_of_row, row_hash, running_inserts};
pub use step::{Action, Cost, Gate, Phase, Step, Undo};
pub use step_id::StepId;
pub use template::Template;
pub use work::{
    Backfill, CatchUp, Compare, CompareMode, Drain, Drill, Feed, Gap, GapBy, Give, Otherwise, PartitionSize, Probe,
    ProbeOn, Repair, Run, Settle, Signal, SignalKind, Slices, Swap, Truth, Watch,
};

use crate::assess::Finding;
use crate::catalog::Keys;
use crate::names::{ReplicaId, TableName};
use crate::snapshot::Capability;

/// The version of the plan file that this build writes and reads.
pub const FORMAT_VERSION: u32 = 4;
/// Most rows that are looked at one by one when two tables differ.
pub const SUSPECTS_MAX: usize = 100_000;

/// A plan. Written as canonical JSON; see [`Plan::steps`] for the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the file's format.
    pub format_version: u32,
    /// Eight hex digits that tell this plan's objects and Keeper paths from those of any other plan.
    pub id: String,
    /// The strategy chosen.
    pub strategy: Strategy,
    /// Why that strategy, and which of the servers' abilities it uses.
    pub choices: Vec<String>,
    /// What every replica could do when the plan was made; the steps are written for these abilities and no others.
    pub capabilities: BTreeSet<Capability>,
    /// The cluster that the plan is for.
    pub cluster: ClusterIdentity,
    /// What changes.
    pub change: ChangeSummary,
    /// The tables that the plan works with.
    pub objects: Objects,
    /// Definitions of the tables involved, as they were on each replica: what "stale" is measured against.
    pub fingerprints: Vec<Fingerprint>,
    /// Definitions of what else hangs on the source or is needed to make it anew: what views write to and read, chains of
    /// views, dictionaries, queues. Needed to rehearse the plan, and of no consequence to it. Where a table leads outside, how
    /// it gets there is left out.
    pub related: Vec<Fingerprint>,
    /// What assessing found; no blocker among them stands unsuppressed.
    pub findings: Vec<Finding>,
    /// Rows and bytes of the source table per shard, on the backfill replica.
    pub sizes: Vec<ShardSize>,
    /// The steps, ordered so that each comes after all it depends on.
    pub steps: Vec<Step>,
    /// What must be done before what, and why.
    pub edges: Vec<Edge>,
}

/// How a change is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// New table, mirror, backfill, swap.
    Mirror,
}

/// The cluster that a plan was made for. A plan is refused on any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// Its name in `remote_servers`.
    pub name: String,
    /// Its replicas.
    pub replicas: Vec<ReplicaIdentity>,
}

/// A replica as the plan knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaIdentity {
    /// Shard and replica number.
    pub id: ReplicaId,
    /// `host_name` of `system.clusters`.
    pub host: String,
    /// Native protocol port.
    pub port: u16,
    /// `version()`.
    pub version: String,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSummary {
    /// The statement as the person wrote it.
    pub statement: String,
    /// Keys before, in the server's normal form.
    pub before: Keys,
    /// Keys after, in the server's normal form.
    pub after: Keys,
    /// Engine before and after, without arguments.
    pub engine: [String; 2],
}

/// The tables that a plan works with. Those that it makes bear names that no other plan uses at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// The local table whose key changes.
    pub source: TableName,
    /// `Distributed` tables over it; they are not touched.
    pub distributed: Vec<TableName>,
    /// Materialized views that read from it; they follow the name and are not touched.
    pub views: Vec<TableName>,
    /// The new table until the cutover, the old data after it.
    pub shadow: TableName,
    /// Hard-link clone of the source at the boundary, on the backfill replica of each shard.
    pub snapshot: TableName,
    /// Where chunks are copied and checked before they are attached, on the same replica.
    pub staging: TableName,
    /// The view that copies new inserts into the shadow.
    pub mirror: TableName,
    /// The name used in between by a swap of three renames.
    pub swap: TableName,
    /// The lock that keeps two runs apart, on the cluster's first replica while a run is under way. No step touches it.
    pub lock: TableName,
}

/// A definition as it was on one or more replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The table.
    pub table: TableName,
    /// The replicas on which it is defined so.
    pub on: Vec<ReplicaId>,
    /// `cityHash64` of the definition's text, in decimal, as the servers compute it.
    pub definition_hash: String,
    /// The definition's text.
    pub definition: String,
}

/// Size of the source table on one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardSize {
    /// The shard's number.
    pub shard: u32,
    /// The replica that the shard's copy is made on.
    pub backfill_replica: ReplicaId,
    /// Rows in active parts.
    pub rows: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Number of partitions.
    pub partitions: u64,
}

/// One step must be done before another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// The earlier step.
    pub from: StepId,
    /// The later step.
    pub to: StepId,
    /// Why, as a sentence.
    pub because: String,
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// The replica that has the lock: the first one, by which plans for the same cluster meet.
    pub fn lock_replica(&self) -> ReplicaId {
        let ids = self.cluster.replicas.iter().map(|replica| replica.id);
        ids.min().unwrap_or(ReplicaId { shard: 1, replica: 1 })
    }

    /// The comparisons' queries, each with a replica on which it can be tried.
    pub fn comparison_queries(&self) -> impl Iterator<Item = (ReplicaId, &str)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Compare(compare) if step.phase == Phase::Verify => {
                Some((*compare.on.first()?, compare.left.as_str()))
            }
            _ => None,
        })
    }

    /// Rows of the source over all shards.
    pub fn rows(&self) -> u64 {
        self.sizes.iter().map(|size| size.rows).sum()
    }

    /// Bytes of the source over all shards, one replica each.
    pub fn bytes(&self) -> u64 {
        self.sizes.iter().map(|size| size.bytes).sum()
    }
}
