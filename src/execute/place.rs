//! One replica on which a step works with parts: what is asked and run there, and how answers are read.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::carry_out::lines;
use super::engine::Engine;
use super::error::ExecuteError;
use super::part::{Part, Parts};
use super::ports::{CallError, Reporter, Servers};
use crate::names::{ReplicaId, quoted_list};
use crate::plan::{Feed, StepId, Template};

/// The server's codes for a table that does not exist, and for one that does.
const UNKNOWN_TABLE: u32 = 60;
const TABLE_EXISTS: u32 = 57;

/// A replica, and the step on whose behalf it is spoken to.
pub(super) struct Place<'a, 'p, S, R> {
    pub(super) engine: &'a Engine<'p, S, R>,
    pub(super) step: &'a StepId,
    pub(super) on: ReplicaId,
}

impl<S: Servers, R: Reporter> Place<'_, '_, S, R> {
    pub(super) async fn ask(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask(self.step, self.on, sql).await
    }

    pub(super) async fn ask_slowly(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask_slowly(self.step, self.on, sql).await
    }

    pub(super) async fn change(&self, sql: &str) -> Result<(), ExecuteError> {
        self.changed(self.engine.desk.statement(self.step, self.on, sql).await)
    }

    pub(super) async fn change_slowly(&self, sql: &str) -> Result<(), ExecuteError> {
        self.changed(self.engine.desk.statement_slowly(self.step, self.on, sql).await)
    }

    fn changed(&self, done: Result<String, CallError>) -> Result<(), ExecuteError> {
        done.map(drop).map_err(|source| ExecuteError::Call { step: self.step.clone(), source })
    }

    /// The parts that a query lists: name, partition id, rows.
    pub(super) async fn parts(&self, sql: &str) -> Result<Parts, ExecuteError> {
        let part = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
            [name, partition, rows] => {
                let part = Part { partition: partition.to_owned(), rows: rows.to_owned() };
                Ok((name.to_owned(), part))
            }
            _ => Err(self.unreadable(line)),
        };
        self.ask(sql).await?.lines().map(part).collect()
    }

    /// The names of the parts that two queries list.
    pub(super) async fn part_names(&self, lists: &[String; 2]) -> Result<[Vec<String>; 2], ExecuteError> {
        let [one, other] = lists;
        Ok([self.parts(one).await?, self.parts(other).await?].map(|parts| parts.into_keys().collect()))
    }

    /// Count and sum of hashes by part.
    pub(super) async fn digests(
        &self,
        template: &Template,
        parts: &[&String],
    ) -> Result<BTreeMap<String, String>, ExecuteError> {
        if parts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answer = self.ask_slowly(&template.fill_all(&[("parts", &quoted_list(parts))])).await?;
        let pair = |line: &str| line.split_once('\t').map(|(part, digest)| (part.to_owned(), digest.to_owned()));
        answer.lines().map(|line| pair(line).ok_or_else(|| self.unreadable(line))).collect()
    }

    /// Attaches every partition that `staged` lists.
    pub(super) async fn attach_staged(&self, staged: &str, attach: &Template) -> Result<(), ExecuteError> {
        for partition in lines(&self.ask(staged).await?) {
            self.change(&attach.fill(&partition)).await?;
        }
        Ok(())
    }

    pub(super) fn unreadable(&self, line: &str) -> ExecuteError {
        self.engine.desk.unreadable(self.step, self.on, line)
    }

    pub(super) fn name(&self) -> String {
        self.engine.desk.replica_name(self.on)
    }
}

/// Stops merges on all of these replicas.
pub(super) async fn stop_merges<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    on: &[ReplicaId],
    statements: &[String],
) -> Result<(), ExecuteError> {
    let each = on.iter().flat_map(|on| statements.iter().map(move |sql| (*on, sql)));
    try_join_all(each.map(|(on, sql)| async move { Place { engine, step, on }.change(sql).await })).await.map(drop)
}

/// Stops what writes by itself, wherever it is not stopped yet.
pub(super) async fn stop_feeds<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    feeds: &[Feed],
) -> Result<(), ExecuteError> {
    for (on, feed) in each(feeds) {
        // Detached before: by an attempt that was cut short, or by a person, for whom it will be attached too.
        if let Err(source) = engine.desk.statement(step, on, &feed.stop).await
            && source.code != Some(UNKNOWN_TABLE)
        {
            return Err(ExecuteError::Call { step: step.clone(), source });
        }
    }
    Ok(())
}

/// Starts it again, wherever it does not run.
pub(super) async fn start_feeds<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    feeds: &[Feed],
) -> Result<(), ExecuteError> {
    start_again(engine, step, each(feeds).map(|(on, feed)| (on, &feed.start)), TABLE_EXISTS).await
}

fn each(feeds: &[Feed]) -> impl Iterator<Item = (ReplicaId, &Feed)> {
    feeds.iter().flat_map(|feed| feed.on.iter().map(move |on| (*on, feed)))
}

/// Starts merges on the replicas of a step that stopped them. A table that is not there has no merges to start.
pub(super) async fn start_merges<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    on: &[ReplicaId],
    statements: &[String],
) -> Result<(), ExecuteError> {
    let each = on.iter().flat_map(|on| statements.iter().map(move |sql| (*on, sql)));
    start_again(engine, step, each, UNKNOWN_TABLE).await
}

/// Runs statements that start something. The code is that of a server on which there is nothing to start.
async fn start_again<'s, S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    statements: impl Iterator<Item = (ReplicaId, &'s String)>,
    nothing_to_start: u32,
) -> Result<(), ExecuteError> {
    for (on, sql) in statements {
        if let Err(source) = engine.desk.statement(step, on, sql).await
            && source.code != Some(nothing_to_start)
        {
            return Err(ExecuteError::StaysStopped { step: step.clone(), sql: sql.clone(), source });
        }
    }
    Ok(())
}
