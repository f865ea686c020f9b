//! The local tables: looking at them, altering them, waiting for what that starts.

use super::layers::Layer;
use super::sheet::{Shard, Sheet, Turn, merged, undo_of};
use super::text;
use crate::alter::{Back, MutationCommand, Place, mark};
use crate::names::{ReplicaId, quote_string};
use crate::plan::frame::{joint_id, step_id};
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::work::{AwaitMutations, MutationGroup, Otherwise, Probe, ProbeOn, Run};
use crate::plan::{Strategy, probes, sql};
use crate::snapshot::Capability;

/// A mutation may write a part of many gigabytes before anything is seen of it.
const STALL_SECONDS: u64 = 3600;
/// A mutation that fails is tried again within seconds; what passes by itself has passed by then.
const FAIL_SECONDS: u64 = 10;

pub(super) fn preflight(sheet: &Sheet<'_>) -> Vec<Step> {
    let step = |shard: &Shard| Step {
        id: step_id(Phase::Preflight, "", shard.num),
        phase: Phase::Preflight,
        shard: Some(shard.num),
        title: "check that the shard is as planned and fit".to_owned(),
        why: "The plan was made for definitions and a health that may have changed since.".to_owned(),
        action: Action::Check { probes: conditions(sheet, shard) },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    };
    sheet.shards.iter().map(step).collect()
}

fn conditions(sheet: &Sheet<'_>, shard: &Shard) -> Vec<ProbeOn> {
    let everywhere = |probe: Probe| ProbeOn { on: shard.replicas.clone(), probe };
    let mut all = as_it_was(sheet, shard);
    all.push(everywhere(probes::no_mutations(sheet.local())));
    if sheet.is_replicated {
        all.push(everywhere(probes::replication_healthy(sheet.local())));
    }
    if sheet.has(Capability::CheckGrant) {
        all.extend(sheet.tables().into_iter().map(|table| everywhere(probes::may_alter(table))));
    }
    all
}

/// Every table of the chain, on every replica of the shard that has it.
fn as_it_was(sheet: &Sheet<'_>, shard: &Shard) -> Vec<ProbeOn> {
    let each = sheet.tables().into_iter().flat_map(|table| shard.replicas.iter().map(move |on| (table, *on)));
    together(each.filter_map(|(table, on)| Some((on, sheet.at_the_beginning(table, on, Otherwise::Changed)?))))
}

/// The same question to all replicas that it is the same for.
pub(super) fn together(each: impl Iterator<Item = (ReplicaId, Probe)>) -> Vec<ProbeOn> {
    let mut all: Vec<ProbeOn> = Vec::new();
    for (on, probe) in each {
        match all.iter_mut().find(|known| known.probe == probe) {
            Some(known) => known.on.push(on),
            None => all.push(ProbeOn { on: vec![on], probe }),
        }
    }
    all
}

/// Updating and deleting rows, and waiting until that is done: the mutations of the definition need what these ask for.
pub(super) fn rows(sheet: &Sheet<'_>) -> Vec<Layer> {
    taken_and_done(sheet, Place::Rows)
}

/// Altering, waiting for mutations, and seeing that every replica of every shard has come that far.
pub(super) fn layers(sheet: &Sheet<'_>) -> Vec<Layer> {
    let mut layers = taken_and_done(sheet, Place::Local);
    if !layers.is_empty() {
        let why = "what asks all shards for a definition needs it on all of them";
        layers.push(Layer::new(why, vec![everywhere(sheet)]));
    }
    layers
}

fn taken_and_done(sheet: &Sheet<'_>, place: Place) -> Vec<Layer> {
    let alter: Vec<Step> = sheet.shards.iter().filter_map(|shard| alter(sheet, place, shard)).collect();
    if alter.is_empty() {
        return Vec::new();
    }
    let mut layers = vec![Layer::new("the statement must have been taken before its effect can be looked at", alter)];
    if text::mutates(sheet, place) {
        let waits = sheet.shards.iter().map(|shard| mutations(sheet, place, shard)).collect();
        layers.push(Layer::new("a mutation that is not done everywhere may still fail", waits));
    }
    layers
}

