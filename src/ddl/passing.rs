//! Which tables a Merge table or a table function stands for.

use regex_lite::Regex;

use super::engine::Engine;
use super::error::DdlError;
use super::lexer::TokenKind;
use super::quoting::{name_of, unquote};
use super::reader::Reader;
use super::statement::Text;
use crate::names::TableName;

/// The arguments of a Merge table, or of `merge(…)`: which tables of which databases are read as one.
#[derive(Debug, Clone)]
pub struct Merged {
    databases: Databases,
    tables: Pattern,
}

#[derive(Debug, Clone)]
enum Databases {
    One(String),
    All(Pattern),
}

/// A regular expression. One that cannot be read matches everything: rather one table too many than one too few.
#[derive(Debug, Clone)]
struct Pattern(Option<Regex>);

impl Pattern {
    fn read(argument: &str) -> Self {
        Self(unquote(argument).and_then(|text| Regex::new(&text).ok()))
    }

    fn is_match(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }
}

impl Merged {
    /// `database, pattern`, `REGEXP(pattern), pattern`, or a pattern alone, for what stands in `database`.
    pub fn read(args: &[Text], database: &str) -> Option<Self> {
        let (first, pattern) = match args {
            [pattern] => (None, pattern),
            [first, pattern, ..] => (Some(first.text.as_str()), pattern),
            [] => return None,
        };
        let all = first.and_then(|text| text.strip_prefix("REGEXP(")).and_then(|text| text.strip_suffix(')'));
        let databases = match (all, first) {
            (Some(pattern), _) => Databases::All(Pattern::read(pattern)),
            (None, Some(first)) => Databases::One(named_database(first, database)),
            (None, None) => Databases::One(database.to_owned()),
        };
        Some(Self { databases, tables: Pattern::read(&pattern.text) })
    }

    /// Whether a table is among them.
    pub fn has(&self, name: &TableName) -> bool {
        let in_database = match &self.databases {
            Databases::One(database) => *database == name.database,
            Databases::All(pattern) => pattern.is_match(&name.database),
        };
        in_database && self.tables.is_match(&name.table)
    }
}

/// A database in an argument. Where an expression is left the session's counts, mostly the one that the table itself is in.
fn named_database(argument: &str, own: &str) -> String {
    match unquote(argument) {
        Some(name) if !name.is_empty() => name,
        None if !argument.contains('(') => argument.to_owned(),
        _ => own.to_owned(),
    }
}

/// The table that a Buffer or Alias table in `own` stands before, in the first arguments of its engine.
pub fn named_table(engine: &Engine, own: &str) -> Option<TableName> {
    let name = |argument: &Text| unquote(&argument.text).unwrap_or_else(|| argument.text.clone());
    match engine.args() {
        [] => None,
        [table] => Some(TableName::new(own, name(table))),
        [database, table, ..] => Some(TableName::new(named_database(&database.text, own), name(table))),
    }
}

/// A table function in a query, if it leads to tables of a server: `merge('d', '^t')`, `cluster('main', d.t)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFunction {
    name: String,
    args: Vec<Text>,
}

/// Those that are given the names of tables. A query within one is read as any other.
const LEADING: [&str; 9] = [
    "merge",
    "remote",
    "remoteSecure",
    "cluster",
    "clusterAllReplicas",
    "dictionary",
    "loop",
    "mergeTreeIndex",
    "mergeTreeProjection",
];

/// A function within a function within a function, but not for ever.
const DEPTH_MAX: usize = 8;

