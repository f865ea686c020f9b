//! Definitions of the tables that a plan makes, derived from the live one.

use crate::catalog::{Column, Table};
use crate::change::Wanted;
use crate::ddl::{
    CreateTable, DdlError, Engine, Item, ItemKind, Name, Text, read_declaration, read_engine, read_table,
};
use crate::names::{OWN_MARK, TableName, quote_identifier, quote_string};

/// Hex digits of a plan's id.
pub(super) const ID_LENGTH: usize = 8;

/// Why a definition cannot be derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The server's own text could not be read.
    #[error("the definition of {table} cannot be read")]
    Unreadable {
        /// The table.
        table: TableName,
        /// Where, and why.
        source: Box<DdlError>,
    },
}

/// The live definition of a table, as one replica prints it.
pub fn live(table: &Table) -> Result<CreateTable, DefinitionError> {
    let unreadable = |source| DefinitionError::Unreadable { table: table.name.clone(), source: Box::new(source) };
    read_table(&table.create_query).map_err(unreadable)
}

/// The engine of a table, as one replica prints it.
pub(super) fn engine(table: &Table) -> Result<Engine, DefinitionError> {
    let unreadable = |source| DefinitionError::Unreadable { table: table.name.clone(), source: Box::new(source) };
    read_engine(&table.engine_full).map_err(unreadable)
}

/// The live definition under another name, with the wanted keys and types.
pub fn with_keys(live: &CreateTable, wanted: &Wanted, name: &TableName) -> CreateTable {
    let mut new = renamed(live, name);
    for (column, kind) in &wanted.types {
        new = new.with_type(column, kind);
    }
    if let Some(definition) = &wanted.definition {
        take_engine(&mut new.engine, &definition.engine);
    }
    let clauses = &mut new.engine.clauses;
    for (clause, wanted) in [
        (&mut clauses.order_by, &wanted.order_by),
        (&mut clauses.primary_key, &wanted.primary_key),
        (&mut clauses.partition_by, &wanted.partition_by),
    ] {
        match wanted {
            None => {}
            // A whole definition without the clause.
            Some(expression) if expression.is_empty() => *clause = None,
            Some(expression) => *clause = Some(Text::new(expression.clone())),
        }
    }
    new
}

/// Another engine of the family, replicated or not as the table is.
fn take_engine(engine: &mut Engine, wanted: &Engine) {
    if engine.merges_as(wanted) || !wanted.is_merge_tree_family() {
        return;
    }
    let keeper = engine.args().len() - engine.merge_args().len();
    let args: Vec<Text> = engine.args()[..keeper].iter().chain(wanted.merge_args()).cloned().collect();
    let prefix = if engine.replicated() { "Replicated" } else { "" };
    engine.name = format!("{prefix}{}", wanted.plain_name());
    engine.args = (!args.is_empty()).then_some(args);
}

/// The shadow table: wanted keys, and a Keeper path that no other table has.
pub fn shadow(live: &CreateTable, wanted: &Wanted, name: &TableName, plan_id: &str) -> CreateTable {
    let mut shadow = with_keys(live, wanted, name);
    if let (Some(path), Some(args)) = (shadow.engine.keeper_path(), shadow.engine.args.as_mut())
        && let Some(first) = args.first_mut()
    {
        *first = Text::new(quote_string(&marked_path(&path, plan_id)));
    }
    shadow
}

/// Settings with which no two parts are ever merged, on servers from 18.16 on. `SYSTEM STOP MERGES` is forgotten by a server that
/// is started again; chunks that were copied are known by the names of their parts.
const NO_MERGES: [&str; 2] = ["max_bytes_to_merge_at_min_space_in_pool", "max_bytes_to_merge_at_max_space_in_pool"];

/// The same definition as a plain `MergeTree` table: it merges no parts and no rows, belongs to one replica only and forgets nothing
/// by age.
fn plain(definition: &CreateTable, name: &TableName) -> CreateTable {
    let mut plain = renamed(definition, name);
    "MergeTree".clone_into(&mut plain.engine.name);
    plain.engine.args = None;
    plain.engine.clauses.ttl = None;
    let given = plain.engine.clauses.settings.take().map_or(String::new(), |settings| settings.text);
    let mut settings: Vec<String> = (!given.is_empty()).then(|| given.clone()).into_iter().collect();
    settings.extend(NO_MERGES.iter().filter(|name| !given.contains(*name)).map(|name| format!("{name} = 1")));
    plain.engine.clauses.settings = Some(Text::new(settings.join(", ")));
    plain
}

/// A plain table that holds the table's parts by hard links. Parts that lack a column have its default there too, so the body stays as it is;
/// `given` says that MATERIALIZED columns must take the values that they are given, since the way back inserts rows. They have their expression
/// as a default then.
pub fn snapshot(definition: &CreateTable, given: bool, name: &TableName) -> CreateTable {
    let mut snapshot = plain(definition, name);
    if given {
        let items: Vec<String> = definition.items.iter().map(as_default).collect();
        snapshot.body = Text::new(items.join(", "));
    }
    snapshot
}

fn as_default(item: &Item) -> String {
    const WORD: &str = "MATERIALIZED";
    let text = &item.text.text;
    let declared = matches!(item.kind, ItemKind::Column { .. }).then(|| read_declaration(text).ok()).flatten();
    let Some(mut declared) = declared.filter(|declared| declared.has(WORD)) else { return text.clone() };
    for (word, part) in declared.parts.iter_mut().filter(|(word, _)| word == WORD) {
        "DEFAULT".clone_into(word);
        *part = format!("DEFAULT{}", part.get(WORD.len()..).unwrap_or_default());
    }
    declared.to_sql(&declared.name)
}

