//! A cluster whose replicas can be asked by id.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::connection::Endpoint;
use super::error::{QueryError, QueryErrorKind};
use super::session::{Session, Statement};
use crate::names::{ReplicaId, TableName, quote_string};
use crate::topology::{Replica, Shard, Topology};

/// HTTP port of a server whose port is not in [`ObserveSettings::http_ports`].
const HTTP_PORT_DEFAULT: u16 = 8123;
const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);
const KILL_PAUSE: Duration = Duration::from_millis(100);

/// Which cluster to look at, and from where.
#[derive(Debug, Clone)]
pub struct ObserveSettings {
    /// The cluster's name in `system.clusters`.
    pub cluster: String,
    /// Servers to ask for its shape; the first that answers is believed.
    pub endpoints: Vec<Endpoint>,
    /// HTTP ports by `host:native_port`, as `system.clusters` publishes native ports only. 8123 where none is given.
    pub http_ports: BTreeMap<String, u16>,
    /// How long one replica may take to answer everything.
    pub timeout: Duration,
    /// Only these tables; all if `None`.
    pub filter: Option<Vec<TableName>>,
}

impl ObserveSettings {
    /// All tables of `cluster`, at most ten seconds a replica.
    pub fn new(cluster: impl Into<String>, endpoints: Vec<Endpoint>) -> Self {
        Self {
            cluster: cluster.into(),
            endpoints,
            http_ports: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            filter: None,
        }
    }
}

/// Why a cluster's shape is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObserveError {
    /// No endpoint answered.
    #[error("no endpoint answers: {}", listed(.0))]
    NoAnswer(Vec<QueryError>),
    /// The server that answered does not know the cluster.
    #[error("no cluster {cluster:?} in system.clusters of {host}, which has {}", listed(.known))]
    UnknownCluster {
        /// What was asked for.
        cluster: String,
        /// Who was asked.
        host: String,
        /// Which clusters it has.
        known: Vec<String>,
    },
}

fn listed<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}

/// A cluster and how to reach its replicas. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(super) session: Session,
    topology: Topology,
    urls: BTreeMap<ReplicaId, String>,
}

/// A statement that is running, as `system.processes` has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Running {
    /// Its id.
    pub query_id: String,
    /// Seconds since it began.
    pub elapsed: f64,
    /// Rows read so far.
    pub read_rows: u64,
    /// Rows written so far.
    pub written_rows: u64,
    /// Rows that the server expects to read; a lower bound that grows while it opens tables.
    pub total_rows: u64,
    /// Peak memory in bytes.
    pub memory_bytes: i64,
}

impl Cluster {
    /// Learns the cluster's shape from the first endpoint that answers.
    pub async fn connect(session: Session, settings: &ObserveSettings) -> Result<Self, ObserveError> {
        let mut failures = Vec::new();
        for endpoint in &settings.endpoints {
            match read_clusters(&session, endpoint, settings.timeout).await {
                Ok(rows) => {
                    let topology = topology(&settings.cluster, endpoint, rows)?;
                    return Ok(Self::of(session, topology, &settings.http_ports));
                }
                Err(error) => failures.push(error),
            }
        }
        Err(ObserveError::NoAnswer(failures))
    }

    /// A cluster of known shape, such as a plan's.
    pub fn of(session: Session, topology: Topology, http_ports: &BTreeMap<String, u16>) -> Self {
        let urls = topology.replicas().map(|replica| (replica.id, url(replica, http_ports))).collect();
        Self { session, topology, urls }
    }

    /// Its shards and replicas.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The HTTP URL of each replica.
    pub fn urls(&self) -> &BTreeMap<ReplicaId, String> {
        &self.urls
    }

    /// Runs a statement on one replica; see [`Session::run`].
    pub async fn run(&self, on: ReplicaId, statement: &Statement) -> Result<String, QueryError> {
        self.session.run(self.url(on)?, statement).await.map_err(|error| error.on(on))
    }

    /// Runs a statement on one replica and decodes its rows; see [`Session::rows`].
    pub async fn rows<T: DeserializeOwned>(&self, on: ReplicaId, statement: &Statement) -> Result<Vec<T>, QueryError> {
        self.session.rows(self.url(on)?, statement).await.map_err(|error| error.on(on))
    }

    /// Statements on one replica whose query id begins with `prefix`, oldest first.
    pub async fn running(&self, on: ReplicaId, prefix: &str) -> Result<Vec<Running>, QueryError> {
        let sql = format!(
            "SELECT toString(query_id) AS query_id, toFloat64(elapsed) AS elapsed, toUInt64(read_rows) AS read_rows, \
             toUInt64(written_rows) AS written_rows, toUInt64(total_rows_approx) AS total_rows, \
             toInt64(peak_memory_usage) AS memory_bytes \
             FROM (SELECT * FROM system.processes WHERE {}) ORDER BY elapsed DESC",
            begins_with("query_id", prefix)
        );
        self.rows(on, &Statement::read(sql, CONTROL_TIMEOUT).urgent()).await
    }

