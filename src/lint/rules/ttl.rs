//! SW049: a new TTL that is computed for every part at once.

use super::{File, Mark, NEAR, Step};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW049";
pub(super) const TITLE: &str = "a TTL is computed for every part";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let changes = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        (matches!(command.form, Form::ModifyTtl | Form::ModifyColumnTtl) && !is_put_off(file, &step)).then(|| {
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

/// Whether parts learn of a TTL later: as the statement itself sets it, or the last `SET` before it.
fn is_put_off(file: &File<'_>, step: &Step<'_>) -> bool {
    let before = file.statements[..step.at].iter().rev().take(NEAR).map(|statement| &file.text[statement.span.clone()]);
    let mut sets = before.filter(|sql| sql.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("SET")));
    let own = puts_off(&file.text[step.statement.span.clone()]);
    own.or_else(|| sets.find_map(puts_off)).unwrap_or(false)
}

/// What a statement sets at its end, if it does.
fn puts_off(sql: &str) -> Option<bool> {
    const BYTES: usize = 400;
    let end = &sql[sql.ceil_char_boundary(sql.len().saturating_sub(BYTES))..];
    let end: String = end.chars().filter(|c| !c.is_whitespace()).collect();
    let (_, value) = end.rsplit_once("materialize_ttl_after_modify=")?;
    Some(value.starts_with('0') || value.starts_with("false"))
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
                (
                    "SET materialize_ttl_after_modify = 0; ALTER TABLE t MODIFY TTL d SETTINGS materialize_ttl_after_modify = 1",
                    "hazard: MODIFY TTL d",
                ),
                (
                    "SET materialize_ttl_after_modify = 0; SET materialize_ttl_after_modify = 1; ALTER TABLE t MODIFY TTL d",
                    "hazard: MODIFY TTL d",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY SETTINGS materialize_ttl_after_modify = 0",
                "ALTER TABLE t MODIFY COLUMN a TTL d + INTERVAL 1 DAY SETTINGS materialize_ttl_after_modify = false",
                "SET materialize_ttl_after_modify = 0; SET a = 1; ALTER TABLE t MODIFY TTL d",
                "ALTER TABLE t REMOVE TTL",
                "CREATE TABLE t (d Date) ENGINE = MergeTree ORDER BY d TTL d + INTERVAL 1 DAY",
            ],
        );
    }
}
