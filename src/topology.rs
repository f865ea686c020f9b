//! The shape of a cluster: shards, and the replicas of each.

use serde::{Deserialize, Serialize};

use crate::names::ReplicaId;

/// A cluster as `system.clusters` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The cluster's name in `remote_servers`.
    pub cluster: String,
    /// Its shards, by number.
    pub shards: Vec<Shard>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// `shard_num`, from 1.
    pub num: u32,
    /// Its replicas, by number; never empty.
    pub replicas: Vec<Replica>,
}

/// One server that holds a copy of a shard's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Which shard and replica number.
    pub id: ReplicaId,
    /// `host_name`.
    pub host: String,
    /// Native protocol port; `system.clusters` publishes no other.
    pub port: u16,
}

impl Replica {
    /// `host:port`, as people write it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl Topology {
    /// All replicas, by shard and number.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.shards.iter().flat_map(|shard| &shard.replicas)
    }

    /// The replica with this id.
    #[must_use]
    pub fn replica(&self, id: ReplicaId) -> Option<&Replica> {
        self.shards.iter().find(|shard| shard.num == id.shard)?.replicas.iter().find(|replica| replica.id == id)
    }
}

impl Shard {
    /// The ids of its replicas, by number.
    #[must_use]
    pub fn replica_ids(&self) -> Vec<ReplicaId> {
        self.replicas.iter().map(|replica| replica.id).collect()
    }
}
