//! The rules, one file each. A rule looks at a case and gives its findings; it never changes or hides another's.
//!
//! `docs/findings.md` has a section for each code.

use super::case::Case;
use super::finding::Finding;

mod changing_column;
mod changing_key;
mod database;
mod dependents;
mod differing_definitions;
mod disk_space;
mod engine_change;
mod hidden_columns;
mod key_type;
mod large_drop;
mod late_rows;
mod leftovers;
mod long_names;
mod lost_prefix;
mod mixed_versions;
mod no_exchange;
mod old_style_engine;
mod other_changes;
mod other_cluster;
mod partition_key;
mod pending_mutations;
mod replication_layout;
mod resharding_pause;
mod resharding_refused;
mod resharding_views;
mod resharding_writers;
mod row_identity;
mod slower_queries;
mod unhealthy_replication;
mod unknown_disk_space;
mod unreachable_replica;
mod values_beyond;
mod writers_pause;

/// A rule.
pub(super) struct Rule {
    /// The code of its findings, which is never given to another rule.
    pub(super) code: &'static str,
    /// What it finds.
    pub(super) check: fn(&Case<'_>) -> Vec<Finding>,
}

macro_rules! rules {
    ($($rule:ident),* $(,)?) => {
        [$(Rule { code: $rule::CODE, check: $rule::check }),*]
    };
}

/// Every rule, by code.
pub(super) const ALL: [Rule; 33] = rules![
    unreachable_replica,
    differing_definitions,
    leftovers,
    replication_layout,
    unhealthy_replication,
    pending_mutations,
    row_identity,
    disk_space,
    unknown_disk_space,
    engine_change,
    other_changes,
    partition_key,
    dependents,
    large_drop,
    long_names,
    old_style_engine,
    mixed_versions,
    no_exchange,
    lost_prefix,
    other_cluster,
    database,
    changing_key,
    hidden_columns,
    changing_column,
    slower_queries,
    key_type,
    values_beyond,
    resharding_refused,
    resharding_pause,
    resharding_writers,
    resharding_views,
    writers_pause,
    late_rows,
];

/// The rules that look at the cluster and at how the table is there, whatever is to change.
pub(super) fn of_clusters() -> impl Iterator<Item = &'static Rule> {
    const CODES: [&str; 8] = [
        unreachable_replica::CODE,
        differing_definitions::CODE,
        leftovers::CODE,
        replication_layout::CODE,
        unhealthy_replication::CODE,
        pending_mutations::CODE,
        other_cluster::CODE,
        database::CODE,
    ];
    ALL.iter().filter(|rule| CODES.contains(&rule.code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    const DOCS: &str = include_str!("../../../docs/findings.md");

    #[test]
    fn every_code_is_unique_and_has_its_section_in_order() {
        let own = ALL.iter().map(|rule| rule.code);
        let mut codes: Vec<&str> = own.chain(crate::lint::codes()).chain(crate::assess::alter::codes()).collect();
        codes.sort_unstable();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        let headings = DOCS.lines().filter_map(|line| line.strip_prefix("## SW"));
        let documented: Vec<String> = headings.map(|heading| format!("SW{}", &heading[..3])).collect();
        assert_eq!(documented, codes);
    }

    #[test]
    fn a_case_in_which_nothing_is_amiss_is_not_blocked() {
        let fixture = Fixture::new();
        let codes: Vec<String> = crate::assess::assess(&fixture.case()).into_iter().map(|found| found.code).collect();
        assert_eq!(codes, ["SW019", "SW013"]);
    }
}
