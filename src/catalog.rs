//! What one replica knows about its tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::TableName;

/// A table, view or other named object, as one replica describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// `system.tables.engine`, without arguments.
    pub engine: String,
    /// `system.tables.engine_full`: engine with arguments and clauses.
    pub engine_full: String,
    /// `system.tables.create_table_query`, as the server prints it.
    pub create_query: String,
    /// `cityHash64(create_table_query)` as the server computed it, in decimal: what a drift probe compares.
    pub definition_hash: String,
    /// The three keys and the sampling expression.
    pub keys: Keys,
    /// Columns by position.
    pub columns: Vec<Column>,
    /// Active partitions by id; empty for objects without data of their own.
    pub partitions: Vec<Partition>,
    /// What `system.replicas` says, for Replicated engines.
    pub replication: Option<Replication>,
    /// Mutations of `system.mutations` that are not done.
    pub mutations_pending: u64,
    /// The number from which on the next mutations are: one more than the greatest in `system.mutations`, or 0.
    pub mutation_next: u64,
    /// Compressed bytes by column, where the server tells.
    pub column_bytes: BTreeMap<String, u64>,
    /// Views that read from this table, by `dependencies_database` and `dependencies_table`.
    pub dependents: Vec<TableName>,
}

/// Keys in the server's normal form: `team_id, toDate(timestamp), event`. Empty where the table has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// `system.tables.sorting_key`.
    pub sorting: String,
    /// `system.tables.primary_key`.
    pub primary: String,
    /// `system.tables.partition_key`.
    pub partition: String,
    /// `system.tables.sampling_key`.
    pub sampling: String,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Its type in the server's words.
    #[serde(rename = "type")]
    pub kind: String,
    /// `DEFAULT`, `MATERIALIZED`, `ALIAS`, `EPHEMERAL` or empty.
    pub default_kind: String,
    /// The expression that goes with `default_kind`.
    pub default_expression: String,
    /// The comment, or empty.
    pub comment: String,
}

impl Column {
    /// A column without default and comment.
    pub fn new(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            default_kind: String::new(),
            default_expression: String::new(),
            comment: String::new(),
        }
    }

    /// Whether the column is stored, so that a copy must carry its values.
    pub fn is_stored(&self) -> bool {
        !matches!(self.default_kind.as_str(), "ALIAS" | "EPHEMERAL")
    }

    /// Whether the server computes the column's value at insert and refuses one that is given.
    pub fn is_materialized(&self) -> bool {
        self.default_kind == "MATERIALIZED"
    }
}

/// Active parts of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// `partition_id`.
    pub id: String,
    /// Number of active parts.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// `bytes_on_disk` of them.
    pub bytes: u64,
}

/// The state of a Replicated table on one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Path in Keeper with macros expanded.
    pub keeper_path: String,
    /// Name of this replica in Keeper.
    pub replica_name: String,
    /// Whether the replica refuses writes.
    pub is_readonly: bool,
    /// Whether its Keeper session has expired.
    pub is_session_expired: bool,
    /// Entries in its replication queue.
    pub queue_size: u64,
    /// Seconds it is behind.
    pub absolute_delay: u64,
    /// Replicas that Keeper knows of.
    pub total_replicas: u64,
    /// Those with a live session.
    pub active_replicas: u64,
}

impl Table {
    /// Rows in active parts.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.rows).sum()
    }

    /// Bytes on disk in active parts.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }
}

/// The objects of one replica by name.
pub type Catalog = BTreeMap<TableName, Table>;
