//! SW072: queries through a `Distributed` table that name the column fail for a while.

use super::reader::views_are_lenient;
use crate::assess::{AlterCase, Finding};
use crate::ddl::Form;
use crate::words::list;

pub(super) const CODE: &str = "SW072";

/// No order of statements has both names on all shards at once, or one type on all of them.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let change = &case.alter.change;
    if change.distributed.is_empty() {
        return Vec::new();
    }
    let (over, mut findings) = (list(&change.distributed), Vec::new());
    for command in &case.alter.commands {
        let column = command.subject.as_deref().unwrap_or_default();
        match command.form {
            Form::RenameColumn => findings.push(Finding::hazard(
                CODE,
                format!("while {column} is renamed, {over} has it under neither name"),
                "a query or insert that names the column fails meanwhile, at once and in words; others go on. What is inserted without it \
                 gets the default",
                "pause who names the column; or rename it so that nobody notices, with a column beside it: docs/retire.md has the plans",
            )),
            Form::ModifyColumnType => findings.push(Finding::hazard(
                CODE,
                format!("while the type of {column} changes, shards and {over} have different ones"),
                if views_are_lenient(case) {
                    "servers convert values, but not states of aggregate functions: queries through the table such as sum or max of this \
                     column may fail until the plan is at its end"
                } else {
                    "these servers convert nothing that is inserted through the table: such inserts fail until the plan is at its end, and \
                     queries through it may"
                },
                "have what fails tried again, or pause it while the plan is executed",
            )),
            _ => {}
        }
    }
    findings
}
