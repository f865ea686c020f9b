//! SW062: statements that lock a whole table for long.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW062";
pub(super) const TITLE: &str = "a whole table is locked while it is worked on";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let locking = file.steps().filter_map(|step| {
        let What::Exclusive(words) = &step.act.what else { return None };
        let help = match *words {
            "VACUUM FULL" | "CLUSTER" => "plain VACUUM makes room without such a lock; to shrink the table, pg_repack",
            "LOCK TABLE" => "leave it to the statements to lock what they need",
            _ => "say CONCURRENTLY, outside of a transaction",
        };
        let why = "readers or writers of the whole table wait until it is done";
        Some(Mark::blocker(&step.act.span, format!("{words} locks a whole table"), why, help))
    });
    locking.collect()
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
                ("VACUUM FULL t", "blocker: VACUUM"),
                ("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "blocker: LOCK"),
                ("REINDEX TABLE t", "blocker: REINDEX"),
                ("REFRESH MATERIALIZED VIEW v", "blocker: REFRESH"),
            ],
        );
        passes(
            CODE,
            Postgres,
            &["VACUUM t", "ANALYZE t", "REINDEX INDEX CONCURRENTLY i", "REFRESH MATERIALIZED VIEW CONCURRENTLY v"],
        );
    }
}
