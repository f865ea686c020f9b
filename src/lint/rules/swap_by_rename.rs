//! SW044: two tables are swapped by RENAME.

use super::{File, Mark, Named, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW044";
pub(super) const TITLE: &str = "tables are swapped by RENAME";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let swaps = file.steps().filter_map(rename).filter_map(|(step, from, to)| {
        // The name that this rename gives is one that an earlier one took away.
        let (away, ..) = file.around(&step).filter_map(rename).find(|(_, other, _)| other.is(to))?;
        (away.act.span.start < step.act.span.start).then(|| {
            Mark::hazard(
                &step.act.span,
                format!("{} takes the place of {} by renames", from.sql, to.sql),
                "between the renames there is no such table: inserts and selects fail; and on current servers materialized views go with the old table",
                format!("in an Atomic database, in one step: EXCHANGE TABLES {} AND {}", from.sql, to.sql),
            )
        })
    });
    swaps.collect()
}

fn rename(step: Step<'_>) -> Option<(Step<'_>, &Named, &Named)> {
    match (&step.act.what, &step.act.table) {
        (What::RenameTable { to }, Some(from)) => Some((step, from, to)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::ClickHouse;

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("RENAME TABLE t TO t_old, t_new TO t", "hazard: t_new TO t"),
                ("RENAME TABLE t TO t_old; RENAME TABLE t_new TO t", "hazard: RENAME TABLE t_new TO t"),
            ],
        );
        passes(CODE, ClickHouse, &["EXCHANGE TABLES t AND t_new", "RENAME TABLE a TO b"]);
    }
}
