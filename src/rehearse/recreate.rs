//! The tables that a plan works with, as they are made anew on another cluster.

use super::adapt::Target;
use crate::ddl::{CreateTable, Name, Text, read_table, read_view};
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::{Fingerprint, Plan, definition};

/// A statement that makes something on one replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The replica of the other cluster.
    pub on: ReplicaId,
    /// The statement.
    pub sql: String,
    /// What it makes.
    pub what: TableName,
}

/// What must be made, in order, and what cannot be.
pub fn recreate(plan: &Plan, target: &Target) -> (Vec<Made>, Vec<String>) {
    let mut made = Vec::new();
    let mut not_covered = Vec::new();
    let databases = databases(plan);
    for (from, to) in &target.replicas {
        for database in &databases {
            let sql = format!("CREATE DATABASE IF NOT EXISTS {}", quote_identifier(database));
            made.push(Made { on: *to, sql, what: TableName::new(database, "") });
        }
        // Tables before what leans on them: the source, what views write to, Distributed tables, views.
        let everything = plan.fingerprints.iter().chain(&plan.related).filter(|print| print.on.contains(from));
        let mut prints: Vec<&Fingerprint> = everything.collect();
        prints.sort_by_key(|print| rank(plan, print));
        for print in prints {
            match statement(plan, target, print) {
                Ok(sql) => made.push(Made { on: *to, sql, what: print.table.clone() }),
                Err(reason) => {
                    let line = format!("{} was not made: {reason}", print.table);
                    if !not_covered.contains(&line) {
                        not_covered.push(line);
                    }
                }
            }
        }
    }
    (made, not_covered)
}

fn databases(plan: &Plan) -> Vec<String> {
    let tables = plan.fingerprints.iter().chain(&plan.related).map(|print| print.table.database.clone());
    let mut all: Vec<String> = tables.collect();
    all.sort();
    all.dedup();
    all
}

fn rank(plan: &Plan, print: &Fingerprint) -> u8 {
    if print.table == plan.objects.source {
        0
    } else if plan.objects.distributed.contains(&print.table) {
        2
    } else if plan.objects.views.contains(&print.table) {
        3
    } else {
        1
    }
}

fn statement(plan: &Plan, target: &Target, print: &Fingerprint) -> Result<String, String> {
    if read_view(&print.definition).is_ok() {
        return Ok(print.definition.clone());
    }
    let table = read_table(&print.definition).map_err(|error| error.to_string())?;
    if table.engine.distributed().is_some() {
        return Ok(pointed_at(table, &target.cluster).to_sql());
    }
    if !table.engine.is_merge_tree_family() {
        return Err(format!("it is a {} table, which leads outside the cluster", table.engine.name));
    }
    Ok(on_target(&table, target, &print.table).to_sql())
        .map(|sql| if print.table == plan.objects.source { sql.replacen("IF NOT EXISTS ", "", 1) } else { sql })
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
    table.if_not_exists = true;
    table.on_cluster = None;
    table
}
