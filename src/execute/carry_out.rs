//! Carrying out one step, by the kind of its action.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::agree::agree;
use super::backfill::backfill;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::{catch_up, drain};
use super::mutations::await_mutations;
use super::ports::{Reporter, Servers};
use super::ready::ready;
use super::redistribute::redistribute;
use super::settle::settle;
use super::swap::swap;
use super::unread::unread;
use crate::plan::{Action, ProbeOn, Step, StepId};

/// Carries out a step and says in a few words what was seen.
pub(super) async fn carry_out<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    resumed: bool,
) -> Result<String, ExecuteError> {
    act(engine, step, &step.action, resumed).await
}

/// Does what an action says, on behalf of a step.
pub(super) async fn act<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    action: &Action,
    resumed: bool,
) -> Result<String, ExecuteError> {
    match action {
        Action::Gate { gate } => Ok(format!("{gate} was approved")),
        Action::Check { probes } => check(engine, &step.id, probes).await,
        Action::Run { one_by_one, runs } => engine.run_all(&step.id, runs, *one_by_one, resumed).await,
        Action::Settle(work) => settle(engine, step, work).await,
        Action::Swap(work) => swap(engine, step, work, resumed).await,
        Action::Backfill(work) => backfill(engine, step, work).await,
        Action::Redistribute(work) => redistribute(engine, step, work).await,
        Action::CatchUp(wait) => catch_up(&engine.desk, &step.id, wait).await,
        Action::Drain(wait) => drain(&engine.desk, &step.id, wait).await,
        Action::AwaitMutations(wait) => await_mutations(engine, step, wait).await,
        Action::Unread(work) => unread(engine, step, work).await,
        Action::Compare(compare) => agree(engine, step, compare, compare.truth).await,
        Action::Ready(work) => ready(engine, step, work).await,
    }
}

pub(super) async fn check<S: Servers, R: Reporter>(
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

/// The lines of an answer, as a set.
pub(super) fn lines(answer: &str) -> BTreeSet<String> {
    answer.lines().map(str::to_owned).collect()
}
