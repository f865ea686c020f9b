//! SW079: rows that a column was added to later have its default for a value, and the default changes.

use crate::alter::NewDefault;
use crate::assess::{AlterCase, Finding};
use crate::names::quote_identifier;
use crate::snapshot::Capability;
use crate::words::count;

pub(super) const CODE: &str = "SW079";

/// No part is written anew by such a command, and yet what is read of these rows is something else from then on.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let table = &case.alter.change.table;
    let defaults = case.alter.commands.iter().filter_map(|command| {
        let column = command.subject.as_deref()?;
        let lacking = case.survey.lacking.iter().find(|lacking| lacking.column == column && lacking.rows > 0)?;
        Some((column, command.new_default.as_ref()?, lacking.rows))
    });
    let finding = |(column, NewDefault { before, after }, rows): (&str, &NewDefault, u64)| {
        let shown =
            |text: &str| if text.is_empty() { "its type's own default".to_owned() } else { format!("`{text}`") };
        let name = quote_identifier(column);
        let is_alias = case.local.columns.iter().any(|known| known.name == column && known.default_kind == "ALIAS");
        let write = if is_alias {
            format!("ALTER TABLE {} MODIFY COLUMN {name} DEFAULT {before}, then MATERIALIZE COLUMN {name}", table.sql())
        } else if case.snapshot.all_have(Capability::MutationsSync) {
            format!("ALTER TABLE {} MATERIALIZE COLUMN {name}", table.sql())
        } else {
            format!("ALTER TABLE {} UPDATE {name} = {name} WHERE 1", table.sql())
        };
        Finding::blocker(
            CODE,
            format!(
                "{} of {table} would have another value of column {column}",
                count(usize::try_from(rows).unwrap_or(usize::MAX), "row")
            ),
            format!(
                "they were written before the column was there, and what is read of it is {}; from then on it is {}",
                shown(before),
                shown(after)
            ),
            format!("have the values written first: {write}; or accept it, if that is what is meant"),
        )
    };
    defaults.map(finding).collect()
}
