//! SW035: a new column whose default has another value each time.

use super::{File, Mark, Step};
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW035";
pub(super) const TITLE: &str = "a default has another value each time";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

const VOLATILE: [&str; 18] = [
    "now",
    "now64",
    "today",
    "yesterday",
    "rand",
    "rand32",
    "rand64",
    "randomstring",
    "generateuuidv4",
    "generateuuidv7",
    "random",
    "clock_timestamp",
    "gen_random_uuid",
    "uuid_generate_v4",
    "timeofday",
    "nextval",
    "randomuuid",
    "generateulid",
];

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let What::AddColumn(column) = &step.act.what else { return None };
    let default = column.default.as_deref()?.to_ascii_lowercase();
    let mut calls =
        default.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| VOLATILE.contains(word));
    // PostgreSQL takes the time of the transaction once, and stores it as a constant.
    let call = calls.find(|call| file.is_clickhouse() || *call != "now")?;
    let (table, name) = (step.table(), file.quoted(&column.name));
    let what = format!("{table}.{name} has a default of {call}(), another value each time");
    Some(if file.is_clickhouse() {
        let why = "old parts do not store the column: its values are computed anew by every query, and again by every merge and replica";
        let help = format!(
            "ALTER TABLE {table} ADD COLUMN {name} {} DEFAULT …, a constant for old rows; store it in them: ALTER TABLE {table} MATERIALIZE COLUMN \
             {name}; then MODIFY COLUMN {name} DEFAULT {call}() for new rows",
            column.kind
        );
        Mark::hazard(&step.act.span, what, why, help)
    } else {
        let why = "the table is written anew under a lock that keeps readers and writers out";
        let help = format!(
            "ALTER TABLE {table} ADD COLUMN {name} {}; ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {call}(); fill old rows in batches",
            column.kind
        );
        Mark::blocker(&step.act.span, what, why, help)
    })
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
            &[("ALTER TABLE t ADD COLUMN a DateTime DEFAULT now()", "hazard: ADD COLUMN a DateTime DEFAULT now()")],
        );
        flags(
            CODE,
            Postgres,
            &[(
                "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid() NOT NULL",
                "blocker: ADD COLUMN a uuid DEFAULT gen_random_uuid() NOT NULL",
            )],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t ADD COLUMN a DateTime DEFAULT toDateTime(b)",
                "ALTER TABLE t ADD COLUMN a UInt8 DEFAULT 1",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; ALTER TABLE t ADD COLUMN b DateTime DEFAULT now()",
            ],
        );
        passes(
            CODE,
            Postgres,
            &["ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()", "ALTER TABLE t ADD COLUMN a integer DEFAULT 0"],
        );
    }
}
