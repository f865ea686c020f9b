//! Shapes of statements and words by which a dialect is known.

use super::lexemes::Lexeme;

/// What tells of a statement: how it begins, what follows each other in it, and what does not stand in it. `_` is any name.
pub(super) struct Shape(&'static str, &'static str, &'static str);

pub(super) const CLICKHOUSE_SHAPES: [Shape; 34] = [
    Shape("", "ENGINE =", ""),
    Shape("", "ON CLUSTER", ""),
    Shape("", "CODEC (", ""),
    Shape("", "SETTINGS _ =", ""),
    Shape("ALTER TABLE", "DELETE WHERE", ""),
    Shape("ALTER TABLE", "DELETE IN PARTITION", ""),
    Shape("ALTER TABLE", "UPDATE _ =", ""),
    Shape("ALTER TABLE", "MODIFY COLUMN", ""),
    Shape("ALTER TABLE", "MODIFY TTL", ""),
    Shape("ALTER TABLE", "MODIFY SETTING", ""),
    Shape("ALTER TABLE", "MODIFY ORDER BY", ""),
    Shape("ALTER TABLE", "MODIFY PARTITION BY", ""),
    Shape("ALTER TABLE", "MODIFY QUERY", ""),
    Shape("ALTER TABLE", "REMOVE TTL", ""),
    Shape("ALTER TABLE", "COMMENT COLUMN", ""),
    Shape("ALTER TABLE", "CLEAR COLUMN", ""),
    Shape("ALTER TABLE", "MATERIALIZE _", ""),
    Shape("ALTER TABLE", "ADD INDEX", ""),
    Shape("ALTER TABLE", "DROP INDEX", ""),
    Shape("ALTER TABLE", "ADD PROJECTION", ""),
    Shape("ALTER TABLE", "DROP PROJECTION", ""),
    Shape("ALTER TABLE", "DROP PARTITION", ""),
    Shape("ALTER TABLE", "MOVE PARTITION", ""),
    Shape("ALTER TABLE", "REPLACE PARTITION", ""),
    Shape("ALTER TABLE", "FREEZE PARTITION", ""),
    Shape("CREATE DICTIONARY", "", ""),
    Shape("CREATE MATERIALIZED VIEW", "_ TO _", ""),
    Shape("CREATE OR REPLACE TABLE", "", ""),
    Shape("RENAME", "", ""),
    Shape("EXCHANGE", "", ""),
    Shape("OPTIMIZE", "", ""),
    Shape("DETACH", "", ""),
    Shape("ATTACH", "", ""),
    Shape("SYSTEM", "", ""),
];
pub(super) const POSTGRES_SHAPES: [Shape; 59] = [
    Shape("", "CONCURRENTLY", ""),
    Shape("", "NOT VALID", ""),
    Shape("", "ON CONFLICT", ""),
    Shape("", "REFERENCES _", ""),
    Shape("CREATE INDEX", "", "TYPE"),
    Shape("CREATE UNIQUE INDEX", "", ""),
    Shape("DROP INDEX", "", "ON"),
    Shape("CREATE TABLE", "_ (", "ENGINE ="),
    Shape("ALTER TABLE", "NOT NULL", ""),
    Shape("UPDATE", "SET", ""),
    Shape("ALTER TABLE", "SET DEFAULT", ""),
    Shape("ALTER TABLE", "DROP DEFAULT", ""),
    Shape("ALTER TABLE", "SET DATA TYPE", ""),
    Shape("ALTER TABLE", "SET (", ""),
    Shape("ALTER TABLE", "SET SCHEMA", ""),
    Shape("ALTER TABLE", "ADD PRIMARY KEY", ""),
    Shape("ALTER TABLE", "ADD FOREIGN KEY", ""),
    Shape("ALTER TABLE", "ADD UNIQUE", ""),
    Shape("ALTER TABLE", "ADD CHECK", ""),
    Shape("ALTER TABLE", "ADD CONSTRAINT _ PRIMARY KEY", ""),
    Shape("ALTER TABLE", "ADD CONSTRAINT _ FOREIGN KEY", ""),
    Shape("ALTER TABLE", "ADD CONSTRAINT _ UNIQUE", ""),
    Shape("ALTER TABLE", "ADD CONSTRAINT _ EXCLUDE", ""),
    Shape("ALTER TABLE", "ADD CONSTRAINT _ CHECK (", ""),
    Shape("ALTER TABLE", "VALIDATE CONSTRAINT", ""),
    Shape("ALTER TABLE", "RENAME TO", ""),
    Shape("ALTER TABLE", "OWNER TO", ""),
    Shape("ALTER TABLE", "ROW LEVEL SECURITY", ""),
    Shape("ALTER TABLE", "CASCADE", ""),
    Shape("ALTER TABLE", "ALTER COLUMN _ SET", ""),
    Shape("ALTER TABLE", "ALTER COLUMN _ DROP", ""),
    Shape("ALTER DEFAULT PRIVILEGES", "", ""),
    Shape("ALTER VIEW", "", ""),
    Shape("ANALYZE", "", ""),
    Shape("DROP EXTENSION", "", ""),
    Shape("DROP SCHEMA", "", ""),
    Shape("DROP SEQUENCE", "", ""),
    Shape("DROP TRIGGER", "", ""),
    Shape("DROP TYPE", "", ""),
    Shape("DROP DOMAIN", "", ""),
    Shape("ALTER TYPE", "", ""),
    Shape("ALTER INDEX", "", ""),
    Shape("ALTER SEQUENCE", "", ""),
    Shape("DROP TABLE", "CASCADE", ""),
    Shape("CREATE EXTENSION", "", ""),
    Shape("CREATE SCHEMA", "", ""),
    Shape("CREATE SEQUENCE", "", ""),
    Shape("CREATE TYPE", "", ""),
    Shape("CREATE TRIGGER", "", ""),
    Shape("COMMENT ON", "", ""),
    Shape("COPY", "", ""),
    Shape("LOCK", "", ""),
    Shape("VACUUM", "", ""),
    Shape("REINDEX", "", ""),
    Shape("REFRESH", "", ""),
    Shape("DO", "", ""),
    Shape("BEGIN", "", ""),
    Shape("COMMIT", "", ""),
    Shape("\\", "", ""),
];

/// Types as only ClickHouse writes them; engines beside them end with `MergeTree`.
pub(super) const CLICKHOUSE_TYPES: [&str; 29] = [
    "String",
    "FixedString",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "UInt128",
    "UInt256",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Int128",
    "Int256",
    "Float32",
    "Float64",
    "Date32",
    "DateTime",
    "DateTime64",
    "LowCardinality",
    "Nullable",
    "Array",
    "Map",
    "Tuple",
    "Nested",
    "Enum8",
    "Enum16",
    "AggregateFunction",
    "SimpleAggregateFunction",
];
pub(super) const CLICKHOUSE_WORDS: [&str; 11] = [
    "CODEC",
    "DATETIME",
    "DATETIME64",
    "LOWCARDINALITY",
    "NULLABLE",
    "POPULATE",
    "PREWHERE",
    "TOYYYYMM",
    "BLOOM_FILTER",
    "TTL",
    "UNFREEZE",
];
pub(super) const POSTGRES_WORDS: [&str; 27] = [
    "VARCHAR",
    "CHARACTER",
    "SERIAL",
    "BIGSERIAL",
    "JSONB",
    "INT",
    "INTEGER",
    "BIGINT",
    "SMALLINT",
    "BOOLEAN",
    "TEXT",
    "NUMERIC",
    "BYTEA",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "ZONE",
    "CASCADE",
    "LOCK_TIMEOUT",
    "STATEMENT_TIMEOUT",
    "IDENTITY",
    "BTREE",
    "GIN",
    "PLPGSQL",
    "RETURNING",
    "UUID_GENERATE_V4",
    "CONSTRAINT",
    "RESTRICT",
];
/// How functions begin that only ClickHouse has.
pub(super) const CLICKHOUSE_FUNCTIONS: [&str; 6] =
    ["toStartOf", "toYYYY", "toUInt", "toDateTime", "toUnix", "arrayJoin"];

impl Shape {
    pub(super) fn fits(&self, statement: &[Lexeme<'_>]) -> bool {
        let Self(begins, has, lacks) = self;
        let contains = |pattern: &str| (0..statement.len()).any(|at| matches_at(pattern, &statement[at..]));
        matches_at(begins, statement) && (has.is_empty() || contains(has)) && (lacks.is_empty() || !contains(lacks))
    }

    pub(super) fn shown(&self) -> String {
        let Self(begins, has, _) = self;
        [*begins, *has].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" … ")
    }
}

fn matches_at(pattern: &str, lexemes: &[Lexeme<'_>]) -> bool {
    let mut lexemes = lexemes.iter();
    pattern.split_ascii_whitespace().all(|wanted| lexemes.next().is_some_and(|lexeme| lexeme.is(wanted)))
}
