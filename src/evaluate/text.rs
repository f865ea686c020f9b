//! Queries as text: their normal form, their end, and files of them.

use crate::ddl::DdlError;
use crate::ddl::lexer::{Token, TokenKind, significant_tokens};

/// Stands for a literal.
const LITERAL: &str = "?";
/// Stands for a list of literals, however long.
const LITERALS: &str = "?..";

/// A query without its literals, blanks and comments: equal for queries that differ in nothing else. Lists of literals are equal
/// whatever their length, as with the server's own `normalizeQuery`.
pub fn normal_form(query: &str) -> Result<String, DdlError> {
    let tokens = significant_tokens(query)?;
    let mut pieces: Vec<&str> = Vec::with_capacity(tokens.len());
    for token in &tokens {
        if is_literal(token.kind) {
            push_literal(&mut pieces);
        } else if token.kind != TokenKind::Semicolon {
            pieces.push(&query[token.span.clone()]);
        }
    }
    Ok(joined(&pieces))
}

fn is_literal(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::String | TokenKind::HereDoc | TokenKind::Number)
}

/// `?, ?` becomes a list. A sign that belongs to no sum is part of the literal.
fn push_literal(pieces: &mut Vec<&str>) {
    let mut before = pieces.len();
    if before >= 2
        && pieces[before - 1] == "-"
        && matches!(pieces[before - 2], "," | "(" | "[" | "=" | "<" | ">" | "<=" | ">=")
    {
        before -= 1;
    }
    let in_list = before >= 2 && pieces[before - 1] == "," && matches!(pieces[before - 2], LITERAL | LITERALS);
    pieces.truncate(before);
    if in_list {
        pieces.truncate(before - 2);
        pieces.push(LITERALS);
    } else {
        pieces.push(LITERAL);
    }
}

/// With blanks where people write them.
fn joined(pieces: &[&str]) -> String {
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let before = if at == 0 { "" } else { pieces[at - 1] };
        let glued = matches!(before, "" | "(" | "[" | "." | "::")
            || matches!(*piece, ")" | "]" | "," | "." | "::")
            || matches!(*piece, "(" | "[") && is_name(before);
        if !glued {
            text.push(' ');
        }
        text.push_str(piece);
    }
    text
}

/// Whether a bracket behind the word opens arguments.
fn is_name(word: &str) -> bool {
    const NO_FUNCTIONS: [&str; 14] =
        ["AND", "OR", "NOT", "IN", "FROM", "WHERE", "PREWHERE", "HAVING", "SELECT", "BY", "ON", "USING", "AS", "JOIN"];
    word.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '`' | '"'))
        && !NO_FUNCTIONS.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// What stands at the end of a query and says nothing about the rows that it reads.
const ENDINGS: [&str; 3] = ["FORMAT", "SETTINGS", "INTO"];

/// The place where a query ends and FORMAT, INTO OUTFILE, SETTINGS or a semicolon begins.
pub(super) fn end_of_query(query: &str, tokens: &[Token]) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| &query[token.span.clone()]);
    let mut depth = 0_usize;
    for at in 0..tokens.len() {
        match tokens[at].kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Semicolon if depth == 0 => return tokens[at].span.start,
            TokenKind::Word if depth == 0 && at > 0 => {
                let word = ENDINGS.into_iter().find(|word| word.eq_ignore_ascii_case(text(at)));
                let begins = match word {
                    Some("FORMAT") => tokens.get(at + 1).is_some_and(|next| next.kind == TokenKind::Word),
                    Some("SETTINGS") => text(at + 2) == "=",
                    Some("INTO") => text(at + 1).eq_ignore_ascii_case("OUTFILE"),
                    _ => false,
                };
                let goes_on = || {
                    (at..tokens.len()).any(|later| {
                        ["UNION", "INTERSECT", "EXCEPT"].iter().any(|word| word.eq_ignore_ascii_case(text(later)))
                    })
                };
                if begins && !goes_on() {
                    return tokens[at].span.start;
                }
            }
            _ => {}
        }
    }
    tokens.last().map_or(0, |token| token.span.end)
}

/// One statement of a file, and how often it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The statement, without its semicolon.
    pub sql: String,
    /// From a comment `-- count: N` before it; 1 without.
    pub count: u64,
}

/// The statements of a file, between semicolons. Where the text cannot be split into tokens the rest of the file is one statement.
pub fn statements(text: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let end = first_semicolon(rest).unwrap_or(rest.len());
        let (own, later) = rest.split_at(end);
        rest = later.strip_prefix(';').unwrap_or(later);
        let is_empty = significant_tokens(own).is_ok_and(|tokens| tokens.is_empty());
        if !is_empty {
            found.push(Written { sql: own.trim().to_owned(), count: count_of(own) });
        }
    }
    found
}

fn first_semicolon(text: &str) -> Option<usize> {
    let mut tokens = crate::ddl::lexer::Lexer::new(text).map_while(Result::ok);
    tokens.find(|token| token.kind == TokenKind::Semicolon).map(|token| token.span.start)
}

fn count_of(statement: &str) -> u64 {
    let comments = statement.lines().map_while(|line| {
        let line = line.trim();
        (line.is_empty() || line.starts_with("--")).then_some(line)
    });
    let counts =
        comments.filter_map(|line| line.trim_start_matches('-').trim().strip_prefix("count:")?.trim().parse().ok());
    counts.last().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_differ_in_literals_alone_are_one() {
        let normal = |sql: &str| normal_form(sql).unwrap();
        assert_eq!(
            normal("select count( ) from d.t -- c\n where a IN (1,2, -3) and `b c`='x' and x>-1.5e3;"),
            "select count() from d.t where a IN (?..) and `b c` = ? and x > ?"
        );
        assert_eq!(normal("SELECT a FROM t WHERE a IN (1)"), "SELECT a FROM t WHERE a IN (?)");
        assert_eq!(normal("SELECT $x$secret$x$, x'41', f(a, 'b', 3)"), "SELECT ?.., f(a, ?..)");
        assert!(normal_form("SELECT 'open").is_err());
    }

    #[test]
    fn a_query_ends_before_its_format_and_settings() {
        for (sql, wanted) in [
            ("SELECT a FROM t FORMAT JSON", "SELECT a FROM t"),
            ("SELECT a FROM t SETTINGS max_threads = 1, x = 2 FORMAT Null;", "SELECT a FROM t"),
            ("SELECT format, settings FROM t INTO OUTFILE 'x'", "SELECT format, settings FROM t"),
            ("SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2", "SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2"),
        ] {
            let tokens = significant_tokens(sql).unwrap();
            assert_eq!(sql[..end_of_query(sql, &tokens)].trim(), wanted);
        }
    }

    #[test]
    fn a_file_is_split_at_semicolons_outside_of_strings() {
        let written = statements("-- count: 40\nSELECT ';' ;\n\n;SELECT 2;\nSELECT 'open; SELECT 3");
        let expected = [("-- count: 40\nSELECT ';'", 40), ("SELECT 2", 1), ("SELECT 'open; SELECT 3", 1)];
        assert_eq!(written.iter().map(|one| (one.sql.as_str(), one.count)).collect::<Vec<_>>(), expected);
    }
}
