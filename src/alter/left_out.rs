//! Added columns that a `Distributed` table does without. The local tables compute them for what comes through it.

use super::commands::declaration;
use crate::ddl::{AlterCommand, CreateTable, Form, Text, columns_of};
use crate::names::TableName;
use crate::snapshot::{Capability, Snapshot};

/// Columns that one table is not given, and a sentence about each.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    pub(super) columns: Vec<String>,
    pub(super) said: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, table: &TableName, column: &str, why: &str) {
        self.columns.push(column.to_owned());
        self.said.push(format!("{table} does without {column}: {why}"));
    }

    /// Of a `Distributed` table. One that the statement names is given what cannot be computed there: the server says why not.
    pub(super) fn of(
        table: &TableName,
        live: &CreateTable,
        commands: &[AlterCommand],
        is_named: bool,
        snapshot: &Snapshot,
    ) -> Self {
        let mut left_out = Self::default();
        let added = || {
            let added = commands.iter().filter(|command| command.form == Form::AddColumn);
            added.filter_map(|command| Some((command.subject.as_deref()?, command)))
        };
        if refuses_materialized(live, snapshot) {
            let is_it = |command: &AlterCommand| declaration(&command.text.text).is_ok_and(|it| it.has("MATERIALIZED"));
            for (column, _) in added().filter(|(_, command)| is_it(command)) {
                left_out.add(
                    table,
                    column,
                    "these servers refuse all that is inserted through a table with such a column",
                );
            }
        }
        let is_lacking = |left_out: &Self, (column, command): &(&str, &AlterCommand)| {
            let gets = |name: &String| {
                added().any(|(column, _)| column == name) && !left_out.columns.contains(name)
                    || live.column_names().any(|known| known == name)
            };
            let needs = |default: &Text| columns_of(&default.text).unwrap_or_default();
            let is_new = !left_out.columns.iter().any(|known| known == column);
            is_new && command.default.as_ref().is_some_and(|default| !needs(default).iter().all(gets))
        };
        while let Some((column, _)) = added().find(|one| !is_named && is_lacking(&left_out, one)) {
            left_out.add(table, column, "it lacks what that is computed from");
        }
        left_out
    }
}

/// Whether servers send MATERIALIZED columns of a `Distributed` table along, which no shard takes, and rows may be inserted through it.
pub fn refuses_materialized(live: &CreateTable, snapshot: &Snapshot) -> bool {
    let has_key = live.engine.distributed().is_some_and(|over| over.sharding_key.is_some());
    // They learned at the same time to leave such columns out of inserts through views.
    !snapshot.all_have(Capability::ViewsLeaveMaterialized) && (has_key || snapshot.topology.shards.len() == 1)
}
