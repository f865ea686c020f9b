//! Finds the tables that a query reads, and every place where it names one.

use std::collections::BTreeSet;

use super::error::DdlError;
use super::lexer::TokenKind;
use super::passing::TableFunction;
use super::quoting::name_of;
use super::reader::Reader;
use super::statement::Name;

/// Every place where a query names a table that it reads, in order: after FROM and JOIN, and `database.table` after IN. Names of
/// common table expressions and what stands within table functions are left out. What stands before the query, such as `INSERT
/// INTO t`, is stepped over.
pub fn table_places(query: &str) -> Result<Vec<Name>, DdlError> {
    let mut reader = Reader::new(query)?;
    Sources::default().read(&mut reader).map(|sources| sources.places)
}

/// The table functions in a query that lead to tables of a server, in order.
pub fn table_functions(query: &str) -> Result<Vec<TableFunction>, DdlError> {
    let mut reader = Reader::new(query)?;
    Sources::default().read(&mut reader).map(|sources| sources.functions)
}

/// The tables that a query reads, each once, in order of first appearance, and the table functions that lead to others.
pub(super) fn sources(reader: &mut Reader<'_>) -> Result<(Vec<Name>, Vec<TableFunction>), DdlError> {
    Sources::default().read(reader).map(|sources| (sources.found, sources.functions))
}

pub(super) fn begins_query(reader: &Reader<'_>, ahead: usize) -> bool {
    reader.text(ahead) == "(" || ["SELECT", "WITH", "FROM"].iter().any(|word| reader.sees_word(ahead, word))
}

/// Deeper brackets than this are refused; servers refuse them too (`max_parser_depth`).
const DEPTH_MAX: usize = 1_000;

/// Where within a query the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    /// A table is due.
    Table,
    /// Behind a table, where a comma announces another one.
    BehindTable,
    Other,
}

/// The state within one pair of brackets.
struct Frame {
    clause: Clause,
    is_query: bool,
    /// The common table expression that this pair of brackets defines.
    defines: Option<String>,
    /// Names of the common table expressions defined here so far.
    expressions: BTreeSet<String>,
}

impl Frame {
    fn new(clause: Clause, defines: Option<String>) -> Self {
        Self { clause, is_query: false, defines, expressions: BTreeSet::new() }
    }
}

struct Sources {
    found: Vec<Name>,
    places: Vec<Name>,
    functions: Vec<TableFunction>,
    known: BTreeSet<(Option<String>, String)>,
    frames: Vec<Frame>,
    frame: Frame,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            places: Vec::new(),
            functions: Vec::new(),
            known: BTreeSet::new(),
            frames: Vec::new(),
            frame: Frame::new(Clause::Other, None),
        }
    }
}

impl Sources {
    /// Reads a query to its end. Subqueries are kept on a stack of our own, so their depth does no harm.
    fn read(mut self, reader: &mut Reader<'_>) -> Result<Self, DdlError> {
        let mut first = true;
        while !reader.at_end() {
            match reader.kind(0) {
                Some(TokenKind::Open) => self.open(reader)?,
                Some(TokenKind::Close) => self.close(),
                Some(TokenKind::Comma) if self.frame.clause == Clause::BehindTable => self.frame.clause = Clause::Table,
                Some(TokenKind::Word | TokenKind::QuotedIdentifier) if self.frame.clause == Clause::Table => {
                    self.table(reader)?;
                    first = false;
                    continue;
                }
                Some(TokenKind::Word) if reader.sees(&["IN"]) => self.set(reader)?,
                Some(TokenKind::Word) => self.word(reader, first),
                _ => {}
            }
            first = reader.kind(0) == Some(TokenKind::Open);
            reader.advance();
        }
        Ok(self)
    }

    fn open(&mut self, reader: &Reader<'_>) -> Result<(), DdlError> {
        if self.frames.len() == DEPTH_MAX {
            return Err(reader.error(format!("brackets are nested deeper than {DEPTH_MAX}")));
        }
        let defines = if self.frame.is_query { defined_name(reader) } else { None };
        let table_within = self.frame.clause == Clause::Table && !begins_query(reader, 1);
        if self.frame.clause == Clause::Table {
            self.frame.clause = Clause::BehindTable;
        }
        let frame = Frame::new(if table_within { Clause::Table } else { Clause::Other }, defines);
        self.frames.push(std::mem::replace(&mut self.frame, frame));
        Ok(())
    }

    fn close(&mut self) {
        let Some(outer) = self.frames.pop() else { return };
        let closed = std::mem::replace(&mut self.frame, outer);
        self.frame.expressions.extend(closed.defines);
    }

