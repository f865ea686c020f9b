//! Rows for a rehearsal: made by the server from numbers, to the columns' types.

use std::collections::BTreeMap;

use crate::catalog::Column;
use crate::ddl::key_items;
use crate::ddl::quoting::unquote;
use crate::names::{quote_identifier, quote_string};
use crate::plan::PartitionSize;

/// Days over which dates are spread when the plan's partitions do not tell.
const DAYS_DEFAULT: u64 = 90;
/// Days of a month that dates are spread over: every month has them.
const DAYS_OF_MONTH: u64 = 28;
/// Months or days that dates are spread over, at most; of more, some are left out evenly.
const SLOTS_MAX: usize = 120;
/// How often the rows go through all partitions, so that each gets more than one part.
const PASSES: u64 = 2;
/// Different values of a column that is not in a key.
const VALUES: u32 = 1000;

/// How rows of a table are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fill {
    /// The columns that are given, quoted.
    pub columns: Vec<String>,
    /// Their values as expressions over `number`.
    pub values: Vec<String>,
    /// Columns left to their defaults, because nothing is known of how to make values of their types, or because they are not there
    /// all the while.
    pub left_out: Vec<String>,
    /// The columns that tell rows apart, if any do.
    pub telling: Vec<String>,
}

impl Fill {
    /// Selects the rows of the numbers from `first` on.
    pub fn select(&self, first: u64, count: u64) -> String {
        // Not numbers(first, count), which old servers do not have.
        let values = self.values.join(", ");
        format!("SELECT {values} FROM (SELECT number + {first} AS number FROM system.numbers LIMIT {count})")
    }

    /// The same rows without these columns.
    #[must_use]
    pub fn without(&self, columns: &[String]) -> Self {
        // A column of a Nested goes with it.
        let is_of = |name: &str, whole: &String| name == whole || name.starts_with(&format!("{whole}."));
        let goes = |name: &str| columns.iter().any(|whole| is_of(name, whole));
        let (mut fill, mut gone) = (Self::default(), self.left_out.clone());
        for (column, value) in self.pairs() {
            let name = unquote(column).unwrap_or_else(|| column.to_owned());
            if goes(&name) {
                gone.push(name);
            } else {
                fill.columns.push(column.to_owned());
                fill.values.push(value.to_owned());
            }
        }
        let telling = self.telling.iter().filter(|column| !goes(column)).cloned().collect();
        Self { left_out: gone, telling, ..fill }
    }

    /// Whether rows are told apart by the same columns as in another filling.
    pub fn tells_as(&self, other: &Self) -> bool {
        !self.telling.is_empty() && self.telling == other.telling
    }

    /// The columns with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(String::as_str).zip(self.values.iter().map(String::as_str))
    }
}

/// Rows for a table with these columns. Different numbers give rows with different values of `sorting_key` where a column of
/// it can hold so many, so that engines which merge rows of equal keys merge none of them.
///
/// Dates follow each other as numbers do, in the partitions that the table has and in proportion to their rows: `rows` of
/// them go through all partitions, and a few of them meet few partitions, as a block of an insert must.
pub fn fill(
    columns: &[Column],
    sorting_key: &str,
    sign: Option<&str>,
    partitions: &[PartitionSize],
    rows: u64,
) -> Fill {
    let day = day(partitions, rows);
    let items = key_items(sorting_key).unwrap_or_default();
    let in_key = |column: &Column| items.iter().any(|item| item.trim_matches('`') == column.name);
    let stored: Vec<&Column> =
        columns.iter().filter(|column| column.is_stored() && !column.is_materialized()).collect();
    let telling = telling(&stored, in_key);
    let mut fill = Fill { telling: telling.iter().map(|&name| name.to_owned()).collect(), ..Fill::default() };
    for column in stored {
        let is_telling = telling.contains(&column.name.as_str());
        let value = if sign == Some(column.name.as_str()) {
            Some("toInt8(1)".to_owned())
        } else {
            value(&column.kind, if is_telling { Spread::Telling } else { Spread::Few }, &day)
        };
        match value {
            Some(value) => {
                fill.columns.push(quote_identifier(&column.name));
                fill.values.push(value);
            }
            None => fill.left_out.push(column.name.clone()),
        }
    }
    fill
}

/// The columns that tell rows apart. Numbers of 32 bits begin anew after some four thousand million rows, so that another column must
/// help them, where there is one.
fn telling<'c>(columns: &[&'c Column], in_key: impl Fn(&Column) -> bool) -> Vec<&'c str> {
    let last = |key: bool, holds: fn(&str) -> bool| {
        columns.iter().rfind(|column| in_key(column) == key && holds(&column.kind)).map(|column| column.name.as_str())
    };
    match last(true, holds_any_number) {
        Some(one) => vec![one],
        None => [last(true, holds_many_numbers), last(false, holds_any_number)].into_iter().flatten().collect(),
    }
}

