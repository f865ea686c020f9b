//! Looking at a change on a cluster before anything is planned: what it would do, and what speaks against it.

mod case;
mod finding;
mod rules;

pub use case::Case;
pub use finding::{Finding, Severity};

/// Blockers that a person may accept with a reason: what they forbid is a change of meaning that may be meant.
pub const ACCEPTABLE_BLOCKERS: [&str; 1] = ["SW007"];

/// All findings about a case, blockers first, then by code.
pub fn assess(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rules::ALL.iter().flat_map(|rule| rule(case)).collect();
    findings.sort_by(|a, b| (a.severity, &a.code, &a.what).cmp(&(b.severity, &b.code, &b.what)));
    findings
}

/// Whether a finding stands that forbids the plan.
pub fn is_blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Blocker && finding.suppressed.is_none())
}
