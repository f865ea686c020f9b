//! SW056: CONCURRENTLY within a transaction.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW056";
pub(super) const TITLE: &str = "CONCURRENTLY in a transaction";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let inside = file.steps().filter(|step| {
        let concurrent =
            matches!(step.act.what, What::CreateIndex { concurrently: true } | What::DropIndex { concurrently: true });
        concurrent && step.statement.transaction.is_some()
    });
    inside
        .map(|step| {
            Mark::blocker(
                &step.act.span,
                "CONCURRENTLY within a transaction",
                "the server refuses it",
                "take it out of BEGIN … COMMIT (Django: atomic = False), in a migration of its own",
            )
        })
        .collect()
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
                ("BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;", "blocker: CREATE INDEX CONCURRENTLY i ON t"),
                ("BEGIN; DROP INDEX CONCURRENTLY i; COMMIT;", "blocker: DROP INDEX CONCURRENTLY i"),
            ],
        );
        passes(
            CODE,
            Postgres,
            &["CREATE INDEX CONCURRENTLY i ON t (a)", "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON t (a)"],
        );
    }
}
