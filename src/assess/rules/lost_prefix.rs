//! SW019: the new key begins with other columns.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::{columns_of, key_items};
use crate::words::{list, sql};

pub(super) const CODE: &str = "SW019";

/// The index serves a filter well only on columns at its beginning.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(source) = case.source() else { return Vec::new() };
    // What is indexed is the primary key, which is a prefix of the sorting key and mostly all of it.
    let (old, new) = (&source.keys.primary, &case.target.keys.primary);
    let Some(lost) = leading_columns(old).filter(|columns| !columns.is_empty()) else { return Vec::new() };
    let kept = leading_columns(new).unwrap_or_default();
    if lost.iter().any(|column| kept.contains(column)) {
        return Vec::new();
    }
    let lost = list(lost);
    vec![Finding::hazard(
        CODE,
        format!("{} is no longer indexed by {lost} first: {} becomes {}", case.name(), shown(old), shown(new)),
        format!("queries that filter on {lost} alone will read more, up to the whole table"),
        "look in system.query_log which queries those are, and try them on a copy with the new key",
    )]
}

/// The columns of a key's first item. `None` for an empty key and for one that cannot be read.
fn leading_columns(key: &str) -> Option<Vec<String>> {
    columns_of(key_items(key).ok()?.first()?).ok()
}

fn shown(key: &str) -> String {
    sql(&format!("({key})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    fn found(to: &str) -> Vec<String> {
        let mut fixture = Fixture::new();
        fixture.aim("(id, team)", to);
        fixture.found(check)
    }

    #[test]
    fn a_lost_first_column_is_named() {
        assert_eq!(
            found("(id, team)"),
            ["hazard SW019: d.events is no longer indexed by team first: `(team, id)` becomes `(id, team)`"]
        );
        assert_eq!(found("tuple()").len(), 1);
    }

    #[test]
    fn a_key_that_begins_with_the_same_column_keeps_its_prefix() {
        assert_eq!(found("(team, day, id)"), [""; 0]);
        assert_eq!(found("(intDiv(team, 10), id)"), [""; 0]);
    }
}
