//! The scratch database in which twins live: whose it is, what may be done there, and how it goes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::super::super::executor::claim;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use crate::evaluate::{Dialect, OWNER_TABLE, SCRATCH_PREFIX};
use crate::lock::Executor;
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::server::{Cluster, QueryError, Statement};

/// No statement of an evaluation takes longer.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);
/// How long to wait until statements that were told to end have ended.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// What tells one scratch database from another.
const TAG_BYTES: usize = 4;

/// What every statement of an evaluation may take of a server, where the server knows the setting.
const BOUNDS: [(&str, &str); 9] = [
    ("max_threads", "2"),
    ("max_memory_usage", "4000000000"),
    ("max_bytes_before_external_sort", "1000000000"),
    ("max_bytes_before_external_group_by", "1000000000"),
    // The higher the number, the longer it lets others go first.
    ("priority", "10"),
    ("max_execution_time", "600"),
    ("max_insert_threads", "1"),
    ("max_partitions_per_insert_block", "0"),
    ("log_comment", "shardwright evaluate"),
];

/// What a server knows of settings that matter here.
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) async fn probe(cluster: &Cluster, on: ReplicaId) -> Result<Self, QueryError> {
        let sql = "SELECT name FROM system.settings UNION ALL SELECT concat('table ', name) AS name \
                   FROM system.merge_tree_settings";
        let statement = Statement::read(sql, Duration::from_secs(20));
        let names = cluster.run(on, &statement).await?;
        Ok(Self(names.lines().map(ToOwned::to_owned).collect()))
    }

    pub(super) fn has(&self, setting: &str) -> bool {
        self.0.contains(setting)
    }

    /// Those that the server knows.
    pub(super) fn of<'s>(&self, settings: impl IntoIterator<Item = (&'s str, &'s str)>) -> Vec<(String, String)> {
        let known = settings.into_iter().filter(|(name, _)| self.has(name));
        known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// What bounds every statement.
    pub(super) fn bounds(&self) -> Vec<(String, String)> {
        self.of(BOUNDS)
    }

    fn dialect(&self) -> Dialect {
        Dialect {
            adaptive_granules: self.has("table index_granularity_bytes"),
            compact_parts: self.has("table min_bytes_for_wide_part"),
        }
    }
}

/// A scratch database on one replica.
pub(super) struct Ground<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) on: ReplicaId,
    pub(super) known: Known,
    pub(super) dialect: Dialect,
    database: String,
    /// This process, as the scratch database says whose it is.
    owner: String,
    queries: AtomicU64,
}

impl<'a> Ground<'a> {
    /// Knows the place, and makes nothing there yet.
    pub(super) async fn find(cluster: &'a Cluster, on: ReplicaId) -> Result<Self, Failure> {
        let known = Known::probe(cluster, on).await.map_err(|error| Failure::of(&error))?;
        let owner = serde_json::to_string(&claim(false).executor).map_err(|error| Failure::of(&error))?;
        // Process ids are the same on many machines; who runs there, and since when, is not.
        let tag = hex::encode(&Sha256::digest(&owner)[..TAG_BYTES]);
        let database = format!("{SCRATCH_PREFIX}{tag}");
        Ok(Self { owner, cluster, on, dialect: known.dialect(), known, database, queries: AtomicU64::new(0) })
    }

    /// A table there.
    pub(super) fn table(&self, name: &str) -> TableName {
        TableName::new(&self.database, name)
    }

    /// Removes what killed runs have left, and makes the database with the table that says whose it is.
    pub(super) async fn claim(&self) -> Result<(), Failure> {
        self.remove_leftovers().await?;
        self.change(&format!("CREATE DATABASE {}", quote_identifier(&self.database))).await?;
        self.change(&format!(
            "CREATE TABLE {} (owner String DEFAULT {}) ENGINE = Memory",
            self.table(OWNER_TABLE).sql(),
            quote_string(&self.owner)
        ))
        .await
    }

    /// A database whose owner has provably ended is dropped; of others it is said how.
    async fn remove_leftovers(&self) -> Result<(), Failure> {
        let like = quote_string(SCRATCH_PREFIX);
        let databases = format!("SELECT name FROM system.databases WHERE startsWith(name, {like}) ORDER BY name");
        let databases = self.text(&databases).await.map_err(|error| Failure::of(&error))?;
        for database in databases.lines() {
            let owner = self.owner(database).await.map_err(|error| Failure::of(&error))?;
            let is_gone = owner.as_ref().is_some_and(|owner| (claim(false).is_gone)(owner));
            if is_gone {
                say(&format!("removing {database} on {}, which a killed evaluation has left", self.on));
                self.cluster.drop_database(self.on, database).await.map_err(|error| Failure::of(&error))?;
            } else {
                let whose = owner.map_or_else(|| "nobody knows whose".to_owned(), |owner| format!("of {owner}"));
                say(&format!(
                    "{} has a database {database} ({whose}); if no evaluation runs there: DROP DATABASE {}",
                    self.on,
                    quote_identifier(database)
                ));
            }
        }
        Ok(())
    }

    async fn owner(&self, database: &str) -> Result<Option<Executor>, QueryError> {
        let sql = format!(
            "SELECT default_expression FROM system.columns WHERE database = {} AND table = {}",
            quote_string(database),
            quote_string(OWNER_TABLE)
        );
        // The server writes the literal, and the format escapes it again.
        let statement = Statement { format: "TabSeparatedRaw".to_owned(), ..self.statement(&sql) };
        let answer = self.cluster.run(self.on, &statement).await?;
        Ok(crate::ddl::quoting::unquote(answer.trim()).and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Ends what still runs, and drops the database with all that is in it.
    pub(super) async fn leave(&self) -> Result<(), Failure> {
        // What was dropped on the way may run on; a database into which it writes cannot go.
        _ = self.cluster.kill(self.on, &self.query_prefix(), KILL_PATIENCE).await;
        self.cluster.drop_database(self.on, &self.database).await.map_err(|error| {
            let hint = format!("on {}: DROP DATABASE {}", self.on, quote_identifier(&self.database));
            Failure::new(format!("the scratch database is left over: {error}")).hint(hint)
        })
    }

    fn query_prefix(&self) -> String {
        format!("shardwright-evaluate-{}-", &self.database[SCRATCH_PREFIX.len()..])
    }

    /// A statement within the bounds.
    pub(super) fn statement(&self, sql: &str) -> Statement {
        let number = self.queries.fetch_add(1, Ordering::Relaxed);
        Statement::read(sql, STATEMENT_TIMEOUT)
            .with_query_id(format!("{}{number}", self.query_prefix()))
            .with_settings(self.known.bounds())
    }

    pub(super) async fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, QueryError> {
        self.cluster.rows(self.on, &self.statement(sql)).await
    }

    pub(super) async fn text(&self, sql: &str) -> Result<String, QueryError> {
        self.cluster.run(self.on, &self.statement(sql)).await
    }

    /// Changes something in the scratch database.
    pub(super) async fn change(&self, sql: &str) -> Result<(), Failure> {
        self.attempt(sql, &[]).await.map_err(|error| Failure::of(&error))
    }

    /// The same, with more settings where the server knows them.
    pub(super) async fn attempt(&self, sql: &str, settings: &[(&str, &str)]) -> Result<(), QueryError> {
        let statement = Statement { reads_only: false, ..self.statement(sql) };
        let statement = statement.with_settings(self.known.of(settings.iter().copied()));
        self.cluster.run(self.on, &statement).await.map(|_| ())
    }
}
