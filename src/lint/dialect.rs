//! Which SQL a file is written in.

use std::fmt;

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// ClickHouse's.
    ClickHouse,
    /// PostgreSQL's.
    Postgres,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ClickHouse => "clickhouse",
            Self::Postgres => "postgres",
        })
    }
}

/// How the dialect of a file is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By the words in it.
    Auto,
    /// By whoever asks.
    Only(Dialect),
}

/// More of a file is not looked at to choose.
const BYTES_MAX: usize = 1 << 18;

const CLICKHOUSE: [&str; 36] = [
    "ENGINE",
    "CLUSTER",
    "MERGETREE",
    "REPLICATEDMERGETREE",
    "REPLACINGMERGETREE",
    "DISTRIBUTED",
    "LOWCARDINALITY",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FLOAT64",
    "NULLABLE",
    "DATETIME",
    "DATETIME64",
    "MODIFY",
    "OPTIMIZE",
    "MATERIALIZE",
    "CODEC",
    "TTL",
    "EXCHANGE",
    "POPULATE",
    "MINMAX",
    "TOYYYYMM",
    "PROJECTION",
    "DETACH",
    "FREEZE",
    "TUPLE",
    "DICTIONARY",
    "SHARD",
    "UNFREEZE",
    "BLOOM_FILTER",
];
const POSTGRES: [&str; 36] = [
    "BEGIN",
    "COMMIT",
    "CONCURRENTLY",
    "VARCHAR",
    "SERIAL",
    "BIGSERIAL",
    "JSONB",
    "INTEGER",
    "BIGINT",
    "BOOLEAN",
    "TEXT",
    "TIMESTAMPTZ",
    "ZONE",
    "REFERENCES",
    "FOREIGN",
    "VALID",
    "DEFERRABLE",
    "DEFERRED",
    "CASCADE",
    "LOCK_TIMEOUT",
    "VALIDATE",
    "IDENTITY",
    "BTREE",
    "GIN",
    "UNIQUE",
    "SCHEMA",
    "SEQUENCE",
    "EXTENSION",
    "USING",
    "PLPGSQL",
    "STATEMENT_TIMEOUT",
    "NUMERIC",
    "BYTEA",
    "SMALLINT",
    "VACUUM",
    "UUID_GENERATE_V4",
];

impl Choice {
    /// The dialect of a text, and how it was decided.
    pub(super) fn decide(self, text: &str) -> (Dialect, String) {
        match self {
            Self::Only(dialect) => (dialect, "asked for".to_owned()),
            Self::Auto => by_words(text),
        }
    }
}

fn by_words(text: &str) -> (Dialect, String) {
    let (mut clickhouse, mut postgres) = (Vec::new(), Vec::new());
    for word in words(text) {
        let word = word.to_ascii_uppercase();
        if CLICKHOUSE.contains(&word.as_str()) {
            clickhouse.push(word);
        } else if POSTGRES.contains(&word.as_str()) {
            postgres.push(word);
        }
    }
    let backticks = text.bytes().take(BYTES_MAX).any(|byte| byte == b'`');
    let (for_clickhouse, for_postgres) = (clickhouse.len() + usize::from(backticks), postgres.len());
    match (for_clickhouse, for_postgres) {
        (0, 0) => (Dialect::ClickHouse, "no word tells".to_owned()),
        (clickhouse_words, postgres_words) if postgres_words > clickhouse_words => {
            (Dialect::Postgres, reason(postgres, postgres_words, "clickhouse", clickhouse_words))
        }
        (clickhouse_words, postgres_words) => {
            (Dialect::ClickHouse, reason(clickhouse, clickhouse_words, "postgres", postgres_words))
        }
    }
}

fn reason(mut words: Vec<String>, count: usize, other: &str, others: usize) -> String {
    const SHOWN: usize = 3;
    words.sort();
    words.dedup();
    words.truncate(SHOWN);
    let such = if words.is_empty() { "backticks".to_owned() } else { words.join(", ") };
    format!("{count} of its words ({such}), {others} of {other}")
}

/// The words outside of line comments.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut end = text.len().min(BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let lines = text[..end].lines().map(|line| line.split("--").next().unwrap_or_default());
    lines
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide_and_comments_do_not() {
        for (sql, dialect) in [
            ("ALTER TABLE t ADD COLUMN a UInt8", Dialect::ClickHouse),
            ("ALTER TABLE t ADD COLUMN a integer", Dialect::Postgres),
            ("-- BEGIN, COMMIT, VARCHAR\nALTER TABLE t MODIFY TTL d", Dialect::ClickHouse),
            (
                "BEGIN;\n--\n-- Alter field engine on cluster\n--\nALTER TABLE \"a\" DROP COLUMN \"b\" CASCADE;\nCOMMIT;",
                Dialect::Postgres,
            ),
            ("ALTER TABLE `t` DROP COLUMN c", Dialect::ClickHouse),
            ("", Dialect::ClickHouse),
        ] {
            assert_eq!(Choice::Auto.decide(sql).0, dialect, "{sql}");
        }
        assert_eq!(Choice::Auto.decide("BEGIN; COMMIT;").1, "2 of its words (BEGIN, COMMIT), 0 of clickhouse");
        assert_eq!(Choice::Only(Dialect::Postgres).decide("`"), (Dialect::Postgres, "asked for".to_owned()));
    }
}