/// How many different values a column gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// One for each number.
    Telling,
    /// A thousand or fewer.
    Few,
}

fn holds_any_number(kind: &str) -> bool {
    matches!(kind, "UInt64" | "Int64" | "String" | "UUID" | "LowCardinality(String)")
}

fn holds_many_numbers(kind: &str) -> bool {
    matches!(kind, "UInt32" | "Int32")
}

/// A month or a day, by its first day, and the share of the rows that are in it.
struct Slot {
    first: String,
    days: u64,
    rows: u64,
}

/// The date of a number, as an expression.
fn day(partitions: &[PartitionSize], rows: u64) -> String {
    let cycle = (rows / PASSES).max(1);
    let slots = slots(partitions, cycle);
    let Some(days) = slots.first().map(|slot| slot.days) else {
        return format!("toDate('2024-01-01') + intDiv(number % {cycle} * {DAYS_DEFAULT}, {cycle})");
    };
    let firsts: Vec<String> = slots.iter().map(|slot| quote_string(&slot.first)).collect();
    let mut end = 0;
    let ends = slots.iter().map(|slot| {
        end += slot.rows;
        end.to_string()
    });
    let ends = ends.collect::<Vec<_>>().join(", ");
    let slot = format!("arrayFirstIndex(x -> x > number % {end}, [{ends}])");
    format!("toDate(arrayElement([{}], {slot})) + cityHash64(number) % {days}", firsts.join(", "))
}

/// The months or days that the partitions' ids speak of, oldest first, with at least one of `cycle` rows each.
fn slots(partitions: &[PartitionSize], cycle: u64) -> Vec<Slot> {
    let mut by_date: BTreeMap<&str, u128> = BTreeMap::new();
    for partition in partitions {
        if let Some(date) = partition.id.split('-').find(|part| is_date(part)) {
            *by_date.entry(date).or_default() += u128::from(partition.rows);
        }
    }
    // Ids of both kinds mean that they are not dates after all.
    let length = by_date.keys().next().map_or(0, |date| date.len());
    if by_date.keys().any(|date| date.len() != length) {
        return Vec::new();
    }
    let stride = by_date.len().div_ceil(SLOTS_MAX).max(1);
    let total: u128 = by_date.values().sum::<u128>().max(1);
    let share = |rows: u128| u64::try_from(rows * u128::from(cycle) / total).unwrap_or(cycle).max(1);
    let slot = |(date, rows): (&str, u128)| match date.get(6..8) {
        Some(day) if !day.is_empty() => {
            Slot { first: format!("{}-{}-{day}", &date[..4], &date[4..6]), days: 1, rows: share(rows) }
        }
        _ => Slot { first: format!("{}-{}-01", &date[..4], &date[4..6]), days: DAYS_OF_MONTH, rows: share(rows) },
    };
    by_date.into_iter().step_by(stride).map(slot).collect()
}

/// `202402` or `20240229`.
fn is_date(part: &str) -> bool {
    let within = |range: std::ops::Range<usize>, low: &str, high: &str| {
        part.get(range).is_some_and(|digits| (low..=high).contains(&digits))
    };
    part.bytes().all(|byte| byte.is_ascii_digit())
        && within(0..4, "1970", "2105")
        && within(4..6, "01", "12")
        && (part.len() == 6 || part.len() == 8 && within(6..8, "01", "31"))
}

