//! Where two definitions of a table differ.

use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::{CreateTable, DdlError, ItemKind, key_items, read_table};

use crate::words::sql;

/// The part that says how columns are ordered.
const COLUMN_ORDER: &str = "order of columns";

/// A definition, part by part. Name, Keeper path and replica name are left out: they may differ between equal tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts(Vec<(String, String)>);

/// A part that two definitions do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// `column a`, `PARTITION BY`
    pub(super) part: String,
    left: Option<String>,
    right: Option<String>,
}

impl Parts {
    /// Takes `create_table_query` apart.
    pub(super) fn read(create_query: &str) -> Result<Self, DdlError> {
        read_table(create_query).map(|table| Self::of(&table))
    }

    fn of(table: &CreateTable) -> Self {
        let items = table.items.iter().map(|item| (label(&item.kind), item.text.text.clone()));
        let mut parts: Vec<(String, String)> = items.collect();
        let args = table.engine.merge_texts();
        parts.push(("engine".to_owned(), format!("{}({})", table.engine.name, args.join(", "))));
        let clauses = &table.engine.clauses;
        for (keywords, clause) in [
            ("PARTITION BY", &clauses.partition_by),
            ("PRIMARY KEY", &clauses.primary_key),
            ("ORDER BY", &clauses.order_by),
            ("SAMPLE BY", &clauses.sample_by),
            ("TTL", &clauses.ttl),
            ("SETTINGS", &clauses.settings),
            ("COMMENT", &table.comment),
        ] {
            let text = clause.as_ref().map(|clause| clause.text.as_str());
            let text = text.map(|text| if keywords == "SETTINGS" { in_order(text) } else { text.to_owned() });
            parts.extend(text.map(|text| (keywords.to_owned(), text)));
        }
        parts.push((COLUMN_ORDER.to_owned(), table.column_names().collect::<Vec<_>>().join(", ")));
        Self(parts)
    }

    /// The text of a part.
    pub(super) fn get(&self, part: &str) -> Option<&str> {
        self.0.iter().find(|(label, _)| label == part).map(|(_, text)| text.as_str())
    }

    /// The same without some parts.
    pub(super) fn without(mut self, parts: &[&str]) -> Self {
        self.0.retain(|(label, _)| !parts.contains(&label.as_str()));
        self
    }

