//! The `Distributed` tables, and looking at all tables in the end.

use super::layers::Layer;
use super::local::together;
use super::sheet::{Shard, Sheet, Turn, merged, undo_of};
use super::text;
use crate::alter::Place;
use crate::names::ReplicaId;
use crate::plan::frame::{joint_id, step_id};
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{Drain, Otherwise, ProbeOn, Run};
use crate::plan::{probes, sql};
use crate::snapshot::Capability;

/// An insert that runs for longer than this holds the plan up for too long.
const DRAIN_SECONDS_MAX: u64 = 3600;

/// What they must not ask of the shards any more, and waiting until nothing of before is under way.
pub(super) fn before(sheet: &Sheet<'_>) -> Vec<Layer> {
    let why = "So that no query and no insert through the table brings or asks for what the shards do not take or have any more. It holds \
               no rows: nothing is lost.";
    let steps = alter(sheet, Place::Before, why);
    if steps.is_empty() {
        return Vec::new();
    }
    let mut layers = vec![
        Layer::new("what began before still knows the column as it was", steps),
        Layer::new(
            "what still brings the column as it was must have arrived before the shards change",
            vec![drain(sheet)],
        ),
    ];
    if sheet.has(Capability::DistributedSends) {
        layers.push(Layer::new(
            "what still brings the column as it was must have arrived before the shards change",
            vec![flush(sheet)],
        ));
    }
    layers
}

/// What they get once all shards have it.
pub(super) fn after(sheet: &Sheet<'_>) -> Vec<Layer> {
    let why =
        "Every replica of every shard has the new definition, so that each query through the table can be answered.";
    vec![Layer::new("all tables are changed before they are looked at", alter(sheet, Place::After, why))]
}

fn alter(sheet: &Sheet<'_>, place: Place, why: &str) -> Vec<Step> {
    sheet.shards.iter().filter_map(|shard| alter_on(sheet, place, shard, why)).collect()
}

fn alter_on(sheet: &Sheet<'_>, place: Place, shard: &Shard, why: &str) -> Option<Step> {
    let turns = sheet.turns(place, shard);
    let first = turns.first()?;
    let phase = sheet.phase(place);
    let what = if place == Place::Before { "before" } else { "after" };
    Some(Step {
        id: step_id(phase, what, shard.num),
        phase,
        shard: Some(shard.num),
        title: format!("alter the Distributed tables: {}", text::short(&first.altered.stage.sql)),
        why: why.to_owned(),
        action: Action::Run { one_by_one: false, runs: merged(turns.iter().map(|turn| forward(sheet, turn))) },
        undo: undo_of(&turns, merged(turns.iter().filter_map(back)), Vec::new()),
        cost: Cost::default(),
    })
}

pub(super) fn forward(sheet: &Sheet<'_>, turn: &Turn<'_>) -> Run {
    let altered = turn.altered;
    Run {
        on: vec![turn.on],
        before: vec![turn.as_before(Otherwise::Changed)],
        sql: vec![format!("ALTER TABLE {} {}", turn.table.sql(), sheet.sql(&altered.stage.sql))],
        after: vec![turn.is(&altered.after, "has the definition that this step gives it", Otherwise::Changed)],
    }
}

pub(super) fn back(turn: &Turn<'_>) -> Option<Run> {
    let altered = turn.altered;
    Some(Run {
        on: vec![turn.on],
        before: vec![turn.is(&altered.after, "has the definition that the step gave it", Otherwise::Changed)],
        sql: vec![format!("ALTER TABLE {} {}", turn.table.sql(), altered.way_back.as_ref()?)],
        after: vec![turn.as_before(Otherwise::Changed)],
    })
}

/// The phase of what comes between the `Distributed` tables and the local ones.
fn between(sheet: &Sheet<'_>) -> Phase {
    sheet.phase(Place::Before)
}

fn drain(sheet: &Sheet<'_>) -> Step {
    let flush = sheet.has(Capability::AsyncInserts).then(|| "SYSTEM FLUSH ASYNC INSERT QUEUE".to_owned());
    waiting(
        sheet,
        "drain",
        "wait for inserts that began before",
        "An insert that was under way when a Distributed table changed may still send the column as it was to a shard.",
        flush.into_iter().collect(),
        all(sheet),
    )
}

fn flush(sheet: &Sheet<'_>) -> Step {
    let mut turns: Vec<Turn<'_>> = sheet.shards.iter().flat_map(|shard| sheet.turns(Place::Before, shard)).collect();
    let mut on: Vec<ReplicaId> = turns.iter().map(|turn| turn.on).collect();
    on.sort_unstable();
    on.dedup();
    turns.sort_by_key(|turn| turn.table);
    turns.dedup_by_key(|turn| turn.table);
    let sends = turns.iter().map(|turn| format!("SYSTEM FLUSH DISTRIBUTED {}", turn.table.sql())).collect();
    waiting(
        sheet,
        "flush",
        "have the Distributed tables send what they hold",
        "Rows that wait to be sent bear the column as it was; a shard that has changed would refuse them again and again.",
        sends,
        on,
    )
}

fn all(sheet: &Sheet<'_>) -> Vec<ReplicaId> {
    sheet.shards.iter().flat_map(|shard| shard.replicas.clone()).collect()
}

fn waiting(sheet: &Sheet<'_>, what: &str, title: &str, why: &str, flush: Vec<String>, on: Vec<ReplicaId>) -> Step {
    let phase = between(sheet);
    Step {
        id: joint_id(phase, what),
        phase,
        shard: None,
        title: title.to_owned(),
        why: why.to_owned(),
        action: Action::Drain(Drain {
            on,
            flush,
            inserts: sql::running_inserts(sheet.has(Capability::QueryKind), sheet.id),
            catch_up: Vec::new(),
            seconds_max: DRAIN_SECONDS_MAX,
        }),
        undo: Undo::Nothing { because: "it only waits".to_owned() },
        cost: Cost::default(),
    }
}

/// Every definition is as wanted, and every `Distributed` table is answered.
pub(super) fn verify(sheet: &Sheet<'_>) -> Vec<Step> {
    let (phase, what) = if sheet.turning.is_some() { (Phase::Finalize, "verify") } else { (Phase::Verify, "") };
    let step = |shard: &Shard| Step {
        id: step_id(phase, what, shard.num),
        phase,
        shard: Some(shard.num),
        title: "check that every table is as wanted".to_owned(),
        why: "Definitions are read on every replica, and a query through each Distributed table must be answered."
            .to_owned(),
        action: Action::Check { probes: wanted(sheet, shard) },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    };
    sheet.shards.iter().map(step).collect()
}

fn wanted(sheet: &Sheet<'_>, shard: &Shard) -> Vec<ProbeOn> {
    let each = sheet.tables().into_iter().flat_map(|table| shard.replicas.iter().map(move |on| (table, *on)));
    let mut all = together(each.filter_map(|(table, on)| Some((on, sheet.at_the_end(table, on, Otherwise::Changed)?))));
    for table in &sheet.case.alter.change.distributed {
        // One replica of a shard asks all shards.
        let first = shard.replicas.iter().find(|on| sheet.case.snapshot.table(**on, table).is_some());
        all.extend(first.map(|on| ProbeOn { on: vec![*on], probe: probes::distributed_answers(table) }));
    }
    all
}
