//! SW048: `ORDER BY tuple()`.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW048";
pub(super) const TITLE: &str = "a table has no sorting key";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let keys = file.steps().filter_map(|step| {
        let What::CreateTable(definition) = &step.act.what else { return None };
        let (key, span) = definition.order_by.as_ref()?;
        let is_empty = ["tuple()", "()"].contains(&key.replace(char::is_whitespace, "").as_str());
        (is_empty && definition.engine.as_deref().is_some_and(|engine| engine.ends_with("MergeTree"))).then(|| {
            Mark::hazard(
                span,
                format!("{} has no sorting key", step.table()),
                "every query reads all of it, and a key can only be given later by copying the table; a merging engine merges all its rows into one",
                "ORDER BY the columns that queries filter on, those with few values first",
            )
        })
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::ClickHouse;

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("CREATE TABLE t (a UInt8) ENGINE = MergeTree() ORDER BY tuple()", "hazard: tuple()"),
                ("CREATE TABLE t (a UInt8) ENGINE = ReplicatedMergeTree ORDER BY ()", "hazard: ()"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &["CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a", "CREATE TABLE t (a UInt8) ENGINE = Memory"],
        );
    }
}
