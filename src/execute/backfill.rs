//! Backfill: snapshot to staging, compare, staging to shadow; chunk by chunk, each exactly once.

use super::carry_out::lines;
use super::desk::COPY_TIMEOUT;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{CallError, News, Reporter, Servers};
use crate::journal::Event;
use crate::plan::{Backfill, Step};
use crate::words::count;

/// How often the progress of a copy is asked for.
const PROGRESS_POLL: std::time::Duration = std::time::Duration::from_millis(500);

/// Copies every chunk that is not yet in the shadow table.
pub(super) async fn backfill<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Backfill,
) -> Result<String, ExecuteError> {
    let worker = Worker { engine, step, work };
    engine.require(&step.id, work.on, &work.before).await?;
    for chunk in lines(&engine.desk.ask(&step.id, work.on, &work.list).await?) {
        if engine.progress().chunk(&step.id, &chunk).done.is_none() {
            worker.chunk(&chunk).await?;
        }
        let (rows, _) = engine.progress().chunks_done(&step.id);
        engine.report(News::Copied { step, rows, chunk: &chunk });
    }
    let (rows, chunks) = engine.progress().chunks_done(&step.id);
    Ok(format!("{rows} rows in {}, each compared before it was attached", count(chunks, "chunk")))
}

struct Worker<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
    work: &'a Backfill,
}

impl<S: Servers, R: Reporter> Worker<'_, '_, S, R> {
    /// Brings one chunk into the shadow table. Where attaching had begun, the staging table is whole and is not copied again.
    async fn chunk(&self, chunk: &str) -> Result<(), ExecuteError> {
        let known = self.engine.progress().chunk(&self.step.id, chunk);
        let rows = if known.attaching.is_empty() { self.copy(chunk).await? } else { self.rows_of(chunk).await? };
        for partition in lines(&self.ask(&self.work.staged).await?) {
            if known.attached.contains(&partition) {
                continue;
            }
            // An earlier run began to attach it and did not write down that it had: whatever it was told, look.
            let in_doubt = known.attaching.contains(&partition);
            if !(in_doubt && self.has_landed(&partition).await?) {
                self.attach(chunk, &partition).await?;
            }
            let (step, chunk) = (self.step.id.clone(), chunk.to_owned());
            self.engine.record(Event::Attached { step, chunk, partition })?;
        }
        let (step, chunk) = (self.step.id.clone(), chunk.to_owned());
        self.engine.record(Event::ChunkDone { step, chunk, rows })
    }

    /// Fills the staging table with a chunk and proves that it is the same rows. Gives their number.
    async fn copy(&self, chunk: &str) -> Result<u64, ExecuteError> {
        for sql in &self.work.clear {
            self.change(chunk, sql).await?;
        }
        self.engine.record(Event::ChunkStarted { step: self.step.id.clone(), chunk: chunk.to_owned() })?;
        self.copy_watched(chunk).await?;
        let source =
            self.engine.desk.ask_slowly(&self.step.id, self.work.on, &self.work.digest_source.fill(chunk)).await?;
        let staged = self.engine.desk.ask_slowly(&self.step.id, self.work.on, &self.work.digest_staging).await?;
        if source == staged {
            return Ok(count_of(&source));
        }
        Err(ExecuteError::Verification {
            step: self.step.id.clone(),
            replica: self.engine.desk.replica_name(self.work.on),
            differences: vec![format!(
                "chunk {chunk}: count and sum of hashes are {} in the snapshot, {} in the staging table; nothing was attached",
                source.replace('\t', " and "),
                staged.replace('\t', " and ")
            )],
        })
    }

    async fn rows_of(&self, chunk: &str) -> Result<u64, ExecuteError> {
        let digest =
            self.engine.desk.ask_slowly(&self.step.id, self.work.on, &self.work.digest_source.fill(chunk)).await?;
        Ok(count_of(&digest))
    }

    /// Runs the copy and tells how it gets on.
    async fn copy_watched(&self, chunk: &str) -> Result<(), ExecuteError> {
        let (before, _) = self.engine.progress().chunks_done(&self.step.id);
        let sql = self.work.copy.fill(chunk);
        let call = self.engine.desk.labelled(&self.step.id, Some(chunk), self.work.on, &sql, COPY_TIMEOUT);
        let query_id = call.query_id.clone();
        let copying = self.engine.desk.send(call);
        let watching = async {
            loop {
                tokio::time::sleep(PROGRESS_POLL).await;
                if let Some(rows) = self.engine.desk.servers.rows_written(self.work.on, &query_id).await {
                    self.engine.report(News::Copied { step: self.step, rows: before + rows, chunk });
                }
            }
        };
        let outcome = tokio::select! {
            outcome = copying => outcome,
            () = watching => return Ok(()),
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(source) => Err(self.failed(source).await),
        }
    }

    /// Whether a partition of the staging table is in the shadow table, asked of the rows themselves.
    async fn has_landed(&self, partition: &str) -> Result<bool, ExecuteError> {
        Ok(self.ask(&self.work.landed.fill(partition)).await? == "1")
    }

    async fn attach(&self, chunk: &str, partition: &str) -> Result<(), ExecuteError> {
        self.engine.record(Event::Attaching {
            step: self.step.id.clone(),
            chunk: chunk.to_owned(),
            partition: partition.to_owned(),
        })?;
        self.change(chunk, &self.work.attach.fill(partition)).await
    }

    async fn change(&self, chunk: &str, sql: &str) -> Result<(), ExecuteError> {
        match self.engine.desk.statement_for(&self.step.id, chunk, self.work.on, sql).await {
            Ok(_) => Ok(()),
            Err(source) => Err(self.failed(source).await),
        }
    }

    /// A statement whose outcome is unknown must not be still running when the next run looks. Once it is known to have
    /// ended nothing is in doubt: a copy is made anew, and whether a partition was attached is asked of the rows.
    async fn failed(&self, source: CallError) -> ExecuteError {
        let prefix = self.engine.desk.own_prefix(&self.step.id);
        let ended =
            !source.outcome_unknown || self.engine.desk.servers.end_leftovers(self.work.on, &prefix).await.is_ok();
        let source = CallError { outcome_unknown: !ended, ..source };
        ExecuteError::Call { step: self.step.id.clone(), source }
    }

    async fn ask(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask(&self.step.id, self.work.on, sql).await
    }
}

/// The number in front of a digest.
fn count_of(digest: &str) -> u64 {
    digest.split('\t').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}
