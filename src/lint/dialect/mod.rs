//! Which SQL a file is written in.
//!
//! Statements tell first, by shapes that only one of the dialects has or that people write in one of them; where no shape tells,
//! words do. What stands in strings, quoted names and comments tells nothing.

mod by_place;
mod lexemes;
mod signs;

use std::fmt;

pub(super) use by_place::decide;
use lexemes::{Lexeme, Lexemes};
use signs::{
    CLICKHOUSE_FUNCTIONS, CLICKHOUSE_SHAPES, CLICKHOUSE_TYPES, CLICKHOUSE_WORDS, POSTGRES_SHAPES, POSTGRES_WORDS, Shape,
};

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
