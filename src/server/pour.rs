//! Rows of one cluster into a table of another, block by block: no more than a block is held here.

use thiserror::Error;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::error::{QueryError, QueryErrorKind};
use super::session::Statement;
use crate::names::ReplicaId;

/// The servers' own format of rows, which old and new servers read from each other.
const FORMAT: &str = "Native";

/// On which side it failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PourError {
    /// Where the rows come from.
    #[error("reading: {0}")]
    Read(QueryError),
    /// Where they go.
    #[error("writing: {0}")]
    Write(QueryError),
}

impl Cluster {
    /// Runs `select` on one replica and sends its rows to a replica of another cluster as the rows of `insert`, which is an
    /// `INSERT INTO … (…)` without a format. Both have the time-out of `select`.
    pub async fn pour(
        &self,
        on: ReplicaId,
        select: &Statement,
        to: &Cluster,
        at: ReplicaId,
        insert: &str,
    ) -> Result<(), PourError> {
        let read = |error: QueryError| PourError::Read(error.on(on));
        let from_url = self.url(on).map_err(read)?;
        let Ok(result) = timeout(select.timeout, self.pour_at(on, select, to, at, insert)).await else {
            let message = format!("no end within {:.1} s", select.timeout.as_secs_f64());
            return Err(read(QueryError::new(QueryErrorKind::TimedOut, from_url, message)));
        };
        result
    }

    async fn pour_at(
        &self,
        on: ReplicaId,
        select: &Statement,
        to: &Cluster,
        at: ReplicaId,
        insert: &str,
    ) -> Result<(), PourError> {
        let read = |error: QueryError| PourError::Read(error.on(on));
        let write = |error: QueryError| PourError::Write(error.on(at));
        let (from_url, to_url) = (self.url(on).map_err(read)?, to.url(at).map_err(write)?);
        let (source, target) = (&self.session.shared, &to.session.shared);
        let _reading = source.work.enter(from_url, select.timeout).await.map_err(read)?;
        let _writing = target.work.enter(to_url, select.timeout).await.map_err(write)?;

        let mut client =
            source.reading.clone().with_url(from_url).with_setting("query_id", self.session.next_query_id());
        for (name, value) in &select.settings {
            client = client.with_setting(name, value);
        }
        let failed = |error| read(QueryError::from_transport(from_url, error));
        let mut rows = client.query_raw(&select.sql).fetch_bytes(FORMAT).map_err(failed)?;
        let client = target.changing.clone().with_url(to_url).with_setting("query_id", to.session.next_query_id());
        let mut sink = client.insert_formatted_with(format!("{insert} FORMAT {FORMAT}"));
        let refused = |error| write(QueryError::from_transport(to_url, error));
        // A sink that is dropped without its end inserts nothing of what is still on the way.
        while let Some(block) = rows.next().await.map_err(failed)? {
            sink.send(block).await.map_err(refused)?;
        }
        sink.end().await.map_err(refused)
    }
}
