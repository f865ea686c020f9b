//! What words tell where no token does: where statements begin, commands of psql, rows that follow a statement.

use super::Piece;
use crate::ddl::lexer::Token;

/// Whether a command of psql runs no SQL that stands elsewhere, and leaves the database as it is.
pub(super) fn hides_nothing(command: &str) -> bool {
    const COMMANDS: [&str; 18] = [
        "conninfo",
        "echo",
        "elif",
        "else",
        "encoding",
        "endif",
        "gset",
        "if",
        "prompt",
        "pset",
        "qecho",
        "quit",
        "q",
        "restrict",
        "set",
        "timing",
        "unrestrict",
        "unset",
    ];
    let name = command.trim_start_matches('\\').split(|c: char| !c.is_ascii_alphabetic()).next();
    name.is_some_and(|name| COMMANDS.contains(&name))
}

/// Where to read on behind what is no token: behind the next semicolon, or where a line before it begins a statement.
pub(super) fn resume_behind(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let semicolon = rest.find(';').map_or(rest.len(), |at| at + 1);
    let breaks = rest[..semicolon].match_indices('\n').map(|(at, _)| at + 1);
    let line = breaks.map(|at| at + blanks(&rest[at..])).find(|at| beginning(&rest[*at..]).is_some());
    Some(from + line.unwrap_or(semicolon)).filter(|resume| *resume < text.len())
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\r']).len()
}

/// What begins with a line that nothing but a statement begins with.
pub(super) enum Beginning {
    /// A statement about tables and the like.
    OfDefinition,
    /// A statement about rows, which others may hold: `WITH a AS (…) DELETE FROM t`.
    OfRows,
}

pub(super) fn beginning(text: &str) -> Option<Beginning> {
    const OBJECTS: [&str; 7] = ["TABLE", "DATABASE", "SCHEMA", "VIEW", "MATERIALIZED", "DICTIONARY", "TEMPORARY"];
    const CREATED: [&str; 4] = ["INDEX", "UNIQUE", "OR", "TYPE"];
    const BYTES: usize = 200;
    /// `UPDATE ONLY s.t AS x SET`
    const WORDS: usize = 7;
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let near = &text[..text.floor_char_boundary(BYTES)];
    let words = near.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(WORDS).collect();
    let [first, second, rest @ ..] = words.as_slice() else { return None };
    let defines = |any: &[&str]| is_any(second, any).then_some(Beginning::OfDefinition);
    let is_of_rows = match first.to_ascii_uppercase().as_str() {
        "CREATE" => return defines(&OBJECTS).or_else(|| defines(&CREATED)),
        "ALTER" | "DROP" | "TRUNCATE" | "RENAME" | "DETACH" => return defines(&OBJECTS),
        "EXCHANGE" => return defines(&["TABLES"]),
        "OPTIMIZE" | "LOCK" => return defines(&["TABLE"]),
        "DELETE" => is_any(second, &["FROM"]),
        "INSERT" => is_any(second, &["INTO"]),
        "UPDATE" => !is_any(second, &["SET"]) && rest.iter().any(|word| is_any(word, &["SET"])),
        _ => false,
    };
    is_of_rows.then_some(Beginning::OfRows)
}

pub(super) fn is_any(word: &str, any: &[&str]) -> bool {
    any.iter().any(|one| word.eq_ignore_ascii_case(one))
}

/// Whether rows follow the statement: `COPY t FROM stdin`.
pub(super) fn takes_rows(text: &str, piece: &Piece) -> bool {
    let word = |token: &Token| &text[piece.span.start + token.span.start..piece.span.start + token.span.end];
    is_any(word(&piece.tokens[0]), &["COPY"])
        && piece.tokens.windows(2).any(|pair| is_any(word(&pair[0]), &["FROM"]) && is_any(word(&pair[1]), &["STDIN"]))
}

/// The end of rows that a line `\.` ends.
pub(super) fn end_of_rows(text: &str) -> Option<usize> {
    let breaks = text.match_indices("\n\\.").map(|(at, ended)| at + ended.len());
    let mut ends =
        breaks.filter(|end| matches!(text[*end..].trim_start_matches('\r').chars().next(), None | Some('\n')));
    ends.next()
}
