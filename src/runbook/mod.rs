//! A plan arranged as people read it: stages one after the other, the shards beside each other, each step with its
//! statements, checks and reasons.
//!
//! Every rendering starts from a [`Runbook`], so that no two of them can disagree about what is done where, in which
//! order and why.

mod procedure;

use std::collections::{BTreeMap, BTreeSet};

pub use procedure::{Line, Passage, Repeat, Role, Sql, Turn, UndoWay};

use crate::names::ReplicaId;
use crate::plan::{Action, Backfill, Cost, Edge, Gate, PartitionSize, Phase, Plan, Step, StepId};
use crate::words::count;

/// A plan arranged for reading.
#[derive(Debug)]
pub struct Runbook<'p> {
    /// The plan.
    pub plan: &'p Plan,
    /// Numbers of all shards, ascending.
    pub shards: Vec<u32>,
    /// Gates, joints and phases in the order in which they come. No step depends on one of a later stage.
    pub stages: Vec<Stage<'p>>,
    /// Expected seconds from beginning to end, without waiting at gates: the longest way through the graph.
    pub seconds: u64,
    steps: BTreeMap<&'p StepId, &'p Step>,
    addresses: BTreeMap<ReplicaId, String>,
    partitions: BTreeMap<ReplicaId, &'p [PartitionSize]>,
}

/// A part of the plan that comes after all of the one before it, on each shard.
#[derive(Debug)]
pub enum Stage<'p> {
    /// The plan waits for a person.
    Gate(Gate, Entry<'p>),
    /// A step over the whole cluster, at which all shards wait for each other.
    Joint(Entry<'p>),
    /// Steps of one phase, each of one shard; those of different shards do not wait for each other unless an edge says so.
    Work(Work<'p>),
}

/// The steps of one phase, or of the part of it between two gates or joints.
#[derive(Debug)]
pub struct Work<'p> {
    /// The phase.
    pub phase: Phase,
    /// Whether an earlier stage is of the same phase.
    pub continued: bool,
    /// Its steps, those that do the same on different shards together.
    pub kinds: Vec<Kind<'p>>,
    /// Rows and bytes of all steps together; seconds of the longest way through them.
    pub cost: Cost,
}

/// Steps that do the same on different shards.
#[derive(Debug)]
pub struct Kind<'p> {
    /// The steps' id without the shard: `create.shadow`.
    pub stem: String,
    /// The steps, by shard.
    pub entries: Vec<Entry<'p>>,
}

/// A step with its place in the plan.
#[derive(Debug, Clone)]
pub struct Entry<'p> {
    /// The step.
    pub step: &'p Step,
    /// Its place in the plan's order, from 1.
    pub number: usize,
    /// What must be done before it.
    pub after: Vec<&'p Edge>,
}

/// Steps on which another depends for one and the same reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency<'p> {
    /// The reason as a sentence.
    pub because: &'p str,
    /// The steps that must be done before, in the plan's order.
    pub steps: Vec<&'p StepId>,
}

impl<'p> Runbook<'p> {
    /// Arranges a plan. Edges between steps that the plan does not have are left out.
    pub fn new(plan: &'p Plan) -> Self {
        let entries = entries(plan);
        let seconds = longest_way(&entries.iter().collect::<Vec<_>>());
        Self {
            plan,
            shards: shards(plan),
            stages: stages(entries),
            seconds,
            steps: plan.steps.iter().map(|step| (&step.id, step)).collect(),
            addresses: plan.cluster.replicas.iter().map(|r| (r.id, format!("{}:{}", r.host, r.port))).collect(),
            partitions: backfills(plan).map(|backfill| (backfill.on, backfill.partitions.as_slice())).collect(),
        }
    }

    /// `host:port` of a replica; its id where the plan does not name it.
    pub fn address(&self, replica: ReplicaId) -> String {
        self.addresses.get(&replica).cloned().unwrap_or_else(|| replica.to_string())
    }

