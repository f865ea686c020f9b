//! SW057: a foreign key or check that is verified under a lock.

use super::{File, Mark};
use crate::lint::statement::{ConstraintKind, What};

pub(super) const CODE: &str = "SW057";
pub(super) const TITLE: &str = "a constraint checks all rows under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let added = file.steps_on_old_tables().filter_map(|step| {
        let What::AddConstraint { kind, not_valid: false, text, .. } = &step.act.what else { return None };
        let what = match kind {
            ConstraintKind::ForeignKey => "a foreign key",
            ConstraintKind::Check => "a check",
            _ => return None,
        };
        let table = step.table();
        Some(Mark::blocker(
            &step.act.span,
            format!("{what} of {table} is verified for all rows at once"),
            "all rows are read under a lock; for a foreign key, writers of both tables wait",
            format!("ALTER TABLE {table} ADD CONSTRAINT … {text} NOT VALID; in a later transaction: ALTER TABLE {table} VALIDATE CONSTRAINT …"),
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
                (
                    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id) DEFERRABLE INITIALLY DEFERRED",
                    "blocker: ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id) DEFERRABLE INITIALLY DEFERRED",
                ),
                ("ALTER TABLE t ADD CHECK (a > 0)", "blocker: ADD CHECK (a > 0)"),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
                "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id)",
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
            ],
        );
    }
}
