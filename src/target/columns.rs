//! Columns of two definitions, held against each other.

use super::{Answers, Pair, TargetError};
use crate::ddl::{CreateTable, DEFAULT_KINDS, Declaration, ItemKind, read_declaration};
use crate::names::quote_identifier;

pub(super) const LIVE: &str = "the live definition";
pub(super) const WANTED: &str = "the target";

/// What a declaration says that each has a command of its own: the word, how it is set, and how it is taken away.
const OWN: [&str; 3] = ["COMMENT", "CODEC", "TTL"];

/// The columns of a definition, in order.
#[derive(Debug)]
pub(super) struct Columns(Vec<Declaration>);

impl Columns {
    /// A `Distributed` table stores no rows, and what is declared of storing them means nothing there.
    pub(super) fn read(table: &CreateTable, what: &'static str) -> Result<Self, TargetError> {
        let stores = table.engine.distributed().is_none();
        let read =
            |text: &str| read_declaration(text).map(|column| if stores { column } else { column.without_storage() });
        let declared = table.items.iter().filter(|item| matches!(item.kind, ItemKind::Column { .. }));
        let unreadable = |source| TargetError::Unreadable { what, source: Box::new(source) };
        declared.map(|item| read(&item.text.text).map_err(unreadable)).collect::<Result<_, _>>().map(Self)
    }

    fn get(&self, name: &str) -> Option<&Declaration> {
        self.0.iter().find(|column| column.name == name)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What a person said is renamed. Names may hold `=`, so each is tried.
    pub(super) fn renames(&self, wanted: &Self, answers: Answers<'_>) -> Result<Vec<(String, String)>, TargetError> {
        let mut renames = Vec::new();
        for said in answers.renames {
            let splits: Vec<(&str, &str)> =
                said.match_indices('=').map(|(at, _)| (&said[..at], &said[at + 1..])).collect();
            let is_due =
                |(old, new): &&(&str, &str)| self.has(old) && !wanted.has(old) && wanted.has(new) && !self.has(new);
            let is_done = |(old, new): &(&str, &str)| !self.has(old) && self.has(new) && wanted.has(new);
            match splits.iter().find(is_due) {
                Some((old, new)) => renames.push(((*old).to_owned(), (*new).to_owned())),
                None if splits.iter().any(is_done) => {}
                None => return Err(TargetError::UnknownRename(said.clone())),
            }
        }
        let twice = |at: usize| {
            let (old, new) = &renames[at];
            renames[..at].iter().any(|(one, other): &(String, String)| one == old || other == new)
        };
        match (0..renames.len()).find(|at| twice(*at)) {
            Some(at) => Err(TargetError::UnknownRename(format!("{}={}", renames[at].0, renames[at].1))),
            None => Ok(renames),
        }
    }

    /// Columns that are gone and new ones of their types, of which nobody said that they are the same.
    pub(super) fn pairs(&self, wanted: &Self, renames: &[(String, String)]) -> Vec<Pair> {
        let known = |name: &str| renames.iter().any(|(old, new)| old == name || new == name);
        let gone = self.0.iter().filter(|column| !wanted.has(&column.name) && !known(&column.name));
        let mut pairs = Vec::new();
        for old in gone {
            let is_new = |column: &&Declaration| !self.has(&column.name) && !known(&column.name);
            for new in wanted.0.iter().filter(is_new).filter(|new| new.kind == old.kind) {
                let kind = old.kind.clone().unwrap_or_default();
                pairs.push(Pair { old: old.name.clone(), new: new.name.clone(), kind });
            }
        }
        pairs
    }

    /// Whether a key's item is a column that is added, without a default: old rows have no other value.
    pub(super) fn is_added_bare(&self, wanted: &Self, item: &str) -> bool {
        !self.has(item) && wanted.get(item).is_some_and(|column| column.default().is_none())
    }

    /// Columns that are added and columns that are moved, from the first to the last: the column behind which one is put is at its place.
    pub(super) fn placed(&self, wanted: &Self, removes: bool) -> Vec<String> {
        let moved = self.moved(wanted);
        let last_kept = wanted.0.iter().rposition(|column| self.has(&column.name));
        let mut commands = Vec::new();
        for (at, column) in wanted.0.iter().enumerate() {
            let place = wanted.place(at);
            match self.get(&column.name) {
                None => {
                    let at_end = moved.is_empty() && last_kept.is_some_and(|last| last < at);
                    let declared = column.clone().without("STATISTICS").to_sql(&column.name);
                    let place = if at_end { String::new() } else { format!(" {place}") };
                    commands.push(format!("ADD COLUMN {declared}{place}"));
                }
                Some(live) if moved.contains(&column.name) => {
                    commands.extend(declared(live, column, Some(&place), removes));
                }
                Some(_) => {}
            }
        }
        commands
    }

    pub(super) fn dropped(&self, wanted: &Self) -> Vec<String> {
        let gone = self.0.iter().filter(|column| !wanted.has(&column.name));
        gone.map(|column| format!("DROP COLUMN {}", quote_identifier(&column.name))).collect()
    }

    /// What else becomes of columns that stay, in the target's order.
    pub(super) fn changed(&self, wanted: &Self, removes: bool) -> Result<Vec<String>, TargetError> {
        let moved = self.moved(wanted);
        let mut commands = Vec::new();
        for column in &wanted.0 {
            let Some(live) = self.get(&column.name) else { continue };
            if !moved.contains(&column.name) {
                commands.extend(declared(live, column, None, removes));
            }
            commands.extend(OWN.iter().filter_map(|word| said(live, column, word, removes)));
            if part(live, "SETTINGS") != part(column, "SETTINGS") {
                return Err(TargetError::ColumnSettings(column.name.clone()));
            }
        }
        Ok(commands)
    }

    /// Statistics, which are lists and go last.
    pub(super) fn statistics(&self, wanted: &Self) -> Vec<String> {
        let mut commands = Vec::new();
        for column in &wanted.0 {
            let before = self.get(&column.name).and_then(|live| part(live, "STATISTICS"));
            let after = part(column, "STATISTICS");
            let name = quote_identifier(&column.name);
            let kinds = |text: &str| {
                text.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')')).unwrap_or_default().to_owned()
            };
            commands.extend(match (before, after) {
                (before, after) if before == after => None,
                (None, Some(after)) => Some(format!("ADD STATISTICS {name} TYPE {}", kinds(after))),
                (Some(_), Some(after)) => Some(format!("MODIFY STATISTICS {name} TYPE {}", kinds(after))),
                (_, None) => Some(format!("DROP STATISTICS {name}")),
            });
        }
        commands
    }

    /// Behind the column before it, or `FIRST`.
    fn place(&self, at: usize) -> String {
        match at.checked_sub(1).and_then(|before| self.0.get(before)) {
            Some(before) => format!("AFTER {}", quote_identifier(&before.name)),
            None => "FIRST".to_owned(),
        }
    }

    /// Columns of both that must be put elsewhere: as few as can be, all but the longest run that is in order.
    fn moved(&self, wanted: &Self) -> Vec<String> {
        let kept: Vec<&str> =
            wanted.0.iter().map(|column| column.name.as_str()).filter(|name| self.has(name)).collect();
        let place = |name: &str| self.0.iter().position(|column| column.name == name).unwrap_or_default();
        let places: Vec<usize> = kept.iter().map(|name| place(name)).collect();
        // For each column the length of the longest run that ends with it, and the one before it in that run.
        let mut runs: Vec<(usize, Option<usize>)> = Vec::new();
        for at in 0..places.len() {
            let before = (0..at).filter(|before| places[*before] < places[at]).max_by_key(|before| runs[*before].0);
            runs.push((before.map_or(1, |before| runs[before].0 + 1), before));
        }
        let mut stays = vec![false; kept.len()];
        let mut at = (0..runs.len()).max_by_key(|at| runs[*at].0);
        while let Some(now) = at {
            stays[now] = true;
            at = runs[now].1;
        }
        kept.iter().zip(stays).filter(|(_, stays)| !stays).map(|(name, _)| (*name).to_owned()).collect()
    }
}

