//! Reads `CREATE TABLE`.

use super::engine::read_storage;
use super::error::DdlError;
use super::lexer::TokenKind;
use super::reader::Reader;
use super::statement::{CreateTable, Item, ItemKind, Text};

/// Reads what follows `CREATE`.
pub(super) fn read_create(reader: &mut Reader<'_>) -> Result<CreateTable, DdlError> {
    if !reader.take(&["TABLE"]) {
        return Err(reader.unexpected("`TABLE`").with_help("only plain CREATE TABLE is read here"));
    }
    let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
    let name = reader.name()?;
    reader.skip_uuid()?;
    let on_cluster = reader.on_cluster()?;
    refuse_copies(reader)?;
    let (body, items) = read_body(reader)?;
    let (engine, comment) = read_storage(reader)?;
    refuse_copies(reader)?;
    Ok(CreateTable { name, if_not_exists, on_cluster, body, items, engine, comment })
}

/// `AS …`, `EMPTY AS …`, `CLONE AS …`: the definition stands somewhere else.
fn refuse_copies(reader: &Reader<'_>) -> Result<(), DdlError> {
    if !reader.sees_any(&["AS", "EMPTY", "CLONE"]) {
        return Ok(());
    }
    Err(reader
        .error("a definition by AS is not read: its columns stand in another table or in a query")
        .with_help("write the columns out, as SHOW CREATE TABLE does"))
}

fn read_body(reader: &mut Reader<'_>) -> Result<(Text, Vec<Item>), DdlError> {
    reader.expect_symbol("(")?;
    let mut items = vec![read_item(reader)?];
    let start = items[0].text.span.start;
    loop {
        let end = items[items.len() - 1].text.span.end;
        if reader.take_symbol(")") {
            return Ok((reader.text_at(start..end), items));
        }
        reader.expect_symbol(",")?;
        items.push(read_item(reader)?);
    }
}

fn read_item(reader: &mut Reader<'_>) -> Result<Item, DdlError> {
    let start = reader.place();
    let kind = read_kind(reader)?;
    reader.return_to(start);
    let text = reader.item("a column", |_| false)?;
    Ok(Item { kind, text })
}

/// Tells what the item is that begins here. Unquoted, `index String` is a column and `INDEX i a TYPE minmax` is not.
fn read_kind(reader: &mut Reader<'_>) -> Result<ItemKind, DdlError> {
    if reader.take(&["PRIMARY", "KEY"]) {
        return Ok(ItemKind::PrimaryKey);
    }
    if reader.sees(&["FOREIGN", "KEY"]) {
        return Err(reader.error("FOREIGN KEY is not kept by ClickHouse").with_help("leave it out"));
    }
    let declaration: Option<fn(String) -> ItemKind> = if reader.sees(&["CONSTRAINT"]) && constrains(reader) {
        Some(|name| ItemKind::Constraint { name })
    } else if reader.sees(&["PROJECTION"]) && projects(reader) {
        Some(|name| ItemKind::Projection { name })
    } else if reader.sees(&["INDEX"]) && indexes(reader) {
        Some(|name| ItemKind::Index { name })
    } else {
        None
    };
    if let Some(declaration) = declaration {
        reader.advance();
        return reader.identifier().map(declaration);
    }
    let mut name = reader.identifier()?;
    while reader.take_symbol(".") {
        name = format!("{name}.{}", reader.identifier()?);
    }
    Ok(ItemKind::Column { name })
}

fn constrains(reader: &Reader<'_>) -> bool {
    ["CHECK", "ASSUME"].iter().any(|word| reader.sees_word(2, word))
}

fn projects(reader: &Reader<'_>) -> bool {
    let selects = reader.text(2) == "(" && ["SELECT", "WITH"].iter().any(|word| reader.sees_word(3, word));
    selects || ["INDEX", "WITH"].iter().any(|word| reader.sees_word(2, word))
}

/// An index has a `TYPE` outside all brackets.
fn indexes(reader: &Reader<'_>) -> bool {
    let mut depth = 0_usize;
    for ahead in 2.. {
        match reader.kind(ahead) {
            None => return false,
            Some(TokenKind::Comma | TokenKind::Close) if depth == 0 => return false,
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth -= 1,
            _ if depth == 0 && reader.sees_word(ahead, "TYPE") => return true,
            _ => {}
        }
    }
    false
}
