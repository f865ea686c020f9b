//! SW035: a new column whose default has another value each time.

use super::{File, Mark, Step};
use crate::ddl::lexer::TokenKind;
use crate::lint::read::tokens;
use crate::lint::statement::{Column, What};
use crate::names::quote_string;
use crate::words::sql;

pub(super) const CODE: &str = "SW035";
pub(super) const TITLE: &str = "a default has another value each time";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::BOTH;

const CLICKHOUSE: [&str; 28] = [
    "now",
    "now64",
    "nowinblock",
    "nowinblock64",
    "utctimestamp",
    "utc_timestamp",
    "current_timestamp",
    "today",
    "current_date",
    "curdate",
    "yesterday",
    "rand",
    "rand32",
    "rand64",
    "randcanonical",
    "randconstant",
    "randuniform",
    "randnormal",
    "randomstring",
    "randomstringutf8",
    "randomfixedstring",
    "randomprintableascii",
    "generateuuidv4",
    "generateuuidv7",
    "generateulid",
    "generatesnowflakeid",
    "generateserialid",
    "fuzzbits",
];
/// PostgreSQL takes the time of the transaction once, and stores it as a constant: `now()` is none of them.
const POSTGRES: [&str; 16] = [
    "random",
    "random_normal",
    "clock_timestamp",
    "timeofday",
    "nextval",
    "currval",
    "lastval",
    "gen_random_uuid",
    "gen_random_bytes",
    "gen_salt",
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
    "generate_ulid",
];

/// Functions of PostgreSQL, and types with a length, that have one value for all rows.
const STABLE: [&str; 76] = [
    "abs",
    "age",
    "array",
    "array_fill",
    "bit",
    "btrim",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "character",
    "coalesce",
    "concat",
    "current_database",
    "current_date",
    "current_schema",
    "current_setting",
    "current_timestamp",
    "date",
    "date_part",
    "date_trunc",
    "daterange",
    "decimal",
    "decode",
    "encode",
    "extract",
    "float",
    "floor",
    "format",
    "greatest",
    "inet",
    "int4range",
    "int8range",
    "interval",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "justify_days",
    "least",
    "left",
    "length",
    "localtimestamp",
    "lower",
    "lpad",
    "make_date",
    "make_interval",
    "md5",
    "now",
    "nullif",
    "numeric",
    "numrange",
    "position",
    "repeat",
    "replace",
    "right",
    "round",
    "row",
    "statement_timestamp",
    "string_to_array",
    "substr",
    "substring",
    "time",
    "timestamp",
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_timestamp",
    "transaction_timestamp",
    "trim",
    "tsrange",
    "tstzrange",
    "varchar",
    "varying",
];

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps_on_old_tables().filter_map(|step| mark(file, &step)).collect()
}

fn mark(file: &File<'_>, step: &Step<'_>) -> Option<Mark> {
    let What::AddColumn(column) = &step.act.what else { return None };
    let default = column.default.as_deref()?;
    if !is_volatile(file, default) {
        return unknown(file, step, column, default);
    }
    let (table, name) = (step.table(), file.quoted(&column.name));
    let what = format!("{table}.{name} has the default {}, another value each time", sql(default));
    Some(if file.is_clickhouse() {
        let keyword = keyword(file, step, default).filter(|keyword| !matches!(*keyword, "ALIAS" | "EPHEMERAL"))?;
        let why = "old parts do not store the column: its values are computed anew by every query, and again by every merge and replica";
        let help = format!(
            "ALTER TABLE {table} ADD COLUMN {name} {} DEFAULT …, a constant for old rows; store it in them: ALTER TABLE {table} MATERIALIZE COLUMN \
             {name}; then MODIFY COLUMN {name} {keyword} {default} for new rows",
            column.kind
        );
        Mark::hazard(&step.act.span, what, why, help)
    } else {
        let why = "the table is written anew under a lock that keeps readers and writers out";
        let help = format!(
            "ALTER TABLE {table} ADD COLUMN {name} {}; ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default}; fill old rows in batches",
            column.kind
        );
        Mark::blocker(&step.act.span, what, why, help)
    })
}

/// Whether an expression calls a function that returns another value each time.
fn is_volatile(file: &File<'_>, default: &str) -> bool {
    let volatile: &[&str] = if file.is_clickhouse() { &CLICKHOUSE } else { &POSTGRES };
    called(file, default).iter().any(|name| is_any(name, volatile))
}

fn is_any(name: &str, any: &[&str]) -> bool {
    any.iter().any(|one| one.eq_ignore_ascii_case(name.trim_matches('"')))
}

/// The functions that an expression calls; names in strings call nothing.
fn called<'a>(file: &File<'_>, default: &'a str) -> Vec<&'a str> {
    let tokens = tokens(default, file.dialect);
    let calls = tokens.windows(2).filter(|pair| {
        matches!(pair[0].kind, TokenKind::Word | TokenKind::QuotedIdentifier) && &default[pair[1].span.clone()] == "("
    });
    calls.map(|pair| &default[pair[0].span.clone()]).collect()
}

