//! Reads statements into acts.

mod clickhouse;
mod postgres;
mod postgres_lexer;
mod postgres_nested;
mod postgres_session;
mod postgres_upkeep;
mod syntax;

use std::ops::Range;

pub(super) use postgres_lexer::PostgresLexer;

use super::dialect::Dialect;
use super::pieces::{Unread, split};
use super::statement::{Act, Named, Reach, Statement, What};
use crate::ddl::DdlError;
use crate::ddl::lexer::TokenKind;
use crate::ddl::reader::Reader;

/// The statements of a text and the places that cannot be read.
pub(super) fn statements(text: &str, dialect: Dialect) -> (Vec<Statement>, Vec<Unread>) {
    let (mut pieces, mut unread) = split(text, dialect);
    if dialect == Dialect::Postgres {
        pieces = postgres_nested::whole_bodies(text, pieces);
    }
    let mut statements: Vec<Statement> = Vec::with_capacity(pieces.len());
    let mut judge = syntax::Judge::default();
    for piece in pieces {
        let sql = &text[piece.span.clone()];
        let mut cursor = Cursor { reader: Reader::of(sql, piece.tokens.clone()), sql, offset: piece.span.start };
        let mut wrong: Vec<Unread> = piece.bad_bracket.iter().cloned().collect();
        let acts = match read(&mut cursor, dialect, &mut wrong) {
            Ok(acts) => acts,
            Err(error) => {
                let unread = cursor.unread(&error);
                if wrong.is_empty() {
                    wrong.push(unread);
                }
                Vec::new()
            }
        };
        if dialect == Dialect::Postgres && wrong.is_empty() {
            wrong.extend(judge.complaint(sql, &piece));
        }
        unread.extend(wrong);
        statements.push(Statement { span: piece.span, comments: piece.comments, acts, transaction: None });
    }
    number_transactions(&mut statements);
    unread.sort_by_key(|unread| unread.span.start);
    (statements, unread)
}

fn read(cursor: &mut Cursor<'_>, dialect: Dialect, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    match dialect {
        Dialect::ClickHouse => clickhouse::read(cursor, wrong),
        Dialect::Postgres => postgres::read(cursor, wrong),
    }
}

/// A statement that begins or ends a transaction is in none; a second `BEGIN` changes nothing.
fn number_transactions(statements: &mut [Statement]) {
    let (mut number, mut open) = (0, false);
    for statement in statements {
        let mut bounds = statement.acts.iter().filter(|act| matches!(act.what, What::Begin | What::End)).peekable();
        statement.transaction = (open && bounds.peek().is_none()).then_some(number);
        for bound in bounds {
            let begins = matches!(bound.what, What::Begin);
            number += usize::from(begins && !open);
            open = begins;
        }
    }
}

/// No server takes longer names, and findings repeat them.
const NAME_BYTES_MAX: usize = 1_000;

