//! Other types of columns that keys need: what a server refuses in place.

use crate::catalog::Table;
use crate::change::Change;
use crate::classify::classify;
use crate::ddl::{AlterCommand, Alteration, Form, read_alteration};
use crate::names::TableName;
use crate::snapshot::Snapshot;

/// The change that an ALTER asks for, if it gives columns of keys other types and does nothing else.
pub(super) fn change(sql: &str, snapshot: &Snapshot) -> Option<Change> {
    let alteration = read_alteration(sql).ok().filter(|read| read.unknown.is_empty() && !read.commands.is_empty())?;
    let mut change = Change::of_alter(&alteration, sql, snapshot).ok()?;
    let types: Option<Vec<(String, String)>> =
        needing_rebuild(&alteration, &change.table, snapshot).into_iter().map(|command| declared(command?)).collect();
    change.wanted.types = types?;
    Some(change)
}

/// Columns of `commands`, as they follow `ALTER TABLE t`, of which a key column gets another type. The commands that do are taken out.
pub(super) fn taken_out(commands: &mut Vec<String>, table: &TableName, snapshot: &Snapshot) -> Vec<String> {
    let mut columns = Vec::new();
    commands.retain(|command| {
        let Ok(alteration) = read_alteration(&format!("ALTER TABLE {} {command}", table.sql())) else { return true };
        let found = needing_rebuild(&alteration, table, snapshot);
        let [Some(AlterCommand { subject: Some(column), .. })] = found.as_slice() else { return true };
        columns.push(column.clone());
        false
    });
    columns
}

/// Command by command, those that give a column of a key a type that the server does not give it in place.
fn needing_rebuild<'a>(
    alteration: &'a Alteration,
    table: &TableName,
    snapshot: &Snapshot,
) -> Vec<Option<&'a AlterCommand>> {
    let local: Option<&Table> = snapshot.replicas.keys().find_map(|id| snapshot.table(*id, table));
    let classified = classify(alteration, local);
    let pairs = alteration.commands.iter().zip(classified);
    pairs.map(|(command, found)| (found.row.form == Form::ModifyKeyColumnType).then_some(command)).collect()
}

/// Column and type, if the command declares nothing beside them.
fn declared(command: &AlterCommand) -> Option<(String, String)> {
    let kind = command.declared_type.as_ref().filter(|kind| command.text.text.ends_with(&kind.text))?;
    Some((command.subject.clone()?, kind.text.clone()))
}
