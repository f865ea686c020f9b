//! What one command of the statement comes to on one table.

use super::error::AlterError;
use super::loss::keeps_values;
use super::mutation::with_mark;
use super::{Claim, Place};
use crate::ddl::lexer::{Token, significant_tokens};
use crate::ddl::{AlterCommand, CreateTable, DEFAULT_KINDS, Declaration, Form, ItemKind, read_declaration};
use crate::names::{TableName, quote_identifier};
use crate::words::{SIMILAR_MAX, are_similar};

/// What a command comes to on a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// These commands, each at its place.
    Send(Vec<(Place, String)>),
    /// Nothing, if this holds.
    Claimed(Claim),
    /// Nothing, for this reason.
    Reached(String),
    /// Nothing, and nothing is to be said.
    Nothing,
}

/// A table as commands are held against it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) table: &'a TableName,
    pub(super) live: &'a CreateTable,
    pub(super) is_local: bool,
    /// Whether the statement names this table.
    pub(super) is_named: bool,
    /// Columns that the same ALTER adds.
    pub(super) added: &'a [String],
    /// Indexes and the like that it drops.
    pub(super) dropped: &'a [String],
    /// Columns among the added ones that this table does without.
    pub(super) left_out: &'a [String],
}

impl Site<'_> {
    fn has(&self, column: &str) -> bool {
        self.live.column_names().any(|name| name == column)
    }

    /// Whether the same ALTER adds the column.
    fn adds(&self, column: &str) -> bool {
        self.added.iter().any(|added| added == column) && !self.leaves_out(column)
    }

    fn leaves_out(&self, column: &str) -> bool {
        self.left_out.iter().any(|left_out| left_out == column)
    }

    /// A column's declaration, verbatim.
    pub(super) fn declared(&self, column: &str) -> Option<String> {
        let is_it = |kind: &ItemKind| matches!(kind, ItemKind::Column { name } if name == column);
        self.live.items.iter().find(|item| is_it(&item.kind)).map(|item| item.text.text.clone())
    }

    /// An index, projection or constraint of this name, of the kind that a command names: the kind and the declaration.
    fn item(&self, name: &str, command: &str) -> Option<(&'static str, String)> {
        let word = command.split_whitespace().nth(1)?.to_ascii_uppercase();
        self.live.items.iter().find_map(|item| {
            let (kind, known) = match &item.kind {
                ItemKind::Index { name } => ("INDEX", name),
                ItemKind::Projection { name } => ("PROJECTION", name),
                ItemKind::Constraint { name } => ("CONSTRAINT", name),
                _ => return None,
            };
            (known == name && kind == word).then(|| (kind, item.text.text.clone()))
        })
    }

    /// `AFTER` the column before this one, or `FIRST`.
    pub(super) fn place_of(&self, column: &str) -> String {
        let names: Vec<&str> = self.live.column_names().collect();
        match names.iter().position(|name| *name == column) {
            None | Some(0) => "FIRST".to_owned(),
            Some(at) => format!("AFTER {}", quote_identifier(names[at - 1])),
        }
    }

    fn at(&self) -> Place {
        if self.is_local { Place::Local } else { Place::After }
    }

    fn no_column(&self, command: &AlterCommand, column: &str) -> AlterError {
        let like = |name: &&str| are_similar(name, column);
        AlterError::NoColumn {
            table: self.table.clone(),
            column: column.to_owned(),
            command: command.text.text.clone(),
            similar: self.live.column_names().filter(like).take(SIMILAR_MAX).map(str::to_owned).collect(),
        }
    }
}

