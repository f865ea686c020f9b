//! Names of things in a cluster, and the one authority for quoting them in SQL.
//!
//! A name is kept as the server has it, unquoted. It becomes SQL text only through [`quote_identifier`],
//! [`quote_string`] and [`TableName::sql`], so a backtick, quote or newline in a name never ends a token.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Quotes `name` as a ClickHouse identifier in backticks, with the escapes that both old and new servers read.
///
/// ```
/// # use shardwright::names::quote_identifier;
/// assert_eq!(quote_identifier("we`ird \\ name"), r"`we\`ird \\ name`");
/// ```
#[must_use]
pub fn quote_identifier(name: &str) -> String {
    quote_with(name, '`')
}

/// Quotes `text` as a ClickHouse string literal.
///
/// ```
/// # use shardwright::names::quote_string;
/// assert_eq!(quote_string("it's\n"), r"'it\'s\n'");
/// ```
#[must_use]
pub fn quote_string(text: &str) -> String {
    quote_with(text, '\'')
}

/// String literals, separated by commas.
pub fn quoted_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(|text| quote_string(text.as_ref())).collect::<Vec<_>>().join(", ")
}

fn quote_with(text: &str, quote: char) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0' => quoted.push_str("\\0"),
            c if c == quote => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// A table's full name, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table within the database.
    pub table: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// The name as SQL text, both parts quoted.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quote_identifier(&self.database), quote_identifier(&self.table))
    }

    /// Another table of the same database.
    #[must_use]
    pub fn sibling(&self, table: impl Into<String>) -> Self {
        Self::new(self.database.clone(), table)
    }
}

impl fmt::Display for TableName {
    /// For people: `database.table`, unquoted. Never put into SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// Between a table's name or Keeper path and what tells a plan's own from it.
pub const OWN_MARK: &str = "__sw_";

/// What a plan's own tables are for, as their names say.
pub const ROLES: [&str; 9] = ["shadow", "snapshot", "staging", "mirror", "swap", "lock", "route", "back", "gather"];

/// The name of one of a plan's own tables.
pub fn own_name(source: &TableName, role: &str) -> TableName {
    source.sibling(format!("{}{OWN_MARK}{role}", source.table))
}

/// Whether a table's name is one that a plan for `source` gives to a table of its own.
pub fn is_own_name(source: &TableName, table: &TableName) -> bool {
    table.database == source.database
        && table.table.strip_prefix(&source.table).is_some_and(|rest| rest.starts_with(OWN_MARK))
}

/// One replica of one shard, both counted from 1 as `system.clusters` counts them. Written `s2r1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    /// `shard_num`.
    pub shard: u32,
    /// `replica_num`.
    pub replica: u32,
}

impl ReplicaId {
    /// Replica number `replica` of shard number `shard`.
    #[must_use]
    pub fn new(shard: u32, replica: u32) -> Self {
        Self { shard, replica }
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}r{}", self.shard, self.replica)
    }
}

impl std::str::FromStr for ReplicaId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text
            .strip_prefix('s')
            .and_then(|rest| rest.split_once('r'))
            .and_then(|(shard, replica)| Some(Self::new(shard.parse().ok()?, replica.parse().ok()?)));
        parsed.ok_or_else(|| format!("{text:?} is not a replica such as \"s1r2\""))
    }
}

impl Serialize for ReplicaId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReplicaId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_hostile_names_inside_the_token() {
        assert_eq!(quote_identifier("a`b"), "`a\\`b`");
        assert_eq!(quote_identifier("a\\"), "`a\\\\`");
        assert_eq!(quote_identifier("ordre détaillé"), "`ordre détaillé`");
        assert_eq!(quote_string("'; DROP TABLE t --"), "'\\'; DROP TABLE t --'");
        assert_eq!(TableName::new("select", "my table").sql(), "`select`.`my table`");
    }

    #[test]
    fn a_replica_id_reads_back_what_it_writes() {
        let id = ReplicaId::new(12, 3);
        assert_eq!(id.to_string(), "s12r3");
        assert_eq!("s12r3".parse(), Ok(id));
        assert!("r3s1".parse::<ReplicaId>().is_err());
        assert!("s1".parse::<ReplicaId>().is_err());
    }

    #[test]
    fn a_plan_knows_its_own_tables_by_name() {
        let source = TableName::new("d", "t");
        assert!(is_own_name(&source, &own_name(&source, "shadow")));
        assert!(!is_own_name(&source, &source));
        assert!(!is_own_name(&source, &TableName::new("d", "t_sw_x")));
        assert!(!is_own_name(&source, &TableName::new("e", "t__sw_shadow")));
    }
}
