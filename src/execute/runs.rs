//! Running statements on replicas so that each of them happens once: look, run, look again.

use futures_util::future::try_join_all;

use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::first_lasting;
use super::ports::{CallError, Reporter, Servers};
use crate::names::ReplicaId;
use crate::plan::{Probe, Run, StepId, Strategy};

/// How running on one replica went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ran {
    /// It had been done before.
    Already,
    /// It was done now.
    Now,
}

impl<S: Servers, R: Reporter> Engine<'_, S, R> {
    /// Runs the statements wherever they have not been run yet. `resumed` says that an earlier run may have been at it.
    pub(super) async fn run_all(
        &self,
        step: &StepId,
        runs: &[Run],
        one_by_one: bool,
        resumed: bool,
    ) -> Result<String, ExecuteError> {
        let places = runs.iter().flat_map(|run| run.on.iter().map(move |replica| (*replica, run)));
        let outcomes = if one_by_one {
            let mut outcomes = Vec::new();
            for (replica, run) in places {
                outcomes.push(self.run_on(step, replica, run, resumed).await?);
            }
            outcomes
        } else {
            try_join_all(places.map(|(replica, run)| self.run_on(step, replica, run, resumed))).await?
        };
        let already = outcomes.iter().filter(|ran| **ran == Ran::Already).count();
        Ok(match already {
            0 => format!("done on {} of {}", outcomes.len(), outcomes.len()),
            _ => format!("done on {} of {}, of which {already} had been done before", outcomes.len(), outcomes.len()),
        })
    }

    async fn run_on(&self, step: &StepId, on: ReplicaId, run: &Run, resumed: bool) -> Result<Ran, ExecuteError> {
        if self.first_failing(step, on, &run.after).await?.is_none() {
            return Ok(Ran::Already);
        }
        if let Some((probe, found)) = first_lasting(self, step, on, &run.before).await? {
            let in_doubt = resumed && !probe.otherwise.forbids_return();
            return Err(self.unexpected(step, on, probe, found, in_doubt));
        }
        for sql in &run.sql {
            // Old servers answer an ALTER that rewrites parts when all are written.
            let sent = if self.desk.plan.strategy == Strategy::Mutation {
                self.desk.statement_slowly(step, on, sql).await
            } else {
                self.desk.statement(step, on, sql).await
            };
            if let Err(source) = sent {
                return self.look_after_failure(step, on, run, source).await;
            }
        }
        // What a server does after it has answered is waited for, where the probe says so.
        match first_lasting(self, step, on, &run.after).await? {
            None => Ok(Ran::Now),
            Some((probe, found)) => Err(self.unexpected(step, on, probe, found, true)),
        }
    }

    /// A condition does not hold. Where something may have been half done that is doubt; otherwise somebody else did it.
    fn unexpected(&self, step: &StepId, on: ReplicaId, probe: &Probe, found: String, in_doubt: bool) -> ExecuteError {
        if !in_doubt {
            return self.desk.drift(step, on, probe, found);
        }
        let Probe { says, expect, .. } = probe;
        let reason = format!("it should hold that {says}: expected {expect:?}, found {found:?}");
        ExecuteError::InDoubt { step: step.clone(), replica: self.desk.replica_name(on), reason }
    }

    /// An error is not a "no": the connection may have gone after the server did what it was told. So look.
    async fn look_after_failure(
        &self,
        step: &StepId,
        on: ReplicaId,
        run: &Run,
        source: CallError,
    ) -> Result<Ran, ExecuteError> {
        if source.outcome_unknown {
            let ended = self.desk.servers.end_leftovers(on, &self.desk.own_prefix(step)).await;
            ended.map_err(|source| ExecuteError::Leftover { step: step.clone(), source })?;
        }
        match self.first_failing(step, on, &run.after).await {
            Ok(None) => Ok(Ran::Now),
            Ok(Some(_)) => {
                // Looked at, and it was not done: known, whatever the connection said.
                Err(ExecuteError::Call { step: step.clone(), source: CallError { outcome_unknown: false, ..source } })
            }
            Err(_) => Err(ExecuteError::Call { step: step.clone(), source }),
        }
    }

    /// The first probe whose answer is not the expected one, with the answer.
    pub(super) async fn first_failing<'p>(
        &self,
        step: &StepId,
        on: ReplicaId,
        probes: &'p [Probe],
    ) -> Result<Option<(&'p Probe, String)>, ExecuteError> {
        for probe in probes {
            let found = self.desk.ask(step, on, &probe.sql).await?;
            if found != probe.expect {
                return Ok(Some((probe, found)));
            }
        }
        Ok(None)
    }

    /// Refuses to go on unless all of these hold.
    pub(super) async fn require(&self, step: &StepId, on: ReplicaId, probes: &[Probe]) -> Result<(), ExecuteError> {
        match first_lasting(self, step, on, probes).await? {
            None => Ok(()),
            Some((probe, found)) => Err(self.unexpected(step, on, probe, found, false)),
        }
    }
}
