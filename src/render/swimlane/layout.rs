//! Where everything in the swimlane picture stands: lanes down, stages across.

use std::collections::BTreeMap;

use super::super::{figures, markup};
use super::text;
use crate::plan::{Gate, Phase, StepId, Undo};
use crate::runbook::{Entry, Kind, Runbook, Stage, Work, stem};
use crate::words::count;

/// Up to so many shards have a lane each; of more, all share one.
pub(super) const LANES_MAX: usize = 8;
/// Up to so many shards have tiles with room for several lines.
const ROOMY_MAX: usize = 3;

pub(super) const HEAD: u32 = 54;
/// The names of lanes take as much as this, or what the longest needs: blank before it, and so much a character.
const NAMES_MIN: u32 = 86;
pub(super) const NAMES_BLANK: u32 = 16;
const NAMES_CHARACTER: u32 = 8;
pub(super) const TILE_WIDTH: u32 = 118;
const PHASE_WIDTH: u32 = 138;
/// Between the tiles of a cell and the line around them.
pub(super) const CELL_PAD: u32 = 4;
const GATE_WIDTH: u32 = 48;
const TILE_GAP: u32 = 9;
const LANE_PAD: u32 = 12;
const LANE_GAP: u32 = 4;
/// A bar's name is repeated after so many pixels, so that it is seen wherever a page is scrolled to.
const LABEL_EVERY: u32 = 420;
/// From line to line of a bar's name, and what a character of it takes along the bar, with some to spare.
pub(super) const LABEL_LINE: u32 = 13;
const LABEL_CHARACTER: f64 = 6.2;
/// Lines of the name of a bar at which shards wait for each other, and how long such a bar is at least, so that it can be read.
const LABEL_LINES_MAX: usize = 3;
const JOINT_MIN: u32 = 174;

/// The whole picture, in pixels.
pub(super) struct Layout<'p> {
    pub(super) width: u32,
    /// Where the names of lanes end.
    pub(super) left: u32,
    /// Lower end of the lanes.
    pub(super) bottom: u32,
    pub(super) tile_height: u32,
    pub(super) lanes: Vec<Lane>,
    pub(super) columns: Vec<Column<'p>>,
    pub(super) heads: Vec<Head>,
}

/// A shard, or all shards.
pub(super) struct Lane {
    pub(super) of: LaneOf,
    pub(super) label: String,
    pub(super) note: String,
    pub(super) top: u32,
    pub(super) height: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneOf {
    Shard(u32),
    All,
}

/// A stage.
pub(super) struct Column<'p> {
    pub(super) x: u32,
    pub(super) width: u32,
    phase: Phase,
    seconds: u64,
    /// What crosses all lanes.
    pub(super) bar: Option<Bar<'p>>,
    /// Tiles by lane; none where a bar crosses them.
    pub(super) cells: Vec<Vec<Tile<'p>>>,
}

/// A step that all shards wait for.
pub(super) struct Bar<'p> {
    /// The gate; none where shards wait for each other, and for nobody else.
    pub(super) gate: Option<Gate>,
    pub(super) tile: Tile<'p>,
    pub(super) top: u32,
    /// Blank on either side.
    pub(super) pad: u32,
    /// Its name, line by line.
    pub(super) lines: Vec<String>,
}

/// A phase's name over its columns.
pub(super) struct Head {
    pub(super) middle: u32,
    pub(super) name: String,
    pub(super) note: String,
}

/// A step, or steps of several shards.
pub(super) struct Tile<'p> {
    pub(super) title: &'p str,
    /// What tells the step from others of its phase.
    pub(super) short: String,
    pub(super) seconds: u64,
    pub(super) note: String,
    look: Look,
    pub(super) anchor: String,
    pub(super) name: String,
    pub(super) steps: Vec<&'p StepId>,
    pub(super) y: u32,
}

/// What a step does to the cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Look {
    Read,
    Do,
    Gone,
}

/// A tile's place: column, lane, tile of the cell.
pub(super) type Place = (usize, usize, usize);

impl<'p> Layout<'p> {
    pub(super) fn new(runbook: &Runbook<'p>) -> Self {
        let mut lanes = lanes(runbook);
        let mut columns: Vec<Column> = runbook.stages.iter().map(|stage| column(stage, &lanes)).collect();
        let roomy = lanes.len() <= ROOMY_MAX;
        let tile_height = if roomy { 50 } else { 23 };
        let bottom = place_lanes(&mut lanes, &columns, tile_height);
        let left = names_width(&lanes);
        let mut x = left;
        for column in &mut columns {
            if let Some(bar) = &mut column.bar {
                column.width = bar.write(bottom);
            }
            column.x = x;
            x += column.width;
            place_tiles(column, &lanes, tile_height);
        }
        Self { width: x + 8, left, bottom, tile_height, lanes, heads: heads(&columns), columns }
    }

