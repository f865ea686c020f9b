//! How far a plan has come, from the records of its journal.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Approval, Event, Record};
use crate::plan::{Gate, StepId};

/// How far a plan has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// SHA-256 of the plan that the journal belongs to; empty before the first record.
    pub plan_sha256: String,
    /// Which way the plan is going.
    pub direction: Direction,
    /// Whether a person gave a reason why differences do not matter to the rollback under way.
    pub despite_differences: bool,
    /// How often the plan has been rolled back entirely.
    pub rollbacks: u32,
    /// Gates that a person approved and that no rollback has closed again.
    pub approvals: BTreeMap<Gate, Approval>,
    /// The greatest fencing token that a run took the lock with.
    pub token: u64,
    runs: BTreeSet<String>,
    steps: BTreeMap<StepId, StepState>,
    chunks: BTreeMap<StepId, BTreeMap<String, Chunk>>,
    marks: BTreeMap<StepId, [BTreeSet<String>; 2]>,
    postponed: BTreeMap<StepId, String>,
    next_seq: u64,
}

/// Which way a plan is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Nothing has been done, or all of it has been undone.
    #[default]
    AtRest,
    /// Steps are carried out.
    Forward,
    /// Steps are undone.
    Back,
}

/// Where one step stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StepState {
    /// Not begun, or undone.
    #[default]
    Pending,
    /// Begun, outcome unknown: in doubt until somebody has looked.
    Started,
    /// Done.
    Done {
        /// How long it took.
        milliseconds: u64,
        /// What was seen.
        evidence: String,
    },
    /// Failed, with the error.
    Failed(String),
    /// Its undoing has begun, outcome unknown.
    Undoing,
}

/// How far a chunk of a backfill has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunk {
    /// Partitions whose attaching began.
    pub attaching: BTreeSet<String>,
    /// Partitions known to be attached.
    pub attached: BTreeSet<String>,
    /// Rows, once all of it is attached.
    pub done: Option<u64>,
}

/// A journal that tells an impossible story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} of the journal cannot follow what stands before it: {reason}")]
pub struct ReplayError {
    /// The record's number.
    pub seq: u64,
    /// What is wrong.
    pub reason: String,
}

impl Progress {
    /// Reads a journal from its beginning.
    pub fn replay(records: &[Record]) -> Result<Self, ReplayError> {
        let mut progress = Self::default();
        for record in records {
            if record.seq != progress.next_seq {
                let reason = format!("number {} was expected", progress.next_seq);
                return Err(ReplayError { seq: record.seq, reason });
            }
            progress.apply(&record.event).map_err(|reason| ReplayError { seq: record.seq, reason })?;
            progress.next_seq += 1;
        }
        Ok(progress)
    }

    /// The number that the next record must bear.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Adds one event that has just been written to the journal.
    pub fn advance(&mut self, event: &Event) -> Result<(), ReplayError> {
        self.apply(event).map_err(|reason| ReplayError { seq: self.next_seq, reason })?;
        self.next_seq += 1;
        Ok(())
    }

    /// Whether a run wrote to this journal.
    pub fn knows_run(&self, run: &str) -> bool {
        self.runs.contains(run)
    }

    /// Where a step stands.
    pub fn step(&self, id: &StepId) -> &StepState {
        self.steps.get(id).unwrap_or(&StepState::Pending)
    }

    /// Whether a step is done.
    pub fn is_done(&self, id: &StepId) -> bool {
        matches!(self.step(id), StepState::Done { .. })
    }

    /// Steps that left a mark on the cluster or may have: everything but pending ones.
    pub fn touched(&self) -> impl Iterator<Item = (&StepId, &StepState)> {
        self.steps.iter().filter(|(_, state)| **state != StepState::Pending)
    }

    /// How far a chunk has come.
    pub fn chunk(&self, step: &StepId, chunk: &str) -> Chunk {
        self.chunks.get(step).and_then(|chunks| chunks.get(chunk)).cloned().unwrap_or_default()
    }

    /// The chunks of a step that were begun, with how far they have come.
    pub fn chunks(&self, step: &StepId) -> impl Iterator<Item = (&str, &Chunk)> {
        self.chunks.get(step).into_iter().flatten().map(|(name, chunk)| (name.as_str(), chunk))
    }

    /// Rows and number of the chunks of a step that are done.
    pub fn chunks_done(&self, step: &StepId) -> (u64, usize) {
        let done = self.chunks(step).filter_map(|(_, chunk)| chunk.done);
        done.fold((0, 0), |(rows, count), more| (rows + more, count + 1))
    }

    /// The parts that the old and the new table had when a step wrote them down.
    pub fn marks(&self, step: &StepId) -> Option<&[BTreeSet<String>; 2]> {
        self.marks.get(step)
    }

    /// What holds a step up that was asked for last, and when to ask again.
    pub fn postponed(&self, step: &StepId) -> Option<&str> {
        self.postponed.get(step).map(String::as_str)
    }

