//! SW063: a table is locked, and nothing bounds the wait.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW063";
pub(super) const TITLE: &str = "no lock_timeout is set";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    first_unbounded(file).into_iter().collect()
}

/// The first statement that waits while no limit is set.
fn first_unbounded(file: &File<'_>) -> Option<Mark> {
    let (mut for_session, mut for_transaction) = (false, None);
    for step in file.steps_on_old_tables() {
        match &step.act.what {
            What::LockTimeout { bounded, local: true } => {
                for_transaction = Some((step.statement.transaction, *bounded));
            }
            What::LockTimeout { bounded, local: false } => (for_session, for_transaction) = (*bounded, None),
            what if waits(what) && step.act.table.is_some() => {
                let here = for_transaction.filter(|(transaction, _)| *transaction == step.statement.transaction);
                if !here.map_or(for_session, |(_, bounded)| bounded) {
                    return Some(mark(&step));
                }
            }
            _ => {}
        }
    }
    None
}

fn mark(step: &Step<'_>) -> Mark {
    Mark::note(
        &step.act.span,
        format!("nothing bounds how long the lock of {} is waited for", step.table()),
        "while it waits for one long query, all later readers and writers of the table wait behind it",
        "SET lock_timeout = '5s' before the first statement, and try again when it strikes",
    )
}

fn waits(what: &What) -> bool {
    let is_apart = matches!(
        what,
        What::DropOther(_)
            | What::DropCascade(_)
            | What::CreateIndex { concurrently: true, .. }
            | What::DropIndex { concurrently: true }
    );
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
            &[
                ("ALTER TABLE t ADD COLUMN a int; ALTER TABLE u ADD COLUMN a int", "note: ADD COLUMN a int"),
                ("RESET lock_timeout; ALTER TABLE t ADD COLUMN a int", "note: ADD COLUMN a int"),
                ("SET lock_timeout = 0; ALTER TABLE t ADD COLUMN a int", "note: ADD COLUMN a int"),
                ("SET lock_timeout TO '0ms'; ALTER TABLE t ADD COLUMN a int", "note: ADD COLUMN a int"),
                ("SET lock_timeout = '5s'; RESET ALL; ALTER TABLE t ADD COLUMN a int", "note: ADD COLUMN a int"),
                ("SELECT set_config('lock_timeout', '0', false); ALTER TABLE t ADD a int", "note: ADD a int"),
                ("ALTER TABLE t ADD COLUMN a int; SET lock_timeout = '5s'", "note: ADD COLUMN a int"),
                (
                    "BEGIN; SET LOCAL lock_timeout = '5s'; COMMIT; BEGIN; ALTER TABLE t ADD COLUMN a int; COMMIT",
                    "note: ADD COLUMN a int",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "SET lock_timeout = '5s'; ALTER TABLE t ADD COLUMN a int",
                "SELECT set_config('lock_timeout', '5s', false); ALTER TABLE t ADD COLUMN a int",
                "CREATE TABLE t (a int)",
                "BEGIN; SET LOCAL lock_timeout TO '2s'; ALTER TABLE t ADD COLUMN a int; COMMIT",
            ],
        );
    }
}
