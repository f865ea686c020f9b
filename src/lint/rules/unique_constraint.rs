//! SW058: a unique or primary key constraint whose index is built under a lock.

use super::{File, Mark};
use crate::lint::statement::{ConstraintKind, What};

pub(super) const CODE: &str = "SW058";
pub(super) const TITLE: &str = "a unique index is built under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let added = file.steps_on_old_tables().filter_map(|step| {
        let What::AddConstraint { kind, using_index: false, .. } = &step.act.what else { return None };
        let words = match kind {
            ConstraintKind::Unique => "UNIQUE",
            ConstraintKind::PrimaryKey => "PRIMARY KEY",
            ConstraintKind::Exclude => "EXCLUDE",
            _ => return None,
        };
        let table = step.table();
        Some(Mark::blocker(
            &step.act.span,
            format!("an index of {table} is built under a lock, for {words}"),
            "until it is built, nobody can read or write the table",
            format!("CREATE UNIQUE INDEX CONCURRENTLY i ON {table} (…); then ALTER TABLE {table} ADD CONSTRAINT … {words} USING INDEX i"),
        ))
    });
    added.collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;

    #[test]
    fn cases() {
        flags(
            CODE,
            Postgres,
            &[
                ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a, b)", "blocker: ADD CONSTRAINT c UNIQUE (a, b)"),
                ("ALTER TABLE t ADD PRIMARY KEY (a)", "blocker: ADD PRIMARY KEY (a)"),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
                "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
            ],
        );
    }
}
