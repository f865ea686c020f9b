//! The step at which all shards wait for each other before names are swapped on any of them.

use super::blueprint::Blueprint;
use super::{comparison, joint_id};
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::step_id::StepId;
use crate::plan::work::{Probe, ProbeOn, Ready};

/// The step's id.
pub(super) fn id() -> StepId {
    joint_id(Phase::Cutover, "ready")
}

pub(super) fn step(blueprint: &Blueprint<'_>) -> Step {
    Step {
        id: id(),
        phase: Phase::Cutover,
        shard: None,
        title: "check that every shard is fit to be swapped".to_owned(),
        why: "One shard that cannot be swapped would leave the cluster with two keys under one name. Shards that have been compared \
              wait here for the others, with nothing stopped meanwhile; one in which rows were deleted or altered in that time is \
              compared again."
            .to_owned(),
        action: Action::Ready(Ready {
            probes: probes(blueprint),
            watches: blueprint.shards.iter().filter_map(|shard| comparison::watch(blueprint, shard)).collect(),
            stills: blueprint.shards.iter().filter_map(|shard| comparison::still(blueprint, shard)).collect(),
        }),
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}

/// What each swap asks of its own shard, and what would stop one half-way.
fn probes(blueprint: &Blueprint<'_>) -> Vec<ProbeOn> {
    let (source, own) = (&blueprint.objects.source, &blueprint.own);
    let all = blueprint.replicas();
    let everywhere = |probe: Probe| ProbeOn { on: all.clone(), probe };
    let unchanged = blueprint
        .fingerprints
        .iter()
        .filter(|print| print.table == *source)
        .map(|print| ProbeOn { on: print.on.clone(), probe: probes::unchanged(source, &print.definition_hash) });
    let mut probes: Vec<ProbeOn> = unchanged.collect();
    probes.push(everywhere(blueprint.shadow_is(&blueprint.new)));
    probes.push(everywhere(probes::has_engine(&own.mirror, "MaterializedView")));
    // One that is under way would change the old data alone.
    probes.push(everywhere(probes::no_mutations(source)));
    if blueprint.is_replicated() {
        probes.extend([source, &own.shadow].map(|table| everywhere(probes::replication_healthy(table))));
    }
    probes
}
