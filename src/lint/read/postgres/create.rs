//! Reads what creates something in PostgreSQL.

use super::super::Cursor;
use super::column::{column, constraint_kind};
use super::{PostgresLexer, nested};
use crate::ddl::DdlError;
use crate::ddl::reader::Reader;
use crate::lint::statement::{Act, ConstraintKind, Definition, What};

pub(super) fn create(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let reader = &mut cursor.reader;
    if reader.take(&["UNIQUE", "INDEX"]) || reader.take(&["INDEX"]) {
        return create_index(cursor, start);
    }
    if reader.take(&["TYPE"]) || reader.take(&["DOMAIN"]) {
        let name = cursor.name()?;
        return Ok(vec![cursor.act(What::CreateType, Some(name), start)]);
    }
    while reader.sees_any(&["GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED", "RECURSIVE"]) {
        reader.advance();
    }
    let is_view = reader.take(&["VIEW"]) || reader.take(&["MATERIALIZED", "VIEW"]);
    if !is_view && !reader.take(&["TABLE"]) {
        return Ok(Vec::new());
    }
    let may_be_there = cursor.take_if_not_exists();
    let table = cursor.name()?;
    let end = cursor.end();
    let mut definition = Definition { may_be_there, ..Definition::default() };
    if !is_view && cursor.reader.text(0) == "(" {
        for item in cursor.bracketed()? {
            define(&mut definition, &item.text);
        }
    }
    let what = What::CreateTable(Box::new(definition));
    let mut acts = vec![Act { what, table: Some(table), span: start..end, on_cluster: false }];
    cursor.skip_outside_brackets(|reader| reader.sees_any(&["AS"]));
    if cursor.reader.take(&["AS", "WITH"]) {
        acts.extend(nested::with(cursor)?);
    }
    Ok(acts)
}

fn create_index(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let concurrently = cursor.reader.take(&["CONCURRENTLY"]);
    cursor.skip_if_exists();
    if !cursor.reader.sees_any(&["ON"]) {
        cursor.name()?;
    }
    cursor.reader.expect(&["ON"])?;
    let only = cursor.reader.take(&["ONLY"]);
    let table = cursor.name()?;
    let act = cursor.act(What::CreateIndex { concurrently, only }, Some(table), start);
    if cursor.reader.take(&["USING"]) {
        cursor.reader.identifier()?;
    }
    cursor.bracketed()?;
    if cursor.reader.take(&["INCLUDE"]) {
        cursor.bracketed()?;
    }
    if cursor.reader.take(&["NULLS"]) {
        cursor.reader.take(&["NOT"]);
        cursor.reader.expect(&["DISTINCT"])?;
    }
    if cursor.reader.take(&["WITH"]) {
        cursor.bracketed()?;
    }
    if cursor.reader.take(&["TABLESPACE"]) {
        cursor.reader.identifier()?;
    }
    if cursor.reader.take(&["WHERE"]) {
        cursor.reader.clause("a condition", |_| false)?;
    }
    cursor.reader.expect_end()?;
    Ok(vec![act])
}

fn define(definition: &mut Definition, item: &str) {
    let Ok(tokens) = PostgresLexer::new(item).collect::<Result<Vec<_>, _>>() else { return };
    let tokens = tokens.into_iter().filter(|token| token.kind.is_significant()).collect();
    let mut reader = Reader::of(item, tokens);
    if reader.take(&["CONSTRAINT"]) {
        reader.advance();
    }
    match constraint_kind(&reader) {
        Some(ConstraintKind::ForeignKey) => definition.foreign_keys += 1,
        Some(_) => {}
        None if reader.sees_any(&["LIKE"]) => {}
        None => {
            if let Ok(column) = column(&mut reader) {
                definition.foreign_keys += usize::from(column.constraints.contains(&ConstraintKind::ForeignKey));
                definition.columns.push(column);
            }
        }
    }
}