    /// What a person does to carry out the step, in order.
    pub fn procedure(&self, step: &'p Step) -> Vec<Passage<'p>> {
        let of = |replica| self.partitions.get(&replica).copied().unwrap_or_default();
        procedure::of(&step.action, of, self.keeps_partition_key())
    }

    /// How the step is taken back.
    pub fn undo(&self, step: &'p Step) -> UndoWay<'p> {
        procedure::undo(&step.undo)
    }

    /// The replicas on which a step does something; none for gates and for steps that the plan does not have.
    pub fn replicas_of(&self, id: &StepId) -> Vec<ReplicaId> {
        self.steps.get(id).map(|step| step.action.replicas()).unwrap_or_default()
    }

    /// The shard of a step; none for a step over the whole cluster, and for one that the plan does not have.
    pub fn shard_of(&self, id: &StepId) -> Option<u32> {
        self.steps.get(id).and_then(|step| step.shard)
    }

    /// Whether a partition of the source has the same id in the shadow table.
    pub fn keeps_partition_key(&self) -> bool {
        self.plan.rebuild().is_none_or(|keys| keys.before.partition == keys.after.partition)
    }

    /// The stages without gates and joints.
    pub fn phases(&self) -> impl Iterator<Item = &Work<'p>> {
        self.stages.iter().filter_map(|stage| match stage {
            Stage::Gate(..) | Stage::Joint(_) => None,
            Stage::Work(work) => Some(work),
        })
    }

    /// How many gates there are.
    pub fn gates(&self) -> usize {
        self.stages.iter().filter(|stage| matches!(stage, Stage::Gate(..))).count()
    }

    /// Whether these are all replicas of the cluster.
    pub fn is_everywhere(&self, on: &[ReplicaId]) -> bool {
        self.plan.cluster.replicas.iter().all(|replica| on.contains(&replica.id))
    }

    /// `2 shards × 2 replicas`.
    pub fn shape(&self) -> String {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        for replica in &self.plan.cluster.replicas {
            *sizes.entry(replica.id.shard).or_default() += 1;
        }
        let shards = count(self.shards.len(), "shard");
        let (least, most) = (sizes.values().min().copied(), sizes.values().max().copied());
        match (least, most) {
            (Some(least), Some(most)) if least == most => format!("{shards} × {}", count(most, "replica")),
            (Some(least), Some(most)) => format!("{shards} × {least} to {most} replicas"),
            _ => shards,
        }
    }

    /// The strategy's name.
    pub fn strategy(&self) -> &'static str {
        self.plan.strategy.name()
    }

    /// Versions of the servers, each once.
    pub fn versions(&self) -> Vec<&'p str> {
        let mut versions: Vec<&str> = self.plan.cluster.replicas.iter().map(|r| r.version.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

impl<'p> Stage<'p> {
    /// Its steps in the plan's order.
    pub fn entries(&self) -> Vec<&Entry<'p>> {
        match self {
            Self::Gate(_, entry) | Self::Joint(entry) => vec![entry],
            Self::Work(work) => work.entries(),
        }
    }
}

impl<'p> Work<'p> {
    /// The phase's name, and that it goes on.
    pub fn name(&self) -> String {
        let more = if self.continued { ", continued" } else { "" };
        format!("{}{more}", self.phase)
    }

    /// Its steps in the plan's order.
    pub fn entries(&self) -> Vec<&Entry<'p>> {
        let mut all: Vec<&Entry> = self.kinds.iter().flat_map(|kind| &kind.entries).collect();
        all.sort_unstable_by_key(|entry| entry.number);
        all
    }

    /// Its steps on one shard, in the plan's order.
    pub fn cell(&self, shard: u32) -> Vec<&Entry<'p>> {
        let mut cell: Vec<&Entry> = self.kinds.iter().flat_map(|kind| kind.on(shard)).collect();
        cell.sort_unstable_by_key(|entry| entry.number);
        cell
    }
}

impl<'p> Kind<'p> {
    /// Its steps on one shard.
    pub fn on(&self, shard: u32) -> &[Entry<'p>] {
        let from = self.entries.partition_point(|entry| entry.step.shard < Some(shard));
        let to = self.entries.partition_point(|entry| entry.step.shard <= Some(shard));
        &self.entries[from..to]
    }

    /// The title, of the first shard where they differ.
    pub fn title(&self) -> &'p str {
        self.entries.first().map_or("", |entry| entry.step.title.as_str())
    }

    /// Rows and bytes of all its steps; seconds of the slowest, as shards go in parallel.
    pub fn cost(&self) -> Cost {
        cost_of(&self.entries.iter().collect::<Vec<_>>())
    }

    /// The step that takes longest.
    pub fn slowest(&self) -> Option<&Entry<'p>> {
        self.entries.iter().rev().max_by_key(|entry| entry.step.cost.seconds)
    }
}

impl<'p> Entry<'p> {
    /// It alone, as a kind of its own.
    pub fn alone(&self) -> Kind<'p> {
        Kind { stem: self.step.id.to_string(), entries: vec![self.clone()] }
    }

    /// What the step depends on, by reason.
    pub fn dependencies(&self) -> Vec<Dependency<'p>> {
        dependencies(&[self])
    }
}

