//! Splits key expressions into items, and writes them so that they can be compared.

use std::ops::Range;

use super::adjacency::is_one_of;
use super::error::DdlError;
use super::lexer::{Token, TokenKind, closing, significant_tokens};
use super::quoting::unquote;
use crate::names::quote_identifier;

/// Deeper brackets than this are refused: keys that people write have four or five.
const DEPTH_MAX: usize = 20;

/// Longer keys than this are refused: a parser's tree for `a + a + …` is as deep as the expression is long.
const TOKENS_MAX: usize = 2_000;

/// The items of a key: those of `(a, b)`, of `tuple(a, b)` and of the bare list `a, b`; one for `a`; none for
/// `tuple()`, `()` and the empty string.
///
/// They come with normal spaces, without comments and without quotes that the server would not write, so that keys can
/// be compared as text. They are not meant to be executed.
pub fn key_items(expr: &str) -> Result<Vec<String>, DdlError> {
    let source = Source::new(expr)?;
    source.items().into_iter().map(|item| source.normal_text(item)).collect()
}

/// A key expression and its tokens, brackets checked.
pub(super) struct Source<'a> {
    sql: &'a str,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Source<'a> {
    pub(super) fn new(sql: &'a str) -> Result<Self, DdlError> {
        let source = Self { sql, tokens: significant_tokens(sql)? };
        source.check_size()?;
        source.check_brackets()?;
        source.check_commas()?;
        Ok(source)
    }

    pub(super) fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.sql[token.span.clone()])
    }

    fn error_at(&self, at: usize, message: impl Into<String>) -> DdlError {
        DdlError::new(self.sql, self.tokens[at].span.clone(), message)
    }

    pub(super) fn refuse(&self, item: &Range<usize>, message: impl Into<String>) -> DdlError {
        let span = self.tokens[item.start].span.start..self.tokens[item.end - 1].span.end;
        DdlError::new(self.sql, span, message)
    }

    fn check_size(&self) -> Result<(), DdlError> {
        if self.tokens.len() > TOKENS_MAX {
            return Err(self.error_at(TOKENS_MAX, format!("the key has more than {TOKENS_MAX} tokens")));
        }
        Ok(())
    }

    fn check_brackets(&self) -> Result<(), DdlError> {
        let mut open: Vec<usize> = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Semicolon => return Err(self.error_at(at, "a key ends before the semicolon")),
                TokenKind::Open if open.len() == DEPTH_MAX => {
                    return Err(self.error_at(at, format!("brackets are nested deeper than {DEPTH_MAX}")));
                }
                TokenKind::Open => open.push(at),
                TokenKind::Close if !self.is_pair(open.pop(), at) => {
                    return Err(self.error_at(at, "this bracket closes nothing"));
                }
                _ => {}
            }
        }
        open.pop().map_or(Ok(()), |at| Err(self.error_at(at, "this bracket is not closed")))
    }

    fn is_pair(&self, open: Option<usize>, close: usize) -> bool {
        let opening = open.map_or("", |at| self.text(at));
        matches!((opening, self.text(close)), ("(", ")") | ("[", "]") | ("{", "}"))
    }

    /// No item between two commas, or between a comma and a bracket, is empty.
    fn check_commas(&self) -> Result<(), DdlError> {
        let kind = |at: usize| self.tokens.get(at).map(|token| token.kind);
        let edge = |kind| matches!(kind, None | Some(TokenKind::Comma | TokenKind::Open | TokenKind::Close));
        for at in (0..self.tokens.len()).filter(|&at| kind(at) == Some(TokenKind::Comma)) {
            let before = at.checked_sub(1).and_then(kind);
            let after = kind(at + 1);
            if edge(before) && before != Some(TokenKind::Close) || edge(after) && after != Some(TokenKind::Open) {
                return Err(self.error_at(at, "an expression is missing beside this comma"));
            }
        }
        Ok(())
    }

    /// The places of the items: what brackets around all of it hold, between commas.
    pub(super) fn items(&self) -> Vec<Range<usize>> {
        let mut all = 0..self.tokens.len();
        loop {
            let items = self.split(all.clone());
            match (items.as_slice(), self.within_brackets(&all)) {
                ([_], Some(within)) => all = within,
                _ => return items,
            }
        }
    }

    fn split(&self, all: Range<usize>) -> Vec<Range<usize>> {
        let mut items = Vec::new();
        let (mut start, mut depth) = (all.start, 0_usize);
        for at in all.clone() {
            match self.tokens[at].kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                TokenKind::Comma if depth == 0 => {
                    items.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        if start < all.end {
            items.push(start..all.end);
        }
        items
    }

    /// What stands within `(…)` or `tuple(…)`, if that is all there is.
    fn within_brackets(&self, all: &Range<usize>) -> Option<Range<usize>> {
        let open = all.start + usize::from(self.text(all.start) == "tuple");
        if open >= all.end || self.text(open) != "(" {
            return None;
        }
        let close = closing(&self.tokens[..all.end], open)?;
        (close + 1 == all.end).then_some(open + 1..close)
    }

    /// The item without `ASC` or `DESC` at its end.
    pub(super) fn without_direction(&self, item: Range<usize>) -> Range<usize> {
        let last = item.end - 1;
        let directed =
            item.len() > 1 && is_one_of(&["ASC", "DESC"], self.text(last)) && self.tokens[last - 1].kind.ends_operand();
        if directed { item.start..last } else { item }
    }

    fn normal_text(&self, item: Range<usize>) -> Result<String, DdlError> {
        let mut text = String::new();
        for at in item.clone() {
            if at > item.start && self.spaced(item.start, at) {
                text.push(' ');
            }
            text.push_str(&self.normal_token(at)?);
        }
        Ok(text)
    }

    fn normal_token(&self, at: usize) -> Result<String, DdlError> {
        if self.tokens[at].kind != TokenKind::QuotedIdentifier {
            return Ok(self.text(at).to_owned());
        }
        let name = self.identifier(at)?;
        Ok(if is_plain(&name) { name } else { quote_identifier(&name) })
    }

    /// Whether a blank stands before the token at `at`.
    fn spaced(&self, start: usize, at: usize) -> bool {
        use TokenKind::{Close, Comma, Dot, Open, Operator};
        let (before, this) = (self.tokens[at - 1].kind, self.tokens[at].kind);
        let unary = before == Operator && (at - 1 == start || !self.is_value_end(at - 2)) && self.text(at - 1) != "->";
        let cast = |at: usize| self.text(at) == "::";
        match (before, this) {
            (Open | Dot, _) | (_, Close | Comma | Dot) | (TokenKind::QuotedIdentifier | Close, Open) => false,
            (TokenKind::Word, Open) => is_one_of(&SPACED_BEFORE_BRACKET, self.text(at - 1)),
            _ => !unary && !cast(at - 1) && !cast(at),
        }
    }

    pub(super) fn is_value_end(&self, at: usize) -> bool {
        self.tokens[at].kind.ends_operand() && !is_one_of(&SPACED_BEFORE_BRACKET, self.text(at))
    }

    pub(super) fn identifier(&self, at: usize) -> Result<String, DdlError> {
        let name = unquote(self.text(at)).filter(|name| !name.is_empty());
        name.ok_or_else(|| self.error_at(at, "the escapes in this name are not understood"))
    }
}

/// Operators made of letters, which a bracket does not turn into functions.
const SPACED_BEFORE_BRACKET: [&str; 19] = [
    "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS", "DIV", "MOD", "CASE", "WHEN", "THEN", "ELSE", "GLOBAL",
    "AS", "INTERVAL", "ASC", "DESC",
];

/// Whether servers write the name without quotes; the words are those that 26.9 quotes of the 421 it knows.
fn is_plain(name: &str) -> bool {
    const QUOTED: [&str; 11] =
        ["ALL", "DISTINCT", "FALSE", "FROM", "NULL", "SELECT", "SOME", "TABLE", "TOP", "TRUE", "VALUES"];
    let starts_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = starts_plain && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain && !is_one_of(&QUOTED, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(expr: &str) -> Vec<String> {
        key_items(expr).unwrap()
    }

    #[test]
    fn every_way_to_write_a_list() {
        for (expr, expected) in [
            ("", vec![]),
            ("()", vec![]),
            ("tuple()", vec![]),
            (" tuple ( ) ", vec![]),
            ("a", vec!["a"]),
            ("(a)", vec!["a"]),
            ("((a))", vec!["a"]),
            ("a, toDate(b, 'x,y')", vec!["a", "toDate(b, 'x,y')"]),
            ("(a, b, toDate(c))", vec!["a", "b", "toDate(c)"]),
            ("tuple(a,b)", vec!["a", "b"]),
            ("((a, b), c)", vec!["(a, b)", "c"]),
            ("(a) + (b)", vec!["(a) + (b)"]),
            ("(a), (b)", vec!["(a)", "(b)"]),
            ("(a DESC, b ASC)", vec!["a DESC", "b ASC"]),
            ("tupleElement(a, 1)", vec!["tupleElement(a, 1)"]),
        ] {
            assert_eq!(items(expr), expected, "{expr}");
        }
    }

    #[test]
    fn spaces_comments_and_quotes_become_normal() {
        for (expr, expected) in [
            ("toDate ( a )", "toDate(a)"),
            ("a+b*-1", "a + b * -1"),
            ("-a", "-a"),
            ("a- -b", "a - -b"),
            ("f(-a,- b)", "f(-a, -b)"),
            ("a /* x */ % -- y\n 4", "a % 4"),
            ("`a`", "a"),
            ("\"a b\"", "`a b`"),
            ("`end`", "end"),
            ("`from`", "`from`"),
            ("`a`.`b`", "a.b"),
            ("t . 1", "t.1"),
            ("a  IN(1,2)", "a IN (1, 2)"),
            ("x->x+1", "x -> x + 1"),
            ("f(x->-x)", "f(x -> -x)"),
            ("[ a,b ] [1]", "[a, b][1]"),
            ("a :: Date", "a::Date"),
            ("NOT(a)", "NOT (a)"),
            ("CASE WHEN a=1 THEN 2 END", "CASE WHEN a = 1 THEN 2 END"),
        ] {
            assert_eq!(items(expr), [expected], "{expr}");
            assert_eq!(items(expected), [expected], "{expected}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (expr, message) in [
            ("a,", "an expression is missing beside this comma"),
            ("(a,,b)", "an expression is missing beside this comma"),
            ("(,a)", "an expression is missing beside this comma"),
            ("(a", "this bracket is not closed"),
            ("a)", "this bracket closes nothing"),
            ("(a]", "this bracket closes nothing"),
            ("a; b", "a key ends before the semicolon"),
            ("'a", "the string is not closed"),
            ("`\\d`", "the escapes in this name are not understood"),
        ] {
            assert_eq!(key_items(expr).unwrap_err().to_string(), message, "{expr}");
        }
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(key_items(&deep).unwrap_err().to_string(), "the key has more than 2000 tokens");
        let deep = format!("{}a{}", "(".repeat(21), ")".repeat(21));
        assert_eq!(key_items(&deep).unwrap_err().to_string(), "brackets are nested deeper than 20");
    }
}
