//! The commands of one ALTER as servers take them: each for one column, and in an order in which none misses what another one does.

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
pub(super) fn in_order(mut commands: Vec<AlterCommand>, table: Option<&Table>) -> Vec<AlterCommand> {
    let mut ordered = Vec::new();
    while !commands.is_empty() {
        let waits = |at: usize| {
            let others = commands.iter().enumerate().filter(|(other, _)| *other != at);
            others.into_iter().any(|(_, other)| comes_first(other, &commands[at], table))
        };
        let next = (0..commands.len()).find(|at| !waits(*at)).unwrap_or(0);
        ordered.push(commands.remove(next));
    }
    ordered
}

/// Whether `one` must come before `other`, wherever they stand.
fn comes_first(one: &AlterCommand, other: &AlterCommand, table: Option<&Table>) -> bool {
    let Some(column) = one.subject.as_deref() else { return false };
    match (one.form, other.form) {
        (Form::DropColumn, Form::DropColumn) => {
            let is_it = |known: &&crate::catalog::Column| known.name == column;
            let default = table.and_then(|table| table.columns.iter().find(is_it)).map(|it| &it.default_expression);
            let needed = other.subject.as_deref().filter(|needed| *needed != column);
            default.zip(needed).is_some_and(|(default, needed)| computes_with(default, needed))
        }
        (Form::AddColumn, Form::AddColumn) => {
            declaration(&other.text.text).is_ok_and(|declared| declared.after().as_deref() == Some(column))
        }
        (Form::AddColumn, Form::AddIndex | Form::AddProjection | Form::AddConstraint) => {
            speaks_of(&other.text.text, column)
        }
        (Form::AddColumn, form) => form.is_about_column() && other.subject.as_deref() == Some(column),
        _ => false,
    }
}
