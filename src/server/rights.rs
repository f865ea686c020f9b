//! Row policies, and rights to columns.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cluster::Cluster;
use super::error::QueryError;
use super::introspect::Asker;
use crate::alter::{ColumnGrant, Rights, RowPolicy};
use crate::names::{ReplicaId, TableName, quote_string};

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Policy {
    name: String,
    filter: String,
}

#[derive(Deserialize)]
struct Grant {
    holder: String,
    access: String,
    database: String,
    table: String,
    column: String,
}

/// What a server says of rights to some tables. What it does not tell is part of the answer.
pub async fn rights(cluster: &Cluster, on: ReplicaId, tables: &[TableName]) -> Result<Rights, QueryError> {
    let each = |what: &str| {
        let of = |table: &TableName| {
            let (database, table) = (quote_string(&table.database), quote_string(&table.table));
            format!("(database = {database} AND {})", what.replace("{table}", &table))
        };
        tables.iter().map(of).collect::<Vec<_>>().join(" OR ")
    };
    // A policy without a table is for all of its database.
    let policies = format!(
        "SELECT name, toString(select_filter) AS filter FROM system.row_policies WHERE isNotNull(select_filter) AND ({}) ORDER BY name",
        each("(table = {table} OR table = '')")
    );
    let grants = format!(
        "SELECT coalesce(user_name, role_name, '') AS holder, toString(access_type) AS access, coalesce(database, '') AS database, \
         coalesce(table, '') AS table, coalesce(column, '') AS column FROM system.grants WHERE isNotNull(column) AND ({}) \
         ORDER BY holder, access, database, table, column",
        each("table = {table}")
    );
    let asker = Asker::new(cluster, on, TIMEOUT);
    let mut rights = Rights::default();
    let policies: Vec<Policy> = told(asker.rows(&policies).await, &mut rights.unread)?;
    let grants: Vec<Grant> = told(asker.rows(&grants).await, &mut rights.unread)?;
    rights.policies.extend(policies.into_iter().map(|Policy { name, filter }| RowPolicy { name, filter }));
    rights.grants.extend(grants.into_iter().map(|Grant { holder, access, database, table, column }| ColumnGrant {
        to: holder,
        access,
        table: TableName::new(database, table),
        column,
    }));
    Ok(rights)
}

/// A server that refuses, because it has no such table or the user may not read it, tells nothing.
fn told<T: DeserializeOwned>(
    answer: Result<Vec<T>, QueryError>,
    unread: &mut Vec<String>,
) -> Result<Vec<T>, QueryError> {
    match answer {
        Err(error) if error.code().is_some() => {
            unread.push(error.message);
            Ok(Vec::new())
        }
        answer => answer,
    }
}
