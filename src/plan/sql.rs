//! The SQL of a plan. Every statement and query that a step carries is written here.

use crate::catalog::{Column, Keys};
use crate::names::{TableName, quote_identifier, quote_string};

use super::step::Probe;
use super::template::Template;

/// `database = '…' AND table = '…'`, for system tables that call the table's name `table`.
pub(super) fn of_table(table: &TableName) -> String {
    format!("database = {} AND table = {}", quote_string(&table.database), quote_string(&table.table))
}

/// The same for `system.tables`, which calls it `name`.
fn named(table: &TableName) -> String {
    format!("database = {} AND name = {}", quote_string(&table.database), quote_string(&table.table))
}

/// Holds while a table is defined as it was when the plan was made.
pub(super) fn unchanged(table: &TableName, definition_hash: &str) -> Probe {
    Probe {
        says: format!("{table} is defined as it was when the plan was made"),
        sql: format!("SELECT toString(cityHash64(create_table_query)) FROM system.tables WHERE {}", named(table)),
        expect: definition_hash.to_owned(),
    }
}

/// Holds while none of the tables exists.
pub(super) fn absent(tables: &[&TableName]) -> Probe {
    let names: Vec<String> = tables.iter().map(|table| quote_string(&table.table)).collect();
    let database = tables.first().map_or(String::new(), |table| quote_string(&table.database));
    let list: Vec<String> = tables.iter().map(ToString::to_string).collect();
    Probe {
        says: format!("there is no table {}", list.join(", ")),
        sql: format!(
            "SELECT count() FROM system.tables WHERE database = {database} AND name IN ({})",
            names.join(", ")
        ),
        expect: "0".to_owned(),
    }
}

/// Holds while a table has this engine and these keys.
pub(super) fn has_keys(table: &TableName, engine: &str, keys: &Keys) -> Probe {
    Probe {
        says: format!(
            "{table} is a {engine} table with sorting key ({}), partition key ({}) and primary key ({})",
            keys.sorting, keys.partition, keys.primary
        ),
        sql: format!(
            "SELECT engine, sorting_key, partition_key, primary_key FROM system.tables WHERE {}",
            named(table)
        ),
        expect: [engine, &keys.sorting, &keys.partition, &keys.primary].join("\t"),
    }
}

/// Holds while a table does not exist or has these keys: what a drop must know before it drops.
pub(super) fn absent_or_has_keys(table: &TableName, keys: &Keys) -> Probe {
    Probe {
        says: format!(
            "{table}, if it is there, has sorting key ({}) and partition key ({})",
            keys.sorting, keys.partition
        ),
        sql: format!(
            "SELECT count() FROM system.tables WHERE {} AND NOT (sorting_key = {} AND partition_key = {} AND primary_key = {})",
            named(table),
            quote_string(&keys.sorting),
            quote_string(&keys.partition),
            quote_string(&keys.primary)
        ),
        expect: "0".to_owned(),
    }
}

/// Holds while a table with this engine exists.
pub(super) fn has_engine(table: &TableName, engine: &str) -> Probe {
    Probe {
        says: format!("there is a {engine} named {table}"),
        sql: format!("SELECT engine FROM system.tables WHERE {}", named(table)),
        expect: engine.to_owned(),
    }
}

/// Holds while no mutation of a table is unfinished.
pub(super) fn no_mutations(table: &TableName) -> Probe {
    Probe {
        says: format!("no mutation of {table} is unfinished"),
        sql: format!("SELECT count() FROM system.mutations WHERE {} AND NOT is_done", of_table(table)),
        expect: "0".to_owned(),
    }
}

/// Holds while replication of a table is healthy: writable, every replica present, at most five minutes behind.
pub(super) fn replication_healthy(table: &TableName) -> Probe {
    Probe {
        says: format!("replication of {table} is healthy: writable, all replicas active, less than 300 s behind"),
        sql: format!(
            "SELECT is_readonly OR is_session_expired OR active_replicas < total_replicas OR absolute_delay >= 300 \
             FROM system.replicas WHERE {}",
            of_table(table)
        ),
        expect: "0".to_owned(),
    }
}

/// Holds while a path of Keeper does not exist. Its parent must exist.
pub(super) fn keeper_path_free(path: &str) -> Probe {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("/", path));
    let parent = if parent.is_empty() { "/" } else { parent };
    Probe {
        says: format!("nothing is at {path} in Keeper"),
        sql: format!(
            "SELECT count() FROM system.zookeeper WHERE path = {} AND name = {}",
            quote_string(parent),
            quote_string(name)
        ),
        expect: "0".to_owned(),
    }
}

/// Holds while the disks that hold a table have room for `bytes` more.
pub(super) fn disk_has_room(table: &TableName, bytes: u64) -> Probe {
    Probe {
        says: format!("the disks that hold {table} have {bytes} bytes free, for the copy and a tenth more"),
        sql: format!(
            "SELECT sum(free_space) >= {bytes} FROM system.disks WHERE name IN \
             (SELECT disk_name FROM system.parts WHERE {} AND active)",
            of_table(table)
        ),
        expect: "1".to_owned(),
    }
}

/// Holds while a query over a `Distributed` table is answered, whatever the number.
pub(super) fn distributed_answers(table: &TableName) -> Probe {
    Probe {
        says: format!("a query through {table} is answered by every shard"),
        sql: format!("SELECT count() >= 0 FROM {}", table.sql()),
        expect: "1".to_owned(),
    }
}

/// `` `a`, `b` ``.
pub(super) fn column_list<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    let names: Vec<String> = columns.into_iter().map(|column| quote_identifier(&column.name)).collect();
    names.join(", ")
}

/// An expression over one row: equal rows have equal values, and different rows, but for a collision of 64 bits, different ones.
pub(super) fn row_hash<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
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
pub(super) fn partition_id_of_row(has_column: bool) -> &'static str {
    if has_column { "_partition_id" } else { "splitByChar('_', _part)[1]" }
}

/// Lists the partition ids of a table's active parts.
pub(super) fn list_partitions(table: &TableName) -> String {
    format!("SELECT DISTINCT partition_id FROM system.parts WHERE {} AND active ORDER BY partition_id", of_table(table))
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

    #[test]
    fn a_keeper_path_is_looked_up_in_its_parent() {
        assert_eq!(
            keeper_path_free("/clickhouse/tables/1/t").sql,
            "SELECT count() FROM system.zookeeper WHERE path = '/clickhouse/tables/1' AND name = 't'"
        );
        assert!(keeper_path_free("/t").sql.contains("path = '/'"));
    }
}
