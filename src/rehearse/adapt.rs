//! A plan's steps, turned to another cluster: other replicas, its own words for the same definitions, nothing else.
//!
//! What is carried out in a rehearsal is the plan's own SQL. Only what cannot be the same elsewhere is replaced, and each
//! replacement is said.

use std::collections::{BTreeMap, BTreeSet};

use super::dialect::Dialect;
use super::recreate::on_target;
use crate::catalog::{Column, Keys};
use crate::change::TypeChange;
use crate::ddl::read_table;
use crate::names::{ReplicaId, TableName};
use crate::plan::{
    Action, Compare, Drain, Plan, Probe, ProbeOn, Ready, Repair, ReplicaIdentity, Run, Settle, Slices, Step, Still,
    Swap, Undo, Watch, probes, running_inserts,
};
use crate::snapshot::Capability;

/// The cluster that a plan is rehearsed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub cluster: String,
    /// Its replicas.
    pub identities: Vec<ReplicaIdentity>,
    /// Which replica of the plan is played by which of its own.
    pub replicas: BTreeMap<ReplicaId, ReplicaId>,
    /// Whether its Replicated tables replicate.
    pub replicated: bool,
    /// What all of its replicas can do.
    pub capabilities: BTreeSet<Capability>,
}

/// What the other cluster calls things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// `cityHash64` of definitions.
    pub definition_hashes: BTreeMap<TableName, String>,
    /// Keys before and after, in its normal form.
    pub keys: [Keys; 2],
    /// The source's columns.
    pub columns: Vec<Column>,
}

/// A plan turned to another cluster, and what of the original it leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapted {
    /// The plan.
    pub plan: Plan,
    /// What is left out, a sentence each.
    pub not_covered: Vec<String>,
}

impl Target {
    /// Plays the plan's replicas with a cluster's own: its first shards and the first replicas of each.
    pub fn new(
        plan: &Plan,
        cluster: String,
        identities: Vec<ReplicaIdentity>,
        capabilities: BTreeSet<Capability>,
    ) -> Self {
        let shards = |all: &[ReplicaIdentity]| -> Vec<u32> {
            let set: BTreeSet<u32> = all.iter().map(|replica| replica.id.shard).collect();
            set.into_iter().collect()
        };
        let pairs = shards(&plan.cluster.replicas).into_iter().zip(shards(&identities));
        let mut replicas = BTreeMap::new();
        for (from, to) in pairs {
            let of = |all: &[ReplicaIdentity], shard: u32| -> Vec<ReplicaId> {
                all.iter().map(|replica| replica.id).filter(|id| id.shard == shard).collect()
            };
            replicas.extend(of(&plan.cluster.replicas, from).into_iter().zip(of(&identities, to)));
        }
        let replicated = capabilities.contains(&Capability::Keeper);
        Self { cluster, identities, replicas, replicated, capabilities }
    }

    /// Replicas of the plan that nobody plays, in words.
    pub(super) fn missing(&self, plan: &Plan) -> Option<String> {
        let all = plan.cluster.replicas.len();
        let missing = all - self.replicas.len();
        (missing > 0).then(|| format!("{missing} of the plan's {all} replicas, for which there was no server"))
    }
}

/// Turns a plan to another cluster.
pub fn adapt(plan: &Plan, target: &Target, words: &Words) -> Adapted {
    let replacements = replacements(plan, target, words);
    let dialect = Dialect::between(plan, target, &words.columns);
    let not_covered = target.missing(plan).into_iter().collect();
    let mut adapter = Adapter { plan, target, replacements, dialect, not_covered };
    let played: BTreeSet<u32> = target.replicas.keys().map(|id| id.shard).collect();
    let here = |step: &&Step| step.shard.is_none_or(|shard| played.contains(&shard));
    let steps: Vec<Step> = plan.steps.iter().filter(here).map(|step| adapter.step(step)).collect();
    adapter.not_covered.extend(adapter.dialect.notes());
    let kept: BTreeSet<_> = steps.iter().map(|step| step.id.clone()).collect();
    let edges =
        plan.edges.iter().filter(|edge| kept.contains(&edge.from) && kept.contains(&edge.to)).cloned().collect();
    let mut turned = Plan { steps, edges, ..plan.clone() };
    turned.cluster.name.clone_from(&target.cluster);
    turned.cluster.replicas.clone_from(&target.identities);
    turned.capabilities = plan.capabilities.intersection(&target.capabilities).copied().collect();
    Adapted { plan: turned, not_covered: adapter.not_covered.into_iter().collect() }
}

