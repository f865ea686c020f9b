//! The rules, one file each. A rule looks at a case and gives its findings; it never changes or hides another's.

use super::case::Case;
use super::finding::Finding;

mod unreachable_replica;

/// A rule.
pub(super) type Rule = fn(&Case<'_>) -> Vec<Finding>;

/// Every rule, by code.
pub(super) const ALL: [Rule; 1] = [unreachable_replica::check];
