//! Tokens of PostgreSQL's SQL.

use crate::ddl::lexer::{Token, TokenKind};
use crate::lint::pieces::Unread;

/// The tokens of a text, in order; after an error nothing follows.
pub(in crate::lint) struct PostgresLexer<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> PostgresLexer<'a> {
    pub(in crate::lint) fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    fn byte(&self, at: usize) -> u8 {
        self.sql.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn skip(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        from + self.sql.as_bytes()[from..].iter().take_while(|byte| wanted(**byte)).count()
    }

    /// Kind and end of the token that begins at `self.at`; an error's message and end.
    fn token(&self) -> Result<(TokenKind, usize), (&'static str, usize)> {
        let start = self.at;
        let (byte, next) = (self.byte(start), self.byte(start + 1));
        let one = |kind| Ok((kind, start + 1));
        match byte {
            b if b.is_ascii_whitespace() || b == 0x0b => {
                Ok((TokenKind::Whitespace, self.skip(start, |b| b.is_ascii_whitespace() || b == 0x0b)))
            }
            b'-' if next == b'-' => Ok((TokenKind::Comment, self.skip(start, |b| !matches!(b, b'\n' | b'\r')))),
            b'/' if next == b'*' => self.block_comment(),
            b'\'' => self.quoted(start, false, TokenKind::String),
            b'e' | b'E' if next == b'\'' => self.quoted(start + 1, true, TokenKind::String),
            b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if next == b'\'' => {
                self.quoted(start + 1, false, TokenKind::String)
            }
            b'"' => self.quoted(start, false, TokenKind::QuotedIdentifier),
            b'$' => self.dollar(),
            b'0'..=b'9' => {
                Ok((TokenKind::Number, self.skip(start, |b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')))
            }
            b if is_word(b) => Ok((TokenKind::Word, self.skip(start, |b| is_word(b) || b == b'$'))),
            b'(' | b'[' | b'{' => one(TokenKind::Open),
            b')' | b']' | b'}' => one(TokenKind::Close),
            b',' => one(TokenKind::Comma),
            b';' => one(TokenKind::Semicolon),
            b'.' => one(TokenKind::Dot),
            b'\\' => Err(("a command of psql is no SQL", self.skip(start, |b| b != b'\n'))),
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|'
            | b'?' | b':' => one(TokenKind::Operator),
            _ => Err(("unexpected character", start + 1)),
        }
    }

    fn block_comment(&self) -> Result<(TokenKind, usize), (&'static str, usize)> {
        let (mut at, mut depth) = (self.at + 2, 1_usize);
        while at < self.sql.len() {
            match (self.byte(at), self.byte(at + 1)) {
                (b'*', b'/') if depth == 1 => return Ok((TokenKind::Comment, at + 2)),
                (b'*', b'/') => (at, depth) = (at + 2, depth - 1),
                (b'/', b'*') => (at, depth) = (at + 2, depth + 1),
                _ => at += 1,
            }
        }
        Err(("the comment is not closed", self.at + 2))
    }

    fn quoted(
        &self,
        quote_at: usize,
        escapes: bool,
        kind: TokenKind,
    ) -> Result<(TokenKind, usize), (&'static str, usize)> {
        let quote = self.byte(quote_at);
        let mut at = quote_at + 1;
        while at < self.sql.len() {
            match self.byte(at) {
                b'\\' if escapes => at += 2,
                byte if byte == quote && self.byte(at + 1) == quote => at += 2,
                byte if byte == quote => return Ok((kind, at + 1)),
                _ => at += 1,
            }
        }
        Err((if quote == b'\'' { "the string is not closed" } else { "the quoted name is not closed" }, quote_at + 1))
    }

    /// `$1`, or `$tag$ … $tag$`.
    fn dollar(&self) -> Result<(TokenKind, usize), (&'static str, usize)> {
        let start = self.at;
        if self.byte(start + 1).is_ascii_digit() {
            return Ok((TokenKind::Number, self.skip(start + 1, |byte| byte.is_ascii_digit())));
        }
        let tag_end = self.skip(start + 1, is_word);
        if self.byte(tag_end) != b'$' {
            return Err(("unexpected `$`", start + 1));
        }
        let tag = &self.sql[start..=tag_end];
        let closed = self.sql[tag_end + 1..].find(tag);
        closed
            .map(|at| (TokenKind::HereDoc, tag_end + 1 + at + tag.len()))
            .ok_or(("the quoted text is not closed", start + 1))
    }
}

/// Letters beyond ASCII are letters of names.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Iterator for PostgresLexer<'_> {
    type Item = Result<Token, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.sql.len() {
            return None;
        }
        let start = self.at;
        let result = self.token();
        self.at = result.as_ref().map_or(self.sql.len(), |(_, end)| *end);
        Some(match result {
            Ok((kind, end)) => Ok(Token { kind, span: start..end }),
            Err((message, end)) => Err(Unread { span: start..end, message: message.to_owned() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<&str> {
        let tokens = PostgresLexer::new(sql).map(|token| token.unwrap());
        tokens.filter(|token| token.kind.is_significant()).map(|token| &sql[token.span]).collect()
    }

    #[test]
    fn strings_names_and_comments_are_whole() {
        assert_eq!(
            tokens("a\"b\"\"c\" 'it''s' E'\\'' $$;$$ $x$ $$ $x$ /* /* ; */ */ -- ;\n1.5e3 ключ::text[1] $1"),
            [
                "a",
                "\"b\"\"c\"",
                "'it''s'",
                "E'\\''",
                "$$;$$",
                "$x$ $$ $x$",
                "1.5e3",
                "ключ",
                ":",
                ":",
                "text",
                "[",
                "1",
                "]",
                "$1"
            ]
        );
    }

    #[test]
    fn a_line_comment_ends_with_its_line() {
        for end in ["\n", "\r", "\r\n"] {
            assert_eq!(tokens(&format!("-- a{end}b")), ["b"]);
        }
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        for sql in ["'a", "\"a", "/* a", "$x$ a", "E'\\'", "\\d", "\u{1}", "$"] {
            assert!(PostgresLexer::new(sql).any(|token| token.is_err()), "{sql}");
        }
    }
}
