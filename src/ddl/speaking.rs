//! Whether SQL has a column's name in it, or asks for columns without naming them.

use regex_lite::Regex;

use super::expression::columns_of;
use super::lexer::{Token, TokenKind, closing, significant_tokens};
use super::quoting::{name_of, unquote};

/// Whether SQL has a name like the column's: rather once too often than once too seldom.
pub fn speaks_of(sql: &str, column: &str) -> bool {
    let Ok(tokens) = significant_tokens(sql) else { return sql.contains(column) };
    (0..tokens.len()).any(|at| is_named_at(sql, &tokens, at, column))
}

/// Whether an expression, or a list of them as a TTL is one, computes with the column. A function's name is no column's, and neither
/// is what stands in `CODEC(…)`; where a name may be either, it is taken for the column's.
pub fn computes_with(expression: &str, column: &str) -> bool {
    if let Ok(columns) = columns_of(expression) {
        return columns.iter().any(|name| name == column || is_within(name, column) || is_within(column, name));
    }
    let Ok(tokens) = significant_tokens(expression) else { return expression.contains(column) };
    let text = |at: usize| tokens.get(at).map_or("", |token| &expression[token.span.clone()]);
    let mut at = 0;
    while at < tokens.len() {
        let is_function = tokens[at].kind == TokenKind::Word && text(at + 1) == "(";
        if is_function && text(at).eq_ignore_ascii_case("CODEC") {
            at = closing(&tokens, at + 1).unwrap_or(tokens.len());
        } else if !is_function && is_named_at(expression, &tokens, at, column) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a name is that of a part of something.
fn is_within(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether the name that begins at a token is like the column's. `outer.inner` may be quoted as one name or written as two, and
/// `outer` alone, as in `ARRAY JOIN outer`, stands for all of its parts. Old servers keep `x.column` of a joined table as x.`x.column`.
pub(crate) fn is_named_at(sql: &str, tokens: &[Token], at: usize, column: &str) -> bool {
    let name = |at: usize| tokens.get(at).and_then(|token| name_of(token.kind, &sql[token.span.clone()]));
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let Some(mut whole) = name(at) else { return kind(at) == Some(TokenKind::QuotedIdentifier) };
    let owner = (at >= 2 && kind(at - 1) == Some(TokenKind::Dot)).then(|| name(at - 2)).flatten();
    if owner.and_then(|owner| whole.strip_prefix(&owner)?.strip_prefix('.').map(str::to_owned)).as_deref()
        == Some(column)
    {
        return true;
    }
    let mut next = at + 1;
    while whole != column {
        if !is_within(column, &whole) {
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

/// Whether a query asks for the column without naming it: by `*` or by a pattern that its name matches.
pub fn asks_for(query: &str, column: &str) -> bool {
    asks_for_all(query) || asks_by_pattern(query, column)
}

/// Whether a query asks for all columns, whatever they are: by `*`, or by FROM without SELECT. A product is no `*`, and neither is
/// `count(*)`.
fn asks_for_all(query: &str) -> bool {
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
    let bare = is(0, &["FROM"]) && !(0..tokens.len()).any(|at| is(at, &["SELECT"]));
    bare || (1..tokens.len()).any(|at| text(at) == "*" && is_star(at))
}

/// Whether a query asks by `COLUMNS('…')` for the columns whose names match a pattern, and the column's name does. A pattern that
/// cannot be read matches every name.
pub fn asks_by_pattern(query: &str, column: &str) -> bool {
    let Ok(tokens) = significant_tokens(query) else { return true };
    let text = |token: &Token| &query[token.span.clone()];
    tokens.windows(3).any(|three| {
        text(&three[0]).eq_ignore_ascii_case("COLUMNS") && text(&three[1]) == "(" && matches(text(&three[2]), column)
    })
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
            "SELECT x.`x.nn.a` FROM t AS x",
            "'nn.a",
        ] {
            assert!(speaks_of(sql, "nn.a"), "{sql}");
        }
        for sql in
            ["SELECT nn.b", "SELECT a, n.a, nna", "SELECT nn(a)", "SELECT 'nn.a'", "SELECT nn.*", "SELECT b.nn.c"]
        {
            assert!(!speaks_of(sql, "nn.a"), "{sql}");
        }
        assert!(speaks_of("SELECT x.`x.c`", "c") && !speaks_of("SELECT `x.c`, y.`x.c`", "c"));
        assert!(speaks_of("SELECT a.b.c", "a.b.c") && !speaks_of("SELECT a.b.d", "a.b.c"));
        assert!(speaks_of("SELECT tup.b, t.`a`", "tup") && speaks_of("SELECT tup.b, t.`a`", "a"));
    }

    #[test]
    fn functions_and_codecs_are_no_columns() {
        for expression in [
            "lower(b)",
            "lower(lower) + b",
            "arrayMap(x -> x + b, c)",
            "ts + toIntervalDay(b) DELETE WHERE k = 1, ts + INTERVAL 1 DAY TO DISK 'd'",
            "ts + toIntervalDay(1) RECOMPRESS CODEC(ZSTD(1)), b + toIntervalDay(1)",
            "(SELECT a, sum(b) GROUP BY a)",
            "tup.1 = `b`",
            "b.c + 1",
            "CAST(b AS String)",
        ] {
            assert!(computes_with(expression, "b"), "{expression}");
        }
        for (expression, column) in [
            ("lower('A')", "lower"),
            ("arrayMap(b -> b + 1, c)", "b"),
            ("(SELECT a, sum(c) GROUP BY a)", "sum"),
            ("ts + toIntervalDay(1) RECOMPRESS CODEC(ZSTD), a + toIntervalDay(1)", "ZSTD"),
            ("CAST(a AS String)", "String"),
            ("tup.b = 1", "b"),
        ] {
            assert!(!computes_with(expression, column), "{expression}");
        }
        assert!(computes_with("length(nn.a)", "nn.a") && computes_with("length(`nn.a`)", "nn.a"));
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
