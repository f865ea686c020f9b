//! What the looks of tiles and bars mean.

use std::collections::BTreeSet;

use super::layout::{Layout, Tile};

/// The first line, and each one after it.
const HEIGHT: u32 = 34;
const LINE: u32 = 20;

/// The legend of a picture: as many lines as it takes, of entries that the picture has.
pub(super) struct Legend {
    entries: Vec<Entry>,
    lines: u32,
}

struct Entry {
    class: &'static str,
    says: &'static str,
    x: u32,
    line: u32,
}

impl Legend {
    pub(super) fn new(layout: &Layout) -> Self {
        let bars = layout.columns.iter().filter_map(|column| Some(column.bar.as_ref()?.class()));
        let tiles = layout.columns.iter().flat_map(|column| column.cells.iter().flatten().map(Tile::class));
        let there: BTreeSet<&str> = bars.chain(tiles).collect();
        let all = [
            ("tile read", "only reads"),
            ("tile do", "changes something, can be taken back"),
            ("tile gone", "cannot be taken back"),
            ("joint", "all shards wait for each other"),
            ("gate", "gate: a person decides"),
            ("gate last", "gate: point of no return"),
        ];
        let left = layout.left + 8;
        let (mut x, mut line) = (left, 0);
        let mut entries = Vec::new();
        for (class, says) in all.into_iter().filter(|(class, _)| there.contains(class)) {
            let width = 25 + u32::try_from(says.len()).unwrap_or_default() * 6;
            if x + width > layout.width && x > left {
                (x, line) = (left, line + 1);
            }
            entries.push(Entry { class, says, x, line });
            x += width + 26;
        }
        Self { entries, lines: line + 1 }
    }

    pub(super) fn height(&self) -> u32 {
        HEIGHT + (self.lines - 1) * LINE
    }

    pub(super) fn drawn(&self, top: u32) -> String {
        let entry = |entry: &Entry| {
            let Entry { class, says, x, line } = entry;
            let y = top + 22 + line * LINE;
            format!(
                "<g class=\"{class}\"><rect x=\"{x}\" y=\"{}\" width=\"18\" height=\"12\" rx=\"3\"/></g>\
                 <text class=\"soft\" x=\"{}\" y=\"{y}\">{says}</text>",
                y - 10,
                x + 25
            )
        };
        self.entries.iter().map(entry).collect::<Vec<_>>().join("\n")
    }
}
