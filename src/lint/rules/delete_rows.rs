//! SW032: a DELETE of many rows.

use super::{File, Mark, Step, in_partition, is_bookkeeping};
use crate::ddl::Form;
use crate::lint::read::of_command;
use crate::lint::statement::{Reach, What};

pub(super) const CODE: &str = "SW032";
pub(super) const TITLE: &str = "rows are deleted one by one";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    let help = if file.is_clickhouse() {
        format!("let a TTL remove them, or go by whole partitions: ALTER TABLE {table} DROP PARTITION …")
    } else {
        format!(
            "delete in batches, each in a transaction of its own, outside of the migration: DELETE FROM {table} WHERE id IN (SELECT id FROM \
             {table} WHERE … ORDER BY id LIMIT 1000)"
        )
    };
    match &step.act.what {
        What::Alter(command) if command.form == Form::Delete => {
            let partition = in_partition(&command.text.text);
            let rows = if partition { "every row of a partition" } else { "every row" };
            match of_command(&command.text.text) {
                Reach::All => Some(Mark::blocker(
                    span,
                    format!("{rows} of {table} is deleted"),
                    "the rows are gone, on every replica, and all that they stand in is written anew",
                    help,
                )),
                _ if partition => None,
                Reach::Some | Reach::Bounded => Some(Mark::hazard(
                    span,
                    format!("rows of {table} are deleted by a mutation"),
                    "every part with a row that fits is written anew, on every replica, however few the rows are; it cannot be undone",
                    help,
                )),
            }
        }
        What::Delete(Reach::Some) if is_bookkeeping(step) => None,
        What::Delete(Reach::All) => Some(Mark::blocker(
            span,
            format!("every row of {table} is deleted"),
            "the rows are gone, and on a large table it runs for hours and keeps its locks all the while",
            help,
        )),
        What::Delete(Reach::Some) => Some(Mark::hazard(
            span,
            format!("rows of {table} are deleted, and nothing bounds how many"),
            "on a large table it runs for hours and keeps its locks all the while; the rows are gone",
            help,
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
                ("ALTER TABLE t DELETE WHERE a = 1", "hazard: DELETE WHERE a = 1"),
                ("ALTER TABLE t DELETE WHERE 1", "blocker: DELETE WHERE 1"),
                ("ALTER TABLE t DELETE WHERE (1 = 1)", "blocker: DELETE WHERE (1 = 1)"),
                ("ALTER TABLE t DELETE WHERE true", "blocker: DELETE WHERE true"),
                (
                    "ALTER TABLE t DELETE IN PARTITION '202401' WHERE true",
                    "blocker: DELETE IN PARTITION '202401' WHERE true",
                ),
                ("DELETE FROM d.t WHERE a > 1", "hazard: DELETE FROM d.t"),
                ("DELETE FROM t WHERE true", "blocker: DELETE FROM t"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                ("DELETE FROM t", "blocker: DELETE FROM t"),
                ("DELETE FROM t WHERE id = id", "blocker: DELETE FROM t"),
                ("DELETE FROM t WHERE a < now()", "hazard: DELETE FROM t"),
                ("DELETE FROM t WHERE NOT (id = 7)", "hazard: DELETE FROM t"),
                ("DELETE FROM django_migrations", "blocker: DELETE FROM django_migrations"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "DELETE FROM t WHERE id = 3",
                "ALTER TABLE t DELETE IN PARTITION '202401' WHERE a = 1",
                "ALTER TABLE t DROP INDEX i",
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "DELETE FROM t WHERE id = 7",
                "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t LIMIT 100)",
                "DELETE FROM django_content_type WHERE id IN (1, 2)",
                "DELETE FROM public.alembic_version WHERE version_num = '1'",
            ],
        );
    }
}
