//! What is wrong with a piece of SQL, and where.

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, SourceCode};
use thiserror::Error;

/// SQL that this module refuses, with the place that it objects to.
///
/// `Display` gives the message alone; rendered as a [`Diagnostic`] it shows the marked source and the help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DdlError {
    message: String,
    help: Option<String>,
    sql: Arc<str>,
    span: Range<usize>,
}

impl DdlError {
    pub(crate) fn new(sql: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        debug_assert!(sql.get(span.clone()).is_some(), "a span lies within its source");
        Self { message: message.into(), help: None, sql: sql.into(), span }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The hint that goes with the message, if there is one.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The place in the source, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The line of the place, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column of the place in characters, from 1.
    pub fn column(&self) -> usize {
        let line_start = self.before().rfind('\n').map_or(0, |newline| newline + 1);
        self.before()[line_start..].chars().count() + 1
    }

    fn before(&self) -> &str {
        &self.sql[..self.span.start]
    }
}

impl Diagnostic for DdlError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.sql)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), self.span.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send_sync<T: Send + Sync + 'static>() {}

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        assert_send_sync::<DdlError>();
        let error = DdlError::new("é\nüü x", 8..9, "no");
        assert_eq!((error.line(), error.column()), (2, 4));
        let at_end = DdlError::new("a\n", 2..2, "no");
        assert_eq!((at_end.line(), at_end.column()), (2, 1));
    }

    #[test]
    fn the_place_is_marked_in_terminal_output() {
        let error = DdlError::new("ALTER TABLE t ADD COLUMN x Int8", 14..17, "unexpected `ADD`").with_help("try less");
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
        let mut out = String::new();
        handler.render_report(&mut out, &error).unwrap();
        insta::assert_snapshot!(out, @r"
        x unexpected `ADD`
         ,----
       1 | ALTER TABLE t ADD COLUMN x Int8
         :               ^|^
         :                `-- here
         `----
        help: try less
        ");
    }
}
