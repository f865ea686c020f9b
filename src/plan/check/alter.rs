//! What must hold of a plan that alters tables in place.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Action, Gate, Graph, Plan, Step, StepId, Strategy, Undo};
use crate::ddl::{Alteration, Form, read_alteration, read_table};
use crate::names::{ReplicaId, TableName};

/// Objections to such a plan.
pub(super) fn check(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    if plan.strategy == Strategy::Mirror {
        objections.push("the strategy mirror alters nothing in place".to_owned());
    }
    for step in &plan.steps {
        kind(step, objections);
        statements(plan, step, objections);
    }
    places(plan, objections);
    columns(plan, graph, objections);
    looked_at(plan, graph, objections);
    asked_for(plan, graph, objections);
}

/// Nothing is made, copied or swapped.
fn kind(step: &Step, objections: &mut Vec<String>) {
    let fits = matches!(
        step.action,
        Action::Gate { .. }
            | Action::Check { .. }
            | Action::Run { .. }
            | Action::Drain(_)
            | Action::AwaitMutations(_)
            | Action::Unread(_)
    );
    if !fits || matches!(step.action, Action::Gate { gate: Gate::Cutover }) {
        objections.push(format!("{} does what no change in place needs", step.id));
    }
}

/// Each statement is an ALTER of a table of the chain, and what destroys values says that it has no way back.
fn statements(plan: &Plan, step: &Step, objections: &mut Vec<String>) {
    for sql in step.action.runs().iter().flat_map(|run| &run.sql) {
        let Some((table, alteration)) = altered(plan, sql) else {
            objections.push(format!("{} changes something other than the plan's tables: {sql}", step.id));
            continue;
        };
        let destroys = alteration.commands.iter().any(|command| is_destructive(command.form));
        let about_rows = alteration.commands.iter().filter(|command| command.form.is_about_rows()).count();
        if about_rows > 0 && about_rows < alteration.commands.len() {
            objections.push(format!("{} sends a change of rows along with one of the definition: {sql}", step.id));
        }
        if destroys && table == plan.objects.source && !matches!(step.undo, Undo::Impossible { .. }) {
            objections.push(format!("{} destroys values and says that it can be undone: {sql}", step.id));
        }
    }
    for run in step.undo.runs() {
        for sql in &run.sql {
            let kills = sql.starts_with("KILL MUTATION WHERE database = ");
            if !kills && altered(plan, sql).is_none() {
                objections
                    .push(format!("the undo of {} changes something other than the plan's tables: {sql}", step.id));
            }
        }
    }
}

/// The table of the plan that a statement alters.
fn altered(plan: &Plan, sql: &str) -> Option<(TableName, Alteration)> {
    let alteration = read_alteration(sql).ok().filter(|read| read.unknown.is_empty() && read.on_cluster.is_none())?;
    let table = alteration.table.in_database("");
    let objects = &plan.objects;
    let is_ours = table == objects.source || objects.distributed.contains(&table);
    is_ours.then_some((table, alteration))
}

fn is_destructive(form: Form) -> bool {
    matches!(
        form,
        Form::DropColumn
            | Form::ClearColumn
            | Form::Update
            | Form::Delete
            | Form::ModifyTtl
            | Form::ModifyColumnTtl
            | Form::MaterializeTtl
    )
}

/// A Replicated table takes a statement once a shard, any other on each replica; and no shard is left out.
fn places(plan: &Plan, objections: &mut Vec<String>) {
    let mut on: BTreeMap<u32, BTreeSet<ReplicaId>> = BTreeMap::new();
    for run in plan.steps.iter().flat_map(|step| step.action.runs()) {
        let is_local = |sql: &String| altered(plan, sql).is_some_and(|(table, _)| table == plan.objects.source);
        if run.sql.iter().any(is_local) {
            run.on.iter().for_each(|id| _ = on.entry(id.shard).or_default().insert(*id));
        }
    }
    if on.is_empty() {
        return;
    }
    let replicated = is_replicated(plan);
    let shards: BTreeSet<u32> = plan.cluster.replicas.iter().map(|replica| replica.id.shard).collect();
    for shard in shards {
        let there = on.get(&shard).map_or(0, BTreeSet::len);
        let all = plan.cluster.replicas.iter().filter(|replica| replica.id.shard == shard).count();
        let wanted = if replicated { 1 } else { all };
        if there != wanted {
            objections.push(format!(
                "{} is altered on {there} replicas of shard {shard}, not on {wanted}",
                plan.objects.source
            ));
        }
    }
}

fn is_replicated(plan: &Plan) -> bool {
    let source = plan.fingerprints.iter().find(|print| print.table == plan.objects.source);
    source.and_then(|print| read_table(&print.definition).ok()).is_some_and(|table| table.engine.replicated())
}

