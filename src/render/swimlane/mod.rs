//! A plan as a picture of our own: shards down, stages across, and as bars over all shards what all of them wait for.

mod layout;
mod legend;
mod text;

use super::{figures, markup};
use crate::plan::{Gate, Plan, ShardSize};
use crate::runbook::{Runbook, Stage};
use layout::{Bar, Column, Head, LABEL_LINE, Lane, LaneOf, Layout, TILE_WIDTH, Tile};
pub(super) use layout::{Look, look};
use legend::Legend;
use text::{cut, wrapped};

const STYLE: &str = include_str!("swimlane.css");
/// Characters on a line of a tile.
const LINE: usize = 17;
/// Bars of the chart of shards; of more shards each bar shows the largest of several.
const BARS_MAX: usize = 160;
const CHART: u32 = 92;

/// The picture as an SVG file that needs nothing else: light or dark as the viewer prefers.
pub fn swimlane_svg(plan: &Plan) -> String {
    Picture { runbook: &Runbook::new(plan), linked: false }.svg()
}

/// The picture as part of a page, its tiles linked to the steps there.
pub(super) fn linked(runbook: &Runbook) -> String {
    Picture { runbook, linked: true }.svg()
}

struct Picture<'r, 'p> {
    runbook: &'r Runbook<'p>,
    linked: bool,
}

impl<'p> Picture<'_, 'p> {
    fn svg(&self) -> String {
        let layout = Layout::new(self.runbook);
        let collapsed = layout.lanes.iter().any(|lane| lane.of == LaneOf::All);
        let chart = if collapsed { CHART } else { 0 };
        let legend = Legend::new(&layout);
        let (width, height) = (layout.width, layout.bottom + chart + legend.height());
        let role = if self.linked { "group" } else { "img" };
        let mut parts = vec![
            format!(
                "<svg class=\"sw\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
                 height=\"{height}\" role=\"{role}\" aria-labelledby=\"sw-title sw-desc\">"
            ),
            format!("<title id=\"sw-title\">{}</title>", markup::text(&self.title())),
            format!("<desc id=\"sw-desc\">{}</desc>", markup::text(&self.description())),
            format!("<style>{STYLE}</style>"),
            format!("<rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"),
        ];
        parts.extend(layout.lanes.iter().map(|lane| lane_back(lane, width)));
        parts.extend(zone(&layout));
        parts.extend(arrows(&layout, self.runbook.plan));
        parts.extend(layout.heads.iter().map(head));
        parts.extend(layout.columns.iter().map(|column| self.column(column, &layout)));
        if collapsed {
            parts.push(chart_of(&self.runbook.plan.sizes, &layout));
        }
        parts.push(legend.drawn(layout.bottom + chart));
        parts.push("</svg>".to_owned());
        parts.join("\n") + "\n"
    }

    fn title(&self) -> String {
        format!("Plan for {}", self.runbook.plan.objects.source)
    }

    fn description(&self) -> String {
        let stages: Vec<String> = self
            .runbook
            .stages
            .iter()
            .map(|stage| match stage {
                Stage::Gate(gate, _) => format!("gate {gate}"),
                Stage::Joint(entry) => format!("all shards: {}", entry.step.title),
                Stage::Work(work) => work.name(),
            })
            .collect();
        format!("{}, from left to right: {}.", self.runbook.shape(), stages.join("; "))
    }

    fn column(&self, column: &Column<'p>, layout: &Layout<'p>) -> String {
        if let Some(bar) = &column.bar {
            return self.bar(bar, column, layout);
        }
        let around = column.cells.iter().filter_map(|cell| around(cell, column.tiles_x(), layout.tile_height));
        let tiles = column.cells.iter().flatten();
        let tiles = tiles.map(|tile| self.tile(tile, column.tiles_x(), layout.tile_height));
        around.chain(tiles).collect::<Vec<_>>().join("\n")
    }

    fn bar(&self, bar: &Bar, column: &Column, layout: &Layout) -> String {
        let (top, height, labels) = (bar.top, bar.height(layout.bottom), bar.labels(layout.bottom));
        let cx = column.x + column.width / 2;
        let middles = (0..labels).map(|at| top + height * (2 * at + 1) / (2 * labels));
        let labels: String = middles.map(|cy| label(&bar.lines, cx, cy)).collect();
        let body = format!(
            "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{height}\" rx=\"7\"/>\n{labels}",
            column.x + bar.pad,
            column.width - 2 * bar.pad
        );
        self.link(&bar.tile, bar.class(), &body)
    }

    fn tile(&self, tile: &Tile, x: u32, height: u32) -> String {
        let roomy = height > 30;
        let mut lines: Vec<(&str, String)> = if roomy {
            wrapped(tile.title, LINE, if tile.note.is_empty() { 3 } else { 2 })
                .into_iter()
                .map(|line| ("mid", line))
                .collect()
        } else {
            vec![("mid", in_one_line(tile))]
        };
        if roomy && !tile.note.is_empty() {
            lines.push(("mid soft", cut(&tile.note, LINE + 3)));
        }
        let count = u32::try_from(lines.len()).unwrap_or(1);
        let first = height / 2 + 4 - (count - 1) * 7;
        let texts = (0..).zip(&lines).map(|(at, (class, line))| {
            format!(
                "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
                TILE_WIDTH / 2,
                first + at * 14,
                markup::text(line)
            )
        });
        let texts: String = texts.collect();
        // A picture within the picture, so that a wide name is cut at the tile's edge.
        let body = format!(
            "<svg x=\"{x}\" y=\"{}\" width=\"{TILE_WIDTH}\" height=\"{height}\"><rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"6\"/>{texts}</svg>",
            tile.y,
            TILE_WIDTH - 2,
            height - 2
        );
        self.link(tile, tile.class(), &body)
    }

    fn link(&self, tile: &Tile, class: &str, body: &str) -> String {
        let says = [tile.name.as_str(), tile.title, &tile.note].into_iter().filter(|part| !part.is_empty());
        let says = markup::text(&says.collect::<Vec<_>>().join(": "));
        if self.linked {
            let anchor = &tile.anchor;
            format!("<a class=\"{class}\" href=\"#{anchor}\" aria-label=\"{says}\"><title>{says}</title>{body}</a>")
        } else {
            format!("<g class=\"{class}\"><title>{says}</title>{body}</g>")
        }
    }
}

