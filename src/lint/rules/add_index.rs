//! SW038: an index, projection or statistics that old parts do not have.

use super::{File, Mark, Step};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW038";
pub(super) const TITLE: &str = "an index is for new parts only";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let added = file.steps_on_old_tables().filter_map(|step| {
        let What::Alter(command) = &step.act.what else { return None };
        let (kind, materialize) = match command.form {
            Form::AddIndex => ("index", Form::MaterializeIndex),
            Form::AddProjection => ("projection", Form::MaterializeProjection),
            _ => return None,
        };
        let name = command.subject.as_deref().unwrap_or_default();
        if is_materialized(file, &step, name, materialize) {
            return None;
        }
        let (table, quoted) = (step.table(), file.quoted(name));
        Some(Mark::note(
            &step.act.span,
            format!("the {kind} {quoted} is made for new parts only"),
            "queries over old rows do not use it until their parts are merged, which large ones may never be",
            format!("later, at a quiet time, partition by partition: ALTER TABLE {table} MATERIALIZE {} {quoted} IN PARTITION …", kind.to_uppercase()),
        ))
    });
    added.collect()
}

fn is_materialized(file: &File<'_>, step: &Step<'_>, name: &str, form: Form) -> bool {
    file.around(step).any(|other| match &other.act.what {
        What::Alter(command) => command.form == form && command.subject.as_deref() == Some(name),
        _ => false,
    })
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
                    "ALTER TABLE t ADD INDEX i a TYPE minmax GRANULARITY 4",
                    "note: ADD INDEX i a TYPE minmax GRANULARITY 4",
                ),
                (
                    "ALTER TABLE t ADD PROJECTION p (SELECT a ORDER BY a)",
                    "note: ADD PROJECTION p (SELECT a ORDER BY a)",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t ADD INDEX i a TYPE minmax; ALTER TABLE t MATERIALIZE INDEX i",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; ALTER TABLE t ADD INDEX i a TYPE minmax",
            ],
        );
    }
}
