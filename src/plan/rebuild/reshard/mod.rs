//! The `reshard` strategy: a new local table on every shard, each row sent to the shard of the new sharding key, and a swap of the
//! names with writers still.
//!
//! Writers write all the while the rows are sent. What came in meanwhile is lacking in the new table, and is told by looking; the same
//! look tells with writers still that nothing is lacking. Rows of one insert go to several shards, so no shard can be swapped before another,
//! and no mirror on one shard could keep the old data current: that is why writers pause for the end of it, and not only for a moment of it.

mod finalize;
mod rows;
mod site;
mod swap;
mod tables;
#[cfg(test)]
mod tests;

use super::blueprint::Blueprint;
use super::{BuildError, Fence, gates, preflight};
use crate::assess::{Case, Finding};
use crate::change::Sharding;
use crate::plan::frame::{self, joint_id};
use crate::plan::step::{Action, Gate, Phase, Step};
use crate::plan::{ChangeSummary, Changed, Edge, FORMAT_VERSION, Plan, Strategy, related};
use site::Site;

/// What waits for what, but for gates: ids without the shard, where a step is one shard's.
const WAITS: [(&str, &str, &str); 6] = [
    ("create.shadow", "create.routes", "the tables that lead to the new one are made once it is there"),
    ("create.routes", "backfill", "rows are sent by these tables"),
    ("cutover", "reconcile.check", "the swap is what is looked at"),
    ("finalize.routes", "finalize.old", "what is queued by the old key is sent before the old data goes"),
    ("finalize.old", "finalize.check", "only then can nothing be left"),
    ("finalize.routes", "finalize.check", "only then can nothing be left"),
];

/// What must be done before a gate, what comes after it, and why.
const AROUND_GATES: [(&str, Gate, &str, &str, &str); 3] = [
    (
        "preflight",
        Gate::Start,
        "create.shadow",
        "a person decides once every shard is known to be fit",
        "nothing is changed before a person has approved it",
    ),
    (
        "backfill",
        Gate::Cutover,
        "cutover",
        "writers pause for what came in since, not for all of it",
        "a person stops the writers, and says so",
    ),
    (
        "reconcile.check",
        Gate::Finalize,
        "finalize.routes",
        "old data is given up only when every shard is known to be right",
        "dropping cannot be undone, so a person decides",
    ),
];

/// Builds the plan for another sharding key. `case` is that of the local table, with its own definition as the target.
pub fn build_reshard(
    case: &Case<'_>,
    sharding: &Sharding,
    findings: Vec<Finding>,
    fence: Fence,
) -> Result<Plan, BuildError> {
    let blueprint = Blueprint::new(case, fence)?;
    let site = Site::new(&blueprint, sharding)?;
    let mut steps = gates();
    for shard in &blueprint.shards {
        steps.extend(
            preflight::steps(&blueprint, shard, &site.privileges())
                .into_iter()
                .map(|step| tables::names_free(&site, shard, step)),
        );
        steps.extend(tables::steps(&site, shard));
        steps.push(swap::look(&site, shard));
        steps.extend(finalize::steps(&site, shard));
    }
    steps.extend([rows::step(&site), swap::step(&site)]);
    let edges = between(&steps);
    let steps = frame::in_order(steps, &edges)?;
    Ok(Plan {
        format_version: FORMAT_VERSION,
        retirement: None,
        id: blueprint.id.clone(),
        strategy: Strategy::Reshard,
        choices: site.choices(),
        capabilities: case.snapshot.common_capabilities(),
        cluster: frame::identity(case.snapshot),
        change: ChangeSummary {
            statement: case.change.statement.clone(),
            what: Changed::Sharding(Box::new(site.summary())),
        },
        objects: blueprint.objects.clone(),
        fingerprints: blueprint.fingerprints.clone(),
        related: related::related(case, &blueprint.objects, &blueprint.fingerprints),
        findings,
        sizes: blueprint.shards.iter().map(super::size).collect(),
        steps,
        edges,
    })
}

fn gates() -> Vec<Step> {
    let why = "Stop the writers before you approve: what follows waits until they are still, sends what is lacking, compares all of it and \
               swaps the names. They may go on once that is done. It can be rolled back, with writers still once more.";
    let mut steps = gates::steps();
    for step in &mut steps {
        if matches!(step.action, Action::Gate { gate: Gate::Cutover }) {
            why.clone_into(&mut step.why);
        }
    }
    steps
}

/// The edges between these steps.
fn between(steps: &[Step]) -> Vec<Edge> {
    let joint = [rows::id(), swap::id()];
    let of = |what: &str| -> Vec<_> {
        let is_it = |step: &&Step| match step.shard {
            Some(shard) => step.id.as_str() == format!("{what}.s{shard}"),
            None => joint.contains(&step.id) && step.phase.name() == what,
        };
        steps.iter().filter(is_it).map(|step| (step.id.clone(), step.shard)).collect()
    };
    let mut edges = Vec::new();
    for (from, to, because) in WAITS {
        for (earlier, one) in of(from) {
            for (later, other) in of(to) {
                if one.is_none() || other.is_none() || one == other {
                    edges.push(Edge { from: earlier.clone(), to: later, because: because.to_owned() });
                }
            }
        }
    }
    for (before, gate, after, why_before, why_after) in AROUND_GATES {
        let gate = frame::gate_id(gate);
        let edge = |from, to, because: &str| Edge { from, to, because: because.to_owned() };
        edges.extend(of(before).into_iter().map(|(step, _)| edge(step, gate.clone(), why_before)));
        edges.extend(of(after).into_iter().map(|(step, _)| edge(gate.clone(), step, why_after)));
    }
    edges.sort();
    edges
}

/// The id of a step over all shards.
fn over_all(phase: Phase) -> crate::plan::StepId {
    joint_id(phase, "all")
}
