//! Carrying out a plan. [`forward`] and [`backward`] decide what is next and are pure; the [`Engine`] does it through
//! the ports that it is given.
//!
//! Every act goes: look whether it has been done, check what must hold, write to the journal, act, look again. A crash at any
//! moment therefore leaves either nothing, or something that looking tells.

mod agree;
mod backfill;
mod carry_out;
mod compare;
mod desk;
mod engine;
mod error;
#[cfg(test)]
mod fake;
mod hold;
mod landing;
mod mutations;
mod next_move;
mod pace;
mod part;
mod place;
mod ports;
mod ready;
mod redistribute;
mod renew;
mod repair;
mod runs;
mod settle;
mod sides;
mod slices;
mod stillness;
mod swap;
mod take_back;
#[cfg(test)]
mod tests;
mod unread;
mod unseen;
mod watch;

pub use compare::verify;
pub use engine::{Engine, Outcome, Until};
pub use error::ExecuteError;
pub use next_move::{Next, backward, forward, outdated, point_of_no_return, unproven};
pub use ports::{Approver, Call, CallError, CallSession, Clock, Decision, News, Pace, Reporter, Servers, step_prefix};
pub use unread::{Logs, usage};
