//! SW046: a materialized view without TO.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW046";
pub(super) const TITLE: &str = "a materialized view has a hidden table";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let views = file.steps().filter(|step| matches!(step.act.what, What::CreateMaterializedView { to: false, .. }));
    views
        .map(|step| {
            Mark::note(
                &step.act.span,
                format!("the rows of {} go into a hidden table", step.table()),
                "the view cannot be changed without them, and dropped with it they are gone; its keys cannot be planned",
                "create the table yourself and name it: CREATE MATERIALIZED VIEW … TO target AS SELECT …",
            )
        })
        .collect()
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
                    "CREATE MATERIALIZED VIEW v ENGINE = SummingMergeTree ORDER BY a AS SELECT a FROM t",
                    "note: CREATE MATERIALIZED VIEW v",
                ),
                (
                    "CREATE MATERIALIZED VIEW v ENGINE = MergeTree ORDER BY a TTL d TO DISK 'x' AS SELECT a, d FROM t",
                    "note: CREATE MATERIALIZED VIEW v",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "CREATE MATERIALIZED VIEW v ON CLUSTER main TO d.u AS SELECT a FROM t",
                "CREATE MATERIALIZED VIEW v REFRESH EVERY 1 HOUR APPEND TO d.t AS SELECT 1",
                "CREATE VIEW v AS SELECT 1",
            ],
        );
    }
}
