//! What a live definition lacks to be a wanted one, as commands of an ALTER.
//!
//! Both come in the words of one server, which created them both in a scratch database: how people spell types, defaults and settings
//! does not show any more. What the commands come to is not believed either: they are tried on a scratch table, and between what comes
//! out there and the target there must be no [`Difference`] left.

mod columns;
mod error;
#[cfg(test)]
mod tests;

pub use error::{Pair, TargetError};

use columns::Columns;

use crate::ddl::{Clauses, CreateTable, Engine, ItemKind, key_items};
use crate::names::quote_identifier;

/// What a person said of columns that come and go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers<'a> {
    /// `OLD=NEW`: values stay under another name.
    pub renames: &'a [String],
    /// Columns that are gone are dropped, and new ones are added, whatever their types.
    pub drop_and_add: bool,
}

/// How two definitions differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What leads from the one to the other, in this order, as far as an ALTER does.
    pub commands: Vec<String>,
    /// The clauses of keys that differ: only a new table has them otherwise.
    pub keys: Vec<&'static str>,
    /// Whether the engines differ.
    pub engine: bool,
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.keys.is_empty() && !self.engine
    }
}

/// The columns that are renamed on the way, old names first: what a person said, and nobody has done yet.
pub fn renames(
    live: &CreateTable,
    wanted: &CreateTable,
    answers: Answers<'_>,
) -> Result<Vec<(String, String)>, TargetError> {
    let (live, wanted) = (Columns::read(live, columns::LIVE)?, Columns::read(wanted, columns::WANTED)?);
    live.renames(&wanted, answers)
}

/// The commands that rename columns.
pub fn rename_commands(renames: &[(String, String)]) -> Vec<String> {
    let command =
        |(old, new): &(String, String)| format!("RENAME COLUMN {} TO {}", quote_identifier(old), quote_identifier(new));
    renames.iter().map(command).collect()
}

/// How `live` differs from `wanted` where `renamed` columns have their new names already. `removes`: whether the server knows
/// `MODIFY COLUMN c REMOVE …`; those that do not take what a declaration leaves out for what is to go.
pub fn difference(
    live: &CreateTable,
    wanted: &CreateTable,
    renamed: &[(String, String)],
    removes: bool,
) -> Result<Difference, TargetError> {
    let (columns, target) = (Columns::read(live, columns::LIVE)?, Columns::read(wanted, columns::WANTED)?);
    let (clauses, wanted_clauses) = (&live.engine.clauses, &wanted.engine.clauses);
    let (mut commands, items_added) = items(live, wanted);
    let (placed, changed) = (columns.placed(&target, removes), columns.changed(&target, removes)?);
    let touches = |command: &&String, name: &str| command.contains(&format!(" COLUMN {} ", quote_identifier(name)));
    for (old, new) in renamed {
        if let Some(command) = placed.iter().chain(&changed).find(|command| touches(command, new)) {
            let (old, new, command) = (old.clone(), new.clone(), command.clone());
            return Err(TargetError::RenamedAndChanged { old, new, command });
        }
    }
    commands.extend(placed);
    commands.extend(changed);
    let appended = appended_key(live, wanted, &columns, &target);
    commands.extend(appended.iter().cloned());
    commands.extend(clauses_changed(clauses, wanted_clauses));
    commands.extend(columns.dropped(&target));
    commands.extend(items_added);
    commands.extend(columns.statistics(&target));
    commands.extend(comment(live, wanted));
    commands.extend(settings(clauses, wanted_clauses));
    Ok(Difference {
        commands,
        keys: keys_that_differ(clauses, wanted_clauses, appended.is_some()),
        engine: engines_differ(&live.engine, &wanted.engine),
    })
}

/// The questions that a person has to answer before the difference is known.
pub fn refuse_guesses(
    live: &CreateTable,
    wanted: &CreateTable,
    renames: &[(String, String)],
    answers: Answers<'_>,
) -> Result<(), TargetError> {
    let (live, wanted) = (Columns::read(live, columns::LIVE)?, Columns::read(wanted, columns::WANTED)?);
    let pairs = live.pairs(&wanted, renames);
    if pairs.is_empty() || answers.drop_and_add { Ok(()) } else { Err(TargetError::Ambiguous(pairs)) }
}

/// Indexes, projections and constraints: those to be dropped first, those to be added last. Their order means nothing.
fn items(live: &CreateTable, wanted: &CreateTable) -> (Vec<String>, Vec<String>) {
    let of = |table: &CreateTable| -> Vec<(&'static str, String, String)> {
        let item = |item: &crate::ddl::Item| {
            let (kind, name) = match &item.kind {
                ItemKind::Index { name } => ("INDEX", name),
                ItemKind::Projection { name } => ("PROJECTION", name),
                ItemKind::Constraint { name } => ("CONSTRAINT", name),
                ItemKind::Column { .. } | ItemKind::PrimaryKey => return None,
            };
            Some((kind, name.clone(), item.text.text.clone()))
        };
        table.items.iter().filter_map(item).collect()
    };
    let (live, wanted) = (of(live), of(wanted));
    let drop = |(kind, name, _): &(&str, String, String)| format!("DROP {kind} {}", quote_identifier(name));
    let dropped = live.iter().filter(|item| !wanted.contains(item)).map(drop).collect();
    let added = wanted.iter().filter(|item| !live.contains(item)).map(|(.., text)| format!("ADD {text}")).collect();
    (dropped, added)
}

