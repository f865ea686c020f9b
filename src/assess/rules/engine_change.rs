//! SW010: the written definition has another engine, with which the copy could not be compared.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::read_engine;
use crate::merging::{self, Merging};
use crate::words::sql;

pub(super) const CODE: &str = "SW010";

/// Keeper path and replica name are left out: the new table gets a path of its own.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(written) = &case.change.wanted.definition else { return Vec::new() };
    let Some(source) = case.source() else { return Vec::new() };
    let Ok(live) = read_engine(&source.engine_full) else { return Vec::new() };
    let (before, after) = (live.brief(), written.engine.brief());
    let is_replicated = live.replicated() == written.engine.replicated();
    let lasts = |old: Merging<'_>, new: Merging<'_>| merging::lasting(old, new, &source.columns).certain;
    // Only by them are the tables told apart, and brackets end them.
    let is_odd = live.plain_name() == written.engine.plain_name()
        && [&live, &written.engine].iter().flat_map(|engine| engine.merge_columns()).any(|column| column.contains(')'));
    let is_compared = || !is_odd && case.of_merging(lasts).unwrap_or_default();
    if is_replicated && (live.merges_as(&written.engine) || is_compared()) {
        return Vec::new();
    }
    let why = if is_odd {
        "only their arguments tell the two engines apart, and a column with a bracket in its name cannot be read out of them: rename it first"
    } else if is_replicated {
        "what merging leaves of rows under the one engine and under the other has nothing in common that could be compared, or it is not known \
         what it leaves"
    } else {
        "replicas that each have rows of their own would have to become replicas of one table, or the other way round"
    };
    vec![Finding::blocker(
        CODE,
        format!("the statement gives {} the engine {}, but it is {}", case.name(), sql(&after), sql(&before)),
        why,
        format!(
            "write ENGINE = {before}, with Keeper arguments as they are, if only the keys shall change; an engine that merges rows can take the \
                 place of MergeTree, and MergeTree its place"
        ),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn another_engine_is_refused() {
        let mut fixture = Fixture::new();
        fixture.write("ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')", "MergeTree()");
        assert_eq!(
            fixture.found(check),
            ["blocker SW010: the statement gives d.events the engine `MergeTree`, but it is `ReplicatedMergeTree`"]
        );
    }

    #[test]
    fn an_engine_that_leaves_nothing_to_compare_is_refused() {
        let found = |family: &str, args: &[&str]| {
            let mut fixture = Fixture::new();
            fixture.write_engine(family, args);
            fixture.found(check)
        };
        let compared: [(&str, &[&str]); 3] = [
            ("SummingMergeTree", &[]),
            ("ReplacingMergeTree", &["version", "sign"]),
            ("CollapsingMergeTree", &["sign"]),
        ];
        for (family, args) in compared {
            assert_eq!(found(family, args), [""; 0], "{family}");
        }
        for (family, arg, shown) in [
            // `team` is in the key, so nothing is left that is summed.
            ("SummingMergeTree", "team", "SummingMergeTree(team)"),
            ("GraphiteMergeTree", "'rollup'", "GraphiteMergeTree('rollup')"),
        ] {
            let what =
                format!("the statement gives d.events the engine `Replicated{shown}`, but it is `ReplicatedMergeTree`");
            assert_eq!(found(family, &[arg]), [format!("blocker SW010: {what}")]);
        }
    }

    #[test]
    fn another_keeper_path_is_no_other_engine() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.write("/clickhouse/{shard}/events", "/elsewhere/{shard}");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
