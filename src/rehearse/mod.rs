//! Rehearsing a plan on another cluster: what must be made there, with what it is filled, how the plan's steps are turned to
//! it, what its writers are owed, and what is reported. All of it pure; `dry-run` in the command line carries it out with the very engine of `execute`.

mod account;
mod adapt;
mod again;
mod dialect;
mod fill;
mod leftovers;
mod recreate;
mod report;
mod stand_in;
#[cfg(test)]
mod tests;

pub use account::{Account, Deviation, Span};
pub use adapt::{Adapted, Target, Words, adapt};
pub use again::{Touched, stand_in_for, touched};
pub use fill::{Fill, fill};
pub use leftovers::{MARKERS, is_own, marker, names};
pub use recreate::{Made, create_database, databases, recreate, view_targets};
pub use report::{FORMAT_VERSION, Ledger, Report, StepOutcome, Verdict};
