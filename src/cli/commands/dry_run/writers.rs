//! Writers that insert while a plan is rehearsed, and the ledger of what they were told is safe.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::stage::{Stage, insert_sql};
use crate::names::{ReplicaId, TableName};
use crate::plan::{Plan, row_hash};
use crate::rehearse::{Account, Ledger, Span};
use crate::server::{Cluster, QueryError, Statement};

/// Writers' numbers begin here, far from those of the rows that the table was filled with.
const FIRST: u64 = 1_000_000_000_000;
/// Numbers set aside for each writer.
const STRIDE: u64 = 1_000_000_000;
/// Rows of one insert, at most.
const BATCH_MAX: u64 = 40;
/// Inserts of one writer, at most: a rehearsal that hangs must not fill the disk.
const INSERTS_MAX: u64 = 200_000;
const INSERT_TIMEOUT: Duration = Duration::from_mins(1);
/// How often a writer that is to be still looks whether it may go on.
const REST: Duration = Duration::from_millis(50);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// Rows that one question looks for.
const LOOKED_FOR_AT_ONCE: usize = 1_000_000;
const COUNT_TIMEOUT: Duration = Duration::from_mins(10);

/// What writers are told.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// To end.
    pub(super) stop: AtomicBool,
    /// To be still for now.
    pub(super) rest: AtomicBool,
}

/// Inserts until told to stop: in turn through a `Distributed` table, if there is one, and into each replica directly.
pub(super) async fn write(cluster: &Cluster, plan: &Plan, stage: &Stage<'_>, writer: u64, orders: &Orders) -> Account {
    let mut written = Account::default();
    let places = places(plan, stage);
    let mut first = FIRST + writer * STRIDE;
    for insert in 0..INSERTS_MAX {
        while orders.rest.load(Ordering::Relaxed) && !orders.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(REST).await;
        }
        if orders.stop.load(Ordering::Relaxed) {
            break;
        }
        let count = 1 + (insert * 7 + writer * 13) % BATCH_MAX;
        let turn = usize::try_from(insert + writer).unwrap_or(0) % places.len().max(1);
        let Some((on, table)) = places.get(turn) else { break };
        // Rows of a Distributed table are where they belong when the answer comes, not some time later.
        let statement = Statement::change(insert_sql(table, &stage.later, first, count), INSERT_TIMEOUT)
            .with_setting("insert_distributed_sync", "1");
        match cluster.run(*on, &statement).await {
            Ok(_) => written.acknowledged(first, count),
            Err(error) => {
                if error.outcome_unknown() {
                    written.unknown(first, count, 1);
                }
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
        first += count;
    }
    written
}

fn places(plan: &Plan, stage: &Stage<'_>) -> Vec<(ReplicaId, TableName)> {
    let mut places = Vec::new();
    for on in stage.target.replicas.values() {
        places.push((*on, plan.objects.source.clone()));
        places.extend(plan.objects.distributed.first().map(|table| (*on, table.clone())));
    }
    places
}

/// Compares what writers were told with what is in the table, on the first replica of each shard.
pub(super) async fn settle(
    cluster: &Cluster,
    table: &TableName,
    stage: &Stage<'_>,
    written: &Account,
) -> Result<Ledger, QueryError> {
    let mut ledger = Ledger::default();
    for Span { first, count, least, .. } in written.spans() {
        if least == 0 {
            ledger.unknown += count;
            continue;
        }
        let end = first + count;
        // Not all at once: the server keeps the hashes in memory.
        for first in (first..end).step_by(LOOKED_FOR_AT_ONCE) {
            let count = (end - first).min(LOOKED_FOR_AT_ONCE as u64);
            let (rows, different) = found(cluster, table, stage, first, count).await?;
            ledger.acknowledged += count;
            ledger.found += different.min(count);
            ledger.lost += count.saturating_sub(different);
            ledger.doubled += rows.saturating_sub(different);
        }
    }
    Ok(ledger)
}

/// How many rows of these numbers are there, and how many different ones.
async fn found(
    cluster: &Cluster,
    table: &TableName,
    stage: &Stage<'_>,
    first: u64,
    count: u64,
) -> Result<(u64, u64), QueryError> {
    let given = stage.source.columns.iter().filter(|column| {
        column.is_stored() && !column.is_materialized() && !stage.later.left_out.contains(&column.name)
    });
    // As text: a generated value may be of a type that hashes otherwise than its column's.
    let hash = row_hash(given, &stage.types, false);
    let made = format!(
        "SELECT {hash} FROM (SELECT {} FROM (SELECT number + {first} AS number FROM system.numbers LIMIT {count}))",
        named(stage)
    );
    let sql = format!("SELECT count(), uniqExact({hash}) FROM {} WHERE {hash} IN ({made})", table.sql());
    let mut homes: Vec<ReplicaId> = stage.target.replicas.values().copied().collect();
    homes.sort();
    homes.dedup_by_key(|id| id.shard);
    let (mut rows, mut different) = (0, 0);
    for on in homes {
        let answer = cluster.run(on, &Statement::read(sql.clone(), COUNT_TIMEOUT)).await?;
        let mut numbers = answer.split('\t').filter_map(|number| number.trim().parse::<u64>().ok());
        rows += numbers.next().unwrap_or(0);
        different += numbers.next().unwrap_or(0);
    }
    Ok((rows, different))
}

/// The generated values under their columns' names.
fn named(stage: &Stage<'_>) -> String {
    let pairs = stage.later.pairs();
    pairs.map(|(column, value)| format!("{value} AS {column}")).collect::<Vec<_>>().join(", ")
}
