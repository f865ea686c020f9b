//! Who reads or writes a column by its name.

use std::collections::BTreeSet;

use crate::assess::AlterCase;
use crate::catalog::Table;
use crate::ddl::{View, read_view};
pub(super) use crate::ddl::{asks_for, speaks_of};
use crate::names::TableName;

/// The local table and the `Distributed` ones over it.
pub(super) fn chain(case: &AlterCase<'_>) -> BTreeSet<TableName> {
    let change = &case.alter.change;
    std::iter::once(&change.table).chain(&change.distributed).cloned().collect()
}

/// Every table of the cluster, each once, as the first replica that has it describes it.
pub(super) fn tables<'a>(case: &AlterCase<'a>) -> Vec<&'a Table> {
    let mut names = BTreeSet::new();
    let base = case.base();
    let all = base.states().flat_map(|(_, state)| state.tables.values());
    all.filter(|table| names.insert(table.name.clone())).collect()
}

/// Views, with the tables that they read and the one that they write to.
pub(super) struct Reader<'a> {
    pub(super) table: &'a Table,
    pub(super) view: View,
    pub(super) sources: Vec<TableName>,
    pub(super) target: Option<TableName>,
}

/// Every view that can be read.
pub(super) fn views<'a>(case: &AlterCase<'a>) -> Vec<Reader<'a>> {
    let reader = |table: &'a Table| {
        let view = read_view(&table.create_query).ok()?;
        let database = &table.name.database;
        let sources = view.sources.iter().map(|source| source.in_database(database)).collect();
        let target = view.target.as_ref().map(|target| target.in_database(database));
        Some(Reader { table, view, sources, target })
    };
    tables(case).into_iter().filter(|table| table.engine.ends_with("View")).filter_map(reader).collect()
}

/// Columns that are not there under their names any more.
pub(super) fn columns_gone<'a>(case: &AlterCase<'a>) -> Vec<&'a str> {
    case.alter.commands.iter().filter_map(crate::alter::Command::takes_away).collect()
}

/// Whether all servers take what a view gives beyond the columns of its target, and convert what it gives.
pub(super) fn views_are_lenient(case: &AlterCase<'_>) -> bool {
    // Old servers push the view's block as it is.
    case.snapshot.all_have(crate::snapshot::Capability::ViewsLeaveMaterialized)
}
