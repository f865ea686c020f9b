//! SW005: replication of the table is not healthy.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Table;
use crate::ddl::{Engine, read_engine};

pub(super) const CODE: &str = "SW005";

/// Each replica must be able to take the copy, and to tell when it has it.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let finding = |(id, table): (_, &Table)| {
        Some(Finding::blocker(
            CODE,
            format!("replication of {} on {}: {}", case.name(), case.replica(id), trouble(table)?),
            "a replica that cannot write or be reached would not get the copy, and the plan would wait for it in vain",
            "see system.replicas and the server's log there; SYSTEM RESTART REPLICA takes up a lost Keeper session",
        ))
    };
    case.sources().filter_map(finding).collect()
}

fn trouble(table: &Table) -> Option<String> {
    let Some(found) = &table.replication else {
        let replicated = read_engine(&table.engine_full).as_ref().is_ok_and(Engine::replicated);
        return replicated.then(|| "system.replicas does not know the table".to_owned());
    };
    let lost = (found.active_replicas < found.total_replicas)
        .then(|| format!("{} of {} replicas are active", found.active_replicas, found.total_replicas));
    let troubles = [
        found.is_session_expired.then(|| "the Keeper session has expired".to_owned()),
        found.is_readonly.then(|| "the replica is read-only".to_owned()),
        lost,
    ];
    let troubles: Vec<String> = troubles.into_iter().flatten().collect();
    (!troubles.is_empty()).then(|| troubles.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn every_trouble_of_a_replica_is_said_at_once() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        let replication = fixture.source("s1r2").replication.as_mut().unwrap();
        replication.is_readonly = true;
        replication.is_session_expired = true;
        replication.active_replicas = 1;
        fixture.source("s2r1").replication = None;
        assert_eq!(
            fixture.found(check),
            [
                "blocker SW005: replication of d.events on s1r2 (ch-1-2:9000): the Keeper session has expired, the replica \
                 is read-only, 1 of 2 replicas are active",
                "blocker SW005: replication of d.events on s2r1 (ch-2-1:9000): system.replicas does not know the table",
            ]
        );
    }
}