    fn apply(&mut self, event: &Event) -> Result<(), String> {
        if let Event::Opened { plan_sha256 } = event {
            if self.next_seq != 0 {
                return Err("only the first record opens a journal".to_owned());
            }
            self.plan_sha256.clone_from(plan_sha256);
            return Ok(());
        }
        if self.next_seq == 0 {
            return Err("the first record must open the journal".to_owned());
        }
        match event {
            Event::Opened { .. } => {}
            Event::RunStarted { run, token, .. } => {
                self.token = self.token.max(*token);
                self.runs.insert(run.clone());
            }
            Event::Approved(approval) => {
                self.approvals.insert(approval.gate, approval.clone());
            }
            Event::Marked { step, old, new } => {
                let marks = [old, new].map(|parts| parts.iter().cloned().collect());
                self.marks.insert(step.clone(), marks);
            }
            Event::ChunkStarted { step, chunk } => {
                self.expect_started(step)?;
                self.chunks.entry(step.clone()).or_default().insert(chunk.clone(), Chunk::default());
            }
            Event::Attaching { step, chunk, partition } => {
                self.chunk_mut(step, chunk)?.attaching.insert(partition.clone());
            }
            Event::Attached { step, chunk, partition } => {
                self.chunk_mut(step, chunk)?.attached.insert(partition.clone());
            }
            Event::ChunkDone { step, chunk, rows } => self.chunk_mut(step, chunk)?.done = Some(*rows),
            Event::RollbackStarted { despite_differences } => {
                self.direction = Direction::Back;
                self.despite_differences = despite_differences.is_some();
            }
            Event::RolledBack => {
                let rollbacks = self.rollbacks + 1;
                let plan_sha256 = std::mem::take(&mut self.plan_sha256);
                let (token, runs) = (self.token, std::mem::take(&mut self.runs));
                *self = Self { plan_sha256, rollbacks, token, runs, next_seq: self.next_seq, ..Self::default() };
            }
            Event::Started { step }
            | Event::Done { step, .. }
            | Event::Failed { step, .. }
            | Event::Postponed { step, .. }
            | Event::Lapsed { step }
            | Event::Undoing { step }
            | Event::Undone { step } => self.move_step(step, event)?,
        }
        Ok(())
    }

    fn move_step(&mut self, step: &StepId, event: &Event) -> Result<(), String> {
        let next = next_state(self.step(step), self.direction, event).map_err(|reason| format!("{step}: {reason}"))?;
        if self.direction == Direction::AtRest {
            self.direction = Direction::Forward;
        }
        if next == StepState::Pending {
            self.chunks.remove(step);
        }
        match event {
            Event::Postponed { why, again, .. } => _ = self.postponed.insert(step.clone(), format!("{why}; {again}")),
            _ => _ = self.postponed.remove(step),
        }
        // A step that is undone marks what is there by then.
        let was_done = matches!(self.step(step), StepState::Done { .. });
        if next == StepState::Pending || was_done && next == StepState::Undoing {
            self.marks.remove(step);
        }
        self.steps.insert(step.clone(), next);
        Ok(())
    }

    fn expect_started(&self, step: &StepId) -> Result<(), String> {
        match self.step(step) {
            StepState::Started => Ok(()),
            _ => Err(format!("{step}: a chunk of a step that has not been started")),
        }
    }

    fn chunk_mut(&mut self, step: &StepId, chunk: &str) -> Result<&mut Chunk, String> {
        self.expect_started(step)?;
        self.chunks
            .get_mut(step)
            .and_then(|chunks| chunks.get_mut(chunk))
            .ok_or_else(|| format!("{step}: chunk {chunk} was never started"))
    }
}

/// The legal life of a step.
fn next_state(state: &StepState, direction: Direction, event: &Event) -> Result<StepState, &'static str> {
    use StepState::{Done, Failed, Pending, Started, Undoing};
    match (state, event) {
        (Pending | Started | Failed(_), Event::Started { .. }) if direction != Direction::Back => Ok(Started),
        (Started, Event::Done { milliseconds, evidence, .. }) => {
            Ok(Done { milliseconds: *milliseconds, evidence: evidence.clone() })
        }
        (Started | Undoing, Event::Failed { error, .. }) => Ok(Failed(error.clone())),
        (Started | Done { .. } | Failed(_) | Undoing, Event::Undoing { .. }) if direction == Direction::Back => {
            Ok(Undoing)
        }
        (Done { .. }, Event::Lapsed { .. }) | (Started, Event::Postponed { .. }) if direction != Direction::Back => {
            Ok(Pending)
        }
        (Undoing, Event::Undone { .. }) => Ok(Pending),
        (_, Event::Started { .. }) => Err("started though it is done or being undone"),
        (_, Event::Done { .. }) => Err("done though it was not started"),
        (_, Event::Failed { .. }) => Err("failed though nothing of it was under way"),
        (_, Event::Postponed { .. }) => Err("postponed though it was not started, or in a rollback"),
        (_, Event::Lapsed { .. }) => Err("lapsed though it was not done, or in a rollback"),
        (_, Event::Undoing { .. }) => Err("undone though it was not begun, or outside a rollback"),
        _ => Err("undone though its undoing had not begun"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_postponed_is_pending_and_tells_why_until_it_is_asked_again() {
        let step = StepId::new("alter.unread");
        let mut progress = Progress::default();
        let started = Event::Started { step: step.clone() };
        let postponed =
            Event::Postponed { step: step.clone(), why: "somebody reads it".to_owned(), again: "later".to_owned() };
        progress.advance(&Event::Opened { plan_sha256: "0".to_owned() }).unwrap();
        assert!(progress.advance(&postponed).is_err(), "it was not asked");
        for event in [&started, &postponed] {
            progress.advance(event).unwrap();
        }
        assert_eq!(progress.step(&step), &StepState::Pending);
        assert_eq!(progress.postponed(&step), Some("somebody reads it; later"));
        progress.advance(&started).unwrap();
        assert_eq!(progress.postponed(&step), None);
        let done = Event::Done { step: step.clone(), milliseconds: 1, evidence: String::new() };
        progress.advance(&done).unwrap();
        assert!(progress.advance(&postponed).is_err(), "it is done");
    }
}
