//! Looking at the demo's tables.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Deserialize;

use super::super::super::failure::Failure;
use crate::demo;
use crate::names::ReplicaId;
use crate::server::{Cluster, QueryError, Statement};

const TIMEOUT: Duration = Duration::from_mins(5);

/// The rows of every replica, as far as they must not change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// A line a partition: month, count, checksum.
    checksums: BTreeMap<ReplicaId, String>,
    /// Rows that the materialized view has counted.
    counted: BTreeMap<ReplicaId, String>,
}

/// An answer and what it cost.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) rows_read: u64,
    pub(super) seconds: f64,
}

#[derive(Deserialize)]
struct JsonAnswer {
    data: serde_json::Value,
    statistics: Statistics,
}

#[derive(Deserialize)]
struct Statistics {
    elapsed: f64,
    rows_read: u64,
}

impl Rows {
    /// Looks at every replica once each has all parts.
    pub(super) async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        for table in demo::LOCAL.iter().filter(|_| has_replicas(cluster)) {
            on_each(cluster, &format!("SYSTEM SYNC REPLICA {table}")).await?;
        }
        Ok(Self { checksums: on_each(cluster, demo::CHECKSUM).await?, counted: on_each(cluster, demo::COUNTED).await? })
    }

    /// Rows over all shards, a replica each, as the engine merges them.
    pub(super) fn merged(&self) -> u64 {
        first_replicas(&self.checksums)
            .flat_map(str::lines)
            .filter_map(|line| line.split('\t').nth(1)?.parse::<u64>().ok())
            .sum()
    }

    /// Rows that the materialized view has counted, over all shards.
    pub(super) fn counted(&self) -> u64 {
        first_replicas(&self.counted).filter_map(|count| count.parse::<u64>().ok()).sum()
    }

    /// How many replicas were looked at.
    pub(super) fn replicas(&self) -> usize {
        self.checksums.len()
    }

    /// Partitions of all replicas.
    pub(super) fn partitions(&self) -> usize {
        self.checksums.values().map(|text| text.lines().count()).sum()
    }

    /// Says that the replicas of each shard have the same, where there are several.
    pub(super) fn agreement(&self) -> &'static str {
        if self.checksums.keys().any(|id| id.replica > 1) { "; the replicas of each shard agree" } else { "" }
    }

    /// Whether the replicas of each shard have the same.
    pub(super) fn replicas_agree(&self) -> bool {
        let agree = |of: &BTreeMap<ReplicaId, String>| {
            of.iter().all(|(id, text)| of.get(&ReplicaId::new(id.shard, 1)) == Some(text))
        };
        agree(&self.checksums) && agree(&self.counted)
    }
}

fn first_replicas(of: &BTreeMap<ReplicaId, String>) -> impl Iterator<Item = &str> {
    of.iter().filter(|(id, _)| id.replica == 1).map(|(_, text)| text.as_str())
}

/// Has any shard more than one replica?
pub(super) fn has_replicas(cluster: &Cluster) -> bool {
    cluster.topology().replicas().any(|replica| replica.id.replica > 1)
}

/// Asks the same of every replica at once.
pub(super) async fn on_each(cluster: &Cluster, sql: &str) -> Result<BTreeMap<ReplicaId, String>, Failure> {
    let ask = async |id: ReplicaId| Ok::<_, QueryError>((id, cluster.run(id, &Statement::change(sql, TIMEOUT)).await?));
    let answers = try_join_all(cluster.topology().replicas().map(|replica| ask(replica.id))).await;
    Ok(answers.map_err(|error| Failure::of(&error))?.into_iter().collect())
}

/// Runs a statement on the first replica. Rows sent to a Distributed table are on their shards when this returns.
pub(super) async fn run(cluster: &Cluster, sql: &str) -> Result<(), Failure> {
    let statement = Statement::change(sql, TIMEOUT).with_setting("insert_distributed_sync", "1");
    cluster.run(first(), &statement).await.map(drop).map_err(|error| Failure::of(&error))
}

/// Asks the question that the new key is for, on the first replica.
pub(super) async fn question(cluster: &Cluster) -> Result<Answer, Failure> {
    let statement = Statement::read(format!("{} FORMAT JSON", demo::QUESTION), TIMEOUT);
    let text = cluster.run(first(), &statement).await.map_err(|error| Failure::of(&error))?;
    let answer: JsonAnswer = serde_json::from_str(&text).map_err(|error| Failure::of(&error))?;
    let JsonAnswer { data, statistics: Statistics { elapsed, rows_read } } = answer;
    Ok(Answer { text: data.to_string(), rows_read, seconds: elapsed })
}

fn first() -> ReplicaId {
    ReplicaId::new(1, 1)
}
