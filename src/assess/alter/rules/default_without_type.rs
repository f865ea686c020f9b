//! SW076: servers that take a column's type from its new default where none is written.

use crate::assess::{AlterCase, Finding};
use crate::ddl::Form;
use crate::names::quote_identifier;
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW076";

/// On 18.16.1 `MODIFY COLUMN c DEFAULT 5` makes any column a `UInt8`, and converts every value.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    if case.snapshot.all_have(Capability::MutationsSync) {
        return Vec::new();
    }
    let base = case.base();
    let commands = case.alter.commands.iter().filter(|command| command.form == Form::ModifyColumnDefault);
    let finding = |command: &crate::alter::Command| {
        let mut columns = base.sources().flat_map(|(_, table)| &table.columns);
        let column = columns.find(|column| command.subject.as_deref() == Some(column.name.as_str()));
        let better = match column {
            Some(column) => {
                format!(
                    "write the type too: MODIFY COLUMN {} {} DEFAULT …",
                    quote_identifier(&column.name),
                    column.kind
                )
            }
            None => "write the column's type before the default".to_owned(),
        };
        Finding::blocker(
            CODE,
            format!("`{}` would change the column's type in {}", command.text, case.alter.change.table),
            "these servers take the type from the default where none is written, and convert every value to it",
            better,
        )
    };
    commands.map(finding).collect()
}
