//! SW017: replicas run different versions.

use std::collections::BTreeMap;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Column;
use crate::names::ReplicaId;
use crate::snapshot::{Capability, ReplicaState};

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
    let what = format!("replicas run different versions: {}", listed.join("; "));
    if has_no_common_mirror(case) {
        return vec![Finding::blocker(
            CODE,
            format!(
                "{what}; the older ones want a mirror that gives MATERIALIZED columns, the newer ones one that does not"
            ),
            "the mirror is the same on every replica of a shard, and one of them would refuse it or every insert",
            "finish the upgrade first",
        )];
    }
    vec![Finding::hazard(
        CODE,
        what,
        "versions write the same definition differently, so a difference may be one of spelling; and a server that is \
         upgraded during the plan looks as if its table had been changed",
        "finish the upgrade first, or see that none takes place until the plan is finalized",
    )]
}

/// Whether the table has MATERIALIZED columns, and the replicas differ in what a view does with them.
fn has_no_common_mirror(case: &Case<'_>) -> bool {
    let leaves =
        |(_, state): (ReplicaId, &ReplicaState)| state.capabilities.contains(&Capability::ViewsLeaveMaterialized);
    case.sources().any(|(_, table)| table.columns.iter().any(Column::is_materialized))
        && case.states().any(leaves)
        && !case.states().all(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn no_mirror_fits_both_ends_where_there_are_materialized_columns() {
        let mut fixture = Fixture::new();
        fixture.state("s1r2").version = "26.9.2.1".to_owned();
        fixture.state("s1r2").capabilities.insert(Capability::ViewsLeaveMaterialized);
        assert!(fixture.found(check)[0].starts_with("hazard SW017"));
        fixture.redefine("value Float64 DEFAULT 1", "value Float64 MATERIALIZED 1");
        assert!(fixture.found(check)[0].starts_with("blocker SW017"));
        fixture.states(|state| _ = state.capabilities.insert(Capability::ViewsLeaveMaterialized));
        assert!(fixture.found(check)[0].starts_with("hazard SW017"), "all do the same");
    }

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
