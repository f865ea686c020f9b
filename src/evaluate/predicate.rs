//! What queries ask of rows: which expressions they compare with what.
//!
//! Only the words AND, IN, BETWEEN and comparisons between brackets are understood. What is not is left out: these conditions
//! propose keys, and measurements judge them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::aim::name_of;
use crate::catalog::Column;
use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::{columns_of, key_items};

/// The expressions of one query that a key can serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Compared with one value, or with a list.
    pub equal: BTreeSet<String>,
    /// Compared with a bound.
    pub ranges: BTreeSet<String>,
}

impl Conditions {
    /// Those of a query, over these columns.
    pub fn of(query: &str, columns: &[Column]) -> Self {
        let mut conditions = Self::default();
        if let Ok(tokens) = significant_tokens(query) {
            let reading = Reading { query, tokens: &tokens, columns };
            for clause in reading.clauses() {
                reading.conjunction(clause, &mut conditions);
            }
        }
        conditions
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.equal.union(&self.ranges)
    }
}

struct Reading<'a> {
    query: &'a str,
    tokens: &'a [Token],
    columns: &'a [Column],
}

const ENDS: [&str; 15] = [
    "GROUP",
    "ORDER",
    "LIMIT",
    "HAVING",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "WINDOW",
    "QUALIFY",
    "SETTINGS",
    "FORMAT",
    "OFFSET",
    "WHERE",
    "PREWHERE",
    "INTO",
];

