//! SW059: NOT VALID and VALIDATE in one transaction.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW059";
pub(super) const TITLE: &str = "a constraint is validated in the transaction that adds it";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let validated = file.steps().filter(|step| {
        let transaction = step.statement.transaction;
        let adds = |other: super::Step<'_>| {
            matches!(other.act.what, What::AddConstraint { not_valid: true, .. })
                && other.statement.transaction == transaction
                && other.at <= step.at
        };
        matches!(step.act.what, What::ValidateConstraint) && transaction.is_some() && file.around(step).any(adds)
    });
    validated
        .map(|step| {
            Mark::hazard(
                &step.act.span,
                format!("a constraint of {} is validated in the transaction that adds it", step.table()),
                "the lock of ADD CONSTRAINT is kept until the end of the transaction, so all rows are read under it after all",
                "COMMIT in between; validate in a migration of its own",
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
            &[(
                "BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT",
                "hazard: VALIDATE CONSTRAINT c",
            )],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                "BEGIN; ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT",
            ],
        );
    }
}
