//! Which names mean a table that the file itself has made: nothing is lost with one, and nobody waits for it.
//!
//! Only what is surely so counts. Renames and exchanges carry tables from name to name, a `ROLLBACK` takes back what was done, and rows of
//! older tables that are moved into a new one make it an older one too.

use std::collections::BTreeMap;

use super::dialect::Dialect;
use super::statement::{Act, Definition, Key, Named, Statement, What};
use crate::ddl::Form;

/// Since when there is what an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// The file has made it.
    New,
    /// The file makes it if it is not there yet: it is old only where an earlier run has made it.
    Either,
    /// It may have been there before.
    Old,
}

/// For each act, in order, the age of what it is about.
pub(super) fn ages(text: &str, dialect: Dialect, statements: &[Statement]) -> Vec<Age> {
    let mut names = Names { text, dialect, said: BTreeMap::new(), before: Vec::new() };
    let mut ages = Vec::new();
    for statement in statements {
        for act in &statement.acts {
            ages.push(act.table.as_ref().map_or(Age::Old, |table| names.age(table, act.on_cluster)));
            names.take(act);
        }
        names.heed(statement);
    }
    ages
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The file has made the table that has the name.
    New,
    /// The file has made it unless it was there.
    Either,
    /// No table has the name: the file has dropped or renamed the one that had it.
    Gone,
}

#[derive(Clone, Copy)]
struct Said {
    state: State,
    /// Whether it is so on every server of a cluster.
    on_cluster: bool,
}

/// What the file has said so far about names.
struct Names<'a> {
    text: &'a str,
    dialect: Dialect,
    said: BTreeMap<Key<'a>, Said>,
    /// What was said before of each name that the open transaction has changed.
    before: Vec<(Key<'a>, Option<Said>)>,
}

impl<'a> Names<'a> {
    fn is(&self, table: &Named, state: State, on_cluster: bool) -> bool {
        self.said.get(&table.key()).is_some_and(|said| said.state == state && (said.on_cluster || !on_cluster))
    }

    fn age(&self, table: &Named, on_cluster: bool) -> Age {
        if self.is(table, State::New, on_cluster) {
            Age::New
        } else if self.is(table, State::Either, on_cluster) {
            Age::Either
        } else {
            Age::Old
        }
    }

    fn say(&mut self, key: Key<'a>, said: Option<Said>) {
        let before = match said {
            Some(said) => self.said.insert(key, said),
            None => self.said.remove(&key),
        };
        self.before.push((key, before));
    }

    fn take(&mut self, act: &'a Act) {
        let Some(table) = &act.table else { return };
        let said = |state| Some(Said { state, on_cluster: act.on_cluster });
        match &act.what {
            What::CreateTable(definition) if self.makes(definition, table, act.on_cluster) => {
                self.say(table.key(), said(State::New));
            }
            What::CreateTable(_) if !self.said.contains_key(&table.key()) => {
                self.say(table.key(), said(State::Either));
            }
            What::CreateType => self.say(table.key(), said(State::New)),
            What::DropTable => self.say(table.key(), said(State::Gone)),
            // `SET SCHEMA`: names without a schema may mean either from then on.
            What::RenameTable { to } if self.dialect == Dialect::Postgres && to.database.is_some() => {
                self.say(table.key(), None);
            }
            What::RenameTable { to } => {
                let new = self.said.get(&table.key()).copied().filter(|said| said.state == State::New);
                self.say(table.key(), said(State::Gone));
                self.say(self.renamed(table, to), new);
            }
            What::ExchangeTables { with } => {
                let (one, other) = (self.said.get(&table.key()).copied(), self.said.get(&with.key()).copied());
                self.say(table.key(), other);
                self.say(with.key(), one);
            }
            What::Alter(command) if command.form == Form::MovePartitionToTable => {
                let target = command.text.text.split_whitespace().next_back();
                self.fill(table, target.map(written));
            }
            What::AttachPartition { partition } if !self.is(partition, State::New, false) => {
                self.say(table.key(), None);
            }
            _ => {}
        }
    }

    fn makes(&self, definition: &Definition, table: &Named, on_cluster: bool) -> bool {
        !definition.may_be_there || self.is(table, State::Gone, on_cluster)
    }