/// A phase's name.
fn head(head: &Head) -> String {
    let Head { middle, name, note } = head;
    format!(
        "<text class=\"head mid\" x=\"{middle}\" y=\"24\">{}</text>\n<text class=\"soft mid\" x=\"{middle}\" y=\"40\">{}</text>",
        markup::text(name),
        markup::text(note)
    )
}

/// A name along a bar, read from below.
fn label(lines: &[String], x: u32, y: u32) -> String {
    let first = 4.0 - f64::from(LABEL_LINE) * (lines.len() as f64 - 1.0) / 2.0;
    let line = |(at, line): (u32, &String)| {
        format!(
            "<text class=\"mid\" transform=\"translate({x} {y}) rotate(-90)\" dy=\"{}\">{}</text>",
            first + f64::from(at * LABEL_LINE),
            markup::text(line)
        )
    };
    (0..).zip(lines).map(line).collect()
}

fn lane_back(lane: &Lane, width: u32) -> String {
    let (Lane { top, height, .. }, x) = (lane, layout::NAMES_BLANK);
    let middle = lane.middle();
    format!(
        "<rect class=\"lane\" x=\"4\" y=\"{top}\" width=\"{}\" height=\"{height}\" rx=\"8\"/>\n\
         <text class=\"head\" x=\"{x}\" y=\"{}\">{}</text>\n<text class=\"soft\" x=\"{x}\" y=\"{}\">{}</text>",
        width - 8,
        middle - 2,
        markup::text(&lane.label),
        middle + 14,
        markup::text(&lane.note)
    )
}

/// A line around the tiles of a cell, where there are several.
fn around(cell: &[Tile], x: u32, tile_height: u32) -> Option<String> {
    let (first, last) = (cell.first()?, cell.last().filter(|_| cell.len() > 1)?);
    let pad = layout::CELL_PAD;
    Some(format!(
        "<rect class=\"cell\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"9\"/>",
        x - pad,
        first.y - pad,
        TILE_WIDTH + 2 * pad,
        last.y + tile_height + 2 * pad - first.y
    ))
}

/// The ground behind what cannot be taken back.
fn zone(layout: &Layout) -> Option<String> {
    let gate =
        layout.columns.iter().find(|column| column.bar.as_ref().is_some_and(|bar| bar.gate == Some(Gate::Finalize)))?;
    let x = gate.x + gate.width / 2;
    let (top, width) = (layout::HEAD, layout.width.saturating_sub(x + 4));
    let height = layout.bottom.saturating_sub(top);
    Some(format!("<rect class=\"zone\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"))
}

/// Arrows from column to column of a lane, from tile to tile of a cell, and between lanes of one column.
fn arrows(layout: &Layout, plan: &Plan) -> Vec<String> {
    let mut arrows = Vec::new();
    for (row, lane) in layout.lanes.iter().enumerate() {
        for pair in layout.columns.windows(2) {
            if let (Some(from), Some(to)) = (gutter(&pair[0], row), gutter(&pair[1], row)) {
                arrows.push(across(pair[0].x + pair[0].width - from, pair[1].x + to, lane.middle()));
            }
        }
    }
    let places = layout.places();
    let pairs = plan.edges.iter().filter_map(|edge| Some((*places.get(&edge.from)?, *places.get(&edge.to)?)));
    let mut pairs: Vec<_> = pairs.filter(|(from, to)| from.0 == to.0 && from != to).collect();
    pairs.sort_unstable();
    pairs.dedup();
    for (from, to) in pairs {
        let next = if from.1 == to.1 { to.2 == from.2 + 1 } else { to.1 == from.1 + 1 };
        if next {
            let x = layout.columns[from.0].tiles_x() + TILE_WIDTH / 2;
            arrows.push(down(x, layout.tile(from).y + layout.tile_height, layout.tile(to).y));
        }
    }
    arrows
}

