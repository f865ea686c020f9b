//! SW089: a column no longer takes its value from another one, which has a default of its own.

use crate::alter::{another_column, same_expression};
use crate::assess::{AlterCase, Finding};
use crate::names::quote_identifier;

pub(super) const CODE: &str = "SW089";

/// Who names neither column got the default of the other one, and no log tells who that is.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let table = &case.alter.change.table;
    let finding = |command: &crate::alter::Command| {
        let (column, default) = (command.subject.as_deref()?, command.new_default.as_ref()?);
        let from = another_column(case.alter, &default.before)?;
        let from = case.local.columns.iter().find(|known| known.name == from)?;
        let own = &from.default_expression;
        if own.is_empty() || same_expression(own, &default.after) {
            return None;
        }
        let after =
            if default.after.is_empty() { "its type's own default".to_owned() } else { format!("`{}`", default.after) };
        Some(Finding::blocker(
            CODE,
            format!(
                "rows that are inserted without {column} and {} would have another value of {column} in {table}",
                from.name
            ),
            format!(
                "{} is {} `{own}`, and {column} took that from it; from then on it is {after}. Whoever names neither of them is not among \
                 the users of {}",
                from.name, from.default_kind, from.name
            ),
            format!(
                "give it the same default: ALTER TABLE {} MODIFY COLUMN {} {} DEFAULT {own}; or accept it, if that is what is meant",
                table.sql(),
                quote_identifier(column),
                case.local.columns.iter().find(|known| known.name == column)?.kind
            ),
        ))
    };
    case.alter.commands.iter().filter_map(finding).collect()
}
