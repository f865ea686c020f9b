//! SW068: a table that passes queries or inserts on has a column that goes or gets another type: a Buffer, a Merge, a `Distributed` over another one.

use super::reader::{chain, columns_gone, leading, passes_on_to, tables, types_kept};
use crate::alter::refuses_materialized;
use crate::assess::{AlterCase, Finding};
use crate::catalog::Table;
use crate::names::{TableName, quote_identifier};

pub(super) const CODE: &str = "SW068";

/// They have columns of their own, and pass on what they are given or asked for.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let (chain, leading) = (chain(case), leading(case));
    let mut findings = refusing(case);
    for table in tables(case).into_iter().filter(|table| !chain.contains(&table.name)) {
        let Some(behind) = passes_on_to(table, &leading) else { continue };
        for column in
            columns_gone(case).into_iter().filter(|column| table.columns.iter().any(|one| one.name == **column))
        {
            let (why, flushes) = match table.engine.as_str() {
                "Buffer" => (
                    "what was inserted into the Buffer would lose the values of that column without an error",
                    " (it flushes when it is altered)",
                ),
                "Merge" => (
                    "queries of the Merge table that name the column would fail, or be answered with empty values by new servers",
                    "",
                ),
                _ => (
                    "the plan alters the Distributed tables that are right over the local one, and this one would pass on queries and \
                     inserts of the column that fail there",
                    "",
                ),
            };
            findings.push(Finding::blocker(
                CODE,
                format!("the {} table {} over {behind} has column {column}", table.engine, table.name),
                why,
                format!(
                    "ALTER TABLE {} DROP COLUMN {} on every replica first{flushes}, then plan again; a new name is added there after \
                     the change",
                    table.name.sql(),
                    quote_identifier(column)
                ),
            ));
        }
        findings.extend(types_kept(case, table).into_iter().map(|kept| goes_on(table, behind, kept)));
    }
    findings
}

/// A column that has its type of before in such a table, whatever it has behind it.
fn goes_on(table: &Table, behind: &TableName, (column, kind): (&str, &str)) -> Finding {
    let (engine, name) = (&table.engine, &table.name);
    Finding::hazard(
        CODE,
        format!("the {engine} table {name} over {behind} goes on with {kind} as the type of column {column}"),
        "what goes through it is converted to that type: a number that does not fit there is cut without an error, another value fails, \
         and so do queries of a Distributed table that aggregate the column",
        format!(
            "ALTER TABLE {} MODIFY COLUMN {} to the same type on every replica right after the change",
            name.sql(),
            quote_identifier(column)
        ),
    )
}

/// `Distributed` tables that old servers would refuse every insert through, once a column of theirs is MATERIALIZED.
fn refusing(case: &AlterCase<'_>) -> Vec<Finding> {
    let made = case.alter.commands.iter().filter(|command| command.makes_materialized());
    let made: Vec<&str> = made.filter_map(|command| command.subject.as_deref()).collect();
    let orders = case.alter.orders.iter().filter(|order| !order.is_local);
    let refusing = orders.filter(|order| refuses_materialized(&order.definition, case.snapshot));
    let mut findings = Vec::new();
    for (order, column) in refusing.flat_map(|order| made.iter().map(move |column| (order, *column))) {
        if order.definition.column_names().all(|name| name != column) {
            continue;
        }
        let table = &order.table;
        findings.push(Finding::blocker(
            CODE,
            format!("{table} would refuse every insert once column {column} is MATERIALIZED"),
            "these servers send the column along, and a shard takes no values of such a column",
            format!(
                "ALTER TABLE {} DROP COLUMN {} on every replica first, then plan again; tables that are only read may keep it",
                table.sql(),
                quote_identifier(column)
            ),
        ));
    }
    findings
}
