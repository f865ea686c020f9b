//! Splits a file into statements by its tokens. What is no token is reported, and reading goes on behind the next semicolon.

use std::ops::Range;

use super::dialect::Dialect;
use super::read::PostgresLexer;
use crate::ddl::DdlError;
use crate::ddl::lexer::{Lexer, Token, TokenKind};
use crate::words::count;

/// After so many places that cannot be read, the rest of a file is not looked at: each of them costs a copy of the text.
const UNREAD_MAX: usize = 100;
/// Tokens kept of a statement that only carries rows.
const TOKENS_OF_ROWS: usize = 64;

/// A statement, as tokens relative to its beginning.
#[derive(Debug)]
pub(super) struct Piece {
    /// From its first token to its last, in the file.
    pub(super) span: Range<usize>,
    pub(super) tokens: Vec<Token>,
    /// Comments before it, within it and behind it on its last line, in the file.
    pub(super) comments: Vec<Range<usize>>,
    /// A bracket that is not closed, or closes nothing.
    pub(super) bad_bracket: Option<Unread>,
    /// Brackets at the deepest place.
    pub(super) depth: usize,
}

/// A place that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

enum Tokens<'a> {
    ClickHouse(Lexer<'a>),
    Postgres(PostgresLexer<'a>),
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str, dialect: Dialect) -> Self {
        match dialect {
            Dialect::ClickHouse => Self::ClickHouse(Lexer::new(text)),
            Dialect::Postgres => Self::Postgres(PostgresLexer::new(text)),
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::ClickHouse(lexer) => {
                let unread = |error: DdlError| Unread { span: error.span(), message: error.to_string() };
                Some(lexer.next()?.map_err(unread))
            }
            Self::Postgres(lexer) => lexer.next(),
        }
    }
}

/// The statements of a text, and what cannot be read.
pub(super) fn split(text: &str, dialect: Dialect) -> (Vec<Piece>, Vec<Unread>) {
    let mut splitter = Splitter { text, dialect, pieces: Vec::new(), unread: Vec::new(), open: Open::default() };
    let mut from = 0;
    while let Some(resume) = splitter.run(from) {
        if splitter.unread.len() >= UNREAD_MAX {
            let message =
                format!("{} cannot be read: the rest of the file is not looked at", count(UNREAD_MAX as u64, "place"));
            splitter.unread.push(Unread { span: resume..resume, message });
            break;
        }
        from = resume;
    }
    (splitter.pieces, splitter.unread)
}

struct Splitter<'a> {
    text: &'a str,
    dialect: Dialect,
    pieces: Vec<Piece>,
    unread: Vec<Unread>,
    open: Open,
}

/// The statement that is being gathered.
#[derive(Default)]
struct Open {
    tokens: Vec<Token>,
    comments: Vec<Range<usize>>,
    brackets: Vec<Token>,
    bad_bracket: Option<Unread>,
    depth: usize,
    end: usize,
    only_rows: bool,
}

impl Splitter<'_> {
    /// Reads from an offset on; where to resume after what cannot be read, if anything.
    fn run(&mut self, from: usize) -> Option<usize> {
        // Comments directly behind a semicolon, on its line, belong to the statement before it.
        let mut behind = false;
        for token in Tokens::new(&self.text[from..], self.dialect) {
            match token {
                Ok(token) => {
                    let token = Token { kind: token.kind, span: token.span.start + from..token.span.end + from };
                    behind = self.take(token, behind);
                }
                Err(unread) => {
                    let span = unread.span.start + from..unread.span.end + from;
                    self.open = Open::default();
                    let resume = self.text[span.end..].find(';').map(|at| span.end + at + 1);
                    self.unread.push(Unread { span, message: unread.message });
                    return resume;
                }
            }
        }
        self.close();
        None
    }

    fn take(&mut self, token: Token, behind: bool) -> bool {
        match token.kind {
            TokenKind::Whitespace => behind && !self.text[token.span].contains('\n'),
            TokenKind::Comment => {
                match self.pieces.last_mut() {
                    Some(before) if behind => before.comments.push(token.span),
                    _ => self.open.comments.push(token.span),
                }
                behind
            }
            TokenKind::Semicolon => self.close(),
            _ => {
                self.open.push(self.text, token);
                false
            }
        }
    }

    /// Ends the statement; whether there was one.
    fn close(&mut self) -> bool {
        if self.open.tokens.is_empty() {
            return false;
        }
        let open = std::mem::take(&mut self.open);
        self.pieces.push(open.piece());
        true
    }
}

