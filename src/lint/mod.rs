//! Looks at migration files without a cluster, for pull requests: ClickHouse's, and PostgreSQL's, which often stand beside
//! them.
//!
//! A file is split into statements by tokens, each statement is read into [`Act`](statement::Act)s, and [`rules`] judge the acts of a whole
//! file. What cannot be read is reported as such and hides nothing else. All of it is linear in the size of the text, and
//! nothing here recurses, but for the parser that judges PostgreSQL's syntax, which gets no text that is deep or long.

mod checks;
mod dialect;
mod known;
mod new_tables;
mod output;
mod pieces;
mod place;
mod placeholders;
mod read;
mod rules;
mod sections;
mod statement;
mod suppression;
#[cfg(test)]
mod tests;

use crate::assess::{Finding, Severity};

pub use dialect::{Choice, Dialect};
pub use output::{json, sarif, terminal};
pub use place::Place;
pub use rules::{codes, titles};

use checks::Checks;
use dialect::Decision;
use known::Known;
use place::Lines;
use rules::{File, Mark};
use statement::Statement;
use suppression::Suppressions;

/// Findings of one file beyond this many are only counted, and so are places that cannot be read.
pub const FINDINGS_MAX: usize = 1_000;
/// The code of what cannot be read.
pub const UNREADABLE: &str = "SW025";

/// A file to look at.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, as it is to be shown.
    pub name: String,
    /// Its text; what was no UTF-8 stands there as U+FFFD.
    pub text: String,
}

/// What was found in all files.
#[derive(Debug, Clone)]
pub struct Report {
    /// File by file, in the order given.
    pub files: Vec<FileReport>,
}

/// What was found in one file.
#[derive(Debug, Clone)]
pub struct FileReport {
    /// The file.
    pub source: Source,
    /// The dialect it was read in.
    pub dialect: Dialect,
    /// How that was decided.
    pub dialect_reason: String,
    /// Statements, those that cannot be read included.
    pub statements: usize,
    /// Those of them that take the migration back and are not judged.
    pub down: usize,
    /// Findings by place.
    pub findings: Vec<Found>,
    /// Places that cannot be read.
    pub unparsed: Vec<Unparsed>,
    /// Findings beyond [`FINDINGS_MAX`], blockers first among those that are kept.
    pub omitted: usize,
    /// Places that cannot be read beyond as many.
    pub unparsed_omitted: usize,
}

/// A finding with its place.
#[derive(Debug, Clone)]
pub struct Found {
    /// The finding.
    pub finding: Finding,
    /// Where.
    pub place: Place,
}

/// A place that cannot be read.
#[derive(Debug, Clone)]
pub struct Unparsed {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Why it is allowed, if it is.
    pub suppressed: Option<String>,
}

impl Report {
    /// Whether a blocker stands that nobody has suppressed.
    pub fn is_blocked(&self) -> bool {
        let mut findings = self.files.iter().flat_map(|file| &file.findings);
        findings.any(|found| found.finding.severity == Severity::Blocker && found.finding.suppressed.is_none())
    }
}

/// Looks at files; what tables some of them define is known in all, and which constraints earlier ones validate in later ones.
pub fn lint(sources: Vec<Source>, choice: Choice) -> Report {
    let decisions = dialect::decide(&sources, choice);
    let read: Vec<Read> =
        sources.into_iter().zip(decisions).map(|(source, decision)| Read::new(source, decision)).collect();
    let mut known = Known::default();
    for file in &read {
        known.take(&file.source.text, file.dialect, &file.statements);
    }
    let checks = Checks::new(read.iter().map(|read| read.statements.as_slice()));
    let numbered = read.into_iter().enumerate();
    Report { files: numbered.map(|(number, read)| read.judge(number, &known, &checks)).collect() }
}

/// A file that has been read and not yet judged.
struct Read {
    source: Source,
    dialect: Dialect,
    dialect_reason: String,
    statements: Vec<Statement>,
    down: usize,
    unread: Vec<pieces::Unread>,
    unread_omitted: usize,
}

