//! SW063: a table is locked, and nothing bounds the wait.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW063";
pub(super) const TITLE: &str = "no lock_timeout is set";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    if file.steps().any(|step| matches!(step.act.what, What::LockTimeout)) {
        return Vec::new();
    }
    let mut locking = file.steps_on_old_tables().filter(|step| step.act.table.is_some() && waits(&step.act.what));
    let first = locking.next().map(|step| {
        Mark::note(
            &step.act.span,
            format!("nothing bounds how long the lock of {} is waited for", step.table()),
            "while it waits for one long query, all later readers and writers of the table wait behind it",
            "SET lock_timeout = '5s' before the first statement, and try again when it strikes",
        )
    });
    first.into_iter().collect()
}

fn waits(what: &What) -> bool {
    !matches!(
        what,
        What::CreateTable(_)
            | What::Update(_)
            | What::Delete(_)
            | What::CreateIndex { concurrently: true }
            | What::DropIndex { concurrently: true }
    )
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
            &[("ALTER TABLE t ADD COLUMN a int; ALTER TABLE u ADD COLUMN a int", "note: ADD COLUMN a int")],
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
