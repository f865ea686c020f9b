//! SW030: a table, view or database is dropped.

use super::{File, Mark, Step, drop_join_table};
use crate::lint::statement::{Definition, What};

pub(super) const CODE: &str = "SW030";
pub(super) const TITLE: &str = "a table or database is dropped";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

/// Engines of tables that hold no rows of their own: streams, and tables that stand for others.
const WITHOUT_ROWS: [&str; 30] = [
    "Alias",
    "AzureQueue",
    "Buffer",
    "DeltaLake",
    "Dictionary",
    "Distributed",
    "Executable",
    "ExecutablePool",
    "FileLog",
    "GenerateRandom",
    "HDFS",
    "Hive",
    "Hudi",
    "Iceberg",
    "JDBC",
    "Kafka",
    "Merge",
    "MongoDB",
    "MySQL",
    "NATS",
    "Null",
    "ODBC",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "S3",
    "S3Queue",
    "SQLite",
    "URL",
    "YTsaurus",
];
const LOST: &str = "its rows are gone, and software that still uses it fails, also the version that is being replaced";
const NOTHING_STORED: &str = "such a table holds no rows, so if it has this engine already, none are lost but what a Buffer or a Distributed table has not passed on \
                              yet; while it is away, inserts and selects fail, and what it feeds gets nothing";

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    match &step.act.what {
        What::DropTable if drop_join_table::is_one(file, step) => None,
        What::DropTable => Some(dropped(file, step)),
        What::CreateTable(definition) if definition.replaces => Some(replaced(file, step, definition)),
        What::DropOther(kind @ ("database" | "schema")) | What::DropCascade(kind @ ("database" | "schema")) => {
            let rename = if file.is_clickhouse() {
                format!("RENAME DATABASE {table} TO …")
            } else {
                format!("ALTER {} {table} RENAME TO …", kind.to_uppercase())
            };
            let help = format!("take its name away first and see who misses it: {rename}; drop it weeks later");
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

fn dropped(file: &File<'_>, step: &Step<'_>) -> Mark {
    let (table, span) = (step.table(), &step.act.span);
    if let Some(engine) = engine_behind(file, step).filter(|engine| is_without_rows(engine)) {
        return Mark::hazard(
            span,
            format!("{table} is dropped and created anew with the engine {engine}"),
            NOTHING_STORED,
            format!("see that it has the engine now: SHOW CREATE TABLE {table}"),
        );
    }
    if step.act.table.as_ref().is_some_and(|table| file.known.is_view_with_target(table)) {
        return Mark::hazard(
            span,
            format!("{table} is dropped, which the files make a materialized view with a target"),
            "the rows stay in the target, but it gets none any more; what comes in until the view is created anew is lacking there",
            format!("see that it is one now: SHOW CREATE TABLE {table}; create it anew before writers go on"),
        );
    }
    let was = former_name(file, step).map_or_else(String::new, |name| format!(", which was {name} before"));
    Mark::blocker(span, format!("{table} is dropped{was}"), LOST, rename_first(file, table))
}

/// The name that a table had before an exchange gave it the one by which it is dropped.
fn former_name<'a>(file: &File<'a>, step: &Step<'a>) -> Option<&'a str> {
    let table = step.act.table.as_ref()?;
    let before = file.around(step).filter(|other| other.act.span.start < step.act.span.start);
    let names = before.filter_map(|other| match (&other.act.what, &other.act.table) {
        (What::ExchangeTables { with }, Some(one)) if with.is(table) => Some(one.sql.as_str()),
        (What::ExchangeTables { with }, Some(one)) if one.is(table) => Some(with.sql.as_str()),
        _ => None,
    });
    names.last()
}

fn rename_first(file: &File<'_>, table: &str) -> String {
    if file.is_clickhouse() {
        format!(
            "take its name away first and see who misses it: RENAME TABLE {table} TO … (or DETACH TABLE {table} PERMANENTLY); drop it weeks later"
        )
    } else {
        format!(
            "release software that does not use it first; then ALTER TABLE {table} RENAME TO …, and drop it weeks later"
        )
    }
}

fn replaced(file: &File<'_>, step: &Step<'_>, definition: &Definition) -> Mark {
    let (table, span) = (step.table(), &step.act.span);
    match definition.engine.as_deref() {
        Some(engine) if is_without_rows(engine) => Mark::hazard(
            span,
            format!("{table} is replaced by one with the engine {engine}"),
            NOTHING_STORED,
            format!("see that it has the engine now: SHOW CREATE TABLE {table}"),
        ),
        _ if definition.is_filled => Mark::blocker(
            span,
            format!("{table} is replaced by one with other rows"),
            "its rows are gone but for those that the query or the other table has, and so are those that come in meanwhile",
            format!(
                "create it under another name, compare, then EXCHANGE TABLES {table} AND …, and keep the old one for weeks"
            ),
        ),
        _ => Mark::blocker(span, format!("{table} is replaced by an empty one"), LOST, rename_first(file, table)),
    }
}

/// The engine with which the file creates the table anew later on.
fn engine_behind<'a>(file: &File<'a>, step: &Step<'a>) -> Option<&'a str> {
    let table = step.act.table.as_ref()?;
    file.around(step).filter(|other| other.act.span.start > step.act.span.start).find_map(|other| {
        match &other.act.what {
            What::CreateTable(definition) if other.act.table.as_ref().is_some_and(|one| one.is(table)) => {
                definition.engine.as_deref()
            }
            _ => None,
        }
    })
}

fn is_without_rows(engine: &str) -> bool {
    WITHOUT_ROWS.contains(&engine)
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, found, passes};
    use super::CODE;
    use crate::lint::Dialect::{self, ClickHouse, Postgres};
    use crate::lint::{Choice, Source, lint};

    /// All that is said of what a statement does.
    fn said_of(sql: &str, dialect: Dialect) -> String {
        let source = Source { name: "x.sql".to_owned(), text: sql.to_owned() };
        let report = lint(vec![source], Choice::Only(dialect));
        let found = report.files[0].findings.iter().map(|found| &found.finding).filter(|finding| finding.code == CODE);
        found.map(|finding| [finding.what.as_str(), &finding.why, &finding.help].join("\n")).collect()
    }

    #[test]
    fn each_of_several_is_dropped() {
        let dropped = found(CODE, ClickHouse, "DROP TABLE IF EXISTS a, d.b ON CLUSTER main SYNC; DROP VIEW v, w");
        assert_eq!(dropped, ["blocker: DROP TABLE IF EXISTS a", "blocker: d.b", "hazard: DROP VIEW v", "hazard: w"]);
        let beside = "DROP TABLE a PARALLEL WITH DROP TABLE b";
        assert_eq!(found(CODE, ClickHouse, beside), ["blocker: DROP TABLE a", "blocker: DROP TABLE b"]);
    }

    #[test]
    fn what_is_lost_is_said_truly() {
        for (sql, dialect, said) in [
            ("CREATE OR REPLACE TABLE t AS u ENGINE = Distributed(a, b, c)", ClickHouse, "holds no rows"),
            ("CREATE OR REPLACE TABLE t ENGINE = Memory AS SELECT 1", ClickHouse, "but for those that the query"),
            ("CREATE OR REPLACE TABLE t CLONE AS u", ClickHouse, "with other rows"),
            ("EXCHANGE TABLES t AND t_new; DROP TABLE t_new", ClickHouse, "t_new is dropped, which was t before"),
            ("DROP DATABASE d", ClickHouse, "RENAME DATABASE d TO …"),
            ("DROP SCHEMA s", Postgres, "ALTER SCHEMA s RENAME TO …"),
        ] {
            assert!(said_of(sql, dialect).contains(said), "{sql}");
        }
    }

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
                (
                    "CREATE OR REPLACE TABLE d.t ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a",
                    "blocker: CREATE OR REPLACE TABLE d.t",
                ),
                (
                    "CREATE OR REPLACE TABLE d.dist AS d.local ENGINE = Distributed(main, d, local)",
                    "hazard: CREATE OR REPLACE TABLE d.dist",
                ),
                (
                    "DROP TABLE IF EXISTS q; CREATE TABLE q (a UInt8) ENGINE = Kafka SETTINGS kafka_topic_list = 'a'",
                    "hazard: DROP TABLE IF EXISTS q",
                ),
                ("DROP TABLE t; CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a", "blocker: DROP TABLE t"),
                (
                    "DROP TABLE IF EXISTS d.mv; CREATE MATERIALIZED VIEW d.mv TO d.t AS SELECT 1",
                    "hazard: DROP TABLE IF EXISTS d.mv",
                ),
                (
                    "DROP TABLE mv; CREATE MATERIALIZED VIEW mv ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a",
                    "blocker: DROP TABLE mv",
                ),
                ("DROP TABLE a.mv; CREATE MATERIALIZED VIEW b.mv TO t AS SELECT 1", "blocker: DROP TABLE a.mv"),
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
