//! What each `ALTER TABLE` does to stored data, and how it is undone.
//!
//! [`ROWS`] is the one source: the planner's class of a change, the page `docs/alters.md` and the test that runs every row on
//! a real server all come from it. What the table at hand decides (is it a key column? is it the type that the column has?)
//! is decided by [`classify`]; without a table, the weightier class is taken.

mod against;
mod document;
mod rows;

use std::fmt;

pub use document::document;
pub use rows::{EXAMPLE_TABLE, ROWS};

use crate::catalog::Table;
use crate::ddl::{AlterCommand, Alteration, Form};

/// What a change costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The definition changes, no part does.
    MetadataOnly,
    /// Whole parts come, go, or are linked; none is rewritten.
    Parts,
    /// Every part concerned is written anew or cloned under a new name, by a mutation.
    Mutation,
    /// The server cannot do it in place: a new table, a copy and a swap on every shard.
    Rebuild,
    /// Rows must move to other shards.
    Reshard,
    /// The server refuses it for such a table.
    Refused,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MetadataOnly => "metadata only",
            Self::Parts => "parts",
            Self::Mutation => "mutation",
            Self::Rebuild => "rebuild",
            Self::Reshard => "reshard",
            Self::Refused => "refused",
        })
    }
}

/// How a change is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// By this SQL, in which `{table}`, `{name}`, `{to}` and `{type}` (the column's type before) stand for what the change is about.
    Sql(&'static str),
    /// By this SQL, with what only the definition before the change tells.
    Before(&'static str),
    /// Not at all, for this reason.
    None(&'static str),
}

/// What is known of one form of command.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The form.
    pub form: Form,
    /// How it is written.
    pub syntax: &'static str,
    /// What it costs on a table of the `MergeTree` family.
    pub class: Class,
    /// Whether a `Distributed` table takes it too. There it changes the definition and nothing else.
    pub distributed: bool,
    /// How it is taken back.
    pub undo: Undo,
    /// Why it is of its class, in one line.
    pub why: &'static str,
    /// What follows `ALTER TABLE {t}` on [`EXAMPLE_TABLE`].
    pub example: &'static str,
    /// What must have been done there before: whole statements.
    pub first: &'static [&'static str],
    /// Words of the server's refusal, where it refuses the example. For a class other than rebuild and refused it is the example
    /// that lacks something, such as a second disk.
    pub refusal: Option<&'static str>,
}

/// A command with what is known of it.
#[derive(Debug, Clone)]
pub struct Classified {
    /// Its row; the form there may say more than the command's own.
    pub row: &'static Row,
    /// The SQL that takes it back, or why there is none.
    pub undo: Result<String, &'static str>,
}

/// The row of a form.
pub fn row(form: Form) -> &'static Row {
    // Every form has its row, which a test holds; the first is never meant.
    ROWS.iter().find(|row| row.form == form).unwrap_or(&ROWS[0])
}

/// What each known command of a statement does; with the table as it is now, exactly.
pub fn classify(alteration: &Alteration, table: Option<&Table>) -> Vec<Classified> {
    let classified = |command: &AlterCommand| {
        let row = row(against::form(command, alteration, table));
        Classified { row, undo: undo(row, command, alteration, table) }
    };
    alteration.commands.iter().map(classified).collect()
}

fn undo(
    row: &Row,
    command: &AlterCommand,
    alteration: &Alteration,
    table: Option<&Table>,
) -> Result<String, &'static str> {
    let template = match row.undo {
        Undo::Sql(template) | Undo::Before(template) => template,
        Undo::None(why) => return Err(why),
    };
    let quoted = |name: &Option<String>| name.as_deref().map(crate::names::quote_identifier);
    let mut sql = template.replace("{table}", &alteration.table.sql());
    for (placeholder, value) in
        [("{name}", quoted(&command.subject)), ("{to}", quoted(&command.to)), ("{type}", type_before(command, table))]
    {
        if let Some(value) = value {
            sql = sql.replace(placeholder, &value);
        }
    }
    Ok(sql)
}

fn type_before(command: &AlterCommand, table: Option<&Table>) -> Option<String> {
    let name = command.subject.as_deref()?;
    Some(table?.columns.iter().find(|column| column.name == name)?.kind.clone())
}

#[cfg(test)]
mod tests;
