//! Reads statements of PostgreSQL.

use super::Cursor;
use crate::ddl::DdlError;
use crate::ddl::lexer::TokenKind;
use crate::ddl::reader::Reader;
use crate::lint::statement::{Act, Column, ConstraintKind, Definition, Named, What};

/// Words with which statements begin that are not judged.
const UNJUDGED: [&str; 34] = [
    "INSERT",
    "SELECT",
    "VALUES",
    "RESET",
    "SHOW",
    "COMMENT",
    "GRANT",
    "REVOKE",
    "ANALYZE",
    "ANALYSE",
    "COPY",
    "DO",
    "CALL",
    "NOTIFY",
    "LISTEN",
    "UNLISTEN",
    "EXPLAIN",
    "DISCARD",
    "SECURITY",
    "MERGE",
    "IMPORT",
    "SAVEPOINT",
    "RELEASE",
    "PREPARE",
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

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<Act>, DdlError> {
    let start = cursor.start();
    let place = cursor.reader.place();
    let word = cursor.reader.text(0).to_ascii_uppercase();
    if word == "(" || cursor.reader.sees_any(&UNJUDGED) {
        return Ok(timeout(cursor, start));
    }
    cursor.reader.advance();
    match word.as_str() {
        "BEGIN" | "START" => Ok(vec![cursor.act(What::Begin, None, start)]),
        "COMMIT" | "END" | "ROLLBACK" | "ABORT" if !cursor.reader.sees_any(&["TO", "PREPARED"]) => {
            Ok(vec![cursor.act(What::End, None, start)])
        }
        "SET" => Ok(timeout(cursor, start)),
        "ALTER" if cursor.reader.take(&["TABLE"]) => alter(cursor),
        "ALTER" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" => Ok(Vec::new()),
        "CREATE" => create(cursor, start),
        "DROP" => drop_object(cursor, start),
        "TRUNCATE" => truncate(cursor, start),
        "UPDATE" | "DELETE" => rows(cursor, start, word == "UPDATE"),
        "WITH" => with(cursor, start),
        "VACUUM" | "CLUSTER" | "LOCK" | "REINDEX" | "REFRESH" => Ok(exclusive(cursor, start, &word)),
        _ => {
            cursor.reader.return_to(place);
            Err(cursor.reader.unexpected("a statement that is known"))
        }
    }
}

/// `SET lock_timeout = …`, `SELECT set_config('lock_timeout', …)`
fn timeout(cursor: &mut Cursor<'_>, start: usize) -> Vec<Act> {
    const WORDS_MAX: usize = 8;
    let mut seen = false;
    for _ in 0..WORDS_MAX {
        seen |= cursor.reader.text(0).trim_matches('\'').eq_ignore_ascii_case("lock_timeout");
        cursor.reader.advance();
    }
    if seen { vec![cursor.act(What::LockTimeout, None, start)] } else { Vec::new() }
}

fn exclusive(cursor: &mut Cursor<'_>, start: usize, word: &str) -> Vec<Act> {
    const WORDS_MAX: usize = 8;
    let end = cursor.end();
    let (mut full, mut concurrently) = (false, false);
    for _ in 0..WORDS_MAX {
        full |= cursor.reader.sees_any(&["FULL"]);
        concurrently |= cursor.reader.sees_any(&["CONCURRENTLY"]);
        cursor.reader.advance();
    }
    let words = match word {
        "VACUUM" if full => "VACUUM FULL",
        "CLUSTER" => "CLUSTER",
        "LOCK" => "LOCK TABLE",
        "REINDEX" if !concurrently => "REINDEX",
        "REFRESH" if !concurrently => "REFRESH MATERIALIZED VIEW",
        _ => return Vec::new(),
    };
    vec![Act { what: What::Exclusive(words), table: None, span: start..end, on_cluster: false }]
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Vec<Act>, DdlError> {
    cursor.skip_if_exists();
    if cursor.reader.take(&["ALL"]) {
        return Ok(Vec::new());
    }
    cursor.reader.take(&["ONLY"]);
    let table = cursor.name()?;
    cursor.reader.take_symbol("*");
    let mut acts = Vec::new();
    loop {
        let start = cursor.start();
        let what = command(cursor)?;
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

const OTHER_COMMANDS: [&str; 16] = [
    "OWNER", "SET", "RESET", "ENABLE", "DISABLE", "CLUSTER", "REPLICA", "ATTACH", "DETACH", "INHERIT", "NO", "FORCE",
    "OF", "NOT", "WITHOUT", "ALTER",
];

fn command(cursor: &mut Cursor<'_>) -> Result<What, DdlError> {
    let reader = &mut cursor.reader;
    if reader.take(&["ADD"]) {
        return added(cursor);
    }
    if reader.take(&["DROP", "CONSTRAINT"]) {
        return Ok(What::AlterOther);
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
        return Ok(What::ValidateConstraint);
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
        let using = reader.sees_any(&["USING"]);
        return Ok(What::ColumnType { column, kind: kind.text, using });
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
    let named = reader.take(&["CONSTRAINT"]);
    if named {
        reader.identifier()?;
    }
    if let Some(kind) = constraint_kind(reader) {
        let text = reader.item("a constraint", |_| false)?.text;
        let has = |words: &[&str]| crate::ddl::alteration::has_words(&text, words);
        let (not_valid, using_index) = (has(&["NOT", "VALID"]), has(&["USING", "INDEX"]));
        return Ok(What::AddConstraint { kind, not_valid, using_index, text });
    }
    if named {
        return Err(reader.unexpected("a constraint"));
    }
    reader.take(&["COLUMN"]);
    cursor.skip_if_exists();
    Ok(What::AddColumn(column(&mut cursor.reader)?))
}

/// `name type options`, up to a comma.
fn column(reader: &mut Reader<'_>) -> Result<Column, DdlError> {
    const OPTIONS: [&str; 12] = [
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
    ];
    let option = |reader: &Reader<'_>| reader.text(0) == "," || reader.sees_any(&OPTIONS);
    let name = reader.identifier()?;
    let kind = reader.clause("a type", option)?.text;
    let mut column = Column { name, kind, ..Column::default() };
    while !reader.at_end() && reader.text(0) != "," {
        if reader.take(&["NOT", "NULL"]) || reader.sees(&["PRIMARY", "KEY"]) {
            column.not_null = true;
            reader.take(&["PRIMARY", "KEY"]);
        } else if reader.take(&["DEFAULT"]) {
            column.default = Some(reader.clause("an expression", option)?.text);
        } else if reader.kind(0) == Some(TokenKind::Close) {
            break;
        } else {
            column.references |= reader.sees_any(&["REFERENCES"]);
            column.default = column.default.or_else(|| generated(reader));
            reader.item("an option", |reader| reader.sees_any(&["NOT", "DEFAULT", "REFERENCES", "GENERATED"]))?;
        }
    }
    Ok(column)
}

/// A generated column is filled by the server.
fn generated(reader: &Reader<'_>) -> Option<String> {
    reader.sees_any(&["GENERATED"]).then(|| "GENERATED".to_owned())
}

fn create(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let reader = &mut cursor.reader;
    reader.take(&["UNIQUE"]);
    if reader.take(&["INDEX"]) {
        let concurrently = reader.take(&["CONCURRENTLY"]);
        cursor.skip_if_exists();
        if !cursor.reader.sees_any(&["ON"]) {
            cursor.name()?;
        }
        cursor.reader.expect(&["ON"])?;
        cursor.reader.take(&["ONLY"]);
        let table = cursor.name()?;
        return Ok(vec![cursor.act(What::CreateIndex { concurrently }, Some(table), start)]);
    }
    while reader.sees_any(&["GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED"]) {
        reader.advance();
    }
    if !reader.take(&["TABLE"]) {
        return Ok(Vec::new());
    }
    let may_be_there = cursor.take_if_not_exists();
    let table = cursor.name()?;
    let end = cursor.end();
    let mut definition = Definition { may_be_there, ..Definition::default() };
    if cursor.reader.text(0) == "(" {
        for item in cursor.bracketed()? {
            define(&mut definition, &item.text);
        }
    }
    let what = What::CreateTable(Box::new(definition));
    Ok(vec![Act { what, table: Some(table), span: start..end, on_cluster: false }])
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
                definition.foreign_keys += usize::from(column.references);
                definition.columns.push(column);
            }
        }
    }
}

fn drop_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    const OTHERS: [(&str, &str); 2] = [("SCHEMA", "schema"), ("DATABASE", "database")];
    if cursor.reader.take(&["INDEX"]) {
        let concurrently = cursor.reader.take(&["CONCURRENTLY"]);
        cursor.skip_if_exists();
        let index = cursor.name()?;
        return Ok(vec![cursor.act(What::DropIndex { concurrently }, Some(index), start)]);
    }
    if cursor.reader.take(&["TABLE"]) {
        return each_table(cursor, start, || What::DropTable);
    }
    for (word, what) in OTHERS {
        if cursor.reader.take(&[word]) {
            cursor.skip_if_exists();
            let name = cursor.name()?;
            return Ok(vec![cursor.act(What::DropOther(what), Some(name), start)]);
        }
    }
    Ok(Vec::new())
}

/// An act for each of the tables `a, b`.
fn each_table(cursor: &mut Cursor<'_>, start: usize, what: fn() -> What) -> Result<Vec<Act>, DdlError> {
    cursor.skip_if_exists();
    let (mut acts, mut start) = (Vec::new(), start);
    loop {
        cursor.reader.take(&["ONLY"]);
        let table: Named = cursor.name()?;
        cursor.reader.take_symbol("*");
        acts.push(cursor.act(what(), Some(table), start));
        if !cursor.reader.take_symbol(",") {
            return Ok(acts);
        }
        start = cursor.start();
    }
}

fn truncate(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    cursor.reader.take(&["TABLE"]);
    each_table(cursor, start, || What::Truncate)
}

fn rows(cursor: &mut Cursor<'_>, start: usize, updates: bool) -> Result<Vec<Act>, DdlError> {
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
    Ok(vec![Act { what, table: Some(table), span: start..end, on_cluster: false }])
}

/// `WITH … UPDATE`
fn with(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
    let mut depth = 0_usize;
    while let Some(kind) = cursor.reader.kind(0) {
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ if depth == 0 && cursor.reader.sees_any(&["UPDATE", "DELETE"]) => {
                let updates = cursor.reader.sees_any(&["UPDATE"]);
                cursor.reader.advance();
                return rows(cursor, start, updates);
            }
            _ => {}
        }
        cursor.reader.advance();
    }
    Ok(Vec::new())
}
