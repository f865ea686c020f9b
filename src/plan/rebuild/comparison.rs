//! How source and shadow are compared: what must be equal depends on what the engine does to rows when it merges parts.

use std::collections::BTreeSet;

use super::blueprint::Blueprint;
use crate::catalog::Column;
use crate::names::ReplicaId;
use crate::names::TableName;
use crate::plan::sql;
use crate::plan::step::{Compare, CompareMode};

/// Aggregate functions whose result does not depend on the order in which states are merged.
const ORDER_FREE: [&str; 12] = [
    "count",
    "sum",
    "min",
    "max",
    "uniqExact",
    "groupBitmap",
    "sumMap",
    "minMap",
    "maxMap",
    "groupBitAnd",
    "groupBitOr",
    "groupBitXor",
];

/// The comparison of source and shadow on these replicas.
pub(super) fn compare(blueprint: &Blueprint<'_>, on: &[ReplicaId]) -> Compare {
    let mode = mode(blueprint);
    let query = |table| query(blueprint, mode, table);
    Compare { on: on.to_vec(), mode, left: query(&blueprint.objects.source), right: query(&blueprint.objects.shadow) }
}

/// Exact rows where nothing merges them; merged rows where both tables merge alike; distinct keys where they do not.
pub(super) fn mode(blueprint: &Blueprint<'_>) -> CompareMode {
    let (old, new): (BTreeSet<&String>, BTreeSet<&String>) =
        (blueprint.old.sorting.iter().collect(), blueprint.new.sorting.iter().collect());
    if blueprint.engine.plain_name() == "MergeTree" {
        CompareMode::Rows
    } else if old == new {
        CompareMode::Final
    } else {
        CompareMode::Keys
    }
}

/// Columns left out of a comparison, because merging the same rows in another order gives them other values.
pub(super) fn not_compared<'a>(blueprint: &Blueprint<'a>) -> Vec<&'a Column> {
    match mode(blueprint) {
        CompareMode::Rows => Vec::new(),
        CompareMode::Final | CompareMode::Keys => {
            blueprint.stored().filter(|column| merged_argument(blueprint, column).is_none()).collect()
        }
    }
}

fn query(blueprint: &Blueprint<'_>, mode: CompareMode, table: &TableName) -> String {
    let partition = partition_label(&blueprint.old.partition);
    let table = table.sql();
    match mode {
        CompareMode::Rows => grouped(&partition, &sql::row_hash(blueprint.stored()), &table),
        CompareMode::Final => {
            let arguments: Vec<String> =
                blueprint.stored().filter_map(|column| merged_argument(blueprint, column)).collect();
            grouped(&partition, &sql::hash(&arguments), &format!("{table} FINAL"))
        }
        CompareMode::Keys => {
            let key: Vec<String> = blueprint.new.sorting.iter().map(|item| format!("toString({item})")).collect();
            let hash = sql::hash(&key);
            let distinct = format!("(SELECT DISTINCT {partition} AS __sw_partition, {hash} AS __sw_hash FROM {table})");
            grouped("__sw_partition", "__sw_hash", &distinct)
        }
    }
}

fn grouped(partition: &str, hash: &str, from: &str) -> String {
    format!("SELECT {partition}, {} FROM {from} GROUP BY {partition} ORDER BY {partition}", sql::digest(hash))
}

/// The old partition key's value as text: partition ids differ between the tables where the partition key changes.
fn partition_label(key: &[String]) -> String {
    let items: Vec<String> = key.iter().map(|item| format!("toString({item})")).collect();
    match items.as_slice() {
        [] => "'all'".to_owned(),
        [only] => only.clone(),
        several => format!("concat({})", several.join(", ', ', ")),
    }
}

/// What of a column can be compared after merging; none if nothing can.
fn merged_argument(blueprint: &Blueprint<'_>, column: &Column) -> Option<String> {
    let in_key = blueprint.new.sorting.iter().any(|item| item.trim_matches('`') == column.name);
    if let Some(name) = sql::aggregate_function(&column.kind) {
        let result = format!("toString(finalizeAggregation({}))", crate::names::quote_identifier(&column.name));
        return ORDER_FREE.contains(&name).then_some(result);
    }
    // Sums of floating-point numbers depend on the order of summing.
    let sums = matches!(blueprint.engine.plain_name(), "SummingMergeTree" | "AggregatingMergeTree");
    if sums && !in_key && column.kind.contains("Float") { None } else { Some(sql::hash_argument(column)) }
}
