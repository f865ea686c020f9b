//! The SQL of a plan. Every statement and query that a step carries is written here.

use crate::catalog::Column;
use crate::change::TypeChange;
use crate::merging;
use crate::names::{TableName, quote_identifier, quote_string};

use super::template::Template;

/// `database = '…' AND table = '…'`, for system tables that call the table's name `table`.
pub fn of_table(table: &TableName) -> String {
    format!("database = {} AND table = {}", quote_string(&table.database), quote_string(&table.table))
}

/// Rows of active parts that have no values of a column. Parts come and go while they are listed: all of it is told from one list.
pub fn rows_without(table: &TableName, column: &str) -> String {
    let (of_table, column) = (of_table(table), quote_string(column));
    format!(
        "SELECT sum(rows_of_part) FROM (SELECT name, any(rows) AS rows_of_part FROM system.parts_columns WHERE {of_table} AND active \
         GROUP BY name HAVING sum(column = {column}) = 0)"
    )
}

/// Fails where a value of a column cannot be converted.
pub fn converted(table: &TableName, column: &str, kind: &str) -> String {
    let (column, kind) = (quote_identifier(column), quote_string(kind));
    format!("SELECT sum(ignore(CAST({column}, {kind}))) FROM {}", table.sql())
}

/// `` `a`, `b` ``.
pub(super) fn column_list<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let names: Vec<String> = columns.into_iter().map(|column| quote_identifier(&column.name)).collect();
    names.join(", ")
}

/// An expression over one row: equal rows have equal values, and different rows, but for a collision of 64 bits, different ones.
///
/// `types` are those of columns that have another type in the other table. `any_type` says whether the servers hash values of every
/// type ([`Capability::HashesAnyType`](crate::snapshot::Capability)).
pub fn row_hash<'a>(columns: impl IntoIterator<Item = &'a Column>, types: &[TypeChange], any_type: bool) -> String {
    let argument = |column: &'a Column| common_argument(column, types, any_type);
    let arguments: Vec<String> = columns.into_iter().map(argument).collect();
    hash(&arguments)
}

/// A column as an argument of [`hash`]. One that gets another type goes in as a value of that type, from either table.
pub(super) fn common_argument(column: &Column, types: &[TypeChange], any_type: bool) -> String {
    match types.iter().find(|change| change.column == column.name) {
        Some(change) => hash_of(&change.common(), &change.after, any_type),
        None => hash_argument(column, any_type),
    }
}

/// The hash of these expressions together; of nothing it is a constant.
pub(super) fn hash(arguments: &[String]) -> String {
    let arguments = if arguments.is_empty() { "0".to_owned() } else { arguments.join(", ") };
    format!("cityHash64({arguments})")
}

/// A column as an argument of [`hash`].
///
/// `cityHash64` on old servers refuses some types, and everywhere answers NULL where an argument is NULL. So those types go
/// in as text, and a Nullable as whether it is NULL and what else it is. A state goes in as its bytes, unless those change when
/// it is read and written again. Text costs time: on 26.9.2 a row of a `DateTime64`, a `UUID` and six others hashes 1.7 times as fast
/// without it.
pub fn hash_argument(column: &Column, any_type: bool) -> String {
    hash_of(&quote_identifier(&column.name), &column.kind, any_type)
}

/// The same of an expression, `name`, with values of a type.
fn hash_of(name: &str, kind: &str, any_type: bool) -> String {
    let kind = without_low_cardinality(kind);
    if let Some(inner) = kind.strip_prefix("Nullable(").and_then(|rest| rest.strip_suffix(')')) {
        match inner {
            "String" => format!("isNull({name}), ifNull({name}, '')"),
            number if NUMBERS.contains(&number) => format!("isNull({name}), ifNull({name}, 0)"),
            _ => format!("isNull({name}), ifNull(toString({name}), '')"),
        }
    } else if holds_null(kind) {
        format!("isNull({name}), ifNull(toString({name}), '')")
    } else if let Some(function) = merging::aggregate_function(kind) {
        match function {
            set if set.starts_with("uniq") => format!("toString(finalizeAggregation({name}))"),
            array if array.starts_with("groupUniqArray") => format!("toString(arraySort(finalizeAggregation({name})))"),
            _ => format!("toString({name})"),
        }
    } else if hashes_as_it_is(kind) || any_type && holds_only_plain_values(kind) {
        name.to_owned()
    } else {
        format!("toString({name})")
    }
}

