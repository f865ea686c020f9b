//! What writers and readers met, by phase of the run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Texts of different errors that are kept.
const TEXTS_MAX: usize = 40;

/// The figures of one phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    /// How long it lasted.
    pub(crate) took: Duration,
    /// Inserts acknowledged.
    pub(crate) inserts: u64,
    /// The longest insert, retries not counted in, that began in the phase.
    pub(crate) longest_write: Duration,
    pub(crate) write_errors: u64,
    pub(crate) reads: u64,
    pub(crate) longest_read: Duration,
    pub(crate) read_errors: u64,
    /// Answers in which rows that have always been there were missing or doubled.
    pub(crate) wrong: u64,
    /// Answers in which rows acknowledged just before were missing or doubled.
    pub(crate) unsettled: u64,
}

/// What an insert or a read came to.
#[derive(Debug, Clone)]
pub(crate) enum Met {
    Inserted,
    WriteError(String),
    Read,
    ReadError(String),
    Wrong(String),
    Unsettled(String),
}

/// The figures of a run, while it runs.
pub(crate) struct Board {
    inner: Mutex<Inner>,
}

struct Inner {
    phases: Vec<(&'static str, Figures)>,
    began: Instant,
    texts: BTreeMap<String, u64>,
}

impl Board {
    pub(crate) fn new(phase: &'static str) -> Self {
        let inner = Inner { phases: vec![(phase, Figures::default())], began: Instant::now(), texts: BTreeMap::new() };
        Self { inner: Mutex::new(inner) }
    }

    /// What begins from now on belongs to this phase.
    pub(crate) fn phase(&self, name: &'static str) {
        let mut inner = self.lock();
        inner.close();
        inner.phases.push((name, Figures::default()));
    }

    /// What was met so far of what began in this phase.
    pub(crate) fn figures(&self) -> Figures {
        self.lock().phases.last().map(|(_, figures)| figures.clone()).unwrap_or_default()
    }

    /// The number of the phase, for what begins now.
    pub(crate) fn now(&self) -> usize {
        self.lock().phases.len() - 1
    }

    /// Counts what began in a phase.
    pub(crate) fn met(&self, phase: usize, took: Duration, met: Met) {
        let mut inner = self.lock();
        let (name, figures) = &mut inner.phases[phase];
        let text = match met {
            Met::Inserted => {
                figures.inserts += 1;
                figures.longest_write = figures.longest_write.max(took);
                return;
            }
            Met::Read => {
                figures.reads += 1;
                figures.longest_read = figures.longest_read.max(took);
                return;
            }
            Met::WriteError(text) => {
                figures.write_errors += 1;
                format!("{name}: write: {text}")
            }
            Met::ReadError(text) => {
                figures.read_errors += 1;
                format!("{name}: read: {text}")
            }
            Met::Wrong(text) => {
                figures.wrong += 1;
                format!("{name}: wrong: {text}")
            }
            Met::Unsettled(text) => {
                figures.unsettled += 1;
                format!("{name}: unsettled: {text}")
            }
        };
        if inner.texts.len() < TEXTS_MAX || inner.texts.contains_key(&text) {
            *inner.texts.entry(text).or_default() += 1;
        }
    }

    /// All phases in order, and every text with how often it was met.
    pub(crate) fn close(&self) -> (Vec<(&'static str, Figures)>, BTreeMap<String, u64>) {
        let mut inner = self.lock();
        inner.close();
        (inner.phases.clone(), inner.texts.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn close(&mut self) {
        if let Some((_, last)) = self.phases.last_mut() {
            last.took = self.began.elapsed();
        }
        self.began = Instant::now();
    }
}
