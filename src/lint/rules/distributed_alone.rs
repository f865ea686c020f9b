//! SW042: a change of columns of a Distributed table alone, or in the wrong order.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW042";
pub(super) const TITLE: &str = "a Distributed table is changed without its local one";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let marks = file.steps().filter_map(change).filter_map(|(step, adds, column)| {
        let table = step.act.table.as_ref()?;
        let local = file.known.local_of(table)?;
        let of_local = file.around(&step).filter_map(change).find(|(other, other_adds, other_column)| {
            *other_adds == adds && *other_column == column && other.act.table.as_ref().is_some_and(|one| one.is(local))
        });
        let right_order = |other: &Step<'_>| if adds { other.at < step.at } else { other.at > step.at };
        let (problem, why) = match of_local {
            Some((other, ..)) if right_order(&other) => return None,
            Some(_) => ("in the wrong order", "in between, the Distributed table names a column that the shards do not have, and queries fail"),
            None => ("alone", "a Distributed table holds no rows: queries for a column that the shards do not have fail, and inserts with it stay in its queue"),
        };
        let help = if adds {
            format!("first the local table on every shard, then the other: ALTER TABLE {} ADD COLUMN {column} …; ALTER TABLE {} ADD COLUMN {column} …", local.sql, table.sql)
        } else {
            format!("first the Distributed table, then the local one: ALTER TABLE {} DROP COLUMN {column}; ALTER TABLE {} DROP COLUMN {column}", table.sql, local.sql)
        };
        Some(Mark::hazard(&step.act.span, format!("columns of {} are changed {problem}", table.sql), why, help))
    });
    marks.collect()
}

fn change(step: Step<'_>) -> Option<(Step<'_>, bool, &str)> {
    match &step.act.what {
        What::AddColumn(column) => Some((step, true, column.name.as_str())),
        What::DropColumn { column } => Some((step, false, column.as_str())),
        _ => None,
    }
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
                (
                    "CREATE TABLE d.t AS d.t_local ENGINE = Distributed('main', 'd', 't_local', a); ALTER TABLE d.t ADD COLUMN x UInt8",
                    "hazard: ADD COLUMN x UInt8",
                ),
                (
                    "CREATE TABLE t AS l ENGINE = Distributed(main, d, l); ALTER TABLE t ADD COLUMN x UInt8; ALTER TABLE l ADD COLUMN x UInt8",
                    "hazard: ADD COLUMN x UInt8",
                ),
                (
                    "CREATE TABLE t AS l ENGINE = Distributed(main, d, l); ALTER TABLE d.l DROP COLUMN x; ALTER TABLE t DROP COLUMN x",
                    "hazard: DROP COLUMN x",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "CREATE TABLE t AS l ENGINE = Distributed(main, d, l); ALTER TABLE d.l ADD COLUMN x UInt8; ALTER TABLE t ADD COLUMN x UInt8",
                "ALTER TABLE t ADD COLUMN x UInt8",
                "CREATE TABLE t AS l ENGINE = Distributed(main, d, l); ALTER TABLE t DROP COLUMN x; ALTER TABLE l DROP COLUMN x",
            ],
        );
    }
}
