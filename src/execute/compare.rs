//! Comparing source and shadow, and definitions with those wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::agree::look;
use super::desk::Desk;
use super::error::ExecuteError;
use super::ports::Servers;
use crate::names::ReplicaId;
use crate::plan::{Action, Compare, Phase, Plan, ProbeOn, Step, StepId, Truth};
use crate::words::count;

/// Partitions listed in a report of differences; the rest is counted.
const DIFFERENCES_SHOWN_MAX: usize = 10;

/// What stands for a partition where a line cannot be read; no label of a partition begins so.
const UNREADABLE: &str = "(!) (";

/// Compares source and shadow of a plan now, shard by shard, as its step `verify` does. Changes nothing, needs no journal.
/// Gives a line of evidence for each shard. Once names are `swapped`, the old data may have a row more often than the new table.
pub async fn verify<S: Servers>(plan: &Plan, servers: &S, swapped: bool) -> Result<Vec<String>, ExecuteError> {
    let desk = Desk::new(plan, servers);
    let mut evidence = Vec::new();
    for step in plan.steps.iter().filter(|step| is_verification(plan, step)) {
        match &step.action {
            Action::Compare(compare) => {
                let truth = if swapped { Truth::TwoCopies } else { compare.truth };
                let seen = look(&desk, &step.id, compare, truth).await?;
                evidence.push(format!("{}: {seen}", step.id));
            }
            Action::Check { probes } => {
                hold_now(&desk, &step.id, probes).await?;
                evidence.push(format!("{}: {} as wanted", step.id, count(probes.len(), "condition")));
            }
            _ => {}
        }
    }
    Ok(evidence)
}

/// A rebuild compares in its phase for that; where definitions change, the last checks say what is wanted.
fn is_verification(plan: &Plan, step: &Step) -> bool {
    match plan.rebuild() {
        Some(_) => step.phase == Phase::Verify,
        None if plan.reshard().is_some() => step.phase == Phase::Reconcile,
        None => step.phase > Phase::Alter && matches!(step.action, Action::Check { .. }),
    }
}

/// Asks now, and waits for nothing.
async fn hold_now<S: Servers>(desk: &Desk<'_, S>, step: &StepId, probes: &[ProbeOn]) -> Result<(), ExecuteError> {
    for ProbeOn { on, probe } in probes {
        for replica in on {
            let found = desk.ask(step, *replica, &probe.sql).await?;
            if found != probe.expect {
                return Err(desk.drift(step, *replica, probe, found));
            }
        }
    }
    Ok(())
}

/// What the digests of all partitions tell.
#[derive(Debug)]
pub(super) struct Differing {
    pub(super) partitions: usize,
    pub(super) rows: u64,
    /// The partitions whose digests differ.
    pub(super) unequal: Vec<String>,
    /// The same for people.
    pub(super) report: Vec<String>,
}

/// Compares digests partition by partition. Digests that were not taken at the same time differ where rows come in; those that
/// agree prove that every row the left table had is in the right one.
pub(super) async fn differing<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    compare: &Compare,
    on: ReplicaId,
) -> Result<Differing, ExecuteError> {
    let left = digests("source", &desk.ask_slowly(step, on, &compare.left).await?);
    let right = digests("shadow", &desk.ask_slowly(step, on, &compare.right).await?);
    let mut report = differences(&left, &right);
    let more = report.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
    report.truncate(DIFFERENCES_SHOWN_MAX);
    if more > 0 {
        report.push(format!("and {more} more"));
    }
    if left.keys().chain(right.keys()).any(|partition| partition.starts_with(UNREADABLE)) {
        let (step, replica) = (step.clone(), desk.replica_name(on));
        return Err(ExecuteError::Verification { step, replica, differences: report });
    }
    let all: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let unequal = all.into_iter().filter(|partition| left.get(*partition) != right.get(*partition)).cloned().collect();
    let rows = left.values().filter_map(|digest| digest.split('\t').next()?.parse::<u64>().ok()).sum();
    Ok(Differing { partitions: left.len(), rows, unequal, report })
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
            digests.insert(
                format!("{UNREADABLE}line {} of the {side}'s answer cannot be read)", number + 1),
                line.to_owned(),
            );
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
