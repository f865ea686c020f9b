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
        What::DropOther(kind @ ("database" | "schema")) | What::DropCascade(kind @ ("database" | "schema")) => {
            let help = if file.is_clickhouse() {
                help()
            } else {
                format!(
                    "take its name away first and see who misses it: ALTER {} {table} RENAME TO …; drop it weeks later",
                    kind.to_uppercase()
                )
            };
            Some(Mark::blocker(span, format!("the {kind} {table} is dropped"), "everything in it is gone", help))
        }
        What::DropCascade(kind) if !kind.ends_with("view") && *kind != "foreign table" => Some(Mark::blocker(
            span,
            format!("the {kind} {table} is dropped, with whatever depends on it"),
            "columns that have the type go with their values, tables and views that need it go as well, and nobody is asked",
            "drop by name what is to go, one by one, without CASCADE: the server then says what else depends on it",
        )),
        What::DropOther(kind) | What::DropCascade(kind) if !file.is_clickhouse() => Some(Mark::hazard(
            span,
            format!("the {kind} {table} is dropped"),
            "software that still uses it fails, also the version that is being replaced",
            "first release software that does not use it; to change a view, CREATE OR REPLACE VIEW, or drop and create it in one transaction",
        )),
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
                ("DROP VIEW IF EXISTS v", "hazard: DROP VIEW IF EXISTS v"),
                ("DROP MATERIALIZED VIEW mv CASCADE", "hazard: DROP MATERIALIZED VIEW mv"),
                ("DROP FOREIGN TABLE f", "hazard: DROP FOREIGN TABLE f"),
                ("DROP TYPE mood", "hazard: DROP TYPE mood"),
                ("DROP TYPE mood CASCADE", "blocker: DROP TYPE mood"),
                ("DROP EXTENSION hstore CASCADE", "blocker: DROP EXTENSION hstore"),
                ("DROP OWNED BY app", "blocker: DROP OWNED BY app"),
                (
                    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1; DO $$ BEGIN DROP TABLE t; END $$",
                    "blocker: DROP TABLE t",
                ),
            ],
        );
        passes(CODE, ClickHouse, &["CREATE TABLE t (a UInt8) ENGINE = Memory; DROP TABLE t", "DROP FUNCTION f"]);
        passes(
            CODE,
            Postgres,
            &[
                "CREATE TEMP TABLE t (a int); DROP TABLE t",
                "DROP INDEX CONCURRENTLY i",
                "CREATE VIEW v AS SELECT 1; DROP VIEW v",
            ],
        );
    }

    #[test]
    fn each_of_several_names_counts() {
        let found = super::super::cases::found(CODE, Postgres, "DROP SCHEMA a, b CASCADE; DROP VIEW v, w");
        assert_eq!(found, ["blocker: DROP SCHEMA a", "blocker: b", "hazard: DROP VIEW v", "hazard: w"]);
    }
}