    /// Where each step stands; those that cross all lanes are not among them.
    pub(super) fn places(&self) -> BTreeMap<&'p StepId, Place> {
        let mut places = BTreeMap::new();
        for (column, lanes) in self.columns.iter().enumerate() {
            for (lane, tiles) in lanes.cells.iter().enumerate() {
                for (at, tile) in tiles.iter().enumerate() {
                    places.extend(tile.steps.iter().map(|id| (*id, (column, lane, at))));
                }
            }
        }
        places
    }

    pub(super) fn tile(&self, (column, lane, at): Place) -> &Tile<'p> {
        &self.columns[column].cells[lane][at]
    }
}

impl Lane {
    pub(super) fn middle(&self) -> u32 {
        self.top + self.height / 2
    }
}

impl Tile<'_> {
    /// Its class in the style sheet.
    pub(super) fn class(&self) -> &'static str {
        match self.look {
            Look::Read => "tile read",
            Look::Do => "tile do",
            Look::Gone => "tile gone",
        }
    }
}

impl Bar<'_> {
    /// Its class in the style sheet.
    pub(super) fn class(&self) -> &'static str {
        match self.gate {
            None => "joint",
            Some(Gate::Finalize) => "gate last",
            Some(_) => "gate",
        }
    }

    /// Lays its name out along a bar that ends at `bottom`. Gives the column's width.
    fn write(&mut self, bottom: u32) -> u32 {
        if let Some(gate) = self.gate {
            self.lines = vec![format!("GATE {}", gate.name().to_uppercase())];
            return GATE_WIDTH;
        }
        let room = f64::from(self.height(bottom) / self.labels(bottom)) - 16.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a picture is not that large, nor is a bar that short"
        )]
        let characters = (room / LABEL_CHARACTER) as usize;
        self.lines = text::balanced(self.tile.title, characters, LABEL_LINES_MAX);
        let lines = u32::try_from(self.lines.len()).unwrap_or(1);
        lines * LABEL_LINE + 8 + 2 * self.pad
    }

    pub(super) fn height(&self, bottom: u32) -> u32 {
        bottom.saturating_sub(self.top)
    }

    /// How often its name stands on it.
    pub(super) fn labels(&self, bottom: u32) -> u32 {
        (self.height(bottom) / LABEL_EVERY).max(1)
    }
}

impl Column<'_> {
    /// Left edge of its tiles.
    pub(super) fn tiles_x(&self) -> u32 {
        self.x + (self.width - TILE_WIDTH.min(self.width)) / 2
    }
}

fn names_width(lanes: &[Lane]) -> u32 {
    let longest = lanes.iter().map(|lane| lane.label.chars().count()).max().unwrap_or_default();
    (NAMES_BLANK + NAMES_CHARACTER * u32::try_from(longest).unwrap_or_default() + 6).max(NAMES_MIN)
}

fn stack_height(tiles: usize, tile_height: u32) -> u32 {
    let tiles = u32::try_from(tiles).unwrap_or(u32::MAX / 1024).min(1000);
    tiles * tile_height + tiles.saturating_sub(1) * TILE_GAP
}

/// Gives the lower end of the lanes.
fn place_lanes(lanes: &mut [Lane], columns: &[Column], tile_height: u32) -> u32 {
    let stack = columns.iter().flat_map(|column| column.cells.iter().map(Vec::len)).max().unwrap_or(1).max(1);
    let joint = columns.iter().filter_map(|column| column.bar.as_ref()).any(|bar| bar.gate.is_none());
    let number = u32::try_from(lanes.len()).unwrap_or(u32::MAX).max(1);
    let least = if joint { JOINT_MIN / number } else { 0 };
    let height = (stack_height(stack, tile_height) + 2 * LANE_PAD).max(least);
    let mut top = HEAD;
    for lane in lanes {
        (lane.top, lane.height) = (top, height);
        top += height + LANE_GAP;
    }
    top - LANE_GAP
}