/// Probes that speak of definitions in one server's words, with the same in the other's.
fn replacements(plan: &Plan, target: &Target, words: &Words) -> Vec<(Probe, Probe)> {
    let mut pairs = Vec::new();
    for print in &plan.fingerprints {
        if let Some(hash) = words.definition_hashes.get(&print.table) {
            pairs
                .push((probes::unchanged(&print.table, &print.definition_hash), probes::unchanged(&print.table, hash)));
        }
    }
    let engine = |name: &str| {
        let bare = name.strip_prefix("Replicated").filter(|_| !target.replicated);
        bare.unwrap_or(name).to_owned()
    };
    let Some(rebuild) = plan.rebuild() else { return pairs };
    let here = [&rebuild.before, &rebuild.after];
    for (index, keys) in here.into_iter().enumerate() {
        let kind = |change: &TypeChange| if index == 0 { change.before.clone() } else { change.after.clone() };
        let types: Vec<_> = rebuild.types.iter().map(|change| (change.column.clone(), kind(change))).collect();
        let (name, there) = (&rebuild.engine[index], &words.keys[index]);
        for table in [&plan.objects.source, &rebuild.tables.shadow] {
            let other = probes::has_keys(table, &engine(name), there, &types);
            pairs.push((probes::has_keys(table, name, keys, &types), other));
            let tells = rebuild.engine[0] != rebuild.engine[1];
            let here = tells.then_some(name.as_str());
            let other = engine(name);
            let other = probes::absent_or_has_keys(table, here.map(|_| other.as_str()), there, &types);
            pairs.push((probes::absent_or_has_keys(table, here, keys, &types), other));
        }
    }
    pairs
}

struct Adapter<'a> {
    plan: &'a Plan,
    target: &'a Target,
    replacements: Vec<(Probe, Probe)>,
    dialect: Dialect,
    not_covered: BTreeSet<String>,
}

