//! The tokens of a text in either dialect. Tags of templates are stepped over as comments are.

use std::ops::Range;

use super::Unread;
use crate::ddl::DdlError;
use crate::ddl::lexer::{Lexer, Token, TokenKind};
use crate::lint::dialect::Dialect;
use crate::lint::read::PostgresLexer;

/// A longer tag of a template is none.
const TAG_BYTES_MAX: usize = 4_000;

enum DialectLexer<'a> {
    ClickHouse(Lexer<'a>),
    Postgres(PostgresLexer<'a>),
}

/// The tokens of a text from a place on, which can be moved.
pub(super) struct Tokens<'a> {
    text: &'a str,
    pub(super) dialect: Dialect,
    lexer: DialectLexer<'a>,
    /// Where the lexer began.
    from: usize,
    /// Where the next token begins.
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { text, dialect, lexer: Self::lexer(text, dialect), from: 0, at: 0 }
    }

    fn lexer(text: &'a str, dialect: Dialect) -> DialectLexer<'a> {
        match dialect {
            Dialect::ClickHouse => DialectLexer::ClickHouse(Lexer::new(text)),
            Dialect::Postgres => DialectLexer::Postgres(PostgresLexer::new(text)),
        }
    }

    pub(super) fn go_to(&mut self, at: usize) {
        (self.from, self.at) = (at, at);
        self.lexer = Self::lexer(&self.text[at..], self.dialect);
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(end) = end_of_tag(&self.text[self.at..]) {
            let span = self.at..self.at + end;
            self.go_to(span.end);
            return Some(Ok(Token { kind: TokenKind::Comment, span }));
        }
        let next = match &mut self.lexer {
            DialectLexer::ClickHouse(lexer) => {
                lexer.next()?.map_err(|error: DdlError| Unread { span: error.span(), message: error.to_string() })
            }
            DialectLexer::Postgres(lexer) => lexer.next()?,
        };
        let placed = |span: Range<usize>| self.from + span.start..self.from + span.end;
        let token = next
            .map(|token| Token { kind: token.kind, span: placed(token.span) })
            .map_err(|unread| Unread { span: placed(unread.span), ..unread });
        self.at = token.as_ref().map_or(self.text.len(), |token| token.span.end);
        Some(token)
    }
}

/// The end of the tag `{% if x %}` or the comment `{# … #}` of a template with which a text begins.
fn end_of_tag(text: &str) -> Option<usize> {
    let close = match text.get(..2)? {
        "{%" => "%}",
        "{#" => "#}",
        _ => return None,
    };
    let near = &text[..text.floor_char_boundary(TAG_BYTES_MAX)];
    near[2..].find(close).map(|at| 2 + at + close.len())
}
