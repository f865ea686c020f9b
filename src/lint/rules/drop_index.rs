//! SW055: DROP INDEX without CONCURRENTLY.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW055";
pub(super) const TITLE: &str = "an index is dropped under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let indexes = file.steps().filter(|step| matches!(step.act.what, What::DropIndex { concurrently: false }));
    indexes
        .map(|step| {
            Mark::hazard(
                &step.act.span,
                format!("the index {} is dropped under a lock", step.table()),
                "it waits for every query on the table, and everybody else waits for it; queries that lived by the index get slow",
                format!("outside of a transaction, one index each time: DROP INDEX CONCURRENTLY {}, which the server refuses for the index of a constraint or of a partitioned table; see first that pg_stat_user_indexes.idx_scan stands still", step.table()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, help, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;

    #[test]
    fn cases() {
        flags(CODE, Postgres, &[("DROP INDEX IF EXISTS i", "hazard: DROP INDEX IF EXISTS i")]);
        assert_eq!(super::super::cases::found(CODE, Postgres, "DROP INDEX a, b").len(), 2);
        let help = help(CODE, Postgres, "DROP INDEX s.a, b CASCADE");
        assert!(help.contains("DROP INDEX CONCURRENTLY s.a, which") && help.contains("one index each time"), "{help}");
        passes(CODE, Postgres, &["DROP INDEX CONCURRENTLY IF EXISTS i", "DROP TABLE t"]);
    }
}
