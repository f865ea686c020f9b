//! Judges the syntax of PostgreSQL statements with a general parser.
//!
//! Readers go by the words that they look for; what else stands there, only a parser sees. It recurses, so it gets nothing
//! that is deep or long, and it does not know all of PostgreSQL: what it lacks it is not asked about.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::lint::pieces::{Piece, Unread};

/// Brackets nested deeper are not given to the parser.
const DEPTH_MAX: usize = 25;
/// The tree of `a + b + …` is as deep as the chain is long.
const OPERATORS_MAX: usize = 400;
const TOKENS_MAX: usize = 20_000;
const RECURSION_MAX: usize = 60;
/// Bytes of a file that are judged; a migration has some kilobytes.
const BYTES_MAX: usize = 1 << 20;

/// Words with which the statements begin that are judged.
const JUDGED: [&str; 6] = ["ALTER", "CREATE", "DROP", "UPDATE", "DELETE", "TRUNCATE"];
/// Second and third words, behind `OR REPLACE`, of those that the parser does not know, or not in full.
const LACKED: [&str; 42] = [
    "INDEX",
    "SEQUENCE",
    "TYPE",
    "POLICY",
    "ROLE",
    "USER",
    "GROUP",
    "FUNCTION",
    "PROCEDURE",
    "AGGREGATE",
    "TRIGGER",
    "EXTENSION",
    "VIEW",
    "MATERIALIZED",
    "SCHEMA",
    "DATABASE",
    "DOMAIN",
    "EVENT",
    "PUBLICATION",
    "SUBSCRIPTION",
    "COLLATION",
    "STATISTICS",
    "SYSTEM",
    "DEFAULT",
    "OPERATOR",
    "RULE",
    "SERVER",
    "FOREIGN",
    "LANGUAGE",
    "CAST",
    "TABLESPACE",
    "TEXT",
    "OWNED",
    "CONVERSION",
    "ACCESS",
    "TRANSFORM",
    "LARGE",
    "ROUTINE",
    "CONCURRENTLY",
    "UNLOGGED",
    "CONSTRAINT",
    "TRUSTED",
];
/// Commands of ALTER TABLE, options of columns and clauses that it lacks.
const LACKED_ANYWHERE: [&[&str]; 30] = [
    &["ONLY"],
    &["EXCLUDE"],
    &["SET", "STATISTICS"],
    &["SET", "STORAGE"],
    &["SET", "COMPRESSION"],
    &["USING", "INDEX"],
    &["CLUSTER"],
    &["INHERIT"],
    &["ATTACH", "PARTITION"],
    &["DETACH", "PARTITION"],
    &["PARTITION", "OF"],
    &["ROW", "LEVEL"],
    &["REPLICA"],
    &["SET", "SCHEMA"],
    &["RESET"],
    &["SET", "LOGGED"],
    &["SET", "UNLOGGED"],
    &["SET", "TABLESPACE"],
    &["SET", "ACCESS"],
    &["SET", "EXPRESSION"],
    &["IN", "TABLESPACE"],
    &["VIRTUAL"],
    &["NOT", "VALID"],
    &["ALTER", "CONSTRAINT"],
    &["COLLATE"],
    &["INCLUDING"],
    &["ISNULL"],
    &["NOTNULL"],
    &["SEQUENCE", "NAME"],
    &["TOAST", "."],
];

/// Judges statements, up to a bound for all of a file.
#[derive(Default)]
pub(super) struct Judge {
    bytes: usize,
    is_full: bool,
}

impl Judge {
    /// What the parser says against a statement, if it is asked and does.
    pub(super) fn complaint(&mut self, sql: &str, piece: &Piece) -> Option<Unread> {
        let words = words(sql, piece);
        let is_judged = words.first().is_some_and(|first| JUDGED.iter().any(|word| word.eq_ignore_ascii_case(first)));
        if !is_judged || is_lacked(&words) || self.is_full {
            return None;
        }
        if self.bytes > BYTES_MAX {
            self.is_full = true;
            let message = "from here on the file is too long for the parser: only what the rules look for is read";
            return Some(Unread { span: piece.span.clone(), message: message.to_owned() });
        }
        self.bytes += sql.len();
        let operators = piece.tokens.iter().filter(|token| is_operator(&sql[token.span.clone()])).count();
        if piece.depth > DEPTH_MAX || operators > OPERATORS_MAX || piece.tokens.len() > TOKENS_MAX {
            let message = "this is too deep or too long to be judged";
            return Some(Unread { span: piece.span.clone(), message: message.to_owned() });
        }
        let dialect = PostgreSqlDialect {};
        let parser = Parser::new(&dialect).with_recursion_limit(RECURSION_MAX);
        let error = parser.try_with_sql(sql).and_then(|mut parser| parser.parse_statements()).err()?;
        let message = error.to_string();
        let message = message.trim_start_matches("sql parser error: ");
        let (said, place) = message.split_once(" at Line: ").unwrap_or((message, ""));
        let start = piece.span.start + offset(sql, place).unwrap_or(0).min(sql.len());
        Some(Unread { span: start..piece.span.end.min(start + 1).max(start), message: said.to_owned() })
            .map(|unread| within(sql, piece, unread))
    }
}

/// The place must begin and end with characters.
fn within(sql: &str, piece: &Piece, unread: Unread) -> Unread {
    let start = unread.span.start - piece.span.start;
    let token = piece.tokens.iter().find(|token| token.span.contains(&start));
    let span = token.map_or(0..sql.len(), |token| token.span.clone());
    Unread { span: span.start + piece.span.start..span.end + piece.span.start, ..unread }
}

/// The offset of `3, Column: 14`.
fn offset(sql: &str, place: &str) -> Option<usize> {
    let (line, column) = place.split_once(", Column: ")?;
    let (line, column): (usize, usize) = (line.trim().parse().ok()?, column.trim().parse().ok()?);
    let start: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let within = sql.get(start..)?.char_indices().nth(column.checked_sub(1)?).map_or(0, |(at, _)| at);
    Some(start + within)
}

fn words<'a>(sql: &'a str, piece: &Piece) -> Vec<&'a str> {
    piece.tokens.iter().map(|token| &sql[token.span.clone()]).collect()
}

fn is_operator(word: &str) -> bool {
    let by_word = ["AND", "OR", "NOT", "CASE", "WHEN"].iter().any(|operator| operator.eq_ignore_ascii_case(word));
    by_word || word.starts_with(|c: char| c.is_ascii_punctuation() && !"()[]{},;.'\"_".contains(c))
}

fn is_lacked(words: &[&str]) -> bool {
    let is = |word: &&str, other: &str| word.eq_ignore_ascii_case(other);
    let heads = words.iter().skip(1).filter(|word| !is(word, "OR") && !is(word, "REPLACE")).take(2);
    let by_head = heads.clone().any(|word| LACKED.iter().any(|lacked| is(word, lacked)));
    let follows = |lacked: &&[&str]| {
        words.windows(lacked.len()).any(|window| window.iter().zip(*lacked).all(|(word, lacked)| is(word, lacked)))
    };
    by_head || LACKED_ANYWHERE.iter().any(follows)
}
