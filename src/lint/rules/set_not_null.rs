//! SW060: SET NOT NULL.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW060";
pub(super) const TITLE: &str = "SET NOT NULL reads all rows under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let set = file.steps_on_old_tables().filter_map(|step| {
        let What::SetNotNull { column } = &step.act.what else { return None };
        // With a valid CHECK, the server need not look at the rows (PostgreSQL 12 and later).
        let validated = file.around(&step).any(|other| {
            let same = other.act.table.as_ref().zip(step.act.table.as_ref()).is_some_and(|(one, two)| one.is(two));
            same && other.at < step.at && matches!(other.act.what, What::ValidateConstraint)
        });
        if validated {
            return None;
        }
        let (table, column) = (step.table(), file.quoted(column));
        Some(Mark::blocker(
            &step.act.span,
            format!("all rows of {table} are read under a lock, for {column}"),
            "nobody can read or write the table meanwhile, and inserts of software that leaves the column empty fail afterwards",
            format!(
                "ALTER TABLE {table} ADD CONSTRAINT c CHECK ({column} IS NOT NULL) NOT VALID; in later transactions: ALTER TABLE {table} \
                 VALIDATE CONSTRAINT c; ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL; ALTER TABLE {table} DROP CONSTRAINT c"
            ),
        ))
    });
    set.collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;

    #[test]
    fn cases() {
        flags(CODE, Postgres, &[("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "blocker: ALTER COLUMN a SET NOT NULL")]);
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN a SET NOT NULL",
                "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
                "CREATE TABLE t (a int); ALTER TABLE t ALTER a SET NOT NULL",
            ],
        );
    }
}
