//! What a cluster holds, for people and programs: replicas, tables by shard, and where replicas differ.

mod differences;
mod display;
mod graph;
mod related;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use differences::{Difference, Subject};
pub use display::tables;
pub use graph::{Edge, Graph, Node, Relation};

use crate::catalog::{Column, Keys, Partition, Replication, Table};
use crate::ddl;
use crate::names::{ReplicaId, TableName};
use crate::snapshot::{Disk, Observation, Snapshot};
use crate::topology::{Replica, Shard};

/// Version of the JSON document.
const FORMAT_VERSION: u32 = 1;

/// Everything that `inspect` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this document's format.
    pub format_version: u32,
    /// The cluster's name.
    pub cluster: String,
    /// Its shards.
    pub shards: Vec<ShardReport>,
    /// Its tables and views, by name.
    pub tables: Vec<TableReport>,
    /// How tables feed, fill and read each other.
    pub graph: Graph,
    /// What differs between replicas that should be alike.
    pub differences: Vec<Difference>,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShardReport {
    /// `shard_num`.
    pub num: u32,
    /// Its replicas.
    pub replicas: Vec<ReplicaReport>,
}

/// One replica.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplicaReport {
    /// Its id.
    pub replica: ReplicaId,
    /// Its host.
    pub host: String,
    /// Its native port.
    pub port: u16,
    /// Its version, if it answered.
    pub version: Option<String>,
    /// Whether it answered every question.
    pub reachable: bool,
    /// Why it did not.
    pub error: Option<String>,
    /// Its macros.
    pub macros: BTreeMap<String, String>,
    /// Its disks, if it can tell.
    pub disks: Option<Vec<Disk>>,
}

/// One table or view, as the first replica that has it describes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// Name: `database` and `name`.
    pub database: String,
    /// The table within the database.
    pub name: String,
    /// The engine's name.
    pub engine: String,
    /// The engine with arguments and clauses.
    pub engine_full: String,
    /// Sorting key; this and the other keys are empty if there is none.
    pub sorting_key: String,
    /// Primary key.
    pub primary_key: String,
    /// Partition key.
    pub partition_key: String,
    /// Sampling key.
    pub sampling_key: String,
    /// Columns by position.
    pub columns: Vec<Column>,
    /// Where a `Distributed` table's rows are.
    pub distributed: Option<DistributedReport>,
    /// What a view reads and writes.
    pub view: Option<ViewReport>,
    /// Views that the server knows to read from it.
    pub dependents: Vec<TableName>,
    /// Its data by shard, where a replica has the table.
    pub shards: Vec<TableShard>,
}

/// Where a `Distributed` table's rows are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistributedReport {
    /// The cluster.
    pub cluster: String,
    /// The database on each shard; none if the definition leaves it to the session.
    pub database: Option<String>,
    /// The table on each shard.
    pub table: String,
    /// The sharding key, if it can be written to.
    pub sharding_key: Option<String>,
}

/// What a view reads and writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ViewReport {
    /// Whether it is materialized.
    pub materialized: bool,
    /// The tables after FROM and JOIN.
    pub sources: Vec<TableName>,
    /// The table that it writes to, if it is named.
    pub target: Option<TableName>,
}

/// A table on one shard: the figures of the replica with most rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableShard {
    /// `shard_num`.
    pub num: u32,
    /// Rows in active parts.
    pub rows: u64,
    /// Bytes on disk in active parts, on one replica.
    pub bytes: u64,
    /// Active partitions.
    pub partitions: Vec<Partition>,
    /// The table on each replica that has it.
    pub replicas: Vec<TableReplica>,
}

/// A table on one replica.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReplica {
    /// The replica.
    pub replica: ReplicaId,
    /// Rows in active parts.
    pub rows: u64,
    /// Bytes on disk in active parts.
    pub bytes: u64,
    /// Active parts.
    pub parts: u64,
    /// Mutations that are not done.
    pub mutations_pending: u64,
    /// State of replication, for Replicated engines.
    pub replication: Option<Replication>,
}

/// A table on the replicas that have it.
type OnReplicas<'a> = BTreeMap<ReplicaId, &'a Table>;

impl Report {
    /// Reports what was observed.
    pub fn new(snapshot: &Snapshot) -> Self {
        let tables = tables_of(snapshot);
        Self {
            format_version: FORMAT_VERSION,
            cluster: snapshot.topology.cluster.clone(),
            shards: snapshot.topology.shards.iter().map(|shard| shard_report(snapshot, shard)).collect(),
            differences: differences::find(snapshot, &tables),
            graph: graph::graph(&tables.iter().filter_map(|(name, on)| Some((*name, *on.values().next()?))).collect()),
            tables: tables.iter().filter_map(|(name, on)| table_report(name, on)).collect(),
        }
    }

    /// The table of that name.
    pub fn table(&self, name: &TableName) -> Option<&TableReport> {
        self.tables.iter().find(|table| table.is(name))
    }

