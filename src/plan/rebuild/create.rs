//! Create: the shadow table on every replica, snapshot and staging tables on the backfill replica.

use super::blueprint::{Blueprint, ShardSite};
use super::step_id;
use crate::plan::definition;
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{Probe, Run};

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    vec![shadow(blueprint, shard), workplace(blueprint, shard)]
}

fn shadow(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let create = shard.runs(|id, live| Run {
        on: Vec::new(),
        before: vec![blueprint.source_unchanged(id)],
        sql: vec![blueprint.shadow_definition(live).to_sql()],
        after: vec![blueprint.shadow_is(&blueprint.new)],
    });
    let drop = Run {
        on: shard.replicas.clone(),
        before: [blueprint.shadow_is_none_or(&blueprint.new)].into_iter().chain(blueprint.shadow_can_go()).collect(),
        sql: vec![blueprint.drop_table(&blueprint.own.shadow)],
        after: vec![probes::absent(&[&blueprint.own.shadow])],
    };
    Step {
        id: step_id(Phase::Create, "shadow", shard.num),
        phase: Phase::Create,
        shard: Some(shard.num),
        title: "create the shadow table".to_owned(),
        why: format!(
            "{} gets the live definition with the new keys, and a Keeper path of its own; nothing reads or writes it yet.",
            blueprint.own.shadow
        ),
        action: Action::Run { one_by_one: false, runs: create },
        undo: Undo::Run { one_by_one: false, runs: vec![drop], then: Vec::new() },
        cost: Cost::default(),
    }
}

fn workplace(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let (snapshot, staging) = (&blueprint.own.snapshot, &blueprint.own.staging);
    let mut create = Vec::new();
    if let Some(live) = shard.home_definition() {
        let bare = blueprint.staging_is_bare();
        create.push(definition::snapshot(live, bare, snapshot).to_sql());
        let shadow = blueprint.shadow_definition(live);
        create.push(definition::staging(&shadow, blueprint.columns, bare, staging).to_sql());
    }
    // Merging either would be work for nothing: the snapshot is dropped, the staging table's parts are attached elsewhere.
    create.push(format!("SYSTEM STOP MERGES {}", snapshot.sql()));
    create.push(format!("SYSTEM STOP MERGES {}", staging.sql()));
    let is_there = |table| -> Probe { probes::has_engine(table, "MergeTree") };
    let run = Run {
        on: vec![shard.home],
        before: vec![blueprint.source_unchanged(shard.home)],
        sql: create,
        after: vec![is_there(snapshot), is_there(staging)],
    };
    let drop = Run {
        on: vec![shard.home],
        before: Vec::new(),
        sql: vec![blueprint.drop_table(staging), blueprint.drop_table(snapshot)],
        after: vec![probes::absent(&[staging, snapshot])],
    };
    Step {
        id: step_id(Phase::Create, "staging", shard.num),
        phase: Phase::Create,
        shard: Some(shard.num),
        title: "create snapshot and staging tables".to_owned(),
        why: format!(
            "{snapshot} will hold the rows that are there now, as hard links; {staging} is where a chunk of them is \
             sorted anew and compared before it is attached."
        ),
        action: Action::Run { one_by_one: false, runs: vec![run] },
        undo: Undo::Run { one_by_one: false, runs: vec![drop], then: Vec::new() },
        cost: Cost::default(),
    }
}
