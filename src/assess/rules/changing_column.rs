//! SW024: a MATERIALIZED column whose values cannot be computed a second time.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Column;
use crate::ddl::changing_function;
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW024";

/// The backfill copies what is stored. A mirror cannot, where the server has a view leave MATERIALIZED columns to its target.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.snapshot.all_have(Capability::ViewsLeaveMaterialized) {
        return Vec::new();
    }
    let columns = case.source().map(|table| table.columns.as_slice()).unwrap_or_default();
    let finding = |column: &Column| {
        let function = changing_function(&column.default_expression)?;
        Some(Finding::blocker(
            CODE,
            format!("{} is MATERIALIZED by {function}() in {}", column.name, case.name()),
            "these servers compute a MATERIALIZED column anew when the mirror writes a row, so source and new table would not \
             hold the same row",
            "make it a DEFAULT column first: ALTER TABLE … MODIFY COLUMN … DEFAULT … changes no stored value",
        ))
    };
    columns.iter().filter(|column| column.is_materialized()).filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    fn fixture(value: &str) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.redefine("value Float64 DEFAULT 1", value);
        fixture.states(|state| {
            state.capabilities.insert(Capability::ViewsLeaveMaterialized);
        });
        fixture
    }

    #[test]
    fn a_column_that_is_another_one_each_time_is_found() {
        let fixture = fixture("value Float64 MATERIALIZED toFloat64( rand() )");
        assert_eq!(fixture.found(check), ["blocker SW024: value is MATERIALIZED by rand() in d.events"]);
    }

    #[test]
    fn where_the_mirror_carries_the_value_it_is_no_matter() {
        let mut fixture = fixture("value Float64 MATERIALIZED toFloat64( rand() )");
        fixture.state("s2r1").capabilities.remove(&Capability::ViewsLeaveMaterialized);
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn a_default_is_carried_and_other_expressions_come_to_the_same() {
        assert_eq!(fixture("value Float64 DEFAULT toFloat64( rand() )").found(check), [""; 0]);
        assert_eq!(fixture("value Float64 MATERIALIZED toFloat64( team )").found(check), [""; 0]);
    }
}
