//! Cutover and what follows it at once: swap the names, then look at both sides again.

use super::blueprint::{Blueprint, ShardSite};
use super::{comparison, copy, step_id};
use crate::names::ReplicaId;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::template::Template;
use crate::plan::work::{Probe, ProbeOn, Run, Swap, Truth};
use crate::plan::{probes, sql};

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    // The gate may have waited for days: what was true before it is looked at once more.
    let mut steps = vec![copy::verify(blueprint, shard, Phase::Cutover, "verify"), swap(blueprint, shard)];
    if blueprint.is_replicated() {
        let objects = &blueprint.objects;
        steps.push(copy::sync(blueprint, shard, Phase::Reconcile, "sync-new", &objects.source));
        steps.push(copy::sync(blueprint, shard, Phase::Reconcile, "sync-old", &blueprint.own.shadow));
    }
    steps.push(copy::verify(blueprint, shard, Phase::Reconcile, "verify"));
    steps.push(look(blueprint, shard));
    steps
}

fn swap(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let forward = shard.runs(|id, _| Run {
        on: Vec::new(),
        before: vec![
            blueprint.source_unchanged(id),
            blueprint.shadow_is(&blueprint.new),
            // What came in while the gate was waiting is in the shadow only if the mirror was there.
            probes::has_engine(&blueprint.own.mirror, "MaterializedView"),
        ]
        .into_iter()
        .chain(rests(blueprint))
        .collect(),
        sql: vec![statement(blueprint, id)],
        after: vec![blueprint.source_is(&blueprint.new), blueprint.shadow_is(&blueprint.old)],
    });
    let back = shard.runs(|id, _| Run {
        on: Vec::new(),
        before: may_go_back(blueprint),
        sql: vec![statement(blueprint, id)],
        after: vec![blueprint.source_is(&blueprint.old), blueprint.shadow_is(&blueprint.new)],
    });
    let (source, shadow) = (&blueprint.objects.source, &blueprint.own.shadow);
    let (action, undo) = if shard.replicas.iter().all(|id| blueprint.case.exchanges_on(*id)) {
        let after = comparison::compare(blueprint, shard, Truth::TwoCopies, &blueprint.own.snapshot);
        let mut then = vec![Action::Compare(Box::new(after))];
        // An insert that the way back overtook may have brought such a row after the look before it.
        then.extend(blueprint.fits().map(|fits| {
            let probe = probes::all_fit(shadow, &fits);
            Action::Check { probes: vec![ProbeOn { on: shard.replicas.clone(), probe }] }
        }));
        (Action::Run { one_by_one: true, runs: forward }, Undo::Run { one_by_one: true, runs: back, then })
    } else {
        let then = vec![Action::Swap(Box::new(renames(blueprint, shard, false, back)))];
        let action = Action::Swap(Box::new(renames(blueprint, shard, true, forward)));
        (action, Undo::Run { one_by_one: true, runs: Vec::new(), then })
    };
    Step {
        id: step_id(Phase::Cutover, "", shard.num),
        phase: Phase::Cutover,
        shard: Some(shard.num),
        title: "swap the names".to_owned(),
        why: format!(
            "{source} becomes the new table and {shadow} the old data, replica by replica. Whether it happened is told by the \
             keys that each name has, never by running it again."
        ),
        action,
        undo,
        cost: Cost::default(),
    }
}

/// What must hold for the old data to take the place of the new table again.
fn may_go_back(blueprint: &Blueprint<'_>) -> Vec<Probe> {
    let source = &blueprint.objects.source;
    let typed: Vec<String> = blueprint.types.iter().map(|change| change.column.clone()).collect();
    let mut probes = vec![
        blueprint.source_is(&blueprint.new),
        blueprint.shadow_is(&blueprint.old),
        // Without the mirror, or with a column that it does not know, the old data lacks what came in since.
        probes::has_engine(&blueprint.own.mirror, "MaterializedView"),
        probes::same_columns(source, &blueprint.own.shadow, &typed),
    ];
    probes.extend(blueprint.fits().map(|fits| probes::all_fit(source, &fits)));
    probes.extend(rests(blueprint));
    probes
}

/// What an insert in the middle of the swap misplaces is put right, or there must be none.
fn rests(blueprint: &Blueprint<'_>) -> Option<Probe> {
    (!comparison::is_repaired(blueprint)).then(|| probes::rests(&blueprint.objects.source))
}

/// A swap whose renames an insert can fall between.
fn renames(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, forward: bool, runs: Vec<Run>) -> Swap {
    let objects = &blueprint.objects;
    let (source, shadow) = (&objects.source, &blueprint.own.shadow);
    // Parts are attached to what bears the source's name afterwards: the snapshot has the old definition.
    let staging = if forward { &blueprint.own.staging } else { &blueprint.own.snapshot };
    let hash = blueprint.row_hash();
    let columns = sql::column_list(blueprint.stored());
    let both = |verb: &str| [source, shadow].map(|table| format!("SYSTEM {verb} MERGES {}", table.sql())).into();
    let compare = comparison::compare(blueprint, shard, Truth::TwoCopies, staging);
    let same_parts = blueprint.old.partition == blueprint.new.partition;
    Swap {
        on: shard.home,
        forward,
        runs,
        stop_merges: both("STOP"),
        start_merges: both("START"),
        parts: [source, shadow].map(sql::list_parts),
        digests: same_parts.then(|| [source, shadow].map(|table| sql::digest_parts(table, &hash))),
        clear: sql::truncate(staging),
        copy: Template::text(&format!(
            "INSERT INTO {} ({columns}) {}SELECT {columns} FROM {} WHERE _part IN (",
            staging.sql(),
            blueprint.insert_settings(),
            shadow.sql()
        ))
        .hole("parts", ")"),
        staged: sql::list_partitions(staging),
        attach: sql::attach_partition(source, staging),
        compare: if forward { comparison::watched(blueprint, shard, compare) } else { compare },
    }
}

/// The swap is its own opposite.
fn statement(blueprint: &Blueprint<'_>, on: ReplicaId) -> String {
    let objects = &blueprint.objects;
    let (source, shadow, swap) = (objects.source.sql(), blueprint.own.shadow.sql(), blueprint.own.swap.sql());
    if blueprint.case.exchanges_on(on) {
        format!("EXCHANGE TABLES {source} AND {shadow}")
    } else {
        format!("RENAME TABLE {source} TO {swap}, {shadow} TO {source}, {swap} TO {shadow}")
    }
}

fn look(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let everywhere = |probe| ProbeOn { on: shard.replicas.clone(), probe };
    let mut probes = vec![everywhere(blueprint.source_is(&blueprint.new))];
    for table in &blueprint.objects.distributed {
        let has_it = |id: &ReplicaId| blueprint.case.snapshot.table(*id, table).is_some();
        let on: Vec<ReplicaId> = shard.replicas.iter().copied().filter(has_it).collect();
        probes.extend((!on.is_empty()).then(|| ProbeOn { on, probe: probes::distributed_answers(table) }));
    }
    Step {
        id: step_id(Phase::Reconcile, "check", shard.num),
        phase: Phase::Reconcile,
        shard: Some(shard.num),
        title: "check that readers meet the new table".to_owned(),
        why: "Every replica serves the new keys under the old name, and queries through the Distributed tables are answered."
            .to_owned(),
        action: Action::Check { probes },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}
