//! What merging leaves of rows: which rows become one, and what of them is the same before and after.
//!
//! Two tables that got the same rows can be compared by what outlives merging in both of them, however far it has come in each:
//! by groups of rows that never leave each other, and by aggregates over a group that no merge changes.

use std::collections::BTreeSet;

use crate::catalog::{Column, Keys};
use crate::ddl::{Engine, columns_of, key_items};
use crate::names::quote_identifier;

/// Aggregate functions whose result does not depend on the order in which rows or states are merged.
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

/// Engine and keys of a table, as far as they say which rows become one, and what becomes of them.
#[derive(Debug, Clone, Copy)]
pub struct Merging<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The keys, in the server's normal form.
    pub keys: &'a Keys,
}

/// What is the same before and after merging.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lasting {
    /// Rows that agree in all of these are one group, and so are those that they become.
    pub keys: Vec<String>,
    /// Aggregates over a group.
    pub values: Vec<String>,
    /// Of a group for which this aggregate is not true perhaps no row is left.
    pub remains: Option<String>,
    /// Whether all of it is known to last. If not, tables with the same rows may look different.
    pub certain: bool,
}

impl Merging<'_> {
    /// Whether no row ever becomes one with another.
    pub fn keeps_rows(&self) -> bool {
        self.engine.plain_name() == "MergeTree"
    }

    /// What tells a row from others: rows that agree in all of it may become one.
    pub fn identity(&self) -> Vec<String> {
        let mut items: Vec<String> = Vec::new();
        // The server adds the version to the sorting key of a table of this engine, and of no other.
        let version = if self.engine.plain_name() == "VersionedCollapsingMergeTree" {
            self.engine.merge_args().get(1)
        } else {
            None
        };
        let version = version.map_or("", |version| version.text.as_str());
        for key in [&self.keys.sorting, &self.keys.partition, version] {
            for item in key_items(key).unwrap_or_else(|_| vec![key.to_owned()]) {
                let item = item.strip_suffix(" DESC").or_else(|| item.strip_suffix(" ASC")).unwrap_or(&item).to_owned();
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        items
    }

    /// Whether rows that become one agree in an expression.
    pub fn keeps_together(&self, item: &str) -> bool {
        self.keeps_rows() || determines(&self.identity(), &[item.to_owned()])
    }

    /// Aggregates over rows of equal keys that no merge changes; none where every aggregate is one. An error for an engine of which it
    /// is not known.
    fn values(&self, columns: &[Column]) -> Result<Option<Vec<Value>>, UnknownEngine> {
        let args = self.engine.merge_columns();
        let one = |function: &str| -> Vec<Value> {
            args.first()
                .map(|column| Value { sql: format!("{function}({column})"), is_sum: function == "sum" })
                .into_iter()
                .collect()
        };
        Ok(Some(match self.engine.plain_name() {
            "MergeTree" => return Ok(None),
            "ReplacingMergeTree" => one("max"),
            "CoalescingMergeTree" => Vec::new(),
            "AggregatingMergeTree" => self.others(columns).filter_map(state).collect(),
            "SummingMergeTree" => {
                let named: Vec<String> = args.iter().filter_map(|arg| columns_of(arg).ok()).flatten().collect();
                // Of columns that are not in the list, states too are those of any row.
                let is_meant = |column: &&Column| args.is_empty() || named.contains(&column.name);
                self.others(columns)
                    .filter(is_meant)
                    .filter_map(|column| state(column).or_else(|| sum(column)))
                    .collect()
            }
            "CollapsingMergeTree" | "VersionedCollapsingMergeTree" => one("sum"),
            _ => return Err(UnknownEngine),
        }))
    }

    /// Whether nothing may be left of rows that become one.
    fn may_leave_nothing(&self) -> bool {
        matches!(self.engine.plain_name(), "SummingMergeTree" | "CollapsingMergeTree" | "VersionedCollapsingMergeTree")
    }

    /// Stored columns that no key speaks of.
    fn others<'c>(&self, columns: &'c [Column]) -> impl Iterator<Item = &'c Column> {
        let keys = [&self.keys.sorting, &self.keys.partition, &self.keys.primary];
        let in_keys: Vec<String> = keys.into_iter().filter_map(|key| columns_of(key).ok()).flatten().collect();
        columns.iter().filter(move |column| column.is_stored() && !in_keys.contains(&column.name))
    }
}

