//! Reads statements of PostgreSQL.

mod alter;
mod column;
mod create;
mod drop;
mod lexer;
mod nested;
mod session;
mod upkeep;

use alter::alter_object;
use create::create;
use drop::{drop_object, truncate};
pub(in crate::lint) use lexer::PostgresLexer;
pub(super) use nested::whole_bodies;

use super::Cursor;
use crate::ddl::DdlError;
use crate::lint::pieces::Unread;
use crate::lint::statement::{Act, What};

/// Words with which statements begin that are not judged.
const UNJUDGED: [&str; 28] = [
    "INSERT",
    "VALUES",
    "SHOW",
    "COMMENT",
    "GRANT",
    "REVOKE",
    "ANALYZE",
    "ANALYSE",
    "COPY",
    "CALL",
    "NOTIFY",
    "LISTEN",
    "UNLISTEN",
    "SECURITY",
    "MERGE",
    "IMPORT",
    "SAVEPOINT",
    "RELEASE",
    "EXECUTE",
    "DEALLOCATE",
    "DECLARE",
    "FETCH",
    "CLOSE",
    "CHECKPOINT",
    "LOAD",
    "MOVE",
    "REASSIGN",
    "TABLE",
];

pub(super) fn read(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    if cursor.reader.take(&["DO"]) {
        return Ok(nested::body(cursor, wrong));
    }
    if cursor.reader.take(&["PREPARE", "TRANSACTION"]) {
        return Ok(vec![cursor.act(What::End, None, start)]);
    }
    if nested::steps_to_inner(cursor)? { judged(cursor) } else { Ok(Vec::new()) }
}

/// A statement that is no other's cover.
fn judged(cursor: &mut Cursor<'_>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    let place = cursor.reader.place();
    let word = cursor.reader.text(0).to_ascii_uppercase();
    if word == "(" || cursor.reader.sees_any(&UNJUDGED) {
        return Ok(Vec::new());
    }
    cursor.reader.advance();
    match word.as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" => Ok(session::transaction(cursor, start, &word)),
        "SET" | "RESET" | "DISCARD" => Ok(session::timeout(cursor, start, &word)),
        "SELECT" => selected(cursor, start),
        "ALTER" => alter_object(cursor, start),
        "CREATE" => create(cursor, start),
        "DROP" => drop_object(cursor, start),
        "TRUNCATE" => truncate(cursor, start),
        "UPDATE" | "DELETE" => Ok(vec![rows(cursor, start, word == "UPDATE")?]),
        "WITH" => nested::with(cursor),
        "VACUUM" | "CLUSTER" | "LOCK" | "REINDEX" | "REFRESH" => upkeep::read(cursor, start, &word),
        _ => {
            cursor.reader.return_to(place);
            Err(cursor.reader.unexpected("a statement that is known"))
        }
    }
}

/// `SELECT set_config('lock_timeout', …)`, `SELECT … INTO a_table`
fn selected(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let place = cursor.reader.place();
    let timeout = session::configured(cursor, start);
    if timeout.is_some() {
        return Ok(timeout.into_iter().collect());
    }
    cursor.reader.return_to(place);
    cursor.skip_outside_brackets(|reader| reader.sees_any(&["INTO", "FROM"]));
    if !cursor.reader.take(&["INTO"]) {
        return Ok(Vec::new());
    }
    while cursor.reader.sees_any(&["TEMPORARY", "TEMP", "UNLOGGED", "TABLE"]) {
        cursor.reader.advance();
    }
    let table = cursor.name()?;
    Ok(vec![cursor.act(What::CreateTable(Box::default()), Some(table), start)])
}

/// What follows `UPDATE` or `DELETE`.
fn rows(cursor: &mut Cursor<'_>, start: usize, updates: bool) -> Result<Act, DdlError> {
    if !updates {
        cursor.reader.expect(&["FROM"])?;
    }
    cursor.reader.take(&["ONLY"]);
    let table = cursor.name()?;
    let end = cursor.end();
    if updates && !cursor.reader.sees_any(&["SET"]) {
        cursor.reader.take_symbol("*");
        cursor.reader.take(&["AS"]);
        cursor.reader.identifier()?;
        cursor.reader.expect(&["SET"])?;
    }
    let reach = cursor.reach();
    let what = if updates { What::Update(reach) } else { What::Delete(reach) };
    Ok(Act { what, table: Some(table), span: start..end, on_cluster: false })
}
