//! SW074: a column that is to go was used lately.

use crate::assess::{AlterCase, ColumnUse, Finding, How};
use crate::words::{first, moment, span};

pub(super) const CODE: &str = "SW074";

/// Clients that are named; the plan has all of them in a table.
const NAMED_MAX: usize = 3;

/// The plan waits for them; a reviewer goes and talks to them.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let Some(retirement) = case.retirement else { return Vec::new() };
    let mut findings = Vec::new();
    for column in &retirement.columns {
        let uses: Vec<&ColumnUse> = retirement.usage.uses.iter().filter(|one| one.column == *column).collect();
        let Some(last) = uses.iter().map(|one| one.last).max() else { continue };
        let queries: u64 = uses.iter().map(|one| one.queries).sum();
        let by_star: u64 = uses.iter().filter(|one| one.how == How::Star).map(|one| one.queries).sum();
        let mut who: Vec<String> = Vec::new();
        for one in &uses {
            let client = if one.client.is_empty() { String::new() } else { format!(" ({})", one.client) };
            let who_else = format!("{}{client} from {}", one.user, one.host);
            if !who.contains(&who_else) {
                who.push(who_else);
            }
        }
        let what = format!(
            "column {column} of {} was used {queries} times within {}, {by_star} of them by * alone, last at {}: {}",
            case.alter.change.table,
            span(retirement.seconds),
            moment(last),
            first(who.iter(), NAMED_MAX)
        );
        let why = if uses.iter().all(|one| one.how == How::Star) && !retirement.by_star {
            "what asks for * gets one column less; by --except-star the plan does not wait for that"
        } else {
            "what names a column that is gone fails, and what asks for * gets one column less; the plan is postponed until nobody does"
        };
        findings.push(Finding::hazard(
            CODE,
            what,
            why,
            "have them leave the column out; the plan's table of uses has the queries",
        ));
    }
    findings
}
