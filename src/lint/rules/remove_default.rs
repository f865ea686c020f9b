//! SW051: a default that old rows live by goes or changes.

use super::{File, Mark};
use crate::ddl::Form;
use crate::ddl::alteration::has_words;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW051";
pub(super) const TITLE: &str = "old rows lose a default or get another";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let changed = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        let says = |words: &[&str]| has_words(&command.text.text, words);
        let goes = || ["DEFAULT", "MATERIALIZED", "ALIAS"].iter().any(|word| says(&["REMOVE", word]));
        let unstored = || says(&["ALIAS"]) || says(&["EPHEMERAL"]);
        let (change, why) = match command.form {
            Form::ModifyColumnRemove if goes() => (
                "loses its default",
                "parts from before the column was added do not store it: their rows give zero or an empty string from now on",
            ),
            Form::ModifyColumnDefault if unstored() => (
                "is not stored any more",
                "its values are not read from now on, and merges leave those that are stored out for good",
            ),
            Form::ModifyColumnDefault => (
                "gets another default",
                "parts from before the column was added do not store it: their rows change their value at once",
            ),
            _ => return None,
        };
        let column = file.quoted(command.subject.as_deref().unwrap_or_default());
        let help = if command.form == Form::ModifyColumnDefault && unstored() {
            "keep the values in another column first, or say why they may go".to_owned()
        } else {
            format!("store the values first: ALTER TABLE {} MATERIALIZE COLUMN {column}", step.table())
        };
        Some(Mark::hazard(&step.act.span, format!("{}.{column} {change}", step.table()), why, help))
    });
    changed.collect()
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
                ("ALTER TABLE t MODIFY COLUMN a REMOVE DEFAULT", "hazard: MODIFY COLUMN a REMOVE DEFAULT"),
                ("ALTER TABLE t MODIFY COLUMN a DEFAULT 5", "hazard: MODIFY COLUMN a DEFAULT 5"),
                ("ALTER TABLE t MODIFY COLUMN a ALIAS b", "hazard: MODIFY COLUMN a ALIAS b"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &["ALTER TABLE t MODIFY COLUMN a REMOVE COMMENT", "ALTER TABLE t ADD COLUMN a UInt8 DEFAULT 1"],
        );
    }
}
