//! How things are put to people: counts, sizes, lists.

use std::fmt::Display;

/// More of a piece of SQL is not shown.
const SQL_CHARS_MAX: usize = 80;

/// SQL in backticks, on one line, cut where it is long.
pub(crate) fn sql(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().nth(SQL_CHARS_MAX).is_none() {
        return format!("`{line}`");
    }
    format!("`{}…`", line.chars().take(SQL_CHARS_MAX).collect::<String>())
}

/// A size in decimal units, as ClickHouse's own limits are given.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let (mut size, mut unit) = (number as f64 / 1000.0, 0);
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A span of time in its largest whole unit: `7 d`, `90 min`.
pub(crate) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "min")];
    let unit = UNITS.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}

/// A moment, UTC, as RFC 3339.
pub(crate) fn moment(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("{unix_seconds} s of Unix time"), |at| at.to_string())
}

/// `1 mutation`, `2 mutations`.
pub(crate) fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str) -> String {
    if number == N::from(1) { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// The first names between commas, and how many more there are.
pub(crate) fn first<T: ToString>(mut names: impl ExactSizeIterator<Item = T>, max: usize) -> String {
    let shown = list(names.by_ref().take(max));
    match names.len() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Names between commas.
pub(crate) fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

/// How many names that resemble an unknown one are offered.
pub(crate) const SIMILAR_MAX: usize = 3;

/// Whether one of two names contains the other one, whatever the case.
pub(crate) fn are_similar(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.contains(&other) || other.contains(&one)
}

/// The end of a message that something is not there: `; there is a, b`, or nothing.
pub(crate) fn offered<T: Display>(similar: &[T]) -> String {
    if similar.is_empty() { String::new() } else { format!("; there is {}", list(similar)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_long_lists_and_long_sql_are_short() {
        let sizes: Vec<String> = [0, 999, 1000, 999_949, 999_950, 61_230_000_000].map(bytes).into();
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "61.2 GB"]);
        assert_eq!([first([1, 2].iter(), 2), first([1, 2, 3].iter(), 2)], ["1, 2", "1, 2 and 1 more"]);
        assert_eq!([offered(&["a", "b"]), offered::<&str>(&[])], ["; there is a, b", ""]);
        assert!(are_similar("Events", "my_events") && are_similar("my_events", "EVENTS") && !are_similar("a", "b"));
        assert_eq!([604_800, 5400, 5, 61].map(span), ["7 d", "90 min", "5 s", "61 s"]);
        assert_eq!(moment(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(sql("a\n  b"), "`a b`");
        assert_eq!(sql(&"x".repeat(81)), format!("`{}…`", "x".repeat(80)));
    }
}
