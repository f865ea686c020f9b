//! SW009: it is not known how much disk is free.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::ReplicaId;
use crate::words::bytes;

pub(super) const CODE: &str = "SW009";

/// Old servers, 18.16 among them, have no `system.disks`.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let ids: Vec<ReplicaId> = case.states().filter(|(_, state)| state.disks.is_none()).map(|(id, _)| id).collect();
    let largest = case.sources().filter(|(id, _)| ids.contains(id)).map(|(_, table)| table.bytes()).max();
    let finding = |largest| {
        Finding::note(
            CODE,
            format!("free disk space is not known on {}: no system.disks there", case.replicas(&ids)),
            "the old data stays beside the copy until finalize, and no step of the plan can check that both fit",
            format!("see to it that {} and a tenth are free on each of them, for instance with df", bytes(largest)),
        )
    };
    largest.map(finding).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn servers_without_system_disks_are_listed_once() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.state("s1r2").disks = None;
        fixture.state("s2r2").disks = None;
        assert_eq!(
            fixture.found(check),
            [
                "note SW009: free disk space is not known on s1r2 (ch-1-2:9000), s2r2 (ch-2-2:9000): no system.disks there"
            ]
        );
        assert!(check(&fixture.case())[0].help.contains("2.0 GB and a tenth"));
        fixture.states(|state| state.disks = None);
        assert_eq!(
            fixture.found(check),
            ["note SW009: free disk space is not known on every replica: no system.disks there"]
        );
    }
}
