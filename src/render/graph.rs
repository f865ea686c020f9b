//! The graph that DOT and Mermaid draw: a box for each stage, in it a spot for each step, or for each kind of steps
//! where a plan has many shards.

use std::collections::{BTreeMap, BTreeSet};

use super::figures;
use crate::plan::{Cost, Gate, StepId};
use crate::runbook::{Entry, Kind, Runbook, Stage};

/// Up to so many shards each step has a spot of its own.
const SHARDS_MAX: usize = 12;
/// Mermaid draws no more than 500 lines; beyond this many edges steps share a spot as well.
const EDGES_MAX: usize = 400;

/// What is drawn.
pub(super) struct Graph<'p> {
    pub(super) stages: Vec<GraphStage<'p>>,
    pub(super) lines: Vec<GraphLine<'p>>,
}

/// A stage.
pub(super) struct GraphStage<'p> {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) spots: Vec<Spot<'p>>,
}

/// How a stage is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A spot of its own.
    Gate(Gate),
    /// The same, for a step at which all shards wait for each other.
    Joint,
    /// A box around its spots.
    Box,
}

/// A step or several.
pub(super) struct Spot<'p> {
    /// The step's id, or what the ids have in common.
    pub(super) name: String,
    pub(super) title: &'p str,
    /// Why the step is there.
    pub(super) why: &'p str,
    /// `2 min 10 s, 3.4 GiB`; empty where the cost is next to nothing.
    pub(super) cost: String,
    /// How many shards share the spot, where several do.
    pub(super) shards: Option<usize>,
}

/// A dependency between spots, by their places counted over all stages.
pub(super) struct GraphLine<'p> {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The reasons, each once.
    pub(super) because: Vec<&'p str>,
}

impl<'p> Graph<'p> {
    /// A spot for each step, unless there are too many.
    pub(super) fn new(runbook: &Runbook<'p>) -> Self {
        let collapsed = runbook.shards.len() > SHARDS_MAX || runbook.plan.edges.len() > EDGES_MAX;
        Self::drawn(runbook, collapsed)
    }

    /// A spot for each kind of steps.
    pub(super) fn overview(runbook: &Runbook<'p>) -> Self {
        Self::drawn(runbook, true)
    }

    fn drawn(runbook: &Runbook<'p>, collapsed: bool) -> Self {
        let mut stages = Vec::new();
        let mut places = BTreeMap::new();
        let mut incoming = Vec::new();
        for stage in &runbook.stages {
            let groups = groups(stage, collapsed);
            for (_, group) in &groups {
                places.extend(group.iter().map(|entry| (&entry.step.id, incoming.len())));
                incoming.push(group.iter().collect::<Vec<_>>());
            }
            stages.push(GraphStage {
                name: stage_name(stage),
                form: form(stage),
                spots: groups.iter().map(|(stem, group)| spot(stem, group)).collect(),
            });
        }
        Self { lines: lines(&places, &incoming), stages }
    }
}

/// Steps that share a spot, with what their ids have in common.
fn groups<'r, 'p>(stage: &'r Stage<'p>, collapsed: bool) -> Vec<(&'r str, &'r [Entry<'p>])> {
    let work = match stage {
        Stage::Gate(_, entry) | Stage::Joint(entry) => {
            return vec![(entry.step.id.as_str(), std::slice::from_ref(entry))];
        }
        Stage::Work(work) => work,
    };
    let group = |kind: &'r Kind<'p>| {
        let size = if collapsed { kind.entries.len() } else { 1 };
        kind.entries.chunks(size).map(|group| (kind.stem.as_str(), group))
    };
    work.kinds.iter().flat_map(group).collect()
}

fn form(stage: &Stage) -> Form {
    match stage {
        Stage::Gate(gate, _) => Form::Gate(*gate),
        Stage::Joint(_) => Form::Joint,
        Stage::Work(_) => Form::Box,
    }
}

fn stage_name(stage: &Stage) -> String {
    match stage {
        Stage::Gate(gate, _) => format!("gate {gate}"),
        Stage::Joint(entry) => entry.step.id.to_string(),
        Stage::Work(work) => work.name(),
    }
}

fn spot<'p>(stem: &str, group: &[Entry<'p>]) -> Spot<'p> {
    let several = group.len() > 1;
    let kind = Kind { stem: stem.to_owned(), entries: group.to_vec() };
    Spot {
        name: if several { stem.to_owned() } else { group.iter().map(|entry| entry.step.id.to_string()).collect() },
        title: kind.title(),
        why: group.first().map_or("", |entry| &entry.step.why),
        cost: cost(kind.cost()),
        shards: several.then_some(group.len()),
    }
}

/// Time and bytes in a few words.
pub(super) fn cost(cost: Cost) -> String {
    let mut parts = Vec::new();
    if cost.seconds > 0 {
        parts.push(figures::duration(cost.seconds));
    }
    if cost.bytes > 0 {
        parts.push(figures::bytes(cost.bytes));
    }
    parts.join(", ")
}

fn lines<'p>(places: &BTreeMap<&'p StepId, usize>, incoming: &[Vec<&Entry<'p>>]) -> Vec<GraphLine<'p>> {
    let mut reasons: BTreeMap<(usize, usize), BTreeSet<&str>> = BTreeMap::new();
    for (to, entries) in incoming.iter().enumerate() {
        for edge in entries.iter().flat_map(|entry| &entry.after) {
            // Steps of one kind that wait for each other, shard by shard, share a spot: no line leads to itself.
            if let Some(from) = places.get(&edge.from).filter(|from| **from != to) {
                reasons.entry((*from, to)).or_default().insert(&edge.because);
            }
        }
    }
    let line = |((from, to), because): ((usize, usize), BTreeSet<&'p str>)| GraphLine {
        from,
        to,
        because: because.into_iter().collect(),
    };
    reasons.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn many_shards_share_spots() {
        let (few, many) = (fixture::plan(12), fixture::plan(13));
        let (few, many) = (Runbook::new(&few), Runbook::new(&many));
        let spots = |graph: &Graph| graph.stages.iter().map(|stage| stage.spots.len()).sum::<usize>();
        assert_eq!(spots(&Graph::new(&few)), 16 * 12 + 4);
        assert_eq!(spots(&Graph::new(&many)), 16 + 4);
        assert_eq!(Graph::new(&many).lines.len(), 22);
        let names: Vec<String> = Graph::new(&many).stages.into_iter().map(|stage| stage.name).collect();
        assert_eq!(
            names.join(", "),
            "preflight, gate start, create, boundary, backfill, sync, verify, gate cutover, cutover, cutover.ready, \
             cutover, continued, reconcile, gate finalize, finalize"
        );
    }
}