impl Adapter<'_> {
    fn step(&mut self, step: &Step) -> Step {
        let action = self.action(&step.action);
        let undo = match &step.undo {
            Undo::Run { one_by_one, runs, then } => Undo::Run {
                one_by_one: *one_by_one,
                runs: self.runs(runs),
                then: then.iter().map(|action| self.action(action)).collect(),
            },
            other => other.clone(),
        };
        let (action, undo) = (self.dialect.turn(&action), self.dialect.turn(&undo));
        Step { action, undo, ..step.clone() }
    }

    fn action(&mut self, action: &Action) -> Action {
        match action {
            Action::Check { probes } => Action::Check { probes: self.probes_on(probes) },
            Action::Run { one_by_one, runs } => Action::Run { one_by_one: *one_by_one, runs: self.runs(runs) },
            Action::Settle(settle) => Action::Settle(Box::new(self.settle(settle))),
            Action::Backfill(backfill) => {
                let (on, before) = (self.one(backfill.on), self.probes(&backfill.before));
                // Nobody else uses a sandbox, and its rows are few.
                let (signals, slices) = (Vec::new(), Slices { rows: None, ..backfill.slices.clone() });
                Action::Backfill(crate::plan::Backfill { on, before, slices, signals, ..backfill.clone() })
            }
            Action::CatchUp(wait) if self.target.replicated => {
                Action::CatchUp(crate::plan::CatchUp { on: self.on(&wait.on), ..wait.clone() })
            }
            Action::CatchUp(_) => {
                self.not_covered.insert("replication: the servers have none, so nothing was waited for".to_owned());
                Action::Check { probes: Vec::new() }
            }
            Action::Swap(swap) => Action::Swap(Box::new(Swap {
                on: self.one(swap.on),
                runs: self.runs(&swap.runs),
                compare: self.compare(&swap.compare),
                ..(**swap).clone()
            })),
            Action::Drain(wait) => Action::Drain(self.drain(wait)),
            // No rebuild waits for mutations, asks logs or moves rows between shards, and other plans are made anew where they are rehearsed.
            Action::AwaitMutations(_) | Action::Unread(_) | Action::Redistribute(_) => {
                Action::Check { probes: Vec::new() }
            }
            Action::Compare(compare) => Action::Compare(Box::new(self.compare(compare))),
            Action::Ready(ready) => Action::Ready(Ready {
                probes: self.probes_on(&ready.probes),
                watches: ready
                    .watches
                    .iter()
                    .filter(|watch| self.plays(watch.on))
                    .map(|watch| self.watch(watch))
                    .collect(),
                stills: ready
                    .stills
                    .iter()
                    .map(|still| Still { drain: self.drain(&still.drain), ..still.clone() })
                    .filter(|still| !still.drain.on.is_empty())
                    .collect(),
            }),
            Action::Gate { gate } => Action::Gate { gate: *gate },
        }
    }

    fn settle(&mut self, settle: &Settle) -> Settle {
        Settle {
            on: self.one(settle.on),
            before: self.probes_on(&settle.before),
            unmirror: self.run(&settle.unmirror),
            drain: self.drain(&settle.drain),
            mirror: self.runs(&settle.mirror),
            // What they read is not there either: stand-ins have no stream.
            feeds: Vec::new(),
            ..settle.clone()
        }
    }

    fn compare(&self, compare: &Compare) -> Compare {
        let repair = compare.repair.as_ref().map(|repair| Repair { on: self.one(repair.on), ..repair.clone() });
        let (on, drain) = (self.on(&compare.on), self.drain(&compare.drain));
        let watch = compare.watch.as_ref().map(|watch| self.watch(watch));
        Compare { on, drain, repair, watch, ..compare.clone() }
    }

    fn watch(&self, watch: &Watch) -> Watch {
        Watch { on: self.one(watch.on), ..watch.clone() }
    }

    fn drain(&self, wait: &Drain) -> Drain {
        let replicated = wait.catch_up.iter().filter(|_| self.target.replicated);
        let catch_up = replicated.map(|wait| crate::plan::CatchUp { on: self.on(&wait.on), ..wait.clone() }).collect();
        let inserts = running_inserts(self.target.capabilities.contains(&Capability::QueryKind), &self.plan.id);
        Drain { on: self.on(&wait.on), catch_up, inserts, ..wait.clone() }
    }

    fn probes_on(&mut self, probes: &[ProbeOn]) -> Vec<ProbeOn> {
        let turned = probes.iter().filter_map(|asked| {
            let on = self.on(&asked.on);
            let probe = self.probe(&asked.probe).filter(|_| !on.is_empty())?;
            Some(ProbeOn { on, probe })
        });
        turned.collect()
    }

    fn runs(&mut self, runs: &[Run]) -> Vec<Run> {
        runs.iter().map(|run| self.run(run)).filter(|run| !run.on.is_empty()).collect()
    }

    fn run(&mut self, run: &Run) -> Run {
        Run {
            on: self.on(&run.on),
            before: self.probes(&run.before),
            sql: run.sql.iter().map(|sql| self.statement(sql)).collect(),
            after: self.probes(&run.after),
        }
    }

    /// A definition with an engine that the other cluster has; everything else as it is.
    fn statement(&mut self, sql: &str) -> String {
        if self.target.replicated || !sql.starts_with("CREATE TABLE") {
            return sql.to_owned();
        }
        match read_table(sql) {
            Ok(table) if table.engine.replicated() => {
                let name = table.name.in_database(&self.plan.objects.source.database);
                self.not_covered.insert(format!("{name} was made without replication, which the servers do not have"));
                on_target(&table, self.target, &name).to_sql()
            }
            // A statement that cannot be read goes as it is: the server says what is wrong with it.
            _ => sql.to_owned(),
        }
    }

    fn probes(&mut self, probes: &[Probe]) -> Vec<Probe> {
        probes.iter().filter_map(|probe| self.probe(probe)).collect()
    }

    fn probe(&mut self, probe: &Probe) -> Option<Probe> {
        let asks_of_replication = probe.sql.contains("system.replicas") || probe.sql.contains("system.zookeeper");
        let asks_for_grants =
            probe.sql.starts_with("CHECK GRANT") && !self.target.capabilities.contains(&Capability::CheckGrant);
        if probe.sql.contains("system.disks") || asks_for_grants || asks_of_replication && !self.target.replicated {
            self.not_covered.insert(format!("the check that {}", probe.says));
            return None;
        }
        let known = self.replacements.iter().find(|(from, _)| from.sql == probe.sql && from.expect == probe.expect);
        Some(known.map_or_else(|| probe.clone(), |(_, to)| to.clone()))
    }

    fn on(&self, ids: &[ReplicaId]) -> Vec<ReplicaId> {
        ids.iter().filter_map(|id| self.target.replicas.get(id).copied()).collect()
    }

    /// Whether there is a server for the replica's shard.
    fn plays(&self, id: ReplicaId) -> bool {
        self.target.replicas.keys().any(|from| from.shard == id.shard)
    }

    /// The backfill replica is the first of its shard that has the table, so its shard's first replica plays it if nobody else does.
    fn one(&self, id: ReplicaId) -> ReplicaId {
        let same_shard = || self.target.replicas.iter().find(|(from, _)| from.shard == id.shard).map(|(_, to)| *to);
        self.target.replicas.get(&id).copied().or_else(same_shard).unwrap_or(id)
    }
}
