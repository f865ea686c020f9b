//! Which SQL a file is written in of which its content does not tell: by the folders that it stands in, then by the other files there.

use std::collections::BTreeMap;

use super::{Choice, Decision, Dialect};
use crate::lint::Source;

/// The dialect of each file.
pub(in super::super) fn decide(sources: &[Source], choice: Choice) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = sources.iter().map(|source| choice.decide(&source.text)).collect();
    let mut folders: BTreeMap<&str, Votes> = BTreeMap::new();
    for (source, decision) in sources.iter().zip(&decisions).filter(|(_, decision)| !decision.is_guessed) {
        for folder in folders_of(&source.name) {
            folders.entry(folder).or_default().take(decision.dialect);
        }
    }
    for (source, decision) in sources.iter().zip(&mut decisions).filter(|(_, decision)| decision.is_guessed) {
        let by_name = || folders_of(&source.name).find_map(by_folder);
        let beside = || folders_of(&source.name).find_map(|folder| folders.get(folder)).and_then(Votes::decision);
        if let Some((dialect, reason)) = by_name().or_else(beside) {
            *decision = Decision { dialect, reason, is_guessed: false };
        }
    }
    decisions
}

/// The folders that a file stands in, each by its whole path, the nearest first.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    let is_bound = |c: char| matches!(c, '/' | '\\');
    std::iter::successors(name.rfind(is_bound).map(|at| &name[..at]), move |folder| {
        folder.rfind(is_bound).map(|at| &folder[..at])
    })
}

/// What the name of a folder tells; one that begins with a digit is the name of a migration.
fn by_folder(path: &str) -> Option<(Dialect, String)> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    let dialect = if lower.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    } else if lower.contains("clickhouse") {
        Dialect::ClickHouse
    } else if lower.contains("postgres") || ["pg", "psql", "prisma", "diesel", "alembic"].contains(&lower.as_str()) {
        Dialect::Postgres
    } else {
        return None;
    };
    Some((dialect, format!("it stands in the folder {name}")))
}

/// How many files of a folder are of each dialect.
#[derive(Default)]
struct Votes {
    clickhouse: usize,
    postgres: usize,
}

impl Votes {
    fn take(&mut self, dialect: Dialect) {
        match dialect {
            Dialect::ClickHouse => self.clickhouse += 1,
            Dialect::Postgres => self.postgres += 1,
        }
    }

    /// The dialect of all of them, if they are of one.
    fn decision(&self) -> Option<(Dialect, String)> {
        let (dialect, count) = match (self.clickhouse, self.postgres) {
            (count, 0) => (Dialect::ClickHouse, count),
            (0, count) => (Dialect::Postgres, count),
            _ => return None,
        };
        Some((dialect, format!("as {count} beside it, and nothing else tells")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING_TELLS: &str = "DROP TABLE t";
    const OF_POSTGRES: &str = "ALTER TABLE t ADD COLUMN a bigserial";
    const OF_CLICKHOUSE: &str = "OPTIMIZE TABLE t";

    fn decided(files: &[(&str, &str)]) -> Decision {
        let source = |(name, text): &(&str, &str)| Source { name: (*name).to_owned(), text: (*text).to_owned() };
        let sources: Vec<Source> = files.iter().map(source).collect();
        decide(&sources, Choice::Auto).swap_remove(0)
    }

    #[test]
    fn folders_tell_what_the_content_does_not() {
        for (name, dialect) in [
            ("app/prisma/migrations/20240101_clickhouse/migration.sql", Some(Dialect::Postgres)),
            ("db/PostgreSQL/1.sql", Some(Dialect::Postgres)),
            ("pg\\1.sql", Some(Dialect::Postgres)),
            ("prisma/clickhouse/migrations/1.sql", Some(Dialect::ClickHouse)),
            ("db/migrations/clickhouse.sql", None),
            ("1.sql", None),
        ] {
            let decision = decided(&[(name, NOTHING_TELLS)]);
            assert_eq!((!decision.is_guessed).then_some(decision.dialect), dialect, "{name}");
            assert_eq!(decided(&[(name, OF_CLICKHOUSE)]).dialect, Dialect::ClickHouse, "{name}");
        }
        assert_eq!(decided(&[("a/pg/1.sql", NOTHING_TELLS)]).reason, "it stands in the folder pg");
    }

    #[test]
    fn files_beside_it_tell_if_they_agree() {
        let nothing = ("m/a/1.sql", NOTHING_TELLS);
        let decision = decided(&[nothing, ("m/a/2.sql", OF_POSTGRES), ("m/b/3.sql", OF_CLICKHOUSE)]);
        assert_eq!((decision.dialect, decision.is_guessed), (Dialect::Postgres, false));
        assert_eq!(decision.reason, "as 1 beside it, and nothing else tells");
        assert_eq!(decided(&[nothing, ("m/c/2.sql", OF_POSTGRES)]).dialect, Dialect::Postgres);
        for others in [
            [("m/a/2.sql", OF_POSTGRES), ("m/a/3.sql", OF_CLICKHOUSE)],
            [("other/2.sql", OF_POSTGRES), ("2.sql", OF_POSTGRES)],
        ] {
            assert!(decided(&[nothing, others[0], others[1]]).is_guessed, "{others:?}");
        }
    }
}
