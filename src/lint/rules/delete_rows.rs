//! SW032: a DELETE of many rows.

use super::{File, Mark, Step};
use crate::ddl::Form;
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
        What::Alter(command) if command.form == Form::Delete => Some(Mark::hazard(
            span,
            format!("rows of {table} are deleted by a mutation"),
            "every part with a row that fits is written anew, on every replica, however few the rows are; it cannot be undone",
            help,
        )),
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
                ("DELETE FROM d.t WHERE a > 1", "hazard: DELETE FROM d.t"),
                ("DELETE FROM t WHERE true", "blocker: DELETE FROM t"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[("DELETE FROM t", "blocker: DELETE FROM t"), ("DELETE FROM t WHERE a < now()", "hazard: DELETE FROM t")],
        );
        passes(CODE, ClickHouse, &["DELETE FROM t WHERE id = 3", "ALTER TABLE t DROP INDEX i"]);
        passes(
            CODE,
            Postgres,
            &[
                "DELETE FROM t WHERE id = 7",
                "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t LIMIT 100)",
                "DELETE FROM django_content_type WHERE id IN (1, 2)",
            ],
        );
    }
}
