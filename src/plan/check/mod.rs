//! An independent reader of plans: it knows nothing of how they are built and trusts nothing in them.
//!
//! It runs over every plan after it is built and after it is loaded, and lists what a careful reviewer would object to.

mod alter;
mod rebuild;
mod reshard;

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Changed, Gate, Graph, Phase, Plan, Step, StepId, Undo};
use crate::ddl::lexer::significant_tokens;
use crate::names::{ReplicaId, own_name};

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
    irrevocable(plan, &mut objections);
    match &plan.change.what {
        Changed::Keys(tables) => rebuild::check(plan, &graph, tables, &mut objections),
        Changed::Commands(_) => alter::check(plan, &graph, &mut objections),
        Changed::Sharding(reshard) => reshard::check(plan, reshard, &mut objections),
    }
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
        let guarded: Vec<&Step> = plan.steps.iter().filter(|step| is_guarded(plan, gate, step)).collect();
        let needed = gate == Gate::Start || !plan.alters() || !guarded.is_empty();
        let [guard] = guards.as_slice() else {
            if needed || !guards.is_empty() {
                objections.push(format!("the gate {gate} is there {} times, not once", guards.len()));
            }
            continue;
        };
        let behind = graph.descendants(&guard.id);
        for step in guarded.iter().filter(|step| !behind.contains(&step.id)) {
            objections.push(format!("{} does not wait for the gate {gate}", step.id));
        }
        let before = graph.ancestors(&guard.id);
        for step in plan.steps.iter().filter(|step| is_evidence(plan, gate, step)) {
            if !before.contains(&step.id) {
                objections.push(format!("the gate {gate} does not wait for {}", step.id));
            }
        }
    }
}

fn is_guarded(plan: &Plan, gate: Gate, step: &Step) -> bool {
    match gate {
        Gate::Start => !step.action.is_read_only(),
        Gate::Cutover => rebuild::swaps(plan, step),
        Gate::Finalize => matches!(step.undo, Undo::Impossible { .. }),
    }
}

/// What must be done before a person decides.
fn is_evidence(plan: &Plan, gate: Gate, step: &Step) -> bool {
    match gate {
        Gate::Start => step.phase == Phase::Preflight,
        Gate::Cutover if plan.reshard().is_some() => step.phase == Phase::Backfill,
        Gate::Cutover => step.phase == Phase::Verify,
        Gate::Finalize if plan.alters() => step.phase == Phase::Alter && !matches!(step.action, Action::Gate { .. }),
        Gate::Finalize => step.phase == Phase::Reconcile,
    }
}

/// Steps work on replicas that the plan knows.
fn replicas(plan: &Plan, objections: &mut Vec<String>) {
    let known: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    for step in &plan.steps {
        let undone_on = step.undo.runs().iter().flat_map(|run| &run.on).copied();
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

/// What cannot be undone comes last, and the outcome of every statement can be looked at.
fn irrevocable(plan: &Plan, objections: &mut Vec<String>) {
    for step in &plan.steps {
        if step.phase < Phase::Finalize && matches!(step.undo, Undo::Impossible { .. }) {
            objections.push(format!("{} cannot be undone though it comes before the point of no return", step.id));
        }
        if step.action.runs().iter().chain(step.undo.runs()).any(|run| run.after.is_empty()) {
            objections.push(format!("nothing tells whether {} was done", step.id));
        }
    }
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

/// The lock is a table of its own beside the source, and no statement names it: only runs take it and give it back.
fn lock(plan: &Plan, objections: &mut Vec<String>) {
    let name = &plan.objects.lock;
    if *name != own_name(&plan.objects.source, "lock") {
        objections.push(format!("{name} is not the lock by which plans for {} meet", plan.objects.source));
    }
    for step in &plan.steps {
        let ran = step.action.runs().iter().chain(step.undo.runs()).flat_map(|run| run.sql.iter().cloned());
        let copied = plan.rebuild().map(|of| rebuild::copying(&of.tables, &step.action)).unwrap_or_default();
        let copied = copied.into_iter().map(|(sql, _)| sql);
        if ran.chain(copied).any(|sql| sql.contains(&name.sql())) {
            objections.push(format!("{} has a statement about the lock {name}", step.id));
        }
    }
}
