//! SW040: partitions or parts go for good.

use super::{File, Mark};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW040";
pub(super) const TITLE: &str = "a partition is dropped or replaced";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let gone = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        let (table, span) = (step.table(), &step.act.span);
        let why = "its rows are gone, on every replica of the shard; the other shards keep theirs unless they are told too";
        match command.form {
            Form::DropPartition | Form::DropDetached => Some(Mark::blocker(
                span,
                format!("rows of {table} are dropped by partition or part"),
                why,
                format!("take them out of sight first and see who misses them: ALTER TABLE {table} DETACH PARTITION …; or let a TTL remove them"),
            )),
            Form::ReplacePartition => Some(Mark::blocker(
                span,
                format!("a partition of {table} is replaced"),
                why,
                format!("freeze it first: ALTER TABLE {table} FREEZE PARTITION … WITH NAME '…'"),
            )),
            _ => None,
        }
    });
    gone.collect()
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
                ("ALTER TABLE t DROP PARTITION 202401", "blocker: DROP PARTITION 202401"),
                ("ALTER TABLE t DROP PART 'all_1_1_0'", "blocker: DROP PART 'all_1_1_0'"),
                ("ALTER TABLE t REPLACE PARTITION 1 FROM u", "blocker: REPLACE PARTITION 1 FROM u"),
            ],
        );
        passes(CODE, ClickHouse, &["ALTER TABLE t FREEZE PARTITION 1", "ALTER TABLE t DROP INDEX i"]);
    }
}
