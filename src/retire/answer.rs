//! What a replica answers, read.

use std::collections::{BTreeMap, BTreeSet};

use super::how::how;
use super::paths::Paths;
use crate::assess::{ColumnUse, How};
use crate::ddl::lexer::significant_tokens;
use crate::evaluate::{Defined, normal_form};
use crate::names::TableName;
use crate::plan::{LOG_SHAPES_MAX, Unread};

/// More of a query is not kept.
const QUERY_CHARS_MAX: usize = 200;
/// How Distributed tables of old servers call themselves when they send rows on: a client's insert is in the log beside theirs.
const SENDERS: [&str; 2] = ["ClickHouse Distributed", "ClickHouse server"];

/// An answer in a form that no question of a plan has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer {0:?} cannot be read")]
pub struct Unreadable(pub String);

/// Queries of one kind as a replica's log has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    text: String,
    database: Option<String>,
    user: String,
    client: String,
    host: String,
    queries: u64,
    last: u64,
    /// 2 if the server says that one of the columns was read, 1 if it says what was read, 0 if it does not.
    listed: u8,
    is_cut: bool,
    /// Ids of the queries, as the servers that sent them call them, in hex; empty for queries of clients.
    pub sent_as: Vec<String>,
}

/// The definitions that a replica lists.
pub fn definitions(answer: &str) -> Result<Vec<Defined>, Unreadable> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [database, name, engine, engine_full, create_query] = fields[..] else { return None };
        Some(Defined {
            name: TableName::new(text(database)?, text(name)?),
            engine: engine.to_owned(),
            engine_full: text(engine_full)?,
            create_query: text(create_query)?,
        })
    };
    answer.lines().map(|line| read(line).ok_or_else(|| Unreadable(line.to_owned()))).collect()
}

fn text(hex: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&hex::decode(hex).ok()?).into_owned())
}

impl Answer {
    /// The queries that a replica lists; none where it lists more than can be looked at.
    pub fn all(answer: &str) -> Result<Option<Vec<Self>>, Unreadable> {
        let all: Result<Vec<Self>, Unreadable> =
            answer.lines().map(|line| Self::read(line).ok_or_else(|| Unreadable(line.to_owned()))).collect();
        Ok(Some(all?).filter(|all| all.len() <= LOG_SHAPES_MAX))
    }

    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [query, database, user, client, host, is_first, queries, last, listed, is_cut, ids] = fields[..] else {
            return None;
        };
        let host = text(host)?;
        Some(Self {
            text: text(query)?,
            database: text(database).filter(|database| !database.is_empty()),
            user: text(user)?,
            client: text(client)?,
            host: host.strip_prefix("::ffff:").unwrap_or(&host).to_owned(),
            queries: queries.parse().ok()?,
            last: last.parse().ok()?,
            listed: listed.parse().ok()?,
            is_cut: is_cut == "1",
            sent_as: if is_first == "1" { Vec::new() } else { ids.split(',').map(str::to_owned).collect() },
        })
    }

    /// Whether a `Distributed` table sends on what a client has inserted into it.
    fn is_sent_on(&self) -> bool {
        let is_insert = self.text.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("INSERT"));
        is_insert && SENDERS.iter().any(|sender| self.client.starts_with(sender))
    }

    /// Whether it is a query: servers list columns of definitions that change, too.
    fn reads_rows(&self) -> bool {
        let begin = self.text.trim_start_matches(|c: char| c.is_whitespace() || c == '(').to_ascii_uppercase();
        ["SELECT", "WITH", "FROM", "INSERT"].iter().any(|word| begin.starts_with(word))
    }

    /// How it uses a column. `alone` if it is the only one that was asked for, so that what the server says is about it.
    pub fn how(&self, paths: &Paths, column: &str, alone: bool) -> Option<How> {
        if self.is_sent_on() {
            return None;
        }
        let by_text = how(&self.text, self.database.as_deref(), paths, column);
        let by_text = if self.is_cut { by_text.map(|_| How::Perhaps).or(Some(How::Perhaps)) } else { by_text };
        match (by_text, self.listed) {
            // It asks for all of something that has no such column: a subquery, another table.
            (Some(How::Star), 1) => None,
            (Some(how), _) => Some(how),
            (None, 2) if self.reads_rows() && (alone || self.text.contains(column)) => {
                let all = significant_tokens(&self.text)
                    .is_ok_and(|tokens| tokens.iter().any(|token| &self.text[token.span.clone()] == "*"));
                Some(if all && !self.text.contains(column) { How::Star } else { How::Named })
            }
            (None, _) => None,
        }
    }

    /// The same as a use; of queries that other servers sent, so many.
    fn as_use(&self, column: &str, how: How, queries: u64) -> ColumnUse {
        let query = normal_form(&self.text)
            .unwrap_or_else(|_| format!("({} characters that cannot be read)", self.text.chars().count()));
        ColumnUse {
            column: column.to_owned(),
            how,
            user: self.user.clone(),
            client: self.client.clone(),
            host: self.host.clone(),
            queries,
            last: self.last,
            query: query.chars().take(QUERY_CHARS_MAX).collect(),
        }
    }
}

/// Who used the columns, from the answers of all replicas with their names; `ours` are ids of queries that clients sent to one of them.
///
/// A query that a replica was sent by another server counts where the client asked that one, unless that is none of the cluster.
pub fn found(unread: &Unread, answers: &[(Paths, Vec<Answer>)], ours: &BTreeSet<String>) -> Vec<ColumnUse> {
    let mut uses: BTreeMap<(String, How, String, String, String), ColumnUse> = BTreeMap::new();
    let alone = unread.columns.len() == 1;
    for (paths, answers) in answers {
        for answer in answers {
            let queries = if answer.sent_as.is_empty() {
                answer.queries
            } else {
                answer.sent_as.iter().filter(|id| !ours.contains(*id)).count() as u64
            };
            for column in unread.columns.iter().filter(|_| queries > 0) {
                let Some(how) = answer.how(paths, column, alone) else { continue };
                let new = answer.as_use(column, how, queries);
                let key = (column.clone(), how, new.user.clone(), new.client.clone(), new.host.clone());
                match uses.get_mut(&key) {
                    None => _ = uses.insert(key, new),
                    Some(known) => {
                        known.queries += new.queries;
                        if new.last > known.last {
                            (known.last, known.query) = (new.last, new.query);
                        }
                    }
                }
            }
        }
    }
    let mut uses: Vec<ColumnUse> = uses.into_values().collect();
    uses.sort_by(|a, b| (b.last, a).cmp(&(a.last, b)));
    uses
}