impl Reading<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.query[token.span.clone()])
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == TokenKind::Word)
            && self.text(at).eq_ignore_ascii_case(word)
    }

    /// What stands behind each WHERE and PREWHERE.
    fn clauses(&self) -> Vec<Range<usize>> {
        let begins =
            |at: &usize| (self.is(*at, "WHERE") || self.is(*at, "PREWHERE")) && (*at == 0 || self.text(*at - 1) != ".");
        (0..self.tokens.len()).filter(begins).map(|at| at + 1..self.end_of_clause(at + 1)).collect()
    }

    fn end_of_clause(&self, begin: usize) -> usize {
        let mut depth = 0_usize;
        for at in begin..self.tokens.len() {
            match self.tokens[at].kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close if depth == 0 => return at,
                TokenKind::Close => depth -= 1,
                TokenKind::Semicolon => return at,
                TokenKind::Word if depth == 0 && ENDS.iter().any(|word| self.is(at, word)) => return at,
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// Places outside of brackets.
    fn outer(&self, range: &Range<usize>) -> Vec<usize> {
        let mut depth = 0_usize;
        let mut outer = Vec::new();
        for at in range.clone() {
            match self.tokens[at].kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ if depth == 0 => outer.push(at),
                _ => {}
            }
        }
        outer
    }

    fn conjunction(&self, range: Range<usize>, conditions: &mut Conditions) {
        let range = self.without_brackets(range);
        let outer = self.outer(&range);
        if range.is_empty() || outer.iter().any(|at| self.is(*at, "OR")) {
            return;
        }
        let mut begin = range.start;
        let mut is_between = false;
        let mut parts = Vec::new();
        for at in outer {
            if self.is(at, "BETWEEN") {
                is_between = true;
            } else if self.is(at, "AND") && !std::mem::take(&mut is_between) {
                parts.push(begin..at);
                begin = at + 1;
            }
        }
        if parts.is_empty() {
            self.condition(range, conditions);
            return;
        }
        parts.push(begin..range.end);
        for part in parts {
            self.conjunction(part, conditions);
        }
    }

    fn without_brackets(&self, mut range: Range<usize>) -> Range<usize> {
        while range.len() > 2 && self.text(range.start) == "(" && self.text(range.end - 1) == ")" {
            let within = range.start + 1..range.end - 1;
            let mut depth = 0_i32;
            let is_one = within.clone().all(|at| {
                match self.tokens[at].kind {
                    TokenKind::Open => depth += 1,
                    TokenKind::Close => depth -= 1,
                    _ => {}
                }
                depth >= 0
            });
            if !is_one {
                break;
            }
            range = within;
        }
        range
    }

    /// One comparison.
    fn condition(&self, range: Range<usize>, conditions: &mut Conditions) {
        let outer = self.outer(&range);
        if outer.iter().any(|at| self.is(*at, "NOT") || matches!(self.text(*at), "!=" | "<>")) {
            return;
        }
        if self.is(range.start, "startsWith") && self.text(range.start + 1) == "(" {
            let comma = (range.start..range.end).find(|at| self.text(*at) == ",").unwrap_or(range.end);
            conditions.ranges.extend(self.expression(range.start + 2..comma));
            return;
        }
        let operator = outer.into_iter().find_map(|at| Some((at, self.operator(at)?)));
        let Some((at, is_equal)) = operator else { return };
        let left = range.start..if self.is(at - 1, "GLOBAL") { at - 1 } else { at };
        let (left, right) = (self.expression(left), self.expression(at + 1..range.end));
        // A comparison of two columns holds for no place in a key.
        let ((Some(found), None) | (None, Some(found))) = (left, right) else { return };
        self.take(found, is_equal, conditions);
    }

    fn take(&self, expression: String, is_equal: bool, conditions: &mut Conditions) {
        let column = columns_of(&expression).ok().and_then(|columns| columns.into_iter().next()).unwrap_or_default();
        if expression != column && self.is_time(&column) {
            // A day or month of a time bounds the time.
            conditions.ranges.insert(column);
        } else if !is_equal && self.is_time(&column) && !self.is_date(&column) {
            conditions.ranges.insert(format!("toDate({column})"));
            conditions.ranges.insert(format!("toStartOfHour({column})"));
        }
        if is_equal {
            conditions.equal.insert(expression)
        } else {
            conditions.ranges.insert(expression)
        };
    }

    /// Whether it compares with one value or a list (true), or with a bound (false).
    fn operator(&self, at: usize) -> Option<bool> {
        match self.text(at) {
            "=" | "==" => Some(true),
            "<" | "<=" | ">" | ">=" => Some(false),
            _ if self.is(at, "IN") => Some(true),
            _ if self.is(at, "BETWEEN") || self.is(at, "LIKE") => Some(false),
            _ => None,
        }
    }

    /// An expression over the table's columns, as a key has it: without the table's name before columns, and without texts of the
    /// query's.
    fn expression(&self, range: Range<usize>) -> Option<String> {
        if range.is_empty()
            || range.clone().any(|at| matches!(self.tokens[at].kind, TokenKind::String | TokenKind::HereDoc))
        {
            return None;
        }
        let mut text = String::new();
        for at in range.clone() {
            if self.is_qualifier(at) || at > range.start && self.text(at) == "." && self.is_qualifier(at - 1) {
                continue;
            }
            text.push_str(self.text(at));
            text.push(' ');
        }
        let [item] = <[String; 1]>::try_from(key_items(&text).ok()?).ok()?;
        let columns = columns_of(&item).ok().filter(|columns| !columns.is_empty())?;
        let is_stored = |name: &String| self.columns.iter().any(|column| column.name == *name && column.is_stored());
        columns.iter().all(is_stored).then_some(item)
    }

    fn is_qualifier(&self, at: usize) -> bool {
        let name = |at: usize| self.tokens.get(at).and_then(|token| name_of(self.query, token));
        let is_column = |name: &str| self.columns.iter().any(|column| column.name == name);
        self.text(at + 1) == "."
            && name(at).is_some_and(|name| !is_column(&name))
            && name(at + 2).is_some_and(|name| is_column(&name))
    }

    fn is_time(&self, column: &str) -> bool {
        self.columns.iter().any(|one| one.name == column && one.kind.starts_with("Date"))
    }

    fn is_date(&self, column: &str) -> bool {
        self.columns.iter().any(|one| one.name == column && matches!(one.kind.as_str(), "Date" | "Date32"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::tests::events;
    use super::*;

    fn found(query: &str) -> (String, String) {
        let conditions = Conditions::of(query, &events().columns);
        let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        (join(&conditions.equal), join(&conditions.ranges))
    }

    #[test]
    fn comparisons_are_told_apart() {
        for (query, equal, ranges) in [
            ("SELECT 1 FROM t WHERE tenant = 1 AND event IN ('a', 'b')", "event tenant", ""),
            ("SELECT 1 FROM t x WHERE (x.tenant = 1) AND (size BETWEEN 1 AND 2) GROUP BY event", "tenant", "size"),
            ("SELECT 1 FROM t WHERE toDate(ts) = '2024-01-01'", "toDate(ts)", "ts"),
            ("SELECT 1 FROM t PREWHERE ts > now() WHERE 5 = tenant", "tenant", "toDate(ts) toStartOfHour(ts) ts"),
            ("SELECT 1 FROM t WHERE tenant = 1 OR size = 2", "", ""),
            ("SELECT 1 FROM t WHERE tenant != 1 AND event NOT IN ('a') AND nope = 1 AND kb = 2", "", ""),
            ("SELECT 1 FROM (SELECT * FROM t WHERE tenant = 1) WHERE startsWith(event, 'x')", "tenant", "event"),
            ("SELECT 1 FROM t WHERE tenant = size AND position(event, 'secret') = 1", "", ""),
        ] {
            assert_eq!(found(query), (equal.to_owned(), ranges.to_owned()), "{query}");
        }
    }
}