fn without_low_cardinality(kind: &str) -> &str {
    kind.strip_prefix("LowCardinality(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(kind)
}

/// Whether values can be NULL at the top though the type is not `Nullable`.
fn holds_null(kind: &str) -> bool {
    ["Variant(", "Dynamic"].iter().any(|prefix| kind.starts_with(prefix))
}

const NUMBERS: [&str; 10] =
    ["UInt8", "UInt16", "UInt32", "UInt64", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64"];

/// Types without a NULL, a state or a layout of their own anywhere inside.
fn holds_only_plain_values(kind: &str) -> bool {
    const ODD: [&str; 7] = ["Nullable", "Variant", "Dynamic", "JSON", "Object", "AggregateFunction", "Nothing"];
    !ODD.iter().any(|odd| kind.contains(odd))
}

fn hashes_as_it_is(kind: &str) -> bool {
    const PLAIN: [&str; 7] = ["String", "FixedString", "Date", "DateTime", "Enum8", "Enum16", "Bool"];
    let element = kind.strip_prefix("Array(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(kind);
    element.split('(').next().is_some_and(|name| PLAIN.contains(&name) || NUMBERS.contains(&name))
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
pub fn list_partitions(table: &TableName) -> String {
    format!("SELECT DISTINCT partition_id FROM system.parts WHERE {} AND active ORDER BY partition_id", of_table(table))
}

/// Lists a table's active parts: name, partition id, rows.
pub(super) fn list_parts(table: &TableName) -> String {
    format!(
        "SELECT name, partition_id, toString(rows) FROM system.parts WHERE {} AND active ORDER BY name",
        of_table(table)
    )
}

/// The same, in the order in which their rows came: partition id, name, rows, bytes.
pub(super) fn list_parts_in_order(table: &TableName) -> String {
    format!(
        "SELECT partition_id, name, toString(rows), toString(bytes_on_disk) FROM system.parts WHERE {} AND active \
         ORDER BY partition_id, min_block_number, name",
        of_table(table)
    )
}

/// Parts of the fullest partition of these tables, in percent of those from which on inserts are slowed down.
pub(super) fn parts_percent(tables: [&TableName; 2]) -> String {
    format!(
        "SELECT intDiv(max(parts) * 100, (SELECT max(toUInt64(value)) FROM system.merge_tree_settings \
         WHERE name = 'parts_to_delay_insert')) FROM (SELECT count() AS parts FROM system.parts WHERE {} AND active \
         GROUP BY table, partition_id)",
        of_either(tables)
    )
}

/// Seconds by which the replication of these tables is behind.
pub(super) fn replication_delay(tables: [&TableName; 2]) -> String {
    format!("SELECT max(absolute_delay) FROM system.replicas WHERE {}", of_either(tables))
}

/// Entries of the replication queues of these tables.
pub(super) fn replication_queue(tables: [&TableName; 2]) -> String {
    format!("SELECT count() FROM system.replication_queue WHERE {}", of_either(tables))
}

/// Free space of the fullest disk that holds the table, in percent.
pub(super) fn free_disk_percent(table: &TableName) -> String {
    format!(
        "SELECT if(count() = 0, 100, toUInt64(min(free_space * 100 / total_space))) FROM system.disks WHERE total_space > 0 AND name IN \
         (SELECT disk_name FROM system.parts WHERE {} AND active)",
        of_table(table)
    )
}

fn of_either([one, other]: [&TableName; 2]) -> String {
    format!("({} OR {})", of_table(one), of_table(other))
}

/// Rows and sum of row hashes of each of the parts `{parts}`.
pub(super) fn digest_parts(table: &TableName, hash: &str) -> Template {
    Template::text(&format!("SELECT _part, {} FROM {} WHERE _part IN (", digest(hash), table.sql()))
        .hole("parts", ") GROUP BY _part")
}

/// Lists the partitions of a table with the number of the last insert into each, which merges keep.
pub(super) fn last_blocks(table: &TableName) -> String {
    format!(
        "SELECT partition_id, toString(max(max_block_number)) FROM system.parts WHERE {} AND active GROUP BY partition_id ORDER BY partition_id",
        of_table(table)
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

/// Gives columns of a `Distributed` table other types.
pub(super) fn modify_types(table: &TableName, types: &[(String, String)]) -> String {
    let command = |(column, kind): &(String, String)| format!("MODIFY COLUMN {} {kind}", quote_identifier(column));
    let commands: Vec<String> = types.iter().map(command).collect();
    format!("ALTER TABLE {} {}", table.sql(), commands.join(", "))
}

/// Empties a table that is not Replicated; see [`drop_partition`] for the others.
pub(super) fn truncate(table: &TableName) -> String {
    format!("TRUNCATE TABLE {}", table.sql())
}

/// Drops a partition. Unlike TRUNCATE it does not lock the table: ClickHouse 18.16.1 waits, with a Replicated table locked, for
/// the range to be dropped, that for merges in the range to end, and those for the lock.
pub(super) fn drop_partition(table: &TableName) -> Template {
    Template::new(&format!("ALTER TABLE {} DROP PARTITION ID ", table.sql()), "")
}

/// The beginning of the ids of all queries that the steps of the plan with this id send.
pub fn query_prefix(plan_id: &str) -> String {
    format!("shardwright-{plan_id}-")
}

/// Lists inserts that run on a server, whatever their table: an insert elsewhere may reach ours through views. `has_kind` says
/// whether `system.processes` tells the kind of a query. Left out are the plan's own, and nobody else's: another plan's steps insert too,
/// and so do the writers of a dry run.
pub fn running_inserts(has_kind: bool, plan_id: &str) -> String {
    let is_insert = if has_kind {
        "query_kind IN ('Insert', 'AsyncInsertFlush', 'Create')".to_owned()
    } else {
        // Comments may come first.
        format!("match(query, {})", quote_string(r"(?is)^(\s|/\*.*?\*/|--[^\n]*\n)*(insert|create)\s"))
    };
    format!(
        "SELECT query_id, toString(round(elapsed)), user FROM system.processes WHERE {is_insert} \
         AND NOT startsWith(query_id, {}) ORDER BY elapsed DESC",
        quote_string(&query_prefix(plan_id))
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

    #[test]
    fn all_inserts_are_waited_for_but_those_of_the_plan_itself() {
        assert!(running_inserts(true, "1f2e").contains("AND NOT startsWith(query_id, 'shardwright-1f2e-') ORDER"));
        assert!(running_inserts(false, "x'").contains(r"startsWith(query_id, 'shardwright-x\'-')"));
    }

    #[test]
    fn a_row_hash_never_is_null_and_never_meets_a_type_that_it_cannot_take() {
        let columns = [
            Column::new("a", "UInt64"),
            Column::new("b`c", "Nullable(String)"),
            Column::new("d", "LowCardinality(Nullable(String))"),
            Column::new("e", "UUID"),
            Column::new("f", "Array(Array(String))"),
            Column::new("g", "Array(DateTime('UTC'))"),
            Column::new("h", "DateTime64(3)"),
            Column::new("i", "Enum8('a' = 1)"),
            Column::new("j", "LowCardinality(String)"),
            Column::new("k", "Nullable(Int64)"),
            Column::new("l", "Nullable(UUID)"),
            Column::new("m", "Map(String, Nullable(String))"),
            Column::new("n", "Map(LowCardinality(String), Array(UInt8))"),
        ];
        assert_eq!(
            row_hash(&columns, &[], false),
            r"cityHash64(`a`, isNull(`b\`c`), ifNull(`b\`c`, ''), isNull(`d`), ifNull(`d`, ''), toString(`e`), toString(`f`), `g`, toString(`h`), `i`, `j`, isNull(`k`), ifNull(`k`, 0), isNull(`l`), ifNull(toString(`l`), ''), toString(`m`), toString(`n`))"
        );
        assert_eq!(
            row_hash(&columns, &[], true),
            r"cityHash64(`a`, isNull(`b\`c`), ifNull(`b\`c`, ''), isNull(`d`), ifNull(`d`, ''), `e`, `f`, `g`, `h`, `i`, `j`, isNull(`k`), ifNull(`k`, 0), isNull(`l`), ifNull(toString(`l`), ''), toString(`m`), `n`)"
        );
    }
}
