//! The journal: what has been done of a plan, written before and after every act.
//!
//! [`replay`](Progress::replay) is pure; only [`File`] touches the disk.

mod file;
mod progress;
mod record;

pub use file::{File, JournalError, is_locked, read};
pub use progress::{Chunk, Direction, Progress, ReplayError, StepState};
pub use record::{Approval, Event, Record};
