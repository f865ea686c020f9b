//! Reads what drops and empties something in PostgreSQL.

use std::ops::Range;

use super::super::Cursor;
use crate::ddl::DdlError;
use crate::lint::statement::{Act, Named, What};

/// What is dropped by names, with its word in messages.
const DROPPED: [(&[&str], &str); 8] = [
    (&["MATERIALIZED", "VIEW"], "materialized view"),
    (&["FOREIGN", "TABLE"], "foreign table"),
    (&["VIEW"], "view"),
    (&["EXTENSION"], "extension"),
    (&["SCHEMA"], "schema"),
    (&["DATABASE"], "database"),
    (&["TYPE"], "type"),
    (&["DOMAIN"], "domain"),
];

pub(super) fn drop_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if cursor.reader.take(&["INDEX"]) {
        let concurrently = cursor.reader.take(&["CONCURRENTLY"]);
        return dropped(cursor, start, |_| What::DropIndex { concurrently });
    }
    if cursor.reader.take(&["TABLE"]) {
        return dropped(cursor, start, |_| What::DropTable);
    }
    if cursor.reader.take(&["OWNED", "BY"]) {
        return dropped(cursor, start, |_| What::DropCascade("property of the role"));
    }
    let Some((_, kind)) = DROPPED.iter().find(|(words, _)| cursor.reader.take(words)) else {
        return Ok(Vec::new());
    };
    dropped(cursor, start, |cascade| if cascade { What::DropCascade(kind) } else { What::DropOther(kind) })
}

/// An act for each name, up to the end; what it is may depend on whether `CASCADE` is said.
fn dropped(cursor: &mut Cursor<'_>, start: usize, what: impl Fn(bool) -> What) -> Result<Vec<Act>, DdlError> {
    let names = names(cursor, start)?;
    cursor.reader.take(&["WITH"]);
    if cursor.reader.text(0) == "(" {
        cursor.bracketed()?;
    }
    let cascade = cursor.reader.take(&["CASCADE"]);
    if !cascade {
        cursor.reader.take(&["RESTRICT"]);
    }
    cursor.reader.expect_end()?;
    Ok(acts(names, || what(cascade)))
}

pub(super) fn truncate(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.take(&["TABLE"]);
    Ok(acts(names(cursor, start)?, || What::Truncate))
}

/// The names `a, b`, each with its place; that of the first begins with the statement.
fn names(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<(Named, Range<usize>)>, DdlError> {
    cursor.skip_if_exists();
    let (mut names, mut start) = (Vec::new(), start);
    loop {
        cursor.reader.take(&["ONLY"]);
        let name = cursor.name()?;
        cursor.reader.take_symbol("*");
        names.push((name, start..cursor.end()));
        if !cursor.reader.take_symbol(",") {
            return Ok(names);
        }
        start = cursor.start();
    }
}

fn acts(names: Vec<(Named, Range<usize>)>, what: impl Fn() -> What) -> Vec<Act> {
    let act = |(name, span)| Act { what: what(), table: Some(name), span, on_cluster: false };
    names.into_iter().map(act).collect()
}
