//! SW029: a table is renamed, and what still uses the old name fails.

use super::{File, Mark, Named, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW029";
pub(super) const TITLE: &str = "a table is renamed";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    let renames = file.steps_on_old_tables().filter_map(|step| {
        match &step.act.what {
            What::RenameOther { kind, name } => return Some(renamed(&step, kind, name)),
            What::RenameType { .. } => return renamed_type(file, &step),
            _ => {}
        }
        let (to, from) = (target(&step)?, step.act.table.as_ref()?);
        if file.is_clickhouse() && is_second_of_swap(file, &step, to) {
            return None;
        }
        let gives_it_anew = |other: &Step<'_>| target(other).is_some_and(|name| name.is(from)) && !std::ptr::eq(other.act, step.act);
        let taker = file.around(&step).find(gives_it_anew);
        // A name that another rename gives anew is a swap, which has a rule of its own for ClickHouse.
        if let Some(taker) = taker {
            return (!file.is_clickhouse()).then(|| swapped(&step, &taker, from));
        }
        let help = if file.is_clickhouse() {
            format!("create {} anew and move writers and readers, or keep the old name: CREATE VIEW {} AS SELECT * FROM {}", to.sql, from.sql, to.sql)
        } else {
            format!("keep the old name for a release, in the same transaction: CREATE VIEW {} AS SELECT * FROM {}", from.sql, to.sql)
        };
        let why = "software that knows the old name fails, also the version that is being replaced; views and Distributed tables keep to names";
        Some(Mark::blocker(&step.act.span, format!("there is no {} any more", from.sql), why, help))
    });
    renames.chain(databases(file)).collect()
}

/// Whether an earlier rename took the new name away from another table: what is at stake is that name, not the one that is given up.
fn is_second_of_swap(file: &File<'_>, step: &Step<'_>, to: &Named) -> bool {
    file.around(step).any(|other| {
        other.act.span.start < step.act.span.start
            && target(&other).is_some()
            && other.act.table.as_ref().is_some_and(|from| from.is(to))
    })
}

fn databases(file: &File<'_>) -> impl Iterator<Item = Mark> {
    file.steps().filter_map(|step| {
        let (What::RenameDatabase { to }, from) = (&step.act.what, step.table()) else { return None };
        Some(Mark::blocker(
            &step.act.span,
            format!("there is no database {from} any more"),
            "software that knows the old name fails, also the version that is being replaced; views and Distributed tables of any database keep to names",
            format!("create {} beside it and move writers and readers table by table; drop {from} when nobody uses it", to.sql),
        ))
    })
}

/// Another table takes the name, in PostgreSQL.
fn swapped(step: &Step<'_>, taker: &Step<'_>, from: &Named) -> Mark {
    let together = step.at == taker.at || step.statement.transaction.is_some();
    let what = format!("{} takes the place of {}", taker.table(), from.sql);
    let why = "views, foreign keys, triggers and sequences stay with the old table; what was written to it after the copy is lacking in the new one";
    let help =
        "rename both in one transaction, after LOCK of the old table and a last copy; create anew what refers to it";
    if together && step.statement.transaction == taker.statement.transaction {
        return Mark::hazard(&step.act.span, what, why, help);
    }
    let why = format!("between the renames there is no such table: all software fails; {why}");
    Mark::blocker(&step.act.span, what, &why, help)
}

/// A type: one whose name another type gets in the same transaction is not missed by software.
fn renamed_type(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let name = step.act.table.as_ref()?;
    let gives_it_anew = |other: &Step<'_>| match &other.act.what {
        What::RenameType { to } => to.table == name.table,
        What::CreateType => other.act.table.as_ref().is_some_and(|created| created.is(name)),
        _ => false,
    };
    let taker = file.around(step).find(|other| other.number > step.number && gives_it_anew(other));
    let Some(taker) = taker else { return Some(renamed(step, "type", &name.sql)) };
    let transaction = step.statement.transaction;
    let together = step.at == taker.at || transaction.is_some() && transaction == taker.statement.transaction;
    (!together).then(|| {
        Mark::hazard(
            &step.act.span,
            format!("the type {} is replaced by another one", name.sql),
            "unless all of it is one transaction, there is no such type between the statements: what names it fails",
            "give the name away and anew between BEGIN and COMMIT, unless what runs the file does so",
        )
    })
}

/// A schema, a type, or a value of a type.
fn renamed(step: &Step<'_>, kind: &str, name: &str) -> Mark {
    Mark::blocker(
        &step.act.span,
        format!("there is no {kind} {name} any more"),
        "software that knows the old name fails, also the version that is being replaced",
        "add what is to have the new name, use both, move readers and writers, retire the old one later",
    )
}

fn target<'a>(step: &Step<'a>) -> Option<&'a Named> {
    match &step.act.what {
        What::RenameTable { to } => Some(to),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("RENAME TABLE d.a TO d.b", "blocker: RENAME TABLE d.a TO d.b"),
                ("RENAME DATABASE a TO b ON CLUSTER main", "blocker: RENAME DATABASE a TO b"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                ("ALTER TABLE a RENAME TO b", "blocker: RENAME TO b"),
                ("ALTER VIEW IF EXISTS v RENAME TO w", "blocker: RENAME TO w"),
                ("ALTER TABLE a SET SCHEMA archive", "blocker: SET SCHEMA archive"),
                ("ALTER SCHEMA a RENAME TO b", "blocker: ALTER SCHEMA a RENAME TO b"),
                ("ALTER TYPE s.mood RENAME TO feeling", "blocker: ALTER TYPE s.mood RENAME TO feeling"),
                (
                    "ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('sad'); DROP TYPE mood_old",
                    "hazard: ALTER TYPE mood RENAME TO mood_old",
                ),
                (
                    "BEGIN; ALTER TYPE mood RENAME TO x; COMMIT; CREATE TYPE mood AS ENUM ('sad')",
                    "hazard: ALTER TYPE mood RENAME TO x",
                ),
                (
                    "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
                    "blocker: ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
                ),
                (
                    "CREATE TABLE a_new (x int); ALTER TABLE a RENAME TO a_old; ALTER TABLE a_new RENAME TO a;",
                    "blocker: RENAME TO a_old",
                ),
                (
                    "CREATE TABLE a_new (x int); BEGIN; ALTER TABLE a RENAME TO a_old; ALTER TABLE a_new RENAME TO a; COMMIT;",
                    "hazard: RENAME TO a_old",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "EXCHANGE TABLES a AND b",
                "RENAME TABLE new TO t_new, t_new TO new",
                "RENAME TABLE a TO a_old, a_new TO a",
                "RENAME DICTIONARY a TO b",
                "CREATE TABLE a (x UInt8) ENGINE = MergeTree ORDER BY x; RENAME TABLE a TO b",
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER SEQUENCE a RENAME TO b",
                "ALTER TYPE mood ADD VALUE 'calm'",
                "BEGIN; CREATE TYPE mood_new AS ENUM ('sad'); ALTER TYPE mood RENAME TO mood_old; ALTER TYPE mood_new RENAME TO mood; \
                 DROP TYPE mood_old; COMMIT;",
                "BEGIN; ALTER TYPE s.mood RENAME TO mood_old; CREATE TYPE s.mood AS ENUM ('sad'); COMMIT;",
                "ALTER DOMAIN d RENAME CONSTRAINT a TO b",
            ],
        );
    }
}
