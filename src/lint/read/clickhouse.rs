//! Reads statements of ClickHouse.

use super::Cursor;
use crate::ddl::alteration::{self, has_words};
use crate::ddl::lexer::TokenKind;
use crate::ddl::reader::Reader;
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
    if cursor.reader.text(0) == "(" || cursor.reader.sees_any(&UNJUDGED) {
        return Ok(Vec::new());
    }
    wrong.extend(another_within(cursor));
    let mut acts = statement(cursor, wrong)?;
    while cursor.reader.take(&["PARALLEL", "WITH"]) {
        match statement(cursor, wrong) {
            Ok(more) => acts.extend(more),
            Err(error) => {
                wrong.push(cursor.unread(&error));
                return Ok(acts);
            }
        }
    }
    if !cursor.reader.at_end() && wrong.is_empty() {
        wrong.push(cursor.unread(&cursor.reader.unexpected("the end of the statement")));
    }
    Ok(acts)
}

/// Another statement that begins within one, on its line, where a semicolon lacks.
fn another_within(cursor: &mut Cursor<'_>) -> Option<Unread> {
    const FIRST: [&str; 7] = ["ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "DETACH", "OPTIMIZE"];
    const SECOND: [&str; 4] = ["TABLE", "DATABASE", "VIEW", "DICTIONARY"];
    let place = cursor.reader.place();
    let (mut found, mut depth) = (None, 0_usize);
    cursor.reader.advance();
    while let Some(kind) = cursor.reader.kind(0).filter(|_| found.is_none()) {
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {
                let begins = depth == 0
                    && cursor.reader.sees_any(&FIRST)
                    && SECOND.iter().any(|word| cursor.reader.sees_word(1, word))
                    && !cursor.reader.text_behind(1).eq_ignore_ascii_case("WITH");
                found = begins.then(|| cursor.unread(&cursor.reader.unexpected("the end of the statement")));
            }
        }
        cursor.reader.advance();
    }
    cursor.reader.return_to(place);
    found
}

fn statement(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    let word = cursor.reader.text(0).to_ascii_uppercase();
    let place = cursor.reader.place();
    cursor.reader.advance();
    match word.as_str() {
        "ALTER" if cursor.reader.sees_any(&["TABLE", "TEMPORARY"]) => alter(cursor, wrong),
        "CREATE" | "REPLACE" => create(cursor, start, word == "REPLACE"),
        "DROP" => drop_object(cursor, start),
        "TRUNCATE" => truncate(cursor, start),
        "RENAME" => rename(cursor, start),
        "EXCHANGE" => exchange(cursor, start),
        "ALTER" => Ok(unjudged(cursor)),
        "OPTIMIZE" => optimize(cursor, start),
        "DETACH" => detach(cursor, start),
        "UPDATE" | "DELETE" => rows(cursor, start, word == "UPDATE"),
        _ => {
            cursor.reader.return_to(place);
            Err(cursor.reader.unexpected("a statement that is known"))
        }
    }
}

/// Goes to the end of a statement of which nothing is judged.
fn unjudged(cursor: &mut Cursor<'_>) -> Vec<Act> {
    while !ends(cursor) {
        cursor.reader.advance();
    }
    Vec::new()
}

/// Whether the statement ends, or another one runs beside it.
fn ends(cursor: &Cursor<'_>) -> bool {
    cursor.reader.at_end() || cursor.reader.sees(&["PARALLEL", "WITH"])
}

/// What may follow the names of a statement that says nothing more.
fn skip_tail(cursor: &mut Cursor<'_>) -> Result<(), DdlError> {
    let take = |cursor: &mut Cursor<'_>, words: &[&str]| cursor.reader.take(words);
    while take(cursor, &["NO", "DELAY"]) || take(cursor, &["SYNC"]) || take(cursor, &["PERMANENTLY"]) {}
    if take(cursor, &["INTO", "OUTFILE"]) {
        cursor.reader.advance();
    }
    let ends_settings = |reader: &Reader<'_>| reader.sees_any(&["FORMAT", "PARALLEL"]);
    if take(cursor, &["SETTINGS"]) {
        cursor.reader.clause("settings", ends_settings)?;
    }
    if take(cursor, &["FORMAT"]) {
        cursor.reader.advance();
    }
    if take(cursor, &["SETTINGS"]) {
        cursor.reader.clause("settings", ends_settings)?;
    }
    Ok(())
}

