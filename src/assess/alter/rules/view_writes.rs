//! SW065: a materialized view and the table that it writes to do not fit each other any more.

use super::reader::{Reader, asks_for, chain, columns_gone, speaks_of, tables, views, views_are_lenient};
use crate::assess::{AlterCase, Finding};
use crate::catalog::Table;
use crate::ddl::Form;

pub(super) const CODE: &str = "SW065";

/// A view that gives a column which its target has no more, or that takes all columns and gives its target one that it lacks.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let views: Vec<Reader<'_>> = views(case).into_iter().filter(|reader| reader.view.materialized).collect();
    let gone = views.iter().flat_map(|reader| loses_its_column(case, reader));
    let new = views.iter().flat_map(|reader| gets_one_more(case, reader));
    let fewer = views.iter().filter_map(|reader| gives_fewer(case, reader));
    gone.chain(new).chain(fewer).collect()
}

/// Old servers take the view's block as it is. A local table refuses one that lacks a column, a `Distributed` table only when it
/// sends it on at once.
fn gives_fewer(case: &AlterCase<'_>, reader: &Reader<'_>) -> Option<Finding> {
    let target = reader.target.as_ref().filter(|target| chain(case).contains(*target))?;
    let is_added = case.alter.commands.iter().any(|command| command.form == Form::AddColumn);
    if !is_added || views_are_lenient(case) {
        return None;
    }
    let view = &reader.table.name;
    let what =
        format!("the materialized view {view} writes to {target}, which gets a column that the view does not give");
    let again = format!("pause what {view} reads, drop {view}, and make it with the column right after the change");
    Some(if *target == case.alter.change.table {
        let why =
            "these servers refuse every insert that the view sees once its target has a column more than the view";
        Finding::blocker(CODE, what, why, again)
    } else {
        let why = "these servers refuse every insert with insert_distributed_sync = 1 that the view sees once its target has a column \
                   more than the view; those that wait in the queue of the table get the default";
        Finding::hazard(CODE, what, why, format!("leave the sending to the table, or {again}"))
    })
}

fn loses_its_column(case: &AlterCase<'_>, reader: &Reader<'_>) -> Vec<Finding> {
    let Some(target) = reader.target.as_ref().filter(|target| chain(case).contains(*target)) else { return Vec::new() };
    let select = &reader.view.select.text;
    let gives = |column: &&str| {
        speaks_of(select, column)
            || asks_for(select, column) && reader.table.columns.iter().any(|one| one.name == **column)
    };
    let finding = |column: &str| {
        Finding::blocker(
            CODE,
            format!("the materialized view {} writes column {column} to {target}", reader.table.name),
            "once the column is gone, old servers refuse every insert that the view sees, and new ones leave its values out without \
             a word",
            format!("make {} without {column} first, then plan again", reader.table.name),
        )
    };
    columns_gone(case).into_iter().filter(gives).map(finding).collect()
}

fn gets_one_more(case: &AlterCase<'_>, reader: &Reader<'_>) -> Vec<Finding> {
    let reads = reader.sources.contains(&case.alter.change.table);
    let Some(target) = reader.target.as_ref().filter(|_| reads) else { return Vec::new() };
    let takes = |column: &&String| asks_for(&reader.view.select.text, column);
    let targets: Vec<&Table> = tables(case).into_iter().filter(|table| table.name == *target).collect();
    let lacks = |column: &&String| {
        let has = |table: &&Table| table.columns.iter().any(|one| one.name == **column);
        targets.is_empty() || !targets.iter().all(has)
    };
    let added = case.alter.commands.iter().filter(|command| command.form == Form::AddColumn);
    let added = added.filter_map(|command| command.subject.as_ref()).filter(takes).filter(lacks);
    // New servers go by the columns that the view had when it was made.
    added
        .filter(|_| !views_are_lenient(case))
        .map(|column| {
            Finding::blocker(
                CODE,
                format!("the materialized view {} takes all columns of the table, or all of such names, and writes to {target}, which has no column {column}", reader.table.name),
                "these servers would refuse every insert into the table: the view gives its target a column that it lacks",
                format!("add the column to {target} first, or make the view with a list of columns"),
            )
        })
        .collect()
}