/// `MODIFY ORDER BY` where a server can: the key as it is, with columns of the same ALTER behind it, and the same primary key.
fn appended_key(live: &CreateTable, wanted: &CreateTable, columns: &Columns, target: &Columns) -> Option<String> {
    let (before, after) = (&live.engine.clauses, &wanted.engine.clauses);
    let (key, wanted_key) = (sorting(before), sorting(after));
    let appended = wanted_key.strip_prefix(key.as_slice()).filter(|appended| !appended.is_empty())?;
    let is_new = |item: &String| columns.is_added_bare(target, item);
    let in_place = !key.is_empty() && primary(before) == primary(after) && appended.iter().all(is_new);
    let text = after.order_by.as_ref().filter(|_| in_place)?;
    Some(format!("MODIFY ORDER BY {}", text.text))
}

fn clauses_changed(live: &Clauses, wanted: &Clauses) -> Vec<String> {
    let change = |name: &str, live: &Option<crate::ddl::Text>, wanted: &Option<crate::ddl::Text>| match (live, wanted) {
        (Some(_), None) => Some(format!("REMOVE {name}")),
        (live, Some(wanted)) if live.as_ref().is_none_or(|live| items_of(&live.text) != items_of(&wanted.text)) => {
            Some(format!("MODIFY {name} {}", wanted.text))
        }
        _ => None,
    };
    let changes = [change("SAMPLE BY", &live.sample_by, &wanted.sample_by), change("TTL", &live.ttl, &wanted.ttl)];
    changes.into_iter().flatten().collect()
}

/// No comment and an empty one are the same.
fn comment(live: &CreateTable, wanted: &CreateTable) -> Option<String> {
    let text = |table: &CreateTable| table.comment.as_ref().map_or_else(|| "''".to_owned(), |text| text.text.clone());
    (text(live) != text(wanted)).then(|| format!("MODIFY COMMENT {}", text(wanted)))
}

/// Settings that the target gives otherwise, then those that it does not give: they get their defaults.
fn settings(live: &Clauses, wanted: &Clauses) -> Vec<String> {
    let of = |clauses: &Clauses| clauses.settings.as_ref().map_or_else(Vec::new, |settings| items_of(&settings.text));
    let name = |item: &String| item.split('=').next().unwrap_or_default().trim().to_owned();
    let (live, wanted) = (of(live), of(wanted));
    let modified: Vec<String> = wanted.iter().filter(|item| !live.contains(item)).cloned().collect();
    let kept: Vec<String> = wanted.iter().map(name).collect();
    let reset: Vec<String> = live.iter().map(name).filter(|name| !kept.contains(name)).collect();
    let command = |head: &str, items: Vec<String>| (!items.is_empty()).then(|| format!("{head} {}", items.join(", ")));
    [command("MODIFY SETTING", modified), command("RESET SETTING", reset)].into_iter().flatten().collect()
}

fn keys_that_differ(live: &Clauses, wanted: &Clauses, is_appended: bool) -> Vec<&'static str> {
    let partition = |clauses: &Clauses| items_of(clauses.partition_by.as_ref().map_or("", |key| &key.text));
    let differ = [
        ("ORDER BY", sorting(live) != sorting(wanted) && !is_appended),
        ("PRIMARY KEY", primary(live) != primary(wanted)),
        ("PARTITION BY", partition(live) != partition(wanted)),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// A primary key alone is the sorting key too, and the other way round.
fn sorting(clauses: &Clauses) -> Vec<String> {
    items_of(clauses.order_by.as_ref().or(clauses.primary_key.as_ref()).map_or("", |key| &key.text))
}

fn primary(clauses: &Clauses) -> Vec<String> {
    items_of(clauses.primary_key.as_ref().or(clauses.order_by.as_ref()).map_or("", |key| &key.text))
}

/// What stands between commas; all of it where it cannot be read as a list.
fn items_of(text: &str) -> Vec<String> {
    key_items(text).unwrap_or_else(|_| vec![text.to_owned()])
}

/// Names, and arguments that say how rows are merged or where they are. Keeper's are one replica's own.
fn engines_differ(live: &Engine, wanted: &Engine) -> bool {
    let same = match live.distributed() {
        Some(over) => wanted.distributed() == Some(over),
        None => live.merges_as(wanted),
    };
    live.name != wanted.name || !same
}
