//! SW067: a dictionary reads a column that goes or gets another type.

use super::reader::{asks_for, columns_gone, leading, speaks_of, tables, types_kept};
use crate::assess::{AlterCase, Finding};
use crate::catalog::Table;
use crate::ddl::{Dictionary, mentions, read_dictionary};
use crate::names::TableName;

pub(super) const CODE: &str = "SW067";

/// A dictionary goes on with what it has until it is loaded anew, and then has nothing.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let leading = leading(case);
    let mut findings = Vec::new();
    for table in tables(case) {
        let Ok(dictionary) = read_dictionary(&table.create_query) else { continue };
        let read = mentions(&table.name, &table.create_query, &leading);
        let Some(source) = read.first() else { continue };
        for column in columns_gone(case) {
            if asks(&table.create_query, &dictionary, column) {
                findings.push(Finding::blocker(
                    CODE,
                    format!("the dictionary {} reads column {column} of {source}", table.name),
                    "the next time it is loaded it fails, and with it every query and insert that looks something up in it",
                    format!("make {} without {column} first, then plan again", table.name),
                ));
            }
        }
        let kept =
            types_kept(case, table).into_iter().filter(|(column, _)| asks(&table.create_query, &dictionary, column));
        findings.extend(kept.map(|kept| goes_on(table, source, kept)));
    }
    findings
}

/// An attribute that has the column's type of before.
fn goes_on(table: &Table, source: &TableName, (column, kind): (&str, &str)) -> Finding {
    Finding::hazard(
        CODE,
        format!("the dictionary {} goes on with {kind} as the type of column {column} of {source}", table.name),
        "what it loads is converted to that type: a number that does not fit there is cut without an error, another value fails the load",
        format!("make {} anew with the new type right after the change", table.name),
    )
}

/// Its own columns are those of its table, unless it is loaded by a query, which may give them from others.
fn asks(definition: &str, dictionary: &Dictionary, column: &str) -> bool {
    let by_query = dictionary.setting("QUERY").is_some();
    let in_query = |query: &String| speaks_of(query, column) || asks_for(query, column);
    !by_query && speaks_of(definition, column) || dictionary.queries().iter().any(in_query)
}
