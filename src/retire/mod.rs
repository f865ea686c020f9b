//! Columns that are to be dropped once nobody reads them: who does.
//!
//! Pure: values in, values out. What the servers' logs are asked is in the plan ([`crate::plan::Unread`]); here their answers are
//! read ([`Answer`]), each query is understood ([`how`]) by the names that lead to the table on its replica ([`Paths`]), and it is
//! judged ([`held`]) whether the columns may go. Who asks is in `execute::unread`. `docs/retire.md` has what counts as a read.

mod answer;
mod how;
mod paths;
mod verdict;

pub use answer::{Answer, Unreadable, definitions, found};
pub use how::how;
pub use paths::Paths;
pub use verdict::{Held, flaw, flaw_of_others, held};

#[cfg(test)]
mod tests;
