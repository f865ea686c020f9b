//! A plan's SQL for servers that can do less, or want other words for the same, than those it was made for.
//!
//! Only what the planner itself writes otherwise is replaced; a statement that says something else stays as it is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::adapt::Target;
use crate::catalog::Column;
use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::read_table;
use crate::names::{TableName, quote_identifier};
use crate::plan::{Plan, RebuildTables, definition, hash_argument};
use crate::snapshot::Capability;

/// How the planner tells a row's partition where there is the virtual column, and where there is none.
const BY_COLUMN: &str = "WHERE _partition_id = ";
const BY_PART: &str = "WHERE splitByChar('_', _part)[1] = ";
const HASH: &str = "cityHash64";
/// The setting alone behind an INSERT, and before others.
const ALLOW_MATERIALIZED: [&str; 2] =
    ["SETTINGS insert_allow_materialized_columns = 1 ", "insert_allow_materialized_columns = 1, "];

/// What must be said otherwise.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    source: TableName,
    tables: RebuildTables,
    columns: Vec<Column>,
    exchange: Change,
    partition_column: Change,
    views_leave_materialized: Change,
    hashes: Change,
    insert_threads: Change,
}

/// What becomes of an ability from the plan's cluster to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    Lost,
    Gained,
}

impl Dialect {
    pub(super) fn between(plan: &Plan, target: &Target, columns: &[Column]) -> Self {
        let change =
            |capability| match (plan.capabilities.contains(&capability), target.capabilities.contains(&capability)) {
                (true, false) => Change::Lost,
                (false, true) => Change::Gained,
                _ => Change::Same,
            };
        let has_materialized = columns.iter().any(Column::is_materialized);
        Self {
            source: plan.objects.source.clone(),
            tables: RebuildTables::of(&plan.objects.source),
            columns: columns.to_vec(),
            exchange: change(Capability::Exchange),
            partition_column: change(Capability::PartitionIdColumn),
            views_leave_materialized: if has_materialized {
                change(Capability::ViewsLeaveMaterialized)
            } else {
                Change::Same
            },
            hashes: change(Capability::HashesAnyType),
            insert_threads: change(Capability::InsertThreads),
        }
    }

