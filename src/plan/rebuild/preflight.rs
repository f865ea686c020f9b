//! Preflight: read-only proof that a shard is as the plan expects and fit for it.

use super::blueprint::{Blueprint, ShardSite};
use super::step_id;
use crate::names::{ReplicaId, TableName};
use crate::plan::definition::marked_path;
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{Probe, ProbeOn};
use crate::snapshot::Capability;

/// The copy needs as much room as the source, and a tenth more for parts that are being merged.
const HEADROOM_DIVISOR: u64 = 10;

/// A live table of which rows are read and whose name is swapped.
pub(super) const TO_SWAP: &str = "SELECT, INSERT, CREATE TABLE, DROP TABLE, SYSTEM MERGES";
/// A table of the plan's own that rows are put into, and taken from where they are wrong.
pub(super) const TO_FILL: &str = "SELECT, INSERT, ALTER DELETE, TRUNCATE, CREATE TABLE, DROP TABLE, SYSTEM MERGES";

/// `privileges`: what the steps do to which table.
pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, privileges: &[(&str, &TableName)]) -> Vec<Step> {
    let mut probes = unchanged(blueprint, shard);
    let everywhere = |probe: Probe| ProbeOn { on: shard.replicas.clone(), probe };
    probes.push(everywhere(probes::no_mutations(&blueprint.objects.source)));
    probes.push(everywhere(probes::absent(&[
        &blueprint.own.shadow,
        &blueprint.own.snapshot,
        &blueprint.own.staging,
        &blueprint.own.mirror,
        &blueprint.own.swap,
    ])));
    if blueprint.all_have(Capability::CheckGrant) {
        probes.push(everywhere(probes::may(privileges)));
    }
    if blueprint.is_replicated() {
        probes.push(everywhere(probes::replication_healthy(&blueprint.objects.source)));
        probes.extend(path_free(blueprint, shard).map(everywhere));
    }
    probes.extend(room(blueprint, shard));
    vec![Step {
        id: step_id(Phase::Preflight, "", shard.num),
        phase: Phase::Preflight,
        shard: Some(shard.num),
        title: "check that the shard is as planned and fit".to_owned(),
        why: "The plan was made for definitions, names and a health that may have changed since.".to_owned(),
        action: Action::Check { probes },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }]
}

/// The table and everything that leans on it, as they were on each replica.
fn unchanged(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<ProbeOn> {
    let here =
        |on: &[ReplicaId]| -> Vec<ReplicaId> { on.iter().filter(|id| shard.replicas.contains(id)).copied().collect() };
    let probes = blueprint.fingerprints.iter().map(|fingerprint| ProbeOn {
        on: here(&fingerprint.on),
        probe: probes::unchanged(&fingerprint.table, &fingerprint.definition_hash),
    });
    probes.filter(|probe| !probe.on.is_empty()).collect()
}

fn path_free(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Option<Probe> {
    // Without a path among the engine's arguments the server chooses one, from the table's UUID.
    blueprint.engine.keeper_path()?;
    let path = shard.keeper_path.as_deref().filter(|_| blueprint.all_have(Capability::Keeper))?;
    Some(probes::keeper_path_free(&marked_path(path, &blueprint.id)))
}

fn room(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<ProbeOn> {
    if !blueprint.all_have(Capability::Disks) {
        return Vec::new();
    }
    let probe = |id: &ReplicaId| {
        let bytes = blueprint.case.snapshot.table(*id, &blueprint.objects.source)?.bytes();
        let probe = probes::disk_has_room(&blueprint.objects.source, bytes + bytes / HEADROOM_DIVISOR);
        // A table without parts is on no disk yet.
        (bytes > 0).then(|| ProbeOn { on: vec![*id], probe })
    };
    shard.replicas.iter().filter_map(probe).collect()
}
