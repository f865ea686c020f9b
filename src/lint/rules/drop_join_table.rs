//! SW052: the join table of a many-to-many field is dropped.

use super::{File, Mark, Step};
use crate::lint::Dialect;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW052";
pub(super) const TITLE: &str = "a join table of a many-to-many field is dropped";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

/// More comments of a statement are not looked at, the last ones first: Django writes three.
const COMMENTS_MAX: usize = 8;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let dropped =
        file.steps_on_old_tables().filter(|step| matches!(step.act.what, What::DropTable) && is_one(file, step));
    dropped
        .map(|step| {
            Mark::hazard(
                &step.act.span,
                format!("{} is dropped, which ties rows of two tables together", step.table()),
                "software that still follows the many-to-many field fails, also the version that is being replaced; which row belonged to which is gone",
                "release software without the field first; drop the table later, in a migration of its own (keep a copy: CREATE TABLE … AS TABLE …)",
            )
        })
        .collect()
}

/// Whether a dropped table is the join table of a many-to-many field: one of the files creates it as such, or Django says so
/// in the comment over the statement (`Remove field authors from book` over `app_book_authors`).
pub(super) fn is_one(file: &File<'_>, step: &Step<'_>) -> bool {
    let Some(table) = &step.act.table else { return false };
    let by_comment = || {
        let near = step.statement.comments.iter().rev().take(COMMENTS_MAX);
        let comments = near.filter_map(|comment| file.text.get(comment.clone()));
        comments.filter_map(removed_field).any(|(field, model)| {
            table.table.to_ascii_lowercase().ends_with(&format!("_{model}_{field}").to_ascii_lowercase())
        })
    };
    file.dialect == Dialect::Postgres && (file.known.is_join_table(table) || by_comment())
}

/// Field and model of `-- Remove field authors from book`.
fn removed_field(comment: &str) -> Option<(&str, &str)> {
    let (field, model) = comment.trim_start_matches('-').trim().strip_prefix("Remove field ")?.split_once(" from ")?;
    Some((field.trim(), model.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;
    use crate::lint::{Choice, Source, lint};

    #[test]
    fn cases() {
        flags(
            CODE,
            Postgres,
            &[(
                "--\n-- Remove field authors from book\n--\nDROP TABLE \"app_book_authors\" CASCADE;",
                "hazard: DROP TABLE \"app_book_authors\"",
            )],
        );
        passes(
            CODE,
            Postgres,
            &[
                "--\n-- Delete model Book\n--\nDROP TABLE \"app_book\" CASCADE;",
                "CREATE TABLE x (a_id int REFERENCES a, b_id int REFERENCES b); DROP TABLE x",
            ],
        );
    }

    /// What is found where another file has made the table.
    #[track_caller]
    fn found_later(made: &str, expected: &[&str]) {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let files = vec![source("1.sql", made), source("2.sql", "DROP TABLE x;")];
        let report = lint(files, Choice::Only(Postgres));
        let found = report.files[1].findings.iter().map(|found| found.finding.code.as_str());
        assert_eq!(found.filter(|code| *code != "SW063").collect::<Vec<_>>(), expected, "{made}");
    }

    #[test]
    fn two_foreign_keys_and_each_pair_once_make_a_join_table() {
        for made in [
            "CREATE TABLE x (a_id int REFERENCES a, b_id int REFERENCES b, PRIMARY KEY (a_id, b_id))",
            "CREATE TABLE x (a int REFERENCES a, b int, FOREIGN KEY (b) REFERENCES b (id), UNIQUE (b, a))",
            "CREATE TABLE \"x\" (\"id\" bigserial NOT NULL PRIMARY KEY, \"a_id\" bigint NOT NULL, \"b_id\" bigint NOT NULL);
             ALTER TABLE \"x\" ADD CONSTRAINT \"x_uniq\" UNIQUE (\"a_id\", \"b_id\");
             ALTER TABLE \"x\" ADD CONSTRAINT \"x_a\" FOREIGN KEY (\"a_id\") REFERENCES \"a\" (\"id\") DEFERRABLE INITIALLY DEFERRED;
             ALTER TABLE \"x\" ADD CONSTRAINT \"x_b\" FOREIGN KEY (\"b_id\") REFERENCES \"b\" (\"id\") DEFERRABLE INITIALLY DEFERRED;",
        ] {
            found_later(made, &["SW052"]);
        }
    }

    #[test]
    fn a_table_with_rows_of_its_own_is_none() {
        for made in [
            "CREATE TABLE x (tenant_id int, external_id text, value text)",
            "CREATE TABLE x (session_id text, user_id int)",
            "CREATE TABLE x (id bigserial, user_id int REFERENCES users, product_id int REFERENCES products)",
            "CREATE TABLE x (a_id int REFERENCES a, b_id int REFERENCES b, n int, PRIMARY KEY (a_id, b_id))",
            "CREATE TABLE x (a_id int REFERENCES a, b_id int, PRIMARY KEY (a_id, b_id))",
            "CREATE TABLE x (a_id int REFERENCES a, b_id int REFERENCES b, PRIMARY KEY (a_id, b_id)); ALTER TABLE x ADD COLUMN n int",
            "CREATE TABLE archive.x (a_id int REFERENCES a, b_id int REFERENCES b, PRIMARY KEY (a_id, b_id))",
        ] {
            found_later(made, &["SW030"]);
        }
    }
}
