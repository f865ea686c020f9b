//! SW033: TRUNCATE.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW033";
pub(super) const TITLE: &str = "a table is truncated";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let truncates = file.steps_on_old_tables().filter(|step| matches!(step.act.what, What::Truncate));
    truncates
        .map(|step| {
            Mark::blocker(
                &step.act.span,
                format!("{} is emptied", step.table()),
                "all its rows are gone, and nobody is asked",
                "copy what may be missed first; say why the rows may go",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("TRUNCATE TABLE IF EXISTS d.t ON CLUSTER main", "blocker: TRUNCATE TABLE IF EXISTS d.t"),
                ("TRUNCATE DATABASE d", "blocker: TRUNCATE DATABASE d"),
            ],
        );
        flags(CODE, Postgres, &[("TRUNCATE ONLY a CASCADE", "blocker: TRUNCATE ONLY a")]);
        passes(CODE, ClickHouse, &["CREATE TABLE t (a UInt8) ENGINE = Memory; TRUNCATE TABLE t", "OPTIMIZE TABLE t"]);
        passes(CODE, Postgres, &["CREATE TABLE a (b int); TRUNCATE a"]);
    }
}
