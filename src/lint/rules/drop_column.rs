//! SW027: a column is dropped, and what still reads it fails.

use super::{File, Mark, Step};
use crate::ddl::Form;
use crate::lint::statement::What;
use crate::names::quote_string;

pub(super) const CODE: &str = "SW027";
pub(super) const TITLE: &str = "a column is dropped or cleared";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let table = step.table();
    match &step.act.what {
        What::DropColumn { column } => {
            let why = "software that still selects or inserts it fails at once, also the version that is being replaced; the values are gone";
            let column = file.quoted(column);
            let help = if file.is_clickhouse() {
                let reads = condition_of_reading(file, step, &column);
                format!(
                    "first release software that does not use it; ask who read it: SELECT user, max(event_time) FROM \
                     clusterAllReplicas('{{cluster}}', system.query_log) WHERE {reads} GROUP BY user; drop it later, in a migration of its own"
                )
            } else {
                format!(
                    "first release software that does not use it (make it optional: ALTER TABLE {table} ALTER COLUMN {column} DROP \
                     NOT NULL); drop it later, in a migration of its own"
                )
            };
            Some(Mark::blocker(&step.act.span, format!("{table} loses its column {column}"), why, help))
        }
        What::Alter(command) if command.form == Form::ClearColumn => Some(Mark::blocker(
            &step.act.span,
            format!("{table} loses the values of a column"),
            "the values are replaced by the default, in every part, and do not come back",
            "copy them into a new column first, or say why they may go",
        )),
        _ => None,
    }
}

/// What is true of queries that read a column: the log names it `database.table.column`, each in backticks only where it must be.
fn condition_of_reading(file: &File<'_>, step: &Step<'_>, column: &str) -> String {
    let Some(table) = &step.act.table else { return String::new() };
    let name = format!("{}.{column}", file.quoted(&table.table));
    match &table.database {
        Some(database) => format!("has(columns, {})", quote_string(&format!("{}.{name}", file.quoted(database)))),
        None => format!("arrayExists(name -> endsWith(name, {}), columns)", quote_string(&format!(".{name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};
    use crate::lint::{Choice, Source, lint};

    #[test]
    fn readers_are_looked_for_under_the_name_that_the_log_has() {
        for (sql, condition) in [
            ("ALTER TABLE `d`.`t` DROP COLUMN `a`", "WHERE has(columns, 'd.t.a') GROUP"),
            ("ALTER TABLE d.`my t` DROP COLUMN n.q", "WHERE has(columns, 'd.`my t`.`n.q`') GROUP"),
            ("ALTER TABLE t DROP COLUMN a", "WHERE arrayExists(name -> endsWith(name, '.t.a'), columns) GROUP"),
        ] {
            let source = Source { name: "x.sql".to_owned(), text: sql.to_owned() };
            let report = lint(vec![source], Choice::Only(ClickHouse));
            let help = &report.files[0].findings[0].finding.help;
            assert!(help.contains(condition), "{help}");
        }
    }

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("ALTER TABLE d.t DROP COLUMN IF EXISTS a", "blocker: DROP COLUMN IF EXISTS a"),
                ("ALTER TABLE t CLEAR COLUMN a IN PARTITION 1", "blocker: CLEAR COLUMN a IN PARTITION 1"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                ("ALTER TABLE \"a\" DROP COLUMN \"b\" CASCADE;", "blocker: DROP COLUMN \"b\" CASCADE"),
                ("ALTER TABLE a DROP b", "blocker: DROP b"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t ADD COLUMN a UInt8",
                "CREATE TABLE t (a UInt8, b UInt8) ENGINE = MergeTree ORDER BY a; ALTER TABLE t DROP COLUMN b",
                "ALTER TABLE t DROP INDEX i",
            ],
        );
        passes(CODE, Postgres, &["ALTER TABLE a DROP CONSTRAINT b", "ALTER TABLE a ALTER COLUMN b DROP NOT NULL"]);
    }
}
