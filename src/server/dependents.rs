//! Trying what leans on a table: views over empty tables in a scratch database, used before and after an ALTER.

use std::time::Duration;

use super::cluster::Cluster;
use super::error::{QueryError, QueryErrorKind};
use super::introspect::Asker;
use super::normalize::{NormalizeCause, NormalizeError, Scratch, scratch_table};
use super::session::Statement;
use crate::alter::{Answer, Answers, Outcome, Refusal, Script};
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Tables that a view reads beside the altered ones are those that are there, with all their rows: no more than a block of them is read.
const BOUNDS: [(&str, &str); 4] = [
    ("max_execution_time", "10"),
    ("max_rows_to_read", "1"),
    ("read_overflow_mode", "break"),
    ("max_memory_usage", "1000000000"),
];

/// Carries a script out in the scratch database with this tag, which is there before and after as little as that of
/// [`alterations`](super::alterations).
pub async fn try_dependent(
    cluster: &Cluster,
    on: ReplicaId,
    tag: &str,
    script: &Script,
) -> Result<Outcome, NormalizeError> {
    let scratch = Scratch { cluster, on, table: scratch_table(tag)? };
    let result = Trial { cluster, on, script }.run(&scratch).await;
    scratch.left(result).await
}

struct Trial<'a> {
    cluster: &'a Cluster,
    on: ReplicaId,
    script: &'a Script,
}

#[derive(serde::Deserialize)]
struct NullableRow {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Trial<'_> {
    async fn run(&self, scratch: &Scratch<'_>) -> Result<Outcome, NormalizeCause> {
        scratch.create_database().await?;
        for sql in &self.script.create {
            if let Err(refusal) = self.change(sql).await? {
                return Ok(Outcome::NotTried(refusal.words));
            }
        }
        let before = self.ask().await?;
        let cleared = self.script.rows.iter().map(|table| format!("TRUNCATE TABLE {}", table.sql()));
        for sql in cleared.chain(self.script.alter.iter().cloned()) {
            if let Err(refusal) = self.change(&sql).await? {
                return Ok(Outcome::NotTried(refusal.words));
            }
        }
        Ok(Outcome::Asked { before, after: self.ask().await? })
    }

    async fn ask(&self) -> Result<Answers, NormalizeCause> {
        let mut runs = Vec::new();
        for table in &self.script.rows {
            let insert = self.row_of(table).await?;
            runs.push(self.answer(Statement::change(insert, TIMEOUT)).await?);
        }
        for read in &self.script.reads {
            runs.push(self.answer(Statement::read(read, TIMEOUT)).await?);
        }
        Ok(Answers {
            runs,
            columns: self.read(self.script.columns.as_deref()).await?,
            origins: self.read(self.script.origins.as_deref()).await?,
        })
    }

    /// Inserts one row. Columns that may be NULL are not: servers compute nothing from NULL, and so see nothing amiss.
    async fn row_of(&self, table: &TableName) -> Result<String, NormalizeCause> {
        let sql = format!(
            "SELECT name, type FROM system.columns WHERE database = {} AND table = {} AND default_kind = '' AND (type LIKE \
             'Nullable(%' OR type LIKE 'LowCardinality(Nullable(%')",
            quote_string(&table.database),
            quote_string(&table.table)
        );
        let rows: Vec<NullableRow> =
            Asker::new(self.cluster, self.on, TIMEOUT).rows(&sql).await.map_err(NormalizeCause::Failed)?;
        if rows.is_empty() {
            return Ok(format!("INSERT INTO {} FORMAT JSONEachRow {{}}", table.sql()));
        }
        let names: Vec<String> = rows.iter().map(|row| quote_identifier(&row.name)).collect();
        let value = |row: &NullableRow| format!("assumeNotNull(CAST(NULL AS {}))", row.kind);
        let values: Vec<String> = rows.iter().map(value).collect();
        Ok(format!("INSERT INTO {} ({}) SELECT {}", table.sql(), names.join(", "), values.join(", ")))
    }

    async fn read(&self, sql: Option<&str>) -> Result<Option<Answer>, NormalizeCause> {
        match sql {
            Some(sql) => self.answer(Statement::read(sql, TIMEOUT)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn change(&self, sql: &str) -> Result<Answer, NormalizeCause> {
        self.said(self.cluster.run(self.on, &Statement::change(sql, TIMEOUT)).await)
    }

    async fn answer(&self, statement: Statement) -> Result<Answer, NormalizeCause> {
        let bounds = BOUNDS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.said(self.cluster.run(self.on, &statement.with_settings(bounds)).await)
    }

    /// What a server refuses is an answer too.
    fn said(&self, answer: Result<String, QueryError>) -> Result<Answer, NormalizeCause> {
        match answer {
            Ok(text) => Ok(Ok(self.script.in_own_names(&text))),
            Err(error) => match (error.kind, error.code()) {
                (QueryErrorKind::Server { .. }, Some(code)) => {
                    let words = format!("{} (code {code})", self.script.in_own_names(&error.message));
                    Ok(Err(Refusal { code, words }))
                }
                _ => Err(NormalizeCause::Failed(error)),
            },
        }
    }
}
