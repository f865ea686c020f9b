//! SW021: the table's database is missing somewhere, or of an engine that runs statements in its own way.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::ReplicaId;

pub(super) const CODE: &str = "SW021";

/// Engines whose tables are created, renamed and dropped on the server that is told to, and on no other.
const PLANNED: [&str; 2] = ["Atomic", "Ordinary"];

/// Statements of a plan go to each replica by itself.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    missing(case).into_iter().chain(of_another_engine(case)).collect()
}

fn missing(case: &Case<'_>) -> Option<Finding> {
    let database = &case.name().database;
    let without = case.databases().filter(|(_, engine)| engine.is_none());
    let ids: Vec<ReplicaId> = without.map(|(id, _)| id).collect();
    let finding = || {
        Finding::blocker(
            CODE,
            format!("database {database} is missing on {}", case.replicas(&ids)),
            format!("{} is to be changed on every replica of the cluster", case.name()),
            "create database and table there as they are elsewhere, or take the replica out of the cluster's definition",
        )
    };
    (!ids.is_empty()).then(finding)
}

fn of_another_engine(case: &Case<'_>) -> Option<Finding> {
    let other = |engine: Option<&str>| engine.is_some_and(|engine| !PLANNED.contains(&engine));
    let found: Vec<(ReplicaId, &str)> = case
        .databases()
        .filter(|(_, engine)| other(*engine))
        .map(|(id, engine)| (id, engine.unwrap_or_default()))
        .collect();
    let (_, engine) = found.first()?;
    let ids: Vec<ReplicaId> = found.iter().map(|(id, _)| *id).collect();
    Some(Finding::blocker(
        CODE,
        format!("database {} has the engine {engine} on {}", case.name().database, case.replicas(&ids)),
        "such a database carries out or refuses statements in its own way, Replicated ones on all replicas at once: \
         steps that are meant for one replica would run twice or everywhere",
        "only tables in Atomic and Ordinary databases can be planned",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn a_missing_database_is_named_with_its_replicas() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.state("s2r2").databases.clear();
        assert_eq!(fixture.found(check), ["blocker SW021: database d is missing on s2r2 (ch-2-2:9000)"]);
    }

    #[test]
    fn a_replicated_database_is_refused() {
        let mut fixture = Fixture::new();
        fixture.states(|state| _ = state.databases.insert("d".to_owned(), "Replicated".to_owned()));
        assert_eq!(fixture.found(check), ["blocker SW021: database d has the engine Replicated on every replica"]);
    }
}
