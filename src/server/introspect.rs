//! Observing a cluster: every replica is asked for what it knows about itself and its tables.
//!
//! A replica gets one question per system table, however many tables it has.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::capability::Features;
use super::cluster::{Cluster, ObserveError, ObserveSettings};
use super::error::QueryError;
use super::session::{Session, Statement};
use super::tables;
use crate::catalog::Catalog;
use crate::names::{ReplicaId, TableName, quote_string};
use crate::snapshot::{Disk, Observation, ReplicaState, Snapshot};

/// Replicas asked at one time: fewer than requests in flight, so that none waits while its time runs.
const REPLICAS_ASKED_MAX: usize = 16;

/// Looks at a whole cluster. A replica that does not answer in time is a failed observation, not an error.
pub async fn observe(session: &Session, settings: &ObserveSettings) -> Result<Snapshot, ObserveError> {
    let cluster = Cluster::connect(session.clone(), settings).await?;
    Ok(cluster.observe(settings.timeout, settings.filter.as_deref()).await)
}

impl Cluster {
    /// Asks every replica, each at most `timeout` long, for all tables or those of `filter`.
    pub async fn observe(&self, timeout: Duration, filter: Option<&[TableName]>) -> Snapshot {
        let answers = stream::iter(self.topology().replicas().map(|replica| replica.id))
            .map(|id| async move { (id, answer(&Asker::new(self, id, timeout), filter).await) })
            .buffer_unordered(REPLICAS_ASKED_MAX)
            .collect::<Vec<_>>()
            .await;
        Snapshot { topology: self.topology().clone(), replicas: judged(answers) }
    }
}

/// Asks one replica until its time is up.
pub(super) struct Asker<'a> {
    cluster: &'a Cluster,
    on: ReplicaId,
    until: Instant,
}

impl<'a> Asker<'a> {
    pub(super) fn new(cluster: &'a Cluster, on: ReplicaId, timeout: Duration) -> Self {
        Self { cluster, on, until: Instant::now() + timeout }
    }

    pub(super) async fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, QueryError> {
        self.cluster.rows(self.on, &self.statement(sql)).await
    }

    pub(super) async fn text(&self, sql: &str) -> Result<String, QueryError> {
        self.cluster.run(self.on, &self.statement(sql)).await
    }

    /// Some tables, as an observation has them.
    pub(super) async fn tables(&self, names: &[TableName]) -> Result<Catalog, QueryError> {
        let features = Features::probe(self).await?;
        tables::read(self, &features, Some(names)).await
    }

    fn statement(&self, sql: &str) -> Statement {
        Statement::read(sql, self.until.saturating_duration_since(Instant::now()))
    }
}

/// What a replica said, and who it is.
struct Answer {
    server: String,
    state: ReplicaState,
}

/// Why a replica's answers do not count.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("{url} is another server: it takes itself for {is}. Check [http_ports]")]
    Mistaken { url: String, is: String },
}

async fn answer(asker: &Asker<'_>, filter: Option<&[TableName]>) -> Result<Answer, Unusable> {
    let features = Features::probe(asker).await?;
    let who = identity(asker, &features).await?;
    check_place(asker).await?;
    let state = ReplicaState {
        version: who.version,
        macros: macros(asker).await?,
        capabilities: features.capabilities(asker).await?,
        databases: databases(asker).await?,
        tables: tables::read(asker, &features, filter).await?,
        disks: if features.has_disks() { Some(disks(asker, &features).await?) } else { None },
    };
    Ok(Answer { server: who.server, state })
}

#[derive(Deserialize)]
struct Identity {
    version: String,
    /// The same for the same server; nearly always different for two.
    server: String,
}

async fn identity(asker: &Asker<'_>, features: &Features) -> Result<Identity, QueryError> {
    // The more the better: any of them can be the same on two servers.
    let parts = [("serverUUID", "toString(serverUUID())"), ("tcpPort", "toString(tcpPort())")];
    let known = parts.iter().filter(|(function, _)| features.has_function(function)).map(|(_, sql)| *sql);
    let server = std::iter::once("any(metadata_path)").chain(known).collect::<Vec<_>>().join(", ' ', ");
    let sql = format!(
        "SELECT version() AS version, concat(hostName(), ' ', {server}) AS server FROM system.databases \
         WHERE name = 'system'"
    );
    let mut rows: Vec<Identity> = asker.rows(&sql).await?;
    rows.pop().ok_or_else(|| asker.odd("system.databases has no database system"))
}

