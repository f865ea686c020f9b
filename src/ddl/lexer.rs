//! Tokens of ClickHouse SQL with byte offsets, after ClickHouse's own lexer.
//!
//! It was compared with `tokenizeQuery` of 26.9 on random texts: what it reads, it splits as the server does. It refuses
//! more: what is an error for the server, and what server versions disagree about (a comment that opens within a
//! comment, `$` outside a heredoc).

use std::ops::Range;

use super::error::DdlError;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted word: a keyword or an identifier.
    Word,
    /// An identifier in backticks or double quotes.
    QuotedIdentifier,
    /// A string in single quotes, `x'…'` and `b'…'` included.
    String,
    /// A string between two equal tags, `$tag$…$tag$`.
    HereDoc,
    /// A number.
    Number,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.` that is not part of a number.
    Dot,
    /// Any operator, `->`, `::` and `?` included.
    Operator,
    /// Blanks and line ends.
    Whitespace,
    /// A comment, without the line end that closes it.
    Comment,
}

impl TokenKind {
    /// Whether the token means something, that is, is neither blank nor comment.
    pub fn is_significant(self) -> bool {
        !matches!(self, Self::Whitespace | Self::Comment)
    }

    /// Whether a value can end with this token.
    pub(crate) fn ends_operand(self) -> bool {
        matches!(self, Self::Word | Self::QuotedIdentifier | Self::String | Self::HereDoc | Self::Number | Self::Close)
    }
}

/// A token and its place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is, in bytes.
    pub span: Range<usize>,
}

/// The tokens of a source, in order; together they cover it. After an error nothing follows.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    previous: Option<TokenKind>,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of `sql`.
    pub fn new(sql: &'a str) -> Self {
        Self { sql, at: 0, previous: None }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Token, DdlError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.sql.len() {
            return None;
        }
        let start = self.at;
        let scanned = Scan { sql: self.sql, start, previous: self.previous }.token();
        self.at = scanned.as_ref().map_or(self.sql.len(), |&(_, end)| end);
        Some(scanned.map(|(kind, end)| {
            if kind.is_significant() {
                // A `}` ends no value for the server: `{a}.5` is a number behind a substitution.
                self.previous = (self.sql.as_bytes()[start] != b'}').then_some(kind);
            }
            Token { kind, span: start..end }
        }))
    }
}

/// The tokens of `sql` that mean something.
pub fn significant_tokens(sql: &str) -> Result<Vec<Token>, DdlError> {
    Lexer::new(sql).filter(|token| token.as_ref().map_or(true, |token| token.kind.is_significant())).collect()
}

/// The place of the bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// One token to be scanned from `start`; every method returns the offset after what it has read.
struct Scan<'a> {
    sql: &'a str,
    start: usize,
    previous: Option<TokenKind>,
}

type Scanned = Result<(TokenKind, usize), DdlError>;

const DOLLAR_HELP: &str = "a name with a `$` must be quoted: `a$b`";

const OPERATORS_OF_TWO: [&str; 10] = ["->", "==", "!=", "<=", "<>", ">=", "::", "||", "|>", "@@"];

impl Scan<'_> {
    fn token(&self) -> Scanned {
        use TokenKind::{Close, Comma, Open, QuotedIdentifier, Semicolon, String};
        let one = |kind| Ok((kind, self.start + 1));
        match self.byte(0) {
            b if is_blank(b) => Ok((TokenKind::Whitespace, self.skip(self.start, is_blank))),
            b'0'..=b'9' => self.number(),
            b'\'' => self.quoted(String, self.start),
            b'"' | b'`' => self.quoted(QuotedIdentifier, self.start),
            b'x' | b'X' if self.byte(1) == b'\'' => self.coded(|byte| byte.is_ascii_hexdigit()),
            b'b' | b'B' if self.byte(1) == b'\'' => self.coded(|byte| matches!(byte, b'0' | b'1')),
            b if is_word(b) => self.word(self.skip(self.start, is_word)),
            b'(' | b'[' | b'{' => one(Open),
            b')' | b']' | b'}' => one(Close),
            b',' => one(Comma),
            b';' => one(Semicolon),
            b'.' => self.dot(),
            b'$' => self.heredoc(),
            b'-' if self.byte(1) == b'-' => Ok(self.line_comment()),
            b'/' if self.byte(1) == b'/' => Ok(self.line_comment()),
            b'#' if matches!(self.byte(1), b'!' | b' ') => Ok(self.line_comment()),
            b'/' if self.byte(1) == b'*' => self.block_comment(),
            _ => self.operator(),
        }
    }

    /// The byte `offset` after the start; 0 after the end, where a real NUL is refused anyway.
    fn byte(&self, offset: usize) -> u8 {
        self.sql.as_bytes().get(self.start + offset).copied().unwrap_or(0)
    }

    fn skip(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        from + self.sql.as_bytes()[from..].iter().take_while(|&&byte| wanted(byte)).count()
    }

    fn refuse(&self, length: usize, message: &str) -> DdlError {
        DdlError::new(self.sql, self.start..self.start + length, message)
    }

    fn quoted(&self, kind: TokenKind, quote_at: usize) -> Scanned {
        let bytes = self.sql.as_bytes();
        let quote = bytes[quote_at];
        let mut at = quote_at + 1;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 2,
                _ if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
                _ if byte == quote => return Ok((kind, at + 1)),
                _ => at += 1,
            }
        }
        let message = format!("{} is not closed", if quote == b'\'' { "the string" } else { "the quoted name" });
        Err(self.refuse(quote_at + 1 - self.start, &message))
    }

    /// New servers let a word hold `$`, for old ones it is an error.
    fn word(&self, end: usize) -> Scanned {
        if self.sql.as_bytes().get(end) == Some(&b'$') {
            return Err(DdlError::new(self.sql, end..end + 1, "unexpected `$`").with_help(DOLLAR_HELP));
        }
        Ok((TokenKind::Word, end))
    }

    /// `x'…'` and `b'…'`, which know no escapes.
    fn coded(&self, is_digit: impl Fn(u8) -> bool) -> Scanned {
        let end = self.skip(self.start + 2, is_digit);
        if self.sql.as_bytes().get(end) != Some(&b'\'') {
            return Err(self.refuse(end - self.start, "this string of digits is not closed"));
        }
        Ok((TokenKind::String, end + 1))
    }

    fn heredoc(&self) -> Scanned {
        let tag_end = self.skip(self.start + 1, is_word);
        if self.sql.as_bytes().get(tag_end) != Some(&b'$') {
            return Err(self.refuse(1, "unexpected `$`").with_help(DOLLAR_HELP));
        }
        let tag = &self.sql[self.start..=tag_end];
        let Some(length) = self.sql[tag_end + 1..].find(tag) else {
            return Err(self.refuse(tag.len(), &format!("the heredoc {tag} is not closed")));
        };
        Ok((TokenKind::HereDoc, tag_end + 1 + length + tag.len()))
    }

    /// The task is to skip a number, not to judge it. After a dot only digits count, so that `t.1.2` is two accesses.
    fn number(&self) -> Scanned {
        if self.previous == Some(TokenKind::Dot) {
            return self.end_of_number(self.digits(self.start, u8::is_ascii_digit));
        }
        let hexadecimal = matches!(self.byte(1), b'x' | b'X') && self.byte(2).is_ascii_hexdigit();
        let binary = matches!(self.byte(1), b'b' | b'B') && matches!(self.byte(2), b'0' | b'1');
        let prefix = if self.byte(0) == b'0' && (hexadecimal || binary) { 2 } else { 0 };
        let hexadecimal = prefix > 0 && hexadecimal;
        let is_digit = if hexadecimal { u8::is_ascii_hexdigit } else { u8::is_ascii_digit };
        let mut end = self.digits(self.start + prefix, is_digit);
        if self.sql.as_bytes().get(end) == Some(&b'.') {
            end = self.digits(end + 1, is_digit);
        }
        self.end_of_number(self.exponent(end, if hexadecimal { b'p' } else { b'e' }))
    }

    /// A name may begin with digits; anything else glued to a number is an error.
    fn end_of_number(&self, end: usize) -> Scanned {
        let bytes = self.sql.as_bytes();
        let word_end = self.skip(end, is_word);
        if word_end == end && !matches!(bytes[end - 1], b'+' | b'-') {
            return Ok((TokenKind::Number, end));
        }
        if bytes[self.start..end].iter().all(|&byte| is_word(byte)) {
            return self.word(word_end);
        }
        Err(self.refuse(word_end - self.start, "this is not a number"))
    }

    fn exponent(&self, from: usize, letter: u8) -> usize {
        let bytes = self.sql.as_bytes();
        let is_letter = bytes.get(from).is_some_and(|byte| byte.eq_ignore_ascii_case(&letter));
        if !is_letter || from + 1 == bytes.len() {
            return from;
        }
        let signed = matches!(bytes.get(from + 1), Some(b'+' | b'-'));
        self.digits(from + 1 + usize::from(signed), u8::is_ascii_digit)
    }

    /// Digits, with `_` between any two of them.
    fn digits(&self, from: usize, is_digit: impl Fn(&u8) -> bool) -> usize {
        let bytes = self.sql.as_bytes();
        let mut at = from;
        while let Some(byte) = bytes.get(at) {
            let separator = *byte == b'_' && at > from && bytes.get(at + 1).is_some_and(&is_digit);
            if !separator && !is_digit(byte) {
                break;
            }
            at += 1;
        }
        at
    }

    /// After a value a dot is an access, elsewhere it may start a number.
    fn dot(&self) -> Scanned {
        let access = self
            .previous
            .is_some_and(|kind| kind.ends_operand() && !matches!(kind, TokenKind::String | TokenKind::HereDoc));
        if !access && self.byte(1).is_ascii_digit() {
            let end = self.digits(self.start + 1, u8::is_ascii_digit);
            return self.end_of_number(self.exponent(end, b'e'));
        }
        if self.start == 0 {
            return Err(self.refuse(1, "unexpected `.`"));
        }
        Ok((TokenKind::Dot, self.start + 1))
    }

    fn line_comment(&self) -> (TokenKind, usize) {
        (TokenKind::Comment, self.skip(self.start, |byte| byte != b'\n'))
    }

    fn block_comment(&self) -> Scanned {
        let inside = self.start + 2;
        let Some(length) = self.sql[inside..].find("*/") else {
            return Err(self.refuse(2, "the comment is not closed"));
        };
        if let Some(nested) = self.sql[inside..=inside + length].find("/*") {
            let at = inside + nested;
            let message = "a comment opens within a comment";
            return Err(DdlError::new(self.sql, at..at + 2, message)
                .with_help("old and new servers disagree about where such a comment ends"));
        }
        Ok((TokenKind::Comment, inside + length + 2))
    }

    fn operator(&self) -> Scanned {
        let rest = &self.sql[self.start..];
        if OPERATORS_OF_TWO.iter().any(|two| rest.starts_with(two)) {
            let length = if rest.starts_with("<=>") { 3 } else { 2 };
            return Ok((TokenKind::Operator, self.start + length));
        }
        match self.byte(0) {
            b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'?' | b':' | b'|' | b'@' | b'^' => {
                Ok((TokenKind::Operator, self.start + 1))
            }
            _ => Err(self.unexpected(rest.chars().next().unwrap_or_default())),
        }
    }

    fn unexpected(&self, c: char) -> DdlError {
        let error = self.refuse(c.len_utf8(), &format!("unexpected character {c:?}"));
        if c.is_alphanumeric() {
            error.with_help("a name with such a letter must be quoted in backticks")
        } else {
            error
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TokenKind::{Close, Comma, Comment, Dot, HereDoc, Number, Open, Operator, QuotedIdentifier, Word};
    use super::*;
    use crate::ddl::quoting::unquote;
    use crate::names::{quote_identifier, quote_string};

    fn tokens(sql: &str) -> Vec<(TokenKind, &str)> {
        let tokens: Result<Vec<Token>, _> = Lexer::new(sql).collect();
        let shown = |token: Token| (token.kind, &sql[token.span]);
        tokens.unwrap().into_iter().filter(|token| token.kind != TokenKind::Whitespace).map(shown).collect()
    }

    fn kinds(sql: &str) -> Vec<TokenKind> {
        tokens(sql).into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn quotes_end_where_the_server_ends_them() {
        for quoted in [r"'a''b'", r"'a\'b'", r"'\\'", "''", "''''", "x'41'", "'é\u{1F980}\\é'", "'--'", "'/*'"] {
            assert_eq!(tokens(quoted), [(TokenKind::String, quoted)]);
        }
        for quoted in ["`a``b`", r"`a\`b`", r#""a""b""#, r#""a\"b""#, "`'`", "`ключ`"] {
            assert_eq!(tokens(quoted), [(QuotedIdentifier, quoted)]);
        }
        assert_eq!(tokens("$$a'$b$$"), [(HereDoc, "$$a'$b$$")]);
        assert_eq!(tokens("$t$ $$ $x$ $t$"), [(HereDoc, "$t$ $$ $x$ $t$")]);
    }

    #[test]
    fn a_dot_is_an_access_or_part_of_a_number() {
        assert_eq!(kinds("t.1.2"), [Word, Dot, Number, Dot, Number]);
        assert_eq!(kinds("(1).2"), [Open, Number, Close, Dot, Number]);
        assert_eq!(kinds("`a`.b"), [QuotedIdentifier, Dot, Word]);
        assert_eq!(
            kinds("1.5e-3, .5, 5., 0x1F, 1_000"),
            [Number, Comma, Number, Comma, Number, Comma, Number, Comma, Number]
        );
        assert_eq!(tokens("2024_events 1e"), [(Word, "2024_events"), (Word, "1e")]);
        assert_eq!(
            tokens("0x1F.8p-2 0b15 0xg 1_ 1events"),
            [(Number, "0x1F.8p-2"), (Number, "0b15"), (Word, "0xg"), (Word, "1_"), (Word, "1events"),]
        );
    }

    #[test]
    fn comments_and_operators() {
        assert_eq!(
            tokens("a -- b\n# c\n#! d\n// e\n/* f\n*/"),
            [
                (Word, "a"),
                (Comment, "-- b"),
                (Comment, "# c"),
                (Comment, "#! d"),
                (Comment, "// e"),
                (Comment, "/* f\n*/"),
            ]
        );
        let operators = ["->", "-", "<=>", "<=", "<>", "<", "!=", "==", "=", "||", "::", ":", "?", "@@", "%"];
        for operator in operators {
            assert_eq!(tokens(&format!("a{operator}b")), [(Word, "a"), (Operator, operator), (Word, "b")]);
        }
    }

    #[test]
    fn what_the_server_does_not_know_is_refused_in_place() {
        for (sql, message, span) in [
            ("a 'b", "the string is not closed", 2..3),
            ("'\\", "the string is not closed", 0..1),
            ("x'4", "this string of digits is not closed", 0..3),
            ("`a``", "the quoted name is not closed", 0..1),
            ("a /* b", "the comment is not closed", 2..4),
            ("/* /* */ */", "a comment opens within a comment", 3..5),
            ("/*/*/", "a comment opens within a comment", 2..4),
            ("/*/", "the comment is not closed", 0..2),
            ("$a$ b", "the heredoc $a$ is not closed", 0..3),
            ("a$b", "unexpected `$`", 1..2),
            ("a$b$ $b$", "unexpected `$`", 1..2),
            ("1a$b", "unexpected `$`", 2..3),
            ("1.5x", "this is not a number", 0..4),
            ("1e-", "this is not a number", 0..3),
            ("a 5._", "this is not a number", 2..5),
            (".", "unexpected `.`", 0..1),
            ("a !b", "unexpected character '!'", 2..3),
            ("#a", "unexpected character '#'", 0..1),
            ("a\0", "unexpected character '\\0'", 1..2),
            ("a\u{a0}b", "unexpected character '\\u{a0}'", 1..3),
            ("“a”", "unexpected character '“'", 0..3),
        ] {
            let error = significant_tokens(sql).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.span()), (message, span), "{sql}");
        }
    }

    #[test]
    fn large_inputs_take_linear_time() {
        let size = 1_000_000;
        for piece in ["(", "'a' ", "a.1,", "$$ $$", "/**/", "-- a\n", "`", "$", "1", "\\", "é"] {
            let sql = piece.repeat(size / piece.len());
            let started = std::time::Instant::now();
            let count = Lexer::new(&sql).flatten().count();
            assert!(count <= sql.len());
            assert!(started.elapsed().as_secs() < 10, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn tokens_cover_the_source(sql in "([a-z0-9_. \n'\"`$\\\\(),;+/*#!=<>é-]|--|/\\*|\\*/|\\$a\\$){0,60}") {
            let mut end = 0;
            for token in Lexer::new(&sql) {
                let Ok(token) = token else { return Ok(()) };
                prop_assert_eq!(token.span.start, end);
                prop_assert!(token.span.end > end);
                prop_assert!(sql.is_char_boundary(token.span.end));
                end = token.span.end;
            }
            prop_assert_eq!(end, sql.len());
        }

        #[test]
        fn anything_is_read_or_refused(sql in any::<String>()) {
            for token in Lexer::new(&sql).flatten() {
                prop_assert!(sql.get(token.span).is_some());
            }
        }

        #[test]
        fn quoted_names_and_strings_read_back(name in any::<String>()) {
            for (quoted, kind) in [(quote_identifier(&name), QuotedIdentifier), (quote_string(&name), TokenKind::String)] {
                prop_assert_eq!(tokens(&quoted), vec![(kind, quoted.as_str())]);
                prop_assert_eq!(unquote(&quoted), Some(name.clone()));
                let followed = format!("{quoted}.x");
                prop_assert_eq!(tokens(&followed)[0].1, quoted.as_str());
            }
        }
    }
}
