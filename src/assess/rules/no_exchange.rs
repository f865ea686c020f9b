//! SW018: names cannot be swapped at once.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::ReplicaId;
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW018";

/// Without EXCHANGE TABLES everywhere, names are swapped by one RENAME of three.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.swaps_by_exchange() {
        return Vec::new();
    }
    let lacks = |id: &ReplicaId| {
        !case.snapshot.state(*id).is_some_and(|state| state.capabilities.contains(&Capability::Exchange))
    };
    let unable: Vec<ReplicaId> = case.states().map(|(id, _)| id).filter(lacks).collect();
    let (ids, reason) = if unable.is_empty() {
        let not_atomic = case.databases().filter(|(_, engine)| *engine != Some("Atomic"));
        (not_atomic.map(|(id, _)| id).collect(), format!("database {} is not Atomic there", case.name().database))
    } else {
        (unable, "these servers lack it".to_owned())
    };
    vec![Finding::note(
        CODE,
        format!(
            "names are swapped by one RENAME, not by EXCHANGE TABLES, on account of {}: {reason}",
            case.replicas(&ids)
        ),
        format!("while its three renames run, a query or insert may for a moment find no table {}", case.name()),
        "approve the cutover at a quiet time, or see that clients try again",
    )]
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
            ["note SW018: names are swapped by one RENAME, not by EXCHANGE TABLES, on account of s2r1 (ch-2-1:9000): \
                 these servers lack it"]
        );
    }

    #[test]
    fn an_ordinary_database_has_no_exchange() {
        let mut fixture = Fixture::new();
        fixture.states(|state| _ = state.databases.insert("d".to_owned(), "Ordinary".to_owned()));
        assert!(fixture.found(check)[0].ends_with("on account of every replica: database d is not Atomic there"));
    }
}
