//! Looking at a change on a cluster before anything is planned: what it would do, and what speaks against it.

mod finding;

pub use finding::{Finding, Severity};
