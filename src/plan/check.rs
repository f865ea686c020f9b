//! An independent reader of plans: it knows nothing of how they are built and trusts nothing in them.
//!
//! It runs over every plan after it is built and after it is loaded, and lists what a careful reviewer would object to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Feed, Gate, Graph, Phase, Plan, Run, Step, StepId, Undo};
use crate::ddl::lexer::significant_tokens;
use crate::names::{ReplicaId, TableName, own_name};

/// Objections to a plan; none means that it may be used.
pub fn check(plan: &Plan) -> Vec<String> {
    let graph = match Graph::new(&plan.steps, &plan.edges) {
        Ok(graph) => graph,
        Err(error) => return vec![error.to_string()],
    };
    let mut objections = Vec::new();
    order(plan, &graph, &mut objections);
    gates(plan, &graph, &mut objections);
    replicas(plan, &mut objections);
    statements(plan, &mut objections);
    coverage(plan, &mut objections);
    lock(plan, &mut objections);
    objections
}

/// The steps stand in an order in which they can be done, and phases never go backwards.
fn order(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    if let Err(error) = graph.order(StepId::clone) {
        objections.push(error.to_string());
    }
    let places: BTreeMap<&StepId, (usize, Phase)> =
        plan.steps.iter().enumerate().map(|(place, step)| (&step.id, (place, step.phase))).collect();
    for edge in &plan.edges {
        let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else { continue };
        if from.0 >= to.0 {
            objections.push(format!("{} stands after {}, which waits for it", edge.from, edge.to));
        }
        if from.1 > to.1 {
            objections.push(format!("{} of phase {} comes before {} of phase {}", edge.from, from.1, edge.to, to.1));
        }
        if edge.because.is_empty() {
            objections.push(format!("nothing says why {} waits for {}", edge.to, edge.from));
        }
    }
}

/// Each gate is there once, and stands between what it guards and everything that comes before.
fn gates(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    for gate in [Gate::Start, Gate::Cutover, Gate::Finalize] {
        let guards: Vec<&Step> =
            plan.steps.iter().filter(|step| matches!(step.action, Action::Gate { gate: is } if is == gate)).collect();
        let [guard] = guards.as_slice() else {
            objections.push(format!("the gate {gate} is there {} times, not once", guards.len()));
            continue;
        };
        let behind = graph.descendants(&guard.id);
        let guarded = |step: &&Step| match gate {
            Gate::Start => !step.action.is_read_only(),
            Gate::Cutover => swaps(plan, step),
            Gate::Finalize => matches!(step.undo, Undo::Impossible { .. }),
        };
        for step in plan.steps.iter().filter(guarded).filter(|step| !behind.contains(&step.id)) {
            objections.push(format!("{} does not wait for the gate {gate}", step.id));
        }
        let before = graph.ancestors(&guard.id);
        let evidence = |step: &&Step| match gate {
            Gate::Start => step.phase == Phase::Preflight,
            Gate::Cutover => step.phase == Phase::Verify,
            Gate::Finalize => step.phase == Phase::Reconcile,
        };
        for step in plan.steps.iter().filter(evidence).filter(|step| !before.contains(&step.id)) {
            objections.push(format!("the gate {gate} does not wait for {}", step.id));
        }
    }
}

/// Whether a step moves the live name.
fn swaps(plan: &Plan, step: &Step) -> bool {
    let source = plan.objects.source.sql();
    let moves = |sql: &String| (sql.starts_with("RENAME") || sql.starts_with("EXCHANGE")) && sql.contains(&source);
    runs(&step.action).iter().flat_map(|run| &run.sql).any(moves)
}

/// Steps work on replicas that the plan knows.
fn replicas(plan: &Plan, objections: &mut Vec<String>) {
    let known: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    for step in &plan.steps {
        let undone_on = undo_runs(&step.undo).iter().flat_map(|run| &run.on).copied();
        for id in step.action.replicas().into_iter().chain(undone_on) {
            if !known.contains(&id) {
                objections.push(format!("{} works on {id}, which is not in the plan's cluster", step.id));
            }
            if step.shard.is_some_and(|shard| shard != id.shard) {
                objections.push(format!("{} belongs to another shard than {id}, on which it works", step.id));
            }
        }
    }
}

/// Every statement changes nothing but the plan's own tables, every drop is behind the point of no return or an undo, and
/// every statement's outcome can be looked at.
fn statements(plan: &Plan, objections: &mut Vec<String>) {
    for step in &plan.steps {
        for run in runs(&step.action) {
            statements_of(plan, step, run, matches!(step.undo, Undo::Impossible { .. }), objections);
        }
        for run in undo_runs(&step.undo) {
            statements_of(plan, step, run, true, objections);
        }
        for (sql, table) in copying(plan, &step.action) {
            if verb_and_target(&sql).1 != Some(table.sql()) {
                objections.push(format!("{} is to change {table}, but changes something else: {sql}", step.id));
            }
        }
        if let Action::Settle(settle) = &step.action {
            let is_restarted = |feed: &&Feed| feed.stop.split(' ').next_back() == feed.start.split(' ').next_back();
            if let Some(feed) = settle.feeds.iter().find(|feed| !is_restarted(feed)) {
                objections.push(format!("{} stops something that it does not start again: {}", step.id, feed.stop));
            }
        }
        if step.phase < Phase::Finalize && matches!(step.undo, Undo::Impossible { .. }) {
            objections.push(format!("{} cannot be undone though it comes before the point of no return", step.id));
        }
    }
}

