//! The `mirror` strategy: new table, mirror, backfill, verify, swap. One file a phase; [`edges`] says what waits for what.

mod blueprint;
mod comparison;
mod copy;
mod create;
mod cutover;
mod edges;
mod estimate;
mod feeds;
mod finalize;
mod gates;
mod landing;
mod preflight;
mod settle;

pub use blueprint::BuildError;

use super::step::{Phase, Step};
use super::step_id::StepId;
use super::{
    ChangeSummary, ClusterIdentity, FORMAT_VERSION, Graph, Plan, ReplicaIdentity, ShardSize, Strategy, related,
};
use crate::assess::{Case, Finding};
use blueprint::Blueprint;

/// Whether the boundary is drawn while writers write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fence {
    /// While they write; where rows cannot tell what belongs where, execution stops and asks for a fence.
    #[default]
    Auto,
    /// Only once the writers are still, which is looked at and not believed.
    Manual,
    /// The same, and the plan itself stops what writes from within the cluster: tables that read streams, and sends of
    /// Distributed tables.
    Feeds,
}

/// Builds the plan for a case. The findings are those of [`crate::assess::assess`] for the same case.
///
/// The result depends on nothing but the arguments: same input, same plan.
pub fn build(case: &Case<'_>, findings: Vec<Finding>, fence: Fence) -> Result<Plan, BuildError> {
    let blueprint = Blueprint::new(case, fence)?;
    let mut steps = gates::steps();
    for shard in &blueprint.shards {
        steps.extend(preflight::steps(&blueprint, shard));
        steps.extend(create::steps(&blueprint, shard));
        steps.extend(copy::steps(&blueprint, shard));
        steps.extend(cutover::steps(&blueprint, shard));
        steps.extend(finalize::steps(&blueprint, shard));
    }
    let edges = edges::between(&steps);
    let steps = in_order(steps, &edges)?;
    Ok(Plan {
        format_version: FORMAT_VERSION,
        id: blueprint.id.clone(),
        strategy: Strategy::Mirror,
        choices: blueprint.choices(),
        capabilities: case.snapshot.common_capabilities(),
        cluster: identity(case),
        change: ChangeSummary {
            statement: case.change.statement.clone(),
            before: blueprint.old.keys.clone(),
            after: blueprint.new.keys.clone(),
            engine: [blueprint.old.engine.clone(), blueprint.new.engine.clone()],
        },
        objects: blueprint.objects.clone(),
        fingerprints: blueprint.fingerprints.clone(),
        related: related::related(case, &blueprint.objects, &blueprint.fingerprints),
        findings,
        sizes: blueprint.shards.iter().map(size).collect(),
        steps,
        edges,
    })
}

fn identity(case: &Case<'_>) -> ClusterIdentity {
    let topology = &case.snapshot.topology;
    let replica = |replica: &crate::topology::Replica| ReplicaIdentity {
        id: replica.id,
        host: replica.host.clone(),
        port: replica.port,
        version: case.snapshot.state(replica.id).map_or_else(String::new, |state| state.version.clone()),
    };
    ClusterIdentity { name: topology.cluster.clone(), replicas: topology.replicas().map(replica).collect() }
}

fn size(shard: &blueprint::ShardSite<'_>) -> ShardSize {
    ShardSize {
        shard: shard.num,
        backfill_replica: shard.home,
        rows: shard.source.rows(),
        bytes: shard.source.bytes(),
        partitions: shard.source.partitions.len() as u64,
    }
}

/// Steps by dependency, then phase, then shard: as a person would read them.
fn in_order(steps: Vec<Step>, edges: &[super::Edge]) -> Result<Vec<Step>, BuildError> {
    let graph = Graph::new(&steps, edges)?;
    let mut by_id: std::collections::BTreeMap<StepId, Step> =
        steps.into_iter().map(|step| (step.id.clone(), step)).collect();
    let rank = |id: &StepId| by_id.get(id).map(|step| (step.phase, step.shard));
    let order = graph.order(rank)?;
    Ok(order.iter().filter_map(|id| by_id.remove(id)).collect())
}

/// The id of a step of one shard.
fn step_id(phase: Phase, what: &str, shard: u32) -> StepId {
    let dot = if what.is_empty() { "" } else { "." };
    StepId::new(format!("{phase}{dot}{what}.s{shard}"))
}
