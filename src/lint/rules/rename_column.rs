//! SW028: a column is renamed, and software of one version or the other fails.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW028";
pub(super) const TITLE: &str = "a column is renamed";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let renames = file.steps_on_old_tables().filter_map(|step| match &step.act.what {
        What::RenameColumn { column, to } => {
            let (table, from, to) = (step.table(), file.quoted(column), file.quoted(to));
            let what = format!("{table} has {from} no more, but {to}");
            let why = "while a release rolls out, two versions of the software run, and each knows one of the names";
            let add = if file.is_clickhouse() { "ADD COLUMN {to} … DEFAULT {from}" } else { "ADD COLUMN {to} …" };
            let add = add.replace("{to}", &to).replace("{from}", &from);
            let help = format!(
                "ALTER TABLE {table} {add}; write both, move the readers, then retire {from} in a later migration"
            );
            Some(Mark::blocker(&step.act.span, what, why, help))
        }
        _ => None,
    });
    renames.collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};

    #[test]
    fn cases() {
        flags(CODE, ClickHouse, &[("ALTER TABLE t RENAME COLUMN a TO b", "blocker: RENAME COLUMN a TO b")]);
        flags(
            CODE,
            Postgres,
            &[
                ("ALTER TABLE t RENAME COLUMN a TO b", "blocker: RENAME COLUMN a TO b"),
                ("ALTER TABLE t RENAME a TO \"b c\"", "blocker: RENAME a TO \"b c\""),
            ],
        );
        passes(CODE, ClickHouse, &["ALTER TABLE t COMMENT COLUMN a 'b'"]);
        passes(CODE, Postgres, &["ALTER TABLE t RENAME CONSTRAINT a TO b", "ALTER INDEX a RENAME TO b"]);
    }
}
