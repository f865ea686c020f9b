//! SW030: a table, view or database is dropped.

use super::{File, Mark, Step, drop_join_table};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW030";
pub(super) const TITLE: &str = "a table or database is dropped";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    let why = "its rows are gone, and software that still uses it fails, also the version that is being replaced";
    let help = || {
        if file.is_clickhouse() {
            format!(
                "take its name away first and see who misses it: RENAME TABLE {table} TO … (or DETACH TABLE {table} PERMANENTLY); drop it weeks later"
            )
        } else {
            format!(
                "release software that does not use it first; then ALTER TABLE {table} RENAME TO …, and drop it weeks later"
            )
        }
    };
    match &step.act.what {
        What::DropTable if drop_join_table::is_one(file, step) => None,
        What::DropTable => Some(Mark::blocker(span, format!("{table} is dropped"), why, help())),
        What::CreateTable(definition) if definition.replaces => {
            Some(Mark::blocker(span, format!("{table} is replaced by an empty one"), why, help()))
        }
        What::DropOther(kind @ ("database" | "schema")) => {
            Some(Mark::blocker(span, format!("the {kind} {table} is dropped"), "everything in it is gone", help()))
        }
        What::DropOther(kind) => Some(Mark::hazard(
            span,
            format!("the {kind} {table} is dropped"),
            "what reads it fails; a materialized view copies nothing any more, and what comes in meanwhile is lacking in its target",
            "see what depends on it: SELECT name, engine FROM system.tables WHERE has(dependencies_table, …); create it anew before writers go on",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("DROP TABLE IF EXISTS d.t ON CLUSTER main SYNC", "blocker: DROP TABLE IF EXISTS d.t"),
                ("DROP DATABASE d", "blocker: DROP DATABASE d"),
                ("DROP VIEW v", "hazard: DROP VIEW v"),
                ("CREATE OR REPLACE TABLE t (a UInt8) ENGINE = Memory", "blocker: CREATE OR REPLACE TABLE t"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                ("DROP TABLE \"app_book\" CASCADE", "blocker: DROP TABLE \"app_book\""),
                ("DROP SCHEMA s CASCADE", "blocker: DROP SCHEMA s"),
            ],
        );
        passes(CODE, ClickHouse, &["CREATE TABLE t (a UInt8) ENGINE = Memory; DROP TABLE t", "DROP FUNCTION f"]);
        passes(CODE, Postgres, &["CREATE TEMP TABLE t (a int); DROP TABLE t", "DROP INDEX CONCURRENTLY i"]);
    }
}
