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

/// What a server says of a column in the list of those that a query read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// There is no such list, or it cannot tell.
    Unknown,
    /// Others were read.
    Unread,
    Read,
}

impl Listed {
    fn all(digits: &str) -> Option<Vec<Self>> {
        let one = |digit| match digit {
            '0' => Some(Self::Unknown),
            '1' => Some(Self::Unread),
            '2' => Some(Self::Read),
            _ => None,
        };
        digits.chars().map(one).collect()
    }
}

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
    /// What the server says of each column.
    listed: Vec<Listed>,
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
            listed: Listed::all(listed)?,
            is_cut: is_cut == "1",
            sent_as: if is_first == "1" { Vec::new() } else { ids.split(',').map(str::to_owned).collect() },
        })
    }

    fn is_insert(&self) -> bool {
        self.begins_with(&["INSERT"])
    }

    /// Whether a `Distributed` table sends on what a client has inserted into it.
    fn is_sent_on(&self) -> bool {
        self.is_insert() && SENDERS.iter().any(|sender| self.client.starts_with(sender))
    }

    /// Whether one of the words stands first, behind comments and brackets.
    fn begins_with(&self, words: &[&str]) -> bool {
        let Ok(tokens) = significant_tokens(&self.text) else { return false };
        let first = tokens.iter().map(|token| &self.text[token.span.clone()]).find(|text| *text != "(");
        first.is_some_and(|first| words.iter().any(|word| first.eq_ignore_ascii_case(word)))
    }

    /// Whether it is a query: servers list columns of definitions that change, too.
    fn reads_rows(&self) -> bool {
        self.begins_with(&["SELECT", "WITH", "FROM", "INSERT"])
    }

    /// How it uses the column at this place of the question's.
    pub fn how(&self, paths: &Paths, unread: &Unread, at: usize) -> Option<How> {
        if self.is_sent_on() {
            return None;
        }
        let column = &unread.columns[at];
        let listed = self.listed.get(at).copied().unwrap_or(Listed::Unknown);
        let by_text = how(&self.text, self.database.as_deref(), paths, column, listed == Listed::Unread);
        if self.is_cut && (by_text.is_some() || listed != Listed::Unread || self.is_insert()) {
            return Some(How::Perhaps);
        }
        by_text.or_else(|| (listed == Listed::Read && self.reads_rows()).then(|| self.beside_its_text(column)))
    }

    /// How it uses a column that it reads by ways which its text does not tell.
    fn beside_its_text(&self, column: &str) -> How {
        let all = significant_tokens(&self.text)
            .is_ok_and(|tokens| tokens.iter().any(|token| &self.text[token.span.clone()] == "*"));
        match all && !self.text.contains(column) {
            false => How::Named,
            true if self.is_insert() => How::Counted,
            true => How::Star,
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
    for (paths, answers) in answers {
        for answer in answers {
            let queries = if answer.sent_as.is_empty() {
                answer.queries
            } else {
                answer.sent_as.iter().filter(|id| !ours.contains(*id)).count() as u64
            };
            for (at, column) in unread.columns.iter().enumerate().filter(|_| queries > 0) {
                let Some(how) = answer.how(paths, unread, at) else { continue };
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
