//! What hangs on a table: views that read it, `Distributed` tables over it, and what hangs on those.

use std::collections::BTreeSet;

use super::{Report, TableReport};
use crate::names::TableName;

/// Levels shown; cycles end earlier.
const DEPTH_MAX: usize = 12;

/// A related table as one line of a tree.
pub(super) struct Branch {
    pub(super) depth: usize,
    /// `materialized view`, `writes to`, `Distributed over it` and so on.
    pub(super) relation: &'static str,
    pub(super) table: TableName,
    /// Whether it is shown in full elsewhere in the tree.
    pub(super) seen: bool,
}

/// The tables and views that depend on `root`, in order of display.
pub(super) fn dependents(report: &Report, root: &TableName) -> Vec<Branch> {
    let mut walk = Walk { report, seen: BTreeSet::from([root.clone()]), branches: Vec::new() };
    walk.below(root, 0);
    walk.branches
}

/// Views that write to `table`, and `Distributed` tables that do if they have a sharding key.
pub(super) fn writers(report: &Report, table: &TableName) -> Vec<(&'static str, TableName)> {
    let writes = |other: &TableReport| match (&other.view, &other.distributed) {
        (Some(view), _) if view.target.as_ref() == Some(table) => Some(("materialized view", other.full_name())),
        (_, Some(over)) if over.sharding_key.is_some() && is_over(other, table) => {
            Some(("Distributed", other.full_name()))
        }
        _ => None,
    };
    report.tables.iter().filter_map(writes).collect()
}

struct Walk<'a> {
    report: &'a Report,
    seen: BTreeSet<TableName>,
    branches: Vec<Branch>,
}

impl Walk<'_> {
    fn below(&mut self, name: &TableName, depth: usize) {
        if depth >= DEPTH_MAX {
            return;
        }
        for (relation, table) in children(self.report, name) {
            let seen = !self.seen.insert(table.clone());
            self.branches.push(Branch { depth, relation, table: table.clone(), seen });
            if !seen {
                self.below(&table, depth + 1);
            }
        }
    }
}

fn children(report: &Report, name: &TableName) -> Vec<(&'static str, TableName)> {
    let own = report.table(name);
    let listed = own.map(|table| table.dependents.as_slice()).unwrap_or_default();
    let target = own.and_then(|table| table.view.as_ref()?.target.clone());
    let relation = |other: &TableReport| {
        let other_name = other.full_name();
        match &other.view {
            Some(view) if view.sources.contains(name) || listed.contains(&other_name) => {
                Some((if view.materialized { "materialized view" } else { "view" }, other_name))
            }
            None if is_over(other, name) => Some(("Distributed over it", other_name)),
            None if listed.contains(&other_name) => Some(("depends on it", other_name)),
            _ => None,
        }
    };
    let others = report.tables.iter().filter(|other| !other.is(name)).filter_map(relation);
    target.map(|target| ("writes to", target)).into_iter().chain(others).collect()
}

fn is_over(distributed: &TableReport, name: &TableName) -> bool {
    let Some(over) = &distributed.distributed else { return false };
    // Without a database in the definition the session's counts, mostly the table's own.
    let database = over.database.as_ref().unwrap_or(&distributed.database);
    over.table == name.table && *database == name.database
}
