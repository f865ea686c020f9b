//! Waiting for what is under way: inserts that run, and replication.

use super::blueprint::{Blueprint, ShardSite};
use crate::names::TableName;
use crate::plan::sql;
use crate::plan::work::{CatchUp, Drain};
use crate::snapshot::Capability;

/// Replication that does not move for this long needs a person.
const STALL_SECONDS: u64 = 300;
/// An insert that runs for longer than this holds the plan up for too long.
const DRAIN_SECONDS_MAX: u64 = 3600;

/// Waits for the inserts into source and shadow that run on any replica of the shard.
pub(super) fn drain(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Drain {
    let tables = [&blueprint.objects.source, &blueprint.own.shadow];
    let catch_up = if blueprint.is_replicated() {
        tables.iter().map(|table| catch_up(shard, table)).collect()
    } else {
        Vec::new()
    };
    let flush = blueprint.all_have(Capability::AsyncInserts).then(|| "SYSTEM FLUSH ASYNC INSERT QUEUE".to_owned());
    let flush = flush.into_iter().collect();
    Drain {
        on: shard.replicas.clone(),
        flush,
        inserts: sql::running_inserts(blueprint.all_have(Capability::QueryKind), &blueprint.id),
        catch_up,
        seconds_max: DRAIN_SECONDS_MAX,
    }
}

/// Waits until every replica of the shard has what is in a table's replication log.
pub(super) fn catch_up(shard: &ShardSite<'_>, table: &TableName) -> CatchUp {
    let of_table = sql::of_table(table);
    CatchUp {
        on: shard.replicas.clone(),
        // The number of the last entry is 0 when there is one, and when there is none: then no replica has ever had a part.
        mark: format!(
            "SELECT toString(if(max(log_max_index) = 0 AND (SELECT count() FROM system.parts WHERE {of_table}) = 0, -1, \
             toInt64(max(log_max_index)))) FROM system.replicas WHERE {of_table}"
        ),
        pointer: format!("SELECT toString(max(log_pointer)) FROM system.replicas WHERE {of_table}"),
        queue: format!(
            "SELECT node_name FROM system.replication_queue WHERE {of_table} AND type NOT IN ('MERGE_PARTS', 'MUTATE_PART')"
        ),
        by_hand: format!("SYSTEM SYNC REPLICA {}", table.sql()),
        stall_seconds: STALL_SECONDS,
    }
}