/// What the two steps of a place are called.
fn names(place: Place) -> [&'static str; 2] {
    if place == Place::Rows { ["rows", "rewritten"] } else { ["local", "mutations"] }
}

fn alter(sheet: &Sheet<'_>, place: Place, shard: &Shard) -> Option<Step> {
    let turns = sheet.turns(place, shard);
    let first = turns.first()?;
    let phase = sheet.phase(place);
    let undo = undo_of(&turns, merged(turns.iter().filter_map(|turn| back(sheet, turn))), after_undo(sheet, shard));
    let once = if sheet.is_replicated {
        "once, on one replica, whose replicas follow by themselves"
    } else {
        "on every replica"
    };
    Some(Step {
        id: step_id(phase, names(place)[0], shard.num),
        phase,
        shard: Some(shard.num),
        title: format!("alter the local table: {}", text::short(&first.altered.stage.sql)),
        why: format!("The statement is sent {once}. {}", text::effect_on(sheet, place, shard)),
        action: Action::Run { one_by_one: false, runs: merged(turns.iter().map(|turn| forward(sheet, turn))) },
        undo,
        cost: cost(sheet, place, shard),
    })
}

fn cost(sheet: &Sheet<'_>, place: Place, shard: &Shard) -> Cost {
    let Some(written) = text::written(sheet, Some(place), shard) else { return Cost::default() };
    let per_second =
        sheet.case.survey.speeds.get(&shard.num).map_or(text::GUESSED_PER_SECOND, |speed| speed.bytes_per_second);
    Cost { rows: written.rows, bytes: written.bytes, seconds: written.bytes.div_ceil(per_second) }
}

fn forward(sheet: &Sheet<'_>, turn: &Turn<'_>) -> Run {
    let altered = turn.altered;
    let mut after: Vec<Probe> = Vec::new();
    if altered.before != altered.after {
        after.push(turn.is(&altered.after, "has the definition that this step gives it", Otherwise::Busy));
    }
    after.extend(altered.stage.mutations.iter().map(|command| taken(sheet, turn, command)));
    Run {
        on: vec![turn.on],
        before: vec![turn.as_before(Otherwise::Changed), probes::no_mutations(turn.table)],
        sql: vec![format!("ALTER TABLE {} {}", turn.table.sql(), sheet.sql(&altered.stage.sql))],
        after,
    }
}

/// Holds once the server has taken a mutation.
fn taken(sheet: &Sheet<'_>, turn: &Turn<'_>, command: &MutationCommand) -> Probe {
    match command {
        MutationCommand::Marked(number) => probes::mutation_marked(turn.table, turn.next(), &mark(sheet.id, *number)),
        MutationCommand::Last { wanted, about } => probes::mutation_last(turn.table, turn.next(), wanted, about),
    }
}

fn back(sheet: &Sheet<'_>, turn: &Turn<'_>) -> Option<Run> {
    let altered = turn.altered;
    let way = altered.way_back.as_ref()?;
    let settings = &altered.stage.settings;
    let mut statements: Vec<String> = kill(sheet, turn).into_iter().collect();
    statements.push(format!("ALTER TABLE {} {way}{settings}", turn.table.sql()));
    let is_there = turn.is(&altered.after, "has the definition that the step gave it", Otherwise::Changed);
    let after = match &altered.stage.back {
        Back::Mutation(_, known) => taken(sheet, turn, known),
        _ => turn.as_before(Otherwise::Busy),
    };
    Some(Run { on: vec![turn.on], before: vec![is_there], sql: statements, after: vec![after] })
}

