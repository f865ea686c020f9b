//! Several ALTERs of one file as one statement, and commands as one ALTER takes them.

use super::alteration::{AlterCommand, Alteration, Form, is_list, read};
use super::error::DdlError;
use super::key::key_items;
use super::lexer::TokenKind;
use super::reader::{Reader, shown};
use super::said_once::{is_same, said_once};
use super::statement::Name;
use crate::names::{TableName, quote_identifier};

/// Commands as they stand behind `ALTER TABLE t`. Behind a list, a comma goes on with the list; brackets around each of the commands,
/// which only servers know that have such lists, end it.
pub fn joined<T: AsRef<str>>(commands: &[T]) -> String {
    let commands: Vec<&str> = commands.iter().map(AsRef::as_ref).collect();
    let (_, but_last) = commands.split_last().map_or(("", &[][..]), |(last, rest)| (*last, rest));
    if but_last.iter().any(|command| is_list(command)) {
        return format!("({})", commands.join("), ("));
    }
    commands.join(", ")
}

/// Whether a file has ALTERs of tables of several names.
pub fn names_several_tables(sql: &str) -> Result<bool, DdlError> {
    let reader = Reader::new(sql)?;
    let all = if holds_several(&reader) { read_all(reader)? } else { Vec::new() };
    Ok(all.iter().any(|one| !is_same(&one.table, &all[0].table)))
}

/// A file with one statement as it is; one with several ALTERs of one table as one ALTER, in their order.
///
/// `local` tells the local table that a name stands for: ALTERs of it and of `Distributed` tables over it are one of the local table,
/// and what is said of several of them is meant once.
pub fn one_statement(sql: &str, local: impl Fn(&Name) -> TableName) -> Result<String, DdlError> {
    let reader = Reader::new(sql)?;
    if !holds_several(&reader) {
        return Ok(sql.to_owned());
    }
    let mut all = read_all(reader)?;
    refuse_other_tables(sql, &all, &local)?;
    let mut table = all[0].table.sql();
    if all.iter().any(|one| !is_same(&one.table, &all[0].table)) {
        refuse_own_comments(sql, &all)?;
        let behind = local(&all[0].table);
        all = said_once(all, |name| name.in_database(&behind.database) == behind);
        table = behind.sql();
    }
    refuse_contradictions(sql, &all)?;
    let commands: Vec<&str> =
        all.iter().flat_map(|one| &one.commands).map(|command| command.text.text.as_str()).collect();
    let on_cluster = all.iter().find_map(|one| one.on_cluster.as_deref());
    let on_cluster = on_cluster.map_or(String::new(), |cluster| format!(" ON CLUSTER {}", quote_identifier(cluster)));
    let settings = settings(sql, &all)?;
    let settings = if settings.is_empty() { settings } else { format!(" SETTINGS {settings}") };
    Ok(format!("ALTER TABLE {table}{on_cluster} {}{settings}", joined(&commands)))
}

/// Whether anything but semicolons follows a semicolon.
fn holds_several(reader: &Reader<'_>) -> bool {
    let kinds = (0..).map_while(|ahead| reader.kind(ahead));
    let mut behind = kinds.skip_while(|kind| *kind != TokenKind::Semicolon);
    behind.any(|kind| kind != TokenKind::Semicolon)
}

fn read_all(mut reader: Reader<'_>) -> Result<Vec<Alteration>, DdlError> {
    let mut all = Vec::new();
    while !reader.at_end() {
        if reader.take_symbol(";") {
            continue;
        }
        if reader.sees(&["CREATE"]) {
            let message = "a wanted definition is planned alone, and this file has more than one statement";
            return Err(reader.error(message).with_help("plan one file a table, with its CREATE TABLE alone"));
        }
        if !reader.take(&["ALTER"]) {
            return Err(reader.unexpected("`ALTER TABLE`"));
        }
        let mut one = read(&mut reader)?;
        if !one.unknown.is_empty() {
            return Err(one.unknown.remove(0));
        }
        if !reader.at_end() && reader.text(0) != ";" {
            return Err(reader.unexpected("`,`, `;` or the end"));
        }
        all.push(one);
    }
    Ok(all)
}

/// A table's comment is its own, and no other table of the chain gets it.
fn refuse_own_comments(sql: &str, all: &[Alteration]) -> Result<(), DdlError> {
    let mut commands = all.iter().flat_map(|one| &one.commands);
    let Some(comment) = commands.find(|command| command.form == Form::ModifyComment) else { return Ok(()) };
    let message = "the comment of a table is not planned together with changes of other tables";
    Err(DdlError::new(sql, comment.text.span.clone(), message).with_help("plan it by a file of its own"))
}

