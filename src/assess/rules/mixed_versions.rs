//! SW017: replicas run different versions.

use std::collections::BTreeMap;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::ReplicaId;

pub(super) const CODE: &str = "SW017";

/// A plan uses only what every server can do, but definitions are compared as texts of the servers.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<ReplicaId>> = BTreeMap::new();
    for (id, state) in case.states() {
        versions.entry(&state.version).or_default().push(id);
    }
    if versions.len() < 2 {
        return Vec::new();
    }
    let listed: Vec<String> =
        versions.iter().map(|(version, ids)| format!("{version} on {}", case.replicas(ids))).collect();
    vec![Finding::hazard(
        CODE,
        format!("replicas run different versions: {}", listed.join("; ")),
        "versions write the same definition differently, so a difference may be one of spelling; and a server that is \
         upgraded during the plan looks as if its table had been changed",
        "finish the upgrade first, or see that none takes place until the plan is finalized",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn versions_are_listed_with_their_replicas() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.state("s1r2").version = "25.9.0.1".to_owned();
        assert_eq!(
            fixture.found(check),
            [
                "hazard SW017: replicas run different versions: 25.8.1.1 on s1r1 (ch-1-1:9000), s2r1 (ch-2-1:9000), s2r2 \
                 (ch-2-2:9000); 25.9.0.1 on s1r2 (ch-1-2:9000)"
            ]
        );
    }
}
