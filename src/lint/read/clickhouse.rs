//! Reads statements of ClickHouse.

use super::Cursor;
use crate::ddl::alteration::{self, has_words};
use crate::ddl::lexer::TokenKind;
use crate::ddl::{AlterCommand, DdlError, Form};
use crate::lint::pieces::Unread;
use crate::lint::statement::{Act, Column, Definition, Named, What};
use crate::names::quote_identifier;

/// Words with which statements begin that are not judged.
const UNJUDGED: [&str; 32] = [
    "INSERT", "SELECT", "WITH", "SET", "USE", "SYSTEM", "GRANT", "REVOKE", "SHOW", "DESCRIBE", "DESC", "EXISTS",
    "EXPLAIN", "KILL", "CHECK", "ATTACH", "WATCH", "BACKUP", "RESTORE", "BEGIN", "COMMIT", "ROLLBACK", "CALL",
    "UNDROP", "EXECUTE", "PARALLEL", "MOVE", "COPY", "FROM", "VALUES", "START", "ASSUME",
];

pub(super) fn read(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    if cursor.reader.text(0) == "(" || cursor.reader.sees_any(&UNJUDGED) {
        return Ok(Vec::new());
    }
    let word = cursor.reader.text(0).to_ascii_uppercase();
    let place = cursor.reader.place();
    cursor.reader.advance();
    match word.as_str() {
        "ALTER" if cursor.reader.sees_any(&["TABLE", "TEMPORARY"]) => alter(cursor, wrong),
        "CREATE" | "REPLACE" => create(cursor, start, word == "REPLACE"),
        "DROP" => drop_object(cursor, start),
        "TRUNCATE" => truncate(cursor, start),
        "RENAME" => rename(cursor, start),
        "EXCHANGE" if cursor.reader.take(&["TABLES"]) => exchange(cursor, start),
        "ALTER" | "EXCHANGE" => Ok(Vec::new()),
        "OPTIMIZE" => optimize(cursor, start),
        "DETACH" => detach(cursor, start),
        "UPDATE" | "DELETE" => rows(cursor, start, word == "UPDATE"),
        _ => {
            cursor.reader.return_to(place);
            Err(cursor.reader.unexpected("a statement that is known"))
        }
    }
}

fn alter(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    let read = alteration::read(&mut cursor.reader)?;
    if !cursor.reader.at_end() {
        return Err(cursor.reader.unexpected("`,` or the end"));
    }
    if read.table.span.len() > super::NAME_BYTES_MAX {
        return Err(cursor.reader.error("the table's name is too long"));
    }
    wrong.extend(read.unknown.iter().map(|error| cursor.unread(error)));
    let table = Named {
        sql: cursor.reader.text_at(read.table.span.clone()).text,
        database: read.table.database.clone(),
        table: read.table.table.clone(),
    };
    let act = |command: AlterCommand| Act {
        span: cursor.span(&command.text.span),
        what: what(command),
        table: Some(table.clone()),
        on_cluster: read.on_cluster.is_some(),
    };
    Ok(read.commands.into_iter().map(act).collect())
}

fn what(command: AlterCommand) -> What {
    let subject = || command.subject.clone().unwrap_or_default();
    match command.form {
        Form::AddColumn => What::AddColumn(Column {
            name: subject(),
            kind: command.declared_type.map(|kind| kind.text).unwrap_or_default(),
            default: command.default.map(|default| default.text),
            ..Column::default()
        }),
        Form::DropColumn => What::DropColumn { column: subject() },
        Form::RenameColumn => What::RenameColumn { column: subject(), to: command.to.clone().unwrap_or_default() },
        Form::ModifyColumnType if command.declared_type.is_some() => What::ColumnType {
            column: subject(),
            kind: command.declared_type.map(|kind| kind.text).unwrap_or_default(),
            using: false,
        },
        _ => What::Alter(Box::new(command)),
    }
}

