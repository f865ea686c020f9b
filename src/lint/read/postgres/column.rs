//! Reads columns and constraints of PostgreSQL.

use crate::ddl::DdlError;
use crate::ddl::lexer::TokenKind;
use crate::ddl::reader::Reader;
use crate::lint::statement::{Column, ConstraintKind, Generated};

/// Words with which options of a column begin.
const OPTIONS: [&str; 14] = [
    "NOT",
    "NULL",
    "DEFAULT",
    "CONSTRAINT",
    "REFERENCES",
    "UNIQUE",
    "PRIMARY",
    "CHECK",
    "GENERATED",
    "COLLATE",
    "STORAGE",
    "DEFERRABLE",
    "COMPRESSION",
    "INITIALLY",
];
const SERIALS: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];

/// `name type options`, up to a comma.
pub(super) fn column(reader: &mut Reader<'_>) -> Result<Column, DdlError> {
    let option = |reader: &Reader<'_>| reader.text(0) == "," || reader.sees_any(&OPTIONS);
    let name = reader.identifier()?;
    let kind = reader.clause("a type", option)?.text;
    let is_serial = SERIALS.iter().any(|serial| kind.eq_ignore_ascii_case(serial));
    let generated = is_serial.then_some(Generated::Serial);
    let mut column = Column { name, kind, not_null: is_serial, generated, ..Column::default() };
    while !reader.at_end() && reader.text(0) != "," && reader.kind(0) != Some(TokenKind::Close) {
        if reader.take(&["NOT", "NULL"]) {
            column.not_null = true;
        } else if reader.take(&["DEFAULT"]) {
            let default = reader.clause("an expression", option)?.text;
            column.default = Some(default).filter(|default| !default.eq_ignore_ascii_case("NULL"));
        } else if reader.take(&["GENERATED"]) {
            column.generated = Some(generation(reader)?);
        } else if reader.take(&["REFERENCES"]) {
            column.constraints.push(ConstraintKind::ForeignKey);
            skip_reference(reader)?;
        } else {
            let constraint = constraint_kind(reader);
            column.not_null |= constraint == Some(ConstraintKind::PrimaryKey);
            column.constraints.extend(constraint);
            reader.item("an option", |reader| reader.sees_any(&OPTIONS))?;
        }
    }
    Ok(column)
}

/// What follows `GENERATED`.
fn generation(reader: &mut Reader<'_>) -> Result<Generated, DdlError> {
    if !reader.take(&["ALWAYS"]) {
        reader.expect(&["BY", "DEFAULT"])?;
    }
    reader.expect(&["AS"])?;
    if reader.take(&["IDENTITY"]) {
        if reader.text(0) == "(" {
            reader.item("options", |reader| reader.sees_any(&OPTIONS))?;
        }
        return Ok(Generated::Identity);
    }
    reader.item("an expression", |reader| reader.sees_any(&["STORED", "VIRTUAL"]) || reader.sees_any(&OPTIONS))?;
    if reader.take(&["STORED"]) {
        return Ok(Generated::Stored);
    }
    reader.take(&["VIRTUAL"]);
    Ok(Generated::Virtual)
}

/// Steps over the table that is referenced, and what is to happen when its rows go: `SET NULL` there is no option of the column.
fn skip_reference(reader: &mut Reader<'_>) -> Result<(), DdlError> {
    reader.name()?;
    if reader.text(0) == "(" {
        reader.item("columns", |reader| reader.text_behind(1) == ")")?;
    }
    loop {
        if reader.take(&["MATCH"]) {
            reader.advance();
        } else if reader.take(&["ON", "DELETE"]) || reader.take(&["ON", "UPDATE"]) {
            let words = if reader.sees_any(&["SET", "NO"]) { 2 } else { 1 };
            (0..words).for_each(|_| reader.advance());
        } else {
            return Ok(());
        }
    }
}

const CONSTRAINTS: [(&[&str], ConstraintKind); 5] = [
    (&["FOREIGN", "KEY"], ConstraintKind::ForeignKey),
    (&["PRIMARY", "KEY"], ConstraintKind::PrimaryKey),
    (&["CHECK"], ConstraintKind::Check),
    (&["UNIQUE"], ConstraintKind::Unique),
    (&["EXCLUDE"], ConstraintKind::Exclude),
];

pub(super) fn constraint_kind(reader: &Reader<'_>) -> Option<ConstraintKind> {
    CONSTRAINTS.iter().find(|(words, _)| reader.sees(words)).map(|(_, kind)| *kind)
}
