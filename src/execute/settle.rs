//! The boundary of one shard: see [`crate::plan::Settle`]. Whatever cuts an attempt short, merges are started again, and the
//! next attempt begins from nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::carry_out::lines;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::{drain, running};
use super::ports::{CallError, Reporter, Servers};
use crate::names::{ReplicaId, quote_string};
use crate::plan::{GapBy, Settle, Step, StepId};
use crate::words::count;

/// Attempts before a person is asked.
const ATTEMPTS_MAX: u32 = 6;
/// Pause before another attempt, so that merges can catch up; it grows with each.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a partition is cloned anew when inserts come in meanwhile.
const CLONES_MAX: u32 = 10;
/// How long writers must be still to count as still.
const STILL: Duration = Duration::from_secs(3);
/// How long writers are waited for to be still.
const STILL_PATIENCE: Duration = Duration::from_mins(10);
/// How long a table that is emptied may take to be empty.
const CLEAR_PATIENCE: Duration = Duration::from_mins(2);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(200);

/// Why an attempt came to nothing.
enum Broken {
    /// Another attempt may go better.
    Again(String),
    /// It would not.
    Failed(Box<ExecuteError>),
}

impl From<ExecuteError> for Broken {
    fn from(error: ExecuteError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Draws the boundary.
pub(super) async fn settle<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Settle,
) -> Result<String, ExecuteError> {
    let settler = Settler { engine, step: &step.id, work, fence: work.fence || engine.fence() };
    let mut reasons = BTreeSet::new();
    for attempt in 1..=ATTEMPTS_MAX {
        settler.reset().await?;
        match settler.attempt().await {
            Ok(evidence) if attempt == 1 => return Ok(evidence),
            Ok(evidence) => return Ok(format!("{evidence}, at attempt {attempt}")),
            Err(Broken::Failed(error)) => return Err(*error),
            Err(Broken::Again(reason)) => _ = reasons.insert(reason),
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    let reason = reasons.into_iter().collect::<Vec<_>>().join("; ");
    Err(ExecuteError::Fence { step: step.id.clone(), replica: settler.home(), reason })
}

/// Starts merges on the replicas of a boundary that was cut short.
pub(super) async fn start_merges<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    work: &Settle,
) -> Result<(), ExecuteError> {
    let each = work.unmirror.on.iter().flat_map(|on| work.start_merges.iter().map(move |sql| (*on, sql)));
    for (on, sql) in each {
        let started = engine.desk.statement(step, on, sql).await;
        // A table that is not there has no merges to start.
        if let Err(source) = started
            && source.code != Some(UNKNOWN_TABLE)
        {
            return Err(ExecuteError::MergesStopped { step: step.clone(), sql: sql.clone(), source });
        }
    }
    Ok(())
}

/// The server's code for a table that does not exist.
const UNKNOWN_TABLE: u32 = 60;

struct Settler<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a StepId,
    work: &'a Settle,
    fence: bool,
}

/// Active parts by name: partition id and merge level.
type Parts = BTreeMap<String, (String, String)>;

impl<S: Servers, R: Reporter> Settler<'_, '_, S, R> {
    /// Takes back what an earlier attempt left; the tables are as they were made.
    async fn reset(&self) -> Result<(), ExecuteError> {
        self.engine.run_all(self.step, std::slice::from_ref(&self.work.unmirror), false, true).await?;
        // Inserts that began with the mirror still write to the shadow table.
        drain(&self.engine.desk, self.step, &self.work.drain).await?;
        for probe in &self.work.before {
            for on in &probe.on {
                self.engine.require(self.step, *on, std::slice::from_ref(&probe.probe)).await?;
            }
        }
        for sql in &self.work.clear {
            self.change(sql).await?;
        }
        self.wait_until_clear().await
    }

