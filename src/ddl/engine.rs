//! Reads a table's engine with its storage clauses, as in `system.tables.engine_full`.

use super::adjacency::starts_anew;
use super::error::DdlError;
use super::key::key_items;
use super::lexer::{TokenKind, significant_tokens};
use super::quoting::unquote;
use super::reader::Reader;
use super::statement::Text;

/// An engine, its arguments and its storage clauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The full name, such as `ReplicatedReplacingMergeTree`.
    pub name: String,
    /// The arguments, verbatim; `None` without parentheses.
    pub args: Option<Vec<Text>>,
    /// `PARTITION BY` and so on.
    pub clauses: Clauses,
}

/// The storage clauses, each without its keywords.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clauses {
    /// `PARTITION BY`
    pub partition_by: Option<Text>,
    /// `PRIMARY KEY`
    pub primary_key: Option<Text>,
    /// `ORDER BY`
    pub order_by: Option<Text>,
    /// `SAMPLE BY`
    pub sample_by: Option<Text>,
    /// `TTL`
    pub ttl: Option<Text>,
    /// `SETTINGS`
    pub settings: Option<Text>,
}

/// The arguments of a `Distributed` table that say where its rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributedArgs {
    /// The cluster.
    pub cluster: String,
    /// The database; `None` if it is an expression, which old servers keep: `currentDatabase()`.
    pub database: Option<String>,
    /// The table on every shard.
    pub table: String,
    /// The sharding key, verbatim.
    pub sharding_key: Option<String>,
}

impl Engine {
    /// Whether it is of the `MergeTree` family, replicated or not.
    pub fn is_merge_tree_family(&self) -> bool {
        self.name.ends_with("MergeTree")
    }

    /// Whether its replicas copy parts from each other through Keeper.
    pub fn replicated(&self) -> bool {
        self.is_merge_tree_family() && self.name.starts_with("Replicated")
    }

    /// The name without `Replicated`.
    pub fn plain_name(&self) -> &str {
        if self.replicated() { self.name.trim_start_matches("Replicated") } else { &self.name }
    }

    /// The table's Keeper path, macros not yet replaced. `None` if not replicated, or if the server's default applies.
    pub fn keeper_path(&self) -> Option<String> {
        self.keeper_args().map(|[path, _]| path)
    }

    /// The replica's name, macros not yet replaced. `None` as for [`Engine::keeper_path`].
    pub fn replica_name(&self) -> Option<String> {
        self.keeper_args().map(|[_, replica]| replica)
    }

    /// The arguments that say how rows are merged: all but Keeper path and replica name.
    pub fn merge_args(&self) -> &[Text] {
        let args = self.args();
        if self.keeper_args().is_some() { &args[2..] } else { args }
    }

    /// Their texts.
    pub fn merge_texts(&self) -> Vec<&str> {
        self.merge_args().iter().map(|arg| arg.text.as_str()).collect()
    }

    /// The same one by one, in normal form: `SummingMergeTree((a, b))` has `a` and `b`.
    pub fn merge_columns(&self) -> Vec<String> {
        let items = |arg: &Text| key_items(&arg.text).unwrap_or_else(|_| vec![arg.text.clone()]);
        self.merge_args().iter().flat_map(items).collect()
    }

    /// The engine with the arguments that say how rows are merged, for people.
    pub fn brief(&self) -> String {
        let args = self.merge_columns();
        if args.is_empty() { self.name.clone() } else { format!("{}({})", self.name, args.join(", ")) }
    }

    /// Whether rows are merged as those of another engine of the family are.
    pub fn merges_as(&self, other: &Self) -> bool {
        let columns = |engine: &Self| {
            let mut columns = engine.merge_columns();
            // Which of the columns that are summed is named first says nothing.
            if engine.plain_name() == "SummingMergeTree" {
                columns.sort();
            }
            columns
        };
        self.plain_name() == other.plain_name() && columns(self) == columns(other)
    }

    /// Whether keys are given in the syntax of old: `MergeTree(date, (key), 8192)`.
    pub fn is_old_style(&self) -> bool {
        const ARGS_MIN: usize = 3;
        self.is_merge_tree_family() && self.clauses == Clauses::default() && self.merge_args().len() >= ARGS_MIN
    }

    /// What a `Distributed` table stands for. `None` for other engines, and if cluster or table are expressions.
    pub fn distributed(&self) -> Option<DistributedArgs> {
        let [cluster, database, table, rest @ ..] = self.args() else { return None };
        if self.name != "Distributed" {
            return None;
        }
        Some(DistributedArgs {
            cluster: literal(&cluster.text)?,
            database: literal(&database.text),
            table: literal(&table.text)?,
            sharding_key: rest.first().map(|key| key.text.clone()),
        })
    }

