//! SW058: a unique or primary key constraint whose index is built under a lock.

use super::{File, Mark, Step};
use crate::lint::statement::{ConstraintKind, What};

pub(super) const CODE: &str = "SW058";
pub(super) const TITLE: &str = "a unique index is built under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(&step).map(|mark| mark.unless_new(&step))).collect()
}

fn mark(step: &Step<'_>) -> Option<Mark> {
    let words = match &step.act.what {
        What::AddConstraint { kind, using_index: false, .. } => words(*kind)?,
        What::AddColumn(column) => column.constraints.iter().find_map(|kind| words(*kind))?,
        _ => return None,
    };
    let table = step.table();
    let first = if matches!(step.act.what, What::AddColumn(_)) { "add the column without it; " } else { "" };
    let help = if words == "EXCLUDE" {
        "its index cannot be built beforehand: add it while the table is small, or make a new table that has it and copy the rows in batches".to_owned()
    } else {
        format!(
            "{first}CREATE UNIQUE INDEX CONCURRENTLY i ON {table} (…); then ALTER TABLE {table} ADD CONSTRAINT … {words} USING INDEX i"
        )
    };
    Some(Mark::blocker(
        &step.act.span,
        format!("an index of {table} is built under a lock, for {words}"),
        "until it is built, nobody can read or write the table",
        help,
    ))
}

fn words(kind: ConstraintKind) -> Option<&'static str> {
    match kind {
        ConstraintKind::Unique => Some("UNIQUE"),
        ConstraintKind::PrimaryKey => Some("PRIMARY KEY"),
        ConstraintKind::Exclude => Some("EXCLUDE"),
        ConstraintKind::ForeignKey | ConstraintKind::Check => None,
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
                ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a, b)", "blocker: ADD CONSTRAINT c UNIQUE (a, b)"),
                ("ALTER TABLE t ADD PRIMARY KEY (a)", "blocker: ADD PRIMARY KEY (a)"),
                (
                    "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t ADD PRIMARY KEY (a)",
                    "hazard: ADD PRIMARY KEY (a)",
                ),
                ("ALTER TABLE t ADD COLUMN a int UNIQUE", "blocker: ADD COLUMN a int UNIQUE"),
                ("ALTER TABLE t ADD a bigserial PRIMARY KEY", "blocker: ADD a bigserial PRIMARY KEY"),
                (
                    "ALTER TABLE t ADD COLUMN a int NULL CONSTRAINT u UNIQUE",
                    "blocker: ADD COLUMN a int NULL CONSTRAINT u UNIQUE",
                ),
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
    #[test]
    fn no_index_is_advised_for_exclude() {
        let sql = "ALTER TABLE t ADD CONSTRAINT c EXCLUDE USING gist (a WITH &&)";
        let help = super::super::cases::help(CODE, Postgres, sql);
        assert!(help.contains("cannot be built beforehand") && !help.contains("USING INDEX"), "{help}");
    }
}
