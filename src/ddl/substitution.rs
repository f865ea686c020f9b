//! An expression with other expressions in place of columns.

use super::lexer::{TokenKind, closing, significant_tokens};
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

/// The query with `by(type)` in place of each parameter `{name:type}` for which there is such. One that cannot be read stays as it is.
pub fn with_parameters(query: &str, by: impl Fn(&str) -> Option<String>) -> String {
    let Ok(tokens) = significant_tokens(query) else { return query.to_owned() };
    let text = |at: usize| tokens.get(at).map_or("", |token| &query[token.span.clone()]);
    let (mut written, mut from) = (String::new(), 0);
    for at in 0..tokens.len() {
        let is_parameter = text(at) == "{" && tokens.get(at + 1).is_some_and(|token| token.kind == TokenKind::Word);
        let Some(end) = closing(&tokens, at).filter(|_| is_parameter && text(at + 2) == ":") else { continue };
        let Some(other) = by(query[tokens[at + 2].span.end..tokens[end].span.start].trim()) else { continue };
        written.push_str(&query[from..tokens[at].span.start]);
        written.push_str(&other);
        from = tokens[end].span.end;
    }
    written + &query[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_and_maps_are_not() {
        let by = |kind: &str| (kind != "Identifier").then(|| format!("<{kind}>"));
        assert_eq!(
            with_parameters("SELECT {'a': 1}, {x:Array(UInt8)} FROM {t:Identifier} WHERE '{y:Int8}' = {y: Int8}", by),
            "SELECT {'a': 1}, <Array(UInt8)> FROM {t:Identifier} WHERE '{y:Int8}' = <Int8>"
        );
        assert_eq!(with_parameters("{x:Int8", by), "{x:Int8");
    }

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
