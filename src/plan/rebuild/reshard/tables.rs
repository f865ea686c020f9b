//! Create: the new local table and the `Distributed` table with the new key on every replica, and what leads rows to and from them.

use super::super::blueprint::ShardSite;
use super::super::step_id;
use super::site::Site;
use crate::names::TableName;
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{ProbeOn, Run};

pub(super) fn steps(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Vec<Step> {
    vec![shadow(site, shard), routes(site, shard)]
}

/// The preflight of a rebuild, which looks for the names of other tables, with a look at these.
pub(super) fn names_free(site: &Site<'_, '_>, shard: &ShardSite<'_>, mut step: Step) -> Step {
    if let Action::Check { probes } = &mut step.action {
        let absent = site.absent().into_iter().map(|probe| ProbeOn { on: shard.replicas.clone(), probe });
        probes.extend(absent);
    }
    step
}

fn shadow(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let (blueprint, shadow) = (site.blueprint, &site.tables.shadow);
    let create = shard.runs(|id, live| Run {
        on: Vec::new(),
        before: vec![blueprint.source_unchanged(id), probes::absent(&[shadow])],
        sql: vec![site.create_shadow(id, live)],
        after: vec![site.is(shadow, true, shard.num), blueprint.shadow_is(&blueprint.new)],
    });
    let drop = Run {
        on: shard.replicas.clone(),
        // What has the plan's mark is the plan's own, unless it has the live name.
        before: [site.is(&blueprint.objects.source, false, shard.num), site.is_none_or(shadow, true, shard.num)]
            .into_iter()
            .chain(blueprint.shadow_can_go())
            .collect(),
        sql: vec![blueprint.drop_table(shadow)],
        after: vec![probes::absent(&[shadow])],
    };
    Step {
        id: step_id(Phase::Create, "shadow", shard.num),
        phase: Phase::Create,
        shard: Some(shard.num),
        title: "create the new local table".to_owned(),
        why: format!("{shadow} gets the live definition and a Keeper path of its own; nothing reads or writes it yet."),
        action: Action::Run { one_by_one: false, runs: create },
        undo: Undo::Run { one_by_one: false, runs: vec![drop], then: Vec::new() },
        cost: Cost::default(),
    }
}

fn routes(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let (blueprint, tables) = (site.blueprint, &site.tables);
    let next = &tables.next;
    let mut create = site.runs_over(Some(shard), |_, over| Run {
        on: Vec::new(),
        before: vec![Site::spreads(over, &site.distributed, false), probes::absent(&[next])],
        sql: vec![site.create_next(over)],
        after: vec![Site::spreads(over, next, true)],
    });
    let mut drop = site.runs_over(Some(shard), |id, over| Run {
        on: Vec::new(),
        before: [Site::spreads(over, &site.distributed, false)].into_iter().chain(site.next_can_go(id)).collect(),
        sql: vec![blueprint.drop_table(next)],
        after: vec![probes::absent(&[next])],
    });
    create.push(Run {
        on: vec![shard.home],
        before: Vec::new(),
        sql: site.create_routes(),
        after: site.routes().iter().map(|(table, engine)| probes::is_made_as(table, engine)).collect(),
    });
    drop.extend(drop_routes(site, shard));
    Step {
        id: step_id(Phase::Create, "routes", shard.num),
        phase: Phase::Create,
        shard: Some(shard.num),
        title: "create the Distributed tables".to_owned(),
        why: format!(
            "{next} has the new sharding key and takes the place of {} in the end; by {} rows are sent to where they belong by the new key, by {} \
             back to where they came from, and by {} they are looked at over all shards.",
            site.distributed, tables.route, tables.back, tables.gather
        ),
        // One replica has several: while one table is dropped, old servers fail to answer about another (code 60).
        action: Action::Run { one_by_one: true, runs: create },
        undo: Undo::Run { one_by_one: true, runs: drop, then: Vec::new() },
        cost: Cost::default(),
    }
}

/// One by one, so that each is looked at by itself: a drop that a dead run had sent may end it in between.
pub(super) fn drop_routes(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Vec<Run> {
    let drop = |(table, _): (&TableName, String)| Run {
        on: vec![shard.home],
        before: Vec::new(),
        sql: vec![site.blueprint.drop_table(table)],
        after: vec![probes::absent(&[table])],
    };
    site.routes().map(drop).into()
}
