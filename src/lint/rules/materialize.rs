//! SW039: a command whose only work is to write parts anew.

use super::{File, Mark};
use crate::ddl::Form;
use crate::ddl::alteration::has_words;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW039";
pub(super) const TITLE: &str = "every part is written anew";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let rewrites = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        if !is_rewrite(command.form) || has_words(&command.text.text, &["IN", "PARTITION"]) {
            return None;
        }
        let table = step.table();
        Some(Mark::hazard(
            &step.act.span,
            format!("all parts of {table} are written anew"),
            "a mutation reads and writes on every replica what the command concerns, and merges wait for it",
            format!(
                "partition by partition, at a quiet time: ALTER TABLE {table} {} IN PARTITION …",
                command.text.text
            ),
        ))
    });
    rewrites.collect()
}

fn is_rewrite(form: Form) -> bool {
    matches!(
        form,
        Form::MaterializeColumn
            | Form::MaterializeIndex
            | Form::MaterializeProjection
            | Form::MaterializeStatistics
            | Form::MaterializeTtl
            | Form::RewriteParts
            | Form::ApplyDeletedMask
            | Form::ApplyPatches
    )
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
                ("ALTER TABLE t MATERIALIZE COLUMN a", "hazard: MATERIALIZE COLUMN a"),
                ("ALTER TABLE t MATERIALIZE TTL", "hazard: MATERIALIZE TTL"),
                ("ALTER TABLE t REWRITE PARTS", "hazard: REWRITE PARTS"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t MATERIALIZE INDEX i IN PARTITION 202401",
                "ALTER TABLE t ADD INDEX i a TYPE minmax",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; ALTER TABLE t MATERIALIZE COLUMN a",
            ],
        );
    }
}
