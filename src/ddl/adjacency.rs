//! Tells where an expression cannot go on: at a value that follows a value, as `SETTINGS` does in `(a, b) SETTINGS`.
//!
//! ClickHouse reserves no words, so what a bare word is follows from its neighbours alone.

use super::lexer::{Token, TokenKind};
use super::reader::Reader;

/// Words that may stand between two values, or after one.
const AFTER_VALUE: [&str; 18] = [
    "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS", "DIV", "MOD", "WHEN", "THEN", "ELSE", "END", "GLOBAL",
    "AS", "ASC", "DESC",
];

/// Words after which a value is due.
const BEFORE_VALUE: [&str; 20] = [
    "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS", "DIV", "MOD", "CASE", "WHEN", "THEN", "ELSE", "GLOBAL",
    "AS", "BY", "WHERE", "SET", "TO",
];

const UNITS: [&str; 8] = ["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

/// Whether the next token begins a value right after another one.
pub(super) fn starts_anew(reader: &Reader<'_>) -> bool {
    reader.behind(1).is_some_and(|previous| begins_value(reader, previous) && ends_value(reader, previous))
}

fn begins_value(reader: &Reader<'_>, previous: &Token) -> bool {
    match reader.kind(0) {
        Some(TokenKind::Word) => {
            let unit = previous.kind != TokenKind::Word && is_one_of(&UNITS, reader.text(0));
            !unit && !is_one_of(&AFTER_VALUE, reader.text(0))
        }
        Some(TokenKind::QuotedIdentifier | TokenKind::String | TokenKind::HereDoc | TokenKind::Number) => true,
        _ => false,
    }
}

fn ends_value(reader: &Reader<'_>, previous: &Token) -> bool {
    if previous.kind != TokenKind::Word {
        return previous.kind.ends_operand();
    }
    let word = reader.text_of(previous);
    let literal_follows = is_one_of(&["DATE", "TIMESTAMP"], word) && reader.kind(0) == Some(TokenKind::String);
    let interval_follows = is_one_of(&["INTERVAL"], word) && reader.kind(0) != Some(TokenKind::Word);
    !literal_follows && !interval_follows && !is_one_of(&BEFORE_VALUE, word)
}

pub(super) fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}