/// Blank on either side of what a column shows in a lane; none where it shows nothing.
fn gutter(column: &Column, row: usize) -> Option<u32> {
    if let Some(bar) = &column.bar {
        return Some(bar.pad);
    }
    let side = (column.width - TILE_WIDTH) / 2;
    match column.cells.get(row)?.len() {
        0 => None,
        1 => Some(side),
        _ => Some(side - layout::CELL_PAD),
    }
}

fn across(from: u32, to: u32, y: u32) -> String {
    let tip = to.saturating_sub(1);
    format!(
        "<path class=\"flow\" d=\"M{from} {y}H{}\"/><path class=\"tip\" d=\"M{tip} {y}l-6 -3.5v7z\"/>",
        tip.saturating_sub(5)
    )
}

fn down(x: u32, from: u32, to: u32) -> String {
    format!(
        "<path class=\"flow\" d=\"M{x} {from}V{}\"/><path class=\"tip\" d=\"M{x} {to}l-3.5 -6h7z\"/>",
        to.saturating_sub(5)
    )
}

/// Bars for the size of each shard, the largest marked.
fn chart_of(sizes: &[ShardSize], layout: &Layout) -> String {
    let Some(largest) = sizes.iter().rev().max_by_key(|size| size.bytes) else { return String::new() };
    let top = layout.bottom;
    let (left, room, base) =
        (f64::from(layout.left) + 8.0, f64::from(layout.width.saturating_sub(layout.left + 24)), top + 68);
    let groups: Vec<&[ShardSize]> = sizes.chunks(sizes.len().div_ceil(BARS_MAX)).collect();
    let step = room / groups.len() as f64;
    let mut parts = vec![
        format!("<text class=\"soft\" x=\"16\" y=\"{}\">bytes</text>", top + 40),
        format!("<text class=\"soft\" x=\"16\" y=\"{}\">by shard</text>", top + 54),
    ];
    for (at, group) in groups.iter().enumerate() {
        let most = group.iter().map(|size| size.bytes).max().unwrap_or_default();
        let height = (44.0 * most as f64 / largest.bytes.max(1) as f64).max(1.0);
        let class = if group.contains(largest) { "top" } else { "bar" };
        let x = left + at as f64 * step;
        parts.push(format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            f64::from(base) - height,
            (step - 2.0).max(1.0),
            markup::text(&bar_title(group, most))
        ));
    }
    let ends = [(left, "", sizes.first()), (left + room, " end", sizes.last())];
    parts.extend(ends.iter().filter_map(|(x, class, size)| {
        let shard = (*size)?.shard;
        Some(format!("<text class=\"soft{class}\" x=\"{x:.1}\" y=\"{}\">shard {shard}</text>", base + 15))
    }));
    let says = format!("largest: shard {}, {}", largest.shard, figures::bytes(largest.bytes));
    parts.push(format!("<text class=\"soft mid\" x=\"{:.1}\" y=\"{}\">{says}</text>", left + room / 2.0, base + 15));
    parts.join("\n")
}

fn bar_title(group: &[ShardSize], most: u64) -> String {
    match group {
        [one] => format!("shard {}: {}", one.shard, figures::bytes(one.bytes)),
        [first, .., last] => format!("shards {} to {}: up to {}", first.shard, last.shard, figures::bytes(most)),
        [] => String::new(),
    }
}

/// A tile's short name, and its time by the largest unit if there is room.
fn in_one_line(tile: &Tile) -> String {
    let both = format!("{} · {}", tile.short, figures::roughly(tile.seconds));
    if tile.seconds == 0 || both.chars().count() > LINE { cut(&tile.short, LINE) } else { both }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn lanes_collapse_when_there_are_many() {
        let (few, many) = (fixture::plan(8), fixture::plan(9));
        let (few, many) = (swimlane_svg(&few), swimlane_svg(&many));
        assert_eq!(few.matches("class=\"lane\"").count(), 8);
        assert_eq!(many.matches("class=\"lane\"").count(), 1);
        assert!(many.contains("9 shards"));
        assert!(many.contains("largest: shard 3"));
    }

    #[test]
    fn every_step_has_a_tile_and_every_gate_a_bar() {
        let plan = fixture::plan(2);
        let picture = swimlane_svg(&plan);
        assert_eq!(picture.matches("<g class=\"gate").count(), 3 + 2, "three gates, two in the legend");
        assert_eq!(picture.matches("<g class=\"joint").count(), 1 + 1, "one joint, and one in the legend");
        assert_eq!(picture.matches("<g class=\"tile").count(), plan.steps.len() - 4 + 3);
        assert!(!picture.contains("href"), "a picture of its own has nowhere to link to");
    }

    #[test]
    fn shards_that_wait_for_each_other_are_joined() {
        let mut plan = fixture::plan(2);
        let tips = |plan: &Plan| swimlane_svg(plan).matches("class=\"tip\"").count();
        let joined = tips(&plan);
        plan.edges.retain(|edge| edge.to.as_str() != "cutover.s2" || edge.from.as_str() != "cutover.s1");
        assert_eq!(tips(&plan) + 1, joined);
    }
}