/// The statements of a step that copies, each with the table that it may change.
fn copying<'a>(plan: &'a Plan, action: &Action) -> Vec<(String, &'a TableName)> {
    let objects = &plan.objects;
    match action {
        Action::Settle(settle) => {
            let mut all = vec![
                (settle.clone.to_string(), &objects.snapshot),
                (settle.gap.copy.to_string(), &objects.staging),
                (settle.gap.copy_rows.to_string(), &objects.staging),
                (settle.gap.attach.to_string(), &objects.shadow),
                (settle.gap.clear.clone(), &objects.staging),
            ];
            all.push((settle.drop_mirrored.to_string(), &objects.shadow));
            let emptied = [&objects.snapshot, &objects.staging];
            all.extend(settle.clear.iter().cloned().zip(emptied));
            all
        }
        Action::Compare(compare) => compare.repair.as_ref().map_or_else(Vec::new, |repair| {
            vec![(repair.add.to_string(), &objects.shadow), (repair.remove.to_string(), &objects.shadow)]
        }),
        Action::Backfill(backfill) => {
            let mut all =
                vec![(backfill.copy.to_string(), &objects.staging), (backfill.attach.to_string(), &objects.shadow)];
            all.extend(backfill.clear.iter().map(|sql| (sql.clone(), &objects.staging)));
            all
        }
        _ => Vec::new(),
    }
}

fn statements_of(plan: &Plan, step: &Step, run: &Run, may_drop: bool, objections: &mut Vec<String>) {
    if run.after.is_empty() {
        objections.push(format!("nothing tells whether {} was done", step.id));
    }
    for sql in &run.sql {
        let (verb, target) = verb_and_target(sql);
        let own = own_tables(plan).iter().any(|table| target.as_deref() == Some(table.sql().as_str()));
        let is_swap = matches!(verb.as_str(), "RENAME" | "EXCHANGE");
        if !own && !is_swap {
            objections.push(format!("{} changes something other than the plan's own tables: {sql}", step.id));
        }
        if verb == "DROP" && !may_drop {
            objections.push(format!("{} drops a table before the point of no return", step.id));
        }
    }
}

/// The tables that a plan makes and may therefore change and drop. The source is never one of them.
fn own_tables(plan: &Plan) -> [&TableName; 4] {
    let objects = &plan.objects;
    [&objects.shadow, &objects.snapshot, &objects.staging, &objects.mirror]
}

/// The first word of a statement and the first quoted, dotted name in it.
fn verb_and_target(sql: &str) -> (String, Option<String>) {
    let Ok(tokens) = significant_tokens(sql) else { return (String::new(), None) };
    let texts: Vec<&str> = tokens.iter().map(|token| &sql[token.span.clone()]).collect();
    let verb = texts.first().map(|word| word.to_uppercase()).unwrap_or_default();
    let is_name = |text: &str| text.starts_with('`');
    let target = texts.windows(3).find(|three| is_name(three[0]) && three[1] == "." && is_name(three[2]));
    (verb, target.map(<[&str]>::concat))
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
    let made = places(plan.steps.iter().flat_map(|step| runs(&step.action)), "CREATE");
    let dropped = places(
        plan.steps.iter().filter(|step| step.phase == Phase::Finalize).flat_map(|step| runs(&step.action)),
        "DROP",
    );
    let taken_back = places(plan.steps.iter().flat_map(|step| undo_runs(&step.undo)), "DROP");
    for (table, id) in &made {
        if !dropped.contains(&(table.clone(), *id)) {
            objections.push(format!("{table} is made on {id} and never dropped"));
        }
        if !taken_back.contains(&(table.clone(), *id)) {
            objections.push(format!("{table} is made on {id} and no undo drops it"));
        }
    }
}

/// The lock is a table of its own beside the source, and no statement names it: only runs take it and give it back.
fn lock(plan: &Plan, objections: &mut Vec<String>) {
    let name = &plan.objects.lock;
    if *name != own_name(&plan.objects.source, "lock") {
        objections.push(format!("{name} is not the lock by which plans for {} meet", plan.objects.source));
    }
    for step in &plan.steps {
        let ran = runs(&step.action).iter().chain(undo_runs(&step.undo)).flat_map(|run| run.sql.iter().cloned());
        let copied = copying(plan, &step.action).into_iter().map(|(sql, _)| sql);
        if ran.chain(copied).any(|sql| sql.contains(&name.sql())) {
            objections.push(format!("{} has a statement about the lock {name}", step.id));
        }
    }
}

/// Which tables are the targets of statements with this verb, and on which replicas.
fn places<'a>(runs: impl Iterator<Item = &'a Run>, verb: &str) -> BTreeSet<(String, ReplicaId)> {
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

/// The statements of a step that are run once on each of some replicas.
fn runs(action: &Action) -> &[Run] {
    match action {
        Action::Run { runs, .. } => runs,
        Action::Settle(settle) => &settle.mirror,
        Action::Swap(swap) => &swap.runs,
        _ => &[],
    }
}

fn undo_runs(undo: &Undo) -> &[Run] {
    match undo {
        Undo::Run { runs, .. } => runs,
        Undo::Nothing { .. } | Undo::Impossible { .. } => &[],
    }
}
