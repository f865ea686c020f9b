//! SW034: a column gets another type.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW034";
pub(super) const TITLE: &str = "a column's type changes";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

/// What may save a change between timestamps with a time zone and without from writing the table.
const AT_ONCE_IN_UTC: &str = "; from timestamp to timestamptz or back it is done at once (PostgreSQL 12 and later) where SET timezone = 'UTC' is \
                              right and goes before";

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let What::ColumnType { column, kind, using } = &step.act.what else { return None };
    let (table, span, column) = (step.table(), &step.act.span, file.quoted(column));
    let what = format!("{table}.{column} becomes {kind}");
    if file.is_clickhouse() {
        return Some(Mark::hazard(
            span,
            what,
            "unless it is the type that the column has, or an Enum with more values, every part is written anew by a mutation on every \
             replica, and a value that does not convert stops it half-way; in a key it is refused",
            format!(
                "add a column and fill it with the new rows first: ALTER TABLE {table} ADD COLUMN … {kind} DEFAULT …; for a key: shardwright plan"
            ),
        ));
    }
    let widens = if *using { None } else { Widening::to(kind) };
    let help = format!(
        "add a column of the new type, write both, fill the old rows in batches, move the readers: ALTER TABLE {table} ADD COLUMN … {kind}"
    );
    Some(match widens {
        Some(Widening::Text) => {
            let why = "from a shorter varchar it is done at once; from any other type the table is written anew, and nobody reads or writes it meanwhile";
            Mark::hazard(span, what, why, help)
        }
        Some(Widening::Numeric) => {
            let why = "from a numeric of the same scale and no greater precision it is done at once; from any other type the table is written anew, \
                       and nobody reads or writes it meanwhile";
            Mark::hazard(span, what, why, help)
        }
        None => {
            let why = "the table and its indexes are written anew under a lock that keeps readers and writers out";
            let at_once = if is_time(kind) && !*using { AT_ONCE_IN_UTC } else { "" };
            Mark::blocker(span, what, why, help + at_once)
        }
    })
}

/// Whether it is a timestamp of PostgreSQL, with a time zone or without.
fn is_time(kind: &str) -> bool {
    kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("timestamp"))
}

/// Types of PostgreSQL that a narrower one of the same kind becomes without its values being written.
enum Widening {
    Text,
    Numeric,
}

impl Widening {
    fn to(kind: &str) -> Option<Self> {
        let kind = kind.to_ascii_lowercase();
        let is =
            |name: &str| kind.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', ' ']));
        if ["text", "varchar", "character varying"].iter().any(|name| is(name)) {
            return Some(Self::Text);
        }
        ["numeric", "decimal"].iter().any(|name| is(name)).then_some(Self::Numeric)
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, help, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("ALTER TABLE t MODIFY COLUMN a UInt64", "hazard: MODIFY COLUMN a UInt64"),
                ("ALTER TABLE t ALTER COLUMN a TYPE String", "hazard: ALTER COLUMN a TYPE String"),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                (
                    "ALTER TABLE t ALTER COLUMN a TYPE bigint USING a::bigint",
                    "blocker: ALTER COLUMN a TYPE bigint USING a::bigint",
                ),
                ("ALTER TABLE t ALTER a SET DATA TYPE varchar(200)", "hazard: ALTER a SET DATA TYPE varchar(200)"),
                (
                    "ALTER TABLE \"posthog_user\" ALTER COLUMN \"bio\" TYPE text USING \"bio\"::text",
                    "hazard: ALTER COLUMN \"bio\" TYPE text USING \"bio\"::text",
                ),
                (
                    "ALTER TABLE t ALTER a TYPE numeric(12, 2) USING CAST(a AS numeric(12,2))",
                    "hazard: ALTER a TYPE numeric(12, 2) USING CAST(a AS numeric(12,2))",
                ),
                ("ALTER TABLE t ALTER a TYPE text USING b::text", "blocker: ALTER a TYPE text USING b::text"),
                ("ALTER TABLE t ALTER a TYPE text USING lower(a)", "blocker: ALTER a TYPE text USING lower(a)"),
                ("ALTER TABLE t ALTER a TYPE numerically", "blocker: ALTER a TYPE numerically"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t MODIFY COLUMN a DEFAULT 1",
                "ALTER TABLE t MODIFY COLUMN e ADD ENUM VALUES ('x' = 3)",
                "ALTER TABLE t MODIFY COLUMN a CODEC(ZSTD(3))",
            ],
        );
        for (kind, says) in
            [("timestamptz", true), ("timestamp(3) without time zone", true), ("time", false), ("ж", false)]
        {
            let help = help(CODE, Postgres, &format!("ALTER TABLE t ALTER a TYPE {kind}"));
            assert_eq!(help.contains("SET timezone"), says, "{kind}: {help}");
        }
        passes(CODE, Postgres, &["ALTER TYPE mood ADD VALUE 'x'", "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1"]);
    }
}
