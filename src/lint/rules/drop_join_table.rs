//! SW052: the join table of a many-to-many field is dropped.

use super::{File, Mark, Step};
use crate::lint::Dialect;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW052";
pub(super) const TITLE: &str = "a join table of a many-to-many field is dropped";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

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
        let comments = step.statement.comments.iter().filter_map(|comment| file.text.get(comment.clone()));
        comments.filter_map(removed_field).any(|(field, model)| {
            table.table.to_ascii_lowercase().ends_with(&format!("_{model}_{field}").to_ascii_lowercase())
        })
    };
    file.dialect == Dialect::Postgres && (file.known.join_tables.iter().any(|one| one.is(table)) || by_comment())
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
}
