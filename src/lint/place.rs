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

/// Characters are counted once for every so many bytes: a line may be as long as the text.
const STRIDE: usize = 1 << 10;

/// Where the lines of a text begin, and how many characters are before each stride of it.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    characters: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let behind_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(behind_breaks).collect();
        let mut before = 0;
        let characters = text.as_bytes().chunks(STRIDE).map(|chunk| {
            let here = before;
            before += characters_of(chunk);
            here
        });
        Self { text, starts, characters: characters.collect() }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let (line, column) = self.position(span.start);
        let (end_line, end_column) = self.position(span.end);
        Place { span, line, column, end_line, end_column }
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        (line, self.characters_before(at) - self.characters_before(self.starts[line - 1]) + 1)
    }

    fn characters_before(&self, at: usize) -> usize {
        let stride = (at / STRIDE).min(self.characters.len().saturating_sub(1));
        let counted = self.characters.get(stride).copied().unwrap_or_default();
        counted + characters_of(&self.text.as_bytes()[stride * STRIDE..at])
    }
}

/// How many characters begin in a piece of UTF-8.
fn characters_of(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_count_from_one() {
        let text = "ab\nüé x\n";
        let place = Lines::new(text).place(8..9);
        assert_eq!((place.line, place.column, place.end_line, place.end_column), (2, 4, 2, 5));
        let end = Lines::new(text).place(text.len()..text.len());
        assert_eq!((end.line, end.column), (3, 1));
        assert_eq!(Lines::new("").place(0..0).column, 1);
    }

    #[test]
    fn columns_of_long_lines_are_counted_from_strides() {
        let text = format!("{}\n{}x", "a".repeat(STRIDE - 1), "\u{e9}".repeat(3 * STRIDE));
        let lines = Lines::new(&text);
        for (at, place) in [(0, (1, 1)), (STRIDE, (2, 1)), (STRIDE + 4, (2, 3)), (text.len(), (2, 3 * STRIDE + 2))] {
            let found = lines.place(at..text.len());
            assert_eq!((found.line, found.column), place, "{at}");
        }
    }
}
