//! SW020: a `Distributed` table sends to another cluster.

use std::collections::BTreeSet;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::read_engine;
use crate::names::TableName;
use crate::snapshot::ReplicaState;

pub(super) const CODE: &str = "SW020";

/// Which servers another cluster has is not known here: the same under another name, or others.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let configured = &case.snapshot.topology.cluster;
    let named: BTreeSet<(&TableName, String)> = case
        .states()
        .flat_map(|(_, state)| case.change.distributed.iter().filter_map(|name| Some((name, cluster(state, name)?))))
        .collect();
    let finding = |(table, cluster): (&TableName, String)| {
        Finding::hazard(
            CODE,
            format!("{table} over {} is of cluster {cluster}, not of {configured}", case.name()),
            format!(
                "if {cluster} has servers that {configured} has not, they keep the old table and are not looked at"
            ),
            format!(
                "compare the two: SELECT shard_num, replica_num, host_name, port FROM system.clusters WHERE cluster = \
                 {}",
                crate::names::quote_string(&cluster)
            ),
        )
    };
    named.into_iter().filter(|(_, cluster)| cluster != configured).map(finding).collect()
}

/// The cluster of a `Distributed` table, with macros as the replica has them.
fn cluster(state: &ReplicaState, name: &TableName) -> Option<String> {
    let engine = read_engine(&state.tables.get(name)?.engine_full).ok()?;
    let cluster = engine.distributed()?.cluster;
    Some(state.macros.iter().fold(cluster, |text, (name, value)| text.replace(&format!("{{{name}}}"), value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, redefine};

    fn with_cluster(cluster: &str) -> Vec<String> {
        let mut fixture = Fixture::new();
        let name = TableName::new("d", "events_all");
        fixture.states(|state| redefine(state.tables.get_mut(&name).unwrap(), "'main'", cluster));
        fixture.found(check)
    }

    #[test]
    fn another_cluster_is_named_once() {
        assert_eq!(
            with_cluster("'other'"),
            ["hazard SW020: d.events_all over d.events is of cluster other, not of main"]
        );
    }

    #[test]
    fn a_macro_that_stands_for_the_cluster_is_the_cluster() {
        assert_eq!(with_cluster("'main'"), [""; 0]);
        assert_eq!(with_cluster("'{cluster}'"), [""; 0]);
    }
}
