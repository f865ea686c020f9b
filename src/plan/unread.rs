//! What is asked of the servers' logs, to know who used columns of a table lately.

use std::collections::BTreeMap;

use super::template::Template;
use super::work::{LogQueries, Unread};
use crate::names::{ReplicaId, TableName, quote_string};

/// Kinds of queries that are read from one replica, at most; of a log with more nothing is proven.
pub const LOG_SHAPES_MAX: usize = 5_000;
/// Of longer queries only so much is read.
pub const QUERY_BYTES_MAX: usize = 100_000;
/// What servers have that tell kinds of queries apart themselves.
const HASH: &str = "normalizedQueryHashKeepNames";
/// What servers have that say what profiles, users and roles set.
const PROFILES: &str = "settings_profile_elements.setting_name";
/// Settings by which queries are left out of a log.
const LOGGING: &str =
    "('log_queries', 'log_queries_min_type', 'log_queries_min_query_duration_ms', 'log_queries_probability')";
/// The setting by which they keep only the beginning of a query.
const CUT: &str = "log_queries_cut_to_length";
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

/// Asks for the columns of a replica's log, nothing where there is none; whether it can say what profiles of users set; and whether
/// it tells kinds of queries apart by all of their names.
pub fn log_columns() -> String {
    format!(
        "SELECT found FROM (SELECT if(table = 'query_log', name, concat(table, '.', name)) AS found FROM system.columns \
     WHERE database = 'system' AND (table = 'query_log' OR table = 'settings_profile_elements' AND name = 'setting_name') \
     UNION ALL SELECT name AS found FROM system.functions WHERE name = '{HASH}') ORDER BY found"
    )
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
        profiles: has(&columns, PROFILES).then(profiles),
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
        settings: format!("SELECT name, value FROM system.settings WHERE name IN {LOGGING} ORDER BY name"),
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

fn profiles() -> String {
    format!(
        "SELECT DISTINCT setting_name, value, multiIf(user_name IS NOT NULL, concat('user ', ifNull(user_name, '')), \
         role_name IS NOT NULL, concat('role ', ifNull(role_name, '')), concat('profile ', ifNull(profile_name, ''))) AS whose \
         FROM system.settings_profile_elements WHERE setting_name IN {LOGGING} AND value IS NOT NULL ORDER BY whose, setting_name"
    )
}

fn within(seconds: u64) -> String {
    format!("event_date >= toDate(now() - {seconds}) AND event_time >= now() - {seconds}")
}

/// Where a replica has its queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The log of those that began or ended within the time.
    Log,
    /// Those that run: one that began before that is in no log until it ends.
    Running,
}

/// Queries that differ in literals alone are one, unless one of them names what the other one does not.
fn uses(columns: &[String], seconds: u64) -> Template {
    // Old servers take no bound here.
    let ids = if has(columns, HASH) {
        format!("groupUniqArray({IDS_MAX})(first_id)")
    } else {
        format!("arraySlice(groupUniqArray(first_id), 1, {IDS_MAX})")
    };
    let before = format!(
        "SELECT hex(argMax(query_text, at)), hex(session_database), hex(who), hex(client), hex(host), toString(is_first), \
         toString(uniqExact(id)), toString(max(at)), listed, toString(max(is_cut)), arrayStringConcat({ids}, ',') FROM ("
    );
    let after = format!(
        ") GROUP BY shape, flags, session_database, who, client, host, sender, is_first, listed \
         ORDER BY max(at) DESC, hex(argMax(query_text, at)) LIMIT {}",
        LOG_SHAPES_MAX + 1
    );
    Template::text(&before)
        .then(&queries(Source::Log, columns, seconds))
        .then(&Template::text(" UNION ALL "))
        .then(&queries(Source::Running, columns, seconds))
        .then(&Template::text(&after))
}

/// The queries of one source that may use the columns, one by one.
fn queries(source: Source, columns: &[String], seconds: u64) -> Template {
    let is_log = source == Source::Log;
    let at = if is_log { "event_time" } else { "now()" };
    let address = if is_log { "IPv6NumToString" } else { "toString" };
    let database = if is_log && has(columns, "current_database") { "toString(current_database)" } else { "''" };
    let cut = is_cut(columns, source);
    let lists = is_log && has(columns, "columns");
    let shape = shape(columns);
    let fields = format!(
        "SELECT substring(query, 1, {QUERY_BYTES_MAX}) AS query_text, {cut} AS is_cut, \
         toUInt64(toUnixTimestamp({at})) AS at, toString(query_id) AS id, toUInt8(is_initial_query) AS is_first, \
         if(is_initial_query = 1, toString(user), toString(initial_user)) AS who, \
         if(is_initial_query = 1, '', hex(initial_query_id)) AS first_id, \
         if(client_name != '', toString(client_name), toString(http_user_agent)) AS client, \
         if(is_initial_query = 1, {address}(address), {address}(initial_address)) AS host, \
         if(is_initial_query = 1, '', {address}(address)) AS sender, \
         {database} AS session_database, {shape} AS shape, "
    );
    let (table, time) = match source {
        Source::Log => ("query_log", within(seconds)),
        Source::Running => ("processes", "1".to_owned()),
    };
    let template = Template::text(&fields).hole("flags", " AS flags, ");
    let template = if lists { template.hole("listed", "") } else { template.then(&Template::text("''")) };
    let template = template
        .then(&Template::text(&format!(" AS listed FROM system.{table} WHERE {time} AND ({cut} OR ")))
        .hole("names", "");
    let template =
        if lists { template.then(&Template::text(" OR hasAny(columns, [")).hole("columns", "])") } else { template };
    let not_ours =
        if is_log && has(columns, "log_comment") { " AND NOT startsWith(log_comment, 'shardwright ')" } else { "" };
    template.then(&Template::text(&format!(
        ") AND NOT startsWith(query_id, 'shardwright-') AND NOT startsWith(initial_query_id, 'shardwright-'){not_ours}"
    )))
}

fn has(columns: &[String], name: &str) -> bool {
    columns.iter().any(|column| column == name)
}

/// A query without its literals, and with all of its names: what `normalized_query_hash` itself takes for literals are names with
/// digits, too.
fn shape(columns: &[String]) -> String {
    if has(columns, HASH) {
        return format!("toString({HASH}(query))");
    }
    // Quoted names stay, comments and strings go: each begins where the one before it has ended.
    let quoted = r#"(`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")|--[^\n]*|(?s:/\*.*?\*/)|(?s:'(?:[^'\\]|\\.)*')"#;
    let (quoted, kept, numbers) = (quote_string(quoted), quote_string(r"\1?"), quote_string(r"\b[0-9]+\b"));
    format!("replaceRegexpAll(replaceRegexpAll(query, {quoted}, {kept}), {numbers}, '0')")
}

/// Whether a query is not there whole. Some servers say in its text how much of it they left out, others just stop.
fn is_cut(columns: &[String], source: Source) -> String {
    let said = quote_string(r"\(removed [0-9]+ characters\)");
    let most = if source == Source::Log && has(columns, "Settings.Names") {
        format!(
            "if(has(Settings.Names, '{CUT}'), toUInt64OrZero(Settings.Values[indexOf(Settings.Names, '{CUT}')]), \
             toUInt64({QUERY_BYTES_MAX}))"
        )
    } else {
        format!("toUInt64({QUERY_BYTES_MAX})")
    };
    format!("(match(query, {said}) OR length(query) >= least(toUInt64({QUERY_BYTES_MAX}), {most}))")
}