fn alter(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    let read = alteration::read(&mut cursor.reader)?;
    skip_tail(cursor)?;
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
        return Ok(unjudged(cursor));
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
    // Without ORDER BY the primary key is the sorting key.
    let mut primary_key = None;
    if cursor.reader.text(0) == "(" {
        let start = cursor.start();
        let items = cursor.bracketed()?;
        definition.columns = items.iter().filter_map(|item| column(&item.text)).collect();
        primary_key = primary_key_of(&items).map(|key| (key, start..cursor.end()));
    }
    while !ends(cursor) {
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
            definition.order_by = Some(key(cursor)?);
        } else if cursor.reader.take(&["PRIMARY", "KEY"]) {
            primary_key = Some(key(cursor)?);
        } else if cursor.reader.take(&["SETTINGS"]) {
            definition.settings = cursor.reader.clause("settings", |reader| reader.sees_any(&["AS", "COMMENT"]))?.text;
        } else if cursor.reader.sees(&["AS", "SELECT"]) || cursor.reader.sees(&["AS", "WITH"]) || starts_query(cursor) {
            definition.is_filled = true;
            unjudged(cursor);
        } else {
            definition.is_filled |= cursor.reader.sees(&["CLONE", "AS"]);
            cursor.reader.advance();
        }
    }
    definition.order_by = definition.order_by.or(primary_key);
    Ok(definition)
}

/// `AS (SELECT …`, `SELECT …`
fn starts_query(cursor: &Cursor<'_>) -> bool {
    cursor.reader.sees(&["SELECT"])
        || cursor.reader.sees(&["AS"]) && cursor.reader.text(1) == "(" && cursor.reader.sees_word(2, "SELECT")
}

/// The key that the body of a table declares: `PRIMARY KEY (a, b)`, or `PRIMARY KEY` behind columns.
fn primary_key_of(items: &[super::Piecewise]) -> Option<String> {
    let mut columns = Vec::new();
    for item in items {
        let mut reader = Reader::new(&item.text).ok()?;
        if reader.take(&["PRIMARY", "KEY"]) {
            return reader.item("a key", |_| false).map(|key| key.text).ok();
        }
        if has_words(&item.text, &["PRIMARY", "KEY"]) {
            columns.push(reader.text(0));
        }
    }
    (!columns.is_empty()).then(|| format!("({})", columns.join(", ")))
}

/// Up to the next clause.
fn key(cursor: &mut Cursor<'_>) -> Result<(String, std::ops::Range<usize>), DdlError> {
    const NEXT: [&str; 11] =
        ["PRIMARY", "ORDER", "PARTITION", "SAMPLE", "TTL", "SETTINGS", "COMMENT", "AS", "ENGINE", "PARALLEL", "SELECT"];
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
    let mut reader = Reader::new(item).ok()?;
    if ["INDEX", "PROJECTION", "CONSTRAINT", "PRIMARY"].iter().any(|word| reader.sees(&[word]))
        && reader.kind(2).is_some()
    {
        return None;
    }
    let name = reader.identifier().ok()?;
    let stop = |reader: &Reader<'_>| {
        reader.sees_any(&[
            "DEFAULT",
            "MATERIALIZED",
            "EPHEMERAL",
            "ALIAS",
            "COMMENT",
            "CODEC",
            "TTL",
            "NOT",
            "NULL",
            "PRIMARY",
        ])
    };
    let kind = reader.clause("a type", stop).map(|kind| kind.text).unwrap_or_default();
    let says = |words: &[&str]| has_words(item, words);
    // `a String NULL`; the value of a default is no type.
    let kind = if says(&["NULL"]) && !says(&["NOT", "NULL"]) && !says(&["DEFAULT", "NULL"]) {
        format!("Nullable({kind})")
    } else {
        kind
    };
    Some(Column { name, not_null: !kind.contains("Nullable("), kind, ..Column::default() })
}

fn materialized_view(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.skip_if_exists();
    let view = cursor.name()?;
    let end = cursor.end();
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    // `REFRESH EVERY 1 HOUR APPEND` may stand before `TO`; what a TTL has `TO` for stands behind the engine.
    let (mut populate, mut to, mut has_engine, mut depth) = (false, false, false, 0_usize);
    while let Some(kind) = cursor.reader.kind(0) {
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if cursor.reader.sees_any(&["AS"]) => break,
            _ => {
                populate |= cursor.reader.sees_any(&["POPULATE"]);
                has_engine |= cursor.reader.sees_any(&["ENGINE"]);
                to |= !has_engine && cursor.reader.sees_any(&["TO"]) && !cursor.reader.sees(&["TO", "INNER"]);
            }
        }
        cursor.reader.advance();
    }
    unjudged(cursor);
    let what = What::CreateMaterializedView { populate, to };
    Ok(vec![Act { what, table: Some(view), span: start..end, on_cluster }])
}

