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
mod over;
mod preflight;
mod ready;
mod reshard;
mod settle;

pub use blueprint::BuildError;
pub use reshard::build_reshard;

use super::frame::{self, joint_id, step_id};
use super::{ChangeSummary, Changed, FORMAT_VERSION, Plan, Rebuild, ShardSize, Strategy, related};
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
    steps.push(ready::step(&blueprint));
    steps.extend(over::step(&blueprint));
    for shard in &blueprint.shards {
        steps.extend(preflight::steps(&blueprint, shard, &blueprint.privileges()));
        steps.extend(create::steps(&blueprint, shard));
        steps.extend(copy::steps(&blueprint, shard));
        steps.extend(cutover::steps(&blueprint, shard));
        steps.extend(finalize::steps(&blueprint, shard));
    }
    let edges = edges::between(&steps);
    let steps = frame::in_order(steps, &edges)?;
    Ok(Plan {
        format_version: FORMAT_VERSION,
        retirement: None,
        id: blueprint.id.clone(),
        strategy: Strategy::Mirror,
        choices: blueprint.choices(),
        capabilities: case.snapshot.common_capabilities(),
        cluster: frame::identity(case.snapshot),
        change: ChangeSummary {
            statement: case.change.statement.clone(),
            what: Changed::Keys(Box::new(Rebuild {
                before: blueprint.old.keys.clone(),
                after: blueprint.new.keys.clone(),
                engine: [blueprint.old.engine.clone(), blueprint.new.engine.clone()],
                types: blueprint.types.clone(),
                tables: blueprint.own.clone(),
                evaluation: case.evaluation.cloned(),
            })),
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

fn size(shard: &blueprint::ShardSite<'_>) -> ShardSize {
    ShardSize {
        shard: shard.num,
        backfill_replica: shard.home,
        rows: shard.source.rows(),
        bytes: shard.source.bytes(),
        partitions: shard.source.partitions.len() as u64,
    }
}