/// An aggregate over rows of equal keys.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    sql: String,
    /// Whether it is a number that is nought where merging may leave nothing.
    is_sum: bool,
}

/// An engine of which it is not known what merging leaves.
struct UnknownEngine;

/// What outlives merging in both tables.
pub fn lasting(old: Merging<'_>, new: Merging<'_>, columns: &[Column]) -> Lasting {
    let mut keys = old.identity();
    let more: Vec<String> = new.identity().into_iter().filter(|item| !keys.contains(item)).collect();
    keys.extend(more);
    keys.retain(|item| old.keeps_together(item) && new.keeps_together(item));
    let (Ok(before), Ok(after)) = (old.values(columns), new.values(columns)) else {
        return Lasting { keys, values: Vec::new(), remains: None, certain: false };
    };
    let values = match (before, after) {
        (None, None) => Vec::new(),
        (Some(values), None) | (None, Some(values)) => values,
        (Some(before), Some(after)) => before.into_iter().filter(|value| after.contains(value)).collect(),
    };
    let sums = values.iter().filter(|value| value.is_sum).map(|value| format!("{} != 0", value.sql));
    let sums: Vec<String> = sums.collect();
    let vanishes = old.may_leave_nothing() || new.may_leave_nothing();
    Lasting {
        keys,
        values: values.into_iter().map(|value| value.sql).collect(),
        certain: !vanishes || !sums.is_empty(),
        remains: (vanishes && !sums.is_empty()).then(|| sums.join(" OR ")),
    }
}

/// Whether the two tables make the same rows one, and the same of them.
///
/// `FINAL` goes by the sorting key alone on servers as old as 18.16, so that has to be the same by itself.
pub fn alike(old: Merging<'_>, new: Merging<'_>) -> bool {
    let sorting = |keys: &Keys| key_items(&keys.sorting).map(|items| items.into_iter().collect::<BTreeSet<_>>()).ok();
    let (before, after) = (old.identity(), new.identity());
    let same_rows = determines(&before, &after) && determines(&after, &before);
    old.engine.merges_as(new.engine) && sorting(old.keys) == sorting(new.keys) && same_rows
}

/// Whether rows in a part of the old table tell if the insert that made it wrote to the new one too, although servers merge the rows of
/// an insert before they write them: of every row that the one keeps, the other keeps it as well or one of the same insert.
pub fn inserts_are_known(old: Merging<'_>, new: Merging<'_>) -> bool {
    let keeps_whole_rows =
        |merging: Merging<'_>| merging.keeps_rows() || merging.engine.plain_name() == "ReplacingMergeTree";
    let one_order = old.keeps_rows() || new.keeps_rows() || old.engine.merges_as(new.engine);
    alike(old, new) || (keeps_whole_rows(old) && keeps_whole_rows(new) && one_order)
}

/// Whether a row that differs can be put right by itself: rows are kept as they are, or the last of several.
pub fn is_mended_by_rows(old: Merging<'_>, new: Merging<'_>) -> bool {
    let keeps_last = old.engine.plain_name() == "ReplacingMergeTree" && alike(old, new);
    keeps_last || (old.keeps_rows() && new.keeps_rows())
}

/// Whether it is the order in which rows came that says what becomes of those of equal keys in the new table, and nothing compares that.
pub fn goes_by_order(old: Merging<'_>, new: Merging<'_>) -> bool {
    let by_order = match new.engine.plain_name() {
        "ReplacingMergeTree" => new.engine.merge_args().is_empty(),
        "CollapsingMergeTree" | "CoalescingMergeTree" => true,
        _ => false,
    };
    by_order && !alike(old, new)
}

/// The sum of a column of numbers, which overflows as the column does.
fn sum(column: &Column) -> Option<Value> {
    let bits = column.kind.strip_prefix("UInt").or_else(|| column.kind.strip_prefix("Int"));
    let is_exact = bits.is_some_and(|bits| bits.parse::<u16>().is_ok()) || column.kind.starts_with("Decimal");
    is_exact.then(|| Value { sql: format!("sumWithOverflow({})", quote_identifier(&column.name)), is_sum: true })
}

