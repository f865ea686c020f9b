//! Compares sorting keys by the queries that are really run.
//!
//! Pure: values in, values out. What is asked of a table comes from the servers' logs ([`Logged`]) or from a file ([`statements`]);
//! it is grouped ([`Workload`]) and aimed at twins ([`Aimed`]), tables with other keys and a sample of the rows, whose definitions
//! ([`Plan`]) and granules ([`Scale`]) are made here. Who makes the twins and asks them is in `cli::commands::evaluate`.
//! `docs/evaluate.md` has the method.

mod aim;
mod display;
mod key;
mod predicate;
mod reach;
mod report;
mod scale;
mod search;
mod skip_index;
mod text;
mod twin;
mod verdict;
mod workload;

pub use aim::{Aimed, Unaimed, aim};
pub use display::tables;
pub use key::{Key, KeyError, projections_spared};
pub use predicate::Conditions;
pub use reach::{Defined, Reach, Way};
pub use report::{
    Alternative, Candidate, Coverage, FORMAT_VERSION, Measured, NotCovered, QueryReport, Reads, Report, Suggested,
    queries, weighted, weighted_bytes, whole,
};
pub use scale::{Scale, Volume};
pub use search::{Ground as SearchGround, Need, Search};
pub use skip_index::{SkipIndex, skip_indexes};
pub use text::{Written, normal_form, statements};
pub use twin::{Dialect, OWNER_TABLE, Plan, SCRATCH_PREFIX, holds_sample};
pub use verdict::NoVerdict;
pub use workload::{EXAMPLES_MAX, Example, Group, Logged, Rest, Workload};
