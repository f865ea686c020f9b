//! SW004: the table is not replicated as the cluster's definition says.

use std::collections::{BTreeMap, BTreeSet};

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Replication;
use crate::ddl::{Engine, read_engine};
use crate::names::ReplicaId;
use crate::topology::Shard;
use crate::words::list;

pub(super) const CODE: &str = "SW004";

/// A plan copies each shard once and leaves the rest to replication; that holds only if shards and Keeper paths match.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let shards = || case.snapshot.topology.shards.iter();
    let mut findings: Vec<Finding> = shards().filter_map(|shard| plain(case, shard)).collect();
    findings.extend(shards().filter_map(|shard| split(case, shard)));
    findings.extend(shards().filter_map(|shard| miscounted(case, shard)));
    findings.extend(shared(case));
    findings
}

/// A plain engine where there are several replicas.
fn plain(case: &Case<'_>, shard: &Shard) -> Option<Finding> {
    let is_plain = |id: &ReplicaId| {
        let table = case.snapshot.table(*id, case.name());
        table.is_some_and(|table| !read_engine(&table.engine_full).as_ref().is_ok_and(Engine::replicated))
    };
    let ids: Vec<ReplicaId> = shard.replica_ids().into_iter().filter(is_plain).collect();
    let finding = || {
        let (name, num) = (case.name(), shard.num);
        Finding::blocker(
            CODE,
            format!("{name} is not Replicated on {}, though shard {num} has several replicas", case.replicas(&ids)),
            "the copy is made on one replica of a shard: the others would never get it",
            "make the table Replicated first, or give each server a shard of its own in the cluster's definition",
        )
    };
    (shard.replicas.len() > 1 && !ids.is_empty()).then(finding)
}

/// Replicas of one shard with different Keeper paths.
fn split(case: &Case<'_>, shard: &Shard) -> Option<Finding> {
    let paths: BTreeSet<&str> = replications(case, shard).map(|(_, found)| found.keeper_path.as_str()).collect();
    let finding = || {
        Finding::blocker(
            CODE,
            format!(
                "replicas of shard {} keep {} under several Keeper paths: {}",
                shard.num,
                case.name(),
                list(&paths)
            ),
            "they do not replicate from each other: the copy, made on one of them, would not reach the others",
            "give the replicas of a shard one path; look at their macros",
        )
    };
    (paths.len() > 1).then(finding)
}

/// Another number of replicas in Keeper than in the cluster's definition.
fn miscounted(case: &Case<'_>, shard: &Shard) -> Option<Finding> {
    let expected = shard.replicas.len() as u64;
    let (id, found) = replications(case, shard).find(|(_, found)| found.total_replicas != expected)?;
    let (why, help) = if found.total_replicas > expected {
        (
            "a replica outside the cluster's definition would miss the steps and keep the old table",
            "add it to the cluster's definition; if it is gone for good, remove it from Keeper (SYSTEM DROP REPLICA where the server has it)",
        )
    } else {
        (
            "a replica of the shard does not share this Keeper path, and would not get the copy",
            "find the replica whose table has another Keeper path, or none",
        )
    };
    let what = format!(
        "Keeper knows {} of {} under {}, but shard {} has {expected} (seen from {})",
        crate::words::count(found.total_replicas, "replica"),
        case.name(),
        found.keeper_path,
        shard.num,
        case.replica(id)
    );
    Some(Finding::blocker(CODE, what, why, help))
}

/// Shards that share a Keeper path.
fn shared(case: &Case<'_>) -> Vec<Finding> {
    let mut shards: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for shard in &case.snapshot.topology.shards {
        for (_, found) in replications(case, shard) {
            shards.entry(&found.keeper_path).or_default().insert(shard.num);
        }
    }
    let finding = |(path, nums): (&str, BTreeSet<u32>)| {
        Finding::blocker(
            CODE,
            format!("shards {} share the Keeper path {path} of {}", list(nums), case.name()),
            "they are replicas of one another, each with all rows: the copy of every shard would reach all of them",
            "give each shard a path of its own, as with {shard} in it; look at the macros",
        )
    };
    shards.into_iter().filter(|(_, nums)| nums.len() > 1).map(finding).collect()
}

fn replications<'a>(case: &Case<'a>, shard: &Shard) -> impl Iterator<Item = (ReplicaId, &'a Replication)> {
    let (snapshot, name) = (case.snapshot, case.name());
    let ids = shard.replica_ids().into_iter();
    ids.filter_map(move |id| Some((id, snapshot.table(id, name)?.replication.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    fn replication<'a>(fixture: &'a mut Fixture, id: &str) -> &'a mut Replication {
        fixture.source(id).replication.as_mut().unwrap()
    }

    #[test]
    fn a_plain_table_needs_a_shard_of_one() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.redefine("ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')", "MergeTree");
        fixture.sources(|source| source.replication = None);
        assert_eq!(
            fixture.found(check)[0],
            "blocker SW004: d.events is not Replicated on s1r1 (ch-1-1:9000), s1r2 (ch-1-2:9000), though shard 1 has \
             several replicas"
        );
        fixture.snapshot.topology.shards.iter_mut().for_each(|shard| shard.replicas.truncate(1));
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn keeper_and_the_cluster_must_agree_about_the_number_of_replicas() {
        let mut fixture = Fixture::new();
        replication(&mut fixture, "s2r1").total_replicas = 3;
        let finding = check(&fixture.case()).remove(0);
        assert_eq!(
            finding.what,
            "Keeper knows 3 replicas of d.events under /clickhouse/2/events, but shard 2 has 2 (seen from s2r1 \
             (ch-2-1:9000))"
        );
        assert!(finding.why.starts_with("a replica outside"));
        replication(&mut fixture, "s2r1").total_replicas = 1;
        assert!(check(&fixture.case())[0].why.starts_with("a replica of the shard does not share"));
    }

    #[test]
    fn keeper_paths_are_one_a_shard() {
        let mut fixture = Fixture::new();
        replication(&mut fixture, "s2r1").keeper_path = "/clickhouse/1/events".to_owned();
        assert_eq!(
            fixture.found(check),
            [
                "blocker SW004: replicas of shard 2 keep d.events under several Keeper paths: /clickhouse/1/events, \
                 /clickhouse/2/events",
                "blocker SW004: shards 1, 2 share the Keeper path /clickhouse/1/events of d.events",
            ]
        );
    }
}