    /// PostgreSQL renames within the schema; what ClickHouse is told without a database is in the current one.
    fn renamed(&self, from: &'a Named, to: &'a Named) -> Key<'a> {
        match self.dialect {
            Dialect::Postgres => (from.database.as_deref(), &to.table),
            Dialect::ClickHouse => to.key(),
        }
    }

    /// A table that gets rows of an older one is no new one any more.
    fn fill(&mut self, from: &Named, target: Option<Key<'a>>) {
        if let Some(target) = target.filter(|_| !self.is(from, State::New, false)) {
            self.say(target, None);
        }
    }

    /// Statements after which names mean something else, whatever table they are about.
    fn heed(&mut self, statement: &Statement) {
        let text = &self.text[statement.span.clone()];
        let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_uppercase);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (self.dialect, first.as_str(), second.as_str()) {
            (Dialect::ClickHouse, "USE", _)
            | (Dialect::ClickHouse, "RENAME", "DATABASE")
            | (Dialect::Postgres, "ALTER", "SCHEMA") => {
                self.said.clear();
            }
            (Dialect::Postgres, "SET" | "RESET" | "SELECT", _) if text.contains("search_path") => self.said.clear(),
            (Dialect::Postgres, "BEGIN" | "START" | "COMMIT" | "END", _) => self.before.clear(),
            (Dialect::Postgres, "ROLLBACK" | "ABORT", _) => {
                self.roll_back(second == "TO" || words.any(|word| word == "TO"));
            }
            _ => {}
        }
    }

    fn roll_back(&mut self, to_savepoint: bool) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(said) if !to_savepoint => self.said.insert(key, said),
                // How much a savepoint takes back is not looked into.
                _ => self.said.remove(&key),
            };
        }
    }
}

