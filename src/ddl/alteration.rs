//! Reads any `ALTER TABLE` of current servers into typed commands.
//!
//! The heads below are the ones that ClickHouse 26.9 names itself when it meets `ALTER TABLE t` and nothing more, and the two by which this
//! product asks for keys that the server cannot change. A command with another head is unknown and said to be so; what a
//! command means is not guessed from its neighbours.

use super::error::DdlError;
use super::lexer::TokenKind;
use super::reader::{Reader, shown};
use super::statement::{Name, Text};

/// An `ALTER TABLE`, command by command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alteration {
    /// The table.
    pub table: Name,
    /// The cluster of `ON CLUSTER`.
    pub on_cluster: Option<String>,
    /// The commands that are known, in order.
    pub commands: Vec<AlterCommand>,
    /// What is wrong with those that are not.
    pub unknown: Vec<DdlError>,
    /// The settings of the statement.
    pub settings: Option<Text>,
}

/// One command of an `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterCommand {
    /// What it is.
    pub form: Form,
    /// All of it.
    pub text: Text,
    /// The column, index, projection, constraint or statistics that it names first, unquoted.
    pub subject: Option<String>,
    /// What `RENAME COLUMN` renames to.
    pub to: Option<String>,
    /// The type that it declares for a column.
    pub declared_type: Option<Text>,
    /// The expression of a column's DEFAULT, MATERIALIZED or ALIAS.
    pub default: Option<Text>,
}

