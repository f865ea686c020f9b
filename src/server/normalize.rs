//! Having a server write a definition in its own words: it is created in a scratch database, read back and dropped.

use std::time::Duration;

use thiserror::Error;

use super::cluster::Cluster;
use super::error::{QueryError, QueryErrorKind};
use super::introspect::Asker;
use super::session::Statement;
use crate::catalog::Table;
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};

/// All scratch databases are called this and a tag.
const SCRATCH_PREFIX: &str = "_shardwright_scratch_";
/// Name of the table in the scratch database.
const SCRATCH_TABLE: &str = "t";
const TAG_CHARS: usize = 8;
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);

/// A definition that was not normalised, and what is left of the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizeError {
    /// Why not.
    pub cause: NormalizeCause,
    /// The scratch database, if it could not be dropped, and why.
    pub leftover: Option<(String, QueryError)>,
}

/// Why a definition was not normalised.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NormalizeCause {
    /// The tag is not eight hexadecimal digits.
    #[error("{0:?} is not a tag of {TAG_CHARS} hexadecimal digits")]
    Tag(String),
    /// The server does not accept the definition.
    #[error("refused by {0}")]
    Refused(QueryError),
    /// Something else failed.
    #[error("{0}")]
    Failed(QueryError),
    /// The table was created but is not there.
    #[error("the table created in {0} cannot be found there")]
    Missing(String),
    /// The definition was read, but its table is still there.
    #[error("the scratch database cannot be dropped")]
    NotDropped,
}

impl std::fmt::Display for NormalizeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.cause)?;
        match &self.leftover {
            Some((database, error)) => write!(f, "; database {database} is left over: {error}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NormalizeError {}

impl From<NormalizeCause> for NormalizeError {
    fn from(cause: NormalizeCause) -> Self {
        Self { cause, leftover: None }
    }
}

/// Runs the statement that `create` gives for a scratch table on one replica, and reads the table back as
/// [`observe`](super::observe) does. `tag` is eight hexadecimal digits, a hash of what is normalised.
///
/// The scratch database is dropped in every case but one: if the caller drops the future. What a killed run with the
/// same tag left over is dropped first. A Replicated engine needs a Keeper path of its own.
pub async fn normal_form(
    cluster: &Cluster,
    on: ReplicaId,
    tag: &str,
    create: impl Fn(&TableName) -> String,
) -> Result<Table, NormalizeError> {
    let scratch = Scratch { cluster, on, table: scratch_table(tag)? };
    let result = scratch.create_and_read(&create(&scratch.table)).await;
    scratch.left(result).await
}

/// What alterations of a scratch table came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alterations {
    /// The table's definition as it was created, then after each alteration that the server took.
    pub definitions: Vec<String>,
    /// The first alteration that it refused, if it refused any: none after that was tried.
    pub refused: Option<QueryError>,
}

/// Creates a scratch table as [`normal_form`] does, alters it by each of `commands` in turn, and reads it back each time. A
/// command is what follows `ALTER TABLE t`.
pub async fn alterations(
    cluster: &Cluster,
    on: ReplicaId,
    tag: &str,
    create: impl Fn(&TableName) -> String,
    commands: &[String],
) -> Result<Alterations, NormalizeError> {
    let scratch = Scratch { cluster, on, table: scratch_table(tag)? };
    let result = scratch.create_and_alter(&create(&scratch.table), commands).await;
    scratch.left(result).await
}

/// The scratch database with this tag.
pub fn scratch_database(tag: &str) -> String {
    format!("{SCRATCH_PREFIX}{tag}")
}

/// The name of the table in the scratch database with this tag.
pub(super) fn scratch_table(tag: &str) -> Result<TableName, NormalizeCause> {
    if tag.len() != TAG_CHARS || !tag.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(NormalizeCause::Tag(tag.to_owned()));
    }
    Ok(TableName::new(scratch_database(tag), SCRATCH_TABLE))
}

#[derive(serde::Deserialize)]
struct DefinitionRow {
    create_table_query: String,
}

pub(super) struct Scratch<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) on: ReplicaId,
    pub(super) table: TableName,
}