fn refuse_other_tables(sql: &str, all: &[Alteration], local: &impl Fn(&Name) -> TableName) -> Result<(), DdlError> {
    let first = &all[0];
    for other in &all[1..] {
        let span = other.table.span.clone();
        if !is_same(&other.table, &first.table) && local(&other.table) != local(&first.table) {
            let message = format!(
                "this statement is about {}, and the one before it about {}",
                other.table.sql(),
                first.table.sql()
            );
            return Err(DdlError::new(sql, span, message).with_help("plan one file a table"));
        }
        let clusters = (all.iter().find_map(|one| one.on_cluster.as_ref()), other.on_cluster.as_ref());
        if let (Some(one), Some(another)) = clusters
            && one != another
        {
            let message = format!("this statement says ON CLUSTER {another}, and one before it ON CLUSTER {one}");
            return Err(DdlError::new(sql, span, message));
        }
    }
    Ok(())
}

fn refuse_contradictions(sql: &str, all: &[Alteration]) -> Result<(), DdlError> {
    for (number, one) in all.iter().enumerate() {
        for later in &one.commands {
            let mut earlier = all[..number].iter().flat_map(|before| &before.commands);
            let Some(earlier) = earlier.find(|earlier| contradict(earlier, later)) else { continue };
            let line = sql[..earlier.text.span.start].matches('\n').count() + 1;
            let message = format!(
                "{} does not go together with {} in line {line}",
                shown(&later.text.text),
                shown(&earlier.text.text)
            );
            return Err(DdlError::new(sql, later.text.span.clone(), message).with_help(
                "statements of one file are carried out as one: say once what becomes of each column, index or clause, or plan \
                 and execute the files one after the other",
            ));
        }
    }
    Ok(())
}

/// What a command is about, where two that are about the same may not go together.
#[derive(Debug, PartialEq, Eq)]
enum About {
    Column,
    Index,
    Projection,
    Constraint,
    Ttl,
    SampleBy,
    OrderBy,
    PartitionBy,
    PrimaryKey,
    Comment,
    Settings,
}

fn about(form: Form) -> Option<About> {
    Some(match form {
        Form::AddIndex | Form::DropIndex => About::Index,
        Form::AddProjection | Form::DropProjection | Form::ModifyProjection => About::Projection,
        Form::AddConstraint | Form::DropConstraint | Form::ModifyConstraint => About::Constraint,
        Form::ModifyTtl | Form::ModifyTtlLater | Form::RemoveTtl => About::Ttl,
        Form::ModifySampleBy | Form::RemoveSampleBy => About::SampleBy,
        Form::ModifyOrderBy => About::OrderBy,
        Form::ModifyPartitionBy => About::PartitionBy,
        Form::ModifyPrimaryKey => About::PrimaryKey,
        Form::ModifyComment => About::Comment,
        Form::ModifySetting | Form::ResetSetting => About::Settings,
        Form::AddColumn
        | Form::DropColumn
        | Form::ClearColumn
        | Form::RenameColumn
        | Form::CommentColumn
        | Form::MaterializeColumn
        | Form::ModifyColumnType
        | Form::AddEnumValues
        | Form::ModifyColumnDefault
        | Form::ModifyColumnComment
        | Form::ModifyColumnCodec
        | Form::ModifyColumnTtl
        | Form::ModifyColumnStatistics
        | Form::ModifyColumnSetting
        | Form::ModifyColumnRemove => About::Column,
        _ => return None,
    })
}

fn contradict(earlier: &AlterCommand, later: &AlterCommand) -> bool {
    let (Some(one), Some(other)) = (about(earlier.form), about(later.form)) else { return false };
    if one != other {
        return false;
    }
    match one {
        About::Column => {
            let names = |command: &AlterCommand| [command.subject.clone(), command.to.clone()];
            let shared = names(earlier).iter().flatten().any(|name| names(later).iter().flatten().any(|it| it == name));
            shared && (decides(earlier) || decides(later) || says_the_same(earlier, later))
        }
        About::Index | About::Projection | About::Constraint => {
            let replaces = drops(earlier.form) && !drops(later.form);
            earlier.subject == later.subject && !replaces
        }
        About::Settings => {
            let (one, other) = (setting_names(earlier), setting_names(later));
            one.iter().any(|name| other.contains(name))
        }
        _ => true,
    }
}

/// Whether a column comes, goes or gets another name: then nothing else is said about it.
fn decides(command: &AlterCommand) -> bool {
    matches!(command.form, Form::AddColumn | Form::DropColumn | Form::RenameColumn | Form::ClearColumn)
}

