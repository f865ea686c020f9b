//! What `evaluate` measured of the change of key at hand.

use serde::{Deserialize, Serialize};

/// The workload before the change and after it, as measured on twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows that all queries read, each as often as it was run.
    pub rows_read: [u64; 2],
    /// Compressed size of the data, one copy of every shard.
    pub compressed_bytes: [u64; 2],
    /// Groups of queries, those that read most rows today first.
    pub queries: Vec<EvaluatedQuery>,
    /// The share of the queries seen that were measured.
    pub queries_percent: u64,
    /// The share of the bytes that these read.
    pub read_bytes_percent: u64,
    /// On what it was measured, for people.
    pub measured: String,
}

/// A group of queries that differ in literals alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedQuery {
    /// Its normal form.
    pub query: String,
    /// How often it was run.
    pub count: u64,
    /// Rows that one run reads.
    pub rows_read: [u64; 2],
}

impl EvaluatedQuery {
    /// Rows that all its runs read, before and after.
    pub fn of_all_runs(&self) -> [u64; 2] {
        self.rows_read.map(|rows| rows.saturating_mul(self.count))
    }
}
