//! Reads `ALTER TABLE … MODIFY ORDER BY …`.

use super::adjacency::starts_anew;
use super::error::DdlError;
use super::lexer::TokenKind;
use super::reader::{Reader, shown};
use super::statement::{AlterKeys, Text};

const KEYS: [(&str, &str); 3] = [("ORDER", "BY"), ("PARTITION", "BY"), ("PRIMARY", "KEY")];

/// Reads what follows `ALTER`.
pub(super) fn read_alter(reader: &mut Reader<'_>) -> Result<AlterKeys, DdlError> {
    reader.expect(&["TABLE"])?;
    let table = reader.name()?;
    let on_cluster = reader.on_cluster()?;
    let mut keys: [Option<Text>; KEYS.len()] = Default::default();
    loop {
        read_command(reader, &mut keys)?;
        if !reader.take_symbol(",") {
            break;
        }
    }
    let [order_by, partition_by, primary_key] = keys;
    Ok(AlterKeys { table, on_cluster, order_by, primary_key, partition_by })
}

fn read_command(reader: &mut Reader<'_>, keys: &mut [Option<Text>; KEYS.len()]) -> Result<(), DdlError> {
    let changes_key = |&(first, second): &(&str, &str)| reader.sees(&["MODIFY", first, second]);
    let Some(key) = KEYS.iter().position(changes_key) else {
        return Err(unplanned(reader, keys.iter().any(Option::is_some)));
    };
    let (first, second) = KEYS[key];
    if keys[key].is_some() {
        return Err(reader.error(format!("{first} {second} is changed twice")));
    }
    reader.expect(&["MODIFY", first, second])?;
    keys[key] = Some(read_key(reader)?);
    Ok(())
}

fn unplanned(reader: &Reader<'_>, after_comma: bool) -> DdlError {
    if reader.at_end() || reader.text(0) == ";" {
        return reader.unexpected("`MODIFY ORDER BY`");
    }
    let command = match reader.text(0) {
        modify if modify.eq_ignore_ascii_case("MODIFY") => shown(format!("MODIFY {}", reader.text(1)).trim_end()),
        other => shown(other),
    };
    let error =
        reader.error(format!("{command}: this version plans only changes of ORDER BY, PARTITION BY and PRIMARY KEY"));
    if after_comma && !reader.sees(&["MODIFY"]) {
        return error.with_help("a key of several columns needs parentheses: MODIFY ORDER BY (a, b)");
    }
    error.with_help("write ALTER TABLE t MODIFY ORDER BY (…) [, MODIFY PARTITION BY …] [, MODIFY PRIMARY KEY …]")
}

/// An expression, up to a comma or the end. What could be the beginning of something else is refused.
fn read_key(reader: &mut Reader<'_>) -> Result<Text, DdlError> {
    let key = reader.item("an expression", starts_anew)?;
    if reader.at_end() || matches!(reader.kind(0), Some(TokenKind::Comma | TokenKind::Semicolon)) {
        return Ok(key);
    }
    Err(reader.unexpected("`,` or the end").with_help("each change is a command of its own: MODIFY …, MODIFY …"))
}
