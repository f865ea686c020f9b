//! SW067: a dictionary reads a column that goes.

use std::collections::BTreeSet;

use super::reader::{chain, columns_gone, speaks_of, tables};
use crate::assess::{AlterCase, Finding};
use crate::ddl::{mentions, read_dictionary};

pub(super) const CODE: &str = "SW067";

/// A dictionary goes on with what it has until it is loaded anew, and then has nothing.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let chain: BTreeSet<_> = chain(case);
    let mut findings = Vec::new();
    for table in tables(case).into_iter().filter(|table| read_dictionary(&table.create_query).is_ok()) {
        let read = mentions(&table.name, &table.create_query, &chain);
        let Some(source) = read.first() else { continue };
        let in_query = |column: &str| {
            read_dictionary(&table.create_query)
                .ok()
                .and_then(|dictionary| dictionary.setting("QUERY"))
                .is_some_and(|query| speaks_of(&query, column))
        };
        for column in columns_gone(case) {
            if speaks_of(&table.create_query, column) || in_query(column) {
                findings.push(Finding::blocker(
                    CODE,
                    format!("the dictionary {} reads column {column} of {source}", table.name),
                    "the next time it is loaded it fails, and with it every query and insert that looks something up in it",
                    format!("make {} without {column} first, then plan again", table.name),
                ));
            }
        }
    }
    findings
}
