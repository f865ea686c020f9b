//! SW006: mutations of the table are not finished.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::quote_string;
use crate::words::{count, list};

pub(super) const CODE: &str = "SW006";

/// A mutation rewrites rows of the source that may have been copied already.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let pending = case.sources().filter(|(_, table)| table.mutations_pending > 0);
    let found: Vec<String> = pending
        .map(|(id, table)| format!("{} on {}", count(table.mutations_pending, "mutation"), case.replica(id)))
        .collect();
    if found.is_empty() {
        return Vec::new();
    }
    let (database, table) = (quote_string(&case.name().database), quote_string(&case.name().table));
    vec![Finding::blocker(
        CODE,
        format!("mutations of {} are not finished: {}", case.name(), list(found)),
        "a mutation changes old rows but not their copies, so the new table would hold what was to be changed",
        format!(
            "wait until they are done, or end them with KILL MUTATION where the server has it; see system.mutations WHERE database = {database} AND table = {table}"
        ),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn pending_mutations_are_counted_by_replica() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.source("s1r1").mutations_pending = 1;
        fixture.source("s2r2").mutations_pending = 2;
        assert_eq!(
            fixture.found(check),
            [
                "blocker SW006: mutations of d.events are not finished: 1 mutation on s1r1 (ch-1-1:9000), 2 mutations on \
                 s2r2 (ch-2-2:9000)"
            ]
        );
    }
}
