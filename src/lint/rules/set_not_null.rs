//! SW060: SET NOT NULL.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW060";
pub(super) const TITLE: &str = "SET NOT NULL reads all rows under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let What::SetNotNull { column } = &step.act.what else { return None };
    let (named, before) = (step.act.table.as_ref()?, (file.number, step.at));
    // With a valid CHECK, the server need not look at the rows (PostgreSQL 12 and later).
    if file.checks.say_not_null(named, column, before) {
        return None;
    }
    let (table, column) = (step.table(), file.quoted(column));
    let help = match file.checks.unknown(named, before) {
        Some(constraint) => format!(
            "{} is validated before, but none of the files says what it demands: give lint also the file that adds it, before this one",
            file.quoted(constraint)
        ),
        None => format!(
            "ALTER TABLE {table} ADD CONSTRAINT c CHECK ({column} IS NOT NULL) NOT VALID; in later transactions: ALTER TABLE {table} \
             VALIDATE CONSTRAINT c; ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL; ALTER TABLE {table} DROP CONSTRAINT c"
        ),
    };
    Some(Mark::blocker(
        &step.act.span,
        format!("all rows of {table} are read under a lock, for {column}"),
        "nobody can read or write the table meanwhile, and inserts of software that leaves the column empty fail afterwards",
        help,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, help, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;
    use crate::lint::{Choice, Source, lint};

    #[test]
    fn cases() {
        let blocked = "blocker: ALTER COLUMN a SET NOT NULL";
        flags(
            CODE,
            Postgres,
            &[
                ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", blocked),
                ("ALTER TABLE t VALIDATE CONSTRAINT fk; ALTER TABLE t ALTER COLUMN a SET NOT NULL", blocked),
                (
                    "ALTER TABLE t ADD CONSTRAINT c CHECK (b >= 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER \
                     COLUMN a SET NOT NULL",
                    blocked,
                ),
                (
                    "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t ALTER COLUMN a SET NOT NULL",
                    blocked,
                ),
                (
                    "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t \
                     DROP CONSTRAINT c; ALTER TABLE t ALTER COLUMN a SET NOT NULL",
                    blocked,
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t \
                 ALTER COLUMN a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c",
                "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
                "CREATE TABLE t (a int); ALTER TABLE t ALTER a SET NOT NULL",
            ],
        );
    }

    #[test]
    fn a_constraint_of_an_earlier_file_counts() {
        let add = "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;";
        let validate = "ALTER TABLE t VALIDATE CONSTRAINT c;";
        let set = "ALTER TABLE t ALTER COLUMN a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c;";
        let blocks = |files: &[&str]| {
            let source = |text: &&str| Source { name: "x.sql".to_owned(), text: (*text).to_owned() };
            let report = lint(files.iter().map(source).collect(), Choice::Only(Postgres));
            report.files.iter().flat_map(|file| &file.findings).any(|found| found.finding.code == CODE)
        };
        assert!(!blocks(&[add, validate, set]));
        assert!(blocks(&[add, set]));
        assert!(blocks(&[set, add, validate]));
        let help = help(CODE, Postgres, &format!("{validate} {set}"));
        assert!(help.contains("give lint also the file that adds it"), "{help}");
    }
}
