//! Reads statements of PostgreSQL that keep tables in order, or lock them.

use super::super::Cursor;
use crate::ddl::DdlError;
use crate::lint::statement::{Act, Exclusive, Named, What};

/// What follows the first word.
pub(super) fn read(cursor: &mut Cursor<'_>, start: usize, word: &str) -> Result<Vec<Act>, DdlError> {
    let acts = match word {
        "VACUUM" => vacuum(cursor, start),
        "CLUSTER" => cluster(cursor, start),
        "LOCK" => lock(cursor, start),
        "REINDEX" => reindex(cursor, start),
        _ => refresh(cursor, start),
    }?;
    cursor.reader.expect_end()?;
    Ok(acts)
}

fn vacuum(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    const WORDS: [&str; 5] = ["FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"];
    let mut full = has_option(cursor, "FULL")?;
    while cursor.reader.sees_any(&WORDS) {
        full |= cursor.reader.sees_any(&["FULL"]);
        cursor.reader.advance();
    }
    let tables = tables(cursor)?;
    let mut acts = vec![cursor.act(What::Alone("VACUUM"), None, start)];
    if full {
        acts.extend(exclusive(cursor, Exclusive::VacuumFull, tables, start));
    }
    Ok(acts)
}

/// `t [USING i]`, in old times `i ON t`.
fn cluster(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    has_option(cursor, "VERBOSE")?;
    cursor.reader.take(&["VERBOSE"]);
    if cursor.reader.at_end() {
        let alone = cursor.act(What::Alone("CLUSTER of all tables"), None, start);
        return Ok(exclusive(cursor, Exclusive::Cluster, Vec::new(), start).into_iter().chain([alone]).collect());
    }
    let mut table = cursor.name()?;
    if cursor.reader.take(&["ON"]) {
        table = cursor.name()?;
    } else if cursor.reader.take(&["USING"]) {
        cursor.name()?;
    }
    Ok(exclusive(cursor, Exclusive::Cluster, vec![table], start))
}

fn lock(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    /// They keep neither readers nor writers out.
    const LENIENT: [&str; 4] = ["ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"];
    cursor.reader.take(&["TABLE"]);
    let tables = tables(cursor)?;
    let mut mode = Vec::new();
    if cursor.reader.take(&["IN"]) {
        while !cursor.reader.at_end() && !cursor.reader.sees_any(&["MODE"]) {
            mode.push(cursor.reader.text(0).to_ascii_uppercase());
            cursor.reader.advance();
        }
        cursor.reader.expect(&["MODE"])?;
    }
    cursor.reader.take(&["NOWAIT"]);
    if LENIENT.contains(&mode.join(" ").as_str()) {
        return Ok(Vec::new());
    }
    Ok(exclusive(cursor, Exclusive::Lock, tables, start))
}

fn reindex(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    const KINDS: [(&str, &str, bool); 5] = [
        ("INDEX", "REINDEX INDEX", true),
        ("TABLE", "REINDEX TABLE", true),
        ("SCHEMA", "REINDEX SCHEMA", true),
        ("DATABASE", "REINDEX DATABASE", true),
        ("SYSTEM", "REINDEX SYSTEM", false),
    ];
    let by_option = has_option(cursor, "CONCURRENTLY")?;
    let Some((_, words, can_be_concurrent)) = KINDS.iter().find(|(word, ..)| cursor.reader.take(&[word])) else {
        return Err(cursor.reader.unexpected("what is to be indexed anew"));
    };
    let concurrently = cursor.reader.take(&["CONCURRENTLY"]) || by_option;
    let names = if cursor.reader.at_end() { Vec::new() } else { vec![cursor.name()?] };
    if concurrently {
        return Ok(vec![cursor.act(What::Alone("REINDEX CONCURRENTLY"), None, start)]);
    }
    // The name of a schema or database is no table's.
    let names = if matches!(*words, "REINDEX INDEX" | "REINDEX TABLE") { names } else { Vec::new() };
    Ok(exclusive(cursor, Exclusive::Reindex(words, *can_be_concurrent), names, start))
}

fn refresh(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.expect(&["MATERIALIZED", "VIEW"])?;
    let concurrently = cursor.reader.take(&["CONCURRENTLY"]);
    let view = cursor.name()?;
    let without_rows = cursor.reader.take(&["WITH", "NO", "DATA"]);
    cursor.reader.take(&["WITH", "DATA"]);
    let what = if without_rows { Exclusive::Empty } else { Exclusive::Refresh };
    Ok(if concurrently { Vec::new() } else { exclusive(cursor, what, vec![view], start) })
}

/// An act for each table, or for all of the database.
fn exclusive(cursor: &Cursor<'_>, what: Exclusive, tables: Vec<Named>, start: usize) -> Vec<Act> {
    if tables.is_empty() {
        return vec![cursor.act(What::Exclusive(what), None, start)];
    }
    tables.into_iter().map(|table| cursor.act(What::Exclusive(what), Some(table), start)).collect()
}

/// Whether the options in brackets that may come next have one that is not `FALSE`, `OFF` or `0`.
fn has_option(cursor: &mut Cursor<'_>, name: &str) -> Result<bool, DdlError> {
    if cursor.reader.text(0) != "(" {
        return Ok(false);
    }
    Ok(cursor.bracketed()?.iter().any(|option| is_on(&option.text, name)))
}

/// Whether `name [value]` is that option, and turned on.
pub(super) fn is_on(option: &str, name: &str) -> bool {
    let mut words = option.split_whitespace();
    let is_it = words.next().is_some_and(|word| word.eq_ignore_ascii_case(name));
    is_it && !words.next().is_some_and(|word| ["false", "off", "0"].iter().any(|off| off.eq_ignore_ascii_case(word)))
}

/// `a [(columns)], b …`, or nothing.
fn tables(cursor: &mut Cursor<'_>) -> Result<Vec<Named>, DdlError> {
    let mut tables = Vec::new();
    while !cursor.reader.at_end() {
        cursor.reader.take(&["ONLY"]);
        tables.push(cursor.name()?);
        cursor.reader.take_symbol("*");
        if cursor.reader.text(0) == "(" {
            cursor.bracketed()?;
        }
        if !cursor.reader.take_symbol(",") {
            break;
        }
    }
    Ok(tables)
}
