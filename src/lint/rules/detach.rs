//! SW041: DETACH.

use super::{File, Mark};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW041";
pub(super) const TITLE: &str = "a table or partition goes out of sight";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let detached = file.steps_on_old_tables().filter_map(|step| {
        let (table, span) = (step.table(), &step.act.span);
        match &step.act.what {
            What::DetachTable => Some(Mark::hazard(
                span,
                format!("{table} goes out of sight"),
                "inserts and selects fail, on this replica only; unless it is detached PERMANENTLY it is back when the server starts",
                format!("ATTACH TABLE {table} in the same migration, or say how it comes back"),
            )),
            What::Alter(command) if command.form == Form::DetachPartition => Some(Mark::hazard(
                span,
                format!("rows of {table} go out of sight"),
                "queries do not see them any more and nothing says so; what lies detached is in no backup and no count",
                format!("ALTER TABLE {table} ATTACH PARTITION … takes them back: say when"),
            )),
            What::Alter(command) if command.form == Form::MovePartitionToTable => Some(Mark::hazard(
                span,
                format!("rows of {table} move into another table"),
                "queries of the one do not see them any more, those of the other do, on this shard only; views of the other get nothing of it",
                "say who reads them there; ALTER TABLE … MOVE PARTITION … TO TABLE … takes them back as long as nothing else is in that partition",
            )),
            _ => None,
        }
    });
    detached.collect()
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
                ("DETACH TABLE d.t PERMANENTLY", "hazard: DETACH TABLE d.t"),
                ("ALTER TABLE t DETACH PARTITION 202401", "hazard: DETACH PARTITION 202401"),
                ("ALTER TABLE t MOVE PARTITION 1 TO TABLE u", "hazard: MOVE PARTITION 1 TO TABLE u"),
            ],
        );
        passes(CODE, ClickHouse, &["ATTACH TABLE t", "ALTER TABLE t ATTACH PARTITION 202401"]);
    }
}
