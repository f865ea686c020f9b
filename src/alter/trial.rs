//! What a server made of an order, on an empty table of the same definition: the definitions that a plan expects, and the way
//! back that was seen to lead back.

use super::mutation::marked;
use super::{Back, Order, Place, Stage};
use crate::ddl::with_body_of;

/// The mark on trial: no plan has this id.
const TRIAL_ID: &str = "00000000";

/// An order after its trial.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The order.
    pub order: Order,
    /// What each stage comes to; stages that change nothing are left out.
    pub stages: Vec<Altered>,
}

/// A stage after its trial. Definitions are those of the table on trial; see [`Altered::expected`].
#[derive(Debug, Clone)]
pub struct Altered {
    /// The stage.
    pub stage: Stage,
    /// Whether no stage comes before it on this table.
    pub is_first: bool,
    /// The definition before.
    pub before: String,
    /// The definition after.
    pub after: String,
    /// What leads back to the definition before, if anything does.
    pub way_back: Option<String>,
}

impl Altered {
    /// A table's definition once this is done, or taken back, in the server's words for that table.
    pub fn expected(live: &str, on_trial: &str) -> String {
        // What cannot be cut was never tried.
        with_body_of(live, on_trial).unwrap_or_else(|_| live.to_owned())
    }

    /// Whether the stage does anything.
    pub fn changes(&self) -> bool {
        self.before != self.after || !self.stage.mutations.is_empty()
    }

    /// When its turn comes.
    pub fn place(&self) -> Place {
        self.stage.place
    }
}

/// The stages themselves.
pub(super) fn forward(stages: &[Stage]) -> Vec<String> {
    stages.iter().map(|stage| marked(&stage.sql, TRIAL_ID)).collect()
}

/// What is run after each other on the empty table to try an order's stages: the stages, and for each way back of the last one
/// of them a trial of its own.
pub fn trials_of(stages: &[Stage]) -> Vec<Vec<String>> {
    let forward = forward(stages);
    let ways: &[String] = match stages.last().map(|stage| &stage.back) {
        Some(Back::Ways(ways)) => ways,
        Some(Back::Mutation(sql, _)) => std::slice::from_ref(sql),
        _ => &[],
    };
    if ways.is_empty() {
        return vec![forward];
    }
    ways.iter().map(|way| forward.iter().cloned().chain([way.clone()]).collect()).collect()
}
