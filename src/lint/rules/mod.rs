//! The rules, one file each. A rule looks at the acts of a file and marks places; it never changes or hides another's.
//!
//! `docs/findings.md` has a section for each code. The codes go on where those of plans end: a code never means two things.

use std::ops::Range;

use super::checks::Checks;
use super::dialect::Dialect;
use super::known::Known;
use super::new_tables::{Age, ages};
use super::statement::{Act, Named, Statement};
use crate::assess::{Finding, Severity};
use crate::ddl::alteration::has_words;

mod add_index;
mod attach_from;
mod column_type;
mod concurrently_in_transaction;
mod constraint_checks_rows;
mod create_index;
mod delete_rows;
mod detach;
mod distributed_alone;
mod drop_column;
mod drop_index;
mod drop_join_table;
mod drop_partition;
mod drop_table;
mod exclusive_lock;
mod hidden_target;
mod lock_timeout;
mod many_locks;
mod materialize;
mod modify_key;
mod not_null_column;
mod nullable_key;
mod on_cluster;
mod optimize_final;
mod populate;
mod remove_default;
mod rename_column;
mod rename_table;
mod set_not_null;
mod swap_by_rename;
mod truncate;
mod ttl;
mod tuple_key;
mod unique_constraint;
mod update_rows;
mod validate_at_once;
mod volatile_default;

/// The code of what is wrong with a suppression.
pub(super) const SUPPRESSION: &str = "SW026";

const CLICKHOUSE: &[Dialect] = &[Dialect::ClickHouse];
const POSTGRES: &[Dialect] = &[Dialect::Postgres];
const BOTH: &[Dialect] = &[Dialect::ClickHouse, Dialect::Postgres];

/// A rule.
pub(super) struct Rule {
    /// The code of its findings, which is never given to another rule.
    pub(super) code: &'static str,
    /// What it is about, for lists of rules.
    pub(super) title: &'static str,
    /// The dialects that it is for.
    pub(super) dialects: &'static [Dialect],
    /// What it finds.
    pub(super) check: fn(&File<'_>) -> Vec<Mark>,
}

macro_rules! rules {
    ($($rule:ident),* $(,)?) => {
        [$(Rule { code: $rule::CODE, title: $rule::TITLE, dialects: $rule::DIALECTS, check: $rule::check }),*]
    };
}

/// Every rule, by code.
pub(super) const ALL: [Rule; 37] = rules![
    drop_column,
    rename_column,
    rename_table,
    drop_table,
    update_rows,
    delete_rows,
    truncate,
    column_type,
    volatile_default,
    modify_key,
    on_cluster,
    add_index,
    materialize,
    drop_partition,
    detach,
    distributed_alone,
    optimize_final,
    swap_by_rename,
    populate,
    hidden_target,
    nullable_key,
    tuple_key,
    ttl,
    attach_from,
    remove_default,
    drop_join_table,
    not_null_column,
    create_index,
    drop_index,
    concurrently_in_transaction,
    constraint_checks_rows,
    unique_constraint,
    validate_at_once,
    set_not_null,
    many_locks,
    exclusive_lock,
    lock_timeout,
];

/// The codes of lint, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    titles().map(|(code, _)| code)
}

/// Codes with what they are about, in order.
pub fn titles() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = [(super::UNREADABLE, "a statement cannot be read"), (SUPPRESSION, "a suppression does not hold")];
    own.into_iter().chain(ALL.iter().map(|rule| (rule.code, rule.title)))
}

/// A file as rules see it.
pub(super) struct File<'a> {
    dialect: Dialect,
    text: &'a str,
    statements: &'a [Statement],
    steps: Vec<Step<'a>>,
    known: &'a Known,
    checks: &'a Checks,
    /// The file's number among all that are given.
    number: usize,
}

/// How many acts before and behind one are looked at for what belongs to it: enough for any migration, and a bound.
const NEAR: usize = 100;
/// Tables in which tools keep what migrations have run: of one row, or of one for each migration.
const BOOKKEEPING: [&str; 3] = ["alembic_version", "django_migrations", "schema_migrations"];

fn is_bookkeeping(step: &Step<'_>) -> bool {
    step.act.table.as_ref().is_some_and(|table| BOOKKEEPING.contains(&table.table.as_str()))
}

/// Whether a command of ClickHouse's ALTER is for one partition.
fn in_partition(command: &str) -> bool {
    has_words(command, &["IN", "PARTITION"])
}

/// A place that a rule objects to.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) span: Range<usize>,
    pub(super) severity: Severity,
    pub(super) what: String,
    pub(super) why: String,
    pub(super) help: String,
}

impl Mark {
    fn blocker(span: &Range<usize>, what: impl Into<String>, why: &str, help: impl Into<String>) -> Self {
        Self::new(Severity::Blocker, span, what.into(), why, help.into())
    }

    fn hazard(span: &Range<usize>, what: impl Into<String>, why: &str, help: impl Into<String>) -> Self {
        Self::new(Severity::Hazard, span, what.into(), why, help.into())
    }

