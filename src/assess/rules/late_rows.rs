//! SW085: what came later counts in the new engine, and the copy puts what came earlier behind it.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::merging;

pub(super) const CODE: &str = "SW085";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if !case.of_merging(merging::goes_by_order).unwrap_or_default() {
        return Vec::new();
    }
    vec![Finding::blocker(
        CODE,
        format!(
            "in the new {} it is the order of rows with equal keys that says which is left, and the copy changes it",
            case.name()
        ),
        "what comes in between the boundary and the end of the backfill is written at once, and the rows that are copied are attached behind it: an \
         older row would be left in place of a newer one, and nothing that outlives merging shows it",
        "take an engine with a version column (`ReplacingMergeTree(version)`, `VersionedCollapsingMergeTree`); or accept it with `--accept SW085='…'` \
         if no key comes again from the gate `start` until the backfill has ended, or writers pause so long",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn engines_that_go_by_order_are_not_taken_without_leave() {
        let found = |family: &str, args: &[&str]| {
            let mut fixture = Fixture::new();
            fixture.write_engine(family, args);
            fixture.found(check)
        };
        let said = "blocker SW085: in the new d.events it is the order of rows with equal keys that says which is left, and the copy changes it";
        assert_eq!(found("ReplacingMergeTree", &[]), [said]);
        assert_eq!(found("CollapsingMergeTree", &["sign"]), [said]);
        assert_eq!(found("ReplacingMergeTree", &["version"]), [""; 0]);
        assert_eq!(found("SummingMergeTree", &[]), [""; 0]);
    }
}
