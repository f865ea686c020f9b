//! SW084: what an insert leaves in the table does not tell whether it wrote to the new one, so writers must pause for the boundary.

use super::super::case::Case;
use super::super::finding::Finding;

pub(super) const CODE: &str = "SW084";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.rests_for_boundary() {
        return Vec::new();
    }
    vec![Finding::hazard(
        CODE,
        format!("writers of {} must pause for the seconds in which the boundary is drawn", case.name()),
        "these servers merge the rows of an insert before they write them (`optimize_on_insert`), and the two tables would do so in different \
         ways: whether an insert wrote to the new table too does not show in the rows, and what is guessed would be lost or counted twice",
        "choose a quiet minute: `execute` waits at the boundary until no insert runs and no part comes, and ends with exit code 4 if none does; \
         `--fence feeds` stops tables that read streams by itself",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;
    use crate::snapshot::Capability;

    const KEEPER: &str = "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}'";

    /// How many findings there are where a plain table gets this engine.
    fn found(engine: &str, merges_inserts: bool) -> usize {
        let mut fixture = Fixture::new();
        fixture.write(KEEPER, &format!("Replicated{engine}"));
        fixture.states(|state| {
            state.capabilities.remove(&Capability::OptimizeOnInsert);
            state.capabilities.extend(merges_inserts.then_some(Capability::OptimizeOnInsert));
        });
        check(&fixture.case()).len()
    }

    #[test]
    fn engines_that_make_new_rows_of_an_insert_need_a_pause_where_servers_merge_inserts() {
        for engine in
            ["SummingMergeTree('/x', 'y'", "AggregatingMergeTree('/x', 'y'", "CollapsingMergeTree('/x', 'y', sign"]
        {
            assert_eq!(found(engine, true), 1, "{engine}");
            assert_eq!(found(engine, false), 0, "{engine}");
        }
        assert_eq!(found("ReplacingMergeTree('/x', 'y', version", true), 0);
    }
}
