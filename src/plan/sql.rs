//! The SQL of a plan. Every statement and query that a step carries is written here.

use crate::catalog::Column;
use crate::names::{TableName, quote_identifier, quote_string};

use super::template::Template;

/// `database = '…' AND table = '…'`, for system tables that call the table's name `table`.
pub(super) fn of_table(table: &TableName) -> String {
    format!("database = {} AND table = {}", quote_string(&table.database), quote_string(&table.table))
}

/// `` `a`, `b` ``.
pub(super) fn column_list<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let names: Vec<String> = columns.into_iter().map(|column| quote_identifier(&column.name)).collect();
    names.join(", ")
}

/// An expression over one row: equal rows have equal values, and different rows, but for a collision of 64 bits, different ones.
pub fn row_hash<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let arguments: Vec<String> = columns.into_iter().map(hash_argument).collect();
    hash(&arguments)
}

/// The hash of these expressions together; of nothing it is a constant.
pub(super) fn hash(arguments: &[String]) -> String {
    let arguments = if arguments.is_empty() { "0".to_owned() } else { arguments.join(", ") };
    format!("cityHash64({arguments})")
}

/// A column as an argument of [`hash`].
///
/// `cityHash64` refuses some types and answers NULL where an argument is NULL, so those types go in as text, and a Nullable
/// as its text and whether it is NULL. A state goes in as its bytes, unless those change when it is read and written again.
pub(super) fn hash_argument(column: &Column) -> String {
    let name = quote_identifier(&column.name);
    let kind = without_low_cardinality(&column.kind);
    if is_nullable(kind) {
        format!("isNull({name}), ifNull(toString({name}), '')")
    } else if let Some(function) = aggregate_function(kind) {
        match function {
            set if set.starts_with("uniq") => format!("toString(finalizeAggregation({name}))"),
            array if array.starts_with("groupUniqArray") => format!("toString(arraySort(finalizeAggregation({name})))"),
            _ => format!("toString({name})"),
        }
    } else if hashes_as_it_is(kind) {
        name
    } else {
        format!("toString({name})")
    }
}

/// The function whose states a column holds. States of sets are hash tables, and whoever reads one back may lay it out anew.
pub(super) fn aggregate_function(kind: &str) -> Option<&str> {
    let arguments = kind.strip_prefix("AggregateFunction(")?;
    Some(arguments.split([',', ')', '(']).next().unwrap_or_default().trim())
}

fn without_low_cardinality(kind: &str) -> &str {
    kind.strip_prefix("LowCardinality(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(kind)
}

/// Whether values can be NULL at the top: `Nullable`, and the newer types that hold a NULL of their own.
fn is_nullable(kind: &str) -> bool {
    ["Nullable(", "Variant(", "Dynamic"].iter().any(|prefix| kind.starts_with(prefix))
}

fn hashes_as_it_is(kind: &str) -> bool {
    const PLAIN: [&str; 17] = [
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "Float32",
        "Float64",
        "String",
        "FixedString",
        "Date",
        "DateTime",
        "Enum8",
        "Enum16",
        "Bool",
    ];
    let element = kind.strip_prefix("Array(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(kind);
    element.split('(').next().is_some_and(|name| PLAIN.contains(&name))
}

/// `count()` and the sum of row hashes: equal multisets of rows have equal digests. A sum, since XOR hides what occurs twice.
pub(super) fn digest(hash: &str) -> String {
    format!("count(), sum({hash})")
}

/// Which partition a row's part belongs to: the virtual column where there is one, else the beginning of the part's name.
pub fn partition_id_of_row(has_column: bool) -> &'static str {
    if has_column { "_partition_id" } else { "splitByChar('_', _part)[1]" }
}

/// Lists the partition ids of a table's active parts.
pub(super) fn list_partitions(table: &TableName) -> String {
    format!("SELECT DISTINCT partition_id FROM system.parts WHERE {} AND active ORDER BY partition_id", of_table(table))
}

/// Lists a table's active parts: name, partition id, merge level.
pub(super) fn list_parts(table: &TableName) -> String {
    format!(
        "SELECT name, partition_id, toString(level) FROM system.parts WHERE {} AND active ORDER BY name",
        of_table(table)
    )
}

/// Number of active parts of a partition.
pub(super) fn count_parts(table: &TableName) -> Template {
    Template::new(
        &format!("SELECT count() FROM system.parts WHERE {} AND active AND partition_id = ", of_table(table)),
        "",
    )
}

/// 1 when some partition of a table has four fifths of the parts from which on inserts are slowed down.
pub(super) fn crowded(table: &TableName) -> String {
    format!(
        "SELECT count() > 0 FROM (SELECT count() AS parts FROM system.parts WHERE {} AND active GROUP BY partition_id) \
         WHERE parts * 5 >= 4 * (SELECT max(toUInt64(value)) FROM system.merge_tree_settings WHERE name = 'parts_to_delay_insert')",
        of_table(table)
    )
}

/// Empties a table.
pub(super) fn truncate(table: &TableName) -> String {
    format!("TRUNCATE TABLE {}", table.sql())
}

/// Lists inserts that run on a server, whatever their table: an insert elsewhere may reach ours through views. `has_kind` says
/// whether `system.processes` tells the kind of a query.
pub fn running_inserts(has_kind: bool) -> String {
    let is_insert = if has_kind {
        "query_kind IN ('Insert', 'AsyncInsertFlush', 'Create')".to_owned()
    } else {
        // Comments may come first.
        format!("match(query, {})", quote_string(r"(?is)^(\s|/\*.*?\*/|--[^\n]*\n)*(insert|create)\s"))
    };
    format!(
        "SELECT query_id, toString(round(elapsed)), user FROM system.processes WHERE {is_insert} \
         AND query_id NOT LIKE 'shardwright-%' ORDER BY elapsed DESC"
    )
}

/// Clones a partition by hard links; done twice it is as if done once.
pub(super) fn replace_partition(into: &TableName, from: &TableName) -> Template {
    Template::new(&format!("ALTER TABLE {} REPLACE PARTITION ID ", into.sql()), &format!(" FROM {}", from.sql()))
}

/// Adds a partition's parts by hard links; done twice it doubles the rows of a table that is not Replicated.
pub(super) fn attach_partition(into: &TableName, from: &TableName) -> Template {
    Template::new(&format!("ALTER TABLE {} ATTACH PARTITION ID ", into.sql()), &format!(" FROM {}", from.sql()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str) -> Column {
        Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            default_kind: String::new(),
            default_expression: String::new(),
            comment: String::new(),
        }
    }

    #[test]
    fn a_row_hash_never_is_null_and_never_meets_a_type_that_it_cannot_take() {
        let columns = [
            column("a", "UInt64"),
            column("b`c", "Nullable(String)"),
            column("d", "LowCardinality(Nullable(String))"),
            column("e", "UUID"),
            column("f", "Array(Array(String))"),
            column("g", "Array(DateTime('UTC'))"),
            column("h", "DateTime64(3)"),
            column("i", "Enum8('a' = 1)"),
            column("j", "LowCardinality(String)"),
        ];
        assert_eq!(
            row_hash(&columns),
            r"cityHash64(`a`, isNull(`b\`c`), ifNull(toString(`b\`c`), ''), isNull(`d`), ifNull(toString(`d`), ''), toString(`e`), toString(`f`), `g`, toString(`h`), `i`, `j`)"
        );
    }
}