/// A value of a type, made of `number`; none where the type is not known.
fn value(kind: &str, spread: Spread, day: &str) -> Option<String> {
    let (name, inside) = parts(kind);
    let few = format!("cityHash64(number) % {VALUES}");
    let number = if spread == Spread::Telling { "number".to_owned() } else { few };
    let nested = |index: usize| value(inside.get(index)?, Spread::Few, day);
    Some(match name {
        "UInt8" | "Int8" | "Bool" => format!("CAST(cityHash64(number) % 2 AS {kind})"),
        "UInt16" | "Int16" | "UInt32" | "Int32" | "UInt64" | "Int64" | "UInt128" | "Int128" | "UInt256" | "Int256" => {
            format!("CAST({number} AS {kind})")
        }
        "Float32" | "Float64" => format!("CAST(cityHash64(number) % {VALUES} / 8 AS {kind})"),
        "Decimal" | "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => {
            format!("CAST(cityHash64(number) % 100 AS {kind})")
        }
        "String" => format!("concat('value ', toString({number}))"),
        "FixedString" => {
            let length = inside.first()?;
            format!("toFixedString(substring(hex(MD5(toString(number))), 1, {length}), {length})")
        }
        "UUID" => "toUUID(UUIDNumToString(MD5(toString(number))))".to_owned(),
        "Date" | "Date32" => format!("CAST({day} AS {kind})"),
        "DateTime" | "DateTime64" => {
            format!("CAST(toDateTime({day}) + cityHash64(number) % 86400 AS {kind})")
        }
        "Enum8" | "Enum16" => {
            let names: Vec<String> = inside.iter().filter_map(|item| enum_name(item)).collect();
            let count = names.len();
            format!("CAST(arrayElement([{}], toUInt32(1 + cityHash64(number) % {count})) AS {kind})", names.join(", "))
        }
        "IPv4" => format!("CAST(concat('10.0.0.', toString(cityHash64(number) % 250)) AS {kind})"),
        "IPv6" => format!("CAST(concat('fd00::', toString(cityHash64(number) % 250)) AS {kind})"),
        "JSON" | "Object" => {
            format!("CAST(concat('{{\"number\":', toString(cityHash64(number) % {VALUES}), '}}') AS {kind})")
        }
        "LowCardinality" => value(inside.first()?, spread, day)?,
        "Nullable" => format!("if(cityHash64(number) % 5 = 0, NULL, {})", nested(0)?),
        "SimpleAggregateFunction" => nested(1)?,
        "Array" => format!("CAST([{}] AS {kind})", nested(0)?),
        "Map" => format!("CAST(map({}, {}) AS {kind})", nested(0)?, nested(1)?),
        "Tuple" => {
            let elements: Option<Vec<String>> =
                inside.iter().map(|item| value(element_type(item), Spread::Few, day)).collect();
            format!("CAST(tuple({}) AS {kind})", elements?.join(", "))
        }
        "Variant" | "Dynamic" => format!("CAST(concat('value ', toString(cityHash64(number) % {VALUES})) AS {kind})"),
        "AggregateFunction" => {
            let arguments: Option<Vec<String>> =
                inside.iter().skip(1).map(|item| value(item, Spread::Few, day)).collect();
            let arguments: Vec<String> = arguments?.iter().map(|argument| format!("[{argument}]")).collect();
            let state = state_function(inside.first()?);
            // count() has no argument of its own; a state is made over one row whatever it counts.
            let arguments = if arguments.is_empty() { "[toUInt8(1)]".to_owned() } else { arguments.join(", ") };
            format!("arrayReduce({}, {arguments})", quote_string(&state))
        }
        _ => return None,
    })
}

/// `quantile(0.5)` becomes `quantileState(0.5)`.
fn state_function(function: &str) -> String {
    match function.split_once('(') {
        Some((name, parameters)) => format!("{name}State({parameters}"),
        None => format!("{function}State"),
    }
}

/// The name in `'name' = 1`, as a literal.
fn enum_name(item: &str) -> Option<String> {
    Some(item.rsplit_once('=').map_or(item, |(name, _)| name).trim().to_owned()).filter(|name| name.starts_with('\''))
}

/// A tuple's element without its name: `a UInt8` becomes `UInt8`.
fn element_type(item: &str) -> &str {
    match item.split_once(' ') {
        Some((name, kind)) if !name.contains('(') => kind.trim(),
        _ => item,
    }
}

