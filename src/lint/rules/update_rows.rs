//! SW031: an UPDATE of many rows.

use super::{File, Mark, Step, in_partition, is_bookkeeping};
use crate::ddl::Form;
use crate::lint::read::of_command;
use crate::lint::statement::{Reach, What};

pub(super) const CODE: &str = "SW031";
pub(super) const TITLE: &str = "rows are updated one by one";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    let help = if file.is_clickhouse() {
        format!(
            "write the right values into a new column with a DEFAULT, or go partition by partition: ALTER TABLE {table} UPDATE … IN PARTITION … WHERE …"
        )
    } else {
        format!(
            "update in batches, each in a transaction of its own, outside of the migration: UPDATE {table} SET … WHERE id IN (SELECT id FROM \
             {table} WHERE … ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)"
        )
    };
    match &step.act.what {
        What::Alter(command) if command.form == Form::Update => {
            let partition = in_partition(&command.text.text);
            match of_command(&command.text.text) {
                // A partition at a time is what is asked for.
                _ if partition => None,
                Reach::All => Some(Mark::blocker(
                    span,
                    format!("every row of {table} is updated"),
                    "all parts are written anew, on every replica; it cannot be undone",
                    help,
                )),
                Reach::Some | Reach::Bounded => Some(Mark::hazard(
                    span,
                    format!("rows of {table} are updated by a mutation"),
                    "every part with a row that fits is written anew, on every replica, however few the rows are; it cannot be undone",
                    help,
                )),
            }
        }
        What::Update(Reach::Some) if is_bookkeeping(step) => None,
        What::Update(Reach::All) => Some(Mark::blocker(
            span,
            format!("every row of {table} is updated"),
            "on a large table it runs for hours, keeps its locks all the while and writes the whole table anew",
            help,
        )),
        What::Update(Reach::Some) => Some(Mark::hazard(
            span,
            format!("rows of {table} are updated, and nothing bounds how many"),
            "on a large table it runs for hours, keeps its locks all the while and writes every row that fits anew",
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
                ("ALTER TABLE t UPDATE a = 1, b = 2 WHERE c = 3", "hazard: UPDATE a = 1, b = 2 WHERE c = 3"),
                ("ALTER TABLE t UPDATE a = 1 WHERE id = 3", "hazard: UPDATE a = 1 WHERE id = 3"),
                ("ALTER TABLE t UPDATE a = 1 WHERE 1", "blocker: UPDATE a = 1 WHERE 1"),
                ("ALTER TABLE t UPDATE a = 1 WHERE 1 = 1", "blocker: UPDATE a = 1 WHERE 1 = 1"),
                ("UPDATE d.t SET a = 1 WHERE 1", "blocker: UPDATE d.t"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                ("UPDATE t SET a = b", "blocker: UPDATE t"),
                ("UPDATE only s.t AS x SET a = 1 WHERE x.kind = 'k'", "hazard: UPDATE only s.t"),
                ("UPDATE t SET a = 1 WHERE id = 3 OR kind = 4", "hazard: UPDATE t"),
                ("UPDATE t SET a = 1 WHERE \"user_id\" IN (1, 2)", "hazard: UPDATE t"),
                (
                    "UPDATE users SET plan = (SELECT p.name FROM plans p WHERE p.id = users.plan_id LIMIT 1)",
                    "blocker: UPDATE users",
                ),
                ("WITH b AS (SELECT 1 LIMIT 1) UPDATE t SET a = 1", "blocker: UPDATE t"),
                ("UPDATE alembic_version SET version_num = '2'", "blocker: UPDATE alembic_version"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "UPDATE t SET a = 1 WHERE id = 3",
                "ALTER TABLE t UPDATE a = 1 IN PARTITION '202401' WHERE b = 2",
                "ALTER TABLE t UPDATE a = 1 IN PARTITION '202401' WHERE 1",
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "UPDATE t SET a = 1 WHERE id = 3",
                "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t WHERE a IS NULL LIMIT 1000)",
                "UPDATE t SET a = 1 WHERE id >= 1000 AND id < 2000",
                "WITH b AS (SELECT id FROM t LIMIT 10) UPDATE t SET a = 1 FROM b WHERE t.id = b.id",
                "UPDATE alembic_version SET version_num = '2' WHERE alembic_version.version_num = '1'",
            ],
        );
    }
}
