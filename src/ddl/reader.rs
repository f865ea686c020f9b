//! Walks the tokens of one statement; what the readers of statements share.

use std::ops::Range;

use super::error::DdlError;
use super::lexer::{Token, TokenKind, significant_tokens};
use super::quoting::unquote;
use super::statement::{Name, Text};

/// The significant tokens of a source and a place among them.
pub(crate) struct Reader<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sql: &'a str) -> Result<Self, DdlError> {
        Ok(Self::of(sql, significant_tokens(sql)?))
    }

    /// Over tokens that were read before, of `sql`; all of them significant.
    pub(crate) fn of(sql: &'a str, tokens: Vec<Token>) -> Self {
        Self { sql, tokens, at: 0 }
    }

    /// The token `ahead` places on.
    pub(crate) fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    pub(crate) fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.peek(ahead).map(|token| token.kind)
    }

    /// The source of the token `ahead` places on; empty after the end.
    pub(crate) fn text(&self, ahead: usize) -> &'a str {
        self.peek(ahead).map_or("", |token| self.text_of(token))
    }

    /// The token `places` before the next one.
    pub(crate) fn behind(&self, places: usize) -> Option<&Token> {
        self.tokens.get(self.at.checked_sub(places)?)
    }

    /// The source of the token `places` before the next one; empty before the beginning.
    pub(crate) fn text_behind(&self, places: usize) -> &'a str {
        self.behind(places).map_or("", |token| self.text_of(token))
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(crate) fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len());
    }

    /// Whether the next tokens are these keywords, in any case.
    pub(crate) fn sees(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(ahead, keyword)| self.sees_word(ahead, keyword))
    }

    /// Whether the next token is one of these keywords.
    pub(crate) fn sees_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.sees_word(0, keyword))
    }

    pub(crate) fn sees_word(&self, ahead: usize, keyword: &str) -> bool {
        self.kind(ahead) == Some(TokenKind::Word) && self.text(ahead).eq_ignore_ascii_case(keyword)
    }

    /// Steps over these keywords if they come next.
    pub(crate) fn take(&mut self, keywords: &[&str]) -> bool {
        let seen = self.sees(keywords);
        if seen {
            self.at += keywords.len();
        }
        seen
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let seen = self.text(0) == symbol;
        if seen {
            self.advance();
        }
        seen
    }

    pub(crate) fn expect(&mut self, keywords: &[&str]) -> Result<(), DdlError> {
        keywords.iter().try_for_each(|keyword| {
            if self.take(&[keyword]) { Ok(()) } else { Err(self.unexpected(&format!("`{keyword}`"))) }
        })
    }

    pub(crate) fn expect_symbol(&mut self, symbol: &str) -> Result<(), DdlError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    /// An optional semicolon, then nothing.
    pub(crate) fn expect_end(&mut self) -> Result<(), DdlError> {
        let closed = self.take_symbol(";");
        while self.take_symbol(";") {}
        if self.at_end() {
            return Ok(());
        }
        Err(if closed { self.error("only one statement is read at a time") } else { self.unexpected("the end") })
    }

    /// An error about the next token.
    pub(crate) fn error(&self, message: impl Into<String>) -> DdlError {
        DdlError::new(self.sql, self.here(), message)
    }

    pub(crate) fn unexpected(&self, wanted: &str) -> DdlError {
        self.error(match self.text(0) {
            "" => format!("expected {wanted}, but the statement ends"),
            found => format!("expected {wanted}, not {}", shown(found)),
        })
    }

    fn here(&self) -> Range<usize> {
        self.peek(0).map_or(self.sql.len()..self.sql.len(), |token| token.span.clone())
    }

    /// A name, quoted or not; keywords are names here.
    pub(crate) fn identifier(&mut self) -> Result<String, DdlError> {
        let name = match self.kind(0) {
            Some(TokenKind::Word) => self.text(0).to_owned(),
            Some(TokenKind::QuotedIdentifier) => unquote(self.text(0)).ok_or_else(|| {
                self.error("the escapes in this name are not understood")
                    .with_help("server versions disagree about other escapes than those of quotes, blanks and \\xHH")
            })?,
            _ => return Err(self.unexpected("a name")),
        };
        if name.is_empty() {
            return Err(self.error("a name is empty"));
        }
        self.advance();
        Ok(name)
    }

    /// `[database.]table`
    pub(crate) fn name(&mut self) -> Result<Name, DdlError> {
        let start = self.here().start;
        let first = self.identifier()?;
        let second = if self.take_symbol(".") { Some(self.identifier()?) } else { None };
        let span = start..self.behind(1).map_or(start, |token| token.span.end);
        Ok(match second {
            Some(table) => Name { database: Some(first), table, span },
            None => Name { database: None, table: first, span },
        })
    }

    /// `[UUID '…']`, which is dropped: it belongs to one table only.
    pub(crate) fn skip_uuid(&mut self) -> Result<(), DdlError> {
        if self.take(&["UUID"]) {
            if self.kind(0) != Some(TokenKind::String) {
                return Err(self.unexpected("a UUID in quotes"));
            }
            self.advance();
        }
        Ok(())
    }

    /// `[ON CLUSTER name]`, where the name may be a string, as in `'{cluster}'`.
    pub(crate) fn on_cluster(&mut self) -> Result<Option<String>, DdlError> {
        if !self.take(&["ON", "CLUSTER"]) {
            return Ok(None);
        }
        if self.kind(0) != Some(TokenKind::String) {
            return self.identifier().map(Some);
        }
        let cluster = unquote(self.text(0)).ok_or_else(|| self.error("the escapes in this name are not understood"))?;
        self.advance();
        Ok(Some(cluster))
    }

    /// The text of a list's item: up to a comma, or to where `stop` says so.
    pub(crate) fn item(&mut self, wanted: &str, stop: impl Fn(&Self) -> bool) -> Result<Text, DdlError> {
        self.text_until(wanted, |reader, first| reader.text(0) == "," || !first && stop(reader))
    }

    /// The text of a clause, which may hold commas: up to where `stop` says so.
    pub(crate) fn clause(&mut self, wanted: &str, stop: impl Fn(&Self) -> bool) -> Result<Text, DdlError> {
        self.text_until(wanted, |reader, first| !first && stop(reader))
    }

    /// Everything up to a token outside all brackets at which `stop` says so (told whether it is the very first), to a
    /// semicolon, to a bracket that closes what was opened before, or to the end. Brackets must match.
    fn text_until(&mut self, wanted: &str, stop: impl Fn(&Self, bool) -> bool) -> Result<Text, DdlError> {
        let first = self.at;
        let mut open: Vec<usize> = Vec::new();
        while !self.at_end() {
            let outside = open.is_empty();
            if outside && (self.text(0) == ";" || stop(self, self.at == first)) {
                break;
            }
            match self.kind(0) {
                Some(TokenKind::Open) => open.push(self.at),
                Some(TokenKind::Close) if outside => break,
                Some(TokenKind::Close) => self.check_pair(open.pop())?,
                _ => {}
            }
            self.advance();
        }
        if let Some(&bracket) = open.last() {
            return Err(DdlError::new(self.sql, self.tokens[bracket].span.clone(), "this bracket is not closed"));
        }
        if self.at == first {
            return Err(self.unexpected(wanted));
        }
        Ok(self.text_at(self.tokens[first].span.start..self.tokens[self.at - 1].span.end))
    }

    fn check_pair(&self, open: Option<usize>) -> Result<(), DdlError> {
        let opening = open.map_or("", |at| &self.sql[self.tokens[at].span.clone()]);
        match (opening, self.text(0)) {
            ("(", ")") | ("[", "]") | ("{", "}") => Ok(()),
            (_, closing) => Err(self.error(format!("`{opening}` cannot be closed by `{closing}`"))),
        }
    }

    /// The source at a span that begins and ends with tokens.
    pub(crate) fn text_at(&self, span: Range<usize>) -> Text {
        Text { text: self.sql[span.clone()].to_owned(), span }
    }

    /// The source of a token.
    pub(crate) fn text_of(&self, token: &Token) -> &'a str {
        &self.sql[token.span.clone()]
    }

    /// A place to return to.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    pub(crate) fn return_to(&mut self, place: usize) {
        self.at = place;
    }
}

/// A token as a message names it, cut where it is long.
pub(crate) fn shown(token: &str) -> String {
    const CHARACTERS_MAX: usize = 30;
    if token.chars().nth(CHARACTERS_MAX).is_none() {
        return format!("`{token}`");
    }
    format!("`{}…`", token.chars().take(CHARACTERS_MAX).collect::<String>())
}