    /// The same `Distributed` engine with another sharding key; with none, as it is.
    #[must_use]
    pub fn with_sharding_key(&self, key: Option<&str>) -> Self {
        const KEY_AT: usize = 3;
        let mut args = self.args().to_vec();
        if let Some(key) = key.map(|key| Text::new(key.to_owned())) {
            match args.get_mut(KEY_AT) {
                Some(old) => *old = key,
                None => args.push(key),
            }
        }
        Self { args: Some(args), ..self.clone() }
    }

    /// The arguments; none without parentheses.
    pub fn args(&self) -> &[Text] {
        self.args.as_deref().unwrap_or_default()
    }

    fn keeper_args(&self) -> Option<[String; 2]> {
        let [path, replica, ..] = self.args() else { return None };
        let string = |text: &Text| if text.text.starts_with('\'') { unquote(&text.text) } else { None };
        if self.replicated() { Some([string(path)?, string(replica)?]) } else { None }
    }

    /// Writes name, arguments and clauses, in ClickHouse's own order.
    pub fn to_sql(&self) -> String {
        let mut sql = self.name.clone();
        if let Some(args) = &self.args {
            let args: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
            sql.extend(["(", &args.join(", "), ")"]);
        }
        for (keywords, clause) in self.clauses.in_order() {
            if let Some(clause) = clause {
                sql.extend([" ", keywords, " ", &clause.text]);
            }
        }
        sql
    }
}

