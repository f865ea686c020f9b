//! Twins: tables with the columns of the one that is evaluated, each with another sorting key, in a scratch database of ours.

use crate::catalog::{Column, Table};
use crate::ddl::lexer::{TokenKind, significant_tokens};
use crate::ddl::{CreateTable, DdlError, Engine, Item, ItemKind, Name, Text, key_items, read_table};
use crate::names::{TableName, quote_identifier, quote_string};

use super::key::Key;

/// All scratch databases of `evaluate` are called this and a tag.
pub const SCRATCH_PREFIX: &str = "_shardwright_evaluate_";
/// The table in a scratch database that says whose it is.
pub const OWNER_TABLE: &str = "owner";

/// Settings of a table that are a twin's own.
const OWN_SETTINGS: [&str; 6] = [
    "index_granularity",
    "index_granularity_bytes",
    "min_bytes_for_wide_part",
    "min_rows_for_wide_part",
    "min_bytes_for_full_part_storage",
    "ttl_only_drop_parts",
];

/// What the server that has the twins knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Granules that are bounded in bytes, and must not be in a twin.
    pub adaptive_granules: bool,
    /// Parts that keep all columns in one file, of which no column's size is known.
    pub compact_parts: bool,
}

/// How a twin is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The table that is evaluated.
    pub table: &'a Table,
    /// The key; today's if none.
    pub key: Option<&'a Key>,
    /// Rows of a granule.
    pub granule_rows: u64,
    /// What the server knows.
    pub dialect: Dialect,
    /// Whether rows are merged as the table's engine does. Without, none is ever lost.
    pub merges: bool,
    /// The codec of columns without one of their own, where it is not the server's choice: servers take another one for large
    /// parts than for those that a twin has.
    pub codec: Option<&'a str>,
}

impl Plan<'_> {
    /// The statement that makes the twin.
    pub fn create(&self, name: &TableName) -> Result<String, DdlError> {
        let live = read_table(&self.table.create_query)?;
        let mut engine = storage(&live.engine, self.table)?;
        if !self.merges {
            "MergeTree".clone_into(&mut engine.name);
            engine.args = None;
        }
        if let Some(key) = self.key {
            engine.clauses.order_by = Some(Text::new(&key.sql));
            engine.clauses.primary_key = None;
            let sample = engine.clauses.sample_by.take();
            engine.clauses.sample_by = sample.filter(|sample| holds_sample(key, &sample.text));
        }
        engine.clauses.ttl = None;
        engine.clauses.settings = Some(Text::new(self.settings(&engine)?));
        let body = body(&live, &self.table.columns)?;
        let twin = CreateTable {
            name: Name::from(name),
            if_not_exists: false,
            on_cluster: None,
            body: Text::new(body),
            items: Vec::new(),
            engine,
            comment: None,
        };
        Ok(twin.to_sql())
    }

    fn settings(&self, engine: &Engine) -> Result<String, DdlError> {
        let given = engine.clauses.settings.as_ref().map_or("", |settings| settings.text.as_str());
        let mut settings: Vec<String> = key_items(given)?
            .into_iter()
            .filter(|setting| !OWN_SETTINGS.contains(&setting.split(' ').next().unwrap_or_default()))
            .collect();
        settings.push(format!("index_granularity = {}", self.granule_rows));
        if self.dialect.adaptive_granules {
            // More than any granule has: rows alone decide where one ends.
            settings.push("index_granularity_bytes = 1099511627776".to_owned());
        }
        if self.dialect.compact_parts {
            settings.push("min_bytes_for_wide_part = 0".to_owned());
            settings.push("min_rows_for_wide_part = 0".to_owned());
        }
        if let Some(codec) = self.codec.filter(|_| !given.contains("default_compression_codec")) {
            settings.push(format!("default_compression_codec = {}", quote_string(codec)));
        }
        Ok(settings.join(", "))
    }
}

/// Engine and clauses without replication, and in today's syntax.
fn storage(live: &Engine, table: &Table) -> Result<Engine, DdlError> {
    let mut engine = live.clone();
    if live.is_old_style() {
        live.plain_name().clone_into(&mut engine.name);
        engine.args = None;
        let clause = |key: &str| (!key.is_empty()).then(|| Key::of(key).map(|key| Text::new(key.sql))).transpose();
        engine.clauses.partition_by = clause(&table.keys.partition)?;
        engine.clauses.order_by = clause(&table.keys.sorting)?;
        engine.clauses.sample_by = clause(&table.keys.sampling)?;
    } else if live.replicated() {
        let args = live.merge_args().to_vec();
        engine.args = (!args.is_empty()).then_some(args);
        live.plain_name().clone_into(&mut engine.name);
    }
    Ok(engine)
}

/// Whether a key holds what a sampling clause needs.
pub fn holds_sample(key: &Key, sample_by: &str) -> bool {
    let Ok(items) = key_items(sample_by) else { return false };
    let expressions = key.expressions();
    items.iter().all(|item| expressions.contains(&item.as_str()))
}

