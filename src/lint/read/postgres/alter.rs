//! Reads ALTERs of PostgreSQL.

use super::super::Cursor;
use super::column::{column, constraint_kind};
use crate::ddl::DdlError;
use crate::lint::statement::{Act, Exclusive, Named, What};

const OTHERS_WITH_NAMES: [(&[&str], &str); 4] =
    [(&["SCHEMA"], "schema"), (&["DATABASE"], "database"), (&["TYPE"], "type"), (&["DOMAIN"], "domain")];

pub(super) fn alter_object(cursor: &mut Cursor<'_>, start: usize) -> Result<Vec<Act>, DdlError> {
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
