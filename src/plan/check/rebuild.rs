//! What must hold of a rebuild alone.

use std::collections::BTreeSet;

use super::super::{Action, Feed, Gate, Graph, Phase, Plan, Rebuild, RebuildTables, Run, Step, StepId, Undo};
use super::verb_and_target;
use crate::names::{ReplicaId, TableName};

/// Objections to a rebuild.
pub(super) fn check(plan: &Plan, graph: &Graph, rebuild: &Rebuild, objections: &mut Vec<String>) {
    statements(plan, rebuild, objections);
    coverage(plan, objections);
    all_or_none(plan, graph, objections);
}

/// Whether a step moves the live name.
pub(super) fn swaps(plan: &Plan, step: &Step) -> bool {
    let source = plan.objects.source.sql();
    let moves = |sql: &String| (sql.starts_with("RENAME") || sql.starts_with("EXCHANGE")) && sql.contains(&source);
    step.action.runs().iter().flat_map(|run| &run.sql).any(moves)
}

/// Every statement changes nothing but the plan's own tables, and every drop is behind the point of no return or an undo.
fn statements(plan: &Plan, rebuild: &Rebuild, objections: &mut Vec<String>) {
    let tables = &rebuild.tables;
    // Where types change, the tables over the source get them too.
    let typed: &[TableName] = if rebuild.types.is_empty() { &[] } else { &plan.objects.distributed };
    for step in &plan.steps {
        for run in step.action.runs() {
            statements_of(tables, typed, step, run, matches!(step.undo, Undo::Impossible { .. }), objections);
        }
        for run in step.undo.runs() {
            statements_of(tables, typed, step, run, true, objections);
        }
        for (sql, table) in copying(tables, &step.action) {
            if verb_and_target(&sql).1 != Some(table.sql()) {
                objections.push(format!("{} is to change {table}, but changes something else: {sql}", step.id));
            }
        }
        if let Action::Compare(compare) = &step.action
            && step.phase < Phase::Reconcile
            && compare.repair.as_ref().is_some_and(|repair| repair.unseen.is_some())
        {
            objections.push(format!("{} may take parts out of the source, which is not the new table yet", step.id));
        }
        if let Action::Settle(settle) = &step.action {
            let is_restarted = |feed: &&Feed| feed.stop.split(' ').next_back() == feed.start.split(' ').next_back();
            if let Some(feed) = settle.feeds.iter().find(|feed| !is_restarted(feed)) {
                objections.push(format!("{} stops something that it does not start again: {}", step.id, feed.stop));
            }
        }
    }
}

/// The statements of a step that copies, each with the table that it may change.
pub(super) fn copying<'a>(tables: &'a RebuildTables, action: &Action) -> Vec<(String, &'a TableName)> {
    match action {
        Action::Settle(settle) => {
            let mut all = vec![
                (settle.clone.to_string(), &tables.snapshot),
                (settle.gap.copy.to_string(), &tables.staging),
                (settle.gap.copy_rows.to_string(), &tables.staging),
                (settle.gap.attach.to_string(), &tables.shadow),
                (settle.gap.clear.clone(), &tables.staging),
            ];
            all.push((settle.drop_mirrored.to_string(), &tables.shadow));
            let emptied = [&tables.snapshot, &tables.staging];
            all.extend(settle.clear.iter().cloned().zip(emptied));
            all
        }
        Action::Compare(compare) => compare.repair.as_ref().map_or_else(Vec::new, |repair| {
            vec![(repair.add.to_string(), &tables.shadow), (repair.remove.to_string(), &tables.shadow)]
        }),
        Action::Backfill(backfill) => {
            let mut all =
                vec![(backfill.copy.to_string(), &tables.staging), (backfill.attach.to_string(), &tables.shadow)];
            all.extend(backfill.clear.iter().map(|sql| (sql.clone(), &tables.staging)));
            all
        }
        _ => Vec::new(),
    }
}

