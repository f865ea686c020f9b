//! Reading tables, and what belongs to them, from one replica's system tables.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::capability::Features;
use super::error::QueryError;
use super::introspect::Asker;
use crate::catalog::{Catalog, Column, Keys, Partition, Replication, Table};
use crate::names::{TableName, quoted_list};

/// Databases that are the server's own, as SQL literals.
pub(super) const SYSTEM_DATABASES: &str = "'system', 'INFORMATION_SCHEMA', 'information_schema'";

/// All tables, or those of `filter`, with columns, partitions and state.
pub(super) async fn read(
    asker: &Asker<'_>,
    features: &Features,
    filter: Option<&[TableName]>,
) -> Result<Catalog, QueryError> {
    // First of all the definitions with their hashes: an ALTER in between then leaves an old hash beside new columns, which a
    // later check of the hash finds out. The other way round it would not.
    let mut catalog = definitions(asker, filter).await?;
    add_columns(&mut catalog, columns(asker, features, filter).await?);
    add_partitions(&mut catalog, partitions(asker, filter).await?);
    add_replication(&mut catalog, replication(asker, filter).await?);
    add_mutations(&mut catalog, mutations(asker, filter).await?);
    Ok(catalog)
}

/// A condition that a server can use to open few tables; names are compared exactly later on.
fn condition(table_column: &str, filter: Option<&[TableName]>) -> String {
    let Some(tables) = filter else { return format!("database NOT IN ({SYSTEM_DATABASES})") };
    let databases = quoted_list(tables.iter().map(|table| &table.database).collect::<BTreeSet<_>>());
    let names = quoted_list(tables.iter().map(|table| &table.table).collect::<BTreeSet<_>>());
    if tables.is_empty() {
        return "0".to_owned();
    }
    format!("database IN ({databases}) AND {table_column} IN ({names})")
}

#[derive(Deserialize)]
struct TableRow {
    table_database: String,
    table_name: String,
    table_engine: String,
    full: String,
    create_query: String,
    definition_hash: String,
    sorting: String,
    primary: String,
    partition: String,
    sampling: String,
    dependent_databases: Vec<String>,
    dependent_tables: Vec<String>,
}

async fn definitions(asker: &Asker<'_>, filter: Option<&[TableName]>) -> Result<Catalog, QueryError> {
    let sql = format!(
        "SELECT database AS table_database, name AS table_name, engine AS table_engine, engine_full AS full, \
         create_table_query AS create_query, toString(cityHash64(create_table_query)) AS definition_hash, \
         sorting_key AS sorting, primary_key AS primary, partition_key AS partition, sampling_key AS sampling, \
         dependencies_database AS dependent_databases, dependencies_table AS dependent_tables \
         FROM system.tables WHERE {} AND NOT is_temporary",
        condition("name", filter)
    );
    let rows: Vec<TableRow> = asker.rows(&sql).await?;
    let tables = rows.into_iter().map(TableRow::into_table);
    let wanted = |table: &Table| filter.is_none_or(|names| names.contains(&table.name));
    Ok(tables.filter(wanted).map(|table| (table.name.clone(), table)).collect())
}

impl TableRow {
    fn into_table(self) -> Table {
        let dependents = self.dependent_databases.into_iter().zip(self.dependent_tables);
        let dependents: BTreeSet<TableName> =
            dependents.map(|(database, table)| TableName::new(database, table)).collect();
        Table {
            name: TableName::new(self.table_database, self.table_name),
            engine: self.table_engine,
            engine_full: self.full,
            create_query: self.create_query,
            definition_hash: self.definition_hash,
            keys: Keys {
                sorting: self.sorting,
                primary: self.primary,
                partition: self.partition,
                sampling: self.sampling,
            },
            columns: Vec::new(),
            partitions: Vec::new(),
            replication: None,
            mutations_pending: 0,
            mutation_next: 0,
            column_bytes: std::collections::BTreeMap::new(),
            dependents: dependents.into_iter().collect(),
        }
    }
}

/// One row about a table of the catalog.
#[derive(Deserialize)]
struct About<T> {
    of_database: String,
    of_table: String,
    #[serde(flatten)]
    what: T,
}

impl<T> About<T> {
    fn name(&self) -> TableName {
        TableName::new(self.of_database.clone(), self.of_table.clone())
    }
}

/// Hands every row to the table that it is about; rows about tables that are not in the catalog are dropped.
fn distribute<T>(catalog: &mut Catalog, rows: Vec<About<T>>, mut put: impl FnMut(&mut Table, T)) {
    for row in rows {
        if let Some(table) = catalog.get_mut(&row.name()) {
            put(table, row.what);
        }
    }
}

