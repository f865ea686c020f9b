//! What all steps of an ALTER's plan draw on: the orders by replica, the shards, and from where on there is no way back.

use crate::alter::{Altered, Back, Place, Tried, marked};
use crate::assess::AlterCase;
use crate::catalog::Table;
use crate::ddl::read_engine;
use crate::names::{ReplicaId, TableName};
use crate::plan::step::{Phase, Undo};
use crate::plan::work::{Otherwise, Probe, Run, Unread};
use crate::plan::{Strategy, probes};
use crate::snapshot::Capability;

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) num: u32,
    pub(super) replicas: Vec<ReplicaId>,
    /// The first replica that has the local table: it takes the statements to a Replicated one.
    pub(super) home: ReplicaId,
}

#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) case: &'a AlterCase<'a>,
    pub(super) id: &'a str,
    /// What logs are asked before a column goes.
    pub(super) unread: Option<&'a Unread>,
    pub(super) strategy: Strategy,
    pub(super) shards: Vec<Shard>,
    pub(super) is_replicated: bool,
    /// The first place at which something cannot be taken back.
    pub(super) turning: Option<Place>,
    /// What is lost there, for the gate.
    pub(super) lost: String,
}

/// A stage of an order on one of its replicas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) on: ReplicaId,
    pub(super) table: &'a TableName,
    pub(super) altered: &'a Altered,
    live: &'a Table,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(case: &'a AlterCase<'a>, id: &'a str, unread: Option<&'a Unread>) -> Self {
        let table = &case.alter.change.table;
        let shards = case.snapshot.topology.shards.iter().filter_map(|shard| {
            let replicas = shard.replica_ids();
            let home = *replicas.iter().find(|id| case.snapshot.table(**id, table).is_some())?;
            Some(Shard { num: shard.num, replicas, home })
        });
        let engine = case.base().source().and_then(|table| read_engine(&table.engine_full).ok());
        let irrevocable =
            case.tried.iter().flat_map(|tried| &tried.stages).filter_map(|stage| Some((stage, gone(stage)?)));
        let mut irrevocable: Vec<(Place, String)> = irrevocable.map(|(stage, why)| (stage.place(), why)).collect();
        irrevocable.sort();
        irrevocable.dedup();
        let why: Vec<&str> = irrevocable.iter().map(|(_, why)| why.as_str()).collect();
        Self {
            case,
            id,
            unread,
            strategy: super::strategy(case),
            shards: shards.collect(),
            is_replicated: engine.is_some_and(|engine| engine.replicated()),
            turning: irrevocable.first().map(|(place, _)| *place),
            lost: format!("The point of no return: {}. Until then all of it can be rolled back.", why.join("; ")),
        }
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        self.case.snapshot.all_have(capability)
    }

    /// SQL with the plan's own marks.
    pub(super) fn sql(&self, sql: &str) -> String {
        marked(sql, self.id)
    }

    /// The phase of what is done at a place.
    pub(super) fn phase(&self, place: Place) -> Phase {
        if self.turning.is_some_and(|turning| place >= turning) { Phase::Finalize } else { Phase::Alter }
    }

    pub(super) fn local(&self) -> &'a TableName {
        &self.case.alter.change.table
    }

    /// Every table of the chain, the local one first.
    pub(super) fn tables(&self) -> Vec<&'a TableName> {
        let mut tables: Vec<&TableName> = self.case.tried.iter().map(|tried| &tried.order.table).collect();
        tables.dedup();
        tables
    }

    /// The turns of a place on the replicas of a shard, or on those of all; of a Replicated table only the home's.
    pub(super) fn turns(&self, place: Place, shard: &Shard) -> Vec<Turn<'a>> {
        let mut turns = Vec::new();
        for tried in self.case.tried {
            let alone = tried.order.is_local && self.is_replicated;
            let wanted = |id: &&ReplicaId| id.shard == shard.num && (!alone || **id == shard.home);
            for altered in tried.stages.iter().filter(|stage| stage.place() == place) {
                let on = tried.order.on.iter().filter(wanted);
                turns.extend(on.filter_map(|id| self.turn(*id, tried, altered)));
            }
        }
        turns
    }

    fn turn(&self, on: ReplicaId, tried: &'a Tried, altered: &'a Altered) -> Option<Turn<'a>> {
        let live = self.case.snapshot.table(on, &tried.order.table)?;
        Some(Turn { on, table: &tried.order.table, altered, live })
    }

    /// A probe of each table's definition at the end, on each of these replicas; `otherwise` where it is another one.
    pub(super) fn at_the_end(&self, table: &TableName, on: ReplicaId, otherwise: Otherwise) -> Option<Probe> {
        let live = self.case.snapshot.table(on, table)?;
        let tried = self.case.tried.iter().find(|tried| tried.order.table == *table && tried.order.on.contains(&on))?;
        let wanted = match tried.stages.last() {
            None => live.create_query.clone(),
            Some(stage) => Altered::expected(&live.create_query, &stage.after),
        };
        Some(probes::defined_as(table, "is defined as wanted", &[&wanted], otherwise))
    }

    /// A probe of a table's definition as it was, in the words of now or in those of the server after a rollback.
    pub(super) fn at_the_beginning(&self, table: &TableName, on: ReplicaId, otherwise: Otherwise) -> Option<Probe> {
        let live = self.case.snapshot.table(on, table)?;
        let tried = self.case.tried.iter().find(|tried| tried.order.table == *table && tried.order.on.contains(&on))?;
        let again = tried.stages.first().map(|stage| Altered::expected(&live.create_query, &stage.before));
        let mut texts = vec![live.create_query.as_str()];
        texts.extend(again.as_deref().filter(|again| *again != live.create_query));
        Some(probes::defined_as(table, "is defined as it was when the plan was made", &texts, otherwise))
    }
}

