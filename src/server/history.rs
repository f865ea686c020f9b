//! How fast a server has written parts.

use std::time::Duration;

use serde::Deserialize;

use super::cluster::Cluster;
use super::error::QueryError;
use super::introspect::Asker;
use crate::alter::{Speed, Worked, speed};
use crate::names::{ReplicaId, TableName, quote_string};

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Row {
    by_mutation: u8,
    of_table: u8,
    bytes: String,
    milliseconds: String,
}

/// The speed of merges and mutations of the last 30 days. A server without `system.part_log`, or that does not let it be read, tells none.
pub async fn speed_of(cluster: &Cluster, on: ReplicaId, table: &TableName) -> Result<Option<Speed>, QueryError> {
    let (database, name) = (quote_string(&table.database), quote_string(&table.table));
    let sql = format!(
        "SELECT toString(event_type) = 'MutatePart' AS by_mutation, database = {database} AND table = {name} AS of_table, \
         toString(sum(size_in_bytes)) AS bytes, toString(sum(duration_ms)) AS milliseconds FROM system.part_log \
         WHERE event_date >= today() - 30 AND toString(event_type) IN ('MergeParts', 'MutatePart') AND error = 0 \
         GROUP BY by_mutation, of_table"
    );
    let rows: Vec<Row> = match Asker::new(cluster, on, TIMEOUT).rows(&sql).await {
        Err(error) if error.code().is_some() => {
            return Ok(None);
        }
        answer => answer?,
    };
    let worked = |row: &Row| {
        let (bytes, milliseconds) = (row.bytes.parse().ok()?, row.milliseconds.parse().ok()?);
        Some(Worked { by_mutation: row.by_mutation == 1, of_table: row.of_table == 1, bytes, milliseconds })
    };
    Ok(speed(&rows.iter().filter_map(worked).collect::<Vec<_>>()))
}
