//! Which SQL a file is written in.
//!
//! Statements tell first, by shapes that only one of the dialects has or that people write in one of them; where no shape tells,
//! words do. What stands in strings, quoted names and comments tells nothing.

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
    /// By what is in it.
    Auto,
    /// By whoever asks.
    Only(Dialect),
}

/// The dialect of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) dialect: Dialect,
    /// How it was decided.
    pub(super) reason: String,
    /// Whether nothing tells, or as much for one dialect as for the other.
    pub(super) is_guessed: bool,
}

/// More of a file is not looked at to choose.
const BYTES_MAX: usize = 1 << 18;

/// What tells of a statement: how it begins, what follows each other in it, and what does not stand in it. `_` is any name.
struct Shape(&'static str, &'static str, &'static str);

const CLICKHOUSE_SHAPES: [Shape; 34] = [
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
const POSTGRES_SHAPES: [Shape; 59] = [
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
const CLICKHOUSE_TYPES: [&str; 29] = [
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
const CLICKHOUSE_WORDS: [&str; 11] = [
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
const POSTGRES_WORDS: [&str; 27] = [
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
const CLICKHOUSE_FUNCTIONS: [&str; 6] = ["toStartOf", "toYYYY", "toUInt", "toDateTime", "toUnix", "arrayJoin"];

impl Choice {
    /// The dialect of a text.
    pub(super) fn decide(self, text: &str) -> Decision {
        match self {
            Self::Only(dialect) => Decision { dialect, reason: "asked for".to_owned(), is_guessed: false },
            Self::Auto => by_content(text),
        }
    }
}

/// What tells for one dialect and for the other.
#[derive(Default)]
struct Signs {
    clickhouse: Vec<String>,
    postgres: Vec<String>,
}

impl Signs {
    fn decision(mut self, of_what: &str) -> Option<Decision> {
        const SHOWN: usize = 3;
        let (clickhouse, postgres) = (self.clickhouse.len(), self.postgres.len());
        let (dialect, signs, other) = match clickhouse.cmp(&postgres) {
            std::cmp::Ordering::Greater => (Dialect::ClickHouse, &mut self.clickhouse, Dialect::Postgres),
            std::cmp::Ordering::Less => (Dialect::Postgres, &mut self.postgres, Dialect::ClickHouse),
            std::cmp::Ordering::Equal => return None,
        };
        let count = signs.len();
        signs.sort();
        signs.dedup();
        signs.truncate(SHOWN);
        let reason =
            format!("{count} of its {of_what} ({}), {} of {other}", signs.join(", "), clickhouse.min(postgres));
        Some(Decision { dialect, reason, is_guessed: false })
    }
}

fn by_content(text: &str) -> Decision {
    let lexemes = Lexemes::of(&text[..text.floor_char_boundary(BYTES_MAX)]);
    let (mut shapes, mut words) = (Signs::default(), Signs::default());
    for statement in lexemes.split(|lexeme| *lexeme == Lexeme::Symbol(";")) {
        shapes.clickhouse.extend(clickhouse_sign(statement));
        shapes.postgres.extend(POSTGRES_SHAPES.iter().find(|shape| shape.fits(statement)).map(Shape::shown));
        for word in statement.iter().filter_map(Lexeme::word).map(str::to_ascii_uppercase) {
            if CLICKHOUSE_WORDS.contains(&word.as_str()) {
                words.clickhouse.push(word);
            } else if POSTGRES_WORDS.contains(&word.as_str()) {
                words.postgres.push(word);
            }
        }
    }
    let decided = shapes
        .decision("statements")
        .or_else(|| words.decision("words"))
        .or_else(|| names_in_quotes(&lexemes).decision("names"));
    decided.unwrap_or_else(|| Decision {
        dialect: Dialect::ClickHouse,
        reason: "nothing tells".to_owned(),
        is_guessed: true,
    })
}

/// Names in double quotes, which tools that write for PostgreSQL put around all of them.
fn names_in_quotes(lexemes: &[Lexeme<'_>]) -> Signs {
    let quoted = lexemes.iter().filter(|lexeme| matches!(lexeme, Lexeme::Name(_)));
    Signs { postgres: quoted.map(|_| "in double quotes".to_owned()).collect(), ..Signs::default() }
}

fn clickhouse_sign(statement: &[Lexeme<'_>]) -> Option<String> {
    let by_word = statement.iter().find_map(|lexeme| match lexeme {
        Lexeme::Name(name) if name.starts_with('`') => Some("backticks".to_owned()),
        Lexeme::Word(word)
            if CLICKHOUSE_TYPES.contains(word)
                || word.ends_with("MergeTree")
                || CLICKHOUSE_FUNCTIONS.iter().any(|function| word.starts_with(function)) =>
        {
            Some((*word).to_owned())
        }
        _ => None,
    });
    by_word.or_else(|| CLICKHOUSE_SHAPES.iter().find(|shape| shape.fits(statement)).map(Shape::shown))
}

impl Shape {
    fn fits(&self, statement: &[Lexeme<'_>]) -> bool {
        let Self(begins, has, lacks) = self;
        let contains = |pattern: &str| (0..statement.len()).any(|at| matches_at(pattern, &statement[at..]));
        matches_at(begins, statement) && (has.is_empty() || contains(has)) && (lacks.is_empty() || !contains(lacks))
    }

    fn shown(&self) -> String {
        let Self(begins, has, _) = self;
        [*begins, *has].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" … ")
    }
}

fn matches_at(pattern: &str, lexemes: &[Lexeme<'_>]) -> bool {
    let mut lexemes = lexemes.iter();
    pattern.split_ascii_whitespace().all(|wanted| lexemes.next().is_some_and(|lexeme| lexeme.is(wanted)))
}

/// What a text consists of, in either dialect; comments are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lexeme<'a> {
    Word(&'a str),
    /// In quotes.
    Name(&'a str),
    /// A string, whatever is in it.
    Text,
    Symbol(&'a str),
}

struct Lexemes<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexemes<'a> {
    /// Up to a quote or comment that is not closed.
    fn of(text: &'a str) -> Vec<Lexeme<'a>> {
        let mut lexemes = Self { text, at: 0 };
        std::iter::from_fn(|| lexemes.next()).collect()
    }

    fn next(&mut self) -> Option<Lexeme<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (length, lexeme) = match first {
                _ if rest.starts_with("--") => (rest.find(['\n', '\r'])?, None),
                _ if rest.starts_with("/*") => (rest.find("*/")? + 2, None),
                '\'' => (end_of_quoted(rest)?, Some(Lexeme::Text)),
                '"' | '`' => {
                    let end = end_of_quoted(rest)?;
                    (end, Some(Lexeme::Name(&rest[..end])))
                }
                '$' => match end_of_tag(rest) {
                    Some(tag) => (tag + rest[tag..].find(&rest[..tag])? + tag, Some(Lexeme::Text)),
                    None => (1, None),
                },
                c if is_word(c) => {
                    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                    (end, Some(Lexeme::Word(&rest[..end])))
                }
                c if c.is_whitespace() => (c.len_utf8(), None),
                c => (c.len_utf8(), Some(Lexeme::Symbol(&rest[..c.len_utf8()]))),
            };
            self.at += length;
            if lexeme.is_some() {
                return lexeme;
            }
        }
    }
}

/// The end of what is in the quotes with which a text begins; a backslash or another quote keep a quote from ending it.
fn end_of_quoted(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first()?;
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The end of the `$tag$` with which a text begins.
fn end_of_tag(text: &str) -> Option<usize> {
    let end = 1 + text[1..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    text[end..].starts_with('$').then_some(end + 1)
}

impl<'a> Lexeme<'a> {
    fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Word(word) => wanted == "_" || word.eq_ignore_ascii_case(wanted),
            Self::Name(_) => wanted == "_",
            Self::Symbol(symbol) => *symbol == wanted,
            Self::Text => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_postgresql_alone_has_or_people_write_for_it() {
        for sql in [
            "CREATE INDEX idx_users_email ON users (email);",
            "ALTER TABLE users ADD COLUMN age int NOT NULL;",
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0);",
            "ALTER TABLE users ADD CONSTRAINT pk PRIMARY KEY (id);",
            "ALTER TABLE cache ADD COLUMN ttl integer NOT NULL;",
            "ALTER TABLE vehicles ADD COLUMN engine varchar(20) NOT NULL;",
            "ALTER TABLE users ALTER COLUMN age SET NOT NULL;",
            "DROP INDEX idx_users_email;",
            "ALTER TABLE users RENAME TO people;",
            "LOCK TABLE users;",
            "ALTER TABLE t ADD COLUMN a integer",
            "ALTER TABLE t DROP COLUMN \"MODIFY\", ADD a text /* ENGINE = MergeTree, `a`, UInt8 */ DEFAULT 'x ON CLUSTER y'",
            "CREATE TABLE t (id int PRIMARY KEY)",
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
            "ALTER TABLE t DROP CONSTRAINT c",
            "ALTER TABLE \"t\" DROP COLUMN \"a\"",
            "DROP TYPE mood",
            "ANALYZE t",
            "DO $$ BEGIN EXECUTE 'ALTER TABLE t MODIFY COLUMN a UInt8'; OPTIMIZE TABLE t; SYSTEM x; END $$;",
            "\\restrict x\nSELECT 1;",
            "BEGIN;\n--\n-- Alter field engine on cluster\n--\nALTER TABLE \"a\" DROP COLUMN \"b\" CASCADE;\nCOMMIT;",
        ] {
            let decision = Choice::Auto.decide(sql);
            assert_eq!(
                (decision.dialect, decision.is_guessed),
                (Dialect::Postgres, false),
                "{sql}: {}",
                decision.reason
            );
        }
    }

    #[test]
    fn shapes_that_clickhouse_alone_has_or_people_write_for_it() {
        for sql in [
            "ALTER TABLE events DELETE WHERE valid = 0;",
            "ALTER TABLE events UPDATE text = '' WHERE schema = 'x';",
            "ALTER TABLE t ADD COLUMN a UInt8",
            "ALTER TABLE t ADD COLUMN a String DEFAULT 'integer'",
            "-- BEGIN, COMMIT, VARCHAR\nALTER TABLE t MODIFY TTL d",
            "ALTER TABLE `t` DROP COLUMN c",
            "CREATE TABLE t (a int) ENGINE = Memory",
            "CREATE TABLE t (\"integer\" UInt8, `BEGIN` UInt8) ENGINE = MergeTree ORDER BY tuple()",
            "DROP TABLE t ON CLUSTER main",
            "CREATE INDEX i ON t (a) TYPE minmax; OPTIMIZE TABLE t",
            "RENAME TABLE a TO b",
            "CREATE VIEW v AS SELECT toStartOfHour(timestamp) AS hour FROM t",
            "CREATE MATERIALIZED VIEW IF NOT EXISTS d.v TO d.t AS SELECT timestamp FROM u",
            "ALTER TABLE t ADD INDEX i a TYPE minmax",
        ] {
            let decision = Choice::Auto.decide(sql);
            assert_eq!(
                (decision.dialect, decision.is_guessed),
                (Dialect::ClickHouse, false),
                "{sql}: {}",
                decision.reason
            );
        }
    }

    #[test]
    fn where_nothing_tells_it_is_said() {
        for sql in ["", "DROP TABLE t", "ALTER TABLE t DROP COLUMN a", "-- BEGIN\nSELECT 'UInt8' /* integer */"] {
            let decision = Choice::Auto.decide(sql);
            assert_eq!((decision.reason.as_str(), decision.is_guessed), ("nothing tells", true), "{sql}");
        }
    }

    #[test]
    fn how_it_was_decided_is_said() {
        let reason = |sql| Choice::Auto.decide(sql).reason;
        assert_eq!(reason("BEGIN; COMMIT;"), "2 of its statements (BEGIN, COMMIT), 0 of clickhouse");
        assert_eq!(reason("ALTER TABLE t ADD a text"), "1 of its words (TEXT), 0 of clickhouse");
        assert_eq!(reason("OPTIMIZE TABLE t; LOCK t; SELECT a FINAL"), "nothing tells");
        assert_eq!(Choice::Only(Dialect::Postgres).decide("`").reason, "asked for");
    }
}
