//! SW078: what another type of a key column means for those who write and read meanwhile.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::words::list;

pub(super) const CODE: &str = "SW078";

/// Between the swap and `finalize` there is an old table that cannot hold every value of the new one.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let types = case.types();
    if types.is_empty() {
        return Vec::new();
    }
    let columns = list(types.iter().map(|change| format!("{} ({})", change.column, change.before)));
    let mut findings = vec![Finding::hazard(
        CODE,
        format!("{} could not go back once it has values that the types before cannot hold: {columns}", case.name()),
        "after the swap such rows are in the new table alone, and `rollback` refuses as long as there is one",
        "write such values only after `finalize`",
    )];
    if !case.change.distributed.is_empty() {
        findings.push(Finding::hazard(
            CODE,
            format!("aggregates of {columns} through {} fail for a moment", list(&case.change.distributed)),
            "between the first swap and the last shards give states of different types, which servers do not convert; the Distributed \
             tables get the new types right after the last swap",
            "have such queries tried again, or pause them while names are swapped",
        ));
    }
    let views = case.source().map(|table| table.dependents.as_slice()).unwrap_or_default();
    if !views.is_empty() {
        findings.push(Finding::note(
            CODE,
            format!("views that read {}: {}", case.name(), list(views)),
            "they convert what they write to the types of their own targets, which are not changed: a value beyond those comes out as another",
            "where a view passes the column on, give its target the new type before such values are written",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, redefine};

    #[test]
    fn who_writes_and_reads_is_told() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.change.wanted.types = vec![("team".to_owned(), "UInt64".to_owned())];
        redefine(&mut fixture.target, "team UInt32", "team UInt64");
        assert_eq!(
            fixture.found(check),
            [
                "hazard SW078: d.events could not go back once it has values that the types before cannot hold: team (UInt32)",
                "hazard SW078: aggregates of team (UInt32) through d.events_all fail for a moment",
                "note SW078: views that read d.events: d.daily",
            ]
        );
    }
}