    /// Kills the statements on one replica whose query id, or that of the statement that they are part of, begins with
    /// `prefix`, and waits at most `patience` until none is left.
    pub async fn kill(&self, on: ReplicaId, prefix: &str, patience: Duration) -> Result<(), QueryError> {
        let url = self.url(on)?;
        if prefix.is_empty() {
            return Err(QueryError::new(QueryErrorKind::Invalid, url, "no query id to kill").on(on));
        }
        let ours = begins_with("initial_query_id", prefix);
        let kill = Statement::change(format!("KILL QUERY WHERE {ours} ASYNC"), CONTROL_TIMEOUT).urgent();
        let count = format!("SELECT count() FROM system.processes WHERE {ours}");
        let count = Statement::read(count, CONTROL_TIMEOUT).urgent();
        let until = Instant::now() + patience;
        loop {
            self.run(on, &kill).await?;
            if self.run(on, &count).await? == "0" {
                return Ok(());
            }
            if Instant::now() >= until {
                let message = format!("statements {prefix}… still run {} s after the kill", patience.as_secs_f64());
                return Err(QueryError::new(QueryErrorKind::TimedOut, url, message).on(on));
            }
            sleep(KILL_PAUSE).await;
        }
    }

    pub(super) fn url(&self, on: ReplicaId) -> Result<&str, QueryError> {
        self.urls.get(&on).map(String::as_str).ok_or_else(|| {
            let message = format!("cluster {} has no such replica", self.topology.cluster);
            QueryError::new(QueryErrorKind::Invalid, "", message).on(on)
        })
    }
}

fn begins_with(column: &str, prefix: &str) -> String {
    format!("startsWith({column}, {})", quote_string(prefix))
}

fn url(replica: &Replica, http_ports: &BTreeMap<String, u16>) -> String {
    let bracketed = format!("[{}]:{}", replica.host, replica.port);
    let port = http_ports.get(&replica.address()).or_else(|| http_ports.get(&bracketed));
    Endpoint::new(&replica.host, port.copied().unwrap_or(HTTP_PORT_DEFAULT)).url().to_owned()
}

#[derive(Debug, Deserialize)]
struct ClusterRow {
    cluster: String,
    shard: u32,
    replica: u32,
    host: String,
    native_port: u16,
}

async fn read_clusters(
    session: &Session,
    endpoint: &Endpoint,
    timeout: Duration,
) -> Result<Vec<ClusterRow>, QueryError> {
    let sql = "SELECT toString(cluster) AS cluster, toUInt32(shard_num) AS shard, toUInt32(replica_num) AS replica, \
               toString(host_name) AS host, toUInt16(port) AS native_port FROM system.clusters";
    session.rows(endpoint.url(), &Statement::read(sql, timeout)).await
}

fn topology(cluster: &str, endpoint: &Endpoint, rows: Vec<ClusterRow>) -> Result<Topology, ObserveError> {
    let mut known: Vec<String> = rows.iter().map(|row| row.cluster.clone()).collect();
    known.sort();
    known.dedup();
    let mut shards: BTreeMap<u32, Vec<Replica>> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.cluster == cluster) {
        let id = ReplicaId::new(row.shard, row.replica);
        shards.entry(row.shard).or_default().push(Replica { id, host: row.host, port: row.native_port });
    }
    if shards.is_empty() {
        return Err(ObserveError::UnknownCluster { cluster: cluster.to_owned(), host: endpoint.to_string(), known });
    }
    let shards = shards.into_iter().map(|(num, mut replicas)| {
        replicas.sort_by_key(|replica| replica.id);
        Shard { num, replicas }
    });
    Ok(Topology { cluster: cluster.to_owned(), shards: shards.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cluster: &str, shard: u32, replica: u32, host: &str, native_port: u16) -> ClusterRow {
        ClusterRow { cluster: cluster.into(), shard, replica, host: host.into(), native_port }
    }

    fn endpoint() -> Endpoint {
        Endpoint::parse("http://ch1:8123").unwrap()
    }

    #[test]
    fn shards_and_replicas_come_in_order_and_other_clusters_are_left_out() {
        let rows = vec![
            row("main", 2, 1, "c", 9000),
            row("main", 1, 2, "b", 9000),
            row("other", 1, 1, "z", 9000),
            row("main", 1, 1, "a", 9000),
        ];
        let topology = topology("main", &endpoint(), rows).unwrap();
        let replicas: Vec<String> = topology.replicas().map(|r| format!("{} {}", r.id, r.address())).collect();
        assert_eq!(replicas, ["s1r1 a:9000", "s1r2 b:9000", "s2r1 c:9000"]);
    }

    #[test]
    fn an_unknown_cluster_is_refused_with_those_that_there_are() {
        let rows = vec![row("main", 1, 1, "a", 9000), row("main", 1, 2, "b", 9000), row("other", 1, 1, "a", 9000)];
        let error = topology("mian", &endpoint(), rows).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"no cluster "mian" in system.clusters of http://ch1:8123, which has main; other"#
        );
    }

    #[test]
    fn replicas_are_mapped_to_http_urls() {
        let ports = BTreeMap::from([("127.0.0.1:9002".to_owned(), 8122), ("[::1]:9003".to_owned(), 8125)]);
        let url_of = |host: &str, port| url(&Replica { id: ReplicaId::new(1, 1), host: host.into(), port }, &ports);
        assert_eq!(url_of("127.0.0.1", 9002), "http://127.0.0.1:8122");
        assert_eq!(url_of("127.0.0.1", 9001), "http://127.0.0.1:8123");
        assert_eq!(url_of("::1", 9003), "http://[::1]:8125");
        assert_eq!(url_of("fe80::2", 9000), "http://[fe80::2]:8123");
    }
}
