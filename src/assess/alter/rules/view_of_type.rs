//! SW071: a materialized view reads a column whose type changes.

use super::dependent_fails::{Verdict, gives_other_types, verdict};
use super::reader::{Reader, asks_for, chain, speaks_of, trials, views, views_are_lenient};
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
    let chain = chain(case);
    let mut findings = Vec::new();
    for reader in views(case).into_iter().filter(|reader| reader.view.materialized) {
        let select = &reader.view.select.text;
        if !reader.sources.iter().any(|source| chain.contains(source)) {
            continue;
        }
        for column in changed.iter().filter(|column| asks_for(select, column) || speaks_of(select, column)) {
            findings.extend(finding(case, &reader, column));
        }
    }
    findings
}

fn finding(case: &AlterCase<'_>, reader: &Reader<'_>, column: &str) -> Option<Finding> {
    let name = &reader.table.name;
    let what = format!("the materialized view {name} reads column {column}, whose type changes");
    if !views_are_lenient(case) {
        return Some(Finding::blocker(
            CODE,
            what,
            "these servers do not convert what a view gives: every insert into the table would fail",
            "drop the view, or have it convert the column to the type of today, before the change; then plan again",
        ));
    }
    let tried = trials(case, name);
    // Servers convert nothing where the view fails; that is another finding.
    if tried.iter().any(|tried| matches!(verdict(tried), Verdict::Fails(_))) {
        return None;
    }
    let why = "the servers convert what the view gives to the types of its target: a number that does not fit there is cut without an \
               error, another value fails the insert";
    let help = "change the type in the view's target too, where values may be greater from now on";
    let is_other = tried.is_empty() || tried.iter().any(|tried| gives_other_types(tried));
    Some(if is_other { Finding::hazard(CODE, what, why, help) } else { Finding::note(CODE, what, why, help) })
}
