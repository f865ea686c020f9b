//! Who may read which rows and columns of the tables, as far as that goes by the names of columns.

use std::collections::BTreeMap;

use crate::names::{ReplicaId, TableName};

/// A row policy: a condition that queries of some users get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPolicy {
    /// What it is called, with its table.
    pub name: String,
    /// The condition.
    pub filter: String,
}

/// A right to columns by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnGrant {
    /// The user or role that has it.
    pub to: String,
    /// What it is for, such as `SELECT`.
    pub access: String,
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
}

/// What one server says of rights to some tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Row policies of the tables, or of all tables of their databases.
    pub policies: Vec<RowPolicy>,
    /// Rights to columns of them.
    pub grants: Vec<ColumnGrant>,
    /// What could not be read, in the server's words.
    pub unread: Vec<String>,
}

/// The rights of all servers.
pub type AllRights = BTreeMap<ReplicaId, Rights>;
