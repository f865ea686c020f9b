//! Reading which queries were run, from a replica's `system.query_log`.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::cluster::Cluster;
use super::error::QueryError;
use super::session::Statement;
use crate::evaluate::{EXAMPLES_MAX, Logged, SCRATCH_PREFIX};
use crate::names::{ReplicaId, quote_string};

/// Shapes of queries that are read from one replica, at most.
const SHAPES_MAX: usize = 5_000;
/// A function that tells queries apart by all but their literals, and one that draws some of many.
const SHAPE: &str = "normalizedQueryHashKeepNames";
const SAMPLE: &str = "groupArraySample";
/// Longer queries are left out.
const QUERY_BYTES_MAX: usize = 100_000;
const TIMEOUT: Duration = Duration::from_mins(1);

/// Why a log was not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// There is none.
    #[error("{0} has no system.query_log: no query was logged there, or the server is not told to")]
    Missing(ReplicaId),
    /// The server does not give it.
    #[error("system.query_log cannot be read: {0}")]
    Refused(#[from] QueryError),
}

/// Which queries are asked for.
#[derive(Debug, Clone)]
pub struct LogQuestion {
    /// Names of tables; a query has at least one of them in its text.
    pub needles: Vec<String>,
    /// How far back, in seconds.
    pub window_seconds: u64,
    /// Settings for each statement, known to the server.
    pub settings: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Row {
    queries: Vec<String>,
    session_database: String,
    runs: u64,
    rows_read: u64,
    bytes_read: u64,
    milliseconds: u64,
    users: Vec<String>,
    last_seen: String,
}

impl Cluster {
    /// Queries of one replica's clients that have ended well, most bytes read first.
    pub async fn logged_queries(&self, on: ReplicaId, question: &LogQuestion) -> Result<Vec<Logged>, LogError> {
        let ask = |sql: String| Statement::read(sql, TIMEOUT).with_settings(question.settings.iter().cloned());
        // What was just run is written within seconds by itself; a user that may not ask for it reads a little less.
        _ = self.run(on, &Statement::change("SYSTEM FLUSH LOGS", TIMEOUT)).await;
        let columns = "SELECT name FROM system.columns WHERE database = 'system' AND table = 'query_log'";
        let columns = self.run(on, &ask(columns.to_owned())).await?;
        let columns: Vec<&str> = columns.lines().collect();
        if columns.is_empty() {
            return Err(LogError::Missing(on));
        }
        let functions = format!("SELECT name FROM system.functions WHERE name IN ('{SAMPLE}', '{SHAPE}')");
        let functions = self.run(on, &ask(functions)).await?;
        let functions: Vec<&str> = functions.lines().collect();
        let rows: Vec<Row> = self.rows(on, &ask(sql(question, &columns, &functions))).await?;
        Ok(rows.into_iter().map(Logged::from).collect())
    }
}

fn sql(question: &LogQuestion, columns: &[&str], functions: &[&str]) -> String {
    let has = |name: &str| columns.contains(&name);
    let database = if has("current_database") { "toString(current_database)" } else { "''" };
    // Where the server tells what differs in literals alone, it sends some of each; else all, and they are grouped here. Its own
    // normalized_query_hash takes names with digits for literals.
    let (examples, group) = match (functions.contains(&SHAPE), functions.contains(&SAMPLE)) {
        (true, true) => (format!("{SAMPLE}({EXAMPLES_MAX}, 1)(query)"), format!("{SHAPE}(query)")),
        (true, false) => (format!("arraySort(groupUniqArray({EXAMPLES_MAX})(query))"), format!("{SHAPE}(query)")),
        (false, _) => ("[query]".to_owned(), "query".to_owned()),
    };
    let kind = if has("query_kind") { "AND query_kind IN ('Select', 'Insert')" } else { "" };
    let window = question.window_seconds;
    let names: Vec<String> =
        question.needles.iter().map(|name| format!("position(query, {}) > 0", quote_string(name))).collect();
    format!(
        "SELECT {examples} AS queries, session_database, toUInt64(count()) AS runs, toUInt64(sum(read_rows)) AS rows_read, \
         toUInt64(sum(read_bytes)) AS bytes_read, toUInt64(sum(query_duration_ms)) AS milliseconds, \
         arraySlice(arraySort(groupUniqArray(toString(user))), 1, 5) AS users, toString(max(event_time)) AS last_seen \
         FROM (SELECT *, {database} AS session_database FROM system.query_log \
         WHERE event_date >= toDate(now() - {window}) AND event_time >= now() - {window} AND toInt8(type) = 2 \
         AND is_initial_query AND ({names}) \
         AND length(query) < {QUERY_BYTES_MAX} AND NOT startsWith(query_id, 'shardwright-') \
         AND position(query, {ours}) = 0 {kind}) \
         GROUP BY {group}, session_database ORDER BY bytes_read DESC, runs DESC, queries LIMIT {SHAPES_MAX}",
        names = names.join(" OR "),
        ours = quote_string(SCRATCH_PREFIX),
    )
}

impl From<Row> for Logged {
    fn from(row: Row) -> Self {
        // What the log has of each shape stands for all of it, in equal shares.
        let share = row.runs.div_ceil(row.queries.len().max(1) as u64);
        Self {
            examples: row.queries.into_iter().map(|query| (query, share)).collect(),
            database: (!row.session_database.is_empty()).then_some(row.session_database),
            count: row.runs,
            read_rows: row.rows_read,
            read_bytes: row.bytes_read,
            duration_ms: row.milliseconds,
            users: row.users,
            last_seen: row.last_seen,
        }
    }
}
