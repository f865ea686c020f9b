//! SW027: a column is dropped, and what still reads it fails.

use super::{File, Mark, Step};
use crate::ddl::Form;
use crate::lint::statement::What;

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
                format!(
                    "first release software that does not use it; ask who read it: SELECT user, max(event_time) FROM \
                     clusterAllReplicas('{{cluster}}', system.query_log) WHERE has(columns, '{table}.{column}') GROUP BY user; drop it \
                     later, in a migration of its own"
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
