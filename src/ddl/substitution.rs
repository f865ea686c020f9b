//! An expression with other expressions in place of columns.

use super::lexer::{TokenKind, significant_tokens};
use super::quoting::name_of;

/// The expression with `by(name)` in place of each column for which there is such. Names of functions and what is qualified by a table
/// stay; an expression that cannot be read stays as it is.
pub fn with_columns(expression: &str, by: impl Fn(&str) -> Option<String>) -> String {
    let Ok(tokens) = significant_tokens(expression) else { return expression.to_owned() };
    let text = |at: usize| tokens.get(at).map_or("", |token| &expression[token.span.clone()]);
    let (mut written, mut from) = (String::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
        let is_part = at > 0 && text(at - 1) == "." || matches!(text(at + 1), "(" | ".");
        let Some(name) = name_of(token.kind, text(at)).filter(|_| is_name && !is_part) else { continue };
        let Some(other) = by(&name) else { continue };
        written.push_str(&expression[from..token.span.start]);
        written.push_str(&other);
        from = token.span.end;
    }
    written + &expression[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_replaced_and_nothing_else_is() {
        let by = |name: &str| match name {
            "id" => Some("CAST(`id`, 'UInt64')".to_owned()),
            "a b" => Some("x".to_owned()),
            _ => None,
        };
        assert_eq!(
            with_columns("toDate(id), id(`a b`), ids, `id`, 'id', n.id", by),
            "toDate(CAST(`id`, 'UInt64')), id(x), ids, CAST(`id`, 'UInt64'), 'id', n.id"
        );
        assert_eq!(with_columns("id, 'x", by), "id, 'x");
    }
}
