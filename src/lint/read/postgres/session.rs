//! What a session of PostgreSQL sets: transactions, and how long locks are waited for.

use super::super::Cursor;
use crate::lint::statement::{Act, What};

/// What follows the first word of a statement about transactions.
pub(super) fn transaction(cursor: &mut Cursor<'_>, start: usize, word: &str) -> Vec<Act> {
    if matches!(word, "BEGIN" | "START") {
        return vec![cursor.act(What::Begin, None, start)];
    }
    if !cursor.reader.take(&["WORK"]) {
        cursor.reader.take(&["TRANSACTION"]);
    }
    if cursor.reader.sees_any(&["TO", "PREPARED"]) {
        return Vec::new();
    }
    let mut acts = vec![cursor.act(What::End, None, start)];
    if cursor.reader.take(&["AND", "CHAIN"]) {
        acts.push(cursor.act(What::Begin, None, start));
    }
    acts
}

/// What follows `SET`, `RESET` or `DISCARD`.
pub(super) fn timeout(cursor: &mut Cursor<'_>, start: usize, word: &str) -> Vec<Act> {
    let local = cursor.reader.take(&["LOCAL"]);
    cursor.reader.take(&["SESSION"]);
    let is_all = word != "SET" && cursor.reader.sees_any(&["ALL"]);
    if !is_all && !cursor.reader.text(0).trim_matches('"').eq_ignore_ascii_case("lock_timeout") {
        return Vec::new();
    }
    cursor.reader.advance();
    if !cursor.reader.take(&["TO"]) {
        cursor.reader.take_symbol("=");
    }
    let bounded = word == "SET" && bounds(cursor.reader.text(0));
    vec![cursor.act(What::LockTimeout { bounded, local }, None, start)]
}

/// `set_config('lock_timeout', '5s', false)`, of what follows `SELECT`.
pub(super) fn configured(cursor: &mut Cursor<'_>, start: usize) -> Option<Act> {
    if cursor.reader.take(&["pg_catalog"]) {
        cursor.reader.take_symbol(".");
    }
    let is_it = cursor.reader.take(&["set_config"])
        && cursor.reader.take_symbol("(")
        && cursor.reader.text(0).eq_ignore_ascii_case("'lock_timeout'");
    if !is_it {
        return None;
    }
    let (value, flag) = (cursor.reader.text(2), cursor.reader.text(4));
    let local = ["true", "'true'", "'t'"].iter().any(|yes| yes.eq_ignore_ascii_case(flag));
    Some(cursor.act(What::LockTimeout { bounded: bounds(value), local }, None, start))
}

/// Whether a value of `lock_timeout` is a limit: 0 is none, and the server's default is not known.
fn bounds(value: &str) -> bool {
    let value = value.trim_matches('\'').trim();
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim();
    let is_none = number.parse::<f64>().is_ok_and(|number| number == 0.0);
    !is_none && !value.is_empty() && !value.eq_ignore_ascii_case("DEFAULT")
}
