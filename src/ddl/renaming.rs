//! A query with other tables in place of those that it reads.

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::DdlError;
use super::lexer::{Token, TokenKind, significant_tokens};
use super::quoting::name_of;
use super::sources::table_places;
use crate::names::TableName;

/// The query with `by(name)` in place of each table for which there is such, also where the table's whole name stands before a
/// column's. Tables without a database are those of `database`, and get it. What stands within table functions and strings stays.
pub fn with_tables(
    query: &str,
    database: &str,
    by: impl Fn(&TableName) -> Option<TableName>,
) -> Result<String, DdlError> {
    let tokens = significant_tokens(query)?;
    let mut places: BTreeMap<usize, (Range<usize>, TableName)> = BTreeMap::new();
    for (span, name) in qualifiers(query, &tokens) {
        places.extend(by(&name).map(|other| (span.start, (span, other))));
    }
    for place in table_places(query)? {
        let name = place.in_database(database);
        let other = by(&name).unwrap_or(name);
        places.insert(place.span.start, (place.span, other));
    }
    let (mut written, mut from) = (String::new(), 0);
    for (span, name) in places.into_values() {
        written.push_str(&query[from..span.start]);
        written.push_str(&name.sql());
        from = span.end;
    }
    Ok(written + &query[from..])
}

/// `a.b` before another dot.
fn qualifiers(query: &str, tokens: &[Token]) -> Vec<(Range<usize>, TableName)> {
    let is_dot = |at: Option<&Token>| at.is_some_and(|token| token.kind == TokenKind::Dot);
    let name = |token: &Token| name_of(token.kind, &query[token.span.clone()]);
    let qualifier = |at: usize| {
        let four = tokens.get(at..at + 4)?;
        let stands = is_dot(four.get(1)) && is_dot(four.get(3)) && !(at > 0 && is_dot(tokens.get(at - 1)));
        let named = TableName::new(name(&four[0])?, name(&four[2])?);
        stands.then_some((four[0].span.start..four[2].span.end, named))
    };
    (0..tokens.len()).filter_map(qualifier).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_wherever_a_query_reads_them() {
        let by = |name: &TableName| (name.to_string() == "app.l").then(|| TableName::new("scratch", "l"));
        for (query, wanted) in [
            (
                "SELECT l.id FROM l WHERE app.l.k = 'app.l'",
                "SELECT l.id FROM `scratch`.`l` WHERE `scratch`.`l`.k = 'app.l'",
            ),
            (
                "SELECT * FROM app.l AS a JOIN u USING id WHERE id IN (SELECT id FROM `app`.`l`)",
                "SELECT * FROM `scratch`.`l` AS a JOIN `app`.`u` USING id WHERE id IN (SELECT id FROM `scratch`.`l`)",
            ),
            ("WITH l AS (SELECT 1) SELECT * FROM l", "WITH l AS (SELECT 1) SELECT * FROM l"),
            ("SELECT * FROM cluster('main', app.l)", "SELECT * FROM cluster('main', app.l)"),
        ] {
            assert_eq!(with_tables(query, "app", by).unwrap(), wanted);
        }
        assert!(with_tables("SELECT 'x", "app", by).is_err());
    }
}
