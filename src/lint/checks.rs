//! The CHECK constraints that all files together add, validate and drop, in the order in which the files are given.

use std::collections::{BTreeMap, BTreeSet};

use super::read::PostgresLexer;
use super::statement::{ConstraintKind, Named, Statement, What};
use crate::ddl::lexer::TokenKind;

/// More changes are not kept in mind: what is not known is not relied on.
const CHANGES_MAX: usize = 400;
/// The text of a longer constraint is not understood.
const TOKENS_MAX: usize = 1_000;

/// A place: the file's number and the statement's in it.
pub(super) type At = (usize, usize);

/// What happens to constraints, in order.
#[derive(Default)]
pub(super) struct Checks {
    changes: Vec<Change>,
}

struct Change {
    at: At,
    table: Named,
    /// In lower case.
    constraint: String,
    kind: Kind,
}

enum Kind {
    /// A CHECK that says of these columns that they are not null.
    Added {
        not_null: Vec<String>,
        valid: bool,
    },
    AddedOther,
    /// Of a constraint that a file may have added.
    Validated,
    Dropped,
}

impl Checks {
    pub(super) fn new<'a>(files: impl Iterator<Item = &'a [Statement]>) -> Self {
        let numbered = files.enumerate().flat_map(|(file, statements)| {
            statements.iter().enumerate().map(move |(at, statement)| ((file, at), statement))
        });
        let acts = numbered.flat_map(|(at, statement)| statement.acts.iter().map(move |act| (at, act)));
        let changes = acts.filter_map(|(at, act)| {
            let (constraint, kind) = match &act.what {
                What::AddConstraint { name, kind: ConstraintKind::Check, not_valid, text, .. } => {
                    let kind = Kind::Added { not_null: not_null_columns(text), valid: !not_valid };
                    (name.clone().unwrap_or_default(), kind)
                }
                What::AddConstraint { name: Some(name), .. } => (name.clone(), Kind::AddedOther),
                What::ValidateConstraint { name } => (name.clone(), Kind::Validated),
                What::DropConstraint { name } => (name.clone(), Kind::Dropped),
                _ => return None,
            };
            Some(Change { at, table: act.table.clone()?, constraint: constraint.to_ascii_lowercase(), kind })
        });
        Self { changes: changes.take(CHANGES_MAX).collect() }
    }

    /// Whether a valid CHECK says before a place that a column is not null.
    pub(super) fn say_not_null(&self, table: &Named, column: &str, before: At) -> bool {
        let of_column = |columns: &&[String]| columns.iter().any(|one| one.eq_ignore_ascii_case(column));
        self.valid(table, before).iter().any(of_column)
    }

    /// Whether there is a valid CHECK of a table before a place.
    pub(super) fn any(&self, table: &Named, before: At) -> bool {
        !self.valid(table, before).is_empty()
    }

    /// A constraint that is validated before a place, and that no file adds: nobody knows what it says.
    pub(super) fn unknown(&self, table: &Named, before: At) -> Option<&str> {
        let mut added = BTreeSet::new();
        self.before(table, before).find_map(|change| match change.kind {
            Kind::Validated if !added.contains(&change.constraint) => Some(change.constraint.as_str()),
            Kind::Added { .. } | Kind::AddedOther => {
                added.insert(&change.constraint);
                None
            }
            _ => None,
        })
    }

    /// The columns that each valid CHECK says not to be null.
    fn valid(&self, table: &Named, before: At) -> Vec<&[String]> {
        let mut constraints: BTreeMap<&str, (&[String], bool)> = BTreeMap::new();
        for change in self.before(table, before) {
            match &change.kind {
                Kind::Added { not_null, valid } => _ = constraints.insert(&change.constraint, (not_null, *valid)),
                Kind::Validated => {
                    if let Some((_, valid)) = constraints.get_mut(change.constraint.as_str()) {
                        *valid = true;
                    }
                }
                Kind::AddedOther => {}
                Kind::Dropped => _ = constraints.remove(change.constraint.as_str()),
            }
        }
        constraints.into_values().filter(|(_, valid)| *valid).map(|(columns, _)| columns).collect()
    }

    fn before<'a>(&'a self, table: &Named, before: At) -> impl Iterator<Item = &'a Change> {
        self.changes.iter().take_while(move |change| change.at < before).filter(|change| change.table.is(table))
    }
}

/// The columns of which `CHECK (a IS NOT NULL AND …)` says that they are not null: those that stand so between `AND`s. An `OR`
/// makes nothing sure.
fn not_null_columns(check: &str) -> Vec<String> {
    let Ok(tokens) = PostgresLexer::new(check).take(TOKENS_MAX).collect::<Result<Vec<_>, _>>() else {
        return Vec::new();
    };
    let tokens = tokens.into_iter().filter(|token| token.kind.is_significant());
    let words: Vec<(TokenKind, &str)> = tokens.map(|token| (token.kind, &check[token.span])).collect();
    let is = |at: usize, word: &str| words.get(at).is_some_and(|(_, one)| one.eq_ignore_ascii_case(word));
    let body = 1..words.len().min(closing(&words, 1) + 1);
    let (mut columns, mut open) = (Vec::new(), vec![body]);
    while let Some(span) = open.pop() {
        let within = span.start + 1..span.end.saturating_sub(1);
        if is(span.start, "(") && closing(&words, span.start) + 1 == span.end {
            open.extend(conditions(&words, within));
        } else if span.len() == 4 && is(span.start + 1, "IS") && is(span.start + 2, "NOT") && is(span.start + 3, "NULL")
        {
            columns.push(words[span.start].1.trim_matches('"').to_owned());
        }
    }
    columns
}

/// What stands between the `AND`s of a condition; nothing where an `OR` or `NOT` stands beside them.
fn conditions(words: &[(TokenKind, &str)], span: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    let (mut conditions, mut start, mut at) = (Vec::new(), span.start, span.start);
    while at < span.end {
        let (kind, word) = words[at];
        if kind == TokenKind::Open {
            at = closing(words, at);
        } else if word.eq_ignore_ascii_case("OR") {
            return Vec::new();
        } else if word.eq_ignore_ascii_case("AND") {
            conditions.push(start..at);
            start = at + 1;
        }
        at += 1;
    }
    conditions.push(start..span.end);
    conditions
}

/// The bracket that closes the one at a place; the end if none does.
fn closing(words: &[(TokenKind, &str)], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, (kind, _)) in words.iter().enumerate().skip(open) {
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close if depth <= 1 => return at,
            TokenKind::Close => depth -= 1,
            _ => {}
        }
    }
    words.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_what_is_not_null_between_its_ands() {
        for (check, expected) in [
            ("CHECK (a IS NOT NULL)", &["a"][..]),
            ("CHECK (((\"a\" IS NOT NULL))) NOT VALID", &["a"]),
            ("CHECK (a > 0 AND (b IS NOT NULL) AND c is not null)", &["c", "b"]),
            ("CHECK (a IS NOT NULL OR b IS NOT NULL)", &[]),
            ("CHECK (NOT a IS NOT NULL)", &[]),
            ("CHECK ((a IS NOT NULL) = b)", &[]),
            ("CHECK (pages >= 0)", &[]),
            ("CHECK (", &[]),
            ("CHECK", &[]),
        ] {
            assert_eq!(not_null_columns(check), expected, "{check}");
        }
    }
}