/// A plain table that takes the shadow's rows. With `bare` its columns have neither defaults nor codecs, so that
/// MATERIALIZED ones can be inserted, copied and not computed anew, on servers that take them no other way.
///
/// Elsewhere the body stays as it is: parts without the shadow's indexes and projections would lack them for good.
pub fn staging(shadow: &CreateTable, columns: &[Column], bare: bool, name: &TableName) -> CreateTable {
    let mut staging = plain(shadow, name);
    if bare {
        let stored = columns.iter().filter(|column| column.is_stored());
        let body: Vec<String> =
            stored.map(|column| format!("{} {}", quote_identifier(&column.name), column.kind)).collect();
        staging.body = Text::new(body.join(", "));
    }
    staging
}

/// The same definition with the same engine, but not replicated: what a server normalises in a scratch database.
pub fn unreplicated(definition: &CreateTable, name: &TableName) -> CreateTable {
    let mut alone = renamed(definition, name);
    unreplicate(&mut alone.engine);
    alone
}

/// Takes replication from an engine, and leaves one without replication as it is.
pub fn unreplicate(engine: &mut Engine) {
    if engine.replicated() {
        let args = engine.merge_args().to_vec();
        engine.args = (!args.is_empty()).then_some(args);
        engine.name = engine.plain_name().to_owned();
    }
}

fn renamed(definition: &CreateTable, name: &TableName) -> CreateTable {
    CreateTable { name: Name::from(name), if_not_exists: true, on_cluster: None, ..definition.clone() }
}

/// A Keeper path with this plan's mark in place of an earlier plan's.
pub fn marked_path(path: &str, plan_id: &str) -> String {
    format!("{}{OWN_MARK}{plan_id}", without_mark(path.trim_end_matches('/')))
}

fn without_mark(path: &str) -> &str {
    match path.rsplit_once(OWN_MARK) {
        Some((original, id)) if id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => original,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(create_query: &str) -> CreateTable {
        read_table(create_query).unwrap()
    }

    fn events() -> CreateTable {
        table(
            "CREATE TABLE d.`ev` ( id UInt64,  m UInt64 MATERIALIZED id * 2) ENGINE = \
             ReplicatedReplacingMergeTree('/clickhouse/{shard}/ev', '{replica}', id) PARTITION BY intDiv(id, 10) \
             ORDER BY id SETTINGS index_granularity = 8192",
        )
    }

    #[test]
    fn a_shadow_has_the_new_key_and_a_path_of_its_own() {
        let wanted = Wanted { order_by: Some("(m, id)".to_owned()), ..Wanted::default() };
        let shadow = shadow(&events(), &wanted, &TableName::new("d", "ev__sw_shadow"), "0123abcd");
        insta::assert_snapshot!(shadow.to_sql(), @"CREATE TABLE IF NOT EXISTS `d`.`ev__sw_shadow` (id UInt64,  m UInt64 MATERIALIZED id * 2) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/{shard}/ev__sw_0123abcd', '{replica}', id) PARTITION BY intDiv(id, 10) ORDER BY (m, id) SETTINGS index_granularity = 8192");
        let columns = [("id", ""), ("m", "MATERIALIZED")].map(|(name, default_kind)| Column {
            default_kind: default_kind.to_owned(),
            ..Column::new(name, "UInt64")
        });
        let staging = staging(&shadow, &columns, true, &TableName::new("d", "ev__sw_staging"));
        insta::assert_snapshot!(staging.to_sql(), @"CREATE TABLE IF NOT EXISTS `d`.`ev__sw_staging` (`id` UInt64, `m` UInt64) ENGINE = MergeTree PARTITION BY intDiv(id, 10) ORDER BY (m, id) SETTINGS index_granularity = 8192, max_bytes_to_merge_at_min_space_in_pool = 1, max_bytes_to_merge_at_max_space_in_pool = 1");
    }

    #[test]
    fn another_engine_is_replicated_as_the_table_is() {
        let engine = |live: &str, wanted: &str| {
            let sql = |engine: &str| format!("CREATE TABLE d.t (id UInt64, v UInt64) ENGINE = {engine} ORDER BY id");
            let definition = Some(Box::new(table(&sql(wanted))));
            let wanted = Wanted { definition, ..Wanted::default() };
            with_keys(&table(&sql(live)), &wanted, &TableName::new("d", "t")).engine.to_sql()
        };
        let replicated = "ReplicatedMergeTree('/c/{shard}/t', '{replica}')";
        assert_eq!(
            engine(replicated, "ReplicatedReplacingMergeTree('/x', 'y', v)"),
            "ReplicatedReplacingMergeTree('/c/{shard}/t', '{replica}', v) ORDER BY id"
        );
        assert_eq!(engine("ReplacingMergeTree(v)", "MergeTree()"), "MergeTree ORDER BY id");
        assert_eq!(engine("MergeTree", "ReplacingMergeTree"), "ReplacingMergeTree ORDER BY id");
        assert_eq!(engine(replicated, "ReplicatedMergeTree('/other', 'y')"), format!("{replicated} ORDER BY id"));
    }

    #[test]
    fn paths_do_not_grow_from_plan_to_plan() {
        assert_eq!(marked_path("/c/{shard}/t", "0123abcd"), "/c/{shard}/t__sw_0123abcd");
        assert_eq!(marked_path("/c/{shard}/t__sw_0123abcd/", "ffffffff"), "/c/{shard}/t__sw_ffffffff");
        assert_eq!(marked_path("/c/t__sw_mine", "0123abcd"), "/c/t__sw_mine__sw_0123abcd");
    }
}