    /// The differences that a person should know of.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.exchange == Change::Lost {
            notes.push("EXCHANGE TABLES and DROP … SYNC, which the servers do not have: names were swapped by RENAME");
        }
        if self.exchange == Change::Gained {
            notes.push(
                "a swap by RENAME, which on the servers would take views along: names were swapped by EXCHANGE TABLES",
            );
        }
        if self.partition_column == Change::Lost {
            notes.push(
                "the column _partition_id, which the servers do not have: partitions were told by the names of parts",
            );
        }
        if self.hashes == Change::Lost {
            notes.push("hashes of types that the servers do not hash: their values were hashed as text");
        }
        match self.views_leave_materialized {
            Change::Same => {}
            Change::Lost => {
                notes.push("a mirror that leaves MATERIALIZED columns out: the servers want it to give them");
            }
            Change::Gained => {
                notes.push("a mirror that gives MATERIALIZED columns: the servers compute them behind a view");
            }
        }
        notes.into_iter().map(str::to_owned).collect()
    }

    /// The same with every statement and query turned.
    pub(super) fn turn<T: Serialize + DeserializeOwned + Clone>(&self, part: &T) -> T {
        let Ok(mut value) = serde_json::to_value(part) else { return part.clone() };
        self.turn_value(&mut value);
        serde_json::from_value(value).unwrap_or_else(|_| part.clone())
    }

    fn turn_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.statement(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.turn_value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.turn_value(field)),
            _ => {}
        }
    }

    fn statement(&self, sql: &str) -> String {
        let mut sql = sql.to_owned();
        match self.exchange {
            Change::Lost => sql = self.without_exchange(sql),
            Change::Gained => sql = self.with_exchange(sql),
            Change::Same => {}
        }
        if self.partition_column == Change::Lost {
            sql = sql.replace(BY_COLUMN, BY_PART);
        }
        if self.insert_threads == Change::Lost && sql.starts_with("INSERT INTO ") {
            sql = without_settings(&sql);
        }
        if self.hashes == Change::Lost && sql.contains(HASH) {
            sql = self.with_text_hashed(sql);
        }
        if self.views_leave_materialized != Change::Same {
            sql = self.with_materialized(sql);
        }
        sql
    }

    /// The two ways of swapping names: `EXCHANGE` and `RENAME`.
    fn swaps(&self) -> [String; 2] {
        let (source, RebuildTables { shadow, swap, .. }) = (&self.source, &self.tables);
        let [source, shadow, swap] = [source, shadow, swap].map(TableName::sql);
        let rename = format!("RENAME TABLE {source} TO {swap}, {shadow} TO {source}, {swap} TO {shadow}");
        [format!("EXCHANGE TABLES {source} AND {shadow}"), rename]
    }

    fn with_exchange(&self, sql: String) -> String {
        let [exchange, rename] = self.swaps();
        if sql == rename { exchange } else { sql }
    }

    fn without_exchange(&self, sql: String) -> String {
        let [exchange, rename] = self.swaps();
        if sql == exchange {
            return rename;
        }
        match sql.strip_suffix(" SYNC") {
            Some(drop) if sql.starts_with("DROP TABLE ") => drop.to_owned(),
            _ => sql,
        }
    }

    /// Arguments of hashes that are bare columns, as servers take them that do not hash every type.
    fn with_text_hashed(&self, sql: String) -> String {
        let Ok(tokens) = significant_tokens(&sql) else { return sql };
        let as_text = |name: &str| {
            let column = self.columns.iter().find(|column| quote_identifier(&column.name) == name)?;
            Some(hash_argument(column, false))
        };
        let (mut turned, mut copied) = (String::new(), 0);
        // For each bracket that is open: whether it holds the arguments of a hash.
        let mut open = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Open => open.push(at > 0 && &sql[tokens[at - 1].span.clone()] == HASH),
                TokenKind::Close => _ = open.pop(),
                _ => {}
            }
            let between = |kinds: [TokenKind; 2], neighbour: Option<&Token>| {
                neighbour.is_some_and(|neighbour| kinds.contains(&neighbour.kind))
            };
            let is_argument = open.last() == Some(&true)
                && between([TokenKind::Open, TokenKind::Comma], at.checked_sub(1).map(|before| &tokens[before]))
                && between([TokenKind::Comma, TokenKind::Close], tokens.get(at + 1));
            if is_argument && let Some(text) = as_text(&sql[token.span.clone()]) {
                turned.push_str(&sql[copied..token.span.start]);
                turned.push_str(&text);
                copied = token.span.end;
            }
        }
        turned.push_str(&sql[copied..]);
        turned
    }

    fn with_materialized(&self, sql: String) -> String {
        let gained = self.views_leave_materialized == Change::Gained;
        if sql.starts_with("CREATE MATERIALIZED VIEW") && sql.contains(&self.tables.mirror.sql()) {
            let (all, given) = (self.list(true), self.list(false));
            let (from, to) = if gained { (all, given) } else { (given, all) };
            return sql.replacen(&format!(" AS SELECT {from} FROM "), &format!(" AS SELECT {to} FROM "), 1);
        }
        if gained {
            // Servers that leave the columns to the table take rows from a bare staging table as well.
            return sql;
        }
        match read_table(&sql) {
            Ok(table) if table.name.in_database("") == self.tables.staging => {
                definition::staging(&table, &self.columns, true, &self.tables.staging).to_sql()
            }
            _ => ALLOW_MATERIALIZED.iter().fold(sql, |sql, setting| sql.replace(setting, "")),
        }
    }

    /// The stored columns, with the MATERIALIZED ones or without.
    fn list(&self, materialized: bool) -> String {
        let wanted = |column: &&Column| column.is_stored() && (materialized || !column.is_materialized());
        let names: Vec<String> =
            self.columns.iter().filter(wanted).map(|column| quote_identifier(&column.name)).collect();
        names.join(", ")
    }
}

/// A copy without settings: servers that do not know these take none behind an INSERT at all.
fn without_settings(sql: &str) -> String {
    let clause = sql.split_once(") SETTINGS ").and_then(|(before, after)| {
        let (_, select) = after.split_once(" SELECT ")?;
        Some(format!("{before}) SELECT {select}"))
    });
    clause.unwrap_or_else(|| sql.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::Fixture;

    #[test]
    fn servers_that_do_not_know_the_settings_of_a_copy_get_none() {
        for (with, without) in [
            ("INSERT INTO t (a) SETTINGS b = 1, max_insert_threads = 2 SELECT a", "INSERT INTO t (a) SELECT a"),
            ("INSERT INTO t (a) SELECT a FROM t SETTINGS c = 1", "INSERT INTO t (a) SELECT a FROM t SETTINGS c = 1"),
        ] {
            assert_eq!(without_settings(with), without);
        }
    }

    #[test]
    fn bare_columns_in_a_hash_become_text_where_servers_want_it() {
        let fixture = Fixture::new();
        let case = fixture.case();
        let dialect = Dialect {
            source: case.name().clone(),
            tables: RebuildTables::of(case.name()),
            columns: vec![Column::new("a", "UInt8"), Column::new("u), `a", "UUID")],
            exchange: Change::Same,
            partition_column: Change::Same,
            views_leave_materialized: Change::Same,
            hashes: Change::Lost,
            insert_threads: Change::Same,
        };
        let name = quote_identifier("u), `a");
        let sql = format!("(SELECT {name}, f({name}), cityHash64(f({name}), `a`, {name}) FROM {name})");
        let turned = sql.replace(&format!("`a`, {name})"), &format!("`a`, toString({name}))"));
        assert_ne!(sql, turned);
        assert_eq!(dialect.statement(&sql), turned);
    }
}