/// The key of a name as it is written.
fn written(name: &str) -> Key<'_> {
    let bare = |part| str::trim_matches(part, ['`', '"', ';']);
    match name.split_once('.') {
        Some((database, table)) => (Some(bare(database)), bare(table)),
        None => (None, bare(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::cases::found;
    use super::*;

    const NEW: &str = "CREATE TABLE events_new (a UInt8) ENGINE = MergeTree ORDER BY a; ";

    #[track_caller]
    fn dropped(dialect: Dialect, sql: &str, expected: &[&str]) {
        assert_eq!(found("SW030", dialect, sql), expected, "{sql}");
    }

    #[test]
    fn a_swap_makes_the_new_name_one_of_the_old_table() {
        for swap in [
            "EXCHANGE TABLES events_new AND events",
            "EXCHANGE TABLES events AND events_new ON CLUSTER main",
            "RENAME TABLE events TO events_old; RENAME TABLE events_new TO events; RENAME TABLE events_old TO events_new",
            "RENAME TABLE events TO x, events_new TO events, x TO events_new",
            "ALTER TABLE events MOVE PARTITION 202401 TO TABLE events_new",
        ] {
            let sql = format!("{NEW}INSERT INTO events_new SELECT * FROM events; {swap}; DROP TABLE events_new");
            dropped(Dialect::ClickHouse, &sql, &["blocker: DROP TABLE events_new"]);
        }
        dropped(Dialect::ClickHouse, &format!("{NEW}EXCHANGE TABLES events_new AND events; DROP TABLE events"), &[]);
        let back =
            format!("{NEW}EXCHANGE TABLES a AND events_new; EXCHANGE TABLES a AND events_new; DROP TABLE events_new");
        dropped(Dialect::ClickHouse, &back, &[]);
    }

    #[test]
    fn a_renamed_table_is_new_under_its_new_name_alone() {
        let sql = "CREATE TABLE u_new (id int); ALTER TABLE u_new RENAME TO u; CREATE INDEX i ON u (id);";
        assert_eq!(found("SW054", Dialect::Postgres, sql), [""; 0]);
        let sql = "CREATE TABLE s.a (id int); ALTER TABLE s.a RENAME TO b; CREATE INDEX i ON s.b (id); CREATE INDEX j ON s.a (id)";
        assert_eq!(found("SW054", Dialect::Postgres, sql), ["blocker: CREATE INDEX j ON s.a"]);
    }

    #[test]
    fn a_table_that_is_new_no_more_is_an_old_one() {
        for (sql, dropped_again) in [
            ("CREATE TABLE t (a int); DROP TABLE t; DROP TABLE t", "t"),
            ("BEGIN; CREATE TABLE t (a int); ROLLBACK; DROP TABLE t", "t"),
            ("BEGIN; SAVEPOINT s; CREATE TABLE t (a int); ROLLBACK TO SAVEPOINT s; DROP TABLE t", "t"),
            ("CREATE TABLE t (a int); ALTER TABLE t SET SCHEMA s; DROP TABLE t", "t"),
            ("CREATE TABLE t (a int); SET search_path = s; DROP TABLE t", "t"),
            (
                "CREATE TABLE t (a int) PARTITION BY LIST (a); ALTER TABLE t ATTACH PARTITION old DEFAULT; DROP TABLE t",
                "t",
            ),
        ] {
            dropped(Dialect::Postgres, sql, &[&format!("blocker: DROP TABLE {dropped_again}")]);
        }
        for sql in [
            "CREATE TABLE t (a int); BEGIN; DROP TABLE t; ROLLBACK; DROP TABLE t",
            "BEGIN; CREATE TABLE t (a int); COMMIT; DROP TABLE t",
            "CREATE TABLE t (a int); CREATE TABLE p (a int); ALTER TABLE t ATTACH PARTITION p DEFAULT; DROP TABLE t",
        ] {
            dropped(Dialect::Postgres, sql, &[]);
        }
        dropped(
            Dialect::ClickHouse,
            &format!("{NEW}USE other; DROP TABLE events_new"),
            &["blocker: DROP TABLE events_new"],
        );
    }

    #[test]
    fn names_that_may_be_of_different_tables_are() {
        for (sql, expected) in [
            ("CREATE TABLE archive.users (LIKE public.users); TRUNCATE users", "blocker: TRUNCATE users"),
            ("CREATE TABLE public.users (a int); TRUNCATE Public.Users", ""),
            ("CREATE TABLE users (a int); TRUNCATE users", ""),
        ] {
            let expected: Vec<&str> = Some(expected).into_iter().filter(|one| !one.is_empty()).collect();
            assert_eq!(found("SW033", Dialect::Postgres, sql), expected, "{sql}");
        }
        for (sql, expected) in [
            ("CREATE TABLE tmp.users (id int); DROP TABLE users", "blocker: DROP TABLE users"),
            ("CREATE TEMP TABLE users (id int); DROP TABLE public.users", "blocker: DROP TABLE public.users"),
            ("CREATE TABLE \"Users\" (id int); DROP TABLE users", "blocker: DROP TABLE users"),
            ("CREATE TABLE Users (id int); DROP TABLE \"Users\"", "blocker: DROP TABLE \"Users\""),
        ] {
            dropped(Dialect::Postgres, sql, &[expected]);
        }
        dropped(Dialect::Postgres, "CREATE TABLE Users (id int); DROP TABLE \"users\"", &[]);
        let other = "CREATE TABLE staging.events (a UInt8) ENGINE = Memory; DROP TABLE events";
        dropped(Dialect::ClickHouse, other, &["blocker: DROP TABLE events"]);
        let other = "CREATE TABLE Events (a UInt8) ENGINE = Memory; DROP TABLE events";
        dropped(Dialect::ClickHouse, other, &["blocker: DROP TABLE events"]);
        let elsewhere = "CREATE TABLE t (a UInt8) ENGINE = Memory; DROP TABLE t ON CLUSTER main";
        dropped(Dialect::ClickHouse, elsewhere, &["blocker: DROP TABLE t"]);
    }

    #[test]
    fn a_table_that_may_be_there_already_is_an_old_one() {
        let sql = "CREATE TABLE IF NOT EXISTS users (id int); ALTER TABLE users DROP COLUMN a";
        assert_eq!(found("SW027", Dialect::Postgres, sql), ["blocker: DROP COLUMN a"]);
        let sql = "CREATE TABLE IF NOT EXISTS t (a UInt8) ENGINE = Memory; ALTER TABLE t DROP COLUMN a";
        assert_eq!(found("SW027", Dialect::ClickHouse, sql), ["blocker: DROP COLUMN a"]);
        let again = "DROP TABLE t; CREATE TABLE IF NOT EXISTS t (a int); DROP TABLE t";
        dropped(Dialect::Postgres, again, &["blocker: DROP TABLE t"]);
        let harmless = "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; ALTER TABLE t ADD COLUMN c int DEFAULT 0";
        let report = crate::lint::lint(
            vec![crate::lint::Source { name: "x.sql".to_owned(), text: harmless.to_owned() }],
            crate::lint::Choice::Only(Dialect::Postgres),
        );
        assert!(!report.is_blocked(), "{:?}", report.files[0].findings);
    }
}
