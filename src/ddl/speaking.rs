//! Whether SQL has a column's name in it, or asks for columns without naming them.

use regex_lite::Regex;

use super::lexer::{Token, TokenKind, significant_tokens};
use super::quoting::{name_of, unquote};

/// Whether SQL has a name like the column's: rather once too often than once too seldom.
pub fn speaks_of(sql: &str, column: &str) -> bool {
    let Ok(tokens) = significant_tokens(sql) else { return sql.contains(column) };
    (0..tokens.len()).any(|at| is_named_at(sql, &tokens, at, column))
}

/// Whether the name that begins at a token is like the column's. `outer.inner` may be quoted as one name or written as two, and
/// `outer` alone, as in `ARRAY JOIN outer`, stands for all of its parts.
pub(crate) fn is_named_at(sql: &str, tokens: &[Token], at: usize, column: &str) -> bool {
    let name = |at: usize| tokens.get(at).and_then(|token| name_of(token.kind, &sql[token.span.clone()]));
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let Some(mut whole) = name(at) else { return kind(at) == Some(TokenKind::QuotedIdentifier) };
    let mut next = at + 1;
    while whole != column {
        if !column.strip_prefix(&whole).is_some_and(|rest| rest.starts_with('.')) {
            return false;
        }
        match (kind(next), name(next + 1)) {
            (Some(TokenKind::Dot), Some(inner)) => whole = format!("{whole}.{inner}"),
            (Some(TokenKind::Dot | TokenKind::Open), _) => return false,
            _ => return true,
        }
        next += 2;
    }
    true
}

/// Whether a query asks for the column without naming it: by `*`, by `COLUMNS('…')` with a pattern that its name matches, by FROM
/// without SELECT. A pattern that cannot be read matches every name. A product is no `*`, and neither is `count(*)`.
pub fn asks_for(query: &str, column: &str) -> bool {
    let Ok(tokens) = significant_tokens(query) else { return true };
    let text = |at: usize| tokens.get(at).map_or("", |token| &query[token.span.clone()]);
    let is = |at: usize, words: &[&str]| words.iter().any(|word| text(at).eq_ignore_ascii_case(word));
    let is_star = |at: usize| match text(at - 1) {
        "(" => at < 2 || !is(at - 2, &["count"]),
        _ => {
            is(at - 1, &["SELECT", "DISTINCT", "ALL", ",", "."])
                || is(at + 1, &["FROM", ",", ")", "EXCEPT", "APPLY", ""])
        }
    };
    let is_pattern = |at: usize| is(at, &["COLUMNS"]) && text(at + 1) == "(" && matches(text(at + 2), column);
    let bare = is(0, &["FROM"]) && !(0..tokens.len()).any(|at| is(at, &["SELECT"]));
    bare || (0..tokens.len()).any(|at| at > 0 && text(at) == "*" && is_star(at) || is_pattern(at))
}

/// Whether a name matches the pattern in a string. Anything else in its place is a list of names.
fn matches(pattern: &str, name: &str) -> bool {
    let readable = |pattern: String| Regex::new(&pattern).ok();
    pattern.starts_with('\'') && unquote(pattern).and_then(readable).is_none_or(|pattern| pattern.is_match(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_parts_are_names() {
        for sql in [
            "SELECT nn.a FROM t",
            "SELECT t.nn.a AS x FROM t",
            "SELECT `nn`.`a`",
            "SELECT `nn.a`",
            "SELECT nn.a.size0",
            "SELECT x FROM t ARRAY JOIN nn.a AS x",
            "SELECT nn.b FROM t ARRAY JOIN nn",
            "SELECT x.b FROM t ARRAY JOIN nn AS x",
            "SELECT t.nn FROM t",
            "SELECT `\\d`",
            "'nn.a",
        ] {
            assert!(speaks_of(sql, "nn.a"), "{sql}");
        }
        for sql in
            ["SELECT nn.b", "SELECT a, n.a, nna", "SELECT nn(a)", "SELECT 'nn.a'", "SELECT nn.*", "SELECT b.nn.c"]
        {
            assert!(!speaks_of(sql, "nn.a"), "{sql}");
        }
        assert!(speaks_of("SELECT a.b.c", "a.b.c") && !speaks_of("SELECT a.b.d", "a.b.c"));
        assert!(speaks_of("SELECT tup.b, t.`a`", "tup") && speaks_of("SELECT tup.b, t.`a`", "a"));
    }

    #[test]
    fn columns_are_asked_for_without_their_names() {
        for query in [
            "SELECT * FROM t",
            "SELECT t.*, 1 FROM t",
            "SELECT ALL * FROM t",
            "SELECT DISTINCT ON (a) * FROM t",
            "SELECT tuple(*) FROM t",
            "FROM t",
            "SELECT COLUMNS('^countr') FROM t",
            "SELECT upper(COLUMNS('ntr')) FROM t",
            "SELECT t.COLUMNS('c') APPLY(upper) FROM t",
            "SELECT columns('(unreadable') FROM t",
            "SELECT COLUMNS('\\d') FROM t",
        ] {
            assert!(asks_for(query, "country"), "{query}");
        }
        for query in [
            "SELECT count(*), a * b FROM t",
            "SELECT COLUMNS('^k') FROM t",
            "SELECT COLUMNS(a, b) FROM t",
            "FROM t SELECT a",
            "SELECT a * replace(b, 'x', 'y') FROM t",
        ] {
            assert!(!asks_for(query, "country"), "{query}");
        }
    }
}