/// Columns with their codecs and no defaults: what a computed column holds is copied, not computed anew. Indexes and projections
/// stay; constraints have done their work.
fn body(live: &CreateTable, columns: &[Column]) -> Result<String, DdlError> {
    let mut items = Vec::new();
    for item in &live.items {
        match &item.kind {
            ItemKind::Column { name } => {
                items.extend(column(item, columns.iter().find(|column| column.name == *name))?);
            }
            ItemKind::Index { .. } | ItemKind::Projection { .. } => items.push(item.text.text.clone()),
            ItemKind::Constraint { .. } | ItemKind::PrimaryKey => {}
        }
    }
    Ok(items.join(", "))
}

fn column(item: &Item, column: Option<&Column>) -> Result<Option<String>, DdlError> {
    let Some(column) = column else { return Ok(Some(item.text.text.clone())) };
    Ok(match column.default_kind.as_str() {
        "ALIAS" => Some(item.text.text.clone()),
        "EPHEMERAL" => None,
        _ => Some(format!("{} {}{}", quote_identifier(&column.name), column.kind, codec(&item.text.text)?)),
    })
}

/// ` CODEC(…)`, if a column's definition has it.
fn codec(text: &str) -> Result<String, DdlError> {
    let tokens = significant_tokens(text)?;
    let mut depth = 0_usize;
    let mut begin = None;
    for pair in tokens.windows(2) {
        let word = &text[pair[0].span.clone()];
        match pair[0].kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 && word.eq_ignore_ascii_case("CODEC") && pair[1].kind == TokenKind::Open => {
                begin = Some(pair[0].span.start);
            }
            _ => {}
        }
        if let (Some(begin), TokenKind::Close, 1) = (begin, pair[1].kind, depth) {
            return Ok(format!(" {}", &text[begin..pair[1].span.end]));
        }
    }
    Ok(String::new())
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalog::Keys;

    /// A replicated table with all that a twin leaves out.
    pub(in crate::evaluate) fn events() -> Table {
        let kinds = [("tenant", "UInt32", ""), ("event", "String", ""), ("ts", "DateTime", ""), ("size", "UInt64", "")];
        let column = |(name, kind, default): (&str, &str, &str)| Column {
            default_kind: default.to_owned(),
            ..Column::new(name, kind)
        };
        let mut columns: Vec<Column> = kinds.into_iter().map(column).collect();
        columns.push(column(("kb", "UInt64", "ALIAS")));
        Table {
            name: TableName::new("d", "t"),
            engine: "ReplicatedReplacingMergeTree".into(),
            engine_full: String::new(),
            create_query: "CREATE TABLE d.t (`tenant` UInt32, `event` String CODEC(ZSTD(3)), `ts` DateTime DEFAULT now(), `size` UInt64 \
                           MATERIALIZED length(event), `kb` UInt64 ALIAS size / 1024, INDEX i event TYPE set(0) GRANULARITY 1, \
                           CONSTRAINT c CHECK size > 0) ENGINE = ReplicatedReplacingMergeTree('/k/{shard}/t', '{replica}', ts) \
                           PARTITION BY toYYYYMM(ts) PRIMARY KEY tenant ORDER BY (tenant, intHash32(size)) SAMPLE BY \
                           intHash32(size) TTL ts + toIntervalDay(9) SETTINGS index_granularity = 8192, storage_policy = 'hot'"
                .into(),
            definition_hash: String::new(),
            keys: Keys { sorting: "tenant, intHash32(size)".into(), ..Keys::default() },
            columns,
            partitions: Vec::new(),
            replication: None,
            mutations_pending: 0,
            mutation_next: 0,
            column_bytes: BTreeMap::new(),
            dependents: Vec::new(),
        }
    }

    #[test]
    fn a_twin_has_another_key_and_granules_to_scale() {
        let (table, key) = (events(), Key::of("event, tenant").unwrap());
        let dialect = Dialect { adaptive_granules: true, compact_parts: true };
        let plan = Plan { table: &table, key: Some(&key), granule_rows: 409, dialect, merges: false, codec: None };
        insta::assert_snapshot!(plan.create(&TableName::new("s", "n")).unwrap(), @"CREATE TABLE `s`.`n` (`tenant` UInt32, `event` String CODEC(ZSTD(3)), `ts` DateTime, `size` UInt64, `kb` UInt64 ALIAS size / 1024, INDEX i event TYPE set(0) GRANULARITY 1) ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (event, tenant) SETTINGS storage_policy = 'hot', index_granularity = 409, index_granularity_bytes = 1099511627776, min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0");
    }

    #[test]
    fn todays_twin_keeps_its_keys_and_its_merging() {
        let table = events();
        let dialect = Dialect { adaptive_granules: false, compact_parts: false };
        let plan = Plan { table: &table, key: None, granule_rows: 8192, dialect, merges: true, codec: Some("ZSTD(3)") };
        let sql = plan.create(&TableName::new("s", "n")).unwrap();
        let wanted = "ENGINE = ReplacingMergeTree(ts) PARTITION BY toYYYYMM(ts) PRIMARY KEY tenant ORDER BY (tenant, intHash32(size)) \
                      SAMPLE BY intHash32(size) SETTINGS storage_policy = 'hot', index_granularity = 8192, \
                      default_compression_codec = 'ZSTD(3)'";
        assert!(sql.ends_with(wanted), "{sql}");
    }
}