/// What the states or values of a column come to where its type says how they are merged.
fn state(column: &Column) -> Option<Value> {
    let name = quote_identifier(&column.name);
    let sql = if let Some(function) = aggregate_function(&column.kind) {
        is_order_free(function, &column.kind).then(|| format!("{function}Merge({name})"))
    } else {
        let (function, kind) = column.kind.strip_prefix("SimpleAggregateFunction(")?.split_once(',')?;
        is_order_free(function, kind).then(|| format!("{function}({name})"))
    };
    sql.map(|sql| Value { sql, is_sum: false })
}

/// The function whose states a column holds. States of sets are hash tables, and whoever reads one back may lay it out anew.
pub fn aggregate_function(kind: &str) -> Option<&str> {
    let arguments = kind.strip_prefix("AggregateFunction(")?;
    Some(arguments.split([',', ')', '(']).next().unwrap_or_default().trim())
}

/// Whether the result of an aggregate function over values of these types is the same in whatever order they are merged. A sum of
/// floating-point numbers is not.
pub fn is_order_free(function: &str, kinds: &str) -> bool {
    ORDER_FREE.contains(&function) && !(function.starts_with("sum") && kinds.contains("Float"))
}

/// Whether rows that agree in all of `known` agree in all of `other`: each is one of the known or computed from them.
pub fn determines(known: &[String], other: &[String]) -> bool {
    let has = |name: &String| known.contains(name);
    let computed = |item: &String| columns_of(item).is_ok_and(|columns| columns.iter().all(has));
    other.iter().all(|item| has(item) || computed(item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::read_engine;

    fn table(engine: &str, sorting: &str) -> (Engine, Keys) {
        let keys = Keys { sorting: sorting.to_owned(), partition: "toYYYYMM(day)".to_owned(), ..Keys::default() };
        (read_engine(&format!("{engine} ORDER BY ({sorting})")).unwrap(), keys)
    }

    fn columns() -> Vec<Column> {
        [
            ("id", "UInt64"),
            ("day", "Date"),
            ("n", "UInt16"),
            ("d", "Decimal(9, 2)"),
            ("x", "Float64"),
            ("sign", "Int8"),
            ("u", "AggregateFunction(uniqExact, UInt64)"),
            ("f", "AggregateFunction(sum, Float64)"),
            ("m", "SimpleAggregateFunction(max, UInt8)"),
        ]
        .map(|(name, kind)| Column::new(name, kind))
        .into()
    }

    /// What outlives merging under both of these engines with these sorting keys.
    fn found(old: [&str; 2], new: [&str; 2]) -> Lasting {
        let [(old, old_keys), (new, new_keys)] = [old, new].map(|[engine, sorting]| table(engine, sorting));
        let merging = |engine, keys| Merging { engine, keys };
        lasting(merging(&old, &old_keys), merging(&new, &new_keys), &columns())
    }

    fn of_plain(engine: &str) -> Lasting {
        found(["MergeTree", "id, n"], [engine, "id"])
    }

    #[test]
    fn rows_are_grouped_by_what_no_merge_tears_apart() {
        assert_eq!(of_plain("ReplacingMergeTree").keys, ["id", "toYYYYMM(day)"]);
        let keys = found(["ReplacingMergeTree", "id, n"], ["ReplacingMergeTree", "intDiv(id, 10), n"]).keys;
        assert_eq!(keys, ["n", "toYYYYMM(day)", "intDiv(id, 10)"]);
    }

    #[test]
    fn every_engine_leaves_something_else() {
        assert_eq!(of_plain("ReplacingMergeTree(n, sign)").values, ["max(n)"]);
        assert_eq!(of_plain("CoalescingMergeTree").values, [""; 0]);
        let states = ["uniqExactMerge(`u`)", "max(`m`)"];
        assert_eq!(of_plain("AggregatingMergeTree").values, states);
        let sums = ["n", "d", "sign"].map(|name| format!("sumWithOverflow(`{name}`)"));
        assert_eq!(of_plain("SummingMergeTree").values, [&sums[..], &states.map(str::to_owned)[..]].concat());
        assert_eq!(of_plain("SummingMergeTree((n, x))").values, sums[..1]);
        assert_eq!(of_plain("SummingMergeTree((n, x))").remains.unwrap(), format!("{} != 0", sums[0]));
        assert_eq!(of_plain("CollapsingMergeTree(sign)").values, ["sum(sign)"]);
        assert_eq!(of_plain("CollapsingMergeTree(sign)").remains.unwrap(), "sum(sign) != 0");
        assert!(of_plain("ReplacingMergeTree").remains.is_none());
    }

    #[test]
    fn two_that_merge_have_only_in_common_what_both_leave() {
        let both = |old, new| found([old, "id"], [new, "id"]);
        assert_eq!(both("ReplacingMergeTree(n)", "ReplacingMergeTree(sign)").values, [""; 0]);
        assert_eq!(both("SummingMergeTree(n)", "SummingMergeTree((n, d))").values, ["sumWithOverflow(`n`)"]);
        for [old, new] in
            [["SummingMergeTree(n)", "SummingMergeTree(d)"], ["SummingMergeTree(n)", "ReplacingMergeTree"]]
        {
            assert!(!both(old, new).certain && !both(new, old).certain, "{old} {new}");
        }
        assert!(!both("MergeTree", "GraphiteMergeTree('x')").certain);
        assert!(both("ReplacingMergeTree", "AggregatingMergeTree").certain);
        // The numbers of a key column are not summed.
        assert_eq!(found(["MergeTree", "id, n"], ["SummingMergeTree(n)", "id, n"]).remains, None);
    }

    #[test]
    fn inserts_are_told_where_whole_rows_are_kept() {
        let known = |old: [&str; 2], new: [&str; 2]| {
            let [(old, old_keys), (new, new_keys)] = [old, new].map(|[engine, sorting]| table(engine, sorting));
            inserts_are_known(Merging { engine: &old, keys: &old_keys }, Merging { engine: &new, keys: &new_keys })
        };
        assert!(known(["MergeTree", "id"], ["ReplacingMergeTree(n)", "n"]));
        assert!(known(["ReplacingMergeTree(n)", "id, n"], ["ReplacingMergeTree(n)", "id"]));
        assert!(known(["SummingMergeTree", "id, n"], ["SummingMergeTree", "n, id"]));
        assert!(!known(["SummingMergeTree", "id, n"], ["SummingMergeTree", "id"]));
        assert!(!known(["ReplacingMergeTree", "id"], ["ReplacingMergeTree(n)", "id"]));
        assert!(!known(["SummingMergeTree", "id"], ["MergeTree", "id"]));
    }

    #[test]
    fn tables_are_alike_where_the_same_rows_meet_and_the_same_becomes_of_them() {
        let keys =
            |sorting: &str, partition: &str| Keys { partition: partition.to_owned(), ..table("MergeTree", sorting).1 };
        let engine = |text: &str| table(text, "id").0;
        let (sums, plain) = (engine("SummingMergeTree((n, d))"), engine("ReplacingMergeTree"));
        let is_alike = |engines: [&Engine; 2], before: &Keys, after: &Keys| {
            let [old, new] = engines;
            alike(Merging { engine: old, keys: before }, Merging { engine: new, keys: after })
        };
        let (by_month, by_day) = (keys("id, day", "toYYYYMM(day)"), keys("day, id", "day"));
        assert!(is_alike([&sums, &engine("SummingMergeTree((d, n))")], &by_month, &by_day));
        assert!(!is_alike([&sums, &plain], &by_month, &by_month));
        // Rows of one key in two months are two rows, and would be one.
        assert!(!is_alike([&sums, &sums], &keys("id", "toYYYYMM(day)"), &keys("id", "tuple()")));
    }

    #[test]
    fn order_counts_where_nothing_else_says_which_row_is_left() {
        let by_order = |old: &str, new: &str| {
            let [(old, keys), (new, _)] = [old, new].map(|engine| table(engine, "id"));
            goes_by_order(Merging { engine: &old, keys: &keys }, Merging { engine: &new, keys: &keys })
        };
        assert!(by_order("MergeTree", "ReplacingMergeTree"));
        assert!(by_order("MergeTree", "CollapsingMergeTree(sign)"));
        assert!(by_order("ReplacingMergeTree(n)", "ReplacingMergeTree"));
        assert!(!by_order("ReplacingMergeTree", "ReplacingMergeTree"));
        assert!(!by_order("MergeTree", "ReplacingMergeTree(n)"));
        assert!(!by_order("MergeTree", "VersionedCollapsingMergeTree(sign, n)"));
        assert!(!by_order("ReplacingMergeTree", "MergeTree"));
    }
}