/// What `command` comes to. `number` tells marks of one statement apart.
pub(super) fn told(site: &Site<'_>, command: &AlterCommand, form: Form, number: usize) -> Result<Told, AlterError> {
    let (text, guarded) = without_guard(&command.text.text)?;
    let subject = command.subject.as_deref().unwrap_or_default();
    match form {
        Form::AddColumn if site.leaves_out(subject) => Ok(Told::Nothing),
        Form::AddColumn => Ok(add(site, subject, &declaration(&text)?)),
        Form::DropColumn => Ok(drop(site, subject)),
        Form::RenameColumn => rename(site, command, subject, guarded),
        Form::ModifyComment => Ok(if site.is_named { send(site, text) } else { Told::Nothing }),
        _ if form.is_about_column() && !site.has(subject) && !site.adds(subject) => match (site.is_local, guarded) {
            (true, false) => Err(site.no_column(command, subject)),
            (true, true) => Ok(Told::Reached(format!("{} has no column {subject}", site.table))),
            (false, _) => Ok(Told::Nothing),
        },
        _ if site.is_local => match form {
            Form::AddIndex | Form::AddProjection | Form::AddConstraint => Ok(add_item(site, subject, text)),
            Form::DropIndex | Form::DropProjection | Form::DropConstraint => Ok(drop_item(site, subject, text)),
            _ if is_removed_already(site, subject, form, &text) => {
                Ok(Told::Reached(format!("{} has nothing that `{text}` would remove", site.table)))
            }
            form if form.is_about_rows() => with_mark(&text, number)
                .map(|text| Told::Send(vec![(Place::Rows, text)]))
                .ok_or_else(|| AlterError::NotPlanned {
                    command: text.clone(),
                    why: "it has no WHERE that can be found".to_owned(),
                }),
            _ => Ok(send(site, text)),
        },
        _ => distributed(site, subject, form, &text),
    }
}

fn send(site: &Site<'_>, text: String) -> Told {
    Told::Send(vec![(site.at(), text)])
}

fn add(site: &Site<'_>, name: &str, wanted: &Declaration) -> Told {
    let wanted = if site.is_local { wanted.clone() } else { wanted.clone().without_storage() };
    if let Some(there) = site.declared(name) {
        let wanted = wanted.unplaced().to_sql(name);
        let trial = vec![format!("MODIFY COLUMN {wanted}")];
        return Told::Claimed(Claim { what: format!("column {name}"), there, wanted, trial });
    }
    // A Distributed table may leave out the column behind which it goes in the local one.
    let knows = |column: &String| site.has(column) || site.adds(column);
    let wanted = if site.is_local || wanted.after().as_ref().is_none_or(knows) { wanted } else { wanted.unplaced() };
    send(site, format!("ADD COLUMN {}", wanted.to_sql(name)))
}

fn drop(site: &Site<'_>, name: &str) -> Told {
    if site.has(name) {
        let place = if site.is_local { Place::Local } else { Place::Before };
        return Told::Send(vec![(place, format!("DROP COLUMN {}", quote_identifier(name)))]);
    }
    if site.is_local { Told::Reached(format!("{} has no column {name}", site.table)) } else { Told::Nothing }
}

/// Indexes, projections and constraints.
fn add_item(site: &Site<'_>, name: &str, text: String) -> Told {
    let Some((kind, there)) = site.item(name, &text).filter(|_| !site.dropped.iter().any(|gone| gone == name)) else {
        return send(site, text);
    };
    Told::Claimed(Claim {
        what: format!("{} {name}", kind.to_ascii_lowercase()),
        there,
        trial: vec![format!("DROP {kind} {}", quote_identifier(name)), text.clone()],
        wanted: text,
    })
}

fn drop_item(site: &Site<'_>, name: &str, text: String) -> Told {
    if site.item(name, &text).is_some() {
        return send(site, text);
    }
    Told::Reached(format!("{} has nothing that `{text}` would drop", site.table))
}

/// Whether the table or the column lacks what is to be removed of it.
fn is_removed_already(site: &Site<'_>, column: &str, form: Form, text: &str) -> bool {
    let clauses = &site.live.engine.clauses;
    match form {
        Form::RemoveTtl => clauses.ttl.is_none(),
        Form::RemoveSampleBy => clauses.sample_by.is_none(),
        Form::ModifyColumnRemove => {
            let word = text.split_whitespace().next_back().unwrap_or_default().to_ascii_uppercase();
            let declared = site.declared(column).and_then(|declared| declaration_of(&declared).ok());
            declared.is_some_and(|declared| !declared.has(&word))
        }
        _ => false,
    }
}

/// A `Distributed` table loses the column before the local ones rename it, and gets it under the new name after that: in between
/// nothing asks a shard for a name that it does not have.
fn rename(site: &Site<'_>, command: &AlterCommand, from: &str, guarded: bool) -> Result<Told, AlterError> {
    let to = command.to.as_deref().unwrap_or_default();
    match (site.declared(from), site.has(to)) {
        (Some(_), true) => {
            Err(AlterError::NameTaken { table: site.table.clone(), from: from.to_owned(), to: to.to_owned() })
        }
        (None, false) if site.is_local && !guarded => Err(site.no_column(command, from)),
        (None, is_there) if site.is_local => Ok(Told::Reached(if is_there {
            format!("{} has a column {to} and none named {from}", site.table)
        } else {
            format!("{} has no column {from}", site.table)
        })),
        (None, _) => Ok(Told::Nothing),
        (Some(_), false) if site.is_local => {
            let sql = format!("RENAME COLUMN {} TO {}", quote_identifier(from), quote_identifier(to));
            Ok(Told::Send(vec![(Place::Local, sql)]))
        }
        (Some(declared), false) => {
            let declared = declaration_of(&declared)?.unplaced().to_sql(to);
            Ok(Told::Send(vec![
                (Place::Before, format!("DROP COLUMN {}", quote_identifier(from))),
                (Place::After, format!("ADD COLUMN {declared} {}", site.place_of(from))),
            ]))
        }
    }
}

