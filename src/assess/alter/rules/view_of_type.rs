//! SW071: a materialized view reads a column whose type changes.

use super::reader::{asks_for, speaks_of, views, views_are_lenient};
use crate::assess::{AlterCase, Finding};

pub(super) const CODE: &str = "SW071";

/// The table that the view writes to keeps its type. New servers convert; old ones refuse every insert.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let changed: Vec<&str> = case
        .alter
        .commands
        .iter()
        .filter(|command| command.changes_type())
        .filter_map(|command| command.subject.as_deref())
        .collect();
    let mut findings = Vec::new();
    for reader in views(case).into_iter().filter(|reader| reader.view.materialized) {
        let select = &reader.view.select.text;
        if !reader.sources.contains(&case.alter.change.table) {
            continue;
        }
        for column in changed.iter().filter(|column| asks_for(select, column) || speaks_of(select, column)) {
            let what = format!("the materialized view {} reads column {column}, whose type changes", reader.table.name);
            findings.push(if views_are_lenient(case) {
                Finding::note(
                    CODE,
                    what,
                    "the servers convert what the view gives to the types of its target; a value that does not fit there fails the insert",
                    "change the type in the view's target too, where values may be greater from now on",
                )
            } else {
                Finding::blocker(
                    CODE,
                    what,
                    "these servers do not convert what a view gives: every insert into the table would fail",
                    "drop the view, or have it convert the column to the type of today, before the change; then plan again",
                )
            });
        }
    }
    findings
}