impl Read {
    fn new(source: Source, decision: Decision) -> Self {
        let Decision { dialect, reason, is_guessed } = decision;
        let (mut statements, mut unread) = read::statements(&placeholders::filled(&source.text), dialect);
        let down = if sections::takes_back(&source.name) {
            unread.clear();
            std::mem::take(&mut statements).len()
        } else {
            sections::remove_down(&source.text, &mut statements)
        };
        let unread_omitted = unread.len().saturating_sub(FINDINGS_MAX);
        unread.truncate(FINDINGS_MAX);
        let judged = statements.iter().find(|statement| !statement.acts.is_empty());
        if let Some(statement) = judged.filter(|_| is_guessed) {
            let message = format!(
                "nothing tells whether this is SQL of ClickHouse or PostgreSQL: it is read as {dialect}; give --dialect"
            );
            unread.push(pieces::Unread { span: statement.span.clone(), message });
            unread.sort_by_key(|unread| unread.span.start);
        }
        Self { source, dialect, dialect_reason: reason, statements, down, unread, unread_omitted }
    }

    fn judge(self, number: usize, known: &Known, checks: &Checks) -> FileReport {
        let Self { source, dialect, dialect_reason, statements, down, unread, unread_omitted } = self;
        let lines = Lines::new(&source.text);
        let mut suppressions = Suppressions::new(&source.text, dialect, &statements);
        let file = File::new(dialect, &source.text, &statements, known, checks, number);
        let mut kept = Kept::default();
        for rule in rules::ALL.iter().filter(|rule| rule.dialects.contains(&dialect)) {
            for mark in (rule.check)(&file) {
                let reason = suppressions.reason(rule.code, mark.span.start);
                kept.push(rule.code, mark, reason);
            }
        }
        let place_of = |unread: pieces::Unread| Unparsed {
            suppressed: suppressions.reason(UNREADABLE, unread.span.start),
            place: lines.place(unread.span),
            message: unread.message,
        };
        let unparsed: Vec<Unparsed> = unread.into_iter().map(place_of).collect();
        for mark in suppressions.complaints() {
            kept.push(rules::SUPPRESSION, mark, None);
        }
        let (found, omitted) = kept.by_place();
        let findings = found.into_iter().map(|(code, mark, reason)| Found {
            place: lines.place(mark.span.clone()),
            finding: mark.finding(code, reason),
        });
        let findings = findings.collect();
        let count = statements.len() + down;
        FileReport {
            dialect,
            dialect_reason,
            statements: count,
            down,
            findings,
            unparsed,
            omitted,
            unparsed_omitted: unread_omitted,
            source,
        }
    }
}

/// A code with what it marks, and why that is allowed, if it is.
type Judged = (&'static str, Mark, Option<String>);

/// What is found in a file, as far as it is kept.
#[derive(Default)]
struct Kept {
    found: Vec<Judged>,
    omitted: usize,
}

impl Kept {
    fn push(&mut self, code: &'static str, mark: Mark, reason: Option<String>) {
        self.found.push((code, mark, reason));
        if self.found.len() >= 2 * FINDINGS_MAX {
            self.cut();
        }
    }

    /// Keeps what stands, blockers first, before what is allowed.
    fn cut(&mut self) {
        let omitted = self.found.len().saturating_sub(FINDINGS_MAX);
        if omitted > 0 {
            self.found.sort_by_key(|(_, mark, reason)| (reason.is_some(), mark.severity));
            self.found.truncate(FINDINGS_MAX);
            self.omitted += omitted;
        }
    }

    /// What is kept, by place, and how many are not.
    fn by_place(mut self) -> (Vec<Judged>, usize) {
        self.cut();
        self.found.sort_by(|a, b| (a.1.span.start, a.0, &a.1.what).cmp(&(b.1.span.start, b.0, &b.1.what)));
        (self.found, self.omitted)
    }
}