impl Asker<'_> {
    fn odd(&self, message: &str) -> QueryError {
        let url = self.cluster.urls().get(&self.on).map_or("", String::as_str);
        QueryError::new(super::QueryErrorKind::Protocol, url, message).on(self.on)
    }
}

#[derive(Deserialize)]
struct LocalRow {
    shard: u32,
    replica: u32,
}

/// A server marks its own entries of `system.clusters` as local: old ones all of its shard, new ones the replica. A server
/// that recognises itself only elsewhere is not the one that was meant. One that recognises itself nowhere, as behind
/// a mapped port, proves nothing.
async fn check_place(asker: &Asker<'_>) -> Result<(), Unusable> {
    let cluster = quote_string(&asker.cluster.topology().cluster);
    let sql = format!(
        "SELECT toUInt32(shard_num) AS shard, toUInt32(replica_num) AS replica FROM system.clusters \
         WHERE cluster = {cluster} AND is_local ORDER BY shard, replica"
    );
    let rows: Vec<LocalRow> = asker.rows(&sql).await?;
    let places: Vec<ReplicaId> = rows.iter().map(|row| ReplicaId::new(row.shard, row.replica)).collect();
    if places.is_empty() || places.contains(&asker.on) {
        return Ok(());
    }
    let url = asker.cluster.urls().get(&asker.on).cloned().unwrap_or_default();
    let is = places.iter().map(ReplicaId::to_string).collect::<Vec<_>>().join(" or ");
    Err(Unusable::Mistaken { url, is })
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: String,
}

async fn pairs(asker: &Asker<'_>, sql: &str) -> Result<BTreeMap<String, String>, QueryError> {
    let rows: Vec<Pair> = asker.rows(sql).await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
}

async fn macros(asker: &Asker<'_>) -> Result<BTreeMap<String, String>, QueryError> {
    pairs(asker, "SELECT toString(macro) AS key, toString(substitution) AS value FROM system.macros").await
}

async fn databases(asker: &Asker<'_>) -> Result<BTreeMap<String, String>, QueryError> {
    let sql = format!(
        "SELECT toString(name) AS key, toString(engine) AS value FROM system.databases WHERE name NOT IN ({})",
        tables::SYSTEM_DATABASES
    );
    pairs(asker, &sql).await
}

async fn disks(asker: &Asker<'_>, features: &Features) -> Result<Vec<Disk>, QueryError> {
    // What merges and fetches have reserved is not free for new data.
    let free = if features.has_column("disks", "unreserved_space") { "unreserved_space" } else { "free_space" };
    let sql = format!(
        "SELECT toString(name) AS name, toUInt64({free}) AS free_bytes, toUInt64(total_space) AS total_bytes \
         FROM system.disks ORDER BY name"
    );
    asker.rows(&sql).await
}

/// Observations by replica. Where two replicas turn out to be one server, neither can be trusted.
fn judged(answers: Vec<(ReplicaId, Result<Answer, Unusable>)>) -> BTreeMap<ReplicaId, Observation> {
    let mut by_server: BTreeMap<String, Vec<ReplicaId>> = BTreeMap::new();
    for (id, answer) in &answers {
        if let Ok(answer) = answer {
            by_server.entry(answer.server.clone()).or_default().push(*id);
        }
    }
    let judge = |id: ReplicaId, answer: Result<Answer, Unusable>| match answer {
        Ok(answer) => match by_server[&answer.server].iter().find(|other| **other != id) {
            Some(other) => Observation::Failed(format!("{id} and {other} are one server. Check [http_ports]")),
            None => Observation::Answered(Box::new(answer.state)),
        },
        Err(reason) => Observation::Failed(reason.to_string()),
    };
    answers.into_iter().map(|(id, answer)| (id, judge(id, answer))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn answer(server: &str) -> Answer {
        let state = ReplicaState {
            version: "26.9.2".into(),
            macros: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            databases: BTreeMap::new(),
            tables: Catalog::new(),
            disks: None,
        };
        Answer { server: server.into(), state }
    }

    #[test]
    fn replicas_that_are_one_server_are_both_refused() {
        let ids = [ReplicaId::new(1, 1), ReplicaId::new(1, 2), ReplicaId::new(2, 1)];
        let judged = judged(vec![(ids[1], Ok(answer("a"))), (ids[0], Ok(answer("a"))), (ids[2], Ok(answer("b")))]);
        assert_eq!(judged[&ids[0]], Observation::Failed("s1r1 and s1r2 are one server. Check [http_ports]".into()));
        assert_eq!(judged[&ids[1]], Observation::Failed("s1r2 and s1r1 are one server. Check [http_ports]".into()));
        assert!(matches!(judged[&ids[2]], Observation::Answered(_)));
    }
}
