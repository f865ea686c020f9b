//! Carrying out one step, by the kind of its action.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::backfill::backfill;
use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{Reporter, Servers};
use crate::names::ReplicaId;
use crate::plan::{Action, CatchUp, ClonePartitions, Compare, ProbeOn, Step, StepId};

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(200);
/// Partitions listed in a report of differences; the rest is counted.
const DIFFERENCES_SHOWN_MAX: usize = 10;

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
        Action::Compare(compare) => compare_tables(engine, &step.id, compare).await,
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
    Ok(format!("{} conditions hold", asked.len()))
}

async fn clone_partitions<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    clone: &ClonePartitions,
) -> Result<String, ExecuteError> {
    engine.require(step, clone.on, &clone.before).await?;
    let wanted = lines(&engine.ask(step, clone.on, &clone.list).await?);
    for partition in &wanted {
        let done = engine.statement(step, clone.on, &clone.clone.fill(partition)).await;
        // Cloning again is harmless, so the next run simply does it again.
        done.map_err(|source| ExecuteError::Call { step: step.clone(), source })?;
    }
    let cloned = lines(&engine.ask(step, clone.on, &clone.cloned).await?);
    match wanted.difference(&cloned).next() {
        None => Ok(format!("{} partitions cloned", wanted.len())),
        Some(missing) => Err(ExecuteError::InDoubt {
            step: step.clone(),
            replica: engine.replica_name(clone.on),
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
    let marks = try_join_all(wait.on.iter().map(|on| engine.ask(step, *on, &wait.mark))).await?;
    let mark = marks.iter().filter_map(|mark| mark.parse::<u64>().ok()).max().unwrap_or(0);
    try_join_all(wait.on.iter().map(|on| catch_up_on(engine, step, wait, *on, mark))).await?;
    Ok(format!("{} replicas have every part up to log entry {mark}", wait.on.len()))
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
        let pointer = engine.ask(step, on, &wait.pointer).await?;
        if pointer.parse::<u64>().is_ok_and(|pointer| pointer > mark) {
            break;
        }
        stall.look(engine, step, on, format!("log pointer {pointer} has not passed {mark}")).await?;
    }
    let mut missing = lines(&engine.ask(step, on, &wait.queue).await?);
    while !missing.is_empty() {
        stall.look(engine, step, on, format!("{} entries of the replication queue", missing.len())).await?;
        let queued = lines(&engine.ask(step, on, &wait.queue).await?);
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
            let (step, replica, waiting_for) = (step.clone(), engine.replica_name(on), waiting_for);
            return Err(ExecuteError::Stalled { step, replica, seconds: self.seconds_max, waiting_for });
        }
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}

async fn compare_tables<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    compare: &Compare,
) -> Result<String, ExecuteError> {
    let compared = try_join_all(compare.on.iter().map(|on| compare_on(engine, step, compare, *on))).await?;
    let (partitions, rows) = compared.first().copied().unwrap_or_default();
    Ok(format!("{rows} rows in {partitions} partitions agree on {} replicas", compared.len()))
}

/// Number of partitions and rows compared.
async fn compare_on<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    compare: &Compare,
    on: ReplicaId,
) -> Result<(usize, u64), ExecuteError> {
    let left = digests("source", &engine.ask_slowly(step, on, &compare.left).await?);
    let right = digests("shadow", &engine.ask_slowly(step, on, &compare.right).await?);
    let mut differences = differences(&left, &right);
    if differences.is_empty() {
        let rows = left.values().filter_map(|digest| digest.split('\t').next()?.parse::<u64>().ok()).sum();
        return Ok((left.len(), rows));
    }
    let more = differences.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
    differences.truncate(DIFFERENCES_SHOWN_MAX);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    Err(ExecuteError::Verification { step: step.clone(), replica: engine.replica_name(on), differences })
}

/// Partition to `count` and `sum`, as written. A line that cannot be read gets an entry that no other side can equal, so
/// that it is reported and not passed over.
fn digests(side: &str, answer: &str) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for (number, line) in answer.lines().enumerate() {
        let mut fields = line.splitn(2, '\t');
        let (partition, digest) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let readable = digest.split('\t').count() == 2 && digest.split('\t').all(|n| n.parse::<u64>().is_ok());
        if !readable || digests.insert(partition.to_owned(), digest.to_owned()).is_some() {
            digests.insert(format!("(line {} of the {side}'s answer cannot be read)", number + 1), line.to_owned());
        }
    }
    digests
}

/// What differs between two sides, a line a partition.
fn differences(left: &BTreeMap<String, String>, right: &BTreeMap<String, String>) -> Vec<String> {
    let partitions: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let describe = |digest: Option<&String>| match digest.and_then(|digest| digest.split_once('\t')) {
        Some((count, sum)) => format!("{count} rows (sum of hashes {sum})"),
        None if digest.is_some() => "an unreadable answer".to_owned(),
        None => "no rows".to_owned(),
    };
    partitions
        .into_iter()
        .filter(|partition| left.get(*partition) != right.get(*partition))
        .map(|partition| {
            let (left, right) = (describe(left.get(partition)), describe(right.get(partition)));
            format!("partition {partition}: {left} in the source, {right} in the shadow")
        })
        .collect()
}

/// The lines of an answer, as a set.
pub(super) fn lines(answer: &str) -> BTreeSet<String> {
    answer.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_sees_what_is_missing_on_either_side_and_what_differs() {
        let left = digests("source", "202401\t10\t5\n202402\t20\t7\n202403\t1\t1");
        let right = digests("shadow", "202401\t10\t5\n202402\t20\t8\n202404\t2\t2");
        assert_eq!(
            differences(&left, &right),
            [
                "partition 202402: 20 rows (sum of hashes 7) in the source, 20 rows (sum of hashes 8) in the shadow",
                "partition 202403: 1 rows (sum of hashes 1) in the source, no rows in the shadow",
                "partition 202404: no rows in the source, 2 rows (sum of hashes 2) in the shadow",
            ]
        );
        assert!(differences(&left, &left).is_empty());
    }

    #[test]
    fn an_answer_that_cannot_be_read_never_counts_as_agreement() {
        for odd in ["a\nb\t1\t2", "p\t1\t2\np\t1\t2", "p\t1", "p\t1\tNULL"] {
            assert!(!differences(&digests("source", odd), &digests("shadow", odd)).is_empty(), "{odd:?}");
        }
    }
}
