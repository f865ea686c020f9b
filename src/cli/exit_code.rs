//! What the process's exit code says.

use std::process::ExitCode;

/// Exit codes, by contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error.
    Error = 1,
    /// `plan --detailed-exitcode`: the plan has changes.
    HasChanges = 2,
    /// Findings forbid the plan.
    Blocked = 3,
    /// A gate waits for approval.
    Waiting = 4,
    /// The plan is stale, or the cluster has drifted.
    Stale = 5,
    /// Rows differ.
    VerificationFailed = 6,
    /// Another run is at work.
    Locked = 7,
    /// Nobody knows whether a step was done.
    InDoubt = 8,
    /// Wrong usage.
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