    /// The same, of one table, the part of the graph that it is in, and the differences that concern it.
    #[must_use]
    pub fn narrowed(mut self, name: &TableName) -> Self {
        self.tables.retain(|table| table.is(name));
        self.graph = related::around(&self.graph, name);
        self.differences.retain(|difference| difference.concerns(name));
        self
    }
}

impl TableReport {
    /// Its full name.
    pub fn full_name(&self) -> TableName {
        TableName::new(self.database.clone(), self.name.clone())
    }

    /// Rows on all shards.
    pub fn rows(&self) -> u64 {
        self.shards.iter().map(|shard| shard.rows).sum()
    }

    /// Bytes on all shards, one replica of each.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.bytes).sum()
    }

    fn is(&self, name: &TableName) -> bool {
        self.database == name.database && self.name == name.table
    }
}

fn tables_of(snapshot: &Snapshot) -> BTreeMap<&TableName, OnReplicas<'_>> {
    let mut tables: BTreeMap<&TableName, OnReplicas<'_>> = BTreeMap::new();
    for id in snapshot.replicas.keys() {
        for (name, table) in snapshot.state(*id).iter().flat_map(|state| &state.tables) {
            tables.entry(name).or_default().insert(*id, table);
        }
    }
    tables
}

fn shard_report(snapshot: &Snapshot, shard: &Shard) -> ShardReport {
    let replicas = shard.replicas.iter().map(|replica| replica_report(snapshot, replica));
    ShardReport { num: shard.num, replicas: replicas.collect() }
}

fn replica_report(snapshot: &Snapshot, replica: &Replica) -> ReplicaReport {
    let state = snapshot.state(replica.id);
    let error = match snapshot.replicas.get(&replica.id) {
        Some(Observation::Answered(_)) => None,
        Some(Observation::Failed(reason)) => Some(reason.clone()),
        None => Some("not asked".to_owned()),
    };
    ReplicaReport {
        replica: replica.id,
        host: replica.host.clone(),
        port: replica.port,
        version: state.map(|state| state.version.clone()),
        reachable: state.is_some(),
        error,
        macros: state.map(|state| state.macros.clone()).unwrap_or_default(),
        disks: state.and_then(|state| state.disks.clone()),
    }
}

fn table_report(name: &TableName, on: &OnReplicas<'_>) -> Option<TableReport> {
    let table = on.values().next()?;
    let Keys { sorting, primary, partition, sampling } = table.keys.clone();
    Some(TableReport {
        database: name.database.clone(),
        name: name.table.clone(),
        engine: table.engine.clone(),
        engine_full: table.engine_full.clone(),
        sorting_key: sorting,
        primary_key: primary,
        partition_key: partition,
        sampling_key: sampling,
        columns: table.columns.clone(),
        distributed: distributed(table),
        view: view(table),
        dependents: table.dependents.clone(),
        shards: shards_of(on),
    })
}

fn distributed(table: &Table) -> Option<DistributedReport> {
    let ddl::DistributedArgs { cluster, database, table, sharding_key } =
        ddl::read_engine(&table.engine_full).ok()?.distributed()?;
    Some(DistributedReport { cluster, database, table, sharding_key })
}

fn view(table: &Table) -> Option<ViewReport> {
    if !table.engine.ends_with("View") {
        return None;
    }
    let view = ddl::read_view(&table.create_query).ok()?;
    let full = |name: &ddl::Name| name.in_database(&table.name.database);
    Some(ViewReport {
        materialized: view.materialized,
        sources: view.sources.iter().map(full).collect(),
        target: view.target.as_ref().map(full),
    })
}

fn shards_of(on: &OnReplicas<'_>) -> Vec<TableShard> {
    let mut shards: BTreeMap<u32, Vec<(ReplicaId, &Table)>> = BTreeMap::new();
    for (id, table) in on {
        shards.entry(id.shard).or_default().push((*id, table));
    }
    shards.into_iter().map(|(num, replicas)| table_shard(num, &replicas)).collect()
}

fn table_shard(num: u32, replicas: &[(ReplicaId, &Table)]) -> TableShard {
    let fullest = replicas.iter().rev().map(|(_, table)| table).max_by_key(|table| table.rows());
    TableShard {
        num,
        rows: fullest.map_or(0, |table| table.rows()),
        bytes: fullest.map_or(0, |table| table.bytes()),
        partitions: fullest.map(|table| table.partitions.clone()).unwrap_or_default(),
        replicas: replicas.iter().map(|(id, table)| table_replica(*id, table)).collect(),
    }
}

fn table_replica(replica: ReplicaId, table: &Table) -> TableReplica {
    TableReplica {
        replica,
        rows: table.rows(),
        bytes: table.bytes(),
        parts: table.partitions.iter().map(|partition| partition.parts).sum(),
        mutations_pending: table.mutations_pending,
        replication: table.replication.clone(),
    }
}
