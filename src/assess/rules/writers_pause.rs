//! SW084: writers must pause, since what merging leaves of rows tells too little of single inserts.

use super::super::case::Case;
use super::super::finding::Finding;

pub(super) const CODE: &str = "SW084";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.change.wanted.sharding.is_some() || !case.rests_for_swap() {
        return Vec::new();
    }
    let boundary = case.rests_for_boundary();
    let when = if boundary { "the seconds in which the boundary is drawn, and for the cutover" } else { "the cutover" };
    let of_inserts = if boundary {
        "these servers merge the rows of an insert before they write them (`optimize_on_insert`), and the two tables would do so in different \
         ways, so that the rows do not tell whether an insert wrote to the new table too; "
    } else {
        ""
    };
    vec![Finding::hazard(
        CODE,
        format!("writers of {} must pause for {when}", case.name()),
        format!(
            "{of_inserts}what merging leaves of rows with equal keys cannot be compared while it changes, and what an insert in the middle of the swap \
             misplaces could not be put right row by row"
        ),
        "choose a quiet hour: `execute` waits until no insert runs and none has come for a while, and ends with exit code 4 if that never is. \
         `--fence feeds` stops tables that read streams while the boundary is drawn",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;
    use crate::snapshot::Capability;

    /// For what writers pause where a plain table gets this engine.
    fn found(family: &str, args: &[&str], merges_inserts: bool) -> Vec<String> {
        let mut fixture = Fixture::new();
        fixture.write_engine(family, args);
        fixture.states(|state| {
            state.capabilities.remove(&Capability::OptimizeOnInsert);
            state.capabilities.extend(merges_inserts.then_some(Capability::OptimizeOnInsert));
        });
        fixture.found(check)
    }

    #[test]
    fn writers_pause_where_rows_cannot_be_put_right() {
        let pause = |when: &str| [format!("hazard SW084: writers of d.events must pause for {when}")];
        let both = pause("the seconds in which the boundary is drawn, and for the cutover");
        let engines: [(&str, &[&str]); 3] =
            [("SummingMergeTree", &[]), ("AggregatingMergeTree", &[]), ("CollapsingMergeTree", &["sign"])];
        for (family, args) in engines {
            assert_eq!(found(family, args, true), both, "{family}");
            assert_eq!(found(family, args, false), pause("the cutover"), "{family}");
        }
        assert_eq!(found("ReplacingMergeTree", &["version"], true), pause("the cutover"));
        assert_eq!(found("MergeTree", &[], true), [""; 0]);
    }
}
