//! Reads statements of PostgreSQL.

use std::ops::Range;

use super::{Cursor, postgres_nested, postgres_session, postgres_upkeep};
use crate::ddl::DdlError;
use crate::ddl::lexer::TokenKind;
use crate::ddl::reader::Reader;
use crate::lint::pieces::Unread;
use crate::lint::statement::{Act, Column, ConstraintKind, Definition, Exclusive, Generated, Named, What};

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
        return Ok(postgres_nested::body(cursor, wrong));
    }
    if cursor.reader.take(&["PREPARE", "TRANSACTION"]) {
        return Ok(vec![cursor.act(What::End, None, start)]);
    }
    if postgres_nested::steps_to_inner(cursor)? { judged(cursor) } else { Ok(Vec::new()) }
}

/// A statement that is no other's cover.
pub(super) fn judged(cursor: &mut Cursor<'_>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    let place = cursor.reader.place();
    let word = cursor.reader.text(0).to_ascii_uppercase();
    if word == "(" || cursor.reader.sees_any(&UNJUDGED) {
        return Ok(Vec::new());
    }
    cursor.reader.advance();
    match word.as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" => {
            Ok(postgres_session::transaction(cursor, start, &word))
        }
        "SET" | "RESET" | "DISCARD" => Ok(postgres_session::timeout(cursor, start, &word)),
        "SELECT" => selected(cursor, start),
        "ALTER" => alter_object(cursor, start),
        "CREATE" => create(cursor, start),
        "DROP" => drop_object(cursor, start),
        "TRUNCATE" => truncate(cursor, start),
        "UPDATE" | "DELETE" => Ok(vec![rows(cursor, start, word == "UPDATE")?]),
        "WITH" => postgres_nested::with(cursor),
        "VACUUM" | "CLUSTER" | "LOCK" | "REINDEX" | "REFRESH" => postgres_upkeep::read(cursor, start, &word),
        _ => {
            cursor.reader.return_to(place);
            Err(cursor.reader.unexpected("a statement that is known"))
        }
    }
}

/// `SELECT set_config('lock_timeout', …)`, `SELECT … INTO a_table`
fn selected(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let place = cursor.reader.place();
    let timeout = postgres_session::configured(cursor, start);
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

const OTHERS_WITH_NAMES: [(&[&str], &str); 4] =
    [(&["SCHEMA"], "schema"), (&["DATABASE"], "database"), (&["TYPE"], "type"), (&["DOMAIN"], "domain")];

fn alter_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    if [&["TABLE"][..], &["VIEW"], &["MATERIALIZED", "VIEW"]].iter().any(|words| cursor.reader.take(words)) {
        return alter(cursor, start);
    }
    let Some((_, kind)) = OTHERS_WITH_NAMES.iter().find(|(words, _)| cursor.reader.take(words)) else {
        return Ok(Vec::new());
    };
    let owner = cursor.name()?;
    if *kind == "domain"
        && let Some(words) = checked_domain(cursor)
    {
        return Ok(vec![cursor.act(What::CheckDomain(words), Some(owner), start)]);
    }
    if !cursor.reader.take(&["RENAME"]) {
        return Ok(Vec::new());
    }
    let (kind, name) = if cursor.reader.take(&["VALUE"]) {
        ("value", format!("{} of {}", cursor.reader.text(0), owner.sql))
    } else if cursor.reader.take(&["ATTRIBUTE"]) {
        ("attribute", format!("{} of {}", cursor.reader.text(0), owner.sql))
    } else if cursor.reader.sees(&["CONSTRAINT"]) {
        return Ok(Vec::new());
    } else {
        (*kind, owner.sql.clone())
    };
    if kind == "type" && cursor.reader.take(&["TO"]) {
        let to = cursor.name()?;
        return Ok(vec![cursor.act(What::RenameType { to }, Some(owner), start)]);
    }
    while !cursor.reader.at_end() {
        cursor.reader.advance();
    }
    Ok(vec![cursor.act(What::RenameOther { kind, name }, None, start)])
}

