//! Cutover: with writers still, what is lacking is sent, all is compared, and the names are swapped on every replica.

use super::super::blueprint::ShardSite;
use super::super::{feeds, step_id};
use super::over_all;
use super::rows::{behind, redistribute, unswapped};
use super::site::Site;
use crate::names::{ReplicaId, TableName};
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::step_id::StepId;
use crate::plan::work::{Last, Probe, ProbeOn, Run};
use crate::snapshot::Capability;

pub(super) fn id() -> StepId {
    over_all(Phase::Cutover)
}

pub(super) fn step(site: &Site<'_, '_>) -> Step {
    let source = &site.blueprint.objects.source;
    let (there, back) = (runs(site, true), runs(site, false));
    let forward = redistribute(site, true, before(site), Some(last(site, Vec::new(), there.clone())));
    let backward = redistribute(site, false, swapped(site), Some(last(site, there, back)));
    Step {
        id: id(),
        phase: Phase::Cutover,
        shard: None,
        title: "send what is lacking and swap the names, with writers still".to_owned(),
        why: format!(
            "Once no row has come in for a while, what {} lacks is sent, every partition is compared over all shards and on every replica, and {} and \
             {source} become the new tables, replica by replica. Rows that come in all the same are found afterwards, and named. To go back, rows \
             that came in since are sent to the old data by the old key, with writers still once more.",
            site.tables.shadow, site.distributed
        ),
        action: Action::Redistribute(Box::new(forward)),
        undo: Undo::Run { one_by_one: true, runs: Vec::new(), then: vec![Action::Redistribute(Box::new(backward))] },
        cost: Cost::default(),
    }
}

/// What must hold to begin with, and once more right before the names are swapped.
fn before(site: &Site<'_, '_>) -> Vec<ProbeOn> {
    let mut before = unswapped(site);
    before.extend(fit(site, false));
    before
}

/// The same for the way back.
fn swapped(site: &Site<'_, '_>) -> Vec<ProbeOn> {
    let tables = [&site.blueprint.objects.source, &site.tables.shadow];
    let of = |shard: &ShardSite<'_>| {
        let pair = pair(|table, new| site.is(table, new, shard.num), tables, true);
        pair.into_iter().map(|probe| ProbeOn { on: shard.replicas.clone(), probe }).collect::<Vec<_>>()
    };
    let mut before: Vec<ProbeOn> = site.blueprint.shards.iter().flat_map(of).collect();
    before.extend(fit(site, true));
    before
}

/// Nothing is under way that would change one table alone, and the `Distributed` tables are what they should be.
fn fit(site: &Site<'_, '_>, swapped: bool) -> Vec<ProbeOn> {
    let tables = [&site.blueprint.objects.source, &site.tables.shadow];
    let everywhere = site.blueprint.replicas();
    let mut probes: Vec<Probe> = tables.map(probes::no_mutations).into();
    if site.blueprint.is_replicated() {
        probes.extend(tables.map(probes::replication_healthy));
    }
    probes.push(probes::same_columns(tables[0], tables[1], &[]));
    let mut fit: Vec<ProbeOn> = probes.into_iter().map(|probe| ProbeOn { on: everywhere.clone(), probe }).collect();
    let names = [&site.distributed, &site.tables.next];
    for (id, over) in &site.over {
        let mut looks = pair(|table, new| Site::spreads(over, table, new), names, swapped);
        // Whoever changes the one has the other in mind.
        looks.push(probes::same_columns(names[0], names[1], &[]));
        fit.extend(looks.into_iter().map(|probe| ProbeOn { on: vec![*id], probe }));
    }
    fit
}

fn last(site: &Site<'_, '_>, finish: Vec<Run>, runs: Vec<Run>) -> Last {
    // Sends go by the names that are swapped, and would stay stopped under another one: what is queued is written out instead.
    let streams = site.blueprint.shards.iter().flat_map(|shard| feeds::streams_of_shard(site.blueprint, shard));
    Last { feeds: streams.collect(), finish, flush: flush(site), runs, renew: renew(site), behind: behind(site) }
}