fn drop_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.take(&["TEMPORARY"]);
    let what: fn() -> What = if cursor.reader.take(&["TABLE"]) {
        || What::DropTable
    } else if cursor.reader.take(&["DATABASE"]) {
        || What::DropOther("database")
    } else if cursor.reader.take(&["VIEW"]) {
        || What::DropOther("view")
    } else if cursor.reader.take(&["DICTIONARY"]) {
        || What::DropOther("dictionary")
    } else {
        return Ok(unjudged(cursor));
    };
    cursor.skip_if_exists();
    cursor.reader.take(&["IF", "EMPTY"]);
    named_acts(cursor, what, start)
}

/// An act for each of the names `a, b`, with `ON CLUSTER` behind the last.
fn named_acts(cursor: &mut Cursor<'_>, what: fn() -> What, start: usize) -> Result<Vec<Act>, DdlError> {
    let (mut acts, mut start) = (Vec::new(), start);
    loop {
        let table = cursor.name()?;
        acts.push(cursor.act(what(), Some(table), start));
        if !cursor.reader.take_symbol(",") {
            break;
        }
        start = cursor.start();
    }
    told_to(cursor, acts)
}

/// Acts with the `ON CLUSTER` that follows them, and the end of their statement.
fn told_to(cursor: &mut Cursor<'_>, mut acts: Vec<Act>) -> Result<Vec<Act>, DdlError> {
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    for act in &mut acts {
        act.on_cluster = on_cluster;
    }
    skip_tail(cursor)?;
    Ok(acts)
}

fn named_act(cursor: &mut Cursor<'_>, what: What, start: usize) -> Result<Vec<Act>, DdlError> {
    let table = cursor.name()?;
    let act = cursor.act(what, Some(table), start);
    told_to(cursor, vec![act])
}

fn truncate(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.take(&["ALL"]);
    if !cursor.reader.take(&["TABLES", "FROM"]) && !cursor.reader.take(&["DATABASE"]) {
        cursor.reader.take(&["TEMPORARY"]);
        cursor.reader.take(&["TABLE"]);
    }
    cursor.skip_if_exists();
    let table = cursor.name()?;
    let act = cursor.act(What::Truncate, Some(table), start);
    cursor.reader.take(&["NOT"]);
    if cursor.reader.sees_any(&["LIKE", "ILIKE"]) {
        cursor.reader.advance();
        cursor.reader.advance();
    }
    told_to(cursor, vec![act])
}

fn rename(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if cursor.reader.sees_any(&["DICTIONARY"]) {
        return Ok(unjudged(cursor));
    }
    let what: fn(Named) -> What = if cursor.reader.take(&["DATABASE"]) {
        |to| What::RenameDatabase { to }
    } else {
        cursor.reader.take(&["TABLE"]);
        |to| What::RenameTable { to }
    };
    pairs(cursor, "TO", what, start)
}

fn exchange(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if cursor.reader.sees_any(&["DICTIONARIES"]) {
        return Ok(unjudged(cursor));
    }
    cursor.reader.expect(&["TABLES"])?;
    pairs(cursor, "AND", |with| What::ExchangeTables { with }, start)
}

/// An act for each of the pairs `a TO b, c TO d`.
fn pairs(cursor: &mut Cursor<'_>, between: &str, what: fn(Named) -> What, start: usize) -> Result<Vec<Act>, DdlError> {
    let (mut acts, mut start) = (Vec::new(), start);
    loop {
        cursor.skip_if_exists();
        let table = cursor.name()?;
        cursor.reader.expect(&[between])?;
        let other = cursor.name()?;
        acts.push(cursor.act(what(other), Some(table), start));
        if !cursor.reader.take_symbol(",") {
            return told_to(cursor, acts);
        }
        start = cursor.start();
    }
}

fn optimize(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.expect(&["TABLE"])?;
    let table = cursor.name()?;
    let on_cluster = cursor.reader.on_cluster()?.is_some();
    let of_partition = cursor.reader.sees_any(&["PARTITION"]);
    let mut last = false;
    while !ends(cursor) {
        last |= cursor.reader.sees_any(&["FINAL"]);
        cursor.reader.advance();
    }
    Ok(vec![Act { on_cluster, ..cursor.act(What::Optimize { last, of_partition }, Some(table), start) }])
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
