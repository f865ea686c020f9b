//! SW036: a change of sorting, partition or primary key.

use super::{File, Mark, Step};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW036";
pub(super) const TITLE: &str = "a key of a sharded table changes";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let What::Alter(command) = &step.act.what else { return None };
    let (table, span) = (step.table(), &step.act.span);
    match command.form {
        Form::ModifyOrderBy if appends(step) => Some(Mark::hazard(
            span,
            format!("the sorting key of {table} grows by a new column"),
            "merging engines (Replacing, Summing, …) tell rows apart by it from now on; every shard must get the same statement, and a \
             server before 26.7.6 may lose a DESC of the key",
            "see that every shard gets it, and compare SELECT sorting_key FROM system.tables afterwards",
        )),
        Form::ModifyOrderBy | Form::ModifyPartitionBy | Form::ModifyPrimaryKey => Some(Mark::blocker(
            span,
            format!("a key of {table} changes in place"),
            "parts are sorted and divided by the old key: the server refuses it but for dropping the end of the sorting key or appending columns of the same ALTER",
            format!(
                "shardwright plan --sql '{}'",
                start_of(&file.text[step.statement.span.clone()]).replace('\'', "'\\''")
            ),
        )),
        _ => None,
    }
}

/// A statement may be as long as a file.
fn start_of(sql: &str) -> String {
    const CHARS_MAX: usize = 1_000;
    sql.chars().take(CHARS_MAX).collect()
}

/// Whether the same statement adds a column that the new key names.
fn appends(step: &Step<'_>) -> bool {
    let What::Alter(command) = &step.act.what else { return false };
    let mut added = step.statement.acts.iter().filter_map(|act| match &act.what {
        What::AddColumn(column) => Some(column),
        _ => None,
    });
    added.any(|column| column.default.is_none() && command.text.text.contains(&column.name))
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
                ("ALTER TABLE t MODIFY ORDER BY (b, a)", "blocker: MODIFY ORDER BY (b, a)"),
                ("ALTER TABLE t ADD COLUMN c UInt8, MODIFY ORDER BY (a, b, c)", "hazard: MODIFY ORDER BY (a, b, c)"),
                ("ALTER TABLE t MODIFY PARTITION BY toYYYYMM(d)", "blocker: MODIFY PARTITION BY toYYYYMM(d)"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t MODIFY SAMPLE BY a",
                "ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY SETTINGS materialize_ttl_after_modify = 0",
            ],
        );
    }
}