/// What `ALTER DOMAIN` demands of the values that are there.
fn checked_domain(cursor: &mut Cursor<'_>) -> Option<&'static str> {
    if cursor.reader.take(&["SET", "NOT", "NULL"]) {
        return Some("SET NOT NULL");
    }
    if !cursor.reader.take(&["ADD"]) {
        return None;
    }
    cursor.skip_outside_brackets(|reader| reader.sees(&["NOT", "VALID"]));
    cursor.reader.at_end().then_some("ADD CONSTRAINT")
}

fn alter(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.skip_if_exists();
    if cursor.reader.take(&["ALL", "IN", "TABLESPACE"]) {
        return Ok(vec![cursor.act(What::Exclusive(Exclusive::Rewrite("SET TABLESPACE")), None, start)]);
    }
    cursor.reader.take(&["ONLY"]);
    let table = cursor.name()?;
    cursor.reader.take_symbol("*");
    let mut acts = Vec::new();
    loop {
        let start = cursor.start();
        let what = command(cursor, &table)?;
        // Whatever follows up to the next command belongs to this one.
        let text = cursor.reader.item("more", |_| false);
        let end = text.map_or(cursor.end(), |text| text.span.end + cursor.offset);
        acts.push(Act { what, table: Some(table.clone()), span: start..end, on_cluster: false });
        if !cursor.reader.take_symbol(",") {
            return if cursor.reader.at_end() { Ok(acts) } else { Err(cursor.reader.unexpected("`,` or the end")) };
        }
        if acts.len() == COMMANDS_MAX {
            return Err(cursor.reader.error(format!("an ALTER with more than {COMMANDS_MAX} commands is not read")));
        }
    }
}

/// People write a dozen.
const COMMANDS_MAX: usize = 1_000;

const OTHER_COMMANDS: [&str; 18] = [
    "OWNER", "SET", "RESET", "ENABLE", "DISABLE", "CLUSTER", "REPLICA", "DETACH", "INHERIT", "NO", "FORCE", "OF",
    "NOT", "WITHOUT", "ALTER", "DEPENDS", "OPTIONS", "ATTACH",
];

/// Commands that write the whole table anew.
const REWRITES: [(&[&str], &str); 4] = [
    (&["SET", "LOGGED"], "SET LOGGED"),
    (&["SET", "UNLOGGED"], "SET UNLOGGED"),
    (&["SET", "TABLESPACE"], "SET TABLESPACE"),
    (&["SET", "ACCESS", "METHOD"], "SET ACCESS METHOD"),
];

fn command(cursor: &mut Cursor<'_>, table: &Named) -> Result<What, DdlError> {
    let reader = &mut cursor.reader;
    if reader.take(&["ADD"]) {
        return added(cursor);
    }
    if reader.take(&["DROP", "CONSTRAINT"]) {
        reader.take(&["IF", "EXISTS"]);
        return Ok(What::DropConstraint { name: reader.identifier()? });
    }
    if reader.take(&["DROP"]) {
        reader.take(&["COLUMN"]);
        reader.take(&["IF", "EXISTS"]);
        return Ok(What::DropColumn { column: reader.identifier()? });
    }
    if reader.take(&["RENAME"]) {
        return renamed(cursor);
    }
    if reader.take(&["VALIDATE", "CONSTRAINT"]) {
        return Ok(What::ValidateConstraint { name: reader.identifier()? });
    }
    if reader.take(&["ATTACH", "PARTITION"]) {
        return Ok(What::AttachPartition { partition: cursor.name()? });
    }
    if reader.take(&["DETACH", "PARTITION"]) {
        return detached(cursor);
    }
    if reader.take(&["SET", "SCHEMA"]) {
        return moved(cursor, table);
    }
    if let Some((_, words)) = REWRITES.iter().find(|(words, _)| reader.take(words)) {
        return Ok(What::Exclusive(Exclusive::Rewrite(words)));
    }
    if reader.sees(&["ALTER", "CONSTRAINT"]) {
        reader.advance();
        return Ok(What::AlterOther);
    }
    if reader.take(&["ALTER"]) {
        reader.take(&["COLUMN"]);
        return altered_column(cursor);
    }
    if reader.sees_any(&OTHER_COMMANDS) {
        reader.advance();
        return Ok(What::AlterOther);
    }
    Err(reader.unexpected("a command of ALTER TABLE"))
}

fn detached(cursor: &mut Cursor<'_>) -> Result<What, DdlError> {
    cursor.name()?;
    if cursor.reader.take(&["FINALIZE"]) {
        return Ok(What::AlterOther);
    }
    Ok(What::DetachPartition { concurrently: cursor.reader.take(&["CONCURRENTLY"]) })
}

/// `SET SCHEMA` takes the old name away as a rename does.
fn moved(cursor: &mut Cursor<'_>, table: &Named) -> Result<What, DdlError> {
    let schema = cursor.name()?;
    let name = table.sql.rsplit('.').next().unwrap_or_default();
    let sql = format!("{}.{name}", schema.sql);
    Ok(What::RenameTable { to: Named { sql, database: Some(schema.table), table: table.table.clone() } })
}

fn renamed(cursor: &mut Cursor<'_>) -> Result<What, DdlError> {
    let reader = &mut cursor.reader;
    if reader.take(&["TO"]) {
        return Ok(What::RenameTable { to: cursor.name()? });
    }
    if reader.sees(&["CONSTRAINT"]) && !reader.sees_word(1, "TO") {
        return Ok(What::AlterOther);
    }
    reader.take(&["COLUMN"]);
    let column = reader.identifier()?;
    reader.expect(&["TO"])?;
    Ok(What::RenameColumn { column, to: reader.identifier()? })
}

fn altered_column(cursor: &mut Cursor<'_>) -> Result<What, DdlError> {
    let reader = &mut cursor.reader;
    let column = reader.identifier()?;
    if reader.take(&["TYPE"]) || reader.take(&["SET", "DATA", "TYPE"]) {
        let kind = reader.item("a type", |reader| reader.sees_any(&["USING", "COLLATE"]))?;
        if reader.take(&["COLLATE"]) {
            reader.name()?;
        }
        let using =
            reader.take(&["USING"]) && !is_cast(&reader.item("an expression", |_| false)?.text, &column, &kind.text);
        return Ok(What::ColumnType { column, kind: kind.text, using });
    }
    if reader.take(&["SET", "EXPRESSION"]) {
        return Ok(What::Exclusive(Exclusive::Rewrite("SET EXPRESSION")));
    }
    if reader.take(&["SET", "NOT", "NULL"]) {
        return Ok(What::SetNotNull { column });
    }
    if reader.take(&["DROP", "DEFAULT"]) {
        return Ok(What::DropDefault { column });
    }
    if reader.sees_any(&["SET", "DROP", "ADD", "RESET", "RESTART"]) {
        return Ok(What::AlterOther);
    }
    Err(reader.unexpected("what is to become of the column"))
}

/// Whether an expression is the column as the type, which is what happens without it (Django writes `"a"::text`).
fn is_cast(expression: &str, column: &str, kind: &str) -> bool {
    let dense = |sql: &str| sql.split_whitespace().collect::<String>().to_ascii_lowercase();
    let (expression, kind) = (dense(expression), dense(kind));
    let of_cast = || expression.strip_prefix("cast(")?.strip_suffix(')')?.strip_suffix(&format!("as{kind}"));
    let cast = expression.strip_suffix(&format!("::{kind}")).or_else(of_cast);
    cast.is_some_and(|cast| cast.trim_matches('"') == dense(column))
}

const CONSTRAINTS: [(&[&str], ConstraintKind); 5] = [
    (&["FOREIGN", "KEY"], ConstraintKind::ForeignKey),
    (&["PRIMARY", "KEY"], ConstraintKind::PrimaryKey),
    (&["CHECK"], ConstraintKind::Check),
    (&["UNIQUE"], ConstraintKind::Unique),
    (&["EXCLUDE"], ConstraintKind::Exclude),
];

fn constraint_kind(reader: &Reader<'_>) -> Option<ConstraintKind> {
    CONSTRAINTS.iter().find(|(words, _)| reader.sees(words)).map(|(_, kind)| *kind)
}

fn added(cursor: &mut Cursor<'_>) -> Result<What, DdlError> {
    let reader = &mut cursor.reader;
    let name = if reader.take(&["CONSTRAINT"]) { Some(reader.identifier()?) } else { None };
    if let Some(kind) = constraint_kind(reader) {
        let text = reader.item("a constraint", |_| false)?.text;
        let has = |words: &[&str]| crate::ddl::alteration::has_words(&text, words);
        let (not_valid, using_index) = (has(&["NOT", "VALID"]), has(&["USING", "INDEX"]));
        return Ok(What::AddConstraint { name, kind, not_valid, using_index, text });
    }
    if name.is_some() {
        return Err(reader.unexpected("a constraint"));
    }
    reader.take(&["COLUMN"]);
    cursor.skip_if_exists();
    Ok(What::AddColumn(column(&mut cursor.reader)?))
}

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
fn column(reader: &mut Reader<'_>) -> Result<Column, DdlError> {
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

fn create(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let reader = &mut cursor.reader;
    if reader.take(&["UNIQUE", "INDEX"]) || reader.take(&["INDEX"]) {
        return create_index(cursor, start);
    }
    if reader.take(&["TYPE"]) || reader.take(&["DOMAIN"]) {
        let name = cursor.name()?;
        return Ok(vec![cursor.act(What::CreateType, Some(name), start)]);
    }
    while reader.sees_any(&["GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED", "RECURSIVE"]) {
        reader.advance();
    }
    let is_view = reader.take(&["VIEW"]) || reader.take(&["MATERIALIZED", "VIEW"]);
    if !is_view && !reader.take(&["TABLE"]) {
        return Ok(Vec::new());
    }
    let may_be_there = cursor.take_if_not_exists();
    let table = cursor.name()?;
    let end = cursor.end();
    let mut definition = Definition { may_be_there, ..Definition::default() };
    if !is_view && cursor.reader.text(0) == "(" {
        for item in cursor.bracketed()? {
            define(&mut definition, &item.text);
        }
    }
    let what = What::CreateTable(Box::new(definition));
    let mut acts = vec![Act { what, table: Some(table), span: start..end, on_cluster: false }];
    cursor.skip_outside_brackets(|reader| reader.sees_any(&["AS"]));
    if cursor.reader.take(&["AS", "WITH"]) {
        acts.extend(postgres_nested::with(cursor)?);
    }
    Ok(acts)
}

fn create_index(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let concurrently = cursor.reader.take(&["CONCURRENTLY"]);
    cursor.skip_if_exists();
    if !cursor.reader.sees_any(&["ON"]) {
        cursor.name()?;
    }
    cursor.reader.expect(&["ON"])?;
    let only = cursor.reader.take(&["ONLY"]);
    let table = cursor.name()?;
    let act = cursor.act(What::CreateIndex { concurrently, only }, Some(table), start);
    if cursor.reader.take(&["USING"]) {
        cursor.reader.identifier()?;
    }
    cursor.bracketed()?;
    if cursor.reader.take(&["INCLUDE"]) {
        cursor.bracketed()?;
    }
    if cursor.reader.take(&["NULLS"]) {
        cursor.reader.take(&["NOT"]);
        cursor.reader.expect(&["DISTINCT"])?;
    }
    if cursor.reader.take(&["WITH"]) {
        cursor.bracketed()?;
    }
    if cursor.reader.take(&["TABLESPACE"]) {
        cursor.reader.identifier()?;
    }
    if cursor.reader.take(&["WHERE"]) {
        cursor.reader.clause("a condition", |_| false)?;
    }
    cursor.reader.expect_end()?;
    Ok(vec![act])
}

fn define(definition: &mut Definition, item: &str) {
    let Ok(tokens) = super::PostgresLexer::new(item).collect::<Result<Vec<_>, _>>() else { return };
    let tokens = tokens.into_iter().filter(|token| token.kind.is_significant()).collect();
    let mut reader = Reader::of(item, tokens);
    if reader.take(&["CONSTRAINT"]) {
        reader.advance();
    }
    match constraint_kind(&reader) {
        Some(ConstraintKind::ForeignKey) => definition.foreign_keys += 1,
        Some(_) => {}
        None if reader.sees_any(&["LIKE"]) => {}
        None => {
            if let Ok(column) = column(&mut reader) {
                definition.foreign_keys += usize::from(column.constraints.contains(&ConstraintKind::ForeignKey));
                definition.columns.push(column);
            }
        }
    }
}

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

fn drop_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
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

fn truncate(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
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

/// What follows `UPDATE` or `DELETE`.
pub(super) fn rows(cursor: &mut Cursor<'_>, start: usize, updates: bool) -> Result<Act, DdlError> {
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
