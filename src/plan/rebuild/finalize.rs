//! Finalize: drop the mirror, the old data and the tables that the copy went through, and see that nothing is left.

use super::blueprint::{Blueprint, ShardSite};
use super::{landing, settle, step_id};
use crate::names::TableName;
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{Probe, ProbeOn, Run};
use crate::snapshot::Capability;

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    vec![
        mirror(blueprint, shard),
        drain(blueprint, shard),
        old_data(blueprint, shard),
        workplace(blueprint, shard),
        nothing_left(blueprint, shard),
    ]
}

fn mirror(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let run = settle::drop_mirror(blueprint, shard);
    let why = "From here on the old data is no longer kept current; it must not be dropped while the mirror still writes to it.";
    step(shard, "mirror", "drop the mirror", why, vec![run])
}

fn drain(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    Step {
        id: step_id(Phase::Finalize, "drain", shard.num),
        phase: Phase::Finalize,
        shard: Some(shard.num),
        title: "wait for inserts that still write through the mirror".to_owned(),
        why: "An insert keeps to the views that it began with.".to_owned(),
        action: Action::Drain(landing::drain(blueprint, shard)),
        undo: Undo::Nothing { because: "it only waits".to_owned() },
        cost: Cost::default(),
    }
}

fn old_data(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let shadow = &blueprint.own.shadow;
    let run = Run {
        on: shard.replicas.clone(),
        // The name must still mean the old data: dropping the live table is the one thing that must never happen.
        before: [blueprint.source_is(&blueprint.new), blueprint.shadow_is_none_or(&blueprint.old)]
            .into_iter()
            .chain(blueprint.shadow_can_go())
            .collect(),
        sql: vec![blueprint.drop_table(shadow)],
        after: vec![probes::absent(&[shadow])],
    };
    step(shard, "old", "drop the old data", "The new table has taken its place.", vec![run])
}

fn workplace(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let tables: [&TableName; 2] = [&blueprint.own.staging, &blueprint.own.snapshot];
    let run = Run {
        on: vec![shard.home],
        before: Vec::new(),
        sql: tables.iter().map(|table| blueprint.drop_table(table)).collect(),
        after: vec![probes::absent(&tables)],
    };
    let why = "The snapshot's hard links keep the old data's disk space in use.";
    step(shard, "staging", "drop snapshot and staging tables", why, vec![run])
}

pub(super) fn step(shard: &ShardSite<'_>, what: &str, title: &str, why: &str, runs: Vec<Run>) -> Step {
    Step {
        id: step_id(Phase::Finalize, what, shard.num),
        phase: Phase::Finalize,
        shard: Some(shard.num),
        title: title.to_owned(),
        why: why.to_owned(),
        // Several may be for one replica: while a table is dropped, old servers fail to answer about others (code 60).
        action: Action::Run { one_by_one: runs.len() > 1, runs },
        undo: Undo::Impossible { because: "what is dropped is gone".to_owned() },
        cost: Cost::default(),
    }
}

fn nothing_left(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let ours = [
        &blueprint.own.shadow,
        &blueprint.own.snapshot,
        &blueprint.own.staging,
        &blueprint.own.mirror,
        &blueprint.own.swap,
    ];
    check(blueprint, shard, vec![probes::absent(&ours), blueprint.source_is(&blueprint.new)])
}

/// The last step of a shard: these hold everywhere, and Keeper has forgotten the table of before.
pub(super) fn check(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, mut probes: Vec<Probe>) -> Step {
    let path = shard.keeper_path.as_deref().filter(|_| blueprint.all_have(Capability::Keeper));
    probes.extend(path.map(probes::keeper_path_free));
    let everywhere = |probe| ProbeOn { on: shard.replicas.clone(), probe };
    let probes = probes.into_iter().map(everywhere).collect();
    Step {
        id: step_id(Phase::Finalize, "check", shard.num),
        phase: Phase::Finalize,
        shard: Some(shard.num),
        title: "check that nothing is left over".to_owned(),
        why: "The next plan for this table needs the names, and Keeper should not remember tables that are gone."
            .to_owned(),
        action: Action::Check { probes },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}
