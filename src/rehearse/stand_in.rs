//! Tables and dictionaries in place of those that lead outside: the same columns, and nobody at the other end.

use crate::ddl::lexer::{TokenKind, significant_tokens};
use crate::ddl::{Clauses, CreateTable, Engine, Text, mentions, read_dictionary};
use crate::names::quote_identifier;
use crate::plan::Fingerprint;

/// Engines whose rows are read once, by materialized views.
const STREAMS: [&str; 6] = ["Kafka", "RabbitMQ", "NATS", "S3Queue", "AzureQueue", "FileLog"];

/// Columns that such tables have without being told, with types that old servers have too.
const VIRTUAL: [(&str, &str); 23] = [
    ("_topic", "String"),
    ("_key", "String"),
    ("_offset", "UInt64"),
    ("_partition", "UInt64"),
    ("_timestamp", "Nullable(DateTime)"),
    ("_timestamp_ms", "Nullable(DateTime)"),
    ("_headers.name", "Array(String)"),
    ("_headers.value", "Array(String)"),
    ("_raw_message", "String"),
    ("_error", "String"),
    ("_exchange_name", "String"),
    ("_channel_id", "String"),
    ("_delivery_tag", "UInt64"),
    ("_redelivered", "UInt8"),
    ("_message_id", "String"),
    ("_subject", "String"),
    ("_path", "String"),
    ("_file", "String"),
    ("_filename", "String"),
    ("_size", "Nullable(UInt64)"),
    ("_time", "Nullable(DateTime)"),
    ("_etag", "Nullable(String)"),
    ("_table", "String"),
];

/// The engine that stands in for another: what is put into a `Null` table goes to its views, as with a queue; a `Memory`
/// table can be read.
pub(super) fn engine(of: &str) -> &'static str {
    if STREAMS.contains(&of) { "Null" } else { "Memory" }
}

/// The stand-in of a table. Columns that the server would add are there if any other definition speaks of them.
pub(super) fn table(table: &CreateTable, print: &Fingerprint, all: &[&Fingerprint]) -> CreateTable {
    let readers = all.iter().filter(|other| other.table != print.table);
    let texts: Vec<&str> = readers.map(|other| other.definition.as_str()).collect();
    let missing = VIRTUAL.iter().filter(|(name, _)| {
        !table.column_names().any(|known| known == *name) && texts.iter().any(|text| speaks_of(text, name))
    });
    let added: Vec<String> = missing.map(|(name, kind)| format!(", {}", virtual_column(name, kind))).collect();
    CreateTable {
        body: Text::new(format!("{}{}", table.body.text, added.concat())),
        engine: Engine { name: engine(&table.engine.name).to_owned(), args: None, clauses: Clauses::default() },
        if_not_exists: false,
        on_cluster: None,
        ..table.clone()
    }
}

/// An ALIAS is left out of `SELECT *`, as a virtual column is.
fn virtual_column(name: &str, kind: &str) -> String {
    let value = match kind {
        "String" => "''".to_owned(),
        kind if kind.starts_with("Array") => format!("CAST([] AS {kind})"),
        kind if kind.starts_with("Nullable") => format!("CAST(NULL AS {kind})"),
        kind => format!("to{kind}(0)"),
    };
    format!("{} {kind} ALIAS {value}", quote_identifier(name))
}

fn speaks_of(definition: &str, column: &str) -> bool {
    let first = column.split('.').next().unwrap_or(column);
    let Ok(tokens) = significant_tokens(definition) else { return false };
    tokens.iter().any(|token| {
        let text = &definition[token.span.clone()];
        matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
            && [first, column].contains(&text.trim_matches(['`', '"']))
    })
}

/// A dictionary's definition with a source that is there: the same table on the same server, or nothing.
pub(super) fn dictionary(print: &Fingerprint, all: &[&Fingerprint]) -> Result<(String, Option<String>), String> {
    let dictionary = read_dictionary(&print.definition).map_err(|error| error.to_string())?;
    let names = all.iter().map(|other| other.table.clone()).collect();
    let has_table = !mentions(&print.table, &print.definition, &names).is_empty();
    if dictionary.kind == "CLICKHOUSE" && is_here(dictionary.setting("HOST").as_deref()) && has_table {
        let elsewhere = ["HOST", "PORT", "USER", "PASSWORD", "SECURE"];
        let kept = dictionary.settings.iter().filter(|(key, _)| !elsewhere.contains(&key.as_str()));
        let kept: Vec<String> = kept.map(|(key, value)| format!("{key} {}", value.text)).collect();
        return Ok((dictionary.with_source(&print.definition, &format!("CLICKHOUSE({})", kept.join(" "))), None));
    }
    let note = format!(
        "{} gets its rows from {} on the plan's cluster; an empty dictionary stood in for it",
        print.table, dictionary.kind
    );
    Ok((dictionary.with_source(&print.definition, "NULL()"), Some(note)))
}

