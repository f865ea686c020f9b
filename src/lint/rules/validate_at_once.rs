//! SW059: NOT VALID and VALIDATE in one transaction.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW059";
pub(super) const TITLE: &str = "a constraint is validated in the transaction that adds it";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let validated = file.steps().filter(|step| {
        let What::ValidateConstraint { name } = &step.act.what else { return false };
        file.around(step).any(|other| adds(&other, name) && is_together(&other, step))
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

fn adds(step: &Step<'_>, constraint: &str) -> bool {
    match &step.act.what {
        What::AddConstraint { name: Some(name), not_valid: true, .. } => name.eq_ignore_ascii_case(constraint),
        _ => false,
    }
}

/// Whether both are of one table, and of one transaction, or of one statement.
fn is_together(one: &Step<'_>, two: &Step<'_>) -> bool {
    let transaction = one.statement.transaction;
    let same_table = one.act.table.as_ref().zip(two.act.table.as_ref()).is_some_and(|(one, two)| one.is(two));
    same_table && (one.at == two.at || transaction.is_some() && transaction == two.statement.transaction)
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
                (
                    "BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT",
                    "hazard: VALIDATE CONSTRAINT c",
                ),
                (
                    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT c",
                    "hazard: VALIDATE CONSTRAINT c",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                "BEGIN; ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT",
                "ALTER TABLE t ADD CONSTRAINT d CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT c",
            ],
        );
    }
}
