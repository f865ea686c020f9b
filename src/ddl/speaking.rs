//! Whether SQL has a column's name in it, or asks for all columns.

use super::lexer::{TokenKind, significant_tokens};
use super::quoting::unquote;

/// Whether SQL has a name like the column's: rather once too often than once too seldom.
pub fn speaks_of(sql: &str, column: &str) -> bool {
    let Ok(tokens) = significant_tokens(sql) else { return sql.contains(column) };
    tokens.iter().any(|token| {
        let text = &sql[token.span.clone()];
        match token.kind {
            TokenKind::Word => text == column,
            TokenKind::QuotedIdentifier => unquote(text).is_none_or(|name| name == column),
            _ => false,
        }
    })
}

/// Whether a query asks for all columns, whatever they are.
pub fn asks_for_all(select: &str) -> bool {
    let Ok(tokens) = significant_tokens(select) else { return true };
    let texts: Vec<&str> = tokens.iter().map(|token| &select[token.span.clone()]).collect();
    let before = ["SELECT", "DISTINCT", ",", "."];
    texts.windows(2).any(|pair| pair[1] == "*" && before.iter().any(|word| pair[0].eq_ignore_ascii_case(word)))
}
