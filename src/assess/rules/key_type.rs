//! SW077: another type of a key column with which the copy could not be proven to be the same rows.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::{Column, Table};
use crate::change::TypeChange;
use crate::ddl::{columns_of, key_items, read_engine, speaks_of};
use crate::words::list;

pub(super) const CODE: &str = "SW077";

/// Rows are compared by their values of the type after, so each value must be one of them, and the two engines must merge alike.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(source) = case.source() else { return Vec::new() };
    case.types().iter().filter_map(|change| objection(case, source, change)).collect()
}

fn objection(case: &Case<'_>, source: &Table, change: &TypeChange) -> Option<Finding> {
    let TypeChange { column, before, after } = change;
    let what = format!("column {column} of {} is to be {after}, and is {before}", case.name());
    let of = |why: &str, help: &str| Some(Finding::blocker(CODE, what.clone(), why, help));
    if !change.keeps_values() {
        return of(
            "a value might be changed, cut off or made equal to another one: it is not known that every value of the one type is one of \
             the other",
            "integers may become wider (unsigned ones signed too), Date may become Date32, and DateTime or DateTime64 a DateTime64 with \
             more digits, at most eight, and the same time zone; for another type add a column and a new key",
        );
    }
    if !case.swaps_by_exchange() {
        return of(
            "views of servers without EXCHANGE TABLES do not convert what they write: from the mirror on every insert would fail (18.16.1: \
             Type mismatch for column)",
            "the table's database must be Atomic on every replica, and the servers have EXCHANGE TABLES",
        );
    }
    if let Some(computed) = source.columns.iter().find(|one| depends(one, column)) {
        let why = format!(
            "{} is MATERIALIZED and {}: the new table would compute it from the other type, and rows could differ",
            computed.name,
            if computed.name == *column { "gets the other type itself" } else { "may be computed from it" }
        );
        return of(
            &why,
            "make it a DEFAULT column first: ALTER TABLE … MODIFY COLUMN … DEFAULT … changes no stored value",
        );
    }
    let odd = merged_by_expression(source, column)?;
    let why = format!(
        "the engine merges rows of equal {odd}, which may be equal for other rows once its column has the other type"
    );
    of(&why, "change the key first, so that the column itself is in it")
}

/// Whether a MATERIALIZED column is the one that changes or may be computed from it.
fn depends(computed: &Column, column: &str) -> bool {
    computed.is_materialized() && (computed.name == column || speaks_of(&computed.default_expression, column))
}

/// An expression over the column by which an engine merges rows, unless the column itself is in the key too and decides.
fn merged_by_expression(source: &Table, column: &str) -> Option<String> {
    let engine = read_engine(&source.engine_full).ok()?;
    if engine.plain_name() == "MergeTree" {
        return None;
    }
    let keys = [&source.keys.sorting, &source.keys.partition];
    let items: Vec<String> = keys.into_iter().flat_map(|key| key_items(key).unwrap_or_default()).collect();
    let name = |item: &String| item.trim_matches('`') == column;
    let over = |item: &&String| columns_of(item).map_or(true, |columns| columns.iter().any(|one| one == column));
    if items.iter().any(name) {
        return None;
    }
    let odd: Vec<&String> = items.iter().filter(over).collect();
    (!odd.is_empty()).then(|| list(odd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, redefine};

    /// The fixture in which `team` gets another type, and more is other than it was.
    fn found(kind: &str, from: &str, to: &str) -> Vec<String> {
        let mut fixture = Fixture::new();
        fixture.redefine(from, to);
        fixture.change.wanted.types = vec![("team".to_owned(), kind.to_owned())];
        redefine(&mut fixture.target, "team UInt32", &format!("team {kind}"));
        let why = |finding: Finding| format!("{} {}", finding.severity, finding.why);
        check(&fixture.case()).into_iter().map(why).collect()
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn types_that_hold_every_value_are_planned_and_others_are_not() {
        assert_eq!(found("UInt64", "UInt32", "UInt32"), NONE);
        for kind in ["Int32", "UInt16", "String", "Float64"] {
            assert!(found(kind, "UInt32", "UInt32")[0].starts_with("blocker a value might be changed"), "{kind}");
        }
    }

    #[test]
    fn views_must_convert_what_they_write() {
        let mut fixture = Fixture::new();
        fixture.change.wanted.types = vec![("team".to_owned(), "UInt64".to_owned())];
        redefine(&mut fixture.target, "team UInt32", "team UInt64");
        fixture.state("s2r1").capabilities.clear();
        assert_eq!(fixture.found(check), ["blocker SW077: column team of d.events is to be UInt64, and is UInt32"]);
    }

    #[test]
    fn what_is_computed_from_the_column_must_not_differ() {
        let computed = found("UInt64", "value Float64 DEFAULT 1", "value Float64 MATERIALIZED cityHash64(team)");
        assert!(computed[0].contains("value is MATERIALIZED and may be computed from it"), "{computed:?}");
        assert_eq!(found("UInt64", "value Float64 DEFAULT 1", "value Float64 MATERIALIZED id"), NONE);
    }

    #[test]
    fn engines_that_merge_must_have_the_column_itself_in_the_key() {
        let merging = "ReplicatedReplacingMergeTree(";
        assert_eq!(found("UInt64", "ReplicatedMergeTree(", merging), NONE);
        let mut fixture = Fixture::new();
        fixture.redefine("ReplicatedMergeTree(", merging);
        fixture.sources(|source| redefine(source, "(team, id)", "(intDiv(team, 10), id)"));
        fixture.change.wanted.types = vec![("team".to_owned(), "UInt64".to_owned())];
        redefine(&mut fixture.target, "team UInt32", "team UInt64");
        assert!(check(&fixture.case())[0].why.contains("merges rows of equal intDiv(team, 10)"));
    }
}
