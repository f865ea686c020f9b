//! SW056: what the server refuses within a transaction.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW056";
pub(super) const TITLE: &str = "CONCURRENTLY or VACUUM in a transaction";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let inside = file.steps().filter(|step| step.statement.transaction.is_some());
    inside
        .filter_map(|step| {
            let words = refused(&step.act.what)?;
            Some(Mark::blocker(
                &step.act.span,
                format!("{words} within a transaction"),
                "the server refuses it",
                "take it out of BEGIN … COMMIT (Django: atomic = False), in a migration of its own",
            ))
        })
        .collect()
}

/// The words of what the server refuses within a transaction.
fn refused(what: &What) -> Option<&'static str> {
    match what {
        What::CreateIndex { concurrently: true, .. } => Some("CREATE INDEX CONCURRENTLY"),
        What::DropIndex { concurrently: true } => Some("DROP INDEX CONCURRENTLY"),
        What::DetachPartition { concurrently: true } => Some("DETACH PARTITION … CONCURRENTLY"),
        What::Alone(words) => Some(words),
        _ => None,
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
                ("BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;", "blocker: CREATE INDEX CONCURRENTLY i ON t"),
                ("BEGIN; DROP INDEX CONCURRENTLY i; COMMIT;", "blocker: DROP INDEX CONCURRENTLY i"),
                ("BEGIN; REINDEX TABLE CONCURRENTLY t; COMMIT;", "blocker: REINDEX TABLE CONCURRENTLY t"),
                ("BEGIN; VACUUM t; COMMIT;", "blocker: VACUUM t"),
                (
                    "BEGIN; ALTER TABLE t DETACH PARTITION p CONCURRENTLY; COMMIT;",
                    "blocker: DETACH PARTITION p CONCURRENTLY",
                ),
                ("BEGIN; ROLLBACK WORK TO SAVEPOINT x; VACUUM t; COMMIT;", "blocker: VACUUM t"),
                ("BEGIN; COMMIT AND CHAIN; VACUUM t; COMMIT;", "blocker: VACUUM t"),
                ("BEGIN; BEGIN; VACUUM t; COMMIT;", "blocker: VACUUM t"),
                (
                    "BEGIN; CREATE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC SELECT 1; SELECT 2; END; VACUUM t; COMMIT;",
                    "blocker: VACUUM t",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                "BEGIN; SELECT 1; COMMIT; CREATE INDEX CONCURRENTLY i ON t (a)",
                "BEGIN; SELECT 1; ROLLBACK AND NO CHAIN; VACUUM t",
                "BEGIN; PREPARE TRANSACTION 'x'; VACUUM t",
                "BEGIN; REFRESH MATERIALIZED VIEW CONCURRENTLY v; COMMIT",
            ],
        );
    }
}
