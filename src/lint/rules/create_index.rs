//! SW054: CREATE INDEX without CONCURRENTLY.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW054";
pub(super) const TITLE: &str = "an index is built under a lock";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::POSTGRES;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step).map(|mark| mark.unless_new(&step))).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    match &step.act.what {
        What::CreateIndex { concurrently: false, only: true } => Some(Mark::note(
            span,
            format!("an index of {table} alone is built under a lock, unless it is partitioned"),
            "a partitioned table has no rows of its own, and its index is done at once; of any other, nobody can write until it is built",
            format!(
                "if it is partitioned, go on: CREATE INDEX CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION; if not: {}",
                concurrent(file, step)
            ),
        )),
        What::CreateIndex { concurrently: false, only: false } => Some(Mark::blocker(
            span,
            format!("an index of {table} is built under a lock"),
            "until it is built, nobody can write to the table",
            format!(
                "outside of a transaction (Django: AddIndexConcurrently, atomic = False): {}",
                concurrent(file, step)
            ),
        )),
        _ => None,
    }
}

/// The statement with `CONCURRENTLY`; one that stands within another without its end.
fn concurrent(file: &File<'_>, step: &Step<'_>) -> String {
    let (statement, act) = (&step.statement.span, &step.act.span);
    let is_whole = statement.start == act.start;
    let sql = &file.text[act.start..if is_whole { statement.end } else { act.end }];
    let at = sql.to_ascii_uppercase().find("INDEX").map_or(0, |at| at + "INDEX".len());
    let rest = if is_whole { "" } else { " (…)" };
    format!("{} CONCURRENTLY{}{rest}", &sql[..at], &sql[at..])
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
                    "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX IF NOT EXISTS i ON t (a)",
                    "hazard: CREATE INDEX IF NOT EXISTS i ON t",
                ),
                (
                    "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t RENAME TO u; CREATE INDEX i ON u (a)",
                    "blocker: CREATE INDEX i ON u",
                ),
                ("CREATE INDEX i ON ONLY measurement (a)", "note: CREATE INDEX i ON ONLY measurement"),
                (
                    "CREATE INDEX ON t USING gin (lower(a) gin_trgm_ops, (b + 1) DESC) INCLUDE (c) NULLS NOT DISTINCT WITH (fillfactor = 70) TABLESPACE x WHERE a > 0",
                    "blocker: CREATE INDEX ON t",
                ),
                ("DO $$ BEGIN IF a THEN CREATE INDEX i ON t (a); END IF; END $$", "blocker: CREATE INDEX i ON t"),
                (
                    "CREATE UNIQUE INDEX IF NOT EXISTS \"i\" ON s.t USING btree (a)",
                    "blocker: CREATE UNIQUE INDEX IF NOT EXISTS \"i\" ON s.t",
                ),
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                "CREATE TABLE t (a int); CREATE INDEX i ON t (a)",
                "CREATE TABLE t AS SELECT 1 AS a; CREATE INDEX i ON t (a)",
                "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id WITH NO DATA; CREATE UNIQUE INDEX i ON mv (id)",
                "SELECT a, (SELECT 1) INTO UNLOGGED TABLE copy FROM t; CREATE INDEX i ON copy (a)",
            ],
        );
    }
}
