//! Files of goose, sql-migrate, dbmate and node-pg-migrate say in a comment where the statements begin that take the migration
//! back. They are run by hand when something went wrong, and are not judged.

use super::statement::Statement;

/// Comments over a section, in lower case: what brings the change, and what takes it back.
const UP: [&str; 4] = ["+goose up", "+migrate up", "migrate:up", "up migration"];
const DOWN: [&str; 4] = ["+goose down", "+migrate down", "migrate:down", "down migration"];

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
