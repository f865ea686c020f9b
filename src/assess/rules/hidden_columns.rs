//! SW023: a column that the server hides behind a virtual one.

use super::super::case::Case;
use super::super::finding::Finding;

pub(super) const CODE: &str = "SW023";

/// Virtual columns by which a plan tells a row's part and partition.
const VIRTUAL: [&str; 2] = ["_part", "_partition_id"];
/// Names that queries over single rows give to what they compute: an alias hides a column of its name from the hash beside it.
const GIVEN: [&str; 6] = ["__sw_h", "__sw_s", "__sw_m", "__sw_d", "__sw_k", "__sw_p"];

/// A plan asks for rows by part and partition; where a column has that name, the answer is about something else.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let columns = case.source().map(|table| table.columns.as_slice()).unwrap_or_default();
    let is_hidden = |name: &str| VIRTUAL.contains(&name) || GIVEN.contains(&name);
    let hidden = columns.iter().filter(|column| is_hidden(&column.name));
    let finding = |column: &crate::catalog::Column| {
        Finding::blocker(
            CODE,
            format!("{} has a column named {}", case.name(), column.name),
            "it has the name of a virtual column, by which the copy would be told apart into parts and partitions, or one that the plan's own queries \
             give to something else",
            "rename the column first",
        )
    };
    hidden.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn a_column_named_like_a_virtual_one_is_found() {
        let mut fixture = Fixture::new();
        fixture.redefine("value Float64", "_part Float64");
        assert_eq!(fixture.found(check), ["blocker SW023: d.events has a column named _part"]);
        fixture.redefine("_part Float64", "__sw_h Float64");
        assert_eq!(fixture.found(check), ["blocker SW023: d.events has a column named __sw_h"]);
    }

    #[test]
    fn other_columns_may_begin_with_an_underscore() {
        let mut fixture = Fixture::new();
        fixture.redefine("value Float64", "_parts Float64");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
