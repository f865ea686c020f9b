//! SW018: names cannot be swapped at once.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::ReplicaId;
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW018";

/// Without EXCHANGE TABLES names are swapped by one RENAME of three. Servers that have EXCHANGE take a renamed table's views
/// along, so there a RENAME will not do.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let has_it = |id: &ReplicaId| {
        case.snapshot.state(*id).is_some_and(|state| state.capabilities.contains(&Capability::Exchange))
    };
    let without = case.states().map(|(id, _)| id).filter(|id| !case.exchanges_on(*id));
    let (not_atomic, lacking): (Vec<ReplicaId>, Vec<ReplicaId>) = without.partition(has_it);
    [views_would_go(case, &not_atomic), three_renames(case, &lacking)].into_iter().flatten().collect()
}

fn views_would_go(case: &Case<'_>, on: &[ReplicaId]) -> Option<Finding> {
    let database = &case.name().database;
    let what = format!("names cannot be swapped on {}: database {database} is not Atomic there", case.replicas(on));
    let finding = || {
        Finding::blocker(
            CODE,
            what,
            "EXCHANGE TABLES needs an Atomic database, and with RENAME these servers take a table's views along to its new \
             name: views would read the old data from then on",
            format!("move the tables of {database} to an Atomic database"),
        )
    };
    (!on.is_empty()).then(finding)
}

fn three_renames(case: &Case<'_>, on: &[ReplicaId]) -> Option<Finding> {
    let what = format!(
        "names are swapped by one RENAME, not by EXCHANGE TABLES, on {}: these servers lack it",
        case.replicas(on)
    );
    let finding = || {
        Finding::note(
            CODE,
            what,
            format!("while its three renames run, a query or insert may for a moment find no table {}", case.name()),
            "approve the cutover at a quiet time, or see that clients try again",
        )
    };
    (!on.is_empty()).then(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn servers_without_exchange_are_named() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.state("s2r1").capabilities.remove(&Capability::Exchange);
        assert_eq!(
            fixture.found(check),
            ["note SW018: names are swapped by one RENAME, not by EXCHANGE TABLES, on s2r1 (ch-2-1:9000): these \
                 servers lack it"]
        );
    }

    #[test]
    fn an_ordinary_database_has_no_exchange() {
        let mut fixture = Fixture::new();
        fixture.states(|state| _ = state.databases.insert("d".to_owned(), "Ordinary".to_owned()));
        assert_eq!(
            fixture.found(check),
            ["blocker SW018: names cannot be swapped on every replica: database d is not Atomic there"]
        );
        fixture.states(|state| _ = state.capabilities.remove(&Capability::Exchange));
        assert!(fixture.found(check)[0].starts_with("note SW018"), "old servers leave views with the name");
    }
}
