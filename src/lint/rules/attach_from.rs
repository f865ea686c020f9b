//! SW050: ATTACH PARTITION … FROM, which is not safe to repeat.

use super::{File, Mark};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW050";
pub(super) const TITLE: &str = "ATTACH PARTITION … FROM twice doubles rows";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let copies = file.steps().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        (command.form == Form::AttachPartitionFrom).then(|| {
            Mark::hazard(
                &step.act.span,
                format!("a partition is copied into {} by ATTACH … FROM", step.table()),
                "a migration that failed half-way is run again: then a table that is not Replicated has the rows twice",
                "REPLACE PARTITION … FROM … can be repeated, where the partition is to have no other rows",
            )
        })
    });
    copies.collect()
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
            &[("ALTER TABLE t ATTACH PARTITION 202401 FROM u", "hazard: ATTACH PARTITION 202401 FROM u")],
        );
        passes(
            CODE,
            ClickHouse,
            &["ALTER TABLE t ATTACH PARTITION 202401", "ALTER TABLE t MOVE PARTITION 1 TO TABLE u"],
        );
    }
}
