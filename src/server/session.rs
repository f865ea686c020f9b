//! One shared transport for all servers of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clickhouse::{Client, Compression};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::connection::Connection;
use super::error::{QueryError, QueryErrorKind};
use super::lane::Lane;
use crate::names::quote_string;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KILL_TIMEOUT: Duration = Duration::from_secs(3);
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);
/// Below the 3 s after which an old server closes an idle connection.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(2);
const REQUESTS_MAX: usize = 24;
const HOST_REQUESTS_MAX: usize = 8;
/// Old servers refuse URLs longer than 16 KiB.
const URL_BYTES_MAX: usize = 12 * 1024;

/// Sends statements to servers by HTTP. Cheap to clone; clones share connections and bounds.
#[derive(Clone)]
pub struct Session {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// For statements that change nothing: connections are kept and used again.
    pub(super) reading: Client,
    /// For all others: a new connection each, so that a request which met a closing connection is never in doubt.
    pub(super) changing: Client,
    pub(super) work: Lane,
    /// Kept free of work, so that a server busy with long statements can still be asked how they do, or to stop.
    control: Lane,
    query_id_prefix: String,
    query_ids: AtomicU64,
}

/// One SQL statement and how to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, sent as it is.
    pub sql: String,
    /// What `system.processes` and `system.query_log` call it; made up if `None`.
    pub query_id: Option<String>,
    /// Settings for this statement alone. A server refuses those that it does not know (code 115).
    pub settings: Vec<(String, String)>,
    /// How long to wait for the answer once the statement is sent, and before that for a free connection.
    pub timeout: Duration,
    /// Output format of statements that return rows and do not name one.
    pub format: String,
    /// Whether it changes nothing, so that it may be sent again when the connection breaks.
    pub reads_only: bool,
    /// Whether it goes past statements that wait for a free connection. For short ones only.
    pub urgent: bool,
}

impl Statement {
    /// A statement that may change something; never sent twice.
    pub fn change(sql: impl Into<String>, timeout: Duration) -> Self {
        Self {
            sql: sql.into(),
            query_id: None,
            settings: Vec::new(),
            timeout,
            format: "TabSeparated".to_owned(),
            reads_only: false,
            urgent: false,
        }
    }

    /// A statement that changes nothing.
    pub fn read(sql: impl Into<String>, timeout: Duration) -> Self {
        Self { reads_only: true, ..Self::change(sql, timeout) }
    }