impl Scratch<'_> {
    async fn create_and_read(&self, create: &str) -> Result<Table, NormalizeCause> {
        self.create(create).await?;
        self.read().await
    }

    pub(super) async fn create_database(&self) -> Result<(), NormalizeCause> {
        self.drop_database().await.map_err(NormalizeCause::Failed)?;
        let create_database = format!("CREATE DATABASE {}", quote_identifier(&self.table.database));
        self.run(&create_database).await.map_err(NormalizeCause::Failed)
    }

    async fn create(&self, create: &str) -> Result<(), NormalizeCause> {
        self.create_database().await?;
        self.run(create).await.map_err(|error| match error.kind {
            QueryErrorKind::Server { .. } => NormalizeCause::Refused(error),
            _ => NormalizeCause::Failed(error),
        })
    }

    /// The definition alone: one question, where reading the whole table takes many.
    async fn definition(&self) -> Result<String, NormalizeCause> {
        let TableName { database, table } = &self.table;
        let sql = format!(
            "SELECT create_table_query FROM system.tables WHERE database = {} AND name = {}",
            quote_string(database),
            quote_string(table)
        );
        let asker = Asker::new(self.cluster, self.on, STATEMENT_TIMEOUT);
        let mut rows: Vec<DefinitionRow> = asker.rows(&sql).await.map_err(NormalizeCause::Failed)?;
        rows.pop().map(|row| row.create_table_query).ok_or_else(|| NormalizeCause::Missing(database.clone()))
    }

    async fn create_and_alter(&self, create: &str, commands: &[String]) -> Result<Alterations, NormalizeCause> {
        self.create(create).await?;
        let mut definitions = vec![self.definition().await?];
        for command in commands {
            match self.run(&format!("ALTER TABLE {} {command}", self.table.sql())).await {
                Ok(()) => definitions.push(self.definition().await?),
                Err(error) if matches!(error.kind, QueryErrorKind::Server { .. }) => {
                    return Ok(Alterations { definitions, refused: Some(error) });
                }
                Err(error) => return Err(NormalizeCause::Failed(error)),
            }
        }
        Ok(Alterations { definitions, refused: None })
    }

    async fn read(&self) -> Result<Table, NormalizeCause> {
        let asker = Asker::new(self.cluster, self.on, STATEMENT_TIMEOUT);
        let mut tables = asker.tables(std::slice::from_ref(&self.table)).await.map_err(NormalizeCause::Failed)?;
        tables.remove(&self.table).ok_or_else(|| NormalizeCause::Missing(self.table.database.clone()))
    }

    /// Drops the database, whatever came of its use.
    pub(super) async fn left<T>(self, result: Result<T, NormalizeCause>) -> Result<T, NormalizeError> {
        let dropped = self.drop_database().await;
        let cause = match (result, &dropped) {
            (Ok(found), Ok(())) => return Ok(found),
            (Ok(_), Err(_)) => NormalizeCause::NotDropped,
            (Err(cause), _) => cause,
        };
        let leftover = dropped.err().map(|error| (self.table.database, error));
        Err(NormalizeError { cause, leftover })
    }

    async fn drop_database(&self) -> Result<(), QueryError> {
        self.cluster.drop_database(self.on, &self.table.database).await
    }

    async fn run(&self, sql: &str) -> Result<(), QueryError> {
        self.cluster.run(self.on, &Statement::change(sql, STATEMENT_TIMEOUT)).await.map(|_| ())
    }
}

impl Cluster {
    /// Drops a scratch database on one replica, if it is there. With SYNC where the server knows it: without, an Atomic database
    /// keeps Keeper paths taken for minutes.
    pub async fn drop_database(&self, on: ReplicaId, database: &str) -> Result<(), QueryError> {
        let drop = format!("DROP DATABASE IF EXISTS {}", quote_identifier(database));
        for _ in 1..DROPS_MAX {
            match self.drop_with(on, &drop).await {
                // A table that is being created appeared in it.
                Err(error) if error.code() == Some(DATABASE_NOT_EMPTY) => tokio::time::sleep(DROP_PAUSE).await,
                answer => return answer,
            }
        }
        self.drop_with(on, &drop).await
    }

    async fn drop_with(&self, on: ReplicaId, drop: &str) -> Result<(), QueryError> {
        let run = async |sql: String| self.run(on, &Statement::change(sql, STATEMENT_TIMEOUT)).await.map(|_| ());
        match run(format!("{drop} SYNC")).await {
            Err(error) if error.code() == Some(SYNTAX_ERROR) => run(drop.to_owned()).await,
            answer => answer,
        }
    }
}

/// What servers without `SYNC` answer.
const SYNTAX_ERROR: u32 = 62;
/// What they answer while something is still being created in the database.
const DATABASE_NOT_EMPTY: u32 = 219;
const DROPS_MAX: u32 = 10;
const DROP_PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tag_of_eight_digits_names_a_scratch_database() {
        assert_eq!(scratch_table("00ff12ab").unwrap().to_string(), "_shardwright_scratch_00ff12ab.t");
        for tag in ["", "00ff12a", "00ff12abc", "production", "` ; DROP"] {
            assert_eq!(scratch_table(tag), Err(NormalizeCause::Tag(tag.to_owned())));
        }
    }
}