/// Ends the mutations that the step has left, where there is a way back to be free for.
fn kill(sheet: &Sheet<'_>, turn: &Turn<'_>) -> Option<String> {
    let patterns = &turn.altered.stage.kills;
    if patterns.is_empty() || !sheet.has(Capability::KillMutation) {
        return None;
    }
    let any: Vec<String> =
        patterns.iter().map(|pattern| format!("match(command, {})", quote_string(pattern))).collect();
    Some(format!(
        "KILL MUTATION WHERE {} AND NOT is_done AND {} >= {} AND ({})",
        sql::of_table(turn.table),
        probes::MUTATION_NUMBER,
        turn.next(),
        any.join(" OR ")
    ))
}

/// After the way back every replica is to have the definition as it was, and nothing is to be under way.
pub(super) fn after_undo(sheet: &Sheet<'_>, shard: &Shard) -> Vec<Action> {
    let each = shard
        .replicas
        .iter()
        .filter_map(|on| Some((*on, sheet.at_the_beginning(sheet.local(), *on, Otherwise::Busy)?)));
    let mut then = vec![Action::Check { probes: together(each) }];
    if sheet.strategy == Strategy::Mutation {
        then.push(Action::AwaitMutations(wait(sheet, Place::Local, shard)));
    }
    then
}

fn mutations(sheet: &Sheet<'_>, place: Place, shard: &Shard) -> Step {
    let phase = sheet.phase(place);
    Step {
        id: step_id(phase, names(place)[1], shard.num),
        phase,
        shard: Some(shard.num),
        title: "wait until every replica has written its parts".to_owned(),
        why: "A mutation goes on after its statement was answered, on each replica by itself, and may fail on one of them.".to_owned(),
        action: Action::AwaitMutations(wait(sheet, place, shard)),
        undo: Undo::Nothing { because: "it only waits".to_owned() },
        cost: Cost::default(),
    }
}

fn wait(sheet: &Sheet<'_>, place: Place, shard: &Shard) -> AwaitMutations {
    let turns = sheet.turns(place, shard);
    let group = |turn: &Turn<'_>| MutationGroup {
        by: turn.on,
        on: if sheet.is_replicated { shard.replicas.clone() } else { vec![turn.on] },
        list: list(sheet, turn),
    };
    AwaitMutations {
        groups: turns.iter().map(group).collect(),
        progress: format!("SELECT toString(sum(progress)) FROM system.merges WHERE {}", sql::of_table(sheet.local())),
        stall_seconds: STALL_SECONDS,
        fail_seconds: FAIL_SECONDS,
        kill: turns.first().and_then(|turn| kill_any(sheet, turn)),
    }
}

/// What a person would run to end them.
fn kill_any(sheet: &Sheet<'_>, turn: &Turn<'_>) -> Option<String> {
    let ours = format!("{} AND NOT is_done", sql::of_table(turn.table));
    sheet.has(Capability::KillMutation).then(|| format!("KILL MUTATION WHERE {ours}"))
}

fn list(sheet: &Sheet<'_>, turn: &Turn<'_>) -> String {
    let in_one_line = |column: &str| format!(r"replaceRegexpAll({column}, '\\s+', ' ')");
    let fails =
        if sheet.has(Capability::MutationFailReason) { in_one_line("latest_fail_reason") } else { "''".to_owned() };
    format!(
        "SELECT mutation_id, toString(is_done), toString(parts_to_do), {}, {fails} FROM system.mutations WHERE {} AND {} >= {} \
         ORDER BY mutation_id, command",
        in_one_line("command"),
        sql::of_table(turn.table),
        probes::MUTATION_NUMBER,
        turn.next()
    )
}

fn everywhere(sheet: &Sheet<'_>) -> Step {
    let phase = sheet.phase(Place::Local);
    let replicas = sheet.shards.iter().flat_map(|shard| &shard.replicas);
    let each = replicas.filter_map(|on| Some((*on, sheet.at_the_end(sheet.local(), *on, Otherwise::Busy)?)));
    Step {
        id: joint_id(phase, "everywhere"),
        phase,
        shard: None,
        title: "wait until every replica has the new definition".to_owned(),
        why: "A replica learns of an ALTER through Keeper, in its own time; a query may meet any of them.".to_owned(),
        action: Action::Check { probes: together(each) },
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: Cost::default(),
    }
}
