//! Cutover and what follows it at once: swap the names, then look at both sides again.

use super::blueprint::{Blueprint, ShardSite};
use super::{comparison, copy, step_id};
use crate::names::ReplicaId;
use crate::plan::probes;
use crate::plan::step::{Action, Cost, Phase, ProbeOn, Run, Step, Truth, Undo};

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    // The gate may have waited for days: what was true before it is looked at once more.
    let mut steps = vec![copy::verify(blueprint, shard, Phase::Cutover, "verify"), swap(blueprint, shard)];
    if blueprint.is_replicated() {
        let objects = &blueprint.objects;
        steps.push(copy::sync(blueprint, shard, Phase::Reconcile, "sync-new", &objects.source));
        steps.push(copy::sync(blueprint, shard, Phase::Reconcile, "sync-old", &objects.shadow));
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
            probes::has_engine(&blueprint.objects.mirror, "MaterializedView"),
        ],
        sql: vec![statement(blueprint, id)],
        after: vec![blueprint.source_is(&blueprint.new), blueprint.shadow_is(&blueprint.old)],
    });
    let back = shard.runs(|id, _| Run {
        on: Vec::new(),
        before: vec![
            blueprint.source_is(&blueprint.new),
            blueprint.shadow_is(&blueprint.old),
            // Without the mirror, or with a column that it does not know, the old data lacks what came in since.
            probes::has_engine(&blueprint.objects.mirror, "MaterializedView"),
            probes::same_columns(&blueprint.objects.source, &blueprint.objects.shadow),
        ],
        sql: vec![statement(blueprint, id)],
        after: vec![blueprint.source_is(&blueprint.old), blueprint.shadow_is(&blueprint.new)],
    });
    let (source, shadow) = (&blueprint.objects.source, &blueprint.objects.shadow);
    Step {
        id: step_id(Phase::Cutover, "", shard.num),
        phase: Phase::Cutover,
        shard: Some(shard.num),
        title: "swap the names".to_owned(),
        why: format!(
            "{source} becomes the new table and {shadow} the old data, replica by replica. Whether it happened is told by the \
             keys that each name has, never by running it again."
        ),
        action: Action::Run { one_by_one: true, runs: forward },
        undo: Undo::Run {
            one_by_one: true,
            runs: back,
            then: vec![Action::Compare(Box::new(comparison::compare(blueprint, shard, Truth::Returned)))],
        },
        cost: Cost::default(),
    }
}

/// The swap is its own opposite.
fn statement(blueprint: &Blueprint<'_>, on: ReplicaId) -> String {
    let objects = &blueprint.objects;
    let (source, shadow, swap) = (objects.source.sql(), objects.shadow.sql(), objects.swap.sql());
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
