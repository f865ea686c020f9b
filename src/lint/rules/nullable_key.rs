//! SW047: a Nullable column in a sorting key.

use super::{File, Mark};
use crate::ddl::columns_of;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW047";
pub(super) const TITLE: &str = "a key has a Nullable column";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let keys = file.steps().filter_map(|step| {
        let What::CreateTable(definition) = &step.act.what else { return None };
        let (key, span) = definition.order_by.as_ref()?;
        let names = columns_of(key).unwrap_or_default();
        let nullable = |name: &String| {
            definition.columns.iter().any(|column| column.name == *name && column.kind.contains("Nullable("))
        };
        let name = file.quoted(names.iter().find(|name| nullable(name))?);
        Some(Mark::hazard(
            span,
            format!("the sorting key of {} has the Nullable column {name}", step.table()),
            "the server refuses it unless allow_nullable_key is set; then NULLs sort as the largest, filters read more, and the key cannot be moved to servers without it",
            format!("declare {name} without Nullable, with a DEFAULT for what is not known"),
        ))
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
                (
                    "CREATE TABLE t (a Nullable(String), b UInt8) ENGINE = MergeTree ORDER BY (b, a) SETTINGS allow_nullable_key = 1",
                    "hazard: (b, a)",
                ),
                ("CREATE TABLE t (a LowCardinality(Nullable(String))) ENGINE = MergeTree ORDER BY a", "hazard: a"),
                ("CREATE TABLE t (a Array(Nullable(String))) ENGINE = MergeTree ORDER BY a", "hazard: a"),
                ("CREATE TABLE t (a String NULL) ENGINE = MergeTree ORDER BY a", "hazard: a"),
                ("CREATE TABLE t (a String DEFAULT 'x' NULL) ENGINE = MergeTree ORDER BY a", "hazard: a"),
                ("CREATE TABLE t (a Nullable(String)) ENGINE = MergeTree PRIMARY KEY a", "hazard: a"),
                (
                    "CREATE TABLE t (a Nullable(Int8), PRIMARY KEY (a)) ENGINE = MergeTree",
                    "hazard: (a Nullable(Int8), PRIMARY KEY (a))",
                ),
                (
                    "CREATE TABLE t (a Nullable(Int8) PRIMARY KEY) ENGINE = MergeTree",
                    "hazard: (a Nullable(Int8) PRIMARY KEY)",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "CREATE TABLE t (a Nullable(String), b UInt8) ENGINE = MergeTree ORDER BY b",
                "CREATE TABLE t (a Array(Nullable(String)), b UInt8) ENGINE = MergeTree ORDER BY b",
                "CREATE TABLE t (a String NOT NULL, b UInt8) ENGINE = MergeTree ORDER BY a",
                "CREATE TABLE t (a Nullable(String), b UInt8) ENGINE = MergeTree PRIMARY KEY b",
            ],
        );
    }
}