fn statements_of(
    tables: &RebuildTables,
    typed: &[TableName],
    step: &Step,
    run: &Run,
    may_drop: bool,
    objections: &mut Vec<String>,
) {
    for sql in &run.sql {
        let (verb, target) = verb_and_target(sql);
        let own = own_tables(tables).iter().any(|table| target.as_deref() == Some(table.sql().as_str()));
        let is_swap = matches!(verb.as_str(), "RENAME" | "EXCHANGE");
        let gives_type = |table: &TableName| sql.starts_with(&format!("ALTER TABLE {} MODIFY COLUMN ", table.sql()));
        if !own && !is_swap && !typed.iter().any(gives_type) {
            objections.push(format!("{} changes something other than the plan's own tables: {sql}", step.id));
        }
        if verb == "DROP" && !may_drop {
            objections.push(format!("{} drops a table before the point of no return", step.id));
        }
    }
}

/// The tables that a plan makes and may therefore change and drop. The source is never one of them.
fn own_tables(tables: &RebuildTables) -> [&TableName; 4] {
    [&tables.shadow, &tables.snapshot, &tables.staging, &tables.mirror]
}

/// Every replica gets the new table and the swap, every shard is compared, and everything made is dropped in the end and by
/// undoing.
fn coverage(plan: &Plan, objections: &mut Vec<String>) {
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    for phase in [Phase::Preflight, Phase::Create, Phase::Verify, Phase::Cutover, Phase::Reconcile, Phase::Finalize] {
        let reached: BTreeSet<ReplicaId> =
            plan.steps.iter().filter(|step| step.phase == phase).flat_map(|step| step.action.replicas()).collect();
        for id in all.difference(&reached) {
            objections.push(format!("the phase {phase} leaves out {id}"));
        }
    }
    let made = places(plan.steps.iter().flat_map(|step| step.action.runs()), "CREATE");
    let dropped = places(
        plan.steps.iter().filter(|step| step.phase == Phase::Finalize).flat_map(|step| step.action.runs()),
        "DROP",
    );
    let taken_back = places(plan.steps.iter().flat_map(|step| step.undo.runs()), "DROP");
    for (table, id) in &made {
        if !dropped.contains(&(table.clone(), *id)) {
            objections.push(format!("{table} is made on {id} and never dropped"));
        }
        if !taken_back.contains(&(table.clone(), *id)) {
            objections.push(format!("{table} is made on {id} and no undo drops it"));
        }
    }
}

/// No name is swapped on any shard before every shard was compared behind the gate, and looked at after that.
fn all_or_none(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    let is_gate = |step: &&Step| matches!(step.action, Action::Gate { gate: Gate::Cutover });
    let behind_gate = plan.steps.iter().find(is_gate).map(|gate| graph.descendants(&gate.id)).unwrap_or_default();
    let mut behind_all: BTreeSet<&StepId> = BTreeSet::new();
    for ready in plan.steps.iter().filter(|step| matches!(step.action, Action::Ready(_))) {
        let before = graph.ancestors(&ready.id);
        let counts = |step: &&Step| {
            matches!(step.action, Action::Compare(_)) && before.contains(&step.id) && behind_gate.contains(&step.id)
        };
        let compared = plan.steps.iter().filter(counts).flat_map(|step| step.action.replicas()).collect();
        for id in all.difference(&compared) {
            objections.push(format!("{} does not wait for a comparison on {id} behind the gate cutover", ready.id));
        }
        for id in all.difference(&ready.action.replicas().into_iter().collect()) {
            objections.push(format!("{} does not look at {id}", ready.id));
        }
        behind_all.extend(graph.descendants(&ready.id));
    }
    for step in plan.steps.iter().filter(|step| swaps(plan, step) && !behind_all.contains(&step.id)) {
        objections.push(format!("{} does not wait until every shard is fit to be swapped", step.id));
    }
}

/// Which tables are the targets of statements with this verb, and on which replicas.
pub(super) fn places<'a>(runs: impl Iterator<Item = &'a Run>, verb: &str) -> BTreeSet<(String, ReplicaId)> {
    let mut places = BTreeSet::new();
    for run in runs {
        for sql in &run.sql {
            if let (found, Some(target)) = verb_and_target(sql)
                && found == verb
            {
                places.extend(run.on.iter().map(|id| (target.clone(), *id)));
            }
        }
    }
    places
}
