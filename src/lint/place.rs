//! Places in a text as people count them.

use std::ops::Range;

/// A place: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In bytes.
    pub span: Range<usize>,
    /// The line of its beginning.
    pub line: usize,
    /// The column of its beginning.
    pub column: usize,
    /// The line of its end.
    pub end_line: usize,
    /// The column behind its end.
    pub end_column: usize,
}

/// Where the lines of a text begin.
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let behind_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(behind_breaks).collect() }
    }

    pub(super) fn place(&self, text: &str, span: Range<usize>) -> Place {
        let (line, column) = self.position(text, span.start);
        let (end_line, end_column) = self.position(text, span.end);
        Place { span, line, column, end_line, end_column }
    }

    fn position(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self.starts[line - 1];
        (line, text[start..at].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_count_from_one() {
        let text = "ab\nüé x\n";
        let place = Lines::new(text).place(text, 8..9);
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 4, 2, 5));
        let end = Lines::new(text).place(text, text.len()..text.len());
        assert_eq!((end.line, end.column), (3, 1));
    }
}