fn flush(site: &Site<'_, '_>) -> Vec<Run> {
    let case = site.blueprint.case;
    if !site.blueprint.all_have(Capability::DistributedSends) {
        return Vec::new();
    }
    let has_it = |table: &TableName| {
        let ids = case.snapshot.replicas.keys().filter(|id| case.snapshot.table(**id, table).is_some());
        ids.copied().collect::<Vec<ReplicaId>>()
    };
    let run = |table: &TableName| Run {
        on: has_it(table),
        before: Vec::new(),
        sql: vec![format!("SYSTEM FLUSH DISTRIBUTED {}", table.sql())],
        after: vec![probes::nothing_queued(table)],
    };
    site.blueprint.objects.distributed.iter().map(run).filter(|run| !run.on.is_empty()).collect()
}

/// Servers such as 18.16.1 keep the directory of a `Distributed` table that is renamed, and with the next table of that name it is dropped.
fn renew(site: &Site<'_, '_>) -> Vec<Run> {
    let on: Vec<ReplicaId> = site.over.keys().filter(|id| site.leaves_directories(**id)).copied().collect();
    if on.is_empty() {
        return Vec::new();
    }
    let run = |table: &TableName| Run {
        on: on.clone(),
        before: Vec::new(),
        sql: vec![
            format!("DETACH TABLE IF EXISTS {}", table.sql()),
            format!("ATTACH TABLE IF NOT EXISTS {}", table.sql()),
        ],
        after: vec![probes::kept_by_name(table)],
    };
    [&site.distributed, &site.tables.next].map(run).into()
}

/// The names of the `Distributed` tables, then the local ones of all replicas: what comes in between the two goes by the wanted key, or to
/// the data that is left behind, where it is found.
fn runs(site: &Site<'_, '_>, forward: bool) -> Vec<Run> {
    let (blueprint, tables) = (site.blueprint, &site.tables);
    let source = &blueprint.objects.source;
    let local = |shard: &ShardSite<'_>| {
        shard.runs(|id, _| {
            let mut before = pair(|table, new| site.is(table, new, shard.num), [source, &tables.shadow], !forward);
            // Looked for before anything is undone on any replica.
            let columns = |table| probes::has_columns(table, blueprint.columns);
            before.extend([source, &tables.shadow].into_iter().filter(|_| !forward).map(columns));
            Run {
                on: Vec::new(),
                before,
                sql: vec![site.swap(id, [source, &tables.shadow, &tables.swap])],
                after: pair(|table, new| site.is(table, new, shard.num), [source, &tables.shadow], forward),
            }
        })
    };
    let names = [&site.distributed, &tables.next];
    let mut runs = site.runs_over(None, |id, over| {
        let mut before = pair(|table, new| Site::spreads(over, table, new), names, !forward);
        before.extend((!forward).then(|| probes::same_columns(names[0], names[1], &[])));
        Run {
            on: Vec::new(),
            before,
            sql: vec![site.swap(id, [names[0], names[1], &tables.swap_next])],
            after: pair(|table, new| Site::spreads(over, table, new), names, forward),
        }
    });
    runs.extend(blueprint.shards.iter().flat_map(local));
    runs
}

/// The live name is the new one or the old one, and the other name is the other.
fn pair<P>(probe: impl Fn(&TableName, bool) -> P, [live, own]: [&TableName; 2], new: bool) -> Vec<P> {
    vec![probe(live, new), probe(own, !new)]
}

/// What readers and writers meet, shard by shard.
pub(super) fn look(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let source = &site.blueprint.objects.source;
    let mut probes = vec![ProbeOn { on: shard.replicas.clone(), probe: site.is(source, true, shard.num) }];
    for (id, over) in site.over.iter().filter(|(id, _)| id.shard == shard.num) {
        let looks = [Site::spreads(over, &site.distributed, true), probes::distributed_answers(&site.distributed)];
        probes.extend(looks.map(|probe| ProbeOn { on: vec![*id], probe }));
    }
    Step {
        id: step_id(Phase::Reconcile, "check", shard.num),
        phase: Phase::Reconcile,
        shard: Some(shard.num),
        title: "check that readers and writers meet the new tables".to_owned(),
        why: "Every replica has the new tables under the old names, and queries over all shards are answered."
            .to_owned(),
        action: Action::Check { probes },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}
