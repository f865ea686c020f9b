//! SW002: replicas define the table differently, or lack it.

use super::super::case::Case;
use super::super::difference::Parts;
use super::super::finding::Finding;
use crate::catalog::Table;
use crate::names::ReplicaId;
use crate::snapshot::ReplicaState;

pub(super) const CODE: &str = "SW002";

/// The new table's definition is derived from the live one, of which there must be one.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    missing(case).into_iter().chain(differing(case)).collect()
}

/// Where even the database is missing, SW021 says so.
fn missing(case: &Case<'_>) -> Option<Finding> {
    let name = case.name();
    let lacks = |(_, state): &(ReplicaId, &ReplicaState)| {
        state.databases.contains_key(&name.database) && !state.tables.contains_key(name)
    };
    let ids: Vec<ReplicaId> = case.states().filter(lacks).map(|(id, _)| id).collect();
    let finding = || {
        Finding::blocker(
            CODE,
            format!("{name} is missing on {}", case.replicas(&ids)),
            "a plan changes the table on every replica of the cluster",
            format!("create {name} there as it is elsewhere, or take the replica out of the cluster's definition"),
        )
    };
    (!ids.is_empty()).then(finding)
}

/// A finding for each definition other than the most common one.
fn differing(case: &Case<'_>) -> Vec<Finding> {
    let mut groups: Vec<(&Table, Vec<ReplicaId>)> = Vec::new();
    for (id, table) in case.sources() {
        match groups.iter_mut().find(|(known, _)| differences(table, known).is_empty()) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((table, vec![id])),
        }
    }
    groups.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let Some(((usual, most), others)) = groups.split_first() else { return Vec::new() };
    let finding = |(table, ids): &(&Table, Vec<ReplicaId>)| {
        let differences = differences(table, usual);
        let more = if differences.len() > 1 { format!("; {} more", differences.len() - 1) } else { String::new() };
        Finding::blocker(
            CODE,
            format!(
                "{} is defined differently on {} than on {}: {}{more}",
                case.name(),
                case.replicas(ids),
                case.replicas(most),
                differences.first().map_or("", String::as_str),
            ),
            "the new table is derived from the live one: copying would lose a column or change a value where they differ",
            "bring the definitions into line with ALTER TABLE on the replicas that differ, then plan again",
        )
    };
    others.iter().map(finding).collect()
}

/// In words, of `there` against the usual.
fn differences(there: &Table, usual: &Table) -> Vec<String> {
    match (Parts::read(&there.create_query), Parts::read(&usual.create_query)) {
        (Ok(there), Ok(usual)) => {
            there.differences(&usual).iter().map(|difference| difference.says("there", "elsewhere")).collect()
        }
        _ if there.create_query == usual.create_query => Vec::new(),
        _ => vec!["a definition cannot be read, and the texts are not the same".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, redefine};

    #[test]
    fn the_odd_one_out_is_named_with_the_first_difference() {
        let mut fixture = Fixture::new();
        redefine(fixture.source("s1r1"), "DEFAULT 1", "DEFAULT 2");
        redefine(fixture.source("s1r1"), "8192", "4096");
        assert_eq!(
            fixture.found(check),
            ["blocker SW002: d.events is defined differently on s1r1 (ch-1-1:9000) than on s1r2 (ch-1-2:9000), s2r1 \
                 (ch-2-1:9000), s2r2 (ch-2-2:9000): column value: `value Float64 DEFAULT 2` there, `value Float64 \
                 DEFAULT 1` elsewhere; 1 more"]
        );
    }

    #[test]
    fn a_missing_table_is_said_and_a_missing_database_left_to_another_rule() {
        let mut fixture = Fixture::new();
        let name = fixture.change.table.clone();
        for id in ["s1r2", "s2r2"] {
            fixture.state(id).tables.remove(&name);
        }
        fixture.state("s2r2").databases.clear();
        assert_eq!(fixture.found(check), ["blocker SW002: d.events is missing on s1r2 (ch-1-2:9000)"]);
    }

    #[test]
    fn literal_keeper_arguments_are_no_difference() {
        let mut fixture = Fixture::new();
        redefine(fixture.source("s2r1"), "'/clickhouse/{shard}/events', '{replica}'", "'/clickhouse/2/events', 'r1'");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
