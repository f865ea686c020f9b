//! SW075: the log of a replica does not prove that nobody reads a column.

use std::collections::BTreeMap;

use crate::assess::{AlterCase, Finding};
use crate::words::{first, span};

pub(super) const CODE: &str = "SW075";

/// Replicas that are named.
const NAMED_MAX: usize = 4;

/// No log, one that leaves queries out, or one that is too short: each holds the plan.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let Some(retirement) = case.retirement else { return Vec::new() };
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for log in &retirement.usage.logs {
        if let Some(why) = log.lacks(retirement.seconds) {
            lacking.entry(why).or_default().push(log.on.to_string());
        }
    }
    let finding = |(why, on): (String, Vec<String>)| {
        Finding::hazard(
            CODE,
            format!(
                "the query log of {} does not prove that nobody reads the column: {why}",
                first(on.iter(), NAMED_MAX)
            ),
            "what is not in a log may have been read; the plan is postponed until every log proves it",
            format!(
                "log the queries of all users there (query_log in the server's config, log_queries = 1 in every profile) and keep them for {} \
                 and more",
                span(retirement.seconds)
            ),
        )
    };
    lacking.into_iter().map(finding).collect()
}
