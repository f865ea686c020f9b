//! What assessing a change has to say about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The plan is refused while it stands.
    Blocker,
    /// The plan can be carried out; a reviewer must know.
    Hazard,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blocker => "blocker",
            Self::Hazard => "hazard",
            Self::Note => "note",
        })
    }
}

/// One finding about a change on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code, `SW001` and on.
    pub code: String,
    /// How much it weighs.
    pub severity: Severity,
    /// What was found, naming the table and replica.
    pub what: String,
    /// Why it matters.
    pub why: String,
    /// What to do about it, or a safer way.
    pub help: String,
    /// The reason with which a person suppressed it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
}

impl Finding {
    /// A finding that forbids the plan.
    pub fn blocker(code: &str, what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(code, Severity::Blocker, what.into(), why.into(), help.into())
    }

    /// A finding that a reviewer must know.
    pub fn hazard(code: &str, what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(code, Severity::Hazard, what.into(), why.into(), help.into())
    }

    /// A finding that is good to know.
    pub fn note(code: &str, what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(code, Severity::Note, what.into(), why.into(), help.into())
    }

    fn new(code: &str, severity: Severity, what: String, why: String, help: String) -> Self {
        Self { code: code.to_owned(), severity, what, why, help, suppressed: None }
    }
}