    /// The same with this query id. Ids of statements that run at one time on one server must differ.
    #[must_use]
    pub fn with_query_id(self, id: impl Into<String>) -> Self {
        Self { query_id: Some(id.into()), ..self }
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The same with more settings.
    #[must_use]
    pub fn with_settings(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// The same, ahead of waiting statements.
    #[must_use]
    pub fn urgent(self) -> Self {
        Self { urgent: true, ..self }
    }

    fn url_bytes(&self) -> usize {
        self.settings.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum()
    }
}

impl Session {
    /// A session as this user. Connects to nothing yet.
    pub fn new(connection: &Connection) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let shared = Shared {
            reading: client(connection, HOST_REQUESTS_MAX),
            changing: client(connection, 0),
            work: Lane::new(REQUESTS_MAX, HOST_REQUESTS_MAX),
            control: Lane::new(8, 2),
            query_id_prefix: format!("shardwright-{:x}-{started:x}", std::process::id()),
            query_ids: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Runs `statement` on the server at `url`; the answer as text, without its last newline. Bytes that are not UTF-8
    /// are replaced. A statement that only reads is sent once more if the connection broke.
    ///
    /// On a time-out the server is asked to kill the statement, which may take it a while.
    pub async fn run(&self, url: &str, statement: &Statement) -> Result<String, QueryError> {
        match self.attempt(url, statement).await {
            Err(error) if error.kind == QueryErrorKind::Lost && statement.reads_only => {
                let again = Statement {
                    query_id: statement.query_id.as_ref().map(|id| format!("{id}-again")),
                    ..statement.clone()
                };
                self.attempt(url, &again).await
            }
            answer => answer,
        }
    }

    /// Runs a statement that only reads and decodes its rows by column name. 64-bit integers come as JSON numbers.
    pub async fn rows<T: DeserializeOwned>(&self, url: &str, statement: &Statement) -> Result<Vec<T>, QueryError> {
        let statement = Statement { format: "JSONEachRow".to_owned(), ..statement.clone() }
            .with_setting("output_format_json_quote_64bit_integers", "0");
        let body = self.run(url, &statement).await?;
        let decode = |line: &str| serde_json::from_str(line);
        body.lines().map(decode).collect::<Result<_, _>>().map_err(|error| {
            QueryError::new(QueryErrorKind::Protocol, url, format!("unexpected row in the answer: {error}"))
        })
    }

    async fn attempt(&self, url: &str, statement: &Statement) -> Result<String, QueryError> {
        if statement.url_bytes() > URL_BYTES_MAX {
            return Err(QueryError::new(QueryErrorKind::Invalid, url, "settings too long for a URL"));
        }
        let lane = if statement.urgent { &self.shared.control } else { &self.shared.work };
        let _slot = lane.enter(url, statement.timeout).await?;
        let query_id = statement.query_id.clone().unwrap_or_else(|| self.next_query_id());
        match timeout(statement.timeout, self.send(url, statement, &query_id)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.give_up(url, statement, &query_id).await),
        }
    }

    async fn send(&self, url: &str, statement: &Statement, query_id: &str) -> Result<String, QueryError> {
        let client = if statement.reads_only { &self.shared.reading } else { &self.shared.changing };
        let mut client = client.clone().with_url(url).with_setting("query_id", query_id);
        for (name, value) in &statement.settings {
            client = client.with_setting(name, value);
        }
        let failed = |error| QueryError::from_transport(url, error);
        let mut cursor = client.query_raw(&statement.sql).fetch_bytes(&statement.format).map_err(failed)?;
        let body = cursor.collect().await.map_err(failed)?;
        let text = String::from_utf8_lossy(&body);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// Asks the server to kill a statement that took too long. Dropping a request does not stop it there.
    async fn give_up(&self, url: &str, statement: &Statement, query_id: &str) -> QueryError {
        let kill =
            Statement::change(format!("KILL QUERY WHERE query_id = {} ASYNC", quote_string(query_id)), KILL_TIMEOUT)
                .urgent();
        let killer_id = self.next_query_id();
        let killed = match self.shared.control.enter(url, KILL_TIMEOUT).await {
            Ok(_slot) => {
                timeout(KILL_TIMEOUT, self.send(url, &kill, &killer_id)).await.is_ok_and(|answer| answer.is_ok())
            }
            Err(_) => false,
        };
        let seconds = statement.timeout.as_secs_f64();
        let fate = if killed { "was asked to kill it" } else { "could not be asked to kill it" };
        QueryError::new(QueryErrorKind::TimedOut, url, format!("no answer within {seconds:.1} s; the server {fate}"))
    }

    pub(super) fn next_query_id(&self) -> String {
        let number = self.shared.query_ids.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.shared.query_id_prefix)
    }
}

/// Needed for old servers: no compression, and no row format that names types. Without `wait_end_of_query` they report an
/// exception in mid-answer as success with the exception's text as data.
fn client(connection: &Connection, idle_connections_max: usize) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_keepalive(Some(TCP_KEEPALIVE));
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_CONNECTION_MAX)
        .pool_max_idle_per_host(idle_connections_max)
        .build(connector);
    let mut client = Client::with_http_client(http)
        .with_compression(Compression::None)
        .with_validation(false)
        .with_setting("wait_end_of_query", "1");
    if let Some(user) = &connection.user {
        client = client.with_user(user);
    }
    if let Some(password) = &connection.password {
        client = client.with_password(password.reveal());
    }
    client
}