impl TableFunction {
    /// Reads the arguments of a function, behind its name. `None` for one that leads to no table.
    pub(super) fn read(name: &str, reader: &mut Reader<'_>) -> Result<Option<Self>, DdlError> {
        if !LEADING.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(None);
        }
        reader.expect_symbol("(")?;
        let mut args = Vec::new();
        while !reader.take_symbol(")") {
            args.push(reader.item("an argument", |_| false)?);
            reader.take_symbol(",");
        }
        Ok(Some(Self { name: name.to_ascii_lowercase(), args }))
    }

    /// Reads a function at the beginning of SQL. Gives where it ends, too.
    pub fn at_beginning(sql: &str) -> Option<(Self, usize)> {
        let mut reader = Reader::new(sql).ok()?;
        let name = name_of(reader.kind(0)?, reader.text(0))?;
        reader.advance();
        let function = Self::read(&name, &mut reader).ok()??;
        Some((function, reader.behind(1)?.span.end))
    }

    /// Whether it may lead to another server than those of the cluster.
    pub fn may_lead_outside(&self) -> bool {
        self.name.starts_with("remote")
    }

    /// Whether it reads a table, asked in a session with this database: rather once too often than once too seldom.
    pub fn leads_to(&self, table: &TableName, database: &str) -> bool {
        self.leads(table, database, 0)
    }

    fn leads(&self, table: &TableName, database: &str, depth: usize) -> bool {
        if self.name == "merge" {
            return Merged::read(&self.args, database).is_some_and(|merged| merged.has(table));
        }
        let mut names = Vec::new();
        for argument in &self.args {
            match read_argument(&argument.text) {
                Some(Argument::Names(more)) => names.extend(more),
                Some(Argument::Function(within)) if depth < DEPTH_MAX => {
                    if within.leads(table, database, depth + 1) {
                        return true;
                    }
                }
                Some(Argument::Function(_)) => return true,
                None => names.push(database.to_owned()),
            }
        }
        let is_pair = |pair: &[String]| pair[0] == table.database && pair[1] == table.table;
        let is_full = |name: &String| name.split_once('.') == Some((&table.database, &table.table));
        let is_bare = database == table.database && names == [table.table.as_str()];
        names.windows(2).any(is_pair) || names.iter().any(is_full) || is_bare
    }
}

enum Argument {
    /// A name, a name in two parts, or a string.
    Names(Vec<String>),
    Function(TableFunction),
}

/// `t`, `d.t`, `'t'`, `table = 't'` or another table function. `None` for expressions, such as `currentDatabase()`.
fn read_argument(text: &str) -> Option<Argument> {
    let mut reader = Reader::new(text).ok()?;
    if reader.kind(0) == Some(TokenKind::Word) && reader.text(1) == "=" {
        (0..2).for_each(|_| reader.advance());
    }
    if reader.kind(0) == Some(TokenKind::String) {
        return unquote(reader.text(0)).map(|name| Argument::Names(vec![name]));
    }
    let first = name_of(reader.kind(0)?, reader.text(0))?;
    reader.advance();
    match reader.text(0) {
        "(" => TableFunction::read(&first, &mut reader).ok()?.map(Argument::Function),
        "." => Some(Argument::Names(vec![first, name_of(reader.kind(1)?, reader.text(1))?])),
        _ => Some(Argument::Names(vec![first])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::table_functions;

    fn leads(from: &str) -> bool {
        let functions = table_functions(&format!("SELECT 1 FROM {from}")).unwrap();
        functions.iter().any(|function| function.leads_to(&TableName::new("app", "l"), "app"))
    }

    #[test]
    fn functions_lead_to_the_tables_that_they_name() {
        for from in [
            "merge('app', '^l$')",
            "merge('^(l|x)$')",
            "merge(REGEXP('^a'), 'l')",
            "merge(currentDatabase(), 'l')",
            "merge('app', '(unreadable')",
            "cluster('main', 'app', 'l')",
            "cluster('main', app.l)",
            "cluster(main, app, l, rand())",
            "cluster('main', currentDatabase(), l)",
            "remote('127.0.0.1:9000', app.`l`, 'user', 'password')",
            "remote('h', 'app.l')",
            "remoteSecure(named, database = 'app', table = 'l')",
            "clusterAllReplicas('main', merge('app', '^l$'))",
            "loop(app.l)",
            "loop(l)",
            "t JOIN merge('app', '^l$') AS m USING id",
            "(SELECT id FROM cluster('main', app.l))",
        ] {
            assert!(leads(from), "{from}");
        }
        for from in [
            "merge('app', '^x$')",
            "merge('other', '^l$')",
            "cluster('main', 'other', 'l')",
            "cluster('main', app.x)",
            "numbers(10)",
            "mysql('h', 'app', 'l', 'u', 'p')",
            "l",
        ] {
            assert!(!leads(from), "{from}");
        }
    }
}
