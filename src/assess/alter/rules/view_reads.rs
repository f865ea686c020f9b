//! SW064: a view reads a column that goes.

use super::dependent_fails::stays_the_same;
use super::reader::{Reader, asks_for, columns_gone, leading, speaks_of, trials, views};
use crate::assess::{AlterCase, Finding};

pub(super) const CODE: &str = "SW064";

/// Views bind by name: without the column every query of an ordinary one fails, and every insert that a materialized one sees.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let leading = leading(case);
    let mut findings = Vec::new();
    for reader in views(case) {
        let Some(source) = reader.sources.iter().find(|source| leading.contains(source)) else { continue };
        let select = &reader.view.select.text;
        for column in columns_gone(case) {
            if !asks_for(select, column) && !speaks_of(select, column) {
                continue;
            }
            let (kind, fails) = if reader.view.materialized {
                ("materialized view", "every insert into the table would fail, or the server refuses the ALTER")
            } else {
                ("view", "every query of the view would fail")
            };
            if does_without(case, &reader) {
                findings.push(Finding::note(
                    CODE,
                    format!("the {kind} {} has the name {column}, and does without column {column} of {source}", reader.table.name),
                    "tried on empty tables of the same definitions, its query works after the change, gives the same columns, and takes \
                     them from the same tables",
                    "nothing is to be done",
                ));
                continue;
            }
            findings.push(Finding::blocker(
                CODE,
                format!("the {kind} {} reads column {column} of {source}", reader.table.name),
                format!("views bind by name: without the column {fails}"),
                format!("make {} without {column} first (or drop it), then plan again", reader.table.name),
            ));
        }
    }
    findings
}

/// Whether the trials of all its definitions show that it needs nothing of what goes.
fn does_without(case: &AlterCase<'_>, reader: &Reader<'_>) -> bool {
    let tried = trials(case, &reader.table.name);
    !tried.is_empty() && tried.into_iter().all(stays_the_same)
}
