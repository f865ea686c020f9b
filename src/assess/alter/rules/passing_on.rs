//! SW068: a Buffer or Merge table has a column that goes.

use super::reader::{chain, columns_gone, tables};
use crate::assess::{AlterCase, Finding};
use crate::catalog::Table;
use crate::ddl::quoting::unquote;
use crate::ddl::read_engine;
use crate::names::TableName;

pub(super) const CODE: &str = "SW068";

/// They have columns of their own, and pass on what they are given or asked for.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let chain = chain(case);
    let mut findings = Vec::new();
    for table in tables(case).into_iter().filter(|table| matches!(table.engine.as_str(), "Buffer" | "Merge")) {
        let Some(behind) = chain.iter().find(|name| stands_before(table, name)) else { continue };
        for column in
            columns_gone(case).into_iter().filter(|column| table.columns.iter().any(|one| one.name == **column))
        {
            let why = if table.engine == "Buffer" {
                "what was inserted into the Buffer would lose the values of that column without an error"
            } else {
                "queries of the Merge table that name the column would fail"
            };
            findings.push(Finding::blocker(
                CODE,
                format!("the {} table {} over {behind} has column {column}", table.engine, table.name),
                why,
                format!(
                    "ALTER TABLE {} DROP COLUMN first (a Buffer flushes when it is altered), then plan again",
                    table.name.sql()
                ),
            ));
        }
    }
    findings
}

fn stands_before(table: &Table, name: &TableName) -> bool {
    let Ok(engine) = read_engine(&table.engine_full) else { return false };
    let args: Vec<String> =
        engine.args().iter().take(2).map(|arg| unquote(&arg.text).unwrap_or_else(|| arg.text.clone())).collect();
    let [database, pattern] = args.as_slice() else { return false };
    if table.engine == "Buffer" {
        return *database == name.database && *pattern == name.table;
    }
    // A pattern is held against its own letters: rather one table too many than one too few.
    let letters: String = pattern.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    (*database == name.database || *database == "currentDatabase()") && name.table.contains(&letters)
}
