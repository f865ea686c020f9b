//! SW043: OPTIMIZE … FINAL merges a whole table.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW043";
pub(super) const TITLE: &str = "OPTIMIZE … FINAL";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let last = file.steps_on_old_tables().filter_map(|step| match &step.act.what {
        What::Optimize { last: true, of_partition } => Some((step, *of_partition)),
        _ => None,
    });
    last.map(|(step, of_partition)| {
        let (table, span) = (step.table(), &step.act.span);
        if of_partition {
            return Mark::note(
                span,
                format!("a partition of {table} is merged into one part"),
                "all its rows are read and written, also those of a single part that was merged before; a part larger than 150 GB is never merged again by itself",
                format!("without FINAL, what is one part already is left alone: OPTIMIZE TABLE {table} PARTITION …"),
            );
        }
        Mark::hazard(
            span,
            format!("every partition of {table} is merged into one part"),
            "all rows are read and written, also those of parts that were merged long ago; a part larger than 150 GB is never merged again by itself",
            format!("leave it to the merges; for one partition: OPTIMIZE TABLE {table} PARTITION …; to see merged rows: SELECT … FROM {table} FINAL"),
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
            &[
                ("OPTIMIZE TABLE d.t FINAL DEDUPLICATE", "hazard: OPTIMIZE TABLE d.t FINAL DEDUPLICATE"),
                ("OPTIMIZE TABLE t PARTITION '1' FINAL", "note: OPTIMIZE TABLE t PARTITION '1' FINAL"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "OPTIMIZE TABLE t PARTITION 202401",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; OPTIMIZE TABLE t FINAL",
            ],
        );
    }
}
