//! All that a plan involves, as it is made anew on another cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::adapt::Target;
use super::stand_in;
use crate::ddl::{CreateTable, Name, Text, mentions, read_dictionary, read_engine, read_table, read_view};
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::{Fingerprint, Plan, definition, leads_outside};

/// A statement that makes something on one replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The replica of the other cluster.
    pub on: ReplicaId,
    /// The statement.
    pub sql: String,
    /// What it makes.
    pub what: TableName,
    /// The statement that removes it.
    pub undo: String,
}

/// How something is made, and what about it is not as in the original.
struct Recipe {
    sql: String,
    is_dictionary: bool,
    note: Option<String>,
}

/// What must be made, in order, and what of it is not as on the plan's cluster. Databases are left to the caller.
pub fn recreate(plan: &Plan, target: &Target) -> (Vec<Made>, Vec<String>) {
    let mut made = Vec::new();
    let mut not_covered = BTreeSet::new();
    for (from, to) in &target.replicas {
        let everything = plan.fingerprints.iter().chain(&plan.related).filter(|print| print.on.contains(from));
        let prints: Vec<&Fingerprint> = everything.collect();
        for print in in_order(&prints) {
            match recipe_of(plan, target, print, &prints) {
                Ok(Recipe { sql, is_dictionary, note }) => {
                    not_covered.extend(note);
                    let kind = if is_dictionary { "DICTIONARY" } else { "TABLE" };
                    let undo = format!("DROP {kind} IF EXISTS {}", print.table.sql());
                    made.push(Made { on: *to, sql, what: print.table.clone(), undo });
                }
                Err(reason) => {
                    not_covered.insert(format!("{} was not made: {reason}", print.table));
                }
            }
        }
    }
    (made, not_covered.into_iter().collect())
}

/// The databases that the plan's tables are in.
pub fn databases(plan: &Plan) -> BTreeSet<&str> {
    plan.fingerprints.iter().chain(&plan.related).map(|print| print.table.database.as_str()).collect()
}

/// The tables that views of the plan fill.
pub fn view_targets(plan: &Plan) -> BTreeSet<TableName> {
    let target =
        |print: &Fingerprint| Some(read_view(&print.definition).ok()?.target?.in_database(&print.table.database));
    plan.fingerprints.iter().chain(&plan.related).filter_map(target).collect()
}

/// What is leaned on before what leans on it; where they lean on each other, as they come.
fn in_order<'a>(prints: &[&'a Fingerprint]) -> Vec<&'a Fingerprint> {
    let by_name: BTreeMap<&TableName, &'a Fingerprint> = prints.iter().map(|print| (&print.table, *print)).collect();
    let names: BTreeSet<TableName> = by_name.keys().map(|name| (*name).clone()).collect();
    let mut done: BTreeSet<&TableName> = BTreeSet::new();
    let mut seen: BTreeSet<&TableName> = BTreeSet::new();
    let mut order = Vec::new();
    // A stack of our own: chains of views may be longer than ours.
    let mut open: Vec<&'a Fingerprint> = prints.iter().rev().copied().collect();
    while let Some(print) = open.last().copied() {
        let is_new = seen.insert(&print.table);
        let needed = if is_new { mentions(&print.table, &print.definition, &names) } else { BTreeSet::new() };
        let waiting = needed.iter().filter_map(|name| by_name.get(name)).filter(|one| !seen.contains(&one.table));
        let before = open.len();
        open.extend(waiting.copied());
        if open.len() == before {
            open.pop();
            if done.insert(&print.table) {
                order.push(print);
            }
        }
    }
    order
}

fn recipe_of(plan: &Plan, target: &Target, print: &Fingerprint, all: &[&Fingerprint]) -> Result<Recipe, String> {
    let recipe = |sql: String| Recipe { sql, is_dictionary: false, note: None };
    if read_view(&print.definition).is_ok() {
        return Ok(recipe(view(&print.definition, target)));
    }
    if read_dictionary(&print.definition).is_ok() {
        let (sql, note) = stand_in::dictionary(print, all)?;
        return Ok(Recipe { sql, is_dictionary: true, note });
    }
    let table = read_table(&print.definition).map_err(|error| error.to_string())?;
    if leads_outside(&table.engine.name) {
        let note = format!(
            "{} is a {} table on the plan's cluster; a table of the engine {} stood in for it, and nothing came from outside",
            print.table,
            table.engine.name,
            stand_in::engine(&table.engine.name)
        );
        return Ok(Recipe { note: Some(note), ..recipe(stand_in::table(&table, print, all).to_sql()) });
    }
    if table.engine.distributed().is_some() {
        return Ok(recipe(pointed_at(table, &target.cluster).to_sql()));
    }
    let made = if table.engine.is_merge_tree_family() { on_target(&table, target, &print.table) } else { table };
    let note = (made.engine.name != read_table(&print.definition).map(|table| table.engine.name).unwrap_or_default()
        && print.table != plan.objects.source)
        .then(|| format!("{} was made without replication, which the servers do not have", print.table));
    Ok(Recipe { note, ..recipe(CreateTable { if_not_exists: false, on_cluster: None, ..made }.to_sql()) })
}

/// A view acts as whoever makes it, and its inner table replicates where the other cluster does.
fn view(definition: &str, target: &Target) -> String {
    let Ok(view) = read_view(definition) else { return definition.to_owned() };
    let mut pieces = Vec::new();
    if let Some(text) = &view.engine
        && let Ok(mut engine) = read_engine(&text.text)
        && engine.replicated()
        && !target.replicated
    {
        definition::unreplicate(&mut engine);
        pieces.push((text.span.clone(), engine.to_sql()));
    }
    pieces.extend(view.security.map(|text| (text.span, String::new())));
    // From the end, so that spans stay true.
    pieces.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut sql = definition.to_owned();
    for (span, text) in pieces {
        sql.replace_range(span, &text);
    }
    sql
}

/// A definition with its own engine, or with the same one not replicated where the other cluster has no replication.
pub(super) fn on_target(table: &CreateTable, target: &Target, name: &TableName) -> CreateTable {
    if target.replicated {
        CreateTable { name: Name::from(name), if_not_exists: true, on_cluster: None, ..table.clone() }
    } else {
        definition::unreplicated(table, name)
    }
}

/// A `Distributed` table that leads to another cluster.
fn pointed_at(mut table: CreateTable, cluster: &str) -> CreateTable {
    if let Some(first) = table.engine.args.as_mut().and_then(|args| args.first_mut()) {
        *first = Text::new(quote_string(cluster));
    }
    table.on_cluster = None;
    table
}

/// The statement that makes a database.
pub fn create_database(name: &str) -> String {
    format!("CREATE DATABASE {}", quote_identifier(name))
}
