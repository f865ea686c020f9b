//! Columns that are dropped once nobody reads them: what is asked for, and the mark that they bear meanwhile.

use super::commands::Site;
use super::commands::declaration_of;
use super::error::AlterError;
use super::{Alter, Back, Order, Place, Stage};
use crate::ddl::quoting::unquote;
use crate::ddl::{Form, columns_of, computes_with};
use crate::names::{quote_identifier, quote_string};
use crate::snapshot::{Capability, Snapshot};

/// How a comment of a marked column begins.
const MARK: &str = "deprecated since ";

/// The columns that an ALTER is the end of, if it does nothing else: those that it drops, and those that were the default of another
/// column, which is taken away or replaced.
pub fn retired(alter: &Alter) -> Option<Vec<String>> {
    let ended = |command: &super::Command| match (command.form, &command.new_default) {
        (Form::DropColumn, _) => command.subject.clone().map(|column| vec![column]),
        (_, Some(default)) => another_column(alter, &default.before)
            .filter(|column| !computes_with(&default.after, column))
            .map(|column| vec![column]),
        _ => None,
    };
    let columns: Option<Vec<Vec<String>>> = alter.commands.iter().map(ended).collect();
    let mut columns = columns?.concat();
    let mut seen = std::collections::BTreeSet::new();
    columns.retain(|column| seen.insert(column.clone()));
    Some(columns).filter(|columns| !columns.is_empty())
}

/// The column that a default is, and nothing else.
pub fn another_column(alter: &Alter, default: &str) -> Option<String> {
    let [column] = columns_of(default).ok()?.try_into().ok()?;
    let is_it = unquote(default).as_deref().unwrap_or(default) == column;
    let local = alter.orders.iter().find(|order| order.is_local)?;
    let is_there = local.definition.column_names().any(|name| name == column);
    (is_it && is_there).then_some(column)
}

/// Has each table bear a mark on the columns that it is to lose, before anything else is done to it: their comment says so, with
/// the day and the comment that was there. Tables of which these servers would lose a column by that are left as they are.
pub fn mark(alter: &mut Alter, snapshot: &Snapshot, day: &str) -> Result<(), AlterError> {
    let Some(columns) = retired(alter) else { return Ok(()) };
    let source = &alter.change.table;
    let is_replicated =
        snapshot.replicas.keys().any(|id| snapshot.table(*id, source).is_some_and(|table| table.replication.is_some()));
    let loses = is_replicated && !snapshot.all_have(Capability::MutationsSync);
    for order in alter.orders.iter_mut().filter(|order| !(order.is_local && loses)) {
        mark_on(order, &columns, day)?;
    }
    Ok(())
}

/// The day of a mark, out of the statement that makes it.
pub fn marked_since(sql: &str) -> Option<&str> {
    let day = &sql[sql.find(MARK)? + MARK.len()..];
    day.split(',').next()
}

/// Takes the mark off a table that does not bear it well.
pub fn unmark(order: &mut Order) {
    order.stages.retain(|stage| stage.place != Place::Mark);
}

fn mark_on(order: &mut Order, columns: &[String], day: &str) -> Result<(), AlterError> {
    let site = Site {
        table: &order.table,
        live: &order.definition,
        is_local: order.is_local,
        is_named: false,
        added: &[],
        dropped: &[],
        left_out: &[],
    };
    let (mut marks, mut ways): (Vec<String>, Vec<Vec<String>>) = (Vec::new(), vec![Vec::new(); 3]);
    for column in columns {
        let Some(declared) = site.declared(column) else { continue };
        let comment = comment(&declared)?;
        if comment.as_ref().is_some_and(|text| text.starts_with(MARK)) {
            continue;
        }
        let name = quote_identifier(column);
        let old = comment.as_ref().map_or(String::new(), |text| format!("; before: {text}"));
        marks.push(format!("COMMENT COLUMN {name} {}", quote_string(&format!("{MARK}{day}, to be dropped{old}"))));
        let before = quote_string(comment.as_deref().unwrap_or_default());
        let way = format!("COMMENT COLUMN {name} {before}");
        ways[0].push(way.clone());
        ways[1].push(if comment.is_some() { way } else { format!("MODIFY COLUMN {name} REMOVE COMMENT") });
        // A table that holds no rows loses nothing by this.
        let declared = declaration_of(&declared)?.unplaced().to_sql(column);
        ways[2].extend([format!("DROP COLUMN {name}"), format!("ADD COLUMN {declared} {}", site.place_of(column))]);
    }
    if marks.is_empty() {
        return Ok(());
    }
    ways.truncate(if order.is_local { 2 } else { 3 });
    let sql = marks.join(", ");
    for stage in order.stages.iter_mut().filter(|stage| stage.place == Place::Before) {
        // A column that comes back bears its mark again.
        if let Back::Ways(ways) = &mut stage.back {
            let marked: Vec<String> = ways.iter().map(|way| format!("{way}, {sql}")).collect();
            ways.splice(0..0, marked);
        }
    }
    let ways = ways.iter().map(|way| way.join(", ")).collect();
    let stage = Stage {
        place: Place::Mark,
        sql,
        back: Back::Ways(ways),
        settings: String::new(),
        mutations: Vec::new(),
        kills: Vec::new(),
    };
    order.stages.insert(0, stage);
    Ok(())
}

/// The comment that a declaration has.
fn comment(declared: &str) -> Result<Option<String>, AlterError> {
    let declaration = declaration_of(declared)?;
    let part = declaration.parts.iter().find(|(word, _)| word == "COMMENT");
    Ok(part.and_then(|(_, text)| unquote(text.get("COMMENT".len()..)?.trim())).filter(|text| !text.is_empty()))
}