/// All of a part of a declaration.
fn part<'a>(column: &'a Declaration, word: &str) -> Option<&'a str> {
    column.parts.iter().find(|(known, _)| known == word).map(|(_, text)| text.as_str())
}

/// Type, default and place, which one command declares.
fn declared(live: &Declaration, wanted: &Declaration, place: Option<&str>, removes: bool) -> Vec<String> {
    let name = quote_identifier(&wanted.name);
    let mut commands = Vec::new();
    let is_gone = wanted.default().is_none() && live.default().is_some();
    if let (true, true, Some((word, _))) = (is_gone, removes, live.parts.iter().find(|(word, _)| is_default(word))) {
        commands.push(format!("MODIFY COLUMN {name} REMOVE {word}"));
    }
    let default_differs = live.default() != wanted.default() && !(is_gone && removes);
    if live.kind != wanted.kind || default_differs || place.is_some() {
        let rest: Vec<&str> = wanted.kind.as_deref().into_iter().chain(wanted.default()).chain(place).collect();
        commands.push(format!("MODIFY COLUMN {name} {}", rest.join(" ")));
    }
    commands
}

fn is_default(word: &str) -> bool {
    DEFAULT_KINDS.contains(&word)
}

/// Comment, codec or TTL.
fn said(live: &Declaration, wanted: &Declaration, word: &str, removes: bool) -> Option<String> {
    let name = quote_identifier(&wanted.name);
    match (part(live, word), part(wanted, word)) {
        (before, after) if before == after => None,
        (_, Some(text)) if word == "COMMENT" => {
            Some(format!("COMMENT COLUMN {name} {}", text[word.len()..].trim_start()))
        }
        (_, Some(text)) => Some(format!("MODIFY COLUMN {name} {text}")),
        (_, None) if word == "COMMENT" && !removes => Some(format!("COMMENT COLUMN {name} ''")),
        (_, None) => Some(format!("MODIFY COLUMN {name} REMOVE {word}")),
    }
}