    async fn wait_until_clear(&self) -> Result<(), ExecuteError> {
        let began = Instant::now();
        let cleared = std::slice::from_ref(&self.work.cleared);
        while self.engine.first_failing(self.step, self.work.on, cleared).await?.is_some() {
            if began.elapsed() > CLEAR_PATIENCE {
                return self.engine.require(self.step, self.work.on, cleared).await;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// One attempt. Merges are stopped for as long as it takes, and started again however it ends.
    async fn attempt(&self) -> Result<String, Broken> {
        if self.fence {
            self.wait_until_still().await?;
        }
        if self.is_crowded().await? {
            return Err(Broken::Again("a partition has so many parts that merges must not be stopped".to_owned()));
        }
        let began = Instant::now();
        let patience = Duration::from_secs(self.work.seconds_max);
        let outcome = async {
            self.everywhere(&self.work.stop_merges).await?;
            tokio::time::timeout(patience, self.draw()).await.unwrap_or_else(|_| {
                Err(Broken::Again(format!("it took longer than {} s without merges", self.work.seconds_max)))
            })
        }
        .await;
        if outcome.is_err() {
            // Nothing that was sent may still be at work when the next attempt begins.
            self.engine.end_leftovers(self.step, &self.work.unmirror.on).await?;
        }
        start_merges(self.engine, self.step, self.work).await?;
        outcome.map(|seen| format!("{seen}; merges were stopped for {:.1} s", began.elapsed().as_secs_f64()))
    }

    async fn draw(&self) -> Result<String, Broken> {
        drain_replication(self).await?;
        let cloned = self.clone_all().await?;
        self.engine.run_all(self.step, &self.work.mirror, false, true).await?;
        // From here on every new insert is mirrored. Those that began before are the gap.
        drain(&self.engine.desk, self.step, &self.work.drain).await?;
        let parts = self.parts().await?;
        if cloned.keys().any(|part| !parts.contains_key(part)) {
            return Err(Broken::Again("parts of the source were merged, changed or dropped meanwhile".to_owned()));
        }
        let gap: Vec<&String> = parts.keys().filter(|part| !cloned.contains_key(*part)).collect();
        if gap.iter().any(|part| parts[*part].1 != "0") {
            return Err(Broken::Again("parts of the source were merged meanwhile".to_owned()));
        }
        if self.fence && !gap.is_empty() {
            return Err(Broken::Again(format!("writers were not still: {} came in", count(gap.len(), "part"))));
        }
        // The mirror of every part of the gap has landed once the inserts that made them have ended.
        drain(&self.engine.desk, self.step, &self.work.drain).await?;
        if self.is_crowded().await? {
            return Err(Broken::Again(
                "a partition came to have so many parts that inserts would slow down".to_owned(),
            ));
        }
        let copied = if gap.is_empty() { 0 } else { self.copy_lacking(&gap).await? };
        Ok(format!(
            "{} cloned, {} in the gap, of which {copied} rows were copied",
            count(cloned.len(), "part"),
            gap.len()
        ))
    }

    /// Clones every partition. Gives the parts that are known to be in the snapshot; no other part of the source is.
    async fn clone_all(&self) -> Result<Parts, Broken> {
        let partitions: BTreeSet<String> = self.parts().await?.into_values().map(|(partition, _)| partition).collect();
        let mut cloned = Parts::new();
        for partition in partitions {
            cloned.extend(self.clone_partition(&partition).await?);
        }
        Ok(cloned)
    }

    async fn clone_partition(&self, partition: &str) -> Result<Parts, Broken> {
        for _ in 0..CLONES_MAX {
            let before = self.parts_of(partition).await?;
            self.change(&self.work.clone.fill(partition)).await?;
            let in_snapshot = self.ask(&self.work.cloned.fill(partition)).await?.parse::<usize>();
            if in_snapshot == Ok(before.len()) {
                return Ok(before);
            }
            // Parts came in between the list and the clone. Where all that are there now were cloned, that is as good.
            let after = self.parts_of(partition).await?;
            if in_snapshot == Ok(after.len()) {
                return Ok(after);
            }
        }
        Err(Broken::Again(format!("inserts into partition {partition} come faster than it is cloned")))
    }

    /// Copies the rows of the gap that the mirror did not write. Gives their number.
    async fn copy_lacking(&self, gap: &[&String]) -> Result<u64, Broken> {
        let gap_parts = list(gap.iter().map(|part| part.as_str()));
        let answer = self.ask_slowly(&self.work.gap.lacking.fill_all(&[("parts", &gap_parts)])).await?;
        let statements = match self.work.gap.by {
            GapBy::Row => self.lacking_rows(&gap_parts, &answer),
            GapBy::Part => self.lacking_parts(&answer)?,
        };
        if statements.is_empty() {
            return Ok(0);
        }
        self.change(&self.work.gap.clear).await?;
        for sql in &statements {
            self.change_slowly(sql).await?;
        }
        for partition in lines(&self.ask(&self.work.gap.staged).await?) {
            self.change(&self.work.gap.attach.fill(&partition)).await?;
        }
        self.change(&self.work.gap.clear).await?;
        Ok(self.rows_lacking(&answer))
    }

    /// A statement for each number of copies that rows lack.
    fn lacking_rows(&self, parts: &str, answer: &str) -> Vec<String> {
        let times = answer.lines().filter_map(|line| line.split('\t').next());
        times.map(|times| self.work.gap.copy.fill_all(&[("parts", parts), ("times", times)])).collect()
    }

    /// A statement for the parts of which the mirror wrote nothing.
    fn lacking_parts(&self, answer: &str) -> Result<Vec<String>, Broken> {
        let mut lacking = Vec::new();
        for line in answer.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                [part, _, "0"] => lacking.push(part),
                [_, rows, found] if rows == found => {}
                [part, rows, found] => {
                    let reason = format!(
                        "{found} of the {rows} rows of part {part} are in the shadow table: whether the mirror wrote it cannot be told"
                    );
                    return Err(ExecuteError::Fence { step: self.step.clone(), replica: self.home(), reason }.into());
                }
                _ => return Err(self.unreadable(line).into()),
            }
        }
        let fill = |parts: &[&str]| self.work.gap.copy.fill_all(&[("parts", &list(parts.iter().copied()))]);
        Ok(if lacking.is_empty() { Vec::new() } else { vec![fill(&lacking)] })
    }

    fn rows_lacking(&self, answer: &str) -> u64 {
        let numbers = |line: &str| -> Option<(u64, u64)> {
            let mut fields = line.split('\t');
            let pair = (fields.next()?, fields.next()?);
            Some(match self.work.gap.by {
                GapBy::Row => (pair.0.parse().ok()?, pair.1.parse().ok()?),
                GapBy::Part => (u64::from(fields.next()? == "0"), pair.1.parse().ok()?),
            })
        };
        answer.lines().filter_map(numbers).map(|(times, rows)| times * rows).sum()
    }

    /// Waits until no insert runs on any replica and no part comes to the table for a while.
    async fn wait_until_still(&self) -> Result<(), Broken> {
        let began = Instant::now();
        let mut seen = (BTreeSet::new(), self.parts().await?);
        let mut since = Instant::now();
        while since.elapsed() < STILL {
            if began.elapsed() > STILL_PATIENCE {
                let reason = "writers are not still".to_owned();
                return Err(ExecuteError::Fence { step: self.step.clone(), replica: self.home(), reason }.into());
            }
            tokio::time::sleep(POLL).await;
            let now = (self.inserts().await?, self.parts().await?);
            let quiet = now.0.is_empty() && now.1.keys().all(|part| seen.1.contains_key(part));
            if !quiet {
                since = Instant::now();
            }
            seen = now;
        }
        Ok(())
    }

    async fn inserts(&self) -> Result<BTreeSet<String>, ExecuteError> {
        let wait = &self.work.drain;
        let each = try_join_all(wait.on.iter().map(|on| running(&self.engine.desk, self.step, wait, *on))).await?;
        Ok(each.into_iter().flatten().collect())
    }

    async fn is_crowded(&self) -> Result<bool, ExecuteError> {
        let asked = self.work.unmirror.on.iter().map(|on| self.engine.desk.ask(self.step, *on, &self.work.crowded));
        Ok(try_join_all(asked).await?.iter().any(|answer| answer != "0"))
    }

    async fn parts(&self) -> Result<Parts, ExecuteError> {
        let answer = self.ask(&self.work.parts).await?;
        let mut parts = Parts::new();
        for line in answer.lines() {
            let [name, partition, level] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(self.unreadable(line));
            };
            parts.insert(name.to_owned(), (partition.to_owned(), level.to_owned()));
        }
        Ok(parts)
    }

