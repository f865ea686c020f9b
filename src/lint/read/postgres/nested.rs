//! Statements of PostgreSQL within others: parts of `WITH`, what `EXPLAIN` and `PREPARE` are for, bodies.

use std::collections::BTreeSet;

use super::super::Cursor;
use super::{judged, rows, upkeep};
use crate::ddl::DdlError;
use crate::ddl::lexer::{Token, TokenKind};
use crate::ddl::reader::Reader;
use crate::lint::dialect::Dialect;
use crate::lint::pieces::{Piece, Unread, split, split_body};
use crate::lint::statement::{Act, Reach, What};

/// Steps over `EXPLAIN …` and `PREPARE … AS`; whether there is a statement that is run.
pub(super) fn steps_to_inner(cursor: &mut Cursor<'_>) -> Result<bool, DdlError> {
    if cursor.reader.take(&["PREPARE"]) {
        cursor.reader.identifier()?;
        if cursor.reader.text(0) == "(" {
            cursor.bracketed()?;
        }
        cursor.reader.expect(&["AS"])?;
        return Ok(true);
    }
    if !cursor.reader.take(&["EXPLAIN"]) {
        return Ok(true);
    }
    if cursor.reader.text(0) == "(" {
        let options = cursor.bracketed()?;
        return Ok(options.iter().any(|option| upkeep::is_on(&option.text, "ANALYZE")));
    }
    let runs = cursor.reader.take(&["ANALYZE"]) || cursor.reader.take(&["ANALYSE"]);
    cursor.reader.take(&["VERBOSE"]);
    Ok(runs)
}

/// Words with which the statement behind the parts of `WITH` begins.
const VERBS: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"];

/// What follows `WITH`: what its parts do and what the statement itself does. Rows that are taken from a part with a `LIMIT` are
/// one of many batches.
pub(super) fn with(cursor: &mut Cursor<'_>) -> Result<Vec<Act>, DdlError> {
    let mut acts = Vec::new();
    let mut limited: BTreeSet<String> = BTreeSet::new();
    cursor.reader.take(&["RECURSIVE"]);
    loop {
        let name = cursor.reader.identifier()?;
        if cursor.reader.text(0) == "(" {
            cursor.bracketed()?;
        }
        cursor.reader.expect(&["AS"])?;
        cursor.reader.take(&["NOT"]);
        cursor.reader.take(&["MATERIALIZED"]);
        let mut part = cursor.within_brackets()?;
        let is_limited = is_limited(&mut part) || draws_from(&part, &limited);
        acts.extend(changed(&mut part, &limited)?);
        if is_limited {
            limited.insert(name.to_ascii_lowercase());
        }
        // `SEARCH …` and `CYCLE …` may come before the next part.
        cursor.skip_outside_brackets(|reader| {
            let part_follows = reader.text(0) == "," && (reader.sees_word(2, "AS") || reader.text(2) == "(");
            part_follows || reader.text(0) == "(" || reader.sees_any(&VERBS)
        });
        if !cursor.reader.take_symbol(",") {
            break;
        }
    }
    acts.extend(changed(cursor, &limited)?);
    Ok(acts)
}

/// The UPDATE or DELETE that comes next, if one does.
fn changed(cursor: &mut Cursor<'_>, limited: &BTreeSet<String>) -> Result<Option<Act>, DdlError> {
    let (start, is_limited) = (cursor.start(), draws_from(cursor, limited));
    let updates = cursor.reader.take(&["UPDATE"]);
    if !updates && !cursor.reader.take(&["DELETE"]) {
        return Ok(None);
    }
    let mut act = rows(cursor, start, updates)?;
    match &mut act.what {
        What::Update(reach) | What::Delete(reach) if is_limited && *reach == Reach::Some => *reach = Reach::Bounded,
        _ => {}
    }
    Ok(Some(act))
}

/// Whether a query has a `LIMIT` of its own, not of a query in brackets that gives a value.
fn is_limited(part: &mut Cursor<'_>) -> bool {
    let place = part.reader.place();
    part.skip_outside_brackets(|reader| reader.sees_any(&["LIMIT"]));
    let is_limited = !part.reader.at_end();
    part.reader.return_to(place);
    is_limited
}

fn draws_from(cursor: &Cursor<'_>, limited: &BTreeSet<String>) -> bool {
    !limited.is_empty() && cursor.names_any(|word| limited.contains(word.trim_matches('"')))
}

/// Words with which the statements begin that are judged in a body; its other words are plpgsql's own.
const HEADS: [&str; 12] =
    ["ALTER", "CREATE", "DROP", "TRUNCATE", "UPDATE", "DELETE", "LOCK", "CLUSTER", "REINDEX", "REFRESH", "SET", "WITH"];

