//! SW049: a new TTL that is computed for every part at once.

use super::{File, Mark};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW049";
pub(super) const TITLE: &str = "a TTL is computed for every part";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let changes = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        let later = tail(&file.text[step.statement.span.clone()]).contains("materialize_ttl_after_modify");
        (matches!(command.form, Form::ModifyTtl | Form::ModifyColumnTtl) && !later).then(|| {
            Mark::hazard(
                &step.act.span,
                format!("the TTL of {} changes, and every part is gone over at once", step.table()),
                "a mutation computes it for every part, on every replica, and removes what has expired, which does not come back",
                format!("ALTER TABLE {} {} SETTINGS materialize_ttl_after_modify = 0; parts learn of it when they are merged", step.table(), command.text.text),
            )
        })
    });
    changes.collect()
}

/// The end of a statement, where its settings are.
fn tail(sql: &str) -> &str {
    const BYTES: usize = 400;
    let mut from = sql.len().saturating_sub(BYTES);
    while !sql.is_char_boundary(from) {
        from += 1;
    }
    &sql[from..]
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
                ("ALTER TABLE t MODIFY TTL d + INTERVAL 1 MONTH", "hazard: MODIFY TTL d + INTERVAL 1 MONTH"),
                (
                    "ALTER TABLE t MODIFY COLUMN a TTL d + INTERVAL 1 DAY",
                    "hazard: MODIFY COLUMN a TTL d + INTERVAL 1 DAY",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY SETTINGS materialize_ttl_after_modify = 0",
                "ALTER TABLE t REMOVE TTL",
                "CREATE TABLE t (d Date) ENGINE = MergeTree ORDER BY d TTL d + INTERVAL 1 DAY",
            ],
        );
    }
}
