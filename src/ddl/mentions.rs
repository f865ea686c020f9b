//! Which of the tables that there are a definition mentions, in whatever place.

use std::collections::BTreeSet;

use super::dictionary::read_dictionary;
use super::lexer::{Token, TokenKind, significant_tokens};
use super::passing::Merged;
use super::quoting::{name_of, unquote};
use super::statement::read_table;
use super::view::read_view;
use crate::names::TableName;

/// The tables among `known` that the definition of `own` mentions: after FROM and TO, in the arguments of engines, by the
/// patterns of Merge tables, in strings as `dictGet` takes them, in a dictionary's source and its queries. Rather one too many than one too few: a string that happens to be a
/// table's name is taken for it. A definition that cannot be read mentions nothing.
pub fn mentions(own: &TableName, definition: &str, known: &BTreeSet<TableName>) -> BTreeSet<TableName> {
    let Ok(tokens) = significant_tokens(definition) else { return BTreeSet::new() };
    let mut found = dotted(definition, &tokens);
    let strings: BTreeSet<String> = strings(definition, &tokens).chain(bare_arguments(definition)).collect();
    let databases = strings.iter().chain([&own.database]);
    for database in databases {
        found.extend(strings.iter().map(|table| TableName::new(database.clone(), table.clone())));
    }
    found.extend(strings.iter().filter_map(|text| text.split_once('.')).map(|(a, b)| TableName::new(a, b)));
    if let Ok(view) = read_view(definition) {
        found.extend(view.reads(&own.database, known));
        found.extend(view.target.map(|name| name.in_database(&own.database)));
    }
    if let Ok(dictionary) = read_dictionary(definition) {
        found.extend(dictionary.reads(&own.database, known));
    }
    found.extend(merged(own, definition, known));
    found.retain(|name| name != own && known.contains(name));
    found
}

/// `a.b`, either part quoted or not.
fn dotted(sql: &str, tokens: &[Token]) -> BTreeSet<TableName> {
    let pair = |three: &[Token]| {
        let [first, dot, second] = three else { return None };
        (dot.kind == TokenKind::Dot).then_some(())?;
        let name = |token: &Token| name_of(token.kind, &sql[token.span.clone()]);
        Some(TableName::new(name(first)?, name(second)?))
    };
    tokens.windows(3).filter_map(pair).collect()
}

fn strings<'a>(sql: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = String> + 'a {
    tokens.iter().filter(|token| token.kind == TokenKind::String).filter_map(|token| unquote(&sql[token.span.clone()]))
}

/// What a Merge table's patterns match.
fn merged(own: &TableName, definition: &str, known: &BTreeSet<TableName>) -> Vec<TableName> {
    let Some(table) = read_table(definition).ok().filter(|table| table.engine.name == "Merge") else {
        return Vec::new();
    };
    let Some(merged) = Merged::read(table.engine.args(), &own.database) else { return Vec::new() };
    known.iter().filter(|name| merged.has(name)).cloned().collect()
}

/// Old servers keep the names of `Distributed(main, d, t)` and its like as they were written.
fn bare_arguments(definition: &str) -> Vec<String> {
    let Ok(table) = read_table(definition) else { return Vec::new() };
    if table.engine.is_merge_tree_family() {
        return Vec::new();
    }
    let bare = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| text.to_owned());
    table.engine.args().iter().filter_map(|arg| bare(&arg.text).or_else(|| unquote(&arg.text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(definition: &str) -> String {
        let known = ["k.t", "k.names", "k.queue", "k.daily", "k.own", "other.t", "odd.a.b"];
        let known = known.iter().map(|text| text.split_once('.').unwrap()).map(|(a, b)| TableName::new(a, b)).collect();
        let found = mentions(&TableName::new("k", "own"), definition, &known);
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tables_are_found_wherever_they_stand() {
        for (definition, wanted) in [
            (
                "CREATE MATERIALIZED VIEW k.own TO k.t (`id` UInt64) AS SELECT id FROM k.queue WHERE _topic != ''",
                "k.queue k.t",
            ),
            ("CREATE VIEW k.own (`day` Date) AS SELECT * FROM `k`.`daily` JOIN other.t USING a", "k.daily other.t"),
            ("CREATE VIEW own AS SELECT * FROM daily", "k.daily"),
            (
                "CREATE TABLE k.own (`a` UInt8, `b` String MATERIALIZED dictGet('k.names', 'b', a)) ENGINE = Null",
                "k.names",
            ),
            (
                "CREATE TABLE k.own (`a` UInt8 DEFAULT dictGet('names', 'b', a)) ENGINE = MergeTree ORDER BY a",
                "k.names",
            ),
            ("CREATE TABLE k.own (`a` UInt8) ENGINE = Distributed('main', 'other', 't', rand())", "k.t other.t"),
            ("CREATE TABLE k.own ( a UInt8) ENGINE = Distributed(main, k, t)", "k.t"),
            ("CREATE TABLE k.own (`a` UInt8) ENGINE = Buffer('k', 't', 16, 10, 100, 1, 2, 3, 4)", "k.t"),
            (
                "CREATE DICTIONARY k.own (`id` UInt64) PRIMARY KEY id SOURCE(CLICKHOUSE(DB 'k' TABLE 'daily')) LAYOUT(FLAT())",
                "k.daily",
            ),
            ("CREATE TABLE k.own (`t` UInt8) ENGINE = ReplacingMergeTree(t) ORDER BY t", ""),
            ("CREATE VIEW k.own AS SELECT joinGet('odd.a.b', 'x', 1)", "odd.a.b"),
            ("CREATE VIEW k.own AS SELECT a FROM merge('k', '^(t|dail)')", "k.daily k.t"),
            ("CREATE VIEW k.own AS SELECT a FROM cluster(main, other, t)", "other.t"),
            ("CREATE TABLE k.own (`a` UInt8) ENGINE = Merge('k', '^(t|x)$')", "k.t"),
            ("CREATE TABLE k.own (`a` UInt8) ENGINE = Merge(REGEXP('^(k|other)$'), '^t$')", "k.t other.t"),
            (
                "CREATE DICTIONARY k.own (`id` UInt64) PRIMARY KEY id SOURCE(CLICKHOUSE(QUERY 'SELECT id FROM other.t JOIN daily USING id')) LAYOUT(FLAT())",
                "k.daily other.t",
            ),
            ("CREATE TABLE 'x", ""),
        ] {
            assert_eq!(found(definition), wanted, "{definition}");
        }
    }
}
