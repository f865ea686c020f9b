//! Where everything in the swimlane picture stands: lanes down, stages across.

use std::collections::BTreeMap;

use super::super::{figures, markup};
use crate::plan::{Gate, StepId, Undo};
use crate::runbook::{Kind, Runbook, Stage, Work, stem};
use crate::words::count;

/// Up to so many shards have a lane each; of more, all share one.
pub(super) const LANES_MAX: usize = 8;
/// Up to so many shards have tiles with room for several lines.
const ROOMY_MAX: usize = 3;

pub(super) const HEAD: u32 = 54;
pub(super) const LABEL: u32 = 86;
pub(super) const TILE_WIDTH: u32 = 118;
const PHASE_WIDTH: u32 = 138;
/// Between the tiles of a cell and the line around them.
pub(super) const CELL_PAD: u32 = 4;
const GATE_WIDTH: u32 = 48;
const TILE_GAP: u32 = 9;
const LANE_PAD: u32 = 12;
const LANE_GAP: u32 = 4;

/// The whole picture, in pixels.
pub(super) struct Layout<'p> {
    pub(super) width: u32,
    /// Lower end of the lanes.
    pub(super) bottom: u32,
    pub(super) tile_height: u32,
    pub(super) lanes: Vec<Lane>,
    pub(super) columns: Vec<Column<'p>>,
}

/// A shard, all shards, or what concerns the whole cluster.
pub(super) struct Lane {
    pub(super) of: LaneOf,
    pub(super) label: String,
    pub(super) note: String,
    pub(super) top: u32,
    pub(super) height: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LaneOf {
    Cluster,
    Shard(u32),
    All,
}

/// A stage.
pub(super) struct Column<'p> {
    pub(super) x: u32,
    pub(super) width: u32,
    pub(super) name: String,
    pub(super) note: String,
    pub(super) gate: Option<(Gate, Tile<'p>)>,
    /// Tiles by lane; none for a gate, which crosses all lanes.
    pub(super) cells: Vec<Vec<Tile<'p>>>,
}

/// A step, or steps of several shards.
pub(super) struct Tile<'p> {
    pub(super) title: &'p str,
    /// What tells the step from others of its phase.
    pub(super) short: String,
    pub(super) seconds: u64,
    pub(super) note: String,
    pub(super) look: Look,
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
        let stack = columns.iter().flat_map(|column| column.cells.iter().map(Vec::len)).max().unwrap_or(1).max(1);
        let lane_height = stack_height(stack, tile_height) + 2 * LANE_PAD;
        let mut top = HEAD;
        for lane in &mut lanes {
            (lane.top, lane.height) = (top, lane_height);
            top += lane_height + LANE_GAP;
        }
        let mut x = LABEL;
        for column in &mut columns {
            column.x = x;
            x += column.width;
            place_tiles(column, &lanes, tile_height);
        }
        Self { width: x + 8, bottom: top - LANE_GAP, tile_height, lanes, columns }
    }

    /// Where each step stands; gates are not among them.
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

impl Column<'_> {
    /// Left edge of its tiles.
    pub(super) fn tiles_x(&self) -> u32 {
        self.x + (self.width - TILE_WIDTH.min(self.width)) / 2
    }
}

fn stack_height(tiles: usize, tile_height: u32) -> u32 {
    let tiles = u32::try_from(tiles).unwrap_or(u32::MAX / 1024).min(1000);
    tiles * tile_height + tiles.saturating_sub(1) * TILE_GAP
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
    if runbook.phases().any(|work| !work.cell(None).is_empty()) {
        lanes.push(lane(LaneOf::Cluster, "cluster".to_owned(), String::new()));
    }
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
    match stage {
        Stage::Gate(gate, entry) => {
            let kind = Kind { stem: entry.step.id.to_string(), entries: vec![entry.clone()] };
            let gate = Some((*gate, tile(&kind)));
            Column { x: 0, width: GATE_WIDTH, name: String::new(), note: String::new(), gate, cells: Vec::new() }
        }
        Stage::Work(work) => Column {
            x: 0,
            width: PHASE_WIDTH,
            name: work.phase.to_string(),
            note: if work.cost.seconds > 0 { figures::duration(work.cost.seconds) } else { String::new() },
            gate: None,
            cells: lanes.iter().map(|lane| cell(work, lane.of)).collect(),
        },
    }
}

fn cell<'p>(work: &Work<'p>, lane: LaneOf) -> Vec<Tile<'p>> {
    let one =
        |entry: &crate::runbook::Entry<'p>| Kind { stem: entry.step.id.to_string(), entries: vec![entry.clone()] };
    match lane {
        LaneOf::Cluster => work.cell(None).into_iter().map(|entry| tile(&one(entry))).collect(),
        LaneOf::Shard(shard) => work.cell(Some(shard)).into_iter().map(|entry| tile(&one(entry))).collect(),
        LaneOf::All => work.kinds.iter().filter(|kind| kind.on(None).is_empty()).map(tile).collect(),
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
