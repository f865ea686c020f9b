//! Rows for a rehearsal: made by the server from numbers, to the columns' types.

use crate::catalog::Column;
use crate::ddl::key_items;
use crate::names::{quote_identifier, quote_string};
use crate::plan::PartitionSize;

/// Days over which dates are spread when the plan's partitions do not tell.
const DAYS_DEFAULT: u64 = 210;
/// Different values of a column that is not in a key.
const VALUES: u32 = 1000;

/// How rows of a table are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The columns that are given, quoted.
    pub columns: Vec<String>,
    /// Their values as expressions over `number`.
    pub values: Vec<String>,
    /// Columns left to their defaults, because nothing is known of how to make values of their types.
    pub left_out: Vec<String>,
}

impl Fill {
    /// Selects the rows of the numbers from `first` on.
    pub fn select(&self, first: u64, count: u64) -> String {
        // Not numbers(first, count), which old servers do not have.
        let values = self.values.join(", ");
        format!("SELECT {values} FROM (SELECT number + {first} AS number FROM system.numbers LIMIT {count})")
    }

    /// The columns with their values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(String::as_str).zip(self.values.iter().map(String::as_str))
    }
}

/// Rows for a table with these columns. Different numbers give rows with different values of `sorting_key` where a column of
/// it can hold so many, so that engines which merge rows of equal keys merge none of them.
pub fn fill(columns: &[Column], sorting_key: &str, sign: Option<&str>, partitions: &[PartitionSize]) -> Fill {
    let items = key_items(sorting_key).unwrap_or_default();
    let in_key = |column: &Column| items.iter().any(|item| item.trim_matches('`') == column.name);
    let telling = columns.iter().filter(|column| in_key(column)).rfind(|column| holds_any_number(&column.kind));
    let mut fill = Fill { columns: Vec::new(), values: Vec::new(), left_out: Vec::new() };
    for column in columns.iter().filter(|column| column.is_stored() && !column.is_materialized()) {
        let is_telling = telling.is_some_and(|telling| telling.name == column.name);
        let value = if sign == Some(column.name.as_str()) {
            Some("toInt8(1)".to_owned())
        } else {
            value(&column.kind, if is_telling { Spread::Telling } else { Spread::Few }, &days(partitions))
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

/// The first day and the number of days that dates are spread over: those of the plan's monthly partitions if it has such.
fn days(partitions: &[PartitionSize]) -> (String, u64) {
    let is_month =
        |id: &str| id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_digit()) && ("01"..="12").contains(&&id[4..]);
    let months: Vec<&str> =
        partitions.iter().map(|partition| partition.id.as_str()).filter(|id| is_month(id)).collect();
    match (months.iter().min(), months.len() as u64) {
        // Twenty-eight days for each month stay within the months there are.
        (Some(first), count) => (format!("{}-{}-01", &first[..4], &first[4..]), count * 28),
        (None, _) => ("2024-01-01".to_owned(), DAYS_DEFAULT),
    }
}

/// A value of a type, made of `number`; none where the type is not known.
fn value(kind: &str, spread: Spread, days: &(String, u64)) -> Option<String> {
    let (name, inside) = parts(kind);
    let few = format!("cityHash64(number) % {VALUES}");
    let number = if spread == Spread::Telling { "number".to_owned() } else { few };
    let nested = |index: usize| value(inside.get(index)?, Spread::Few, days);
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
        "Date" | "Date32" => format!("CAST({} AS {kind})", day(days)),
        "DateTime" | "DateTime64" => {
            format!("CAST(toDateTime({}) + cityHash64(number) % 86400 AS {kind})", day(days))
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
        "LowCardinality" => value(inside.first()?, spread, days)?,
        "Nullable" => format!("if(cityHash64(number) % 5 = 0, NULL, {})", nested(0)?),
        "SimpleAggregateFunction" => nested(1)?,
        "Array" => format!("CAST([{}] AS {kind})", nested(0)?),
        "Map" => format!("CAST(map({}, {}) AS {kind})", nested(0)?, nested(1)?),
        "Tuple" => {
            let elements: Option<Vec<String>> =
                inside.iter().map(|item| value(element_type(item), Spread::Few, days)).collect();
            format!("CAST(tuple({}) AS {kind})", elements?.join(", "))
        }
        "Variant" | "Dynamic" => format!("CAST(concat('value ', toString(cityHash64(number) % {VALUES})) AS {kind})"),
        "AggregateFunction" => {
            let arguments: Option<Vec<String>> =
                inside.iter().skip(1).map(|item| value(item, Spread::Few, days)).collect();
            let arguments: Vec<String> = arguments?.iter().map(|argument| format!("[{argument}]")).collect();
            let state = state_function(inside.first()?);
            // count() has no argument of its own; a state is made over one row whatever it counts.
            let arguments = if arguments.is_empty() { "[toUInt8(1)]".to_owned() } else { arguments.join(", ") };
            format!("arrayReduce({}, {arguments})", quote_string(&state))
        }
        _ => return None,
    })
}

fn day((first, count): &(String, u64)) -> String {
    format!("toDate('{first}') + cityHash64(number) % {count}")
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

    #[test]
    fn dates_lie_in_the_partitions_that_the_plan_knows() {
        let month = |id: &str| PartitionSize { id: id.to_owned(), rows: 1, bytes: 1 };
        assert_eq!(days(&[month("202403"), month("202402")]), ("2024-02-01".to_owned(), 56));
        assert_eq!(days(&[month("all")]).1, DAYS_DEFAULT);
    }

    #[test]
    fn a_type_that_nobody_knows_is_left_out_and_said() {
        let column = |name: &str, kind: &str| Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            default_kind: String::new(),
            default_expression: String::new(),
            comment: String::new(),
        };
        let fill = fill(&[column("a", "UInt64"), column("b", "Ring"), column("c", "Int8")], "a", Some("c"), &[]);
        assert_eq!((fill.columns.join(", "), fill.left_out.join(", ")), ("`a`, `c`".to_owned(), "b".to_owned()));
        assert_eq!(fill.values, ["CAST(number AS UInt64)", "toInt8(1)"]);
    }
}
