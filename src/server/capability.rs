//! What a server has: columns of system tables, settings, functions.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::error::{QueryError, QueryErrorKind};
use super::introspect::Asker;
use crate::names::TableName;
use crate::snapshot::Capability;

/// One value of each kind of type that servers did not hash from the beginning.
const HASHES: &str = "SELECT cityHash64(toUUID('00000000-0000-0000-0000-000000000001'), toDateTime64('2020-01-01 00:00:00', 3), \
     toDecimal128('1', 2), toInt256(1), toIPv4('127.0.0.1'), toIPv6('::1'), toDate32('2020-01-01'), map('a', ('b', [1])))";

/// Features that differ between versions and matter to the questions asked here.
pub(super) struct Features {
    names: BTreeSet<String>,
}

#[derive(Deserialize)]
struct FeatureRow {
    feature: String,
}

#[derive(Deserialize)]
struct NameRow {
    database: String,
    name: String,
}

impl Features {
    /// Asks once for all that is looked up later.
    pub(super) async fn probe(asker: &Asker<'_>) -> Result<Self, QueryError> {
        let sql = "SELECT concat('column ', table, '.', name) AS feature FROM system.columns \
                   WHERE database = 'system' AND table IN ('tables', 'columns', 'disks', 'zookeeper', 'processes', 'distribution_queue', 'mutations') \
                   UNION ALL SELECT concat('setting ', name) AS feature FROM system.settings \
                   WHERE name IN ('log_comment', 'optimize_on_insert', 'async_insert', 'mutations_sync', 'max_insert_threads', 'parallel_distributed_insert_select', 'min_insert_block_size_rows_for_materialized_views', \
                   'database_atomic_wait_for_drop_and_detach_synchronously') \
                   UNION ALL SELECT concat('function ', name) AS feature FROM system.functions \
                   WHERE name IN ('serverUUID', 'tcpPort')";
        let rows: Vec<FeatureRow> = asker.rows(sql).await?;
        Ok(Self { names: rows.into_iter().map(|row| row.feature).collect() })
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.names.contains(&format!("column {table}.{column}"))
    }

    pub(super) fn has_function(&self, function: &str) -> bool {
        self.names.contains(&format!("function {function}"))
    }

    pub(super) fn has_disks(&self) -> bool {
        self.has_column("disks", "free_space")
    }

    fn has_setting(&self, setting: &str) -> bool {
        self.names.contains(&format!("setting {setting}"))
    }

    pub(super) async fn capabilities(&self, asker: &Asker<'_>) -> Result<BTreeSet<Capability>, QueryError> {
        let any_table = any_merge_tree(asker).await?;
        let found = [
            (Capability::LogComment, self.has_setting("log_comment")),
            (Capability::OptimizeOnInsert, self.has_setting("optimize_on_insert")),
            // The setting came with `DROP … SYNC`, after Atomic databases and EXCHANGE.
            (Capability::Exchange, self.has_setting("database_atomic_wait_for_drop_and_detach_synchronously")),
            (Capability::Disks, self.has_disks()),
            (Capability::QueryKind, self.has_column("processes", "query_kind")),
            (Capability::AsyncInserts, self.has_setting("async_insert")),
            // The setting came once inserts through views went the way of all inserts, defaults included.
            (Capability::ViewsLeaveMaterialized, self.has_setting("min_insert_block_size_rows_for_materialized_views")),
            (
                Capability::DistributedSends,
                ["is_blocked", "broken_data_files"].iter().all(|column| self.has_column("distribution_queue", column)),
            ),
            (Capability::Keeper, self.has_column("zookeeper", "path") && keeper_answers(asker).await?),
            (Capability::DataPath, self.has_column("tables", "data_path")),
            (Capability::InsertThreads, self.has_setting("max_insert_threads")),
            (Capability::DistributedInsertSelect, self.has_setting("parallel_distributed_insert_select")),
            (Capability::PartitionIdColumn, virtual_column_exists(asker, any_table.as_ref(), "_partition_id").await?),
            (Capability::PartOffsetColumn, virtual_column_exists(asker, any_table.as_ref(), "_part_offset").await?),
            (Capability::CheckGrant, accepted(asker.text("CHECK GRANT SELECT ON system.one").await)?),
            (Capability::MutationFailReason, self.has_column("mutations", "latest_fail_reason")),
            (Capability::MutationsSync, self.has_setting("mutations_sync")),
            (Capability::KillMutation, accepted(asker.text("KILL MUTATION WHERE 0 TEST").await)?),
            (Capability::HashesAnyType, accepted(asker.text(HASHES).await)?),
        ];
        Ok(found.into_iter().filter_map(|(capability, is_there)| is_there.then_some(capability)).collect())
    }
}

async fn keeper_answers(asker: &Asker<'_>) -> Result<bool, QueryError> {
    accepted(asker.text("SELECT count() FROM system.zookeeper WHERE path = '/'").await)
}

async fn any_merge_tree(asker: &Asker<'_>) -> Result<Option<TableName>, QueryError> {
    let sql =
        "SELECT database, name FROM system.tables WHERE endsWith(engine, 'MergeTree') ORDER BY database, name LIMIT 1";
    let tables: Vec<NameRow> = asker.rows(sql).await?;
    Ok(tables.into_iter().next().map(|row| TableName::new(row.database, row.name)))
}

/// Virtual columns are listed nowhere: any `MergeTree` table is asked for it. Where there is none, nothing contradicts it.
async fn virtual_column_exists(
    asker: &Asker<'_>,
    any_table: Option<&TableName>,
    column: &str,
) -> Result<bool, QueryError> {
    let Some(table) = any_table else { return Ok(true) };
    accepted(asker.text(&format!("SELECT {column} FROM {} LIMIT 0", table.sql())).await)
}

fn accepted(answer: Result<String, QueryError>) -> Result<bool, QueryError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind, QueryErrorKind::Server { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
