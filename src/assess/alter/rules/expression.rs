//! SW066: an expression needs a column that goes.

use super::reader::{columns_gone, speaks_of, tables};
use crate::assess::{AlterCase, Finding};
use crate::catalog::Table;
use crate::ddl::{Form, ItemKind, computes_with, read_table};

pub(super) const CODE: &str = "SW066";

/// Keys, indexes, projections, constraints, TTLs and defaults of the table, and the sharding keys of those over it.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let change = &case.alter.change;
    let is_altered = |table: &&Table| table.name == change.table || change.distributed.contains(&table.name);
    let mut findings = Vec::new();
    for table in tables(case).into_iter().filter(is_altered) {
        let name = &table.name;
        for (column, by) in needed(case, table) {
            findings.push(Finding::blocker(
                CODE,
                format!("{by} of {name} needs column {column}"),
                "the server refuses to drop or rename what an expression of the table needs, on some replicas perhaps after others \
                 have done it",
                format!("change or drop {by} first; a key needs the table made anew"),
            ));
        }
    }
    findings
}

fn needed(case: &AlterCase<'_>, table: &Table) -> Vec<(String, String)> {
    let Ok(definition) = read_table(&table.create_query) else { return Vec::new() };
    let mut expressions: Vec<(String, String, Option<String>)> = Vec::new();
    for item in &definition.items {
        let (what, own) = match &item.kind {
            ItemKind::Column { name } => (format!("column {name}"), Some(name.clone())),
            ItemKind::Index { name } => (format!("index {name}"), None),
            ItemKind::Projection { name } => (format!("projection {name}"), None),
            ItemKind::Constraint { name } => (format!("constraint {name}"), None),
            ItemKind::PrimaryKey => ("the primary key".to_owned(), None),
        };
        let texts = item.expressions().into_iter();
        expressions.extend(texts.map(|text| (what.clone(), text, own.clone())));
    }
    let clauses = &definition.engine.clauses;
    for (what, clause) in [("the TTL", &clauses.ttl), ("the sampling key", &clauses.sample_by)] {
        expressions.extend(clause.as_ref().map(|clause| (what.to_owned(), clause.text.clone(), None)));
    }
    if let Some(key) = definition.engine.distributed().and_then(|args| args.sharding_key) {
        expressions.push(("the sharding key".to_owned(), key, None));
    }
    let mut needed = Vec::new();
    for column in columns_gone(case) {
        let needs = |(_, text, own): &&(String, String, Option<String>)| {
            own.as_deref() != Some(column) && computes_with(text, column)
        };
        needed.extend(
            expressions
                .iter()
                .filter(needs)
                .filter(|(what, ..)| !goes_too(case, what, column))
                .map(|(what, ..)| (column.to_owned(), what.clone())),
        );
    }
    // A column may need another one for its default and for its TTL.
    needed.dedup();
    needed
}

/// Whether the same ALTER drops what needs the column, or has a clause do without it.
fn goes_too(case: &AlterCase<'_>, what: &str, column: &str) -> bool {
    case.alter.commands.iter().any(|command| {
        let kind = match command.form {
            Form::RemoveTtl => return what == "the TTL",
            Form::RemoveSampleBy => return what == "the sampling key",
            Form::ModifyTtl | Form::ModifyTtlLater => return what == "the TTL" && !speaks_of(&command.text, column),
            Form::DropColumn => "column",
            Form::DropIndex => "index",
            Form::DropProjection => "projection",
            Form::DropConstraint => "constraint",
            _ => return false,
        };
        command.subject.as_ref().is_some_and(|name| what == format!("{kind} {name}"))
    })
}
