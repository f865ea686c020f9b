//! The plan: a dependency graph of steps, with everything that an executor and a reviewer need to know.

mod alter;
mod check;
pub mod definition;
pub mod file;
mod frame;
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
mod unread;
mod work;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use alter::build as build_alter;
pub use check::check;
pub use graph::{Graph, GraphError};
pub use rebuild::{BuildError, Fence, build, build_reshard};
pub use related::leads_outside;
pub use sql::{
    converted, hash_argument, list_partitions, of_table, partition_id_of_row, query_prefix, row_hash, rows_without,
    running_inserts,
};
pub use step::{Action, Cost, Gate, Phase, Step, Undo};
pub use step_id::StepId;
pub use template::Template;
pub use unread::{Asked, LOG_SHAPES_MAX, QUERY_BYTES_MAX, log_columns, unread};
pub use work::{
    AwaitMutations, Backfill, CatchUp, Compare, CompareMode, Drain, Drill, Feed, Gap, GapBy, Give, Last, LogQueries,
    MutationGroup, Otherwise, PartitionSize, Probe, ProbeOn, Ready, Redistribute, Repair, Run, Settle, Signal,
    SignalKind, Slices, Still, Swap, Truth, Unread, Unseen, Watch,
};

use crate::assess::{Evaluation, Finding, Retirement};
use crate::catalog::Keys;
use crate::change::TypeChange;
use crate::names::{ReplicaId, TableName, own_name};
use crate::snapshot::Capability;

/// The version of the plan file that this build writes and reads.
pub const FORMAT_VERSION: u32 = 11;
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
    /// Columns that are dropped once nobody has read them for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retirement: Option<Retirement>,
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
    /// ALTERs that change definitions and no stored row.
    InPlace,
    /// An ALTER for which the servers write parts anew, and the ALTERs of definitions that go with it.
    Mutation,
    /// New table, every row sent to the shard of another sharding key, swap with writers still.
    Reshard,
}

impl Strategy {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mirror => "mirror",
            Self::InPlace => "in_place",
            Self::Mutation => "mutation",
            Self::Reshard => "reshard",
        }
    }
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
    /// What it comes to.
    pub what: Changed,
}

/// What a change comes to, with what only plans for such a change have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// Keys: the table is made anew.
    Keys(Box<Rebuild>),
    /// What commands of an ALTER change, table by table.
    Commands(Vec<TableCommands>),
    /// The sharding key of a `Distributed` table: rows move between shards.
    Sharding(Box<Reshard>),
}

/// What is sent to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCommands {
    /// The table.
    pub table: TableName,
    /// The commands, as they follow `ALTER TABLE t`, those of one statement together; in the order in which they are sent.
    pub statements: Vec<String>,
    /// The whole of them as one: what is written anew or lost, for people.
    pub effect: String,
}

/// What a rebuild changes, and the tables that it makes for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Keys before, in the server's normal form.
    pub before: Keys,
    /// Keys after, in the server's normal form.
    pub after: Keys,
    /// Engine before and after, without arguments.
    pub engine: [String; 2],
    /// Columns that get another type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeChange>,
    /// The tables that it makes. They bear names that no other plan uses at the same time.
    pub tables: RebuildTables,
    /// What `evaluate` measured of the change, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
}

/// What a change of sharding key changes, and the tables that are made for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshard {
    /// The `Distributed` table.
    pub distributed: TableName,
    /// Its sharding key before and after, in the server's normal form; none before where it had none.
    pub before: Option<String>,
    /// The key after.
    pub after: String,
    /// The tables that it makes.
    pub tables: ReshardTables,
}

/// The tables that a change of sharding key makes, and the names that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReshardTables {
    /// The new local table until the cutover, the old data after it.
    pub shadow: TableName,
    /// The `Distributed` table with the new key until the cutover, the one with the old key after it.
    pub next: TableName,
    /// By which rows come to `shadow` by the new key, on one replica of each shard.
    pub route: TableName,
    /// The same by the old key, for the way back.
    pub back: TableName,
    /// By which the rows of the live table are read over all shards.
    pub gather: TableName,
    /// The names used in between by swaps of three renames.
    pub swap: TableName,
    /// The same of the `Distributed` table.
    pub swap_next: TableName,
}

impl ReshardTables {
    /// Those of a change of this `Distributed` table over this local one.
    pub fn of(source: &TableName, distributed: &TableName) -> Self {
        let [shadow, route, back, gather, swap] =
            ["shadow", "route", "back", "gather", "swap"].map(|role| own_name(source, role));
        let [next, swap_next] = ["next", "swap"].map(|role| own_name(distributed, role));
        Self { shadow, next, route, back, gather, swap, swap_next }
    }

    /// All of them, what reads and writes others first.
    pub fn all(&self) -> [&TableName; 7] {
        [&self.next, &self.route, &self.back, &self.gather, &self.shadow, &self.swap, &self.swap_next]
    }
}

/// The tables that a plan works with and does not make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// The local table that changes.
    pub source: TableName,
    /// `Distributed` tables over it. A rebuild touches them only where types of columns change.
    pub distributed: Vec<TableName>,
    /// Materialized views that read from it; they are not touched.
    pub views: Vec<TableName>,
    /// The lock that keeps two runs apart, on the cluster's first replica while a run is under way. No step touches it.
    pub lock: TableName,
}

/// The tables that a rebuild makes, and the name that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildTables {
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
}

impl RebuildTables {
    /// Those of a rebuild of this table.
    pub fn of(source: &TableName) -> Self {
        let [shadow, snapshot, staging, mirror, swap] =
            ["shadow", "snapshot", "staging", "mirror", "swap"].map(|role| own_name(source, role));
        Self { shadow, snapshot, staging, mirror, swap }
    }

    /// All of them, what reads and writes others first.
    pub fn all(&self) -> [&TableName; 5] {
        [&self.mirror, &self.staging, &self.snapshot, &self.shadow, &self.swap]
    }
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
    /// The replica that the shard's copy is made on, or that rows and bytes were read of.
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

    /// What a rebuild has; none for a plan of another kind.
    pub fn rebuild(&self) -> Option<&Rebuild> {
        match &self.change.what {
            Changed::Keys(rebuild) => Some(rebuild),
            Changed::Commands(_) | Changed::Sharding(_) => None,
        }
    }

    /// What a change of sharding key has; none for a plan of another kind.
    pub fn reshard(&self) -> Option<&Reshard> {
        match &self.change.what {
            Changed::Sharding(reshard) => Some(reshard),
            Changed::Keys(_) | Changed::Commands(_) => None,
        }
    }

    /// Whether it changes tables where they are, and makes none.
    pub fn alters(&self) -> bool {
        matches!(self.change.what, Changed::Commands(_))
    }

    /// The tables that it makes; none for a plan that alters tables where they are.
    pub fn own_tables(&self) -> Vec<&TableName> {
        match &self.change.what {
            Changed::Keys(rebuild) => rebuild.tables.all().into(),
            Changed::Sharding(reshard) => reshard.tables.all().into(),
            Changed::Commands(_) => Vec::new(),
        }
    }

    /// Whether a gate must be passed from which there is no way back.
    pub fn has_gate(&self, wanted: Gate) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Gate { gate } if gate == wanted))
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