fn is_here(host: Option<&str>) -> bool {
    host.is_none_or(|host| ["localhost", "127.0.0.1", "::1", ""].contains(&host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::read_table;
    use crate::names::TableName;

    fn print(table: &str, definition: &str) -> Fingerprint {
        Fingerprint {
            table: TableName::new("k", table),
            on: Vec::new(),
            definition_hash: String::new(),
            definition: definition.to_owned(),
        }
    }

    #[test]
    fn a_queue_becomes_a_null_table_with_the_virtual_columns_that_its_views_read() {
        for engine in [
            "Kafka('127.0.0.1:1', 'topic', 'group', 'JSONEachRow') SETTINGS kafka_num_consumers = 1",
            "Kafka SETTINGS kafka_broker_list = '127.0.0.1:1', kafka_topic_list = 't', kafka_group_name = 'g', kafka_format = 'CSV'",
            "RabbitMQ SETTINGS rabbitmq_host_port = 'h:1', rabbitmq_exchange_name = 'e'",
            "S3Queue('http://s/*', 'CSV') SETTINGS mode = 'unordered'",
        ] {
            let queue =
                print("queue", &format!("CREATE TABLE k.queue (`id` UInt64, `event` String) ENGINE = {engine}"));
            let view =
                print("mv", "CREATE MATERIALIZED VIEW k.mv TO k.t AS SELECT id, _topic, _headers.name FROM k.queue");
            let stand_in = table(&read_table(&queue.definition).unwrap(), &queue, &[&queue, &view]);
            assert_eq!(
                stand_in.to_sql(),
                "CREATE TABLE `k`.`queue` (`id` UInt64, `event` String, `_topic` String ALIAS '', `_headers.name` \
                 Array(String) ALIAS CAST([] AS Array(String)), `_headers.value` Array(String) ALIAS CAST([] AS \
                 Array(String))) ENGINE = Null"
            );
        }
    }

    #[test]
    fn what_can_be_read_outside_becomes_a_table_that_can_be_read() {
        for engine in ["MySQL", "PostgreSQL('h:1', 'd', 't', 'u', '[HIDDEN]')", "URL('http://x', 'CSV')", "MongoDB"] {
            let outside = print("o", &format!("CREATE TABLE k.o (`id` UInt64) ENGINE = {engine}"));
            let stand_in = table(&read_table(&outside.definition).unwrap(), &outside, &[&outside]);
            assert_eq!(stand_in.to_sql(), "CREATE TABLE `k`.`o` (`id` UInt64) ENGINE = Memory");
        }
    }

    #[test]
    fn a_dictionary_reads_the_table_beside_it_or_nothing() {
        let sql = |source: &str| {
            format!("CREATE DICTIONARY k.d (`id` UInt64) PRIMARY KEY id SOURCE({source}) LAYOUT(FLAT())")
        };
        let rows = print("rows", "CREATE TABLE k.rows (`id` UInt64) ENGINE = Memory");
        let made = |source: &str| {
            let print = print("d", &sql(source));
            dictionary(&print, &[&rows, &print]).unwrap()
        };
        let here = "CLICKHOUSE(HOST 'localhost' PORT 9000 DB 'k' TABLE 'rows' INVALIDATE_QUERY 'SELECT 1')";
        assert_eq!(made(here), (sql("CLICKHOUSE(DB 'k' TABLE 'rows' INVALIDATE_QUERY 'SELECT 1')"), None));
        for elsewhere in ["CLICKHOUSE(HOST 'ch9' DB 'k' TABLE 'rows')", "MYSQL()", "CLICKHOUSE(DB 'k' TABLE 'other')"] {
            let (made, note) = made(elsewhere);
            assert_eq!(made, sql("NULL()"));
            assert!(note.unwrap().starts_with("k.d gets its rows from"));
        }
    }
}
