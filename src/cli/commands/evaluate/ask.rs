//! Asking a twin what it would read for a query.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde::Deserialize;

use super::ground::Ground;
use crate::evaluate::{Group, Reads};
use crate::names::TableName;
use crate::server::{QueryError, QueryErrorKind, Statement};

/// Literals of a group that are tried on each of many tables.
pub(super) const LITERALS_MAX: usize = 4;
/// Questions at one time.
const ASKED_AT_ONCE: usize = 2;

/// With these, what is estimated is what an index leaves: nothing is left to be found out while reading, or known from before.
const ESTIMATE_SETTINGS: [(&str, &str); 4] = [
    ("use_skip_indexes_on_data_read", "0"),
    ("use_query_condition_cache", "0"),
    ("use_query_cache", "0"),
    ("max_rows_to_read", "0"),
];

/// How a server tells what a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `EXPLAIN ESTIMATE`.
    Explain,
    /// The query is run, and the server says how many rows it read.
    Run,
}

impl Method {
    pub(super) async fn probe(ground: &Ground<'_>) -> Self {
        match ground.text("EXPLAIN ESTIMATE SELECT 1").await {
            Ok(_) => Self::Explain,
            Err(_) => Self::Run,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Explain => "explain",
            Self::Run => "run",
        }
    }
}

#[derive(Deserialize)]
struct EstimateRow {
    database: String,
    table: String,
    rows: u64,
}

#[derive(Deserialize)]
struct Answer {
    statistics: Statistics,
}

#[derive(Deserialize)]
struct Statistics {
    rows_read: u64,
}

/// A twin and what a row of it stands for.
pub(super) struct Asked<'a> {
    pub(super) ground: &'a Ground<'a>,
    pub(super) method: Method,
    pub(super) twin: &'a TableName,
    /// Rows of the table for each of the twin's.
    pub(super) factor: f64,
    /// Rows of all shards for each of this replica's.
    pub(super) shards_factor: f64,
}

/// What every group reads, or why the server does not tell.
pub(super) struct Told {
    pub(super) reads: Vec<Reads>,
    pub(super) refused: BTreeMap<usize, QueryError>,
}

impl Asked<'_> {
    /// Asks for every group, with at most so many of its literals.
    pub(super) async fn all(&self, groups: &[Group], literals_max: usize) -> Result<Told, QueryError> {
        let questions = groups.iter().enumerate().flat_map(|(at, group)| {
            let scale = self.factor * if group.distributed { self.shards_factor } else { 1.0 };
            group.examples.iter().take(literals_max).map(move |example| (at, scale, example))
        });
        let answers: Vec<_> = stream::iter(questions)
            .map(|(at, scale, example)| async move {
                let rows = self.rows(&example.aimed.at(self.twin)).await;
                (at, rows.map(|rows| (rows as f64 * scale, example.weight)))
            })
            .buffered(ASKED_AT_ONCE)
            .collect()
            .await;
        let mut rows = vec![Vec::new(); groups.len()];
        let mut refused = BTreeMap::new();
        for (at, answer) in answers {
            match answer {
                Ok(pair) => rows[at].push(pair),
                Err(error) if matches!(error.kind, QueryErrorKind::Server { .. } | QueryErrorKind::TimedOut) => {
                    refused.insert(at, error);
                }
                Err(error) => return Err(error),
            }
        }
        // A group counts with those of its literals that the server takes.
        refused.retain(|at, _| rows[*at].is_empty());
        Ok(Told { reads: rows.iter().map(|rows| Reads::of(rows)).collect(), refused })
    }

    async fn rows(&self, query: &str) -> Result<u64, QueryError> {
        match self.method {
            Method::Explain => self.estimated(query).await,
            Method::Run => self.counted(query).await,
        }
    }

    async fn estimated(&self, query: &str) -> Result<u64, QueryError> {
        let statement = self.with(&format!("EXPLAIN ESTIMATE {query}"));
        let rows: Vec<EstimateRow> = self.ground.cluster.rows(self.ground.on, &statement).await?;
        let own = rows.iter().filter(|row| row.database == self.twin.database && row.table == self.twin.table);
        Ok(own.map(|row| row.rows).sum())
    }

    async fn counted(&self, query: &str) -> Result<u64, QueryError> {
        let statement = Statement { format: "JSON".to_owned(), ..self.with(&format!("SELECT count() FROM ({query})")) };
        let answer = self.ground.cluster.run(self.ground.on, &statement).await?;
        serde_json::from_str::<Answer>(&answer).map(|answer| answer.statistics.rows_read).map_err(|error| QueryError {
            kind: QueryErrorKind::Protocol,
            host: String::new(),
            replica: Some(self.ground.on),
            message: format!("no number of rows in the answer: {error}"),
            nested_code: None,
        })
    }

    fn with(&self, sql: &str) -> Statement {
        self.ground.statement(sql).with_settings(self.ground.known.of(ESTIMATE_SETTINGS))
    }
}
