//! Sorting keys that are compared.

use crate::catalog::Table;
use crate::ddl::lexer::{TokenKind, significant_tokens};
use crate::ddl::{DdlError, ItemKind, changing_function, columns_of, key_items, read_table};

/// A sorting key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// As it stands behind ORDER BY.
    pub sql: String,
    /// Its expressions in normal form, with their directions.
    pub items: Vec<String>,
}

/// Why a text is no sorting key of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("the key cannot be read")]
    Unreadable(#[from] DdlError),
    /// The table has no such column.
    #[error("the key {key} names a column {column}, which the table does not have; it has {known}")]
    UnknownColumn {
        /// The key.
        key: String,
        /// The column.
        column: String,
        /// The table's columns.
        known: String,
    },
    /// It changes from one look to the next.
    #[error("the key {key} calls {function}(), which gives another value each time: rows would have no place")]
    Changing {
        /// The key.
        key: String,
        /// The function.
        function: String,
    },
}

impl Key {
    /// A key of a table, as a person wrote it.
    pub fn read(text: &str, table: &Table) -> Result<Self, KeyError> {
        let key = Self::of(text)?;
        let is_known = |name: &String| {
            let whole = table.columns.iter().any(|column| column.name == *name);
            whole || table.columns.iter().any(|column| name.starts_with(&format!("{}.", column.name)))
        };
        if let Some(column) = columns_of(text)?.into_iter().find(|name| !is_known(name)) {
            let known = crate::words::first(table.columns.iter().map(|column| &column.name), 20);
            return Err(KeyError::UnknownColumn { key: key.sql, column, known });
        }
        match changing_function(text) {
            Some(function) => Err(KeyError::Changing { key: key.sql, function }),
            None => Ok(key),
        }
    }

    /// A key that needs no look at a table, such as the one that it has.
    pub fn of(text: &str) -> Result<Self, DdlError> {
        let items: Vec<String> = key_items(text)?
            .into_iter()
            .map(|item| item.strip_suffix(" ASC").map_or_else(|| item.clone(), ToOwned::to_owned))
            .collect();
        let sql = match items.len() {
            0 => "tuple()".to_owned(),
            _ if is_in_brackets(text)? => text.trim().to_owned(),
            _ => format!("({})", text.trim()),
        };
        Ok(Self { sql, items })
    }

    /// A key of expressions that were read before.
    pub fn from_items(items: &[String]) -> Self {
        let sql = if items.is_empty() { "tuple()".to_owned() } else { format!("({})", items.join(", ")) };
        Self { sql, items: items.to_vec() }
    }

    /// Its expressions without directions.
    pub fn expressions(&self) -> Vec<&str> {
        self.items.iter().map(|item| item.strip_suffix(" DESC").unwrap_or(item)).collect()
    }
}

/// The projections of a table that keep its rows in the order in which this key begins: the key itself serves what they serve.
pub fn projections_spared(key: &Key, create_query: &str) -> Vec<String> {
    let Ok(live) = read_table(create_query) else { return Vec::new() };
    let sorted_alike = |text: &str| {
        let order = order_of(text).and_then(|order| Key::of(order).ok());
        order.is_some_and(|order| !order.items.is_empty() && key.items.starts_with(&order.items))
    };
    let spared = live.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Projection { name } if sorted_alike(&item.text.text) => Some(name.clone()),
        _ => None,
    });
    spared.collect()
}

/// What stands behind ORDER BY in `PROJECTION p (SELECT … ORDER BY …)`.
fn order_of(projection: &str) -> Option<&str> {
    let tokens = significant_tokens(projection).ok()?;
    let text =
        |at: usize| tokens.get(at).map_or("", |token: &crate::ddl::lexer::Token| &projection[token.span.clone()]);
    let mut depth = 0_usize;
    let mut begin = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close if depth == 1 => return Some(projection[begin?..token.span.start].trim()),
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth == 1 && text(at).eq_ignore_ascii_case("ORDER") && text(at + 1).eq_ignore_ascii_case("BY") => {
                begin = Some(tokens[at + 1].span.end);
            }
            _ => {}
        }
    }
    None
}

/// Whether one pair of round brackets holds all of it.
fn is_in_brackets(text: &str) -> Result<bool, DdlError> {
    let tokens = significant_tokens(text)?;
    let Some(first) = tokens.first() else { return Ok(false) };
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Ok(&text[first.span.clone()] == "(" && at + 1 == tokens.len());
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::twin::tests::events;
    use super::*;

    #[test]
    fn a_key_is_what_stands_behind_order_by() {
        for (text, sql) in [
            ("(a, b)", "(a, b)"),
            ("a, b", "(a, b)"),
            ("a", "(a)"),
            ("tuple()", "tuple()"),
            ("", "tuple()"),
            ("(a) + (b), c", "((a) + (b), c)"),
        ] {
            assert_eq!(Key::of(text).unwrap().sql, sql);
        }
        assert_eq!(Key::of("a ASC, b DESC").unwrap().items, ["a", "b DESC"]);
        assert_eq!(Key::of("(a, b)").unwrap().items, Key::of("a , `b`").unwrap().items);
    }

    #[test]
    fn a_projection_in_the_order_of_the_key_is_spared() {
        let create = "CREATE TABLE d.t (`a` UInt8, `b c` UInt8, PROJECTION p (SELECT * ORDER BY `b c`, a), PROJECTION q (SELECT a, (b) \
                      ORDER BY (a)), PROJECTION sums (SELECT a, sum(`b c`) GROUP BY a)) ENGINE = MergeTree ORDER BY a";
        let spared = |key: &str| projections_spared(&Key::of(key).unwrap(), create);
        assert_eq!(spared("`b c`, a, a + 1"), ["p"]);
        assert_eq!(spared("(a, `b c`)"), ["q"]);
        assert!(spared("`b c`").is_empty() && spared("tuple()").is_empty());
        assert!(projections_spared(&Key::of("a").unwrap(), "CREATE VIEW").is_empty());
    }

    #[test]
    fn keys_that_no_table_can_have_are_refused() {
        let refusal = |text: &str| Key::read(text, &events()).unwrap_err().to_string();
        assert_eq!(
            refusal("(tenant, nope)"),
            "the key (tenant, nope) names a column nope, which the table does not have; it has tenant, event, ts, size, kb"
        );
        assert!(refusal("(tenant, rand())").contains("calls rand()"));
        assert_eq!(refusal("(tenant,"), "the key cannot be read");
        assert!(Key::read("(event, toDate(ts))", &events()).is_ok());
    }
}
