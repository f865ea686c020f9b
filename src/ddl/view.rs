//! Reads which tables a view selects from and writes to.

use super::error::DdlError;
use super::lexer::{TokenKind, unquote};
use super::reader::Reader;
use super::statement::{Name, Text};

/// A view, materialized or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The view.
    pub name: Name,
    /// Whether it is materialized.
    pub materialized: bool,
    /// The table of `TO`. A materialized view without one writes to an inner table of its own.
    pub target: Option<Name>,
    /// The tables after FROM and JOIN, each once, in order. The inserts into the first are what a materialized view
    /// sees. Table functions and the tables within them are left out, as are names of common table expressions.
    pub sources: Vec<Name>,
    /// The query, verbatim.
    pub select: Text,
}

/// Reads `CREATE VIEW` or `CREATE MATERIALIZED VIEW`, as in `system.tables.create_table_query`.
pub fn read_view(create_query: &str) -> Result<View, DdlError> {
    let mut reader = Reader::new(create_query)?;
    reader.expect(&["CREATE"])?;
    reader.take(&["OR", "REPLACE"]);
    let materialized = reader.take(&["MATERIALIZED"]);
    reader.expect(&["VIEW"])?;
    reader.take(&["IF", "NOT", "EXISTS"]);
    let name = reader.name()?;
    reader.skip_uuid()?;
    reader.on_cluster()?;
    let target = read_target(&mut reader)?;
    skip_to_query(&mut reader)?;
    let start = reader.place();
    let select = reader.clause("a query", |_| false)?;
    reader.expect_end()?;
    reader.return_to(start);
    let sources = Sources::default().read(&mut reader)?;
    Ok(View { name, materialized, target, sources, select })
}

/// `[TO [db.]t]`, which comes before columns and engine. Words of a REFRESH clause are stepped over.
fn read_target(reader: &mut Reader<'_>) -> Result<Option<Name>, DdlError> {
    const AFTER_TARGET: [&str; 6] = ["AS", "ENGINE", "POPULATE", "EMPTY", "DEFINER", "SQL"];
    while !reader.at_end() && reader.text(0) != "(" && !reader.sees_any(&AFTER_TARGET) {
        if reader.sees(&["TO", "INNER", "UUID"]) {
            return Ok(None);
        }
        if reader.take(&["TO"]) {
            return reader.name().map(Some);
        }
        reader.advance();
    }
    Ok(None)
}

/// Steps over columns, engine and clauses, and over the `AS` after them.
fn skip_to_query(reader: &mut Reader<'_>) -> Result<(), DdlError> {
    let mut depth = 0_usize;
    while !reader.at_end() {
        match reader.kind(0) {
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth = depth.saturating_sub(1),
            _ if depth == 0 && reader.sees(&["AS"]) && begins_query(reader, 1) => {
                reader.advance();
                return Ok(());
            }
            _ => {}
        }
        reader.advance();
    }
    Err(reader.unexpected("`AS SELECT`"))
}

fn begins_query(reader: &Reader<'_>, ahead: usize) -> bool {
    reader.text(ahead) == "(" || ["SELECT", "WITH", "FROM"].iter().any(|word| reader.sees_word(ahead, word))
}

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
    expressions: Vec<String>,
}

impl Frame {
    fn new(clause: Clause, defines: Option<String>) -> Self {
        Self { clause, is_query: false, defines, expressions: Vec::new() }
    }
}

struct Sources {
    found: Vec<Name>,
    frames: Vec<Frame>,
    frame: Frame,
}

impl Default for Sources {
    fn default() -> Self {
        Self { found: Vec::new(), frames: Vec::new(), frame: Frame::new(Clause::Other, None) }
    }
}

impl Sources {
    /// Reads a query to its end. Subqueries are kept on a stack of our own, so their depth does no harm.
    fn read(mut self, reader: &mut Reader<'_>) -> Result<Vec<Name>, DdlError> {
        let mut first = true;
        while !reader.at_end() {
            match reader.kind(0) {
                Some(TokenKind::Open) => self.open(reader),
                Some(TokenKind::Close) => self.close(),
                Some(TokenKind::Comma) if self.frame.clause == Clause::BehindTable => self.frame.clause = Clause::Table,
                Some(TokenKind::Word | TokenKind::QuotedIdentifier) if self.frame.clause == Clause::Table => {
                    self.table(reader)?;
                    first = false;
                    continue;
                }
                Some(TokenKind::Word) => self.word(reader, first),
                _ => {}
            }
            first = reader.kind(0) == Some(TokenKind::Open);
            reader.advance();
        }
        Ok(self.found)
    }

    fn open(&mut self, reader: &Reader<'_>) {
        let defines = if self.frame.is_query { defined_name(reader) } else { None };
        let table_within = self.frame.clause == Clause::Table && !begins_query(reader, 1);
        if self.frame.clause == Clause::Table {
            self.frame.clause = Clause::BehindTable;
        }
        let frame = Frame::new(if table_within { Clause::Table } else { Clause::Other }, defines);
        self.frames.push(std::mem::replace(&mut self.frame, frame));
    }

    fn close(&mut self) {
        let Some(outer) = self.frames.pop() else { return };
        let closed = std::mem::replace(&mut self.frame, outer);
        self.frame.expressions.extend(closed.defines);
    }

    fn table(&mut self, reader: &mut Reader<'_>) -> Result<(), DdlError> {
        let name = reader.name()?;
        self.frame.clause = Clause::BehindTable;
        let known = |found: &Name| found.database == name.database && found.table == name.table;
        if reader.text(0) != "(" && !self.is_expression(&name) && !self.found.iter().any(known) {
            self.found.push(name);
        }
        Ok(())
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

/// The `name` of `name AS (SELECT …)`, if the next token is this bracket.
fn defined_name(reader: &Reader<'_>) -> Option<String> {
    if !reader.text_behind(1).eq_ignore_ascii_case("AS") || !begins_query(reader, 1) {
        return None;
    }
    match reader.behind(2)?.kind {
        TokenKind::Word => Some(reader.text_behind(2).to_owned()),
        TokenKind::QuotedIdentifier => unquote(reader.text_behind(2)),
        _ => None,
    }
}
