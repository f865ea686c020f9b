//! Who reads or writes a column by its name.

use std::collections::BTreeSet;

use crate::alter::{Command, TriedDependent};
use crate::assess::AlterCase;
use crate::catalog::Table;
use crate::ddl::{Merged, View, named_table, read_engine, read_view};
pub(super) use crate::ddl::{asks_for, speaks_of};
use crate::names::TableName;

/// The local table and the `Distributed` ones over it, which the plan alters, and Alias tables, whose columns are theirs.
pub(super) fn chain(case: &AlterCase<'_>) -> BTreeSet<TableName> {
    let change = &case.alter.change;
    let mut chain: BTreeSet<TableName> = std::iter::once(&change.table).chain(&change.distributed).cloned().collect();
    let aliases =
        tables(case).into_iter().filter(|table| table.engine == "Alias" && passes_on_to(table, &chain).is_some());
    let aliases: Vec<TableName> = aliases.map(|table| table.name.clone()).collect();
    chain.extend(aliases);
    chain
}

/// The chain and whatever has columns of its own and passes on to it what it is given or asked for, through however many tables.
pub(super) fn leading(case: &AlterCase<'_>) -> BTreeSet<TableName> {
    let mut names = chain(case);
    let all = tables(case);
    loop {
        let leads = |table: &&&Table| !names.contains(&table.name) && passes_on_to(table, &names).is_some();
        let found: Vec<TableName> = all.iter().filter(leads).map(|table| table.name.clone()).collect();
        if found.is_empty() {
            return names;
        }
        names.extend(found);
    }
}

/// Which of these tables a `Distributed`, Buffer, Merge or Alias table stands before.
pub(super) fn passes_on_to<'n>(table: &Table, names: &'n BTreeSet<TableName>) -> Option<&'n TableName> {
    let engine = read_engine(&table.engine_full).ok()?;
    let own = &table.name.database;
    match table.engine.as_str() {
        "Distributed" => {
            let over = engine.distributed()?;
            names.get(&TableName::new(over.database.as_deref().unwrap_or(own), over.table))
        }
        "Buffer" | "Alias" => names.get(&named_table(&engine, own)?),
        "Merge" => {
            let merged = Merged::read(engine.args(), own)?;
            names.iter().find(|name| **name != table.name && merged.has(name))
        }
        _ => None,
    }
}

/// Every table of the cluster; one that replicas define differently once for each of its definitions.
pub(super) fn tables<'a>(case: &AlterCase<'a>) -> Vec<&'a Table> {
    let mut known = BTreeSet::new();
    let base = case.base();
    let all = base.states().flat_map(|(_, state)| state.tables.values());
    all.filter(|table| known.insert((&table.name, &table.create_query))).collect()
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
    let known = leading(case);
    let reader = |table: &'a Table| {
        let view = read_view(&table.create_query).ok()?;
        let database = &table.name.database;
        let sources = view.reads(database, &known);
        let target = view.target.as_ref().map(|target| target.in_database(database));
        Some(Reader { table, view, sources, target })
    };
    tables(case).into_iter().filter(|table| table.engine.ends_with("View")).filter_map(reader).collect()
}

/// The trials of a view, one for each of its definitions.
pub(super) fn trials<'a>(case: &AlterCase<'a>, name: &TableName) -> Vec<&'a TriedDependent> {
    case.survey.dependents.iter().filter(|tried| tried.dependent.name == *name).collect()
}

/// Columns that are not there under their names any more.
pub(super) fn columns_gone<'a>(case: &AlterCase<'a>) -> Vec<&'a str> {
    case.alter.commands.iter().filter_map(Command::takes_away).collect()
}

/// Columns that a table with columns of its own goes on having with the type of before, each with that type.
pub(super) fn types_kept<'a>(case: &AlterCase<'a>, table: &'a Table) -> Vec<(&'a str, &'a str)> {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    let wanted = |command: &Command| command.declared_type().ok().flatten().map(|kind| words(&kind));
    let changed = case.alter.commands.iter().filter(|command| command.changes_type());
    let kept = |command: &'a Command| {
        let column = table.columns.iter().find(|column| command.subject.as_ref() == Some(&column.name))?;
        (wanted(command) != Some(words(&column.kind))).then_some((column.name.as_str(), column.kind.as_str()))
    };
    changed.filter_map(kept).collect()
}

/// Whether all servers take what a view gives beyond the columns of its target, and convert what it gives.
pub(super) fn views_are_lenient(case: &AlterCase<'_>) -> bool {
    // Old servers push the view's block as it is.
    case.snapshot.all_have(crate::snapshot::Capability::ViewsLeaveMaterialized)
}