/// Why a stage cannot be taken back, if it cannot.
pub(super) fn gone(stage: &Altered) -> Option<String> {
    match &stage.stage.back {
        Back::Gone(why) => Some(why.clone()),
        Back::Ways(_) | Back::Mutation(..) if stage.way_back.is_none() => {
            let sql = stage.stage.sql.replace('\0', "");
            Some(format!("no statement of these servers leads back to the very definition before `{sql}`"))
        }
        _ => None,
    }
}

impl Turn<'_> {
    /// The number from which on mutations are the plan's or later.
    pub(super) fn next(&self) -> u64 {
        self.live.mutation_next
    }

    pub(super) fn is(&self, definition: &str, says: &str, otherwise: Otherwise) -> Probe {
        let wanted = Altered::expected(&self.live.create_query, definition);
        probes::defined_as(self.table, says, &[&wanted], otherwise)
    }

    /// As it was, in the words of now too, if this is the table's first turn.
    pub(super) fn as_before(&self, otherwise: Otherwise) -> Probe {
        let again = Altered::expected(&self.live.create_query, &self.altered.before);
        let mut texts = vec![again.as_str()];
        if self.altered.is_first && again != self.live.create_query {
            texts.push(&self.live.create_query);
        }
        probes::defined_as(self.table, "is defined as this step expects it", &texts, otherwise)
    }
}

/// The same statements for all replicas that they are the same for.
pub(super) fn merged(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    for run in runs {
        let same = |known: &&mut Run| known.sql == run.sql && known.before == run.before && known.after == run.after;
        match merged.iter_mut().find(same) {
            Some(known) => known.on.extend(run.on),
            None => merged.push(run),
        }
    }
    merged
}

/// How a step over these turns is taken back: by `runs`, or as the first of them says that it is not.
pub(super) fn undo_of(turns: &[Turn<'_>], runs: Vec<Run>, then: Vec<crate::plan::Action>) -> Undo {
    if let Some(because) = turns.iter().find_map(|turn| gone(turn.altered)) {
        return Undo::Impossible { because };
    }
    let nothing = turns.iter().find_map(|turn| match &turn.altered.stage.back {
        Back::Nothing(because) => Some(because.clone()),
        _ => None,
    });
    match nothing {
        Some(because) => Undo::Nothing { because },
        None => Undo::Run { one_by_one: false, runs, then },
    }
}
