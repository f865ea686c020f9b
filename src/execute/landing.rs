//! Waiting for what is under way: inserts that run, mutations, and replication.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::carry_out::lines;
use super::desk::Desk;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Reporter, Servers};
use crate::names::ReplicaId;
use crate::plan::{CatchUp, Drain, Otherwise, Probe, StepId};
use crate::words::count;

/// How long a mutation, or replicas that lag behind, are waited for before a step.
const BUSY_PATIENCE: Duration = Duration::from_mins(2);
/// How often a wait looks again. Merges may be stopped meanwhile, so it is short.
const POLL: Duration = Duration::from_millis(50);
/// The same where nothing is held up by the wait.
const BUSY_POLL: Duration = Duration::from_millis(500);
/// What a server answers that has no queue of inserts to flush, or does not know the statement.
const NO_QUEUE: [u32; 2] = [36, 62];

/// Waits until every insert that had begun has ended, and what it wrote is on every replica.
pub(super) async fn drain<S: Servers>(desk: &Desk<'_, S>, step: &StepId, wait: &Drain) -> Result<String, ExecuteError> {
    try_join_all(wait.on.iter().map(|on| drain_one(desk, step, wait, *on))).await?;
    catch_up_all(desk, step, wait).await?;
    Ok(format!("inserts that had begun have ended on {}", count(wait.on.len(), "replica")))
}

/// The second half of it: what is in the replication logs is on every replica.
pub(super) async fn catch_up_all<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    wait: &Drain,
) -> Result<(), ExecuteError> {
    for replication in &wait.catch_up {
        catch_up(desk, step, replication).await?;
    }
    Ok(())
}

async fn drain_one<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    wait: &Drain,
    on: ReplicaId,
) -> Result<(), ExecuteError> {
    for flush in &wait.flush {
        // It changes nothing that the lock guards, and whoever only compares does not hold it.
        match desk.ask(step, on, flush).await {
            Err(ExecuteError::Call { source, .. }) if source.code.is_some_and(|code| NO_QUEUE.contains(&code)) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    let began = Instant::now();
    let mut waiting_for = running(desk, step, wait, on).await?;
    while let Some(first) = waiting_for.first() {
        if began.elapsed() > Duration::from_secs(wait.seconds_max) {
            let waiting_for = format!("insert {first} to end");
            let (step, replica) = (step.clone(), desk.replica_name(on));
            return Err(ExecuteError::Stalled { step, replica, seconds: wait.seconds_max, waiting_for });
        }
        tokio::time::sleep(POLL).await;
        let now = running(desk, step, wait, on).await?;
        waiting_for.retain(|insert| now.contains(insert));
    }
    Ok(())
}

/// Query ids of the inserts that run on a replica.
pub(super) async fn running<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    wait: &Drain,
    on: ReplicaId,
) -> Result<BTreeSet<String>, ExecuteError> {
    let answer = desk.ask(step, on, &wait.inserts).await?;
    Ok(answer.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
}

/// Waits until every replica has what was in the log when the wait began. Waiting for an empty queue would never end while
/// rows come in.
pub(super) async fn catch_up<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    wait: &CatchUp,
) -> Result<String, ExecuteError> {
    let marks = try_join_all(wait.on.iter().map(|on| desk.ask(step, *on, &wait.mark))).await?;
    let mark = marks.iter().filter_map(|mark| mark.parse::<i64>().ok()).max().unwrap_or(-1);
    try_join_all(wait.on.iter().map(|on| catch_up_on(desk, step, wait, *on, mark))).await?;
    let replicas = count(wait.on.len(), "replica");
    Ok(if mark < 0 {
        format!("nothing to wait for on {replicas}")
    } else {
        format!("{replicas} caught up with log entry {mark}")
    })
}

async fn catch_up_on<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    wait: &CatchUp,
    on: ReplicaId,
    mark: i64,
) -> Result<(), ExecuteError> {
    let mut stall = Stall::new(wait.stall_seconds);
    loop {
        let pointer = desk.ask(step, on, &wait.pointer).await?;
        if pointer.parse::<i64>().is_ok_and(|pointer| pointer > mark) {
            break;
        }
        stall.look(desk, step, on, format!("log pointer {pointer} has not passed {mark}")).await?;
    }
    let mut missing = lines(&desk.ask(step, on, &wait.queue).await?);
    while !missing.is_empty() {
        stall.look(desk, step, on, format!("{} entries of the replication queue", missing.len())).await?;
        let queued = lines(&desk.ask(step, on, &wait.queue).await?);
        missing.retain(|entry| queued.contains(entry));
    }
    Ok(())
}

/// The first probe that does not hold, with the answer, once what ends by itself has had time to.
pub(super) async fn first_lasting<'p, S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    on: ReplicaId,
    probes: &'p [Probe],
) -> Result<Option<(&'p Probe, String)>, ExecuteError> {
    let began = Instant::now();
    loop {
        let failing = engine.first_failing(step, on, probes).await?;
        let may_end = failing.as_ref().is_some_and(|(probe, _)| probe.otherwise == Otherwise::Busy);
        if !may_end || began.elapsed() > BUSY_PATIENCE {
            return Ok(failing);
        }
        tokio::time::sleep(BUSY_POLL).await;
    }
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

    async fn look<S: Servers>(
        &mut self,
        desk: &Desk<'_, S>,
        step: &StepId,
        on: ReplicaId,
        waiting_for: String,
    ) -> Result<(), ExecuteError> {
        if waiting_for != self.last {
            self.last = waiting_for;
            self.since = Instant::now();
        } else if self.since.elapsed() >= Duration::from_secs(self.seconds_max) {
            let (step, replica, waiting_for) = (step.clone(), desk.replica_name(on), waiting_for);
            return Err(ExecuteError::Stalled { step, replica, seconds: self.seconds_max, waiting_for });
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}