/// What of a change of a column concerns a table that stores no rows.
fn distributed(site: &Site<'_>, subject: &str, form: Form, text: &str) -> Result<Told, AlterError> {
    match form {
        Form::ModifyColumnType
        | Form::ModifyColumnSameType
        | Form::ModifyColumnMoreValues
        | Form::ModifyColumnDefault => {
            let wanted = declaration(text)?.without_storage();
            if wanted.kind.is_none() && wanted.parts.is_empty() {
                return Ok(Told::Nothing);
            }
            let place = if takes_less(site, &wanted)? { Place::Before } else { Place::After };
            Ok(Told::Send(vec![(place, format!("MODIFY COLUMN {}", wanted.to_sql(&wanted.name)))]))
        }
        Form::AddEnumValues | Form::CommentColumn | Form::ModifyColumnComment => Ok(send(site, text.to_owned())),
        Form::ModifyColumnRemove if !is_removed_already(site, subject, form, text) => {
            let upper = text.to_ascii_uppercase();
            let removed = DEFAULT_KINDS.iter().chain(&["COMMENT"]);
            let concerns = removed.into_iter().any(|word| upper.trim_end().ends_with(&format!("REMOVE {word}")));
            Ok(if concerns { send(site, text.to_owned()) } else { Told::Nothing })
        }
        _ => Ok(Told::Nothing),
    }
}

/// Whether the column takes no values from then on, or fewer than before: what still comes through the table as it was would be refused
/// by the shards, or cut.
fn takes_less(site: &Site<'_>, wanted: &Declaration) -> Result<bool, AlterError> {
    let Some(declared) = site.declared(&wanted.name) else { return Ok(false) };
    let before = declaration_of(&declared)?;
    let is_computed = |declared: &Declaration| ["MATERIALIZED", "ALIAS", "EPHEMERAL"].iter().any(|it| declared.has(it));
    let is_narrower = before
        .kind
        .as_ref()
        .zip(wanted.kind.as_ref())
        .is_some_and(|(before, wanted)| keeps_values(wanted, before) && !keeps_values(before, wanted));
    Ok(is_computed(wanted) && !is_computed(&before) || is_narrower)
}

/// The command without `IF EXISTS` or `IF NOT EXISTS`, and whether it had that: what is there is known, and old servers do not
/// know the words.
pub(super) fn without_guard(text: &str) -> Result<(String, bool), AlterError> {
    let tokens = tokens(text)?;
    let word = |at: usize, wanted: &str| {
        tokens.get(at).is_some_and(|token| text[token.span.clone()].eq_ignore_ascii_case(wanted))
    };
    let is_column = word(1, "COLUMN");
    let length = match (is_column && word(2, "IF"), word(3, "EXISTS"), word(3, "NOT") && word(4, "EXISTS")) {
        (true, true, _) => 2,
        (true, _, true) => 3,
        _ => return Ok((text.to_owned(), false)),
    };
    let (from, to) = (tokens[2].span.start, tokens.get(2 + length).map_or(text.len(), |token| token.span.start));
    Ok((format!("{}{}", &text[..from], &text[to..]), true))
}

/// What follows the head of `ADD COLUMN …` or `MODIFY COLUMN …`.
pub(super) fn declaration(command: &str) -> Result<Declaration, AlterError> {
    let tokens = tokens(command)?;
    declaration_of(tokens.get(2).map_or("", |token| &command[token.span.start..]))
}

pub(super) fn declaration_of(text: &str) -> Result<Declaration, AlterError> {
    read_declaration(text)
        .map_err(|source| AlterError::Unreadable { what: format!("`{text}`"), source: Box::new(source) })
}

fn tokens(text: &str) -> Result<Vec<Token>, AlterError> {
    significant_tokens(text)
        .map_err(|source| AlterError::Unreadable { what: format!("`{text}`"), source: Box::new(source) })
}
