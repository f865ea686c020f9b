//! Columns that are dropped once nobody reads them: the mark, the question to all logs, and the same question once more.

use super::layers::Layer;
use super::local::after_undo;
use super::over::{back, forward};
use super::sheet::{Shard, Sheet, merged, undo_of};
use super::text;
use crate::alter::Place;
use crate::assess::Retirement;
use crate::plan::frame::{joint_id, step_id};
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::Unread;

/// The mark, and whether anybody reads the columns: before anything of them goes.
pub(super) fn mark(sheet: &Sheet<'_>) -> Vec<Layer> {
    let (Some(retirement), Some(unread)) = (sheet.case.retirement, sheet.unread) else { return Vec::new() };
    let marks = sheet.shards.iter().filter_map(|shard| mark_on(sheet, shard)).collect();
    let why = "What reads a column that a table has lost fails. Whoever reads it holds the plan up, and nothing is lost by waiting.";
    vec![
        Layer::new("who looks at the table is told first", marks),
        Layer::new(
            "nothing of a column goes while somebody reads it",
            vec![question(Phase::Alter, retirement, unread, why)],
        ),
    ]
}

/// The same question right before what cannot be taken back: also of those who failed since the column is gone above.
pub(super) fn again(sheet: &Sheet<'_>) -> Vec<Layer> {
    let (Some(retirement), Some(unread)) = (sheet.case.retirement, sheet.unread) else { return Vec::new() };
    if sheet.phase(Place::Local) == Phase::Alter {
        // Nothing is destroyed, and what was asked is not asked twice.
        return Vec::new();
    }
    let why = "The values go now. A query that asked for the column meanwhile, and failed too, is in the logs.";
    vec![Layer::new(
        "values that somebody reads are not destroyed",
        vec![question(sheet.phase(Place::Local), retirement, unread, why)],
    )]
}

fn mark_on(sheet: &Sheet<'_>, shard: &Shard) -> Option<Step> {
    let turns = sheet.turns(Place::Mark, shard);
    let first = turns.first()?;
    let has_local = turns.iter().any(|turn| turn.table == sheet.local());
    let then = if has_local { after_undo(sheet, shard) } else { Vec::new() };
    let phase = sheet.phase(Place::Mark);
    Some(Step {
        id: step_id(phase, "mark", shard.num),
        phase,
        shard: Some(shard.num),
        title: format!("mark what is to go: {}", text::short(&first.altered.stage.sql)),
        why: "Who looks at the table sees that the column goes, and since when. No stored row is touched.".to_owned(),
        action: Action::Run { one_by_one: false, runs: merged(turns.iter().map(|turn| forward(sheet, turn))) },
        undo: undo_of(&turns, merged(turns.iter().filter_map(back)), then),
        cost: Cost::default(),
    })
}

fn question(phase: Phase, retirement: &Retirement, unread: &Unread, why: &str) -> Step {
    let (columns, span) = (retirement.columns.join(", "), crate::words::span(retirement.seconds));
    Step {
        id: joint_id(phase, "unread"),
        phase,
        shard: None,
        title: format!("ask whether nobody has read {columns} for {span}"),
        why: why.to_owned(),
        action: Action::Unread(Box::new(unread.clone())),
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}