/// What follows `DO`: the statements of its body, as far as they stand there as such.
pub(super) fn body(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Vec<Act> {
    let mut language = "plpgsql".to_owned();
    let mut code = None;
    while let Some(token) = cursor.reader.peek(0).cloned() {
        if cursor.reader.take(&["LANGUAGE"]) {
            cursor.reader.text(0).trim_matches(['"', '\'']).clone_into(&mut language);
        } else if matches!(token.kind, TokenKind::HereDoc | TokenKind::String) {
            code = code.or(Some(token));
        }
        cursor.reader.advance();
    }
    let Some(code) = code else { return Vec::new() };
    let text = cursor.reader.text_of(&code);
    if let Some((quote, text)) = inner(text).filter(|_| language.eq_ignore_ascii_case("plpgsql")) {
        return statements(text, cursor.offset + code.span.start + quote, wrong, true);
    }
    let message = "this body is not judged: only plpgsql within `$$ … $$` is read".to_owned();
    wrong.push(Unread { span: cursor.span(&code.span), message });
    Vec::new()
}

/// What a string quotes and how long its opening quote is, if it stands there as it is.
fn inner(quoted: &str) -> Option<(usize, &str)> {
    let tag = quoted.strip_prefix('$');
    let quote = match tag {
        Some(tag) => tag.find('$')? + 2,
        None => 1,
    };
    let text = quoted.get(quote..quoted.len().checked_sub(quote)?)?;
    let is_plain = tag.is_some() || quoted.starts_with('\'') && !text.contains("''");
    is_plain.then_some((quote, text))
}

/// Acts of the statements of a text that begins at an offset of the file.
fn statements(text: &str, offset: usize, wrong: &mut Vec<Unread>, is_body: bool) -> Vec<Act> {
    let (pieces, unread) = if is_body { split_body(text) } else { split(text, Dialect::Postgres) };
    let in_file = |unread: Unread| Unread { span: unread.span.start + offset..unread.span.end + offset, ..unread };
    wrong.extend(unread.into_iter().map(in_file));
    let mut acts = Vec::new();
    for piece in pieces {
        wrong.extend(piece.bad_bracket.map(in_file));
        let sql = &text[piece.span.clone()];
        let reader = Reader::of(sql, piece.tokens);
        let mut cursor = Cursor { reader, sql, offset: offset + piece.span.start, dialect: Dialect::Postgres };
        if is_body {
            skip_control(&mut cursor.reader);
        }
        if is_body && cursor.reader.sees(&["EXECUTE"]) {
            acts.extend(executed(&mut cursor, wrong));
        } else if cursor.reader.sees_any(&HEADS) {
            match judged(&mut cursor) {
                Ok(found) => acts.extend(found),
                Err(error) => wrong.push(cursor.unread(&error)),
            }
        }
    }
    acts
}

/// `EXECUTE 'a statement'`; one that is put together is not known before it runs.
fn executed(cursor: &mut Cursor<'_>, wrong: &mut Vec<Unread>) -> Vec<Act> {
    let start = cursor.start();
    cursor.reader.advance();
    let code = cursor.reader.peek(0).cloned().filter(|_| cursor.reader.peek(1).is_none());
    let text = code.as_ref().and_then(|code| inner(cursor.reader.text_of(code)));
    if let (Some(code), Some((quote, text))) = (&code, text) {
        return statements(text, cursor.offset + code.span.start + quote, wrong, false);
    }
    let message = "what EXECUTE runs is put together here: it is not judged".to_owned();
    wrong.push(Unread { span: start..start + "EXECUTE".len(), message });
    Vec::new()
}

/// Steps over plpgsql's words before a statement: `BEGIN`, `IF … THEN`, `FOR … LOOP`, `<<label>>`.
fn skip_control(reader: &mut Reader<'_>) {
    loop {
        let until = if reader.sees_any(&["IF", "ELSIF", "ELSEIF", "WHEN", "CASE"]) {
            "THEN"
        } else if reader.sees_any(&["FOR", "FOREACH", "WHILE"]) {
            "LOOP"
        } else if reader.sees_any(&["BEGIN", "ELSE", "LOOP", "EXCEPTION"]) {
            reader.advance();
            continue;
        } else if reader.text(0) == "<" && reader.text(1) == "<" {
            (0..5).for_each(|_| reader.advance());
            continue;
        } else {
            return;
        };
        while !reader.at_end() && !reader.sees(&[until]) {
            reader.advance();
        }
        reader.advance();
    }
}

/// Joins the pieces of which `BEGIN ATOMIC …; …; END` was made: it is the body of a function, and nothing of it is run.
pub(in crate::lint::read) fn whole_bodies(text: &str, pieces: Vec<Piece>) -> Vec<Piece> {
    let mut whole: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut open: Option<usize> = None;
    for piece in pieces {
        let word = |at: usize| piece.tokens.get(at).map_or("", |token| &text[piece.span.start..][token.span.clone()]);
        let is = |at: usize, expected: &str| word(at).eq_ignore_ascii_case(expected);
        if let Some(first) = open.filter(|_| is(0, "END")) {
            let parts = whole.split_off(first + 1);
            for part in parts.into_iter().chain([piece]) {
                join(&mut whole[first], part);
            }
            open = None;
            continue;
        }
        let body = (0..piece.tokens.len()).find(|at| is(*at, "BEGIN") && is(at + 1, "ATOMIC"));
        if body.is_some_and(|at| is(0, "CREATE") && !is(at + 2, "END")) {
            open = Some(whole.len());
        }
        whole.push(piece);
    }
    whole
}

fn join(whole: &mut Piece, part: Piece) {
    let by = part.span.start - whole.span.start;
    whole.span.end = part.span.end;
    whole.comments.extend(part.comments);
    whole.bad_bracket = whole.bad_bracket.take().or(part.bad_bracket);
    whole.depth = whole.depth.max(part.depth);
    whole.tokens.extend(part.tokens.into_iter().map(|token| {
        let span = token.span.start + by..token.span.end + by;
        Token { kind: token.kind, span }
    }));
}
