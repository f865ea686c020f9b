//! A table that is changed to and fro under no load, and what must stay as it is.

use std::collections::BTreeMap;

use shardwright::names::ReplicaId;

use crate::harness::Running;
use crate::tool::Tool;
use crate::world::{ask, ask_all, assert_nothing_left, engine, everywhere, firsts, keeper, prepare, sync};

const ROWS_A_SHARD: u32 = 150_000;

/// A table that is changed to and fro, and what must stay as it is.
pub(crate) struct Victim<'a> {
    pub(crate) cluster: &'a Running,
    pub(crate) database: &'static str,
    /// What every replica holds.
    pub(crate) rows: BTreeMap<ReplicaId, String>,
}

impl<'a> Victim<'a> {
    #[track_caller]
    pub(crate) fn new(cluster: &'a Running, database: &'static str) -> Self {
        Self::of(cluster, database, ROWS_A_SHARD)
    }

    /// With this many rows a shard.
    #[track_caller]
    pub(crate) fn of(cluster: &'a Running, database: &'static str, rows_a_shard: u32) -> Self {
        let engine = engine(cluster.replicates(), "MergeTree", database, "t", "");
        let create = format!(
            "CREATE TABLE {database}.t (a UInt64, b UInt32, c String) ENGINE = {engine} PARTITION BY a % 5 ORDER BY (a, b)"
        );
        prepare(cluster, database, &[&create]);
        for first in firsts(cluster) {
            // Every row twice: nothing may take a second copy for a mistake.
            for _ in 0..2 {
                let rows = rows_a_shard / 2;
                let shard = first.shard;
                cluster.query(
                    first,
                    &format!(
                        "INSERT INTO {database}.t SELECT number * {shard}, toUInt32(cityHash64(number) % 1000), \
                         toString(number) FROM numbers({rows})"
                    ),
                );
            }
        }
        sync(cluster, &[&format!("{database}.t")]);
        let rows = Self::look(cluster, database);
        Self { cluster, database, rows }
    }

    /// The rows of every replica now.
    #[track_caller]
    pub(crate) fn look(cluster: &Running, database: &str) -> BTreeMap<ReplicaId, String> {
        let sql = format!(
            "SELECT a % 5 AS p, count(), sum(cityHash64(a, b, c)), sum(cityHash64(c, a)) FROM {database}.t GROUP BY p ORDER BY p"
        );
        ask(cluster, &sql)
    }

    pub(crate) fn key(&self) -> String {
        let sql = format!("SELECT sorting_key FROM system.tables WHERE database = '{}' AND name = 't'", self.database);
        ask_all(self.cluster, &sql)
    }

    /// A new plan for the other key; gives that key.
    #[track_caller]
    pub(crate) fn plan(&self, tool: &Tool) -> &'static str {
        let other = if self.key() == "a, b" { "b, a" } else { "a, b" };
        tool.plan(&format!("ALTER TABLE {}.t MODIFY ORDER BY ({other})", self.database));
        other
    }

    /// The end of every story: new key, the same rows, nothing of ours.
    #[track_caller]
    pub(crate) fn assert_finalized(&self, tool: &Tool, key: &str) {
        assert_eq!(tool.state(), "finalized");
        assert_eq!(self.key(), key);
        self.assert_whole();
    }

    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        assert_eq!(Self::look(self.cluster, self.database), self.rows);
        assert_nothing_left(self.cluster, self.database);
        if self.cluster.replicates() {
            let paths = keeper(self.cluster, &format!("/clickhouse/{}/1", self.database));
            assert_eq!(paths.lines().count(), 1, "Keeper paths: {paths}");
        }
    }
}

impl Drop for Victim<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            everywhere(self.cluster, &[&format!("DROP DATABASE {}", self.database)]);
        }
    }
}
