//! Everything that was observed of a cluster at one time: the input of assessing and planning.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Table};
use crate::names::{ReplicaId, TableName};
use crate::topology::Topology;

/// A cluster as it was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its shards and replicas.
    pub topology: Topology,
    /// What each replica of the topology answered.
    pub replicas: BTreeMap<ReplicaId, Observation>,
}

/// What asking one replica came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// It answered every question.
    Answered(Box<ReplicaState>),
    /// It did not, for this reason.
    Failed(String),
}

/// One replica's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// `version()`.
    pub version: String,
    /// `system.macros`.
    pub macros: BTreeMap<String, String>,
    /// What this server can do, as probed.
    pub capabilities: BTreeSet<Capability>,
    /// Its databases and their engines, those of the system left out.
    pub databases: BTreeMap<String, String>,
    /// Its tables and views, those of the system databases left out.
    #[serde(with = "catalog_entries")]
    pub tables: Catalog,
    /// Disks and their free bytes, where the server has `system.disks`.
    pub disks: Option<Vec<Disk>>,
}

/// Something that a server can or cannot do; probed, not concluded from the version alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// `system.zookeeper` can be read.
    Keeper,
    /// The virtual column `_partition_id` exists.
    PartitionIdColumn,
    /// The setting `log_comment` exists.
    LogComment,
    /// The setting `optimize_on_insert` exists.
    OptimizeOnInsert,
    /// `EXCHANGE TABLES` works in Atomic databases, and `DROP … SYNC` is understood.
    Exchange,
    /// `system.disks` exists.
    Disks,
    /// A view that writes into a table leaves its MATERIALIZED columns to it, and must. Servers as old as 18.16 refuse the
    /// insert unless the view gives them.
    ViewsLeaveMaterialized,
    /// `system.processes` says of what kind a query is.
    QueryKind,
    /// Inserts may be queued and written later.
    AsyncInserts,
    /// A user can ask what it may do.
    CheckGrant,
    /// Sends of Distributed tables can be stopped.
    DistributedSends,
    /// The virtual column `_part_offset` exists: rows of a part have numbers.
    PartOffsetColumn,
    /// `system.tables` has `data_path`. Servers as old as that leave the directory of a `Distributed` table that is renamed as it was.
    DataPath,
    /// An insert can write with several threads.
    InsertThreads,
    /// Servers may carry out an INSERT SELECT between `Distributed` tables shard by shard, and must be told not to.
    DistributedInsertSelect,
    /// `cityHash64` takes values of every type.
    HashesAnyType,
    /// A mutation can be ended by `KILL MUTATION`.
    KillMutation,
    /// `system.mutations` says why a mutation does not get on.
    MutationFailReason,
    /// An ALTER takes settings, and can be told not to wait for what it starts. Servers without it are as old as 18.16: there
    /// `COMMENT` of a column destroys the definition of a Replicated table.
    MutationsSync,
}

/// Free space of one disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its name in the storage configuration.
    pub name: String,
    /// Bytes free for new data.
    pub free_bytes: u64,
    /// Size of the disk in bytes.
    pub total_bytes: u64,
}

impl Snapshot {
    /// The state of a replica that answered.
    pub fn state(&self, id: ReplicaId) -> Option<&ReplicaState> {
        match self.replicas.get(&id)? {
            Observation::Answered(state) => Some(state),
            Observation::Failed(_) => None,
        }
    }

    /// A table as one replica describes it.
    pub fn table(&self, id: ReplicaId, name: &TableName) -> Option<&Table> {
        self.state(id)?.tables.get(name)
    }

    /// Replicas that did not answer, with the reasons.
    pub fn unreachable(&self) -> impl Iterator<Item = (ReplicaId, &str)> {
        self.replicas.iter().filter_map(|(id, observation)| match observation {
            Observation::Answered(_) => None,
            Observation::Failed(reason) => Some((*id, reason.as_str())),
        })
    }

    /// What every replica that answered can do.
    pub fn common_capabilities(&self) -> BTreeSet<Capability> {
        let mut each = self.replicas.keys().filter_map(|id| self.state(*id)).map(|state| &state.capabilities);
        let first = each.next().cloned().unwrap_or_default();
        each.fold(first, |common, next| common.intersection(next).copied().collect())
    }

    /// Whether every replica that answered has the capability.
    pub fn all_have(&self, capability: Capability) -> bool {
        self.replicas.keys().filter_map(|id| self.state(*id)).all(|state| state.capabilities.contains(&capability))
    }
}

/// JSON has no maps with structured keys: tables are written as a list, each with its name inside.
mod catalog_entries {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::catalog::{Catalog, Table};

    pub(super) fn serialize<S: Serializer>(catalog: &Catalog, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(catalog.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Catalog, D::Error> {
        let tables = Vec::<Table>::deserialize(deserializer)?;
        Ok(tables.into_iter().map(|table| (table.name.clone(), table)).collect())
    }
}
