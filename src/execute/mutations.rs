//! Waiting for mutations: until each that a replica has taken since the plan was made is done on all replicas of its shard.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{News, Reporter, Servers};
use crate::names::ReplicaId;
use crate::plan::{AwaitMutations, MutationGroup, Step};
use crate::words::count;

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(250);
/// How often it tells how far the servers have come.
const TELL: Duration = Duration::from_secs(2);

/// A mutation as a replica lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mutation {
    done: bool,
    parts: u64,
    command: String,
    fails: String,
}

/// By id; an ALTER of several commands has several, with one id.
type Listed = BTreeMap<String, Vec<Mutation>>;

/// Waits for every group, and says how many mutations were waited for.
pub(super) async fn await_mutations<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    wait: &AwaitMutations,
) -> Result<String, ExecuteError> {
    let places = wait.groups.iter().flat_map(|group| group.on.iter().map(move |on| (group, *on)));
    let waits: Vec<_> = places.map(|(group, on)| Waiting { engine, step, wait, group, on }.until_done()).collect();
    let (replicas, done) = (waits.len(), try_join_all(waits).await?);
    Ok(match done.iter().max() {
        Some(0) | None => format!("no mutation is unfinished on {}", count(replicas, "replica")),
        Some(most) => format!("{} done on {}", count(*most, "mutation"), count(replicas, "replica")),
    })
}

struct Waiting<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
    wait: &'a AwaitMutations,
    group: &'a MutationGroup,
    on: ReplicaId,
}

impl<S: Servers, R: Reporter> Waiting<'_, '_, S, R> {
    async fn until_done(self) -> Result<u64, ExecuteError> {
        // What the replica that took the statement knows, the others may not have heard of yet.
        let wanted = self.list(self.group.by).await?;
        let (mut last, mut since, mut told) = (String::new(), Instant::now(), Instant::now());
        loop {
            let here = self.list(self.on).await?;
            let open = unfinished(&wanted, &here);
            if open.is_empty() {
                return Ok(wanted.len() as u64);
            }
            let parts: u64 = open.iter().map(|(_, mutation)| mutation.parts).sum();
            let progress = self.engine.desk.ask(&self.step.id, self.on, &self.wait.progress).await?;
            let now = format!("{} {parts} {progress}", open.len());
            if now != last {
                (last, since) = (now, Instant::now());
            }
            self.give_up(&open, since.elapsed())?;
            if told.elapsed() >= TELL {
                told = Instant::now();
                let replica = self.engine.desk.replica_name(self.on);
                self.engine.report(News::Mutating { step: self.step, replica: &replica, parts });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends the wait where a mutation fails again and again, or nothing moves.
    fn give_up(&self, open: &[(String, Mutation)], still: Duration) -> Result<(), ExecuteError> {
        let failing = open.iter().find(|(_, mutation)| !mutation.fails.is_empty());
        let patience = if failing.is_some() { self.wait.fail_seconds } else { self.wait.stall_seconds };
        let Some((id, mutation)) = failing.or(open.first()).filter(|_| still.as_secs() >= patience) else {
            return Ok(());
        };
        let what = if mutation.fails.is_empty() {
            format!("{} to do, and nothing has moved for {patience} s", count(mutation.parts, "part"))
        } else {
            mutation.fails.clone()
        };
        let by_hand = self.wait.kill.as_ref().map(|sql| format!("; to end it by hand: {sql}")).unwrap_or_default();
        Err(ExecuteError::Mutation {
            step: self.step.id.clone(),
            replica: self.engine.desk.replica_name(self.on),
            mutation: format!("{id} ({})", mutation.command),
            reason: what + &by_hand,
        })
    }

    async fn list(&self, on: ReplicaId) -> Result<Listed, ExecuteError> {
        let answer = self.engine.desk.ask(&self.step.id, on, &self.group.list).await?;
        let mut listed = Listed::new();
        for line in answer.lines() {
            let (id, mutation) = mutation(line).ok_or_else(|| self.engine.desk.unreadable(&self.step.id, on, line))?;
            listed.entry(id).or_default().push(mutation);
        }
        Ok(listed)
    }
}

fn mutation(line: &str) -> Option<(String, Mutation)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [id, done, parts, command, fails] = fields[..] else { return None };
    let mutation = Mutation {
        done: done == "1",
        parts: parts.parse().ok()?,
        command: command.to_owned(),
        fails: fails.to_owned(),
    };
    Some((id.to_owned(), mutation))
}

/// Mutations that are wanted and that a replica has not done, or has not heard of; and any other that it has not done, since
/// those come in turn.
fn unfinished(wanted: &Listed, here: &Listed) -> Vec<(String, Mutation)> {
    let unknown = wanted.iter().filter(|(id, _)| !here.contains_key(*id));
    let open = here.iter().flat_map(|(id, all)| all.iter().filter(|one| !one.done).map(move |one| (id, one)));
    let unknown = unknown.filter_map(|(id, all)| Some((id, all.first()?)));
    unknown.chain(open).map(|(id, one)| (id.clone(), one.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(lines: &[&str]) -> Listed {
        let mut listed = Listed::new();
        for line in lines {
            let (id, mutation) = mutation(line).unwrap();
            listed.entry(id).or_default().push(mutation);
        }
        listed
    }

    #[test]
    fn a_mutation_that_a_replica_has_not_heard_of_is_not_done_there() {
        let by = listed(&["7\t1\t0\tDROP COLUMN a\t"]);
        assert_eq!(unfinished(&by, &listed(&[])).len(), 1);
        assert_eq!(unfinished(&by, &listed(&["7\t0\t3\tDROP COLUMN a\tno memory"]))[0].1.fails, "no memory");
        assert_eq!(unfinished(&by, &by), []);
        assert_eq!(mutation("7\t1\tx\tDROP\t"), None);
    }
}