    fn note(span: &Range<usize>, what: impl Into<String>, why: &str, help: impl Into<String>) -> Self {
        Self::new(Severity::Note, span, what.into(), why, help.into())
    }

    fn new(severity: Severity, span: &Range<usize>, what: String, why: &str, help: String) -> Self {
        Self { span: span.clone(), severity, what, why: why.to_owned(), help }
    }

    /// What waits for nobody where the file makes the table: a hazard if it does so unless the table is there.
    fn unless_new(self, step: &Step<'_>) -> Self {
        if step.age != Age::Either {
            return self;
        }
        let why = format!("where the table was there before this file, {}", self.why);
        Self { severity: self.severity.max(Severity::Hazard), why, ..self }
    }

    pub(super) fn finding(self, code: &str, suppressed: Option<String>) -> Finding {
        let Self { severity, what, why, help, .. } = self;
        Finding { code: code.to_owned(), severity, what, why, help, suppressed }
    }
}

/// An act with its statement.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    /// The act's number in the file.
    number: usize,
    /// The statement's number in the file.
    at: usize,
    statement: &'a Statement,
    act: &'a Act,
    /// Since when there is what it is about.
    age: Age,
}

impl<'a> Step<'a> {
    /// The table's name as it is written.
    fn table(&self) -> &'a str {
        self.act.table.as_ref().map_or("the table", |table| table.sql.as_str())
    }
}

impl<'a> File<'a> {
    pub(super) fn new(
        dialect: Dialect,
        text: &'a str,
        statements: &'a [Statement],
        known: &'a Known,
        checks: &'a Checks,
        number: usize,
    ) -> Self {
        let ages = ages(text, dialect, statements);
        let numbered = statements.iter().enumerate();
        let acts = numbered.flat_map(|(at, statement)| statement.acts.iter().map(move |act| (at, statement, act)));
        let step = |(number, ((at, statement, act), age))| Step { number, at, statement, act, age };
        let steps = acts.zip(ages).enumerate().map(step).collect();
        Self { dialect, text, statements, steps, known, checks, number }
    }

    /// All acts of the file, in order.
    fn steps(&self) -> impl Iterator<Item = Step<'a>> {
        self.steps.iter().copied()
    }

    /// Acts on tables that were there before this file: nothing is lost, and nobody waits, on one that it creates.
    fn steps_on_old_tables(&self) -> impl Iterator<Item = Step<'a>> {
        self.steps().filter(|step| step.age != Age::New)
    }

    /// The acts around one, itself included.
    fn around(&self, step: &Step<'_>) -> impl Iterator<Item = Step<'a>> {
        let (from, to) = (step.number.saturating_sub(NEAR), (step.number + NEAR).min(self.steps.len()));
        self.steps[from..to].iter().copied()
    }

    fn is_clickhouse(&self) -> bool {
        self.dialect == Dialect::ClickHouse
    }

    /// A name as SQL.
    fn quoted(&self, name: &str) -> String {
        let simple = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        match self.dialect {
            _ if simple && !name.starts_with(|c: char| c.is_ascii_digit()) => name.to_owned(),
            Dialect::ClickHouse => crate::names::quote_identifier(name),
            Dialect::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}

#[cfg(test)]
pub(super) mod cases {
    use crate::lint::{Choice, Dialect, Source, lint};

    /// Findings of one code: severity and marked text.
    pub(in crate::lint) fn found(code: &str, dialect: Dialect, sql: &str) -> Vec<String> {
        let source = Source { name: "x.sql".to_owned(), text: sql.to_owned() };
        let report = lint(vec![source], Choice::Only(dialect));
        let file = &report.files[0];
        assert!(file.unparsed.is_empty(), "{sql}\n{:?}", file.unparsed);
        let own = file.findings.iter().filter(|found| found.finding.code == code && found.finding.suppressed.is_none());
        own.map(|found| format!("{}: {}", found.finding.severity, &sql[found.place.span.clone()])).collect()
    }

    /// The help of the first finding of one code.
    pub(in crate::lint) fn help(code: &str, dialect: Dialect, sql: &str) -> String {
        let source = Source { name: "x.sql".to_owned(), text: sql.to_owned() };
        let report = lint(vec![source], Choice::Only(dialect));
        let found = report.files[0].findings.iter().find(|found| found.finding.code == code);
        found.map(|found| found.finding.help.clone()).unwrap_or_default()
    }

    #[track_caller]
    pub(in crate::lint) fn flags(code: &str, dialect: Dialect, cases: &[(&str, &str)]) {
        for (sql, expected) in cases {
            assert_eq!(found(code, dialect, sql), [*expected], "{sql}");
        }
    }

    #[track_caller]
    pub(in crate::lint) fn passes(code: &str, dialect: Dialect, cases: &[&str]) {
        for sql in cases {
            assert_eq!(found(code, dialect, sql), [""; 0], "{sql}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_in_order() {
        let codes: Vec<&str> = codes().collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    }
}