fn create(cursor: &mut Cursor<'_>, start: usize, replaces: bool) -> Result<Vec<Act>, DdlError> {
    let replaces = cursor.reader.take(&["OR", "REPLACE"]) || replaces;
    cursor.reader.take(&["TEMPORARY"]);
    if cursor.reader.take(&["MATERIALIZED", "VIEW"]) {
        return materialized_view(cursor, start);
    }
    if !cursor.reader.take(&["TABLE"]) {
        return Ok(Vec::new());
    }
    let may_be_there = cursor.take_if_not_exists();
    let table = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    let mut definition = definition(cursor, &table)?;
    (definition.replaces, definition.may_be_there) = (replaces, may_be_there);
    Ok(vec![Act { what: What::CreateTable(Box::new(definition)), table: Some(table), span: start..end, on_cluster }])
}

fn definition(cursor: &mut Cursor<'_>, table: &Named) -> Result<Definition, DdlError> {
    let mut definition = Definition::default();
    cursor.reader.skip_uuid()?;
    if cursor.reader.text(0) == "(" {
        definition.columns = cursor.bracketed()?.iter().filter_map(|item| column(&item.text)).collect();
    }
    while !cursor.reader.at_end() {
        if cursor.reader.take(&["ENGINE"]) {
            cursor.reader.take_symbol("=");
            definition.engine = Some(cursor.reader.identifier()?);
            if cursor.reader.text(0) == "(" {
                let args = cursor.bracketed()?;
                if definition.engine.as_deref() == Some("Distributed") {
                    let args: Vec<&str> = args.iter().map(|arg| arg.text.trim_matches(['\'', '`', '"'])).collect();
                    definition.distributed_over = distributed_over(&args, table);
                }
            }
        } else if cursor.reader.take(&["ORDER", "BY"]) {
            definition.order_by = Some(order_by(cursor)?);
        } else if cursor.reader.take(&["SETTINGS"]) {
            definition.settings = cursor.reader.clause("settings", |reader| reader.sees_any(&["AS", "COMMENT"]))?.text;
        } else if cursor.reader.sees_any(&["AS", "SELECT"]) && definition.engine.is_some() {
            break;
        } else {
            cursor.reader.advance();
        }
    }
    Ok(definition)
}

/// Up to the next clause.
fn order_by(cursor: &mut Cursor<'_>) -> Result<(String, std::ops::Range<usize>), DdlError> {
    const NEXT: [&str; 8] = ["PRIMARY", "PARTITION", "SAMPLE", "TTL", "SETTINGS", "COMMENT", "AS", "ENGINE"];
    let key = cursor.reader.clause("a key", |reader| reader.sees_any(&NEXT))?;
    let span = cursor.span(&key.span);
    Ok((key.text, span))
}

fn distributed_over(args: &[&str], table: &Named) -> Option<Named> {
    let [_, database, local, ..] = args else { return None };
    let known = !database.contains('(') && !database.is_empty();
    let database = if known { Some((*database).to_owned()) } else { table.database.clone() };
    let sql = match &database {
        Some(database) => format!("{}.{}", quote_identifier(database), quote_identifier(local)),
        None => quote_identifier(local),
    };
    Some(Named { sql, database, table: (*local).to_owned() })
}

/// A column of a table's body; `None` for indexes and the like.
fn column(item: &str) -> Option<Column> {
    let mut reader = crate::ddl::reader::Reader::new(item).ok()?;
    if ["INDEX", "PROJECTION", "CONSTRAINT", "PRIMARY"].iter().any(|word| reader.sees(&[word]))
        && reader.kind(2).is_some()
    {
        return None;
    }
    let name = reader.identifier().ok()?;
    let stop = |reader: &crate::ddl::reader::Reader<'_>| {
        reader.sees_any(&["DEFAULT", "MATERIALIZED", "EPHEMERAL", "ALIAS", "COMMENT", "CODEC", "TTL", "NOT", "NULL"])
    };
    let kind = reader.clause("a type", stop).map(|kind| kind.text).unwrap_or_default();
    Some(Column { name, not_null: !has_words(item, &["NULL"]), kind, ..Column::default() })
}

