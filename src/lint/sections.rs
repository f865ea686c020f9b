//! Files of goose, sql-migrate, dbmate and node-pg-migrate say in a comment where the statements begin that take the migration
//! back; with golang-migrate, diesel, sqlx and Flyway these have a file of their own, told by its name. They are run by hand when
//! something went wrong, and are not judged.

use super::statement::Statement;

/// Comments over a section, in lower case: what brings the change, and what takes it back.
const UP: [&str; 4] = ["+goose up", "+migrate up", "migrate:up", "up migration"];
const DOWN: [&str; 4] = ["+goose down", "+migrate down", "migrate:down", "down migration"];

/// Comments of tools at which a statement ends even without `;`, in lower case.
const BOUNDARIES: [&str; 5] = ["+goose ", "+migrate ", "migrate:up", "migrate:down", "> statement-breakpoint"];

/// Whether a statement before a comment ends there.
pub(super) fn is_boundary(comment: &str) -> bool {
    let words = comment.strip_prefix("--").map(|words| words.trim().to_ascii_lowercase());
    words.is_some_and(|words| BOUNDARIES.iter().any(|boundary| words.starts_with(boundary)))
}

/// Whether all of a file takes a migration back: `7_x.down.sql`, `down.sql`, `7_x.undo.sql`, and Flyway's `U7__x.sql`.
pub(super) fn takes_back(file: &str) -> bool {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let parts: Vec<&str> = name.split('.').collect();
    let is_down = |part: &&str| part.eq_ignore_ascii_case("down") || part.eq_ignore_ascii_case("undo");
    let of_flyway = || {
        let (version, _) = name.strip_prefix('U')?.split_once("__")?;
        let is_version = version.starts_with(|c: char| c.is_ascii_digit())
            && version.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '_'));
        is_version.then_some(())
    };
    parts.split_last().is_some_and(|(_, parts)| parts.iter().any(is_down)) || of_flyway().is_some()
}

/// Removes the statements that take a migration back; how many there were.
pub(super) fn remove_down(text: &str, statements: &mut Vec<Statement>) -> usize {
    let comments = statements.iter().flat_map(|statement| &statement.comments);
    let mut heads: Vec<(usize, bool)> =
        comments.filter_map(|comment| Some((comment.start, is_down(text.get(comment.clone())?)?))).collect();
    heads.sort_unstable();
    let before = statements.len();
    statements.retain(|statement| {
        let at = heads.partition_point(|(head, _)| *head < statement.span.start);
        !at.checked_sub(1).is_some_and(|last| heads[last].1)
    });
    before - statements.len()
}

/// Whether the section under a comment takes a migration back; `None` where it is no head of a section.
fn is_down(comment: &str) -> Option<bool> {
    let words = comment.strip_prefix("--")?.trim().to_ascii_lowercase();
    let is_any = |heads: &[&str]| {
        heads.iter().any(|head| words.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
    };
    if is_any(&DOWN) { Some(true) } else { is_any(&UP).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_take_a_migration_back_are_told_by_their_names() {
        for name in ["down.sql", "db/7_x.down.sql", "7_x.postgres.down.sql", "7_x.Undo.sql", "c:\\m\\U2.1__x.sql"] {
            assert!(takes_back(name), "{name}");
        }
        for name in
            ["shut_down.sql", "down/up.sql", "7_x.up.sql", "Users__x.sql", "U__x.sql", "V2__x.sql", "down", "<stdin>"]
        {
            assert!(!takes_back(name), "{name}");
        }
    }
}
