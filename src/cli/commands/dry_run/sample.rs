//! A sample of the real rows: some of each partition, read from the plan's own cluster with bounds, and never written there.

use std::time::Duration;

use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::stage::{Stage, homes};
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::{Plan, partition_id_of_row};
use crate::server::{Cluster, PourError, Statement};
use crate::snapshot::Capability;

/// Longest that reading one partition's rows may take.
const READ_TIMEOUT: Duration = Duration::from_mins(2);
/// Partitions of a shard that are sampled, at most; of more, some are left out evenly.
const PARTITIONS_MAX: usize = 300;
/// Rows that a server may read beyond those wanted: it reads whole granules of several columns.
const ROWS_READ_MORE: u64 = 1_000_000;

/// Copies rows of every shard that is played. Gives their number and where they came from.
pub(super) async fn copy(
    from: &Cluster,
    connected: &Connected,
    plan: &Plan,
    stage: &Stage<'_>,
) -> Result<(u64, String), Failure> {
    let firsts = homes(stage.target);
    let share = (stage.rows / firsts.len().max(1) as u64).max(1);
    let (mut rows, mut read_on) = (0, Vec::new());
    for home in firsts {
        // The replica that the plan copies from, of the shard that this one plays.
        let played = stage.target.replicas.iter().find(|(_, to)| **to == home).map(|(from, _)| from.shard);
        let size = plan.sizes.iter().find(|size| Some(size.shard) == played);
        let Some(on) = size.map(|size| size.backfill_replica) else { continue };
        say(&format!("copying rows of {} from {on}", plan.objects.source));
        let sampler = Sampler { from, on, connected, home, plan, stage };
        let before = sampler.rows_here().await?;
        sampler.copy(share).await?;
        rows += sampler.rows_here().await? - before;
        read_on.push(on.to_string());
    }
    Ok((rows, format!("a sample of the real rows, read from {} of cluster {}", read_on.join(", "), plan.cluster.name)))
}

/// One shard of the plan's cluster and the server that plays it.
struct Sampler<'a> {
    from: &'a Cluster,
    on: ReplicaId,
    connected: &'a Connected,
    home: ReplicaId,
    plan: &'a Plan,
    stage: &'a Stage<'a>,
}

impl Sampler<'_> {
    /// Partition by partition, so that each insert meets one partition of the old key.
    async fn copy(&self, share: u64) -> Result<(), Failure> {
        let partitions = self.partitions().await?;
        let total: u128 = partitions.iter().map(|(_, rows)| u128::from(*rows)).sum::<u128>().max(1);
        for (partition, rows) in &partitions {
            let wanted = u64::try_from(u128::from(*rows) * u128::from(share) / total).unwrap_or(share).max(1);
            self.copy_partition(partition, wanted).await?;
        }
        Ok(())
    }

    /// Rows that the sandbox has already: some may have come through queues.
    async fn rows_here(&self) -> Result<u64, Failure> {
        let count = Statement::read(format!("SELECT count() FROM {}", self.plan.objects.source.sql()), READ_TIMEOUT);
        let answer = self.connected.cluster.run(self.home, &count).await.map_err(|error| Failure::of(&error))?;
        Ok(answer.parse().unwrap_or(0))
    }

    async fn partitions(&self) -> Result<Vec<(String, u64)>, Failure> {
        let TableName { database, table } = &self.plan.objects.source;
        let sql = format!(
            "SELECT partition_id, toString(sum(rows)) FROM system.parts WHERE database = {} AND table = {} AND active \
             GROUP BY partition_id ORDER BY partition_id",
            quote_string(database),
            quote_string(table)
        );
        let answer = self.from.run(self.on, &read_only(sql, 0)).await.map_err(|error| Failure::of(&error))?;
        let all: Vec<(String, u64)> = answer
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(id, rows)| (id.to_owned(), rows.parse().unwrap_or(0)))
            .collect();
        let stride = all.len().div_ceil(PARTITIONS_MAX).max(1);
        Ok(all.into_iter().step_by(stride).collect())
    }

    async fn copy_partition(&self, partition: &str, rows: u64) -> Result<(), Failure> {
        // What an insert gives: MATERIALIZED columns are computed there anew, ALIAS and EPHEMERAL ones are not stored.
        let given = self.stage.source.columns.iter().filter(|column| column.is_stored() && !column.is_materialized());
        let columns: Vec<String> = given.map(|column| quote_identifier(&column.name)).collect();
        let (columns, source) = (columns.join(", "), self.plan.objects.source.sql());
        let of_row = partition_id_of_row(self.plan.capabilities.contains(&Capability::PartitionIdColumn));
        let select =
            format!("SELECT {columns} FROM {source} WHERE {of_row} = {} LIMIT {rows}", quote_string(partition));
        let insert = format!("INSERT INTO {source} ({columns})");
        let select = read_only(select, rows);
        let poured = self.from.pour(self.on, &select, &self.connected.cluster, self.home, &insert);
        poured.await.map_err(|error| {
            let hint = match &error {
                PourError::Read(_) => "the plan's cluster did not give its rows; without --sample, rows are generated",
                PourError::Write(_) => "the sandbox does not take the rows; without --sample, rows are generated",
            };
            Failure::of(&error).hint(hint)
        })
    }
}

/// A query that the server lets change nothing, and that takes little of it.
fn read_only(sql: String, rows: u64) -> Statement {
    let bounds = [
        ("readonly", "2".to_owned()),
        ("max_threads", "2".to_owned()),
        ("max_execution_time", READ_TIMEOUT.as_secs().to_string()),
        ("max_rows_to_read", rows.saturating_add(ROWS_READ_MORE).to_string()),
        ("read_overflow_mode", "break".to_owned()),
        ("max_memory_usage", "1000000000".to_owned()),
    ];
    let statement = Statement::read(sql, READ_TIMEOUT);
    bounds.into_iter().fold(statement, |statement, (name, value)| statement.with_setting(name, value))
}
