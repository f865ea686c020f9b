//! What a text of an unknown dialect consists of.

/// What a text consists of, in either dialect; comments are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lexeme<'a> {
    Word(&'a str),
    /// In quotes.
    Name(&'a str),
    /// A string, whatever is in it.
    Text,
    Symbol(&'a str),
}

pub(super) struct Lexemes<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexemes<'a> {
    /// Up to a quote or comment that is not closed.
    pub(super) fn of(text: &'a str) -> Vec<Lexeme<'a>> {
        let mut lexemes = Self { text, at: 0 };
        std::iter::from_fn(|| lexemes.next()).collect()
    }

    fn next(&mut self) -> Option<Lexeme<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (length, lexeme) = match first {
                _ if rest.starts_with("--") => (rest.find(['\n', '\r'])?, None),
                _ if rest.starts_with("/*") => (rest.find("*/")? + 2, None),
                '\'' => (end_of_quoted(rest)?, Some(Lexeme::Text)),
                '"' | '`' => {
                    let end = end_of_quoted(rest)?;
                    (end, Some(Lexeme::Name(&rest[..end])))
                }
                '$' => match end_of_tag(rest) {
                    Some(tag) => (tag + rest[tag..].find(&rest[..tag])? + tag, Some(Lexeme::Text)),
                    None => (1, None),
                },
                c if is_word(c) => {
                    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                    (end, Some(Lexeme::Word(&rest[..end])))
                }
                c if c.is_whitespace() => (c.len_utf8(), None),
                c => (c.len_utf8(), Some(Lexeme::Symbol(&rest[..c.len_utf8()]))),
            };
            self.at += length;
            if lexeme.is_some() {
                return lexeme;
            }
        }
    }
}

/// The end of what is in the quotes with which a text begins; a backslash or another quote keep a quote from ending it.
fn end_of_quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first()?;
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The end of the `$tag$` with which a text begins.
fn end_of_tag(text: &str) -> Option<usize> {
    let end = 1 + text[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    text[end..].starts_with('$').then_some(end + 1)
}

impl<'a> Lexeme<'a> {
    pub(super) fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Word(word) => wanted == "_" || word.eq_ignore_ascii_case(wanted),
            Self::Name(_) => wanted == "_",
            Self::Symbol(symbol) => *symbol == wanted,
            Self::Text => false,
        }
    }
}
