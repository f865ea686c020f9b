//! Whether a rebuild would change anything, and whether it could be told from nothing.

use super::super::super::exit_code::Exit;
use super::super::super::failure::Failure;
use crate::assess::Case;
use crate::catalog::{Keys, Table};
use crate::ddl::{key_items, read_engine};

/// Whether the table is as wanted already.
pub(super) fn is_reached(case: &Case<'_>) -> bool {
    let same_keys = case.sources().all(|(_, table)| same_keys(&table.keys, &case.target.keys));
    let wanted = case.change.wanted.definition.as_ref();
    // Scratch tables are not replicated, whatever the tables are.
    let replicates = |table: &Table| read_engine(&table.engine_full).is_ok_and(|engine| engine.replicated());
    let same_engine =
        wanted.is_none_or(|wanted| case.sources().all(|(_, table)| replicates(table) == wanted.engine.replicated()));
    let same_definition = case
        .written
        .is_none_or(|written| written.engine_full == case.target.engine_full && written.columns == case.target.columns);
    same_keys && same_types(case) && same_engine && same_merging(case) && same_definition
}

/// Whether the table merges rows on every replica as the wanted one does.
fn same_merging(case: &Case<'_>) -> bool {
    let Some(wanted) = case.target_engine() else { return false };
    case.sources().all(|(_, table)| read_engine(&table.engine_full).is_ok_and(|engine| engine.merges_as(&wanted)))
}

/// Whether columns of the table have the wanted types on every replica.
fn same_types(case: &Case<'_>) -> bool {
    let kind = |table: &Table, name: &str| {
        table.columns.iter().find(|column| column.name == name).map(|column| column.kind.clone())
    };
    let is_same = |name: &str| case.sources().all(|(_, table)| kind(table, name) == kind(case.target, name));
    case.change.wanted.types.iter().all(|(name, _)| is_same(name))
}

/// Keys that are the same but for parentheses around them: `id` and `(id)`.
fn same_keys(one: &Keys, other: &Keys) -> bool {
    let pairs = [(&one.sorting, &other.sorting), (&one.primary, &other.primary), (&one.partition, &other.partition)];
    pairs
        .into_iter()
        .all(|(one, other)| one == other || matches!((key_items(one), key_items(other)), (Ok(a), Ok(b)) if a == b))
}

/// `sorting_key` in `system.tables` leaves DESC out, so that nothing would tell the new table from the old one.
pub(super) fn refuse_direction_alone(case: &Case<'_>) -> Result<(), Failure> {
    let order_by = |table: &Table| read_engine(&table.engine_full).ok()?.clauses.order_by.map(|key| key.text);
    let directions = |key: Option<String>| key.unwrap_or_default().matches(" DESC").count();
    let wanted = order_by(case.target);
    let differs = |table: &Table| {
        same_keys(&table.keys, &case.target.keys) && directions(order_by(table)) != directions(wanted.clone())
    };
    if !case.sources().any(|(_, table)| differs(table)) {
        return Ok(());
    }
    let message = format!("the wanted key of {} differs from today's in direction (DESC) alone", case.name());
    Err(Failure::new(message)
        .exit(Exit::Blocked)
        .hint("this version plans no such change; add or move a column as well"))
}
