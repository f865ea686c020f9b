//! Reads statements into acts.

mod clickhouse;
mod postgres;
mod reach;
mod syntax;

use std::ops::Range;

pub(super) use postgres::PostgresLexer;
use reach::Word;
pub(super) use reach::of_command;

use super::dialect::Dialect;
use super::pieces::{Unread, split};
use super::statement::{Act, Named, Reach, Statement, What};
use crate::ddl::DdlError;
use crate::ddl::lexer::{Lexer, Token, TokenKind};
use crate::ddl::reader::Reader;

/// The tokens of a piece of a text, comments among them, up to what cannot be read.
pub(super) fn tokens(text: &str, dialect: Dialect) -> Vec<Token> {
    let tokens: Vec<Token> = match dialect {
        Dialect::ClickHouse => Lexer::new(text).map_while(Result::ok).collect(),
        Dialect::Postgres => PostgresLexer::new(text).map_while(Result::ok).collect(),
    };
    tokens.into_iter().filter(|token| token.kind != TokenKind::Whitespace).collect()
}

/// The statements of a text and the places that cannot be read.
pub(super) fn statements(text: &str, dialect: Dialect) -> (Vec<Statement>, Vec<Unread>) {
    let (mut pieces, mut unread) = split(text, dialect);
    if dialect == Dialect::Postgres {
        pieces = postgres::whole_bodies(text, pieces);
    }
    let mut statements: Vec<Statement> = Vec::with_capacity(pieces.len());
    let mut judge = syntax::Judge::default();
    for piece in pieces {
        let sql = &text[piece.span.clone()];
        let reader = Reader::of(sql, piece.tokens.clone());
        let mut cursor = Cursor { reader, sql, offset: piece.span.start, dialect };
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
    dialect: Dialect,
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
        let mut parts = vec![self.name_part()?];
        while self.reader.take_symbol(".") {
            parts.push(self.name_part()?);
        }
        if self.end() - start > NAME_BYTES_MAX {
            return Err(self.reader.error("the name before this is too long"));
        }
        let sql = self.reader.text_at(start - self.offset..self.end() - self.offset).text;
        let table = parts.pop().unwrap_or_default();
        Ok(Named { sql, database: parts.pop(), table })
    }

    /// One part of a name, as the server understands it: PostgreSQL folds what is not quoted to lower case.
    fn name_part(&mut self) -> Result<String, DdlError> {
        let folds = self.dialect == Dialect::Postgres && self.reader.kind(0) == Some(TokenKind::Word);
        let part = self.reader.identifier()?;
        Ok(if folds { part.to_ascii_lowercase() } else { part })
    }

    /// Steps over `IF [NOT] EXISTS`.
    fn skip_if_exists(&mut self) {
        if !self.take_if_not_exists() {
            self.reader.take(&["IF", "EXISTS"]);
        }
    }

    fn take_if_not_exists(&mut self) -> bool {
        self.reader.take(&["IF", "NOT", "EXISTS"])
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
        Ok(Cursor { reader: Reader::of(self.sql, tokens), sql: self.sql, offset: self.offset, dialect: self.dialect })
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
        let from = self.reader.place();
        self.reader.return_to(0);
        let mut words = Vec::new();
        while let Some(token) = self.reader.peek(0) {
            words.push(Word { kind: token.kind, text: self.reader.text_of(token), start: token.span.start });
            self.reader.advance();
        }
        reach::of_rows(&words, from)
    }

    fn act(&self, what: What, table: Option<Named>, start: usize) -> Act {
        Act { what, table, span: start..self.end(), on_cluster: false }
    }
}

/// An item between commas.
struct Piecewise {
    text: String,
}
