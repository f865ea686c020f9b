//! A definition cut where definitions of one table under two names, or with two engines, differ.

use std::ops::Range;

use super::error::DdlError;
use super::lexer::{TokenKind, closing, significant_tokens};

/// The pieces of a `CREATE TABLE`, verbatim; together they are the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces<'a> {
    /// Up to the bracket that opens the body, that one included.
    pub head: &'a str,
    /// Columns, indexes and the like, with the blanks around them.
    pub body: &'a str,
    /// From the closing bracket to the engine's name.
    pub middle: &'a str,
    /// The engine with its arguments.
    pub engine: &'a str,
    /// Clauses and comment.
    pub rest: &'a str,
}

/// Cuts a definition as servers report it.
pub fn pieces(sql: &str) -> Result<Pieces<'_>, DdlError> {
    let tokens = significant_tokens(sql)?;
    let odd = || DdlError::new(sql, 0..sql.len(), "this is no definition with columns and an engine");
    let open = tokens.iter().position(|token| token.kind == TokenKind::Open).ok_or_else(odd)?;
    let close = closing(&tokens, open).ok_or_else(odd)?;
    let is_engine = |at: &usize| sql[tokens[*at].span.clone()].eq_ignore_ascii_case("ENGINE");
    let word = (close..tokens.len()).find(is_engine).ok_or_else(odd)?;
    let name = (word + 1..tokens.len()).find(|at| tokens[*at].kind == TokenKind::Word).ok_or_else(odd)?;
    let has_arguments = tokens.get(name + 1).is_some_and(|token| token.kind == TokenKind::Open);
    let last = if has_arguments { closing(&tokens, name + 1).ok_or_else(odd)? } else { name };
    let Range { start, end } = tokens[name].span.start..tokens[last].span.end;
    let (from, to) = (tokens[open].span.end, tokens[close].span.start);
    Ok(Pieces {
        head: &sql[..from],
        body: &sql[from..to],
        middle: &sql[to..start],
        engine: &sql[start..end],
        rest: &sql[end..],
    })
}

/// The definition of one table with what another one says of columns and clauses: what an ALTER makes of it.
pub fn with_body_of(live: &str, other: &str) -> Result<String, DdlError> {
    let (live, other) = (pieces(live)?, pieces(other)?);
    Ok([live.head, other.body, live.middle, live.engine, other.rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gets_the_body_of_another() {
        let live = "CREATE TABLE d.`t(` ( id UInt64,  v Decimal(3, 2) DEFAULT (1)) ENGINE = ReplicatedMergeTree('/a)', 'r') ORDER BY id SETTINGS index_granularity = 8192";
        let other = "CREATE TABLE s.t ( id UInt64,  w Int8) ENGINE = MergeTree ORDER BY id TTL d COMMENT 'x'";
        assert_eq!(
            with_body_of(live, other).unwrap(),
            "CREATE TABLE d.`t(` ( id UInt64,  w Int8) ENGINE = ReplicatedMergeTree('/a)', 'r') ORDER BY id TTL d COMMENT 'x'"
        );
        assert_eq!(with_body_of(live, live).unwrap(), live);
        assert!(pieces("CREATE VIEW v AS SELECT 1").is_err());
    }
}