/// A function that is none of the server's well-known ones: it is volatile unless it was made otherwise.
fn unknown(file: &File<'_>, step: &Step<'_>, column: &Column, default: &str) -> Option<Mark> {
    if file.is_clickhouse() {
        return None;
    }
    let function = called(file, default).into_iter().find(|name| !is_any(name, &STABLE))?;
    let function = match function.strip_prefix('"') {
        Some(quoted) => quote_string(quoted.trim_end_matches('"')),
        None => quote_string(&function.to_ascii_lowercase()),
    };
    let (table, name) = (step.table(), file.quoted(&column.name));
    Some(Mark::hazard(
        &step.act.span,
        format!("{table}.{name} has the default {}, and whether that is volatile is not known", sql(default)),
        "unless the function was made STABLE or IMMUTABLE, the table is written anew under a lock that keeps readers and writers out",
        format!(
            "see SELECT provolatile FROM pg_proc WHERE proname = {function}; where it is v: ALTER TABLE {table} ADD COLUMN {name} {}; ALTER TABLE \
             {table} ALTER COLUMN {name} SET DEFAULT {default}; fill old rows in batches",
            column.kind
        ),
    ))
}

/// The word before the expression, which says when it is computed: an `ALIAS` by every query, as it is meant, and an `EPHEMERAL` column is
/// not stored at all.
fn keyword(file: &File<'_>, step: &Step<'_>, default: &str) -> Option<&'static str> {
    let command = file.text.get(step.act.span.clone())?;
    tokens(command, file.dialect).windows(2).find_map(|pair| {
        let keywords = ["DEFAULT", "MATERIALIZED", "ALIAS", "EPHEMERAL"];
        let keyword = keywords.into_iter().find(|word| command[pair[0].span.clone()].eq_ignore_ascii_case(word))?;
        command[pair[1].span.start..].starts_with(default).then_some(keyword)
    })
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::{ClickHouse, Postgres};
    use crate::lint::{Choice, Source, lint};

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                ("ALTER TABLE t ADD COLUMN a DateTime DEFAULT now()", "hazard: ADD COLUMN a DateTime DEFAULT now()"),
                (
                    "ALTER TABLE t ADD COLUMN alias DateTime MATERIALIZED UTCTimestamp()",
                    "hazard: ADD COLUMN alias DateTime MATERIALIZED UTCTimestamp()",
                ),
                (
                    "ALTER TABLE t ADD COLUMN a UInt64 DEFAULT generateSnowflakeID ()",
                    "hazard: ADD COLUMN a UInt64 DEFAULT generateSnowflakeID ()",
                ),
            ],
        );
        flags(
            CODE,
            Postgres,
            &[
                (
                    "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid() NOT NULL",
                    "blocker: ADD COLUMN a uuid DEFAULT gen_random_uuid() NOT NULL",
                ),
                (
                    "ALTER TABLE t ADD a uuid DEFAULT uuid_generate_v1()",
                    "blocker: ADD a uuid DEFAULT uuid_generate_v1()",
                ),
                ("ALTER TABLE t ADD a uuid DEFAULT uuidv7()", "blocker: ADD a uuid DEFAULT uuidv7()"),
                (
                    "ALTER TABLE t ADD a bytea DEFAULT gen_random_bytes(8)",
                    "blocker: ADD a bytea DEFAULT gen_random_bytes(8)",
                ),
                (
                    "ALTER TABLE t ADD a text NOT NULL DEFAULT random_string(26)",
                    "hazard: ADD a text NOT NULL DEFAULT random_string(26)",
                ),
                (
                    "ALTER TABLE t ADD a int DEFAULT s.\"Next\" () UNIQUE",
                    "hazard: ADD a int DEFAULT s.\"Next\" () UNIQUE",
                ),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "ALTER TABLE t ADD COLUMN a DateTime DEFAULT toDateTime(b)",
                "ALTER TABLE t ADD COLUMN a UInt8 DEFAULT 1",
                "ALTER TABLE t ADD COLUMN a String DEFAULT 'rand()'",
                "ALTER TABLE t ADD COLUMN a DateTime ALIAS now()",
                "ALTER TABLE t ADD COLUMN a DateTime EPHEMERAL now()",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a; ALTER TABLE t ADD COLUMN b DateTime DEFAULT now()",
            ],
        );
        passes(
            CODE,
            Postgres,
            &[
                "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()",
                "ALTER TABLE t ADD COLUMN a integer DEFAULT 0",
                "ALTER TABLE t ADD COLUMN mode text DEFAULT 'random' NOT NULL",
                "ALTER TABLE t ADD COLUMN a date DEFAULT 'today'",
                "ALTER TABLE t ADD COLUMN a numeric(10,2) DEFAULT 0::numeric(10, 2)",
                "ALTER TABLE t ADD COLUMN a bigint DEFAULT CAST(EXTRACT(epoch FROM date_trunc('day', now())) * 1000 AS bigint)",
                "ALTER TABLE t ADD COLUMN a text DEFAULT 'f(1)'::character varying(9)",
                "ALTER TABLE t ADD COLUMN a tstzrange DEFAULT tstzrange(now(), NULL, '[]')",
                "ALTER TABLE t ADD COLUMN a jsonb DEFAULT '{\"now\": \"random()\"}'::jsonb",
            ],
        );
    }

    #[test]
    fn the_help_has_the_default_as_it_was_written() {
        for (default, dialect) in [
            ("nextval('users_seq')", Postgres),
            ("'x' || md5(random()::text)", Postgres),
            ("generateUUIDv4()", ClickHouse),
            ("toDate(now64(3))", ClickHouse),
        ] {
            let text = format!("ALTER TABLE t ADD COLUMN a text DEFAULT {default}");
            let report = lint(vec![Source { name: "x.sql".to_owned(), text }], Choice::Only(dialect));
            let help = report.files[0]
                .findings
                .iter()
                .find(|found| found.finding.code == CODE)
                .map(|found| &found.finding.help);
            let expected = format!("DEFAULT {default}");
            assert!(help.is_some_and(|help| help.contains(&expected)), "{help:?}");
        }
    }
}
