//! What `evaluate` said of the key that is planned.

use std::fs;
use std::path::Path;

use super::super::super::failure::Failure;
use super::super::super::output::say;
use crate::assess::{Case, Evaluation};
use crate::evaluate::{FORMAT_VERSION, Report};

/// The report in a file.
pub(super) fn read(path: &Path, is_alter: bool) -> Result<Report, Failure> {
    if is_alter {
        return Err(Failure::usage("--evaluation: the statement changes no sorting key")
            .hint("an evaluation compares sorting keys; leave it out"));
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("{} is no report of `evaluate --format json`: {error}", path.display()))
    })?;
    if report.format_version != FORMAT_VERSION {
        let message = format!(
            "{}: the report has format version {}; this build reads version {FORMAT_VERSION}",
            path.display(),
            report.format_version
        );
        return Err(Failure::new(message).hint("evaluate again with this build"));
    }
    Ok(report)
}

/// What it says of this change. Of a change of the sorting key of which nothing is known, a person is told how to know.
pub(super) fn of(case: &Case<'_>, report: Option<&Report>) -> Result<Option<Evaluation>, Failure> {
    let Some(source) = case.source() else { return Ok(None) };
    let (before, after) = (&source.keys.sorting, &case.target.keys.sorting);
    let command = format!("shardwright evaluate --table {} --order-by '({after})' --format json", case.name().sql());
    let Some(report) = report else {
        if before != after {
            say(&format!("nobody has measured what the new key does to the queries that are really run: {command}"));
        }
        return Ok(None);
    };
    let evaluation = report.of_change(case.name(), before, after).map_err(|why| {
        Failure::new(format!("the evaluation does not fit the change of {}: {why}", case.name())).hint(command)
    })?;
    Ok(Some(evaluation))
}
