//! SW051: a default that old rows live by goes.

use super::{File, Mark};
use crate::ddl::Form;
use crate::ddl::alteration::has_words;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW051";
pub(super) const TITLE: &str = "old rows lose a default";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let removed = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        let goes = ["DEFAULT", "MATERIALIZED", "ALIAS"].iter().any(|word| has_words(&command.text.text, &["REMOVE", word]));
        let column = file.quoted(command.subject.as_deref().unwrap_or_default());
        (command.form == Form::ModifyColumnRemove && goes).then(|| {
            Mark::hazard(
                &step.act.span,
                format!("{}.{column} loses its default", step.table()),
                "parts from before the column was added do not store it: their rows give zero or an empty string from now on",
                format!("store the values first: ALTER TABLE {} MATERIALIZE COLUMN {column}", step.table()),
            )
        })
    });
    removed.collect()
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
            &[("ALTER TABLE t MODIFY COLUMN a REMOVE DEFAULT", "hazard: MODIFY COLUMN a REMOVE DEFAULT")],
        );
        passes(
            CODE,
            ClickHouse,
            &["ALTER TABLE t MODIFY COLUMN a REMOVE COMMENT", "ALTER TABLE t MODIFY COLUMN a DEFAULT 1"],
        );
    }
}