/// Whether two changes of a column are about the same of it.
fn says_the_same(earlier: &AlterCommand, later: &AlterCommand) -> bool {
    let in_part = matches!(
        later.form,
        Form::MaterializeColumn | Form::ModifyColumnRemove | Form::ModifyColumnSetting | Form::AddEnumValues
    );
    earlier.form == later.form && (!in_part || earlier.text.text == later.text.text)
}

fn drops(form: Form) -> bool {
    matches!(form, Form::DropIndex | Form::DropProjection | Form::DropConstraint)
}

fn setting_names(command: &AlterCommand) -> Vec<String> {
    let list: String = command.text.text.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    key_items(&list).unwrap_or_default().iter().map(|item| setting_name(item).to_owned()).collect()
}

fn setting_name(item: &str) -> &str {
    item.split('=').next().unwrap_or_default().trim()
}

/// The settings of all statements.
fn settings(sql: &str, all: &[Alteration]) -> Result<String, DdlError> {
    let mut settings: Vec<String> = Vec::new();
    for text in all.iter().filter_map(|one| one.settings.as_ref()) {
        for item in key_items(&text.text)? {
            match settings.iter().find(|known| setting_name(known) == setting_name(&item)) {
                Some(known) if *known == item => {}
                Some(known) => {
                    let message = format!("an earlier statement says {}", shown(known));
                    return Err(DdlError::new(sql, text.span.clone(), message));
                }
                None => settings.push(item),
            }
        }
    }
    Ok(settings.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements of a cluster where no table stands for another.
    fn one_statement(sql: &str) -> Result<String, DdlError> {
        super::one_statement(sql, |name| name.in_database("default"))
    }

    #[test]
    fn alters_of_a_chain_become_one_of_the_local_table() {
        let chain = |sql: &str| {
            let local = |name: &Name| match name.in_database("d").table.as_str() {
                "other" => TableName::new("d", "other"),
                _ => TableName::new("d", "t"),
            };
            super::one_statement(sql, local).map_err(|error| error.to_string())
        };
        let add = "ALTER TABLE d.read ADD COLUMN a UInt8 AFTER b; ALTER TABLE d.t ADD COLUMN IF NOT EXISTS a UInt8 CODEC(NONE)";
        assert_eq!(chain(add).unwrap(), "ALTER TABLE `d`.`t` ADD COLUMN IF NOT EXISTS a UInt8 CODEC(NONE)");
        let both = "ALTER TABLE d.t DROP COLUMN a, ADD INDEX i b TYPE minmax; ALTER TABLE d.read DROP COLUMN IF EXISTS a, DROP COLUMN c";
        assert_eq!(chain(both).unwrap(), "ALTER TABLE `d`.`t` DROP COLUMN a, ADD INDEX i b TYPE minmax, DROP COLUMN c");
        for (sql, said) in [
            ("ALTER TABLE d.t ADD COLUMN a UInt8; ALTER TABLE d.read ADD COLUMN a UInt16", "does not go together"),
            ("ALTER TABLE d.t ADD COLUMN a UInt8; ALTER TABLE d.read DROP COLUMN a", "does not go together"),
            ("ALTER TABLE d.t DROP COLUMN a; ALTER TABLE d.read MODIFY COMMENT 'x'", "the comment of a table"),
            ("ALTER TABLE d.t DROP COLUMN a; ALTER TABLE d.other DROP COLUMN a", "this statement is about `d`.`other`"),
        ] {
            assert!(chain(sql).unwrap_err().contains(said), "{sql}: {:?}", chain(sql));
        }
        assert!(names_several_tables(add).unwrap() && !names_several_tables("ALTER TABLE t DROP COLUMN a").unwrap());
    }

    fn refusal(sql: &str) -> (String, usize, usize) {
        let error = one_statement(sql).unwrap_err();
        (error.to_string(), error.line(), error.column())
    }

    #[test]
    fn one_statement_stays_as_it_is() {
        for sql in ["", "ALTER TABLE t ADD COLUMN a Int8 ; ;", "CREATE TABLE t (a Int8) ENGINE = Log", "🦀 x"] {
            assert!(one_statement(sql).map_or(true, |one| one == sql), "{sql}");
        }
    }

    #[test]
    fn alters_of_one_table_become_one() {
        let sql = "-- first\nALTER TABLE d.t ON CLUSTER main ADD COLUMN a UInt8 AFTER b, DROP INDEX i;\n\
                   ALTER TABLE `d`.t ADD INDEX i a TYPE minmax SETTINGS mutations_sync = 1;\n\
                   ALTER TABLE d.t MODIFY TTL x, y SETTINGS mutations_sync = 1;; ALTER TABLE d.t MODIFY SETTING p = 1;";
        assert_eq!(
            one_statement(sql).unwrap(),
            "ALTER TABLE `d`.`t` ON CLUSTER `main` (ADD COLUMN a UInt8 AFTER b), (DROP INDEX i), (ADD INDEX i a TYPE minmax), \
             (MODIFY TTL x, y), (MODIFY SETTING p = 1) SETTINGS mutations_sync = 1"
        );
        let sql = "ALTER TABLE t DROP COLUMN a; ALTER TABLE t UPDATE b = 1, c = 2 WHERE d; ALTER TABLE t MODIFY TTL x";
        assert_eq!(
            one_statement(sql).unwrap(),
            "ALTER TABLE `t` DROP COLUMN a, UPDATE b = 1, c = 2 WHERE d, MODIFY TTL x",
            "without brackets, as old servers have it"
        );
        let keys = "ALTER TABLE t MODIFY ORDER BY (a, b); ALTER TABLE t MODIFY PARTITION BY c";
        assert_eq!(one_statement(keys).unwrap(), "ALTER TABLE `t` MODIFY ORDER BY (a, b), MODIFY PARTITION BY c");
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_its_place() {
        let (message, line, column) =
            refusal("ALTER TABLE t ADD COLUMN a Int8;\n\nALTER TABLE t ADD COLUMN b Int8, DROP COLUMN a");
        assert_eq!(message, "`DROP COLUMN a` does not go together with `ADD COLUMN a Int8` in line 1");
        assert_eq!((line, column), (3, 34));
        for (one, other) in [
            ("DROP COLUMN a", "ADD COLUMN a Int8"),
            ("RENAME COLUMN a TO b", "MODIFY COLUMN b Int8"),
            ("RENAME COLUMN a TO b", "RENAME COLUMN b TO c"),
            ("ADD COLUMN a Int8", "COMMENT COLUMN a 'x'"),
            ("MODIFY COLUMN a Int8", "MODIFY COLUMN a Int16"),
            ("ADD INDEX i a TYPE minmax", "DROP INDEX i"),
            ("DROP CONSTRAINT c", "DROP CONSTRAINT c"),
            ("MODIFY TTL a", "REMOVE TTL"),
            ("MODIFY ORDER BY a", "MODIFY ORDER BY b"),
            ("MODIFY COMMENT 'a'", "MODIFY COMMENT 'b'"),
            ("MODIFY SETTING a = 1, b = 2", "RESET SETTING c, b"),
        ] {
            let (message, _, column) = refusal(&format!("ALTER TABLE t {one}; ALTER TABLE t {other}"));
            assert!(message.contains("does not go together"), "{one}, {other}: {message}");
            assert_eq!(column, 14 + one.len() + 2 + 14 + 1, "{one}, {other}");
        }
        for (one, other) in [
            ("DROP INDEX i", "ADD INDEX i a TYPE minmax"),
            ("MODIFY COLUMN a Int8", "COMMENT COLUMN a 'x'"),
            ("MODIFY COLUMN a REMOVE TTL", "MODIFY COLUMN a REMOVE CODEC"),
            ("MODIFY SETTING a = 1", "MODIFY SETTING b = 1"),
            ("ADD INDEX i a TYPE minmax", "MATERIALIZE INDEX i"),
        ] {
            assert!(one_statement(&format!("ALTER TABLE t {one}; ALTER TABLE t {other}")).is_ok(), "{one}, {other}");
        }
    }

    #[test]
    fn other_tables_and_other_statements_are_refused_with_their_place() {
        let add = "ALTER TABLE d.t ADD COLUMN a Int8;\n";
        for (sql, message, place) in [
            (
                "ALTER TABLE d.u DROP COLUMN b",
                "this statement is about `d`.`u`, and the one before it about `d`.`t`",
                (2, 13),
            ),
            ("CREATE TABLE d.t (a Int8) ENGINE = Log", "a wanted definition is planned alone", (2, 1)),
            ("DROP TABLE d.t", "expected `ALTER TABLE`, not `DROP`", (2, 1)),
            ("ALTER TABLE d.t SHUFFLE ROWS", "`SHUFFLE ROWS` is no command", (2, 17)),
            ("ALTER TABLE d.t DROP COLUMN", "expected more of the command", (2, 28)),
        ] {
            let (found, line, column) = refusal(&format!("{add}{sql}"));
            assert!(found.starts_with(message), "{sql}: {found}");
            assert_eq!((line, column), place, "{sql}");
        }
    }
}
