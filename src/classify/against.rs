//! What a command is for the table at hand.

use crate::catalog::Table;
use crate::ddl::{AlterCommand, Alteration, Form, columns_of, key_items};

/// The form that a command has for `table`; that of its words where nothing is known of the table.
pub(super) fn form(command: &AlterCommand, alteration: &Alteration, table: Option<&Table>) -> Form {
    match (command.form, table) {
        (Form::ModifyOrderBy, Some(table)) => key_change(command, alteration, table),
        (Form::ModifyOrderBy, None) if appends_own_columns(command, alteration) => Form::AppendOrderBy,
        (Form::DropColumn | Form::ClearColumn, Some(table)) if in_key(command, table) => Form::DropKeyColumn,
        (Form::RenameColumn, Some(table)) if in_key(command, table) => Form::RenameKeyColumn,
        (Form::ModifyColumnType, Some(table)) => type_change(command, table),
        (form, _) => form,
    }
}

fn in_key(command: &AlterCommand, table: &Table) -> bool {
    let keys = [&table.keys.sorting, &table.keys.primary, &table.keys.partition, &table.keys.sampling];
    // A key that cannot be read may need any column.
    let needs = |key: &String| {
        columns_of(key).map_or(true, |columns| columns.iter().any(|c| Some(c) == command.subject.as_ref()))
    };
    keys.into_iter().any(needs)
}

fn type_change(command: &AlterCommand, table: &Table) -> Form {
    let before = table.columns.iter().find(|column| Some(&column.name) == command.subject.as_ref());
    let (Some(before), Some(wanted)) = (before, &command.declared_type) else { return Form::ModifyColumnType };
    let (before, wanted) = (without_blanks(&before.kind), without_blanks(&wanted.text));
    if before == wanted {
        Form::ModifyColumnSameType
    } else if keeps_values(&before, &wanted) {
        Form::ModifyColumnMoreValues
    } else if in_key(command, table) && !(plain(&before) == plain(&wanted) && is_bare_in_keys(command, table)) {
        Form::ModifyKeyColumnType
    } else {
        Form::ModifyColumnType
    }
}

/// The type without `LowCardinality` around it, which leaves the order of values alone.
fn plain(kind: &str) -> &str {
    kind.strip_prefix("LowCardinality(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(kind)
}

/// Whether keys have the column as it is, and in no expression: an expression over it is refused whatever the type.
fn is_bare_in_keys(command: &AlterCommand, table: &Table) -> bool {
    let Some(name) = &command.subject else { return false };
    let keys = [&table.keys.sorting, &table.keys.primary, &table.keys.partition, &table.keys.sampling];
    let mut items = keys.into_iter().flat_map(|key| key_items(key).unwrap_or_default());
    items.all(|item| item == *name || columns_of(&item).is_ok_and(|columns| !columns.contains(name)))
}

/// Blanks mean something only within the names of an Enum's values.
fn without_blanks(kind: &str) -> String {
    let mut quoted = false;
    let keeps = |c: &char| {
        quoted ^= *c == '\'';
        quoted || !c.is_whitespace()
    };
    kind.chars().filter(keeps).collect()
}

/// Whether an Enum has all values of another one of the same width.
fn keeps_values(before: &str, wanted: &str) -> bool {
    let values = |kind: &str| {
        let (name, values) = kind.strip_suffix(')')?.split_once('(')?;
        name.starts_with("Enum").then(|| (name.to_owned(), values.split(',').map(str::to_owned).collect::<Vec<_>>()))
    };
    match (values(before), values(wanted)) {
        (Some((one, before)), Some((other, wanted))) => {
            one == other && before.iter().all(|value| wanted.contains(value))
        }
        _ => false,
    }
}

/// What the server takes: the beginning of the key down to the primary key, or the key with columns of the same ALTER behind it.
fn key_change(command: &AlterCommand, alteration: &Alteration, table: &Table) -> Form {
    let key = |text: &str| key_items(text).unwrap_or_default();
    let wanted = key(wanted_key(command));
    let (sorting, primary) = (key(&table.keys.sorting), key(&table.keys.primary));
    if sorting.starts_with(&wanted) && wanted.len() >= primary.len().max(1) {
        return Form::ShortenOrderBy;
    }
    let appended = wanted.strip_prefix(sorting.as_slice()).filter(|appended| !appended.is_empty());
    let is_new = |item: &String| columns_of(item).is_ok_and(|columns| columns.iter().all(|c| is_added(c, alteration)));
    if appended.is_some_and(|appended| appended.iter().all(is_new)) { Form::AppendOrderBy } else { Form::ModifyOrderBy }
}

fn appends_own_columns(command: &AlterCommand, alteration: &Alteration) -> bool {
    let columns = columns_of(wanted_key(command)).unwrap_or_default();
    columns.last().is_some_and(|column| is_added(column, alteration))
}

/// Added by the same ALTER, without a default: old rows have no other value.
fn is_added(column: &str, alteration: &Alteration) -> bool {
    let adds = |command: &&AlterCommand| {
        command.form == Form::AddColumn && command.subject.as_deref() == Some(column) && command.default.is_none()
    };
    alteration.commands.iter().any(|command| adds(&command))
}

/// What follows `MODIFY ORDER BY`.
fn wanted_key(command: &AlterCommand) -> &str {
    let upper = command.text.text.to_ascii_uppercase();
    let mut at = 0;
    for word in ["MODIFY", "ORDER", "BY"] {
        at = upper[at..].find(word).map_or(at, |found| at + found + word.len());
    }
    command.text.text[at..].trim()
}