/// A reader of one statement, with the place of that in the file.
pub(super) struct Cursor<'a> {
    reader: Reader<'a>,
    sql: &'a str,
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn start(&self) -> usize {
        self.offset + self.reader.peek(0).map_or(0, |token| token.span.start)
    }

    fn end(&self) -> usize {
        self.offset + self.reader.behind(1).map_or(0, |token| token.span.end)
    }

    fn span(&self, span: &Range<usize>) -> Range<usize> {
        span.start + self.offset..span.end + self.offset
    }

    fn unread(&self, error: &DdlError) -> Unread {
        Unread { span: self.span(&error.span()), message: error.to_string() }
    }

    /// `[database.]table`, in PostgreSQL with a schema; of three names the last two count.
    fn name(&mut self) -> Result<Named, DdlError> {
        let start = self.start();
        let mut parts = vec![self.reader.identifier()?];
        while self.reader.take_symbol(".") {
            parts.push(self.reader.identifier()?);
        }
        if self.end() - start > NAME_BYTES_MAX {
            return Err(self.reader.error("the name before this is too long"));
        }
        let sql = self.reader.text_at(start - self.offset..self.end() - self.offset).text;
        let table = parts.pop().unwrap_or_default();
        Ok(Named { sql, database: parts.pop(), table })
    }

    /// Steps over `IF [NOT] EXISTS`.
    fn skip_if_exists(&mut self) {
        if !self.reader.take(&["IF", "NOT", "EXISTS"]) {
            self.reader.take(&["IF", "EXISTS"]);
        }
    }

    /// The items of `(a, b)`, which comes next.
    fn bracketed(&mut self) -> Result<Vec<Piecewise>, DdlError> {
        self.reader.expect_symbol("(")?;
        let mut items = Vec::new();
        while !self.reader.take_symbol(")") {
            let item = self.reader.item("an item", |_| false)?;
            items.push(Piecewise { text: item.text });
            if !self.reader.take_symbol(",") {
                self.reader.expect_symbol(")")?;
                break;
            }
        }
        Ok(items)
    }

    /// What stands in the brackets that come next; the reader goes behind them.
    fn within_brackets(&mut self) -> Result<Cursor<'a>, DdlError> {
        self.reader.expect_symbol("(")?;
        let (mut tokens, mut depth) = (Vec::new(), 0_usize);
        while let Some(token) = self.reader.peek(0).cloned() {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close if depth == 0 => break,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
            tokens.push(token);
            self.reader.advance();
        }
        self.reader.expect_symbol(")")?;
        Ok(Cursor { reader: Reader::of(self.sql, tokens), sql: self.sql, offset: self.offset })
    }

    /// Whether a word that is still to come is one of those that are looked for, in lower case.
    fn names_any(&self, wanted: impl Fn(&str) -> bool) -> bool {
        (0..).map_while(|ahead| self.reader.peek(ahead)).any(|token| {
            let is_word = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
            is_word && wanted(&self.reader.text_of(token).to_ascii_lowercase())
        })
    }

    /// Goes to where `stop` says so outside of brackets, or to the end.
    fn skip_outside_brackets(&mut self, stop: impl Fn(&Reader<'_>) -> bool) {
        let mut depth = 0_usize;
        while let Some(kind) = self.reader.kind(0) {
            if depth == 0 && stop(&self.reader) {
                return;
            }
            match kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.reader.advance();
        }
    }

    /// Which rows the rest of the statement is for; the reader goes to its end.
    fn reach(&mut self) -> Reach {
        let mut condition: Option<Vec<(TokenKind, String)>> = None;
        let (mut depth, mut limited) = (0_usize, false);
        while let Some(kind) = self.reader.kind(0) {
            match kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            limited |= self.reader.sees_any(&["LIMIT"]);
            if let Some(condition) = &mut condition {
                condition.push((kind, self.reader.text(0).to_ascii_lowercase()));
            } else if depth == 0 && self.reader.sees_any(&["WHERE"]) {
                condition = Some(Vec::new());
            }
            self.reader.advance();
        }
        match condition {
            _ if limited => Reach::Bounded,
            None => Reach::All,
            Some(condition) => reach_of(&condition),
        }
    }

    fn act(&self, what: What, table: Option<Named>, start: usize) -> Act {
        Act { what, table, span: start..self.end(), on_cluster: false }
    }
}

/// An item between commas.
struct Piecewise {
    text: String,
}

fn reach_of(condition: &[(TokenKind, String)]) -> Reach {
    let words: Vec<&str> = condition.iter().map(|(_, text)| text.as_str()).collect();
    if matches!(words.as_slice(), ["1" | "true"] | ["1", "=", "1"] | ["(", "1", "=", "1", ")"]) {
        return Reach::All;
    }
    let is_value =
        |at: usize| condition.get(at).is_some_and(|(kind, _)| matches!(kind, TokenKind::Number | TokenKind::String));
    let is_id = |word: &str| {
        let name = word.trim_matches(['"', '`']);
        name == "pk" || name.ends_with("id")
    };
    let names_rows = words.windows(2).enumerate().any(|(at, pair)| {
        let behind = match pair[1] {
            "=" => at + 2,
            "in" if words.get(at + 2) == Some(&"(") => at + 3,
            _ => return false,
        };
        is_id(pair[0]) && is_value(behind)
    });
    let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
    let alternatives = has(&["or"]);
    let bounded = names_rows || has(&["between"]) || has(&[">", ">="]) && has(&["<", "<="]);
    if bounded && !alternatives { Reach::Bounded } else { Reach::Some }
}
