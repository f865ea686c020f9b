//! Backfill: snapshot to staging, compare, staging to shadow; chunk by chunk, each exactly once.

use std::time::{Duration, Instant};

use super::carry_out::lines;
use super::desk::COPY_TIMEOUT;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{CallError, News, Reporter, Servers};
use super::slices::{Cutter, FIRST_TARGET, Slice, SnapshotPart, next_target};
use crate::journal::Event;
use crate::plan::{Backfill, Step};
use crate::words::count;

/// How often the progress of a copy is asked for.
const PROGRESS_POLL: Duration = Duration::from_millis(500);

/// Copies every chunk that is not yet in the shadow table.
pub(super) async fn backfill<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Backfill,
) -> Result<String, ExecuteError> {
    let mut worker = Worker { engine, step, work, times: Times::default() };
    engine.require(&step.id, work.on, &work.before).await?;
    let (mut cutter, half_attached) = worker.cutter().await?;
    if let Some(slice) = half_attached {
        worker.chunk(&slice).await?;
    }
    let mut target = FIRST_TARGET;
    let mut held = Duration::ZERO;
    loop {
        let (throttle, waited) = engine.hold_for_signals(step, work.on, &work.signals).await?;
        held += waited;
        let Some(slice) = cutter.next(target.min(throttle.max_chunk_bytes)) else { break };
        let began = Instant::now();
        worker.chunk(&slice).await?;
        target = next_target(target, slice.bytes, began.elapsed().as_millis(), throttle.chunk_seconds);
    }
    let (rows, chunks) = engine.progress().chunks_done(&step.id);
    let chunks = count(chunks, "chunk");
    Ok(format!("{rows} rows in {chunks}, each compared before it was attached; {}", worker.times.told(held)))
}

struct Worker<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
    work: &'a Backfill,
    times: Times,
}

/// Where the time of a copy went.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    copying: Duration,
    comparing: Duration,
    attaching: Duration,
}

impl Times {
    fn told(self, held: Duration) -> String {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let [copying, comparing, attaching] = [self.copying, self.comparing, self.attaching].map(seconds);
        let held =
            if held > Duration::from_millis(100) { format!(", {} held back", seconds(held)) } else { String::new() };
        format!("{copying} copying, {comparing} comparing, {attaching} attaching{held}")
    }
}

impl<S: Servers, R: Reporter> Worker<'_, '_, S, R> {
    /// The snapshot, cut as far as earlier runs came, and the chunk of which an earlier run had begun to attach something.
    async fn cutter(&self) -> Result<(Cutter, Option<Slice>), ExecuteError> {
        let mut parts = Vec::new();
        for line in self.engine.desk.ask_slowly(&self.step.id, self.work.on, &self.work.list).await?.lines() {
            let unreadable = || self.engine.desk.unreadable(&self.step.id, self.work.on, line);
            let [partition, name, rows, bytes] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(unreadable());
            };
            parts.push(SnapshotPart {
                partition: partition.to_owned(),
                name: name.to_owned(),
                rows: rows.parse().map_err(|_| unreadable())?,
                bytes: bytes.parse().map_err(|_| unreadable())?,
            });
        }
        let mut cutter = Cutter::new(parts, self.work.slices.rows.is_some());
        let mut begun = None;
        for (name, chunk) in self.engine.progress().chunks(&self.step.id) {
            if chunk.done.is_none() && chunk.attaching.is_empty() {
                continue;
            }
            let slice = cutter.skip(name).ok_or_else(|| self.changed(name))?;
            if chunk.done.is_none() {
                begun = Some(slice);
            }
        }
        Ok((cutter, begun))
    }

    fn changed(&self, chunk: &str) -> ExecuteError {
        ExecuteError::InDoubt {
            step: self.step.id.clone(),
            replica: self.engine.desk.replica_name(self.work.on),
            reason: format!("the snapshot has no chunk {chunk} any more, which the journal says was copied"),
        }
    }

    /// Brings one chunk into the shadow table. Where attaching had begun, the staging table is whole and is not copied again.
    async fn chunk(&mut self, slice: &Slice) -> Result<(), ExecuteError> {
        let chunk = slice.to_string();
        let condition = slice.condition(&self.work.slices).ok_or_else(|| self.changed(&chunk))?;
        let digest = slice.fill(&self.work.digest_source, &condition);
        let known = self.engine.progress().chunk(&self.step.id, &chunk);
        let rows = if known.attaching.is_empty() {
            self.copy(&chunk, &slice.fill(&self.work.copy, &condition), &digest).await?
        } else {
            count_of(&self.ask_slowly(&digest).await?)
        };
        let began = Instant::now();
        for partition in lines(&self.ask(&self.work.staged).await?) {
            if known.attached.contains(&partition) {
                continue;
            }
            // An earlier run began to attach it and did not write down that it had: whatever it was told, look.
            let in_doubt = known.attaching.contains(&partition);
            if !(in_doubt && self.has_landed(&partition).await?) {
                self.attach(&chunk, &partition).await?;
            }
            let (step, chunk) = (self.step.id.clone(), chunk.clone());
            self.engine.record(Event::Attached { step, chunk, partition })?;
        }
        self.times.attaching += began.elapsed();
        self.engine.record(Event::ChunkDone { step: self.step.id.clone(), chunk: chunk.clone(), rows })?;
        let (rows, _) = self.engine.progress().chunks_done(&self.step.id);
        self.engine.report(News::Copied { step: self.step, rows, chunk: &chunk });
        Ok(())
    }

    /// Fills the staging table with a chunk and proves that it is the same rows. Gives their number.
    async fn copy(&mut self, chunk: &str, sql: &str, digest: &str) -> Result<u64, ExecuteError> {
        for sql in &self.work.clear {
            self.change(chunk, sql).await?;
        }
        self.engine.record(Event::ChunkStarted { step: self.step.id.clone(), chunk: chunk.to_owned() })?;
        let began = Instant::now();
        self.copy_watched(chunk, sql).await?;
        let copied = Instant::now();
        let source = self.ask_slowly(digest).await?;
        let staged = self.ask_slowly(&self.work.digest_staging).await?;
        self.times.copying += copied - began;
        self.times.comparing += copied.elapsed();
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

    /// Runs the copy and tells how it gets on.
    async fn copy_watched(&self, chunk: &str, sql: &str) -> Result<(), ExecuteError> {
        let (before, _) = self.engine.progress().chunks_done(&self.step.id);
        let call = self.engine.desk.labelled(&self.step.id, Some(chunk), self.work.on, sql, COPY_TIMEOUT);
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

    async fn ask_slowly(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask_slowly(&self.step.id, self.work.on, sql).await
    }

    async fn ask(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask(&self.step.id, self.work.on, sql).await
    }
}

/// The number in front of a digest.
fn count_of(digest: &str) -> u64 {
    digest.split('\t').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}
