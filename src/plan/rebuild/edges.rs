//! What waits for what in a rebuild. Each rule is one sentence, and the sentence goes into the plan.

use super::{over, ready};
use crate::plan::Edge;
use crate::plan::frame;
use crate::plan::step::{Gate, Phase, Step};
use crate::plan::step_id::StepId;

/// `to` waits for `from` on the same shard; ids without the shard.
const WITHIN_A_SHARD: [(&str, &str, &str); 15] = [
    (
        "create.shadow",
        "create.staging",
        "the staging table takes its definition from the shadow table that the server accepted",
    ),
    ("create.staging", "boundary", "partitions are cloned into the snapshot table"),
    ("boundary", "backfill", "only what is on the old side of the boundary is copied; the mirror writes the rest"),
    ("backfill", "sync", "replicas fetch what was attached on one of them"),
    ("sync", "verify", "a comparison before every replica has the copy would find differences that mean nothing"),
    ("backfill", "sync.source", "the source is compared too, on every replica"),
    (
        "sync.source",
        "verify",
        "a comparison before every replica has the source's rows would find differences that mean nothing",
    ),
    ("backfill", "verify", "only a finished copy can be compared"),
    ("cutover.verify", "cutover", "names are swapped on evidence of now, not of before the gate"),
    ("cutover", "reconcile.sync-new", "the swap is what is looked at"),
    ("cutover", "reconcile.sync-old", "the swap is what is looked at"),
    ("reconcile.sync-new", "reconcile.verify", "a comparison needs all replicas to have caught up"),
    ("reconcile.sync-old", "reconcile.verify", "a comparison needs all replicas to have caught up"),
    ("cutover", "reconcile.verify", "both sides are compared again once the names are swapped"),
    ("reconcile.verify", "reconcile.check", "readers are looked at last"),
];

/// After the point of no return.
const WHEN_FINALIZING: [(&str, &str, &str); 5] = [
    ("finalize.mirror", "finalize.drain", "inserts that began with the mirror still write through it"),
    ("finalize.drain", "finalize.old", "an insert whose mirror has lost its target would fail"),
    ("finalize.old", "finalize.staging", "the snapshot is the last copy of the old rows and goes last"),
    ("finalize.staging", "finalize.check", "only then can nothing be left"),
    ("finalize.old", "finalize.check", "only then can nothing be left"),
];

/// A gate joins all shards: what must be done before it, what comes after it, and why.
const AROUND_GATES: [(&str, Gate, &str, &str, &str); 3] = [
    (
        "preflight",
        Gate::Start,
        "create.shadow",
        "a person decides once every shard is known to be fit",
        "nothing is changed before a person has approved it",
    ),
    (
        "verify",
        Gate::Cutover,
        "cutover.verify",
        "a person decides with the evidence of every shard",
        "names are swapped only after approval",
    ),
    (
        "reconcile.check",
        Gate::Finalize,
        "finalize.mirror",
        "old data is given up only when every shard is known to be right",
        "dropping cannot be undone, so a person decides",
    ),
];

/// The swap of any shard waits for the comparisons of all.
const BEFORE_ALL_SWAPS: &str = "no shard is swapped unless every shard was compared once more";
const ALL_OR_NONE: &str = "all shards are swapped or none: where only some are, one name has two keys";

/// `Distributed` tables get other types between the swaps of all shards and the look at what readers meet.
const TYPES_AFTER_SWAPS: &str = "until every shard has the new types, some would give others than are expected";
const TYPES_BEFORE_LOOK: &str = "readers are looked at last";

/// The edges between these steps.
pub(super) fn between(steps: &[Step]) -> Vec<Edge> {
    let mut edges: Vec<Edge> = Vec::new();
    let shards = || steps.iter().filter(|step| step.phase == Phase::Preflight).filter_map(|step| step.shard);
    let known: std::collections::BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    let mut add = |from: StepId, to: StepId, because: &str| {
        if known.contains(&from) && known.contains(&to) {
            edges.push(Edge { from, to, because: because.to_owned() });
        }
    };
    for shard in shards() {
        let on = |what: &str| StepId::new(format!("{what}.s{shard}"));
        for (from, to, because) in WITHIN_A_SHARD.iter().chain(&WHEN_FINALIZING) {
            add(on(from), on(to), because);
        }
        for (before, gate, after, why_before, why_after) in AROUND_GATES {
            add(on(before), frame::gate_id(gate), why_before);
            add(frame::gate_id(gate), on(after), why_after);
        }
        add(on("cutover.verify"), ready::id(), BEFORE_ALL_SWAPS);
        add(ready::id(), on("cutover"), ALL_OR_NONE);
        add(on("cutover"), over::id(), TYPES_AFTER_SWAPS);
        add(over::id(), on("reconcile.check"), TYPES_BEFORE_LOOK);
    }
    edges.sort();
    edges
}
