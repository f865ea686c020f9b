//! Looking at a change on a cluster before anything is planned: what it would do, and what speaks against it.

mod alter;
mod case;
mod difference;
mod evaluation;
mod finding;
#[cfg(test)]
mod fixture;
mod retirement;
mod rules;

pub use alter::{AlterCase, Survey, assess_alter};
pub use case::Case;
pub use evaluation::{EvaluatedQuery, Evaluation};
pub use finding::{Finding, Severity};
#[cfg(test)]
pub(crate) use fixture::Fixture;
pub use retirement::{ColumnUse, How, LogOf, Retirement, Standing, Usage};

/// Blockers that a person may accept with a reason: what they forbid is a change of meaning that may be meant, or they go by names in
/// texts, which may be those of other columns.
pub const ACCEPTABLE_BLOCKERS: [&str; 6] = ["SW007", "SW064", "SW067", "SW079", "SW085", "SW089"];

/// All findings about a case, blockers first, then by code.
pub fn assess(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &rules::ALL {
        let found = (rule.check)(case);
        debug_assert!(found.iter().all(|finding| finding.code == rule.code), "a rule gives findings of its own code");
        findings.extend(found);
    }
    findings.sort_by(|a, b| (a.severity, &a.code, &a.what).cmp(&(b.severity, &b.code, &b.what)));
    findings
}

/// Whether a finding stands that forbids the plan.
pub fn is_blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Blocker && finding.suppressed.is_none())
}
