//! SW001: a replica did not answer.

use super::super::case::Case;
use super::super::finding::{Finding, Severity};

/// A plan speaks of every replica, so each must have been seen.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let finding = |(id, reason): (_, &str)| Finding {
        code: "SW001".to_owned(),
        severity: Severity::Blocker,
        what: format!("replica {} did not answer: {reason}", case.replica(id)),
        why: "what is on it is not known, and it would miss the steps that every replica must take".to_owned(),
        help: "bring it back, or take it out of the cluster's definition, then plan again".to_owned(),
        suppressed: None,
    };
    case.snapshot.unreachable().map(finding).collect()
}