/// A column is dropped from what asks for it before it is dropped from what is asked, and added the other way round.
fn columns(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    let mut below: Vec<(Form, String, &StepId)> = Vec::new();
    let mut above: Vec<(Form, String, &StepId)> = Vec::new();
    for step in &plan.steps {
        for sql in step.action.runs().iter().flat_map(|run| &run.sql) {
            let Some((table, alteration)) = altered(plan, sql) else { continue };
            let side = if table == plan.objects.source { &mut below } else { &mut above };
            for command in alteration.commands {
                side.extend(names(&command).into_iter().map(|(form, name)| (form, name, &step.id)));
            }
        }
    }
    for (form, column, over) in &above {
        for (_, _, under) in below.iter().filter(|(known, name, _)| known == form && name == column) {
            let (first, then) = if *form == Form::DropColumn { (over, under) } else { (under, over) };
            if !graph.ancestors(then).contains(*first) {
                objections.push(format!("{then} does not wait for {first}, though both are about column {column}"));
            }
        }
    }
}

/// What is to go once nobody reads it goes nowhere before that was asked, and its values not before it was asked once more.
fn asked_for(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    let Some(retirement) = &plan.retirement else {
        let asks = plan.steps.iter().find(|step| matches!(step.action, Action::Unread(_)));
        objections.extend(asks.map(|step| format!("{} asks who reads columns, and none is to go for that", step.id)));
        return;
    };
    let replicas: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    let is_whole = |step: &&Step| match &step.action {
        Action::Unread(unread) => {
            let asked: BTreeSet<ReplicaId> = step.action.replicas().into_iter().collect();
            asked == replicas
                && unread.table == plan.objects.source
                && unread.columns == retirement.columns
                && unread.seconds >= retirement.seconds
                && unread.by_star >= retirement.by_star
        }
        _ => false,
    };
    let questions: BTreeSet<&StepId> = plan.steps.iter().filter(is_whole).map(|step| &step.id).collect();
    for step in &plan.steps {
        for sql in step.action.runs().iter().flat_map(|run| &run.sql) {
            let Some((table, alteration)) = altered(plan, sql) else { continue };
            let goes = |command: &crate::ddl::AlterCommand| {
                // The mark alone comes before the question.
                command.form != Form::CommentColumn
            };
            if !alteration.commands.iter().any(goes) {
                continue;
            }
            let before = graph.ancestors(&step.id);
            if !before.iter().any(|id| questions.contains(id)) {
                objections
                    .push(format!("{} drops a column, and no step before it asks whether somebody reads it", step.id));
            }
            if table == plan.objects.source && !graph.before(&step.id).any(|id| questions.contains(id)) {
                objections
                    .push(format!("{} destroys values, and not right before it is asked who reads them", step.id));
            }
        }
    }
}

/// What a command adds and takes away.
fn names(command: &crate::ddl::AlterCommand) -> Vec<(Form, String)> {
    let subject = command.subject.clone().unwrap_or_default();
    match command.form {
        Form::AddColumn | Form::DropColumn => vec![(command.form, subject)],
        Form::RenameColumn => {
            vec![(Form::DropColumn, subject), (Form::AddColumn, command.to.clone().unwrap_or_default())]
        }
        _ => Vec::new(),
    }
}

/// After all that changes something every replica is looked at, and mutations are waited for where some were started.
fn looked_at(plan: &Plan, graph: &Graph, objections: &mut Vec<String>) {
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    for step in plan.steps.iter().filter(|step| !step.action.is_read_only()) {
        let later = graph.descendants(&step.id);
        let reach = |wanted: fn(&Action) -> bool| -> BTreeSet<ReplicaId> {
            let after = plan.steps.iter().filter(|other| later.contains(&other.id) && wanted(&other.action));
            after
                .flat_map(|other| other.action.replicas())
                .filter(|id| step.shard.is_none_or(|shard| shard == id.shard))
                .collect()
        };
        let own: BTreeSet<ReplicaId> =
            all.iter().filter(|id| step.shard.is_none_or(|shard| shard == id.shard)).copied().collect();
        for id in own.difference(&reach(|action| matches!(action, Action::Check { .. }))) {
            objections.push(format!("nothing looks at {id} after {}", step.id));
        }
        let alters_local = step
            .action
            .runs()
            .iter()
            .flat_map(|run| &run.sql)
            .any(|sql| altered(plan, sql).is_some_and(|(table, _)| table == plan.objects.source));
        if plan.strategy == Strategy::Mutation && alters_local {
            for id in own.difference(&reach(|action| matches!(action, Action::AwaitMutations(_)))) {
                objections.push(format!("nothing waits for the mutations of {} on {id}", step.id));
            }
        }
    }
}