/// The names of phases, each over all that is between two gates: a bar within a phase stands under its name.
fn heads(columns: &[Column]) -> Vec<Head> {
    let is_gate = |column: &Column| column.bar.as_ref().is_some_and(|bar| bar.gate.is_some());
    let same = |one: &Column, next: &Column| one.phase == next.phase && !is_gate(one) && !is_gate(next);
    let head = |columns: &[Column]| {
        let (first, last) = (columns.first()?, columns.last()?);
        let seconds: u64 = columns.iter().map(|column| column.seconds).sum();
        columns.iter().any(|column| column.bar.is_none()).then(|| Head {
            middle: u32::midpoint(first.x, last.x + last.width),
            name: first.phase.to_string(),
            note: if seconds > 0 { figures::duration(seconds) } else { String::new() },
        })
    };
    columns.chunk_by(same).filter_map(head).collect()
}

fn place_tiles(column: &mut Column, lanes: &[Lane], tile_height: u32) {
    for (tiles, lane) in column.cells.iter_mut().zip(lanes) {
        let mut y = lane.middle() - stack_height(tiles.len(), tile_height) / 2;
        for tile in tiles {
            tile.y = y;
            y += tile_height + TILE_GAP;
        }
    }
}

fn lanes(runbook: &Runbook) -> Vec<Lane> {
    let lane = |of, label: String, note: String| Lane { of, label, note, top: 0, height: 0 };
    let mut lanes = Vec::new();
    if runbook.shards.len() > LANES_MAX {
        let label = count(runbook.shards.len(), "shard");
        lanes.push(lane(LaneOf::All, label, figures::bytes(runbook.plan.bytes())));
    } else {
        lanes.extend(runbook.shards.iter().map(|shard| {
            let size = runbook.plan.sizes.iter().find(|size| size.shard == *shard);
            let note = size.map(|size| figures::bytes(size.bytes)).unwrap_or_default();
            lane(LaneOf::Shard(*shard), format!("shard {shard}"), note)
        }));
    }
    lanes
}

fn column<'p>(stage: &Stage<'p>, lanes: &[Lane]) -> Column<'p> {
    let bar = |gate: Option<Gate>, entry: &Entry<'p>| {
        let (top, pad) = if gate.is_some() { (HEAD - 40, 10) } else { (HEAD - 6, 7) };
        let (phase, seconds) = (entry.step.phase, entry.step.cost.seconds);
        let bar = Bar { gate, tile: tile(&entry.alone()), top, pad, lines: Vec::new() };
        Column { x: 0, width: 0, phase, seconds, bar: Some(bar), cells: Vec::new() }
    };
    match stage {
        Stage::Gate(gate, entry) => bar(Some(*gate), entry),
        Stage::Joint(entry) => bar(None, entry),
        Stage::Work(work) => Column {
            x: 0,
            width: PHASE_WIDTH,
            phase: work.phase,
            seconds: work.cost.seconds,
            bar: None,
            cells: lanes.iter().map(|lane| cell(work, lane.of)).collect(),
        },
    }
}

fn cell<'p>(work: &Work<'p>, lane: LaneOf) -> Vec<Tile<'p>> {
    match lane {
        LaneOf::Shard(shard) => work.cell(shard).into_iter().map(|entry| tile(&entry.alone())).collect(),
        LaneOf::All => work.kinds.iter().map(tile).collect(),
    }
}

fn tile<'p>(kind: &Kind<'p>) -> Tile<'p> {
    let several = kind.entries.len() > 1;
    let anchor = match kind.entries.first() {
        Some(entry) if !several => markup::anchor("step", entry.step.id.as_str()),
        _ => markup::anchor("kind", &kind.stem),
    };
    let cost = kind.cost();
    let time = if cost.seconds > 0 { figures::duration(cost.seconds) } else { String::new() };
    let bytes = if cost.bytes > 0 && !several { figures::bytes(cost.bytes) } else { String::new() };
    let times = if several { format!("× {}", kind.entries.len()) } else { String::new() };
    let note: Vec<String> = [times, time, bytes].into_iter().filter(|part| !part.is_empty()).collect();
    let stem = kind.entries.first().map(|entry| stem(entry.step)).unwrap_or_default();
    Tile {
        title: kind.title(),
        short: stem.split_once('.').map_or(stem.as_str(), |(_, rest)| rest).to_owned(),
        seconds: cost.seconds,
        note: note.join(" · "),
        look: look(kind),
        anchor,
        name: kind.stem.clone(),
        steps: kind.entries.iter().map(|entry| &entry.step.id).collect(),
        y: 0,
    }
}

pub(in crate::render) fn look(kind: &Kind) -> Look {
    if kind.entries.iter().any(|entry| matches!(entry.step.undo, Undo::Impossible { .. })) {
        Look::Gone
    } else if kind.entries.iter().all(|entry| entry.step.action.is_read_only()) {
        Look::Read
    } else {
        Look::Do
    }
}