    /// Every part in which this definition differs from another.
    pub(super) fn differences(&self, other: &Self) -> Vec<Difference> {
        let only_other = other.0.iter().filter(|(label, _)| self.get(label).is_none());
        let labels = self.0.iter().chain(only_other).map(|(label, _)| label);
        let is_same = |label: &str| match (self.get(label), other.get(label)) {
            (Some(one), Some(other)) => one == other || spelling(one) == spelling(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let differences = labels.filter(|label| !is_same(label)).map(|label| Difference {
            part: label.clone(),
            left: self.get(label).map(str::to_owned),
            right: other.get(label).map(str::to_owned),
        });
        let mut found: Vec<Difference> = differences.collect();
        // That other columns come in another order says nothing.
        if found.iter().any(Difference::is_column_of_one) {
            found.retain(|difference| difference.part != COLUMN_ORDER);
        }
        found
    }
}

impl Difference {
    /// The part with both texts, each with where it stands: `column a: …`
    pub(super) fn says(&self, left: &str, right: &str) -> String {
        let text = |text: &Option<String>| text.as_ref().map_or_else(|| "none".to_owned(), |text| sql(text));
        format!("{}: {} {left}, {} {right}", self.part, text(&self.left), text(&self.right))
    }

    fn is_column_of_one(&self) -> bool {
        self.part.starts_with("column ") && (self.left.is_none() || self.right.is_none())
    }
}

fn label(kind: &ItemKind) -> String {
    match kind {
        ItemKind::Column { name } => format!("column {name}"),
        ItemKind::Index { name } => format!("index {name}"),
        ItemKind::Projection { name } => format!("projection {name}"),
        ItemKind::Constraint { name } => format!("constraint {name}"),
        ItemKind::PrimaryKey => "PRIMARY KEY".to_owned(),
    }
}

/// A text's tokens, with quotes only around names that need them: old servers write `id` where new ones write `` `id` ``.
fn spelling(text: &str) -> Option<Vec<String>> {
    let token = |token: Token| {
        let text = &text[token.span];
        let name = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        name.filter(|name| token.kind == TokenKind::QuotedIdentifier && is_plain(name)).unwrap_or(text).to_owned()
    };
    Some(significant_tokens(text).ok()?.into_iter().map(token).collect())
}

/// Whether a name means the same without quotes.
fn is_plain(name: &str) -> bool {
    const VALUES: [&str; 5] = ["NULL", "TRUE", "FALSE", "INTERVAL", "CASE"];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !VALUES.iter().any(|value| name.eq_ignore_ascii_case(value))
}

/// Settings by name: their order means nothing.
fn in_order(settings: &str) -> String {
    let Ok(mut items) = key_items(settings) else { return settings.to_owned() };
    items.sort();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(left: &str, right: &str) -> Vec<String> {
        let [left, right] = [left, right].map(|sql| Parts::read(sql).unwrap());
        left.differences(&right).iter().map(|difference| difference.says("here", "there")).collect()
    }

    #[test]
    fn keeper_arguments_names_and_the_order_of_settings_do_not_count() {
        let left = "CREATE TABLE d.t (a Int8) ENGINE = ReplicatedReplacingMergeTree('/x/1', 'r1', a) ORDER BY a SETTINGS p = 1, q = 2";
        let right = "CREATE TABLE d.u (a Int8) ENGINE = ReplicatedReplacingMergeTree('/x/{s}', '{r}', a) ORDER BY a SETTINGS q = 2, p = 1";
        assert_eq!(differences(left, right), [""; 0]);
    }

    #[test]
    fn how_a_server_quotes_and_spaces_does_not_count() {
        let old = "CREATE TABLE d.t ( a UInt8,  `b c` String DEFAULT concat(a, 'x')) ENGINE = MergeTree PARTITION BY a ORDER BY (a, `b c`)";
        let new = "CREATE TABLE d.t (`a` UInt8, `b c` String DEFAULT concat(`a`, 'x')) ENGINE = MergeTree PARTITION BY `a` ORDER BY (a,`b c`)";
        assert_eq!(differences(old, new), [""; 0]);
        let value = "CREATE TABLE d.t (a UInt8 DEFAULT `NULL`) ENGINE = Log";
        let name = "CREATE TABLE d.t (a UInt8 DEFAULT NULL) ENGINE = Log";
        assert_eq!(differences(value, name).len(), 1, "a column called NULL is not the value");
    }

    #[test]
    fn differences_come_part_by_part() {
        let left = "CREATE TABLE d.t (a Int8, b Int8, INDEX i b TYPE minmax) ENGINE = MergeTree ORDER BY a";
        let right = "CREATE TABLE d.t (b Int8, a Int16) ENGINE = ReplacingMergeTree(b) ORDER BY a TTL b";
        assert_eq!(
            differences(left, right),
            [
                "column a: `a Int8` here, `a Int16` there",
                "index i: `INDEX i b TYPE minmax` here, none there",
                "engine: `MergeTree()` here, `ReplacingMergeTree(b)` there",
                "order of columns: `a, b` here, `b, a` there",
                "TTL: none here, `b` there",
            ]
        );
        let more = "CREATE TABLE d.t (b Int8, c Int8, a Int8) ENGINE = MergeTree ORDER BY a";
        let fewer = "CREATE TABLE d.t (a Int8, b Int8) ENGINE = MergeTree ORDER BY a";
        assert_eq!(differences(more, fewer), ["column c: `c Int8` here, none there"]);
    }
}
