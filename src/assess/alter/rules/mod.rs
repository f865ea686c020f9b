//! The rules about ALTERs, one file each. `docs/findings.md` has a section for each code.

use super::AlterCase;
use crate::assess::finding::Finding;

mod comment_on_old;
mod default_of_old_name;
mod default_of_old_rows;
mod default_without_type;
mod dependent_fails;
mod dictionary;
mod expression;
mod no_proof;
mod passing_on;
mod read_lately;
mod reader;
mod rights;
mod unfit_values;
mod values_gone;
mod view_of_type;
mod view_reads;
mod view_writes;
mod window;

/// A rule.
pub(super) struct Rule {
    /// The code of its findings, which is never given to another rule.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests hold codes against the documentation"))]
    pub(super) code: &'static str,
    /// What it finds.
    pub(super) check: fn(&AlterCase<'_>) -> Vec<Finding>,
}

macro_rules! rules {
    ($($rule:ident),* $(,)?) => {
        [$(Rule { code: $rule::CODE, check: $rule::check }),*]
    };
}

/// Every rule, by code.
pub(super) const ALL: [Rule; 17] = rules![
    view_reads,
    view_writes,
    expression,
    dictionary,
    passing_on,
    values_gone,
    comment_on_old,
    view_of_type,
    window,
    read_lately,
    no_proof,
    default_without_type,
    default_of_old_rows,
    dependent_fails,
    unfit_values,
    rights,
    default_of_old_name,
];

#[cfg(test)]
mod tests;