    async fn parts_of(&self, partition: &str) -> Result<Parts, ExecuteError> {
        let mut parts = self.parts().await?;
        parts.retain(|_, (of, _)| of == partition);
        Ok(parts)
    }

    async fn everywhere(&self, statements: &[String]) -> Result<(), ExecuteError> {
        let each = self.work.unmirror.on.iter().flat_map(|on| statements.iter().map(move |sql| (*on, sql)));
        try_join_all(each.map(|(on, sql)| self.change_on(on, sql))).await.map(drop)
    }

    async fn change(&self, sql: &str) -> Result<(), ExecuteError> {
        self.change_on(self.work.on, sql).await
    }

    /// What is changed here is changed anew by the next attempt, so nothing is in doubt once it no longer runs.
    async fn change_on(&self, on: ReplicaId, sql: &str) -> Result<(), ExecuteError> {
        let done = self.engine.desk.statement(self.step, on, sql).await;
        done.map(drop).map_err(|source| self.failed(source))
    }

    async fn change_slowly(&self, sql: &str) -> Result<(), ExecuteError> {
        let done = self.engine.desk.statement_slowly(self.step, self.work.on, sql).await;
        done.map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: CallError) -> ExecuteError {
        ExecuteError::Call { step: self.step.clone(), source }
    }

    async fn ask(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask(self.step, self.work.on, sql).await
    }

    async fn ask_slowly(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask_slowly(self.step, self.work.on, sql).await
    }

    fn unreadable(&self, line: &str) -> ExecuteError {
        let reason = format!("the answer {line:?} cannot be read");
        ExecuteError::InDoubt { step: self.step.clone(), replica: self.home(), reason }
    }

    fn home(&self) -> String {
        self.engine.desk.replica_name(self.work.on)
    }
}

/// Parts that other replicas have taken in must be on the backfill replica before it is cloned.
async fn drain_replication<S: Servers, R: Reporter>(settler: &Settler<'_, '_, S, R>) -> Result<(), ExecuteError> {
    for replication in &settler.work.drain.catch_up {
        super::landing::catch_up(&settler.engine.desk, settler.step, replication).await?;
    }
    Ok(())
}

/// String literals, separated by commas.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(quote_string).collect::<Vec<_>>().join(", ")
}