impl Clauses {
    fn in_order(&self) -> [(&'static str, &Option<Text>); 6] {
        let Self { partition_by, primary_key, order_by, sample_by, ttl, settings } = self;
        [
            ("PARTITION BY", partition_by),
            ("PRIMARY KEY", primary_key),
            ("ORDER BY", order_by),
            ("SAMPLE BY", sample_by),
            ("TTL", ttl),
            ("SETTINGS", settings),
        ]
    }
}

/// The value of a quoted or bare name; `None` for anything else.
fn literal(text: &str) -> Option<String> {
    match significant_tokens(text).ok()?.as_slice() {
        [token] if token.kind == TokenKind::Word => Some(text.to_owned()),
        [token] if matches!(token.kind, TokenKind::String | TokenKind::QuotedIdentifier) => unquote(text),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Engine,
    PartitionBy,
    PrimaryKey,
    OrderBy,
    SampleBy,
    Ttl,
    Settings,
    Comment,
}

const HEADS: [(Head, &[&str]); 8] = [
    (Head::Engine, &["ENGINE"]),
    (Head::PartitionBy, &["PARTITION", "BY"]),
    (Head::PrimaryKey, &["PRIMARY", "KEY"]),
    (Head::OrderBy, &["ORDER", "BY"]),
    (Head::SampleBy, &["SAMPLE", "BY"]),
    (Head::Ttl, &["TTL"]),
    (Head::Settings, &["SETTINGS"]),
    (Head::Comment, &["COMMENT"]),
];

/// What has been read so far of what follows a table's body.
#[derive(Default)]
struct Storage {
    engine: Option<(String, Option<Vec<Text>>)>,
    clauses: Clauses,
    comment: Option<Text>,
}

/// Reads `engine_full`.
pub fn read_engine(engine_full: &str) -> Result<Engine, DdlError> {
    let mut reader = Reader::new(engine_full)?;
    let mut storage = Storage { engine: Some(read_name_and_args(&mut reader)?), ..Storage::default() };
    storage.read_clauses(&mut reader)?;
    reader.expect_end()?;
    let (engine, comment) = storage.finish(&reader)?;
    match comment {
        Some(comment) => {
            Err(DdlError::new(engine_full, comment.span, "a comment belongs to a table, not to an engine"))
        }
        None => Ok(engine),
    }
}

/// Reads `ENGINE = …`, the clauses and the table's comment, in any order.
pub(super) fn read_storage(reader: &mut Reader<'_>) -> Result<(Engine, Option<Text>), DdlError> {
    let mut storage = Storage::default();
    storage.read_clauses(reader)?;
    storage.finish(reader)
}

impl Storage {
    fn read_clauses(&mut self, reader: &mut Reader<'_>) -> Result<(), DdlError> {
        while let Some((head, keywords)) = head(reader) {
            let twice = reader.error(format!("{} is given twice", keywords.join(" ")));
            reader.expect(keywords)?;
            if self.read_clause(head, reader)? {
                return Err(twice);
            }
        }
        Ok(())
    }

    /// Reads what follows the keywords. Tells whether the clause had been there before.
    fn read_clause(&mut self, head: Head, reader: &mut Reader<'_>) -> Result<bool, DdlError> {
        let clauses = &mut self.clauses;
        let slot = match head {
            Head::Engine => {
                reader.take_symbol("=");
                return Ok(self.engine.replace(read_name_and_args(reader)?).is_some());
            }
            Head::PartitionBy => &mut clauses.partition_by,
            Head::PrimaryKey => &mut clauses.primary_key,
            Head::OrderBy => &mut clauses.order_by,
            Head::SampleBy => &mut clauses.sample_by,
            Head::Ttl => &mut clauses.ttl,
            Head::Settings => &mut clauses.settings,
            Head::Comment => &mut self.comment,
        };
        let text = match head {
            Head::Ttl | Head::Settings => reader.clause("what the clause says", begins_clause)?,
            _ => reader.clause("an expression", |reader| begins_clause(reader) || starts_anew(reader))?,
        };
        Ok(slot.replace(text).is_some())
    }

    fn finish(self, reader: &Reader<'_>) -> Result<(Engine, Option<Text>), DdlError> {
        let (name, args) = self.engine.ok_or_else(|| reader.unexpected("`ENGINE`"))?;
        Ok((Engine { name, args, clauses: self.clauses }, self.comment))
    }
}

fn head(reader: &Reader<'_>) -> Option<(Head, &'static [&'static str])> {
    HEADS.into_iter().find(|(_, keywords)| reader.sees(keywords))
}

/// Whether a clause begins here, amid the text of another, where `ttl` and `comment` may also be columns.
fn begins_clause(reader: &Reader<'_>) -> bool {
    match head(reader) {
        None => ends_definition(reader),
        Some((Head::Engine | Head::Ttl, _)) => starts_anew(reader) && reader.kind(1).is_some_and(begins_or_equals),
        Some((Head::Settings, _)) => reader.text(2) == "=",
        Some((Head::Comment, _)) => reader.kind(1) == Some(TokenKind::String),
        Some(_) => true,
    }
}

fn begins_or_equals(kind: TokenKind) -> bool {
    !matches!(kind, TokenKind::Comma | TokenKind::Semicolon | TokenKind::Dot | TokenKind::Close)
}

/// `AS SELECT …`, `EMPTY AS SELECT …`
fn ends_definition(reader: &Reader<'_>) -> bool {
    let query = ["SELECT", "WITH"].iter().any(|word| reader.sees_word(1, word)) || reader.text(1) == "(";
    reader.sees(&["AS"]) && query || reader.sees(&["EMPTY", "AS"])
}

fn read_name_and_args(reader: &mut Reader<'_>) -> Result<(String, Option<Vec<Text>>), DdlError> {
    if reader.kind(0) != Some(TokenKind::Word) {
        return Err(reader.unexpected("an engine"));
    }
    let name = reader.identifier()?;
    let args = if reader.take_symbol("(") { Some(read_args(reader)?) } else { None };
    Ok((name, args))
}

/// Arguments between commas and the closing bracket; the opening one has been read.
fn read_args(reader: &mut Reader<'_>) -> Result<Vec<Text>, DdlError> {
    let mut args = Vec::new();
    if reader.take_symbol(")") {
        return Ok(args);
    }
    loop {
        args.push(reader.item("an argument", |_| false)?);
        if reader.take_symbol(")") {
            return Ok(args);
        }
        reader.expect_symbol(",")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(args: &[Text]) -> Vec<&str> {
        args.iter().map(|arg| arg.text.as_str()).collect()
    }

    #[test]
    fn keeper_and_merge_arguments_are_told_apart() {
        let engine = read_engine(
            "ReplicatedReplacingMergeTree('/h_ddl/{shard}/it\\'s', '{replica}', v) PARTITION BY (toYYYYMM(d), k % 4) \
             ORDER BY (k, d) SETTINGS index_granularity = 8192, storage_policy = 'x'",
        )
        .unwrap();
        assert!(engine.is_merge_tree_family() && engine.replicated() && !engine.is_old_style());
        assert_eq!(engine.plain_name(), "ReplacingMergeTree");
        assert_eq!(engine.keeper_path().as_deref(), Some("/h_ddl/{shard}/it's"));
        assert_eq!(engine.replica_name().as_deref(), Some("{replica}"));
        assert_eq!(texts(engine.merge_args()), ["v"]);
        assert_eq!(engine.clauses.order_by.unwrap().text, "(k, d)");
        assert_eq!(engine.clauses.settings.unwrap().text, "index_granularity = 8192, storage_policy = 'x'");
    }

    #[test]
    fn without_a_path_every_argument_is_for_merging() {
        let engine = read_engine("ReplicatedReplacingMergeTree(v, deleted) ORDER BY a").unwrap();
        assert_eq!((engine.keeper_path(), engine.replica_name()), (None, None));
        assert_eq!(texts(engine.merge_args()), ["v", "deleted"]);
        assert_eq!(read_engine("ReplicatedMergeTree ORDER BY a").unwrap().keeper_path(), None);
        let plain = read_engine("SummingMergeTree((a, b)) ORDER BY c").unwrap();
        assert_eq!((plain.replicated(), texts(plain.merge_args())), (false, vec!["(a, b)"]));
    }

    #[test]
    fn old_style_keys_are_recognised() {
        let plain = read_engine("MergeTree(d, intHash32(a), (a, intHash32(a)), 8192)").unwrap();
        assert_eq!(texts(plain.args()), ["d", "intHash32(a)", "(a, intHash32(a))", "8192"]);
        let replicated =
            read_engine("ReplicatedReplacingMergeTree('/t/{shard}', '{replica}', d, (k, d), 8192, v)").unwrap();
        assert!(plain.is_old_style() && replicated.is_old_style());
        assert_eq!(texts(replicated.merge_args()), ["d", "(k, d)", "8192", "v"]);
        assert!(!read_engine("VersionedCollapsingMergeTree(sign, version) ORDER BY a").unwrap().is_old_style());
        assert!(!read_engine("Distributed(a, b, c)").unwrap().is_old_style());
    }

    #[test]
    fn a_distributed_table_names_what_it_stands_for() {
        let distributed = |engine_full| read_engine(engine_full).unwrap().distributed();
        let args = |database: Option<&str>, key: Option<&str>| {
            Some(DistributedArgs {
                cluster: "main".to_owned(),
                database: database.map(str::to_owned),
                table: "pla'in".to_owned(),
                sharding_key: key.map(str::to_owned),
            })
        };
        assert_eq!(
            distributed("Distributed(main, h_ddl, `pla'in`, intHash64(a))"),
            args(Some("h_ddl"), Some("intHash64(a)"))
        );
        assert_eq!(distributed("Distributed('main', 'h_ddl', 'pla\\'in')"), args(Some("h_ddl"), None));
        assert_eq!(
            distributed("Distributed('main', currentDatabase(), 'pla''in', rand(), 'policy') SETTINGS fsync = 1"),
            args(None, Some("rand()"))
        );
        assert_eq!(distributed("Distributed(main, db)"), None);
        assert_eq!(distributed("Merge(a, b, c)"), None);
    }

    #[test]
    fn writing_gives_back_what_was_read() {
        for engine_full in [
            "Log",
            "AggregatingMergeTree() ORDER BY a SETTINGS index_granularity = 8192",
            "MergeTree PARTITION BY d PRIMARY KEY a ORDER BY (a, `b c`) SAMPLE BY a TTL d + toIntervalDay(1) DELETE \
             WHERE ttl = 1, d + toIntervalDay(9) TO DISK 'settings' SETTINGS index_granularity = 1, disk = disk(type = \
             local, path = '/x/')",
            "MergeTree PARTITION BY settings ORDER BY (ttl, comment) SETTINGS a = 1",
            "MergeTree PARTITION BY engine ORDER BY ttl TTL ttl SETTINGS a = 1",
            "MergeTree ORDER BY interval SETTINGS a = 1",
            "Kafka SETTINGS kafka_broker_list = 'a,b:9092', kafka_topic_list = 'ORDER BY'",
            "S3Queue('http://127.0.0.1/{a,b}/*', 'JSONEachRow', headers('k' = 'v')) SETTINGS mode = 'ordered'",
        ] {
            assert_eq!(read_engine(engine_full).unwrap().to_sql(), engine_full);
        }
    }

    #[test]
    fn what_is_not_an_engine_is_refused() {
        for (text, message, column) in [
            ("", "expected an engine, but the statement ends", 1),
            ("'x'", "expected an engine, not `'x'`", 1),
            ("MergeTree(a", "expected `,`, but the statement ends", 12),
            ("MergeTree(a))", "expected the end, not `)`", 13),
            ("MergeTree ORDER BY", "expected an expression, but the statement ends", 19),
            ("MergeTree ORDER BY a ORDER BY b", "ORDER BY is given twice", 22),
            ("MergeTree ORDER BY a FORMAT x", "expected the end, not `FORMAT`", 22),
            ("MergeTree ORDER BY (a]", "`(` cannot be closed by `]`", 22),
            ("MergeTree ORDER BY (a, (b)", "this bracket is not closed", 20),
            ("MergeTree ORDER BY a COMMENT 'x'", "a comment belongs to a table, not to an engine", 30),
        ] {
            let error = read_engine(text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.column()), (message, column), "{text}");
        }
    }
}
