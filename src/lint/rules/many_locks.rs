//! SW061: locks of several tables in one transaction.

use super::{File, Mark, Named};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW061";
pub(super) const TITLE: &str = "several tables are locked in one transaction";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut current: (Option<usize>, Vec<&Named>) = (None, Vec::new());
    for step in file.steps_on_old_tables().filter(|step| step.statement.transaction.is_some() && locks(&step.act.what))
    {
        let Some(table) = &step.act.table else { continue };
        if current.0 != step.statement.transaction {
            current = (step.statement.transaction, Vec::new());
        }
        if current.1.len() == 2 || current.1.iter().any(|one| one.is(table)) {
            continue;
        }
        current.1.push(table);
        // One finding a transaction, at the second table.
        if current.1.len() == 2 {
            marks.push(Mark::hazard(
                &step.act.span,
                format!("{} is locked while {} still is", table.sql, current.1[0].sql),
                "locks are kept until the end of the transaction: readers and writers of the first table wait while it waits for the second, and two such transactions may wait for each other",
                "one table a transaction: a migration for each",
            ));
        }
    }
    marks
}

fn locks(what: &What) -> bool {
    let is_apart = matches!(what, What::ValidateConstraint { .. } | What::DropIndex { .. } | What::CreateIndex { .. });
    !is_apart && !what.lets_readers_in()
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
                "BEGIN; ALTER TABLE a ADD COLUMN x int; ALTER TABLE b ADD COLUMN x int; ALTER TABLE c ADD COLUMN x int; COMMIT",
                "hazard: ADD COLUMN x int",
            )],
        );
        passes(
            CODE,
            Postgres,
            &[
                "BEGIN; ALTER TABLE a ADD COLUMN x int; ALTER TABLE a ADD COLUMN y int; COMMIT",
                "BEGIN; ALTER TABLE a ADD COLUMN x int; COMMIT; BEGIN; ALTER TABLE b ADD COLUMN x int; COMMIT",
                "BEGIN; CREATE TABLE a (x int); ALTER TABLE b ADD COLUMN x int; COMMIT",
            ],
        );
    }
}
