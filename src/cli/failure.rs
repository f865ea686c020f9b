//! An error as a person sees it: what happened, what to do, and the exit code.

use std::error::Error;
use std::path::Path;

use super::exit_code::Exit;
use crate::config::load::LoadError;
use crate::ddl::DdlError;
use crate::execute::ExecuteError;
use crate::journal::JournalError;
use crate::sandbox::SandboxError;
use crate::server::ObserveError;

/// What ends a command early.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What happened, from the outside in.
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The SQL with the place marked, already laid out.
    pub(super) excerpt: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Error, message: message.into(), hint: None, excerpt: None }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).exit(Exit::Usage)
    }

    pub(super) fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// An error with everything that led to it.
    pub(super) fn of(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::new(message)
    }

    /// A file that could not be read or written.
    pub(super) fn file(act: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {act} {}: {error}", path.display()))
    }
}

impl From<DdlError> for Failure {
    fn from(error: DdlError) -> Self {
        let report = miette::Report::new(error);
        let mut excerpt = String::new();
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
        // Formatting into a string cannot fail; an empty excerpt would only be less helpful.
        _ = handler.render_report(&mut excerpt, report.as_ref());
        Self { excerpt: Some(excerpt), ..Self::new("the statement cannot be read") }
    }
}

impl From<ExecuteError> for Failure {
    fn from(error: ExecuteError) -> Self {
        let exit = match &error {
            ExecuteError::Drift { .. } => Exit::Stale,
            ExecuteError::Verification { .. }
            | ExecuteError::Rows { .. }
            | ExecuteError::Altered { .. }
            | ExecuteError::Behind { .. }
            | ExecuteError::Returning { .. }
            | ExecuteError::Outdated { .. } => Exit::VerificationFailed,
            ExecuteError::Fence { .. }
            | ExecuteError::Restless { .. }
            | ExecuteError::Written { .. }
            | ExecuteError::Postponed { .. } => Exit::Waiting,
            ExecuteError::Journal(JournalError::Locked { .. })
            | ExecuteError::Locked { .. }
            | ExecuteError::ForeignLock { .. }
            | ExecuteError::TakenOver { .. } => Exit::Locked,
            ExecuteError::OtherJournal { .. } | ExecuteError::LeftoverOfHolder { .. } => Exit::InDoubt,
            other if other.is_in_doubt() => Exit::InDoubt,
            _ => Exit::Error,
        };
        Self::of(&error).exit(exit).hint(error.hint())
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        ExecuteError::from(error).into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let failure = Self::of(&error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        Self::of(&error).hint("see `cluster`, `endpoints`, `user` and `[http_ports]` in the config file")
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let failure = Self::of(&error);
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
