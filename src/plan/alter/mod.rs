//! Plans that change definitions in place, and those for which servers write parts anew: the strategies `in_place` and `mutation`.
//!
//! What the `Distributed` tables must not ask of the shards any more goes first, then the local tables, then what the `Distributed`
//! tables get. A layer begins when the one before it has ended everywhere.

mod layers;
mod local;
mod over;
mod sheet;
#[cfg(test)]
mod tests;
mod text;
mod unread;

use super::frame;
use super::related::{definitions, related};
use super::step::{Gate, Phase};
use super::work::Unread;
use super::{ChangeSummary, Changed, FORMAT_VERSION, GraphError, Objects, Plan, ShardSize, Strategy, TableCommands};
use crate::alter::Place;
use crate::assess::{AlterCase, Finding};
use crate::classify::Class;
use crate::names::own_name;
use layers::Layer;
use sheet::Sheet;

/// Builds the plan for an ALTER whose orders were tried. The findings are those of [`crate::assess::assess_alter`] for the same
/// case. What the logs are asked before a column goes is `unread`, where it goes once nobody reads it. The result depends on nothing but
/// the arguments.
pub fn build(case: &AlterCase<'_>, findings: Vec<Finding>, unread: Option<&Unread>) -> Result<Plan, GraphError> {
    let base = case.base();
    let change = &case.alter.change;
    let objects = Objects {
        source: change.table.clone(),
        distributed: change.distributed.clone(),
        views: base.source().map(|table| table.dependents.clone()).unwrap_or_default(),
        lock: own_name(&change.table, "lock"),
    };
    let named = std::iter::once(&objects.source).chain(&objects.distributed).chain(&objects.views);
    let fingerprints = definitions(&base, named);
    let id = frame::plan_id(case.snapshot, &change.statement, &fingerprints);
    let sheet = Sheet::new(case, &id, unread);
    let (steps, edges) = layers::joined(layers(&sheet));
    Ok(Plan {
        format_version: FORMAT_VERSION,
        retirement: case.retirement.cloned(),
        strategy: sheet.strategy,
        choices: text::choices(&sheet),
        capabilities: case.snapshot.common_capabilities(),
        cluster: frame::identity(case.snapshot),
        change: ChangeSummary { statement: change.statement.clone(), what: Changed::Commands(commands(&sheet)) },
        related: related(&base, &objects, &fingerprints),
        objects,
        fingerprints,
        findings,
        sizes: sheet.shards.iter().filter_map(|shard| size(&sheet, shard)).collect(),
        steps: frame::in_order(steps, &edges)?,
        edges,
        id,
    })
}

fn strategy(case: &AlterCase<'_>) -> Strategy {
    let local = case.tried.iter().filter(|tried| tried.order.is_local).any(|tried| !tried.stages.is_empty());
    if case.alter.class == Class::Mutation && local { Strategy::Mutation } else { Strategy::InPlace }
}

/// The steps, layer by layer.
fn layers(sheet: &Sheet<'_>) -> Vec<Layer> {
    let mut layers = vec![
        Layer::new(
            "the plan was made for definitions and a health that may have changed since",
            local::preflight(sheet),
        ),
        Layer::new(
            "what was looked at is what a person decides on",
            vec![frame::gate(Gate::Start, Phase::Alter, "wait for approval to start", text::START)],
        ),
    ];
    for place in [Place::Mark, Place::Before, Place::Rows, Place::Local, Place::After] {
        if sheet.turning == Some(place) {
            let gate = frame::gate(Gate::Finalize, Phase::Finalize, "wait for approval to finalize", &sheet.lost);
            layers.push(Layer::new(
                "all that can be taken back is done, and seen to work, before what cannot",
                vec![gate],
            ));
        }
        match place {
            Place::Mark => layers.extend(unread::mark(sheet)),
            Place::Before => layers.extend(over::before(sheet)),
            Place::Rows => layers.extend(local::rows(sheet)),
            Place::Local => {
                layers.extend(unread::again(sheet));
                layers.extend(local::layers(sheet));
            }
            Place::After => layers.extend(over::after(sheet)),
        }
    }
    layers.push(Layer::new("what was done is looked at last", over::verify(sheet)));
    layers.retain(|layer| !layer.steps.is_empty());
    layers
}

fn commands(sheet: &Sheet<'_>) -> Vec<TableCommands> {
    let mut all: Vec<TableCommands> = Vec::new();
    for tried in sheet.case.tried {
        let order = &tried.order;
        let statements: Vec<String> = tried.stages.iter().map(|stage| sheet.sql(&stage.stage.sql)).collect();
        if statements.is_empty() || all.iter().any(|known| known.table == order.table && known.statements == statements)
        {
            continue;
        }
        let effect = if order.is_local { text::effect(sheet) } else { String::new() };
        all.push(TableCommands { table: order.table.clone(), statements, effect });
    }
    all
}

fn size(sheet: &Sheet<'_>, shard: &sheet::Shard) -> Option<ShardSize> {
    let home = sheet.case.snapshot.table(shard.home, &sheet.case.alter.change.table)?;
    Some(ShardSize {
        shard: shard.num,
        backfill_replica: shard.home,
        rows: home.rows(),
        bytes: home.bytes(),
        partitions: home.partitions.len() as u64,
    })
}
