//! As one JSON value.

use serde_json::{Value, json};

use crate::lint::{FileReport, Found, Report, UNREADABLE, Unparsed};

/// Raised when a reader of today could misread what is written.
const FORMAT_VERSION: u32 = 1;

/// All that was found.
pub fn json(report: &Report) -> Value {
    let each = |row: fn(&FileReport) -> Vec<Value>| report.files.iter().flat_map(row).collect::<Vec<_>>();
    json!({
        "format_version": FORMAT_VERSION,
        "findings": each(|file| file.findings.iter().map(|found| finding(file, found)).collect()),
        "unparsed": each(|file| file.unparsed.iter().map(|unparsed| unread(file, unparsed)).collect()),
        "files": report.files.iter().map(file).collect::<Vec<_>>(),
    })
}

fn finding(file: &FileReport, found: &Found) -> Value {
    let Found { finding, place } = found;
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "file": file.source.name,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "message": finding.what,
        "why": finding.why,
        "help": finding.help,
        "suppressed": finding.suppressed,
    })
}

fn unread(file: &FileReport, unparsed: &Unparsed) -> Value {
    json!({
        "code": UNREADABLE,
        "file": file.source.name,
        "line": unparsed.place.line,
        "column": unparsed.place.column,
        "message": unparsed.message,
        "suppressed": unparsed.suppressed,
    })
}

fn file(file: &FileReport) -> Value {
    json!({
        "file": file.source.name,
        "dialect": file.dialect.to_string(),
        "dialect_reason": file.dialect_reason,
        "statements": file.statements,
        "down": file.down,
        "omitted": file.omitted,
        "unparsed_omitted": file.unparsed_omitted,
    })
}
