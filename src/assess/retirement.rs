//! Columns that are to be dropped once nobody reads them: who does, as the logs of all replicas tell it.

use serde::{Deserialize, Serialize};

use crate::names::{ReplicaId, TableName};

/// Columns that are to be dropped once nobody has read them for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// The columns.
    pub columns: Vec<String>,
    /// For how many seconds nobody must have read them.
    pub seconds: u64,
    /// Whether reads by `*` alone count.
    pub by_star: bool,
    /// Who used them when the plan was made.
    pub usage: Usage,
}

/// Who used columns within a time, and how far that can be known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Who, the last one first.
    pub uses: Vec<ColumnUse>,
    /// Views, dictionaries and the like that name the columns in their definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Standing>,
    /// What the log of each replica is worth.
    pub logs: Vec<LogOf>,
}

/// Queries of one client that used a column in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ColumnUse {
    /// The column.
    pub column: String,
    /// How.
    pub how: How,
    /// The user.
    pub user: String,
    /// What the client calls itself.
    pub client: String,
    /// The client's address.
    pub host: String,
    /// How often.
    pub queries: u64,
    /// When last, in seconds of Unix time.
    pub last: u64,
    /// One of the queries without its literals.
    pub query: String,
}

/// How a query uses a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It names the column, or goes through a view that does.
    Named,
    /// It fails where the table has one column less: an insert without a list of columns, or of all that the table has; a table behind IN.
    Counted,
    /// It asks for all columns, whatever they are.
    Star,
    /// It cannot be read, and may use the column.
    Perhaps,
}

/// Something whose definition names a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub table: TableName,
    /// The column.
    pub column: String,
}

/// What the log of one replica is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogOf {
    /// The replica.
    pub on: ReplicaId,
    /// How many seconds it reaches back; none where it is no proof, however old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<u64>,
    /// When it was asked, in seconds of Unix time.
    pub at: u64,
    /// Why it is no proof, if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<String>,
}

impl How {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Named => "by name",
            Self::Counted => "by the number of columns",
            Self::Star => "by * alone",
            Self::Perhaps => "perhaps",
        }
    }
}

impl LogOf {
    /// Why it does not prove that nothing was read within a time; none if it does.
    pub fn lacks(&self, seconds: u64) -> Option<String> {
        match (&self.flaw, self.reaches) {
            (Some(flaw), _) => Some(flaw.clone()),
            (None, Some(reaches)) if reaches >= seconds => None,
            (None, reaches) => {
                Some(format!("it reaches back {} only", crate::words::span(reaches.unwrap_or_default())))
            }
        }
    }
}
