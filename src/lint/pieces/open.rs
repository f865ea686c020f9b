//! The statement that is being gathered.

use std::ops::Range;

use super::{Piece, Unread};
use crate::ddl::lexer::{Token, TokenKind};

/// Tokens kept of a statement that only carries rows.
const TOKENS_OF_ROWS: usize = 64;

/// Its tokens so far.
#[derive(Default)]
pub(super) struct Open {
    pub(super) tokens: Vec<Token>,
    pub(super) comments: Vec<Range<usize>>,
    pub(super) brackets: Vec<Token>,
    bad_bracket: Option<Unread>,
    depth: usize,
    end: usize,
    only_rows: bool,
}

impl Open {
    pub(super) fn push(&mut self, text: &str, token: Token) {
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

    pub(super) fn piece(mut self) -> Piece {
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
