//! SW057: a foreign key or check that is verified under a lock.

use super::{File, Mark, Named, Step};
use crate::lint::statement::{ConstraintKind, What};

pub(super) const CODE: &str = "SW057";
pub(super) const TITLE: &str = "a constraint checks all rows under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step).map(|mark| mark.unless_new(&step))).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    match &step.act.what {
        What::AddConstraint { kind, not_valid: false, text, .. } => {
            let what = words(*kind)?;
            Some(Mark::blocker(
                span,
                format!("{what} of {table} is verified for all rows at once"),
                "all rows are read under a lock; for a foreign key, writers of both tables wait",
                format!(
                    "ALTER TABLE {table} ADD CONSTRAINT … {text} NOT VALID; in a later transaction: ALTER TABLE {table} VALIDATE CONSTRAINT …"
                ),
            ))
        }
        What::AddColumn(column) => {
            // Without a default the server knows that a foreign key holds; a CHECK it verifies even so.
            let mut verified = column.constraints.iter().filter(|kind| {
                **kind == ConstraintKind::Check || column.default.is_some() || column.generated.is_some()
            });
            let what = verified.find_map(|kind| words(*kind))?;
            let (name, kind) = (file.quoted(&column.name), &column.kind);
            Some(Mark::blocker(
                span,
                format!("{what} of the new column {table}.{name} is verified for all rows at once"),
                "all rows are read under a lock that keeps readers and writers out",
                format!(
                    "ALTER TABLE {table} ADD COLUMN {name} {kind} …, without it; then ADD CONSTRAINT … NOT VALID; in a later transaction: ALTER TABLE {table} VALIDATE CONSTRAINT …"
                ),
            ))
        }
        What::CheckDomain(words) => Some(Mark::blocker(
            span,
            format!("{words} of the domain {table} is verified for all columns of it at once"),
            "all rows of every table with such a column are read under a lock",
            format!(
                "ALTER DOMAIN {table} ADD CONSTRAINT … CHECK (…) NOT VALID; in a later transaction: ALTER DOMAIN {table} VALIDATE CONSTRAINT …"
            ),
        )),
        What::AttachPartition { partition } => {
            let is_new = file.around(step).any(|other| other.at < step.at && creates(&other, partition));
            let is_checked = file.checks.any(partition, (file.number, step.at));
            let bounds = "CHECK (the bounds of the partition)";
            (!is_new && !is_checked).then(|| Mark::hazard(
                span,
                format!("{} is read under a lock, to see that its rows belong into it", partition.sql),
                "unless a valid CHECK of it says so; rows of the default partition, if there is one, are read as well",
                format!("first ALTER TABLE {} ADD CONSTRAINT c {bounds} NOT VALID; in a later transaction VALIDATE CONSTRAINT c", partition.sql),
            ))
        }
        _ => None,
    }
}

fn creates(step: &Step<'_>, table: &Named) -> bool {
    matches!(step.act.what, What::CreateTable(_)) && step.act.table.as_ref().is_some_and(|created| created.is(table))
}

fn words(kind: ConstraintKind) -> Option<&'static str> {
    match kind {
        ConstraintKind::ForeignKey => Some("a foreign key"),
        ConstraintKind::Check => Some("a check"),
        _ => None,
    }
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
                ("CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t ADD CHECK (a > 0)", "hazard: ADD CHECK (a > 0)"),
                ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", "blocker: ADD COLUMN a int CHECK (a > 0)"),
                (
                    "ALTER TABLE t ADD COLUMN a int DEFAULT 1 REFERENCES u",
                    "blocker: ADD COLUMN a int DEFAULT 1 REFERENCES u",
                ),
                (
                    "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
                    "blocker: ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
                ),
                ("ALTER DOMAIN d SET NOT NULL", "blocker: ALTER DOMAIN d SET NOT NULL"),
                (
                    "ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
                    "hazard: ATTACH PARTITION p FOR VALUES FROM (1) TO (2)",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
                "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id)",
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
                "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID",
                "ALTER DOMAIN d VALIDATE CONSTRAINT c",
                "ALTER DOMAIN d DROP CONSTRAINT c; ALTER DOMAIN d SET DEFAULT 1; ALTER TYPE y ADD ATTRIBUTE a int",
                "CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CHECK (VALUE > 0)",
                "ALTER TABLE t ADD COLUMN a int REFERENCES u (id) ON DELETE SET DEFAULT",
                "ALTER TABLE t ADD COLUMN a int DEFAULT NULL REFERENCES u",
                "CREATE TABLE p (a int); ALTER TABLE t ATTACH PARTITION p DEFAULT",
                "ALTER TABLE p ADD CONSTRAINT c CHECK (a = 1) NOT VALID; ALTER TABLE p VALIDATE CONSTRAINT c; ALTER TABLE t ATTACH \
                 PARTITION p FOR VALUES IN (1)",
            ],
        );
    }
}