macro_rules! forms {
    ($($(#[$doc:meta])* $form:ident,)*) => {
        /// What a command of an `ALTER TABLE` does, as far as its words and the table it is for tell.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Form {
            $($(#[$doc])* $form,)*
        }

        impl Form {
            /// Every form.
            pub const ALL: &[Self] = &[$(Self::$form,)*];
        }
    };
}

forms! {
    /// `ADD COLUMN`
    AddColumn,
    /// `DROP COLUMN`
    DropColumn,
    /// `DROP COLUMN` of one that a key needs.
    DropKeyColumn,
    /// `CLEAR COLUMN`
    ClearColumn,
    /// `RENAME COLUMN`
    RenameColumn,
    /// `RENAME COLUMN` of one that a key needs.
    RenameKeyColumn,
    /// `COMMENT COLUMN`
    CommentColumn,
    /// `MATERIALIZE COLUMN`
    MaterializeColumn,
    /// `MODIFY COLUMN c Type`, `ALTER COLUMN c TYPE Type`
    ModifyColumnType,
    /// The same with the type that the column has, to move it or to declare more.
    ModifyColumnSameType,
    /// The same with the values of an Enum and new ones.
    ModifyColumnMoreValues,
    /// The same of a column that a key needs.
    ModifyKeyColumnType,
    /// `MODIFY COLUMN c ADD ENUM VALUES`
    AddEnumValues,
    /// `MODIFY COLUMN c DEFAULT`, `MATERIALIZED`, `ALIAS`, `EPHEMERAL`
    ModifyColumnDefault,
    /// `MODIFY COLUMN c COMMENT`
    ModifyColumnComment,
    /// `MODIFY COLUMN c CODEC`
    ModifyColumnCodec,
    /// `MODIFY COLUMN c TTL`
    ModifyColumnTtl,
    /// `MODIFY COLUMN c Type STATISTICS`
    ModifyColumnStatistics,
    /// `MODIFY COLUMN c MODIFY SETTING`, `RESET SETTING`, `SETTINGS`
    ModifyColumnSetting,
    /// `MODIFY COLUMN c REMOVE`
    ModifyColumnRemove,
    /// `MODIFY ORDER BY` with another key.
    ModifyOrderBy,
    /// `MODIFY ORDER BY` with columns of the same ALTER behind the key.
    AppendOrderBy,
    /// `MODIFY ORDER BY` with the beginning of the key.
    ShortenOrderBy,
    /// `MODIFY PARTITION BY`, which only this product knows.
    ModifyPartitionBy,
    /// `MODIFY PRIMARY KEY`, which only this product knows.
    ModifyPrimaryKey,
    /// `MODIFY SAMPLE BY`
    ModifySampleBy,
    /// `REMOVE SAMPLE BY`
    RemoveSampleBy,
    /// `MODIFY TTL`
    ModifyTtl,
    /// `MODIFY TTL … SETTINGS materialize_ttl_after_modify = 0`
    ModifyTtlLater,
    /// `REMOVE TTL`
    RemoveTtl,
    /// `MATERIALIZE TTL`
    MaterializeTtl,
    /// `MODIFY SETTING`
    ModifySetting,
    /// `RESET SETTING`
    ResetSetting,
    /// `MODIFY COMMENT`
    ModifyComment,
    /// `ADD INDEX`
    AddIndex,
    /// `DROP INDEX`
    DropIndex,
    /// `CLEAR INDEX`
    ClearIndex,
    /// `MATERIALIZE INDEX`
    MaterializeIndex,
    /// `ADD PROJECTION`
    AddProjection,
    /// `DROP PROJECTION`
    DropProjection,
    /// `CLEAR PROJECTION`
    ClearProjection,
    /// `MATERIALIZE PROJECTION`
    MaterializeProjection,
    /// `MODIFY PROJECTION`
    ModifyProjection,
    /// `ADD STATISTICS`
    AddStatistics,
    /// `MODIFY STATISTICS`
    ModifyStatistics,
    /// `DROP STATISTICS`
    DropStatistics,
    /// `CLEAR STATISTICS`
    ClearStatistics,
    /// `MATERIALIZE STATISTICS`
    MaterializeStatistics,
    /// `ADD CONSTRAINT`
    AddConstraint,
    /// `MODIFY CONSTRAINT`
    ModifyConstraint,
    /// `DROP CONSTRAINT`
    DropConstraint,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `APPLY DELETED MASK`
    ApplyDeletedMask,
    /// `APPLY PATCHES`
    ApplyPatches,
    /// `REWRITE PARTS`
    RewriteParts,
    /// `DROP PARTITION`, `DROP PART`
    DropPartition,
    /// `DROP DETACHED PARTITION`, `DROP DETACHED PART`
    DropDetached,
    /// `FORGET PARTITION`
    ForgetPartition,
    /// `DETACH PARTITION`, `DETACH PART`
    DetachPartition,
    /// `ATTACH PARTITION`, `ATTACH PART`
    AttachPartition,
    /// `ATTACH PARTITION … FROM`
    AttachPartitionFrom,
    /// `REPLACE PARTITION … FROM`
    ReplacePartition,
    /// `MOVE PARTITION … TO TABLE`
    MovePartitionToTable,
    /// `MOVE PARTITION … TO DISK`, `TO VOLUME`
    MovePartitionToDisk,
    /// `MOVE PART … TO SHARD`
    MovePartToShard,
    /// `FETCH PARTITION`, `FETCH PART`
    FetchPartition,
    /// `FREEZE`
    Freeze,
    /// `UNFREEZE`
    Unfreeze,
    /// `UNLOCK SNAPSHOT`
    UnlockSnapshot,
    /// `MODIFY QUERY`
    ModifyQuery,
    /// `MODIFY REFRESH`
    ModifyRefresh,
    /// `MODIFY SQL SECURITY`, `MODIFY DEFINER`
    ModifySqlSecurity,
    /// `EXECUTE`
    Execute,
}

impl Form {
    /// Whether the command changes values of rows, or which rows there are, as a condition says.
    pub fn is_about_rows(self) -> bool {
        matches!(self, Self::Update | Self::Delete)
    }

    /// Whether the command's subject is a column that must be there, and stays.
    pub fn is_about_column(self) -> bool {
        matches!(
            self,
            Self::ClearColumn
                | Self::CommentColumn
                | Self::MaterializeColumn
                | Self::ModifyColumnType
                | Self::ModifyColumnSameType
                | Self::ModifyColumnMoreValues
                | Self::AddEnumValues
                | Self::ModifyColumnDefault
                | Self::ModifyColumnComment
                | Self::ModifyColumnCodec
                | Self::ModifyColumnTtl
                | Self::ModifyColumnStatistics
                | Self::ModifyColumnSetting
                | Self::ModifyColumnRemove
        )
    }
}

/// How a command begins, what it is, and what follows its head.
const HEADS: &[(&[&str], Form, Follows)] = &[
    (&["ADD", "COLUMN"], Form::AddColumn, Follows::Column),
    (&["DROP", "COLUMN"], Form::DropColumn, Follows::Column),
    (&["CLEAR", "COLUMN"], Form::ClearColumn, Follows::Column),
    (&["RENAME", "COLUMN"], Form::RenameColumn, Follows::Column),
    (&["COMMENT", "COLUMN"], Form::CommentColumn, Follows::Column),
    (&["MATERIALIZE", "COLUMN"], Form::MaterializeColumn, Follows::Column),
    (&["MODIFY", "COLUMN"], Form::ModifyColumnType, Follows::Column),
    (&["ALTER", "COLUMN"], Form::ModifyColumnType, Follows::Column),
    (&["MODIFY", "ORDER", "BY"], Form::ModifyOrderBy, Follows::Item),
    (&["MODIFY", "PARTITION", "BY"], Form::ModifyPartitionBy, Follows::Item),
    (&["MODIFY", "PRIMARY", "KEY"], Form::ModifyPrimaryKey, Follows::Item),
    (&["MODIFY", "SAMPLE", "BY"], Form::ModifySampleBy, Follows::Item),
    (&["REMOVE", "SAMPLE", "BY"], Form::RemoveSampleBy, Follows::Nothing),
    (&["MODIFY", "TTL"], Form::ModifyTtl, Follows::List),
    (&["REMOVE", "TTL"], Form::RemoveTtl, Follows::Nothing),
    (&["MATERIALIZE", "TTL"], Form::MaterializeTtl, Follows::Maybe),
    (&["MODIFY", "SETTING"], Form::ModifySetting, Follows::List),
    (&["RESET", "SETTING"], Form::ResetSetting, Follows::List),
    (&["MODIFY", "COMMENT"], Form::ModifyComment, Follows::Item),
    (&["ADD", "INDEX"], Form::AddIndex, Follows::Subject),
    (&["DROP", "INDEX"], Form::DropIndex, Follows::Subject),
    (&["CLEAR", "INDEX"], Form::ClearIndex, Follows::Subject),
    (&["MATERIALIZE", "INDEX"], Form::MaterializeIndex, Follows::Subject),
    (&["ADD", "PROJECTION"], Form::AddProjection, Follows::Subject),
    (&["DROP", "PROJECTION"], Form::DropProjection, Follows::Subject),
    (&["CLEAR", "PROJECTION"], Form::ClearProjection, Follows::Subject),
    (&["MATERIALIZE", "PROJECTION"], Form::MaterializeProjection, Follows::Subject),
    (&["MODIFY", "PROJECTION"], Form::ModifyProjection, Follows::Subject),
    (&["ADD", "STATISTICS"], Form::AddStatistics, Follows::List),
    (&["MODIFY", "STATISTICS"], Form::ModifyStatistics, Follows::List),
    (&["DROP", "STATISTICS"], Form::DropStatistics, Follows::List),
    (&["CLEAR", "STATISTICS"], Form::ClearStatistics, Follows::List),
    (&["MATERIALIZE", "STATISTICS"], Form::MaterializeStatistics, Follows::List),
    (&["ADD", "CONSTRAINT"], Form::AddConstraint, Follows::Subject),
    (&["MODIFY", "CONSTRAINT"], Form::ModifyConstraint, Follows::Subject),
    (&["DROP", "CONSTRAINT"], Form::DropConstraint, Follows::Subject),
    (&["UPDATE"], Form::Update, Follows::List),
    (&["DELETE"], Form::Delete, Follows::Item),
    (&["APPLY", "DELETED", "MASK"], Form::ApplyDeletedMask, Follows::Maybe),
    (&["APPLY", "PATCHES"], Form::ApplyPatches, Follows::Maybe),
    (&["REWRITE", "PARTS"], Form::RewriteParts, Follows::Maybe),
    (&["DROP", "PARTITION"], Form::DropPartition, Follows::Item),
    (&["DROP", "PART"], Form::DropPartition, Follows::Item),
    (&["DROP", "DETACHED", "PARTITION"], Form::DropDetached, Follows::Item),
    (&["DROP", "DETACHED", "PART"], Form::DropDetached, Follows::Item),
    (&["FORGET", "PARTITION"], Form::ForgetPartition, Follows::Item),
    (&["DETACH", "PARTITION"], Form::DetachPartition, Follows::Item),
    (&["DETACH", "PART"], Form::DetachPartition, Follows::Item),
    (&["ATTACH", "PARTITION"], Form::AttachPartition, Follows::Item),
    (&["ATTACH", "PART"], Form::AttachPartition, Follows::Item),
    (&["REPLACE", "PARTITION"], Form::ReplacePartition, Follows::Item),
    (&["MOVE", "PARTITION"], Form::MovePartitionToDisk, Follows::Item),
    (&["MOVE", "PART"], Form::MovePartitionToDisk, Follows::Item),
    (&["FETCH", "PARTITION"], Form::FetchPartition, Follows::Item),
    (&["FETCH", "PART"], Form::FetchPartition, Follows::Item),
    (&["FREEZE"], Form::Freeze, Follows::Maybe),
    (&["UNFREEZE"], Form::Unfreeze, Follows::Maybe),
    (&["UNLOCK", "SNAPSHOT"], Form::UnlockSnapshot, Follows::Item),
    (&["MODIFY", "QUERY"], Form::ModifyQuery, Follows::List),
    (&["MODIFY", "REFRESH"], Form::ModifyRefresh, Follows::Item),
    (&["MODIFY", "SQL", "SECURITY"], Form::ModifySqlSecurity, Follows::Item),
    (&["MODIFY", "DEFINER"], Form::ModifySqlSecurity, Follows::Item),
    (&["EXECUTE"], Form::Execute, Follows::Item),
];

/// What stands behind a command's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    Nothing,
    /// Something or nothing.
    Maybe,
    /// Something without commas outside of brackets.
    Item,
    /// Something that may hold commas.
    List,
    /// A name, and perhaps more.
    Subject,
    /// A column's name, with dots, and perhaps more.
    Column,
}

/// People write a dozen.
const COMMANDS_MAX: usize = 1_000;

/// The heads of all commands that are read, as the server writes them.
pub fn heads() -> impl Iterator<Item = String> {
    HEADS.iter().map(|(words, ..)| words.join(" "))
}

/// Reads one `ALTER TABLE` that a person wrote.
pub fn read_alteration(sql: &str) -> Result<Alteration, DdlError> {
    let mut reader = Reader::new(sql)?;
    reader.expect(&["ALTER"])?;
    let alteration = read(&mut reader)?;
    reader.expect_end()?;
    Ok(alteration)
}

/// Reads what follows `ALTER`.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Alteration, DdlError> {
    reader.take(&["TEMPORARY"]);
    reader.expect(&["TABLE"])?;
    let table = reader.name()?;
    let on_cluster = reader.on_cluster()?;
    let (mut commands, mut unknown) = (Vec::new(), Vec::new());
    loop {
        let in_brackets = reader.text(0) == "(" && head(reader, 1).is_some();
        if in_brackets {
            reader.advance();
        }
        match read_command(reader)? {
            Ok(command) => commands.push(command),
            Err(error) => unknown.push(error),
        }
        if in_brackets {
            reader.expect_symbol(")")?;
        }
        if !reader.take_symbol(",") {
            break;
        }
        if commands.len() + unknown.len() == COMMANDS_MAX {
            return Err(reader.error(format!("an ALTER with more than {COMMANDS_MAX} commands is not read")));
        }
    }
    let settings = if at_settings(reader) {
        reader.advance();
        Some(reader.clause("settings", |_| false)?)
    } else {
        None
    };
    if settings.as_ref().is_some_and(|settings| puts_off_ttl(&settings.text)) {
        let ttls = commands.iter_mut().filter(|command| command.form == Form::ModifyTtl);
        ttls.for_each(|command| command.form = Form::ModifyTtlLater);
    }
    Ok(Alteration { table, on_cluster, commands, unknown, settings })
}

fn puts_off_ttl(settings: &str) -> bool {
    let settings: String = settings.chars().filter(|c| !c.is_whitespace()).collect();
    settings.contains("materialize_ttl_after_modify=0") || settings.contains("materialize_ttl_after_modify=false")
}

/// The head that stands `ahead`, if it is a known one: the longest that fits.
fn head(reader: &Reader<'_>, ahead: usize) -> Option<(&'static [&'static str], Form, Follows)> {
    let fits = |words: &&[&str]| words.iter().enumerate().all(|(at, word)| reader.sees_word(ahead + at, word));
    HEADS.iter().filter(|(words, ..)| fits(words)).max_by_key(|(words, ..)| words.len()).copied()
}

/// Whether what follows a comma behind this command would be read as more of it.
pub(super) fn is_list(command: &str) -> bool {
    let Ok(reader) = Reader::new(command) else { return false };
    match head(&reader, 0) {
        Some((_, Form::Update, _)) | None => false,
        Some((_, Form::ModifyColumnType, _)) => has_words(command, &["SETTING"]),
        Some((.., follows)) => follows == Follows::List,
    }
}

/// `SETTINGS a = 1` of the statement; a column's own are in brackets.
fn at_settings(reader: &Reader<'_>) -> bool {
    reader.sees_word(0, "SETTINGS") && reader.kind(1) == Some(TokenKind::Word) && reader.text(2) == "="
}

/// One command; the inner error is of one that is not known, whose end is known all the same.
fn read_command(reader: &mut Reader<'_>) -> Result<Result<AlterCommand, DdlError>, DdlError> {
    if reader.at_end() || reader.text(0) == ";" {
        return Err(reader.unexpected("a command of ALTER TABLE"));
    }
    let Some((words, form, follows)) = head(reader, 0) else {
        let named: Vec<&str> = (0..2).map(|ahead| reader.text(ahead)).filter(|word| !word.is_empty()).collect();
        let error = reader.error(format!("{} is no command of ALTER TABLE that is known", shown(&named.join(" "))));
        reader.clause("a command", ends_command(Follows::Item))?;
        return Ok(Err(error));
    };
    let place = reader.place();
    for _ in words {
        reader.advance();
    }
    let command = read_behind_head(reader, form, follows)?;
    reader.return_to(place);
    // Settings of a column are a list; what else is said of a column is none.
    let follows = if command.form == Form::ModifyColumnSetting { Follows::List } else { follows };
    let text = reader.clause("a command", ends_command(follows))?;
    Ok(Ok(AlterCommand { text, ..command }))
}

/// Where a command ends: at a comma, but for lists, which end at one with another command behind it.
fn ends_command(follows: Follows) -> impl Fn(&Reader<'_>) -> bool {
    move |reader| {
        if reader.text(0) != "," {
            return at_settings(reader);
        }
        let next = 1 + usize::from(reader.text(1) == "(");
        let listed = follows == Follows::List && head(reader, next).is_none();
        !listed
    }
}

fn read_behind_head(reader: &mut Reader<'_>, form: Form, follows: Follows) -> Result<AlterCommand, DdlError> {
    let mut command =
        AlterCommand { form, text: Text::new(""), subject: None, to: None, declared_type: None, default: None };
    if !matches!(follows, Follows::Nothing | Follows::Maybe) && (reader.at_end() || reader.text(0) == ";") {
        return Err(reader.unexpected("more of the command"));
    }
    match follows {
        Follows::Nothing | Follows::Maybe => {}
        Follows::List => command.subject = listed_name(reader, form),
        Follows::Item => command.form = form_by_words(reader, form)?,
        Follows::Subject | Follows::Column => {
            if !reader.take(&["IF", "NOT", "EXISTS"]) {
                reader.take(&["IF", "EXISTS"]);
            }
            let mut name = reader.identifier()?;
            while follows == Follows::Column && reader.take_symbol(".") {
                name = format!("{name}.{}", reader.identifier()?);
            }
            command.subject = Some(name);
            behind_subject(reader, &mut command)?;
        }
    }
    Ok(command)
}

/// The first of the columns of `ADD STATISTICS a, b TYPE …`.
fn listed_name(reader: &mut Reader<'_>, form: Form) -> Option<String> {
    let names = matches!(
        form,
        Form::AddStatistics
            | Form::ModifyStatistics
            | Form::DropStatistics
            | Form::ClearStatistics
            | Form::MaterializeStatistics
    );
    if names { reader.identifier().ok() } else { None }
}

/// Tells apart what begins alike, by words outside of brackets.
fn form_by_words(reader: &mut Reader<'_>, form: Form) -> Result<Form, DdlError> {
    let place = reader.place();
    let text = reader.clause("more of the command", ends_command(Follows::Item))?;
    reader.return_to(place);
    let words = |words: &[&str]| has_words(&text.text, words);
    Ok(match form {
        Form::AttachPartition if words(&["FROM"]) => Form::AttachPartitionFrom,
        Form::MovePartitionToDisk if words(&["TO", "TABLE"]) => Form::MovePartitionToTable,
        Form::MovePartitionToDisk if words(&["TO", "SHARD"]) => Form::MovePartToShard,
        other => other,
    })
}

/// Whether words follow each other in `sql` outside of brackets.
pub(crate) fn has_words(sql: &str, words: &[&str]) -> bool {
    let Ok(mut reader) = Reader::new(sql) else { return false };
    let mut depth = 0_usize;
    while !reader.at_end() {
        match reader.kind(0) {
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth = depth.saturating_sub(1),
            _ if depth == 0 && reader.sees(words) => return true,
            _ => {}
        }
        reader.advance();
    }
    false
}

fn behind_subject(reader: &mut Reader<'_>, command: &mut AlterCommand) -> Result<(), DdlError> {
    match command.form {
        Form::RenameColumn => {
            reader.expect(&["TO"])?;
            let mut name = reader.identifier()?;
            while reader.take_symbol(".") {
                name = format!("{name}.{}", reader.identifier()?);
            }
            command.to = Some(name);
        }
        Form::AddColumn => declaration(reader, command)?,
        Form::ModifyColumnType => modification(reader, command)?,
        _ => {}
    }
    Ok(())
}

/// Words that end a column's type.
const BEHIND_TYPE: [&str; 14] = [
    "DEFAULT",
    "MATERIALIZED",
    "EPHEMERAL",
    "ALIAS",
    "AUTO_INCREMENT",
    "COMMENT",
    "CODEC",
    "TTL",
    "STATISTICS",
    "SETTINGS",
    "PRIMARY",
    "FIRST",
    "AFTER",
    "COLLATE",
];
const DEFAULTS: [&str; 4] = ["DEFAULT", "MATERIALIZED", "EPHEMERAL", "ALIAS"];

pub(super) fn ends_part(reader: &Reader<'_>) -> bool {
    reader.text(0) == "," || reader.sees_any(&BEHIND_TYPE)
}

/// `Type`, `Type DEFAULT expr`, `DEFAULT expr`
fn declaration(reader: &mut Reader<'_>, command: &mut AlterCommand) -> Result<(), DdlError> {
    if !ends_part(reader) {
        command.declared_type = Some(reader.clause("a type", ends_part)?);
    }
    let has_expression = |reader: &Reader<'_>| !(reader.at_end() || ends_part(reader));
    if reader.sees_any(&DEFAULTS) {
        reader.advance();
        if has_expression(reader) {
            command.default = Some(reader.clause("an expression", ends_part)?);
        }
    }
    Ok(())
}

/// What `MODIFY COLUMN c` changes, by the first word that tells.
fn modification(reader: &mut Reader<'_>, command: &mut AlterCommand) -> Result<(), DdlError> {
    reader.take(&["TYPE"]);
    let own: [(&[&str], Form); 6] = [
        (&["REMOVE"], Form::ModifyColumnRemove),
        (&["MODIFY", "SETTING"], Form::ModifyColumnSetting),
        (&["RESET", "SETTING"], Form::ModifyColumnSetting),
        (&["ADD", "ENUM", "VALUES"], Form::AddEnumValues),
        (&["COMMENT"], Form::ModifyColumnComment),
        (&["CODEC"], Form::ModifyColumnCodec),
    ];
    if let Some((_, form)) = own.iter().find(|(words, _)| reader.sees(words)) {
        command.form = *form;
        return Ok(());
    }
    declaration(reader, command)?;
    let rest = reader.item("more", |_| false).map_or_else(|_| String::new(), |rest| rest.text);
    let declares = |word: &str| has_words(&rest, &[word]);
    command.form = if declares("TTL") {
        Form::ModifyColumnTtl
    } else if command.declared_type.is_some() && declares("STATISTICS") {
        Form::ModifyColumnStatistics
    } else if command.declared_type.is_some() {
        Form::ModifyColumnType
    } else if declares("SETTINGS") {
        Form::ModifyColumnSetting
    } else {
        Form::ModifyColumnDefault
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(sql: &str) -> AlterCommand {
        let mut read =
            read_alteration(&format!("ALTER TABLE d.t {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!((read.commands.len(), read.unknown.len()), (1, 0), "{sql}");
        read.commands.remove(0)
    }

    #[test]
    fn commands_end_where_the_next_one_begins() {
        let sql = "alter table d.t on cluster '{c}' add column if not exists a.b Array(Tuple(x Int8, y Int8)) default [(1, 2)] \
                   after z, update x = 1, y = f(2, 3) where z in (1, 2), (drop column q), modify setting a = 1, b = 2, \
                   modify ttl d + interval 1 day, e + interval 2 day settings mutations_sync = 1, alter_sync = 2;";
        let read = read_alteration(sql).unwrap();
        let texts: Vec<(Form, &str)> = read.commands.iter().map(|one| (one.form, one.text.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (Form::AddColumn, "add column if not exists a.b Array(Tuple(x Int8, y Int8)) default [(1, 2)] after z"),
                (Form::Update, "update x = 1, y = f(2, 3) where z in (1, 2)"),
                (Form::DropColumn, "drop column q"),
                (Form::ModifySetting, "modify setting a = 1, b = 2"),
                (Form::ModifyTtl, "modify ttl d + interval 1 day, e + interval 2 day"),
            ]
        );
        let added = &read.commands[0];
        assert_eq!(added.subject.as_deref(), Some("a.b"));
        assert_eq!(added.declared_type.as_ref().unwrap().text, "Array(Tuple(x Int8, y Int8))");
        assert_eq!(added.default.as_ref().unwrap().text, "[(1, 2)]");
        assert_eq!(read.on_cluster.as_deref(), Some("{c}"));
        assert_eq!(read.settings.unwrap().text, "mutations_sync = 1, alter_sync = 2");
        assert!(read.commands.iter().all(|one| sql[one.text.span.clone()] == one.text.text));
    }

    #[test]
    fn what_begins_alike_is_told_apart() {
        for (sql, form) in [
            ("MODIFY COLUMN c UInt8", Form::ModifyColumnType),
            ("ALTER COLUMN c TYPE UInt8", Form::ModifyColumnType),
            ("MODIFY COLUMN c UInt8 COMMENT 'ttl' TTL d + INTERVAL 1 DAY", Form::ModifyColumnTtl),
            ("MODIFY COLUMN c TTL d + INTERVAL 1 DAY", Form::ModifyColumnTtl),
            ("MODIFY COLUMN c REMOVE TTL", Form::ModifyColumnRemove),
            ("MODIFY COLUMN c COMMENT 'x'", Form::ModifyColumnComment),
            ("MODIFY COLUMN c CODEC(ZSTD(3))", Form::ModifyColumnCodec),
            ("MODIFY COLUMN c DEFAULT 1", Form::ModifyColumnDefault),
            ("MODIFY COLUMN c MODIFY SETTING a = 1", Form::ModifyColumnSetting),
            ("MODIFY COLUMN c ADD ENUM VALUES ('a' = 1)", Form::AddEnumValues),
            ("MODIFY COLUMN c String STATISTICS(uniq)", Form::ModifyColumnStatistics),
            ("ATTACH PARTITION 1", Form::AttachPartition),
            ("ATTACH PARTITION 1 FROM u", Form::AttachPartitionFrom),
            ("MOVE PARTITION 1 TO TABLE u", Form::MovePartitionToTable),
            ("MOVE PART 'x' TO VOLUME 'v'", Form::MovePartitionToDisk),
            ("MOVE PART 'x' TO SHARD '/x'", Form::MovePartToShard),
            ("MODIFY TTL d SETTINGS materialize_ttl_after_modify = 0", Form::ModifyTtlLater),
            ("DROP DETACHED PART 'x'", Form::DropDetached),
            ("FREEZE", Form::Freeze),
            ("FREEZE PARTITION 1 WITH NAME 'x'", Form::Freeze),
            ("MODIFY QUERY SELECT a, b FROM x", Form::ModifyQuery),
        ] {
            assert_eq!(read_one(sql).form, form, "{sql}");
        }
    }

    #[test]
    fn what_the_next_command_says_is_not_taken_for_this_one() {
        let sql =
            "ALTER TABLE t MODIFY COLUMN a UInt64, MODIFY COLUMN b TTL d, ADD COLUMN c UInt8 DEFAULT 1, DROP COLUMN e";
        let forms: Vec<Form> = read_alteration(sql).unwrap().commands.iter().map(|one| one.form).collect();
        assert_eq!(forms, [Form::ModifyColumnType, Form::ModifyColumnTtl, Form::AddColumn, Form::DropColumn]);
    }

    #[test]
    fn an_unknown_command_hides_no_other() {
        let sql = "ALTER TABLE t ADD COLUMN a Int8, SHUFFLE ROWS BY (a, b), DROP COLUMN c";
        let read = read_alteration(sql).unwrap();
        assert_eq!(read.commands.iter().map(|one| one.form).collect::<Vec<_>>(), [Form::AddColumn, Form::DropColumn]);
        assert_eq!(read.unknown[0].to_string(), "`SHUFFLE ROWS` is no command of ALTER TABLE that is known");
        assert_eq!(read.unknown[0].column(), 34);
    }

    #[test]
    fn half_a_statement_is_refused() {
        for sql in [
            "",
            "ADD",
            "ADD COLUMN",
            "DROP COLUMN a,",
            "MODIFY COLUMN",
            "MODIFY COLUMN c",
            "RENAME COLUMN a",
            "UPDATE",
            "MODIFY ORDER BY (a",
        ] {
            let read = read_alteration(&format!("ALTER TABLE t {sql}"));
            assert!(read.as_ref().map_or(true, |read| !read.unknown.is_empty()), "{sql}: {read:?}");
        }
    }
}