fn materialized_view(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.skip_if_exists();
    let view = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    let to = cursor.reader.sees_any(&["TO"]);
    let (mut populate, mut depth) = (false, 0_usize);
    while let Some(kind) = cursor.reader.kind(0) {
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if cursor.reader.sees_any(&["AS"]) => break,
            _ => populate |= cursor.reader.sees_any(&["POPULATE"]),
        }
        cursor.reader.advance();
    }
    let what = What::CreateMaterializedView { populate, to };
    Ok(vec![Act { what, table: Some(view), span: start..end, on_cluster }])
}

fn drop_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.take(&["TEMPORARY"]);
    let what = if cursor.reader.take(&["TABLE"]) {
        What::DropTable
    } else if cursor.reader.take(&["DATABASE"]) {
        What::DropOther("database")
    } else if cursor.reader.take(&["VIEW"]) {
        What::DropOther("view")
    } else if cursor.reader.take(&["DICTIONARY"]) {
        What::DropOther("dictionary")
    } else {
        return Ok(Vec::new());
    };
    cursor.skip_if_exists();
    cursor.reader.take(&["EMPTY"]);
    named_act(cursor, what, start)
}

/// An act with a table's name and `ON CLUSTER` behind it.
fn named_act(cursor: &mut Cursor<'_>, what: What, start: usize) -> Result<Vec<Act>, DdlError> {
    let table = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    Ok(vec![Act { what, table: Some(table), span: start..end, on_cluster }])
}

fn truncate(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if !cursor.reader.take(&["ALL", "TABLES", "FROM"]) && !cursor.reader.take(&["DATABASE"]) {
        cursor.reader.take(&["TABLE"]);
    }
    cursor.skip_if_exists();
    named_act(cursor, What::Truncate, start)
}

fn rename(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if cursor.reader.sees_any(&["DATABASE", "DICTIONARY"]) {
        return Ok(Vec::new());
    }
    cursor.reader.take(&["TABLE"]);
    let (mut acts, mut start) = (Vec::new(), start);
    loop {
        cursor.skip_if_exists();
        let table = cursor.name()?;
        cursor.reader.expect(&["TO"])?;
        let to = cursor.name()?;
        acts.push(cursor.act(What::RenameTable { to }, Some(table), start));
        if !cursor.reader.take_symbol(",") {
            return Ok(acts);
        }
        start = cursor.start();
    }
}

/// `EXCHANGE TABLES a AND b`
fn exchange(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let table = cursor.name()?;
    cursor.reader.expect(&["AND"])?;
    let with = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    Ok(vec![Act { what: What::ExchangeTables { with }, table: Some(table), span: start..end, on_cluster }])
}

fn optimize(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.expect(&["TABLE"])?;
    let table = cursor.name()?;
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    let mut last = false;
    while !cursor.reader.at_end() {
        last |= cursor.reader.sees_any(&["FINAL"]);
        cursor.reader.advance();
    }
    Ok(vec![Act { on_cluster, ..cursor.act(What::Optimize { last }, Some(table), start) }])
}

fn detach(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if !["TABLE", "VIEW", "DICTIONARY", "DATABASE"].iter().any(|word| cursor.reader.take(&[word])) {
        return Err(cursor.reader.unexpected("`TABLE`"));
    }
    cursor.skip_if_exists();
    named_act(cursor, What::DetachTable, start)
}

/// `UPDATE t SET … WHERE …`, `DELETE FROM t WHERE …`
fn rows(cursor: &mut Cursor<'_>, start: usize, updates: bool) -> Result<Vec<Act>, DdlError> {
    if !updates {
        cursor.reader.expect(&["FROM"])?;
    }
    let table = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    let reach = cursor.reach();
    let what = if updates { What::Update(reach) } else { What::Delete(reach) };
    Ok(vec![Act { what, table: Some(table), span: start..end, on_cluster }])
}
