//! Phases by shard as a table for the terminal: figures in columns, titles and gates over the whole width.

use anstyle::{AnsiColor, Style};

use super::{figures, visible};
use crate::plan::{Cost, Gate, Step, Undo};
use crate::runbook::{Kind, Runbook, Stage, Work, cost_of};
use crate::words::count;

/// Up to so many shards each has a column of its own, if the page is wide enough.
const SHARD_COLUMNS_MAX: usize = 6;
/// Columns of the page that the names of phases need.
const NAME_MIN: usize = 12;
/// Blanks between two columns.
const GAP: usize = 3;

/// The table in `width` columns.
pub(super) fn phases(runbook: &Runbook, width: usize, colour: bool) -> String {
    let grid = Grid::fitting(runbook, width);
    let bold = Style::new().bold();
    let rule = "─".repeat(width);
    let mut lines = vec![rule.clone(), styled(bold, &grid.figures(&grid.heads, width), colour), rule.clone()];
    for row in &grid.rows {
        match row {
            Row::Phase(cells) => {
                lines.push(styled(bold, &grid.figures(cells, width), colour));
            }
            Row::Step(title) => lines.extend(wrapped(title, "   ", width)),
            Row::Joint(title) => lines.extend(barred(title, '─', '◇', width)),
            Row::Gate(gate, title) => {
                let colour_of = if *gate == Gate::Finalize { AnsiColor::Red } else { AnsiColor::Yellow };
                let style = bold.fg_color(Some(colour_of.into()));
                lines.extend(barred(title, '━', '■', width).iter().map(|line| styled(style, line, colour)));
            }
        }
    }
    lines.push(rule);
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

struct Grid {
    heads: Vec<String>,
    rows: Vec<Row>,
}

enum Row {
    Phase(Vec<String>),
    Step(String),
    Joint(String),
    Gate(Gate, String),
}

impl Grid {
    /// With a column for each shard if there are few and the page is wide enough, else with all of them together.
    fn fitting(runbook: &Runbook, width: usize) -> Self {
        if runbook.shards.len() <= SHARD_COLUMNS_MAX {
            let heads = runbook.shards.iter().map(|shard| format!("shard {shard}")).collect();
            let grid = Self::new(runbook, heads, |work| each(work, &runbook.shards));
            if width >= grid.widths().iter().skip(1).map(|width| width + GAP).sum::<usize>() + NAME_MIN {
                return grid;
            }
        }
        let heads = vec![format!("all {}", count(runbook.shards.len(), "shard")), "slowest".to_owned()];
        Self::new(runbook, heads, |work| together(work, &runbook.shards))
    }

    fn new(runbook: &Runbook, shard_heads: Vec<String>, on_shards: impl Fn(&Work) -> Vec<String>) -> Self {
        let mut heads = vec!["phase".to_owned()];
        heads.extend(shard_heads);
        heads.extend(["rows", "bytes", "time"].map(str::to_owned));
        let mut rows = Vec::new();
        for stage in &runbook.stages {
            match stage {
                Stage::Gate(gate, entry) => rows.push(Row::Gate(*gate, gate_title(*gate, entry.step))),
                Stage::Joint(entry) => {
                    rows.push(Row::Joint(format!("ALL SHARDS: {}", step_title(&entry.alone()))));
                }
                Stage::Work(work) => {
                    rows.push(Row::Phase(phase(work, on_shards(work))));
                    rows.extend(work.kinds.iter().map(|kind| Row::Step(step_title(kind))));
                }
            }
        }
        Self { heads, rows }
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |row: &Row| if let Row::Phase(cells) = row { cells.clone() } else { Vec::new() };
        let mut widths: Vec<usize> = self.heads.iter().map(|head| head.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells(row)) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }

    /// A line of cells, the first to the left and the others to the right.
    fn figures(&self, cells: &[String], width: usize) -> String {
        let right = cells.iter().zip(self.widths()).skip(1).map(|(cell, width)| format!("{:GAP$}{cell:>width$}", ""));
        let line: String = right.collect();
        let name = cells.first().map(String::as_str).unwrap_or_default();
        let rest = width.saturating_sub(line.chars().count() + 2);
        format!(" {name:<rest$}{line}")
    }
}

fn phase(work: &Work, on_shards: Vec<String>) -> Vec<String> {
    let mut cells = vec![work.phase.to_string()];
    cells.extend(on_shards);
    cells.extend(costs(work.cost));
    cells
}

fn gate_title(gate: Gate, step: &Step) -> String {
    let last = if gate == Gate::Finalize { ", the point of no return" } else { "" };
    format!("GATE {gate}{last}: {}", visible::line(&step.title))
}

fn step_title(kind: &Kind) -> String {
    let gone = kind.entries.iter().any(|entry| matches!(entry.step.undo, Undo::Impossible { .. }));
    format!("{}{}", visible::line(kind.title()), if gone { " (no undo)" } else { "" })
}

fn each(work: &Work, shards: &[u32]) -> Vec<String> {
    shards.iter().map(|shard| on_shard(work, *shard)).collect()
}

fn together(work: &Work, shards: &[u32]) -> Vec<String> {
    let steps: usize = work.kinds.iter().map(|kind| kind.entries.len()).sum();
    vec![count(steps, "step"), slowest(work, shards)]
}

fn on_shard(work: &Work, shard: u32) -> String {
    let cell = work.cell(shard);
    match (cell.len(), cost_of(&cell).seconds) {
        (0, _) => "–".to_owned(),
        (steps, 0) => count(steps, "step"),
        (_, seconds) => figures::duration(seconds),
    }
}

/// The shard that takes longest; none where all are the same.
fn slowest(work: &Work, shards: &[u32]) -> String {
    let times: Vec<(u64, u32)> = shards.iter().map(|shard| (cost_of(&work.cell(*shard)).seconds, *shard)).collect();
    let (least, most) =
        (times.iter().min(), times.iter().max_by_key(|(seconds, shard)| (*seconds, std::cmp::Reverse(*shard))));
    match (least, most) {
        (Some((least, _)), Some((most, shard))) if least < most => format!("s{shard}: {}", figures::duration(*most)),
        _ => "–".to_owned(),
    }
}

/// Rows, bytes and time; a dash for what is next to nothing.
pub(super) fn costs(cost: Cost) -> [String; 3] {
    let some = |number: u64, shown: String| if number == 0 { "–".to_owned() } else { shown };
    [
        some(cost.rows, figures::count(cost.rows)),
        some(cost.bytes, figures::bytes(cost.bytes)),
        some(cost.seconds, figures::duration(cost.seconds)),
    ]
}

fn styled(style: Style, text: &str, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A title in a line over the whole width.
fn barred(title: &str, rule: char, mark: char, width: usize) -> Vec<String> {
    let mut lines = wrapped(title, &format!("{rule}{mark} "), width);
    if let Some(last) = lines.last_mut() {
        let used = last.chars().count() + 1;
        last.extend([" ", &rule.to_string().repeat(width.saturating_sub(used))]);
    }
    lines
}

/// Words on lines of at most `width`, after `indent` on the first and as many blanks on the others.
fn wrapped(text: &str, indent: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(indent.chars().count()).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').flat_map(|word| pieces(word, room)) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => line.extend([" ", &word]),
            _ => lines.push(word),
        }
    }
    let blank = " ".repeat(indent.chars().count());
    lines.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { indent } else { &blank })).collect()
}

/// A word in pieces of at most `room` characters.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(room).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_with_a_hanging_indent() {
        assert_eq!(wrapped("one two three", " ■ ", 10), [" ■ one two", "   three"]);
        assert_eq!(wrapped("abcdefgh", "  ", 6), ["  abcd", "  efgh"]);
    }
}
