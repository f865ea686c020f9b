//! What is assessed: a change, the cluster it is for and the definition it leads to.

use super::evaluation::Evaluation;
use crate::catalog::Table;
use crate::change::{Change, TypeChange};
use crate::ddl::{Engine, read_engine};
use crate::merging::{self, Merging};
use crate::names::{ReplicaId, TableName};
use crate::snapshot::{Capability, ReplicaState, Snapshot};

/// A change on a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The cluster as it was observed.
    pub snapshot: &'a Snapshot,
    /// The change.
    pub change: &'a Change,
    /// The wanted definition in the server's normal form, from a scratch table with a plain engine: its keys and columns
    /// are those that the new table will have.
    pub target: &'a Table,
    /// The definition that the person wrote out, if they wrote a whole one, in the same normal form.
    pub written: Option<&'a Table>,
    /// What `evaluate` measured of the change, if that was given.
    pub evaluation: Option<&'a Evaluation>,
}

impl<'a> Case<'a> {
    /// The table that changes.
    pub fn name(&self) -> &'a TableName {
        &self.change.table
    }

    /// The table on every replica that has it.
    pub fn sources(&self) -> impl Iterator<Item = (ReplicaId, &'a Table)> {
        let (snapshot, name) = (self.snapshot, &self.change.table);
        snapshot.replicas.keys().filter_map(move |id| Some((*id, snapshot.table(*id, name)?)))
    }

    /// The table on the first replica that has it.
    pub fn source(&self) -> Option<&'a Table> {
        self.sources().next().map(|(_, table)| table)
    }

    /// Columns that get another type, in the server's words.
    pub fn types(&self) -> Vec<TypeChange> {
        let kind = |table: &Table, name: &str| {
            table.columns.iter().find(|column| column.name == name).map(|column| column.kind.clone())
        };
        let change = |(column, _): &(String, String)| {
            let (before, after) = (kind(self.source()?, column)?, kind(self.target, column)?);
            (before != after).then(|| TypeChange { column: column.clone(), before, after })
        };
        self.change.wanted.types.iter().filter_map(change).collect()
    }

    /// The engine that a whole definition gives the table, if rows are merged otherwise than today.
    pub fn other_engine(&self) -> Option<&'a Engine> {
        let before = read_engine(&self.source()?.engine_full).ok()?;
        let after = &self.change.wanted.definition.as_ref()?.engine;
        (!before.merges_as(after)).then_some(after)
    }

    /// The engine of the wanted definition in the server's words, not replicated.
    pub fn target_engine(&self) -> Option<Engine> {
        read_engine(&self.target.engine_full).ok()
    }

    /// Something about how rows are merged today, and how they will be.
    pub fn of_merging<T>(&self, ask: impl Fn(Merging<'_>, Merging<'_>) -> T) -> Option<T> {
        let source = self.source()?;
        let before = read_engine(&source.engine_full).ok()?;
        let after = self.other_engine().unwrap_or(&before);
        let old = Merging { engine: &before, keys: &source.keys };
        Some(ask(old, Merging { engine: after, keys: &self.target.keys }))
    }

    /// Whether writers must be still for the boundary of a rebuild: servers merge the rows of an insert before they write them, each
    /// table its own way, so that what is in the one does not tell what is in the other.
    pub fn rests_for_boundary(&self) -> bool {
        let is_known = self.of_merging(merging::inserts_are_known).unwrap_or(true);
        !is_known && self.any_has(Capability::OptimizeOnInsert)
    }

    /// Whether writers must be still for the swap of a rebuild: what merging leaves of rows cannot be put right row by row.
    pub fn rests_for_swap(&self) -> bool {
        !self.of_merging(merging::is_mended_by_rows).unwrap_or(true)
    }

    /// Whether some replica has a capability.
    pub fn any_has(&self, capability: Capability) -> bool {
        self.states().any(|(_, state)| state.capabilities.contains(&capability))
    }

    /// A replica with its address, for people.
    pub fn replica(&self, id: ReplicaId) -> String {
        let known = self.snapshot.topology.replica(id);
        known.map_or_else(|| id.to_string(), |replica| format!("{id} ({})", replica.address()))
    }

    /// Several replicas with their addresses, for people.
    pub fn replicas(&self, ids: &[ReplicaId]) -> String {
        if ids.len() > 1 && ids.len() == self.snapshot.topology.replicas().count() {
            return "every replica".to_owned();
        }
        let replicas: Vec<String> = ids.iter().map(|id| self.replica(*id)).collect();
        replicas.join(", ")
    }

    /// Every replica that answered.
    pub fn states(&self) -> impl Iterator<Item = (ReplicaId, &'a ReplicaState)> {
        let snapshot = self.snapshot;
        snapshot.replicas.keys().filter_map(move |id| Some((*id, snapshot.state(*id)?)))
    }

    /// Whether names can be swapped by EXCHANGE TABLES: every server knows it, and everywhere the table's database is Atomic.
    pub fn swaps_by_exchange(&self) -> bool {
        self.states().all(|(id, _)| self.exchanges_on(id))
    }

    /// Whether names can be swapped by EXCHANGE TABLES on one replica. Servers that have it must swap so: there a RENAME takes
    /// the views of a table along to its new name, and the mirror with them.
    pub fn exchanges_on(&self, id: ReplicaId) -> bool {
        self.exchanges_in(id, &self.change.table.database)
    }

    /// The same of tables of another database.
    pub fn exchanges_in(&self, id: ReplicaId, database: &str) -> bool {
        self.snapshot.state(id).is_some_and(|state| {
            let engine = state.databases.get(database).map(String::as_str);
            state.capabilities.contains(&Capability::Exchange) && engine == Some("Atomic")
        })
    }

    /// The engine of the table's database on every replica that answered; none where there is no such database.
    pub fn databases(&self) -> impl Iterator<Item = (ReplicaId, Option<&'a str>)> {
        let database = &self.change.table.database;
        self.states().map(move |(id, state)| (id, state.databases.get(database).map(String::as_str)))
    }
}