/// What some steps depend on, by reason; each of those named once.
pub fn dependencies<'p>(entries: &[&Entry<'p>]) -> Vec<Dependency<'p>> {
    let mut all: Vec<Dependency> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for edge in entries.iter().flat_map(|entry| &entry.after) {
        let place = *places.entry(&edge.because).or_insert_with(|| {
            all.push(Dependency { because: &edge.because, steps: Vec::new() });
            all.len() - 1
        });
        if named.insert((place, &edge.from)) {
            all[place].steps.push(&edge.from);
        }
    }
    all
}

/// A step's id without its shard: `backfill.s12` on shard 12 is `backfill`.
pub fn stem(step: &Step) -> String {
    let Some(shard) = step.shard else { return step.id.to_string() };
    let own = format!("s{shard}");
    let kept: Vec<&str> = step.id.as_str().split('.').filter(|part| *part != own).collect();
    kept.join(".")
}

/// Rows and bytes of some steps together, and the seconds of the longest way through them.
pub fn cost_of(entries: &[&Entry]) -> Cost {
    Cost {
        rows: entries.iter().map(|entry| entry.step.cost.rows).sum(),
        bytes: entries.iter().map(|entry| entry.step.cost.bytes).sum(),
        seconds: longest_way(entries),
    }
}

fn shards(plan: &Plan) -> Vec<u32> {
    let of_replicas = plan.cluster.replicas.iter().map(|replica| replica.id.shard);
    let mut shards: Vec<u32> = of_replicas.chain(plan.steps.iter().filter_map(|step| step.shard)).collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

fn backfills(plan: &Plan) -> impl Iterator<Item = &Backfill> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::Backfill(backfill) => Some(backfill),
        _ => None,
    })
}

fn entries(plan: &Plan) -> Vec<Entry<'_>> {
    let places: BTreeMap<&StepId, usize> = plan.steps.iter().enumerate().map(|(at, step)| (&step.id, at)).collect();
    let mut entries: Vec<Entry> =
        plan.steps.iter().enumerate().map(|(at, step)| Entry { step, number: at + 1, after: Vec::new() }).collect();
    for edge in &plan.edges {
        if let (Some(_), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            entries[*to].after.push(edge);
        }
    }
    for entry in &mut entries {
        entry.after.sort_by_key(|edge| places.get(&edge.from));
    }
    entries
}

/// Splits the steps by phase, and each phase at its gates and at the steps where shards wait for each other.
fn stages(entries: Vec<Entry<'_>>) -> Vec<Stage<'_>> {
    let mut phases: BTreeMap<Phase, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        phases.entry(entry.step.phase).or_default().push(entry);
    }
    phases.into_iter().flat_map(|(phase, entries)| stages_of(phase, entries)).collect()
}

fn stages_of(phase: Phase, entries: Vec<Entry<'_>>) -> Vec<Stage<'_>> {
    let mut stages = Vec::new();
    let mut open = Vec::new();
    for entry in entries {
        let stage = match entry.step.action {
            Action::Gate { gate } => Stage::Gate(gate, entry),
            _ if entry.step.shard.is_none() => Stage::Joint(entry),
            _ => {
                open.push(entry);
                continue;
            }
        };
        close(phase, &mut open, &mut stages);
        stages.push(stage);
    }
    close(phase, &mut open, &mut stages);
    stages
}

/// The steps that have come since the last gate or joint, as a stage.
fn close<'p>(phase: Phase, open: &mut Vec<Entry<'p>>, stages: &mut Vec<Stage<'p>>) {
    if !open.is_empty() {
        let continued = stages.iter().any(|stage| matches!(stage, Stage::Work(_)));
        stages.push(Stage::Work(work(phase, continued, std::mem::take(open))));
    }
}

fn work(phase: Phase, continued: bool, entries: Vec<Entry<'_>>) -> Work<'_> {
    let cost = cost_of(&entries.iter().collect::<Vec<_>>());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for entry in entries {
        let stem = stem(entry.step);
        let place = *places.entry(stem.clone()).or_insert_with(|| {
            kinds.push(Kind { stem, entries: Vec::new() });
            kinds.len() - 1
        });
        kinds[place].entries.push(entry);
    }
    for kind in &mut kinds {
        kind.entries.sort_by_key(|entry| (entry.step.shard, entry.number));
    }
    Work { phase, continued, kinds, cost }
}

/// Seconds of the longest way through some steps of one plan.
fn longest_way(entries: &[&Entry]) -> u64 {
    let mut by_number: Vec<&Entry> = entries.to_vec();
    by_number.sort_unstable_by_key(|entry| entry.number);
    let mut done: BTreeMap<&StepId, u64> = BTreeMap::new();
    for entry in by_number {
        let start = entry.after.iter().filter_map(|edge| done.get(&edge.from)).max().copied().unwrap_or_default();
        done.insert(&entry.step.id, start.saturating_add(entry.step.cost.seconds));
    }
    done.values().max().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
