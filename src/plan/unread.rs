//! What is asked of the servers' logs, to know who used columns of a table lately.

use std::collections::BTreeMap;

use super::template::Template;
use super::work::{LogQueries, Unread};
use crate::names::{ReplicaId, TableName, quote_string};

/// Kinds of queries that are read from one replica, at most; of a log with more nothing is proven.
pub const LOG_SHAPES_MAX: usize = 5_000;
/// Of longer queries only so much is read.
pub const QUERY_BYTES_MAX: usize = 100_000;
/// Ids of queries of other servers that are looked up, for each kind of query.
const IDS_MAX: usize = 1_000;

/// What is to be known.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The local table.
    pub table: &'a TableName,
    /// Its columns.
    pub columns: &'a [String],
    /// For how many seconds nobody must have read them.
    pub seconds: u64,
    /// Whether reads by `*` alone count.
    pub by_star: bool,
}

/// Asks for the columns of a replica's log; nothing where there is none.
pub fn log_columns() -> &'static str {
    "SELECT name FROM system.columns WHERE database = 'system' AND table = 'query_log' ORDER BY name"
}

/// The questions, to replicas whose logs have these columns. One that has no log yet is asked for what all logs have.
pub fn unread(asked: &Asked<'_>, logs: &BTreeMap<ReplicaId, Vec<String>>) -> Unread {
    let mut groups: Vec<(Vec<String>, Vec<ReplicaId>)> = Vec::new();
    for (on, columns) in logs {
        match groups.iter_mut().find(|(known, _)| known == columns) {
            Some((_, replicas)) => replicas.push(*on),
            None => groups.push((columns.clone(), vec![*on])),
        }
    }
    let queries = |(columns, on): (Vec<String>, Vec<ReplicaId>)| LogQueries {
        on,
        uses: uses(&columns, asked.seconds),
        senders: Template::text(&format!(
            "SELECT DISTINCT hex(query_id) FROM system.query_log WHERE {} AND is_initial_query = 1 AND query_id IN (",
            // A query may have begun before the window that its parts fall into.
            within(asked.seconds.saturating_add(86_400))
        ))
        .hole("ids", ")"),
    };
    Unread {
        table: asked.table.clone(),
        columns: asked.columns.to_vec(),
        seconds: asked.seconds,
        by_star: asked.by_star,
        known: Vec::new(),
        flush: "SYSTEM FLUSH LOGS".to_owned(),
        is_there: "SELECT count() FROM system.tables WHERE database = 'system' AND name = 'query_log'".to_owned(),
        settings: "SELECT name, value FROM system.settings WHERE name IN ('log_queries', 'log_queries_min_type', \
                   'log_queries_min_query_duration_ms', 'log_queries_probability') ORDER BY name"
            .to_owned(),
        reach: "SELECT toString(toUInt64(toUnixTimestamp(now()))), toString(if(count() = 0, 0, toUInt64(now()) - toUInt64(min(event_time)))) \
                FROM system.query_log"
            .to_owned(),
        definitions: "SELECT hex(database), hex(name), engine, hex(engine_full), hex(create_table_query) FROM system.tables \
                      WHERE (engine LIKE '%View' OR engine IN ('Distributed', 'Dictionary', 'Buffer', 'Merge', 'Alias')) \
                      AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY database, name"
            .to_owned(),
        logs: groups.into_iter().map(queries).collect(),
    }
}

fn within(seconds: u64) -> String {
    format!("event_date >= toDate(now() - {seconds}) AND event_time >= now() - {seconds}")
}

/// Queries that differ in literals alone are one, unless one of them names what the other one does not.
fn uses(columns: &[String], seconds: u64) -> Template {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let database = if has("current_database") { "toString(current_database)" } else { "''" };
    let shape = if has("normalized_query_hash") {
        "toString(normalized_query_hash)".to_owned()
    } else {
        let strings = quote_string(r"'[^']*'");
        format!("replaceRegexpAll(replaceRegexpAll(query, {strings}, '?'), '[0-9]+', '0')")
    };
    // Old servers take no bound here.
    let ids = if has("normalized_query_hash") {
        format!("groupUniqArray({IDS_MAX})(first_id)")
    } else {
        format!("arraySlice(groupUniqArray(first_id), 1, {IDS_MAX})")
    };
    let not_ours = if has("log_comment") { " AND NOT startsWith(log_comment, 'shardwright ')" } else { "" };
    let before = format!(
        "SELECT hex(argMax(query_text, at)), hex(session_database), hex(who), hex(client), hex(host), toString(is_first), \
         toString(uniqExact(id)), toString(max(at)), toString(listed), toString(max(is_cut)), \
         arrayStringConcat({ids}, ',') \
         FROM (SELECT substring(query, 1, {QUERY_BYTES_MAX}) AS query_text, length(query) >= {QUERY_BYTES_MAX} AS is_cut, \
         toUInt64(toUnixTimestamp(event_time)) AS at, query_id AS id, toUInt8(is_initial_query) AS is_first, \
         if(is_initial_query = 1, toString(user), toString(initial_user)) AS who, \
         if(is_initial_query = 1, '', hex(initial_query_id)) AS first_id, \
         if(client_name != '', toString(client_name), toString(http_user_agent)) AS client, \
         if(is_initial_query = 1, IPv6NumToString(address), IPv6NumToString(initial_address)) AS host, \
         if(is_initial_query = 1, '', IPv6NumToString(address)) AS sender, \
         {database} AS session_database, {shape} AS shape, "
    );
    let template = Template::text(&before).hole("flags", " AS flags, ");
    let template = if has("columns") {
        template
            .then(&Template::text("if(hasAny(columns, ["))
            .hole("columns", "]), 2, if(empty(columns), 0, 1)) AS listed ")
    } else {
        template.then(&Template::text("0 AS listed "))
    };
    let template = template.then(&Template::text(&format!("FROM system.query_log WHERE {} AND (", within(seconds))));
    let template = template.hole("names", "");
    let template = if has("columns") {
        template.then(&Template::text(" OR hasAny(columns, [")).hole("columns", "])")
    } else {
        template
    };
    template.then(&Template::text(&format!(
        ") AND NOT startsWith(query_id, 'shardwright-') AND NOT startsWith(initial_query_id, 'shardwright-'){not_ours}) \
         GROUP BY shape, flags, session_database, who, client, host, sender, is_first, listed \
         ORDER BY max(at) DESC, hex(argMax(query_text, at)) LIMIT {}",
        LOG_SHAPES_MAX + 1
    )))
}
