//! SW054: CREATE INDEX without CONCURRENTLY.

use super::{File, Mark};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW054";
pub(super) const TITLE: &str = "an index is built under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let indexes =
        file.steps_on_old_tables().filter(|step| matches!(step.act.what, What::CreateIndex { concurrently: false }));
    indexes
        .map(|step| {
            let sql = &file.text[step.statement.span.clone()];
            let at = sql.to_ascii_uppercase().find("INDEX").map_or(0, |at| at + "INDEX".len());
            Mark::blocker(
                &step.act.span,
                format!("an index of {} is built under a lock", step.table()),
                "until it is built, nobody can write to the table",
                format!(
                    "outside of a transaction (Django: AddIndexConcurrently, atomic = False): {} CONCURRENTLY{}",
                    &sql[..at],
                    &sql[at..]
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::Postgres;

    #[test]
    fn cases() {
        flags(
            CODE,
            Postgres,
            &[
                ("CREATE INDEX i ON t (a)", "blocker: CREATE INDEX i ON t"),
                (
                    "CREATE UNIQUE INDEX IF NOT EXISTS \"i\" ON s.t USING btree (a)",
                    "blocker: CREATE UNIQUE INDEX IF NOT EXISTS \"i\" ON s.t",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &["CREATE INDEX CONCURRENTLY i ON t (a)", "CREATE TABLE t (a int); CREATE INDEX i ON t (a)"],
        );
    }
}