/// A type's name and what stands between its parentheses, split at its own commas.
fn parts(kind: &str) -> (&str, Vec<&str>) {
    let Some((name, rest)) = kind.split_once('(') else { return (kind, Vec::new()) };
    let inside = rest.strip_suffix(')').unwrap_or(rest);
    let (mut depth, mut start, mut in_string) = (0_u32, 0, false);
    let mut found = Vec::new();
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '\'' => in_string = !in_string,
            _ if in_string => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(inside[start..].trim());
    (name, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_apart_at_their_own_commas() {
        assert_eq!(
            parts("Map(String, Array(Tuple(a UInt8, b String)))"),
            ("Map", vec!["String", "Array(Tuple(a UInt8, b String))"])
        );
        assert_eq!(parts(r"Enum8('a, (b' = 1, 'c\'d' = 2)").1, [r"'a, (b' = 1", r"'c\'d' = 2"]);
        assert_eq!(parts("UInt8"), ("UInt8", vec![]));
    }

    fn sizes(ids: &[(&str, u64)]) -> Vec<PartitionSize> {
        ids.iter().map(|(id, rows)| PartitionSize { id: (*id).to_owned(), rows: *rows, bytes: 1 }).collect()
    }

    #[test]
    fn dates_lie_in_the_partitions_that_the_plan_knows_as_its_rows_do() {
        let months = sizes(&[("202403", 3_000_000), ("202402", 1_000_000)]);
        insta::assert_snapshot!(day(&months, 800), @"toDate(arrayElement(['2024-02-01', '2024-03-01'], arrayFirstIndex(x -> x > number % 400, [100, 400]))) + cityHash64(number) % 28");
        let days = sizes(&[("3-20240229", 1), ("4-20240229", 1), ("3-20240301", 2)]);
        insta::assert_snapshot!(day(&days, 800), @"toDate(arrayElement(['2024-02-29', '2024-03-01'], arrayFirstIndex(x -> x > number % 400, [200, 400]))) + cityHash64(number) % 1");
        insta::assert_snapshot!(day(&sizes(&[("all", 1)]), 800), @"toDate('2024-01-01') + intDiv(number % 400 * 90, 400)");
        for unknown in ["1000", "202413", "20240232", "18446744", "9f86d081884c7d65"] {
            assert!(slots(&sizes(&[(unknown, 1)]), 10).is_empty(), "{unknown}");
        }
        assert!(slots(&sizes(&[("202401", 1), ("20240101", 1)]), 10).is_empty(), "numbers that look like dates");
    }

    #[test]
    fn partitions_without_number_are_thinned_out_and_none_stays_empty() {
        let ids: Vec<(String, u64)> =
            (0..300).map(|n| (format!("2024{:02}{:02}", n / 28 % 12 + 1, n % 28 + 1), 1)).collect();
        let ids: Vec<(&str, u64)> = ids.iter().map(|(id, rows)| (id.as_str(), *rows)).collect();
        let slots = slots(&sizes(&ids), 10);
        assert!(slots.len() <= SLOTS_MAX && slots.len() > SLOTS_MAX / 2, "{}", slots.len());
        assert!(slots.iter().all(|slot| slot.rows == 1));
    }

    #[test]
    fn rows_are_told_apart_by_a_key_that_can_or_by_what_can_beside_it() {
        let told = |columns: &[(&str, &str)], key: &str| -> Vec<String> {
            let columns: Vec<Column> = columns.iter().map(|(name, kind)| Column::new(name, kind)).collect();
            let fill = fill(&columns, key, None, &[], 10);
            let is_telling = |(_, value): &(&str, &str)| !value.contains("cityHash64");
            fill.pairs().filter(is_telling).map(|(name, _)| name.to_owned()).collect()
        };
        let narrow = [("id", "UInt32"), ("ts", "DateTime"), ("v", "String"), ("n", "UInt64")];
        assert_eq!(told(&narrow, "id, n"), ["`n`"]);
        assert_eq!(told(&narrow, "id, ts"), ["`id`", "`n`"]);
        assert_eq!(told(&narrow[1..3], "ts"), ["`v`"]);
        assert_eq!(told(&narrow[..1], "id"), ["`id`"]);
        assert_eq!(told(&narrow[1..2], "ts"), [""; 0]);
    }

    #[test]
    fn columns_go_with_all_that_is_in_them() {
        let columns = [("id", "UInt64"), ("n.a", "Array(UInt8)"), ("n.b", "Array(UInt8)"), ("name", "String")];
        let columns: Vec<Column> = columns.iter().map(|(name, kind)| Column::new(name, kind)).collect();
        let all = fill(&columns, "id", None, &[], 10);
        let fewer = all.without(&["n".to_owned()]);
        assert_eq!(
            (fewer.columns.join(" "), fewer.left_out.join(" ")),
            ("`id` `name`".to_owned(), "n.a n.b".to_owned())
        );
        assert_eq!(fewer.values, [all.values[0].clone(), all.values[3].clone()]);
        assert!(fewer.tells_as(&all) && !all.without(&["id".to_owned()]).tells_as(&all));
        assert!(!Fill::default().tells_as(&Fill::default()), "nothing tells nothing");
    }

    #[test]
    fn a_type_that_nobody_knows_is_left_out_and_said() {
        let fill = fill(
            &[Column::new("a", "UInt64"), Column::new("b", "Ring"), Column::new("c", "Int8")],
            "a",
            Some("c"),
            &[],
            10,
        );
        assert_eq!((fill.columns.join(", "), fill.left_out.join(", ")), ("`a`, `c`".to_owned(), "b".to_owned()));
        assert_eq!(fill.values, ["CAST(number AS UInt64)", "toInt8(1)"]);
    }
}