    /// `IN database.table`, or with brackets as new servers write it. Bare names may be columns.
    fn set(&mut self, reader: &mut Reader<'_>) -> Result<(), DdlError> {
        let is_name = |ahead| matches!(reader.kind(ahead), Some(TokenKind::Word | TokenKind::QuotedIdentifier));
        let bracket = usize::from(reader.text(1) == "(");
        let ends = if bracket == 1 { reader.text(5) == ")" } else { !matches!(reader.text(4), "(" | ".") };
        if !(is_name(1 + bracket) && reader.text(2 + bracket) == "." && is_name(3 + bracket) && ends) {
            return Ok(());
        }
        let place = reader.place();
        reader.return_to(place + 1 + bracket);
        let name = reader.name()?;
        self.add(name);
        reader.return_to(place);
        Ok(())
    }

    fn table(&mut self, reader: &mut Reader<'_>) -> Result<(), DdlError> {
        let name = reader.name()?;
        self.frame.clause = Clause::BehindTable;
        if reader.text(0) == "(" {
            if let Some(view) = view_with_parameters(&name) {
                self.add(view);
                return Ok(());
            }
            let arguments = reader.place();
            self.functions.extend(TableFunction::read(&name.table, reader)?);
            reader.return_to(arguments);
        } else if !self.is_expression(&name) {
            self.add(name);
        }
        Ok(())
    }

    fn add(&mut self, name: Name) {
        self.places.push(name.clone());
        if self.known.insert((name.database.clone(), name.table.clone())) {
            self.found.push(name);
        }
    }

    fn is_expression(&self, name: &Name) -> bool {
        let mut frames = self.frames.iter().chain(std::iter::once(&self.frame));
        name.database.is_none() && frames.any(|frame| frame.expressions.contains(&name.table))
    }

    fn word(&mut self, reader: &Reader<'_>, first: bool) {
        const AFTER_TABLES: [&str; 14] = [
            "WHERE",
            "PREWHERE",
            "GROUP",
            "HAVING",
            "ORDER",
            "LIMIT",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "SETTINGS",
            "USING",
            "WINDOW",
            "QUALIFY",
            "ARRAY",
        ];
        let before = reader.text_behind(1);
        if before == "." || before.eq_ignore_ascii_case("AS") && !first {
            return;
        }
        if reader.sees_any(&["SELECT", "WITH"]) {
            self.frame.is_query = true;
            self.frame.clause = Clause::Other;
        } else if reader.sees(&["FROM"]) && (first || self.frame.is_query && !before.eq_ignore_ascii_case("DISTINCT")) {
            self.frame.is_query = true;
            self.frame.clause = Clause::Table;
        } else if reader.sees(&["JOIN"]) && !before.eq_ignore_ascii_case("ARRAY") {
            self.frame.clause = Clause::Table;
        } else if reader.sees_any(&AFTER_TABLES) {
            self.frame.clause = Clause::Other;
        }
    }
}

/// A name before a bracket, if it is that of a view: no function is in a database. Servers write both as one name, quoted.
fn view_with_parameters(name: &Name) -> Option<Name> {
    let mut view = name.clone();
    if view.database.is_none() {
        let (database, table) = name.table.split_once('.')?;
        (view.database, view.table) = (Some(database.to_owned()), table.to_owned());
    }
    Some(view)
}

/// The `name` of `name AS (SELECT …)`, if the next token is this bracket.
fn defined_name(reader: &Reader<'_>) -> Option<String> {
    if !reader.text_behind(1).eq_ignore_ascii_case("AS") || !begins_query(reader, 1) {
        return None;
    }
    name_of(reader.behind(2)?.kind, reader.text_behind(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(query: &str) -> Vec<&str> {
        table_places(query).unwrap().into_iter().map(|name| &query[name.span]).collect()
    }

    #[test]
    fn every_place_counts_not_only_the_first() {
        assert_eq!(
            places("SELECT a FROM t JOIN d.`t` AS x USING a WHERE b IN (SELECT b FROM t) AND c IN d.t"),
            ["t", "d.`t`", "t", "d.t"]
        );
        assert_eq!(places("WITH t AS (SELECT 1) SELECT * FROM t, d.t"), ["d.t"]);
        assert_eq!(places("INSERT INTO t (a) SELECT a FROM u"), ["u"]);
        assert_eq!(places("SELECT count() FROM remote('h', d.t)"), Vec::<&str>::new());
    }
}
