//! The commands of one ALTER as servers take them: each for one column, and in an order in which none misses what another one does.

use std::collections::BTreeSet;

use super::commands::declaration;
use crate::catalog::Table;
use crate::ddl::{AlterCommand, Form, Text, computes_with, speaks_of};
use crate::names::quote_identifier;

/// `DROP COLUMN n` of a Nested column as a command for each of its parts, which is what servers make of it.
pub(super) fn of_parts(commands: Vec<AlterCommand>, table: Option<&Table>) -> Vec<AlterCommand> {
    commands.into_iter().flat_map(|command| parts(&command, table).unwrap_or_else(|| vec![command])).collect()
}

fn parts(command: &AlterCommand, table: Option<&Table>) -> Option<Vec<AlterCommand>> {
    let whole = command.subject.as_ref().filter(|_| command.form == Form::DropColumn)?;
    let columns = || table.into_iter().flat_map(|table| &table.columns).map(|column| &column.name);
    let is_part = |name: &&String| name.strip_prefix(whole.as_str()).is_some_and(|rest| rest.starts_with('.'));
    let dropped = |name: &String| AlterCommand {
        text: Text { text: format!("DROP COLUMN {}", quote_identifier(name)), span: command.text.span.clone() },
        subject: Some(name.clone()),
        ..command.clone()
    };
    let found: Vec<AlterCommand> = columns().filter(is_part).map(dropped).collect();
    (!found.is_empty() && columns().all(|name| name != whole)).then_some(found)
}

/// The commands in their order, but for those that servers would refuse so.
pub(super) fn in_order(commands: &[AlterCommand], table: Option<&Table>) -> Vec<AlterCommand> {
    let after: Vec<Option<String>> = commands.iter().map(placed_after).collect();
    let all = 0..commands.len();
    let behind = |one: usize| -> Vec<usize> {
        let comes_first =
            |other: &usize| comes_first(&commands[one], &commands[*other], after[*other].as_deref(), table);
        all.clone().filter(|other| *other != one).filter(comes_first).collect()
    };
    let behind: Vec<Vec<usize>> = all.clone().map(behind).collect();
    let mut before = vec![0_usize; commands.len()];
    behind.iter().flatten().for_each(|other| before[*other] += 1);
    let mut left: BTreeSet<usize> = all.collect();
    let mut ordered = Vec::new();
    while let Some(first) = left.first().copied() {
        let next = left.iter().copied().find(|at| before[*at] == 0).unwrap_or(first);
        left.remove(&next);
        behind[next].iter().for_each(|other| before[*other] -= 1);
        ordered.push(commands[next].clone());
    }
    ordered
}

/// The column behind which an added one is placed.
fn placed_after(command: &AlterCommand) -> Option<String> {
    let is_added = command.form == Form::AddColumn;
    is_added.then(|| declaration(&command.text.text).ok()?.after()).flatten()
}

/// Whether `one` must come before `other`, wherever they stand; `after` is the column behind which that is placed.
fn comes_first(one: &AlterCommand, other: &AlterCommand, after: Option<&str>, table: Option<&Table>) -> bool {
    let Some(column) = one.subject.as_deref() else { return false };
    match (one.form, other.form) {
        (Form::DropColumn, Form::DropColumn) => {
            let is_it = |known: &&crate::catalog::Column| known.name == column;
            let default = table.and_then(|table| table.columns.iter().find(is_it)).map(|it| &it.default_expression);
            let needed = other.subject.as_deref().filter(|needed| *needed != column);
            default.zip(needed).is_some_and(|(default, needed)| computes_with(default, needed))
        }
        (Form::AddColumn, Form::AddColumn) => after == Some(column),
        (Form::AddColumn, Form::AddIndex | Form::AddProjection | Form::AddConstraint) => {
            speaks_of(&other.text.text, column)
        }
        (Form::AddColumn, form) => form.is_about_column() && other.subject.as_deref() == Some(column),
        _ => false,
    }
}
