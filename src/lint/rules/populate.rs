//! SW045: CREATE MATERIALIZED VIEW … POPULATE.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW045";
pub(super) const TITLE: &str = "POPULATE loses rows";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let views =
        file.steps().filter(|step| matches!(step.act.what, What::CreateMaterializedView { populate: true, .. }));
    views
        .map(|step| {
            Mark::blocker(
                &step.act.span,
                format!("{} is filled by POPULATE", step.table()),
                "rows that are inserted while it is being filled are neither read nor copied: they are lacking for good",
                "CREATE MATERIALIZED VIEW … TO target AS SELECT … WHERE time >= T; then fill what is before T: INSERT INTO target SELECT … WHERE time < T",
            )
        })
        .collect()
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
            &[(
                "CREATE MATERIALIZED VIEW IF NOT EXISTS d.v ENGINE = MergeTree ORDER BY a POPULATE AS SELECT a FROM t",
                "blocker: CREATE MATERIALIZED VIEW IF NOT EXISTS d.v",
            )],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "CREATE MATERIALIZED VIEW v TO u AS SELECT a FROM t",
                "CREATE MATERIALIZED VIEW v (populate UInt8) ENGINE = MergeTree ORDER BY tuple() AS SELECT populate FROM t",
            ],
        );
    }
}