#[derive(Deserialize)]
struct ColumnRow {
    column: String,
    kind: String,
    default_kind: String,
    default_expression: String,
    comment: String,
    bytes: u64,
}

async fn columns(
    asker: &Asker<'_>,
    features: &Features,
    filter: Option<&[TableName]>,
) -> Result<Vec<About<ColumnRow>>, QueryError> {
    let comment = if features.has_column("columns", "comment") { "comment" } else { "''" };
    let has_bytes = features.has_column("columns", "data_compressed_bytes");
    let bytes = if has_bytes { "toUInt64(data_compressed_bytes)" } else { "toUInt64(0)" };
    // Old servers have no position, but list a table's columns in order.
    let order = if features.has_column("columns", "position") { "ORDER BY database, table, position" } else { "" };
    let sql = format!(
        "SELECT database AS of_database, table AS of_table, name AS column, type AS kind, \
         toString(default_kind) AS default_kind, default_expression, {comment} AS comment, {bytes} AS bytes \
         FROM (SELECT * FROM system.columns WHERE {} {order})",
        condition("table", filter)
    );
    asker.rows(&sql).await
}

fn add_columns(catalog: &mut Catalog, rows: Vec<About<ColumnRow>>) {
    distribute(catalog, rows, |table, row| {
        if row.bytes > 0 {
            table.column_bytes.insert(row.column.clone(), row.bytes);
        }
        table.columns.push(Column {
            name: row.column,
            kind: row.kind,
            default_kind: row.default_kind,
            default_expression: row.default_expression,
            comment: row.comment,
        });
    });
}

async fn partitions(asker: &Asker<'_>, filter: Option<&[TableName]>) -> Result<Vec<About<Partition>>, QueryError> {
    let sql = format!(
        "SELECT database AS of_database, table AS of_table, partition_id AS id, toUInt64(count()) AS parts, \
         toUInt64(sum(rows)) AS rows, toUInt64(sum(bytes_on_disk)) AS bytes FROM system.parts \
         WHERE active AND {} GROUP BY database, table, partition_id ORDER BY database, table, partition_id",
        condition("table", filter)
    );
    asker.rows(&sql).await
}

fn add_partitions(catalog: &mut Catalog, rows: Vec<About<Partition>>) {
    distribute(catalog, rows, |table, partition| table.partitions.push(partition));
}

#[derive(Deserialize)]
struct ReplicationRow {
    keeper_path: String,
    replica: String,
    readonly: u8,
    session_expired: u8,
    queue: u64,
    delay: u64,
    total: u64,
    active: u64,
}

async fn replication(
    asker: &Asker<'_>,
    filter: Option<&[TableName]>,
) -> Result<Vec<About<ReplicationRow>>, QueryError> {
    let sql = format!(
        "SELECT database AS of_database, table AS of_table, zookeeper_path AS keeper_path, replica_name AS replica, \
         toUInt8(is_readonly) AS readonly, toUInt8(is_session_expired) AS session_expired, \
         toUInt64(queue_size) AS queue, toUInt64(absolute_delay) AS delay, toUInt64(total_replicas) AS total, \
         toUInt64(active_replicas) AS active FROM system.replicas WHERE {}",
        condition("table", filter)
    );
    asker.rows(&sql).await
}

fn add_replication(catalog: &mut Catalog, rows: Vec<About<ReplicationRow>>) {
    distribute(catalog, rows, |table, row| {
        table.replication = Some(Replication {
            keeper_path: row.keeper_path,
            replica_name: row.replica,
            is_readonly: row.readonly != 0,
            is_session_expired: row.session_expired != 0,
            queue_size: row.queue,
            absolute_delay: row.delay,
            total_replicas: row.total,
            active_replicas: row.active,
        });
    });
}

#[derive(Deserialize)]
struct MutationRow {
    pending: u64,
    next: u64,
}

async fn mutations(asker: &Asker<'_>, filter: Option<&[TableName]>) -> Result<Vec<About<MutationRow>>, QueryError> {
    let sql = format!(
        "SELECT database AS of_database, table AS of_table, toUInt64(countIf(NOT is_done)) AS pending, \
         toUInt64(max(toUInt64OrZero(extract(mutation_id, '[0-9]+'))) + 1) AS next FROM system.mutations \
         WHERE {} GROUP BY database, table",
        condition("table", filter)
    );
    asker.rows(&sql).await
}

fn add_mutations(catalog: &mut Catalog, rows: Vec<About<MutationRow>>) {
    distribute(catalog, rows, |table, row| {
        table.mutations_pending = row.pending;
        table.mutation_next = row.next;
    });
}
