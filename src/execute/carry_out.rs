//! Carrying out one step, by the kind of its action.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::backfill::backfill;
use super::compare::compare_tables;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Reporter, Servers};
use crate::names::ReplicaId;
use crate::plan::{Action, CatchUp, ClonePartitions, ProbeOn, Step, StepId};
use crate::words::count;

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(200);

/// Carries out a step and says in a few words what was seen.
pub(super) async fn carry_out<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    resumed: bool,
) -> Result<String, ExecuteError> {
    match &step.action {
        Action::Gate { gate } => Ok(format!("{gate} was approved")),
        Action::Check { probes } => check(engine, &step.id, probes).await,
        Action::Run { one_by_one, runs } => engine.run_all(&step.id, runs, *one_by_one, resumed).await,
        Action::Clone(clone) => clone_partitions(engine, &step.id, clone).await,
        Action::Backfill(work) => backfill(engine, step, work).await,
        Action::CatchUp(wait) => catch_up(engine, &step.id, wait).await,
        Action::Compare(compare) => compare_tables(&engine.desk, &step.id, compare).await,
    }
}

async fn check<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    probes: &[ProbeOn],
) -> Result<String, ExecuteError> {
    let questions = probes.iter().flat_map(|probe| probe.on.iter().map(move |on| (*on, &probe.probe)));
    let asked =
        try_join_all(questions.map(|(on, probe)| engine.require(step, on, std::slice::from_ref(probe)))).await?;
    Ok(match asked.len() {
        0 => "nothing to check".to_owned(),
        1 => "1 condition holds".to_owned(),
        several => format!("{several} conditions hold"),
    })
}

async fn clone_partitions<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    clone: &ClonePartitions,
) -> Result<String, ExecuteError> {
    engine.require(step, clone.on, &clone.before).await?;
    let wanted = lines(&engine.desk.ask(step, clone.on, &clone.list).await?);
    for partition in &wanted {
        let done = engine.desk.statement_for(step, partition, clone.on, &clone.clone.fill(partition)).await;
        // Cloning again is harmless, so the next run simply does it again.
        done.map_err(|source| ExecuteError::Call { step: step.clone(), source })?;
    }
    let cloned = lines(&engine.desk.ask(step, clone.on, &clone.cloned).await?);
    match wanted.difference(&cloned).next() {
        None => Ok(format!("{} cloned", count(wanted.len(), "partition"))),
        Some(missing) => Err(ExecuteError::InDoubt {
            step: step.clone(),
            replica: engine.desk.replica_name(clone.on),
            reason: format!("partition {missing} is not in the snapshot after it was cloned"),
        }),
    }
}

/// Waits until every replica has what was in the log when the wait began. Waiting for an empty queue would never end while
/// rows come in.
async fn catch_up<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    wait: &CatchUp,
) -> Result<String, ExecuteError> {
    let marks = try_join_all(wait.on.iter().map(|on| engine.desk.ask(step, *on, &wait.mark))).await?;
    let mark = marks.iter().filter_map(|mark| mark.parse::<u64>().ok()).max().unwrap_or(0);
    try_join_all(wait.on.iter().map(|on| catch_up_on(engine, step, wait, *on, mark))).await?;
    Ok(format!("{} caught up with log entry {mark}", count(wait.on.len(), "replica")))
}

async fn catch_up_on<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    wait: &CatchUp,
    on: ReplicaId,
    mark: u64,
) -> Result<(), ExecuteError> {
    let mut stall = Stall::new(wait.stall_seconds);
    loop {
        let pointer = engine.desk.ask(step, on, &wait.pointer).await?;
        if pointer.parse::<u64>().is_ok_and(|pointer| pointer > mark) {
            break;
        }
        stall.look(engine, step, on, format!("log pointer {pointer} has not passed {mark}")).await?;
    }
    let mut missing = lines(&engine.desk.ask(step, on, &wait.queue).await?);
    while !missing.is_empty() {
        stall.look(engine, step, on, format!("{} entries of the replication queue", missing.len())).await?;
        let queued = lines(&engine.desk.ask(step, on, &wait.queue).await?);
        missing.retain(|entry| queued.contains(entry));
    }
    Ok(())
}

/// Gives a wait up when nothing has changed for too long.
struct Stall {
    seconds_max: u64,
    last: String,
    since: Instant,
}

impl Stall {
    fn new(seconds_max: u64) -> Self {
        Self { seconds_max, last: String::new(), since: Instant::now() }
    }

    async fn look<S: Servers, R: Reporter>(
        &mut self,
        engine: &Engine<'_, S, R>,
        step: &StepId,
        on: ReplicaId,
        waiting_for: String,
    ) -> Result<(), ExecuteError> {
        if waiting_for != self.last {
            self.last = waiting_for;
            self.since = Instant::now();
        } else if self.since.elapsed() >= Duration::from_secs(self.seconds_max) {
            let (step, replica, waiting_for) = (step.clone(), engine.desk.replica_name(on), waiting_for);
            return Err(ExecuteError::Stalled { step, replica, seconds: self.seconds_max, waiting_for });
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}

/// The lines of an answer, as a set.
pub(super) fn lines(answer: &str) -> BTreeSet<String> {
    answer.lines().map(str::to_owned).collect()
}
