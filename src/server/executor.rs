//! The cluster as the engine of [`crate::execute`] sees it.

use std::time::Duration;

use super::cluster::Cluster;
use super::error::QueryError;
use super::session::Statement;
use crate::execute::{Call, CallError, CallSession, Servers};
use crate::lock::SESSION_SECONDS;
use crate::names::ReplicaId;

/// How long queries of a dead run may take to end once they are killed.
const KILL_PATIENCE: Duration = Duration::from_mins(2);

/// Lists of parts and of hashes make long statements.
const QUERY_BYTES_MAX: &str = "67108864";

impl Servers for Cluster {
    async fn call(&self, call: Call) -> Result<String, CallError> {
        let on = call.on;
        Ok(self.run(on, &statement(call)).await?)
    }

    async fn call_in(&self, call: Call, session: CallSession) -> Result<String, CallError> {
        let on = call.on;
        let statement = statement(call)
            .with_setting("session_id", session.id)
            .with_setting("session_timeout", SESSION_SECONDS.to_string());
        let statement = if session.must_exist { statement.with_setting("session_check", "1") } else { statement };
        Ok(self.run(on, &statement).await?)
    }

    async fn rows_written(&self, on: ReplicaId, query_id: &str) -> Option<u64> {
        let running = self.running(on, query_id).await.ok()?;
        running.iter().find(|query| query.query_id == query_id).map(|query| query.written_rows.max(query.read_rows))
    }

    async fn end_leftovers(&self, on: ReplicaId, prefix: &str) -> Result<(), CallError> {
        Ok(self.kill(on, prefix, KILL_PATIENCE).await?)
    }
}

fn statement(call: Call) -> Statement {
    let raw = Statement { format: "TabSeparatedRaw".to_owned(), ..Statement::change(call.sql, call.timeout) };
    let mut statement = raw.with_query_id(call.query_id).with_setting("max_query_size", QUERY_BYTES_MAX);
    if let Some(comment) = call.log_comment {
        statement = statement.with_setting("log_comment", comment);
    }
    // Rows that are put right are wanted, although a block like theirs may have been inserted before; and what is sent to another shard is
    // there when the answer comes.
    statement.with_setting("insert_deduplicate", "0").with_setting("insert_distributed_sync", "1")
}

impl From<QueryError> for CallError {
    fn from(error: QueryError) -> Self {
        let outcome_unknown = error.outcome_unknown();
        let replica = error.replica.map_or_else(|| error.host.clone(), |id| format!("{id} ({})", error.host));
        let code = error.code();
        let message = match code {
            Some(code) => format!("{} (code {code})", error.message),
            None => error.message,
        };
        Self { replica, code, message, outcome_unknown }
    }
}