impl Open {
    fn push(&mut self, text: &str, token: Token) {
        match token.kind {
            TokenKind::Open => {
                self.brackets.push(token.clone());
                self.depth = self.depth.max(self.brackets.len());
            }
            TokenKind::Close => self.close_bracket(text, &token),
            _ => {}
        }
        if self.tokens.is_empty() {
            let word = &text[token.span.clone()];
            self.only_rows = ["INSERT", "VALUES", "SELECT"].iter().any(|only| word.eq_ignore_ascii_case(only));
        }
        self.end = token.span.end;
        if !self.only_rows || self.tokens.len() < TOKENS_OF_ROWS {
            self.tokens.push(token);
        }
    }

    fn close_bracket(&mut self, text: &str, token: &Token) {
        let opening = self.brackets.pop().map(|open| &text[open.span]);
        let pair = (opening.unwrap_or_default(), &text[token.span.clone()]);
        if !matches!(pair, ("(", ")") | ("[", "]") | ("{", "}")) {
            let message = "this bracket closes none".to_owned();
            self.bad_bracket.get_or_insert(Unread { span: token.span.clone(), message });
        }
    }

    fn piece(mut self) -> Piece {
        let start = self.tokens[0].span.start;
        if let Some(open) = self.brackets.pop() {
            let message = "this bracket is not closed".to_owned();
            self.bad_bracket.get_or_insert(Unread { span: open.span, message });
        }
        for token in &mut self.tokens {
            token.span = token.span.start - start..token.span.end - start;
        }
        Piece {
            span: start..self.end,
            tokens: self.tokens,
            comments: self.comments,
            bad_bracket: self.bad_bracket,
            depth: self.depth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, dialect: Dialect) -> (Vec<&str>, Vec<String>) {
        let (pieces, unread) = split(text, dialect);
        let shown = |unread: &Unread| format!("{}: {}", &text[unread.span.clone()], unread.message);
        let unread =
            unread.iter().chain(pieces.iter().filter_map(|piece| piece.bad_bracket.as_ref())).map(shown).collect();
        (pieces.iter().map(|piece| &text[piece.span.clone()]).collect(), unread)
    }

    #[test]
    fn semicolons_in_strings_comments_and_bodies_end_nothing() {
        let sql = "SELECT ';' /* ; */ -- ;\n; ; DO $x$ a; b; $x$;\nSELECT \"a;b\"";
        assert_eq!(shown(sql, Dialect::Postgres).0, ["SELECT ';'", "DO $x$ a; b; $x$", "SELECT \"a;b\""]);
        assert_eq!(shown(sql, Dialect::ClickHouse).0.len(), 3);
    }

    #[test]
    fn what_is_no_token_costs_one_statement() {
        let (pieces, unread) = shown("SELECT 1; SELECT ключ FROM t; SELECT 2; SELECT (3", Dialect::ClickHouse);
        assert_eq!(pieces, ["SELECT 1", "SELECT 2", "SELECT (3"]);
        assert_eq!(unread, ["к: unexpected character 'к'", "(: this bracket is not closed"]);
    }

    #[test]
    fn comments_go_with_their_statement() {
        let (pieces, _) = split("-- a\nSELECT 1; -- b\n-- c\nSELECT 2 -- d\n;", Dialect::Postgres);
        assert_eq!(pieces.iter().map(|piece| piece.comments.len()).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn a_file_of_nonsense_is_given_up() {
        let (pieces, unread) = split(&"ж;".repeat(100_000), Dialect::ClickHouse);
        assert_eq!((pieces.len(), unread.len()), (0, UNREAD_MAX + 1));
    }
}
