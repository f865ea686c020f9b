//! What a dry run that was killed has left on a sandbox, told from what is somebody else's.
//!
//! Before anything else a dry run makes a marker, named after the very plan, and makes it only where none of its names is
//! taken. So where the marker is, the plan's names are its own, unless somebody used one of them since: that shows in the columns.

use crate::catalog::Table;
use crate::ddl::{read_dictionary, read_table, read_view};
use crate::names::TableName;
use crate::plan::Plan;

/// The database of the markers.
pub const MARKERS: &str = "_shardwright_dry_run";

/// The marker of a dry run of the plan with this SHA-256.
pub fn marker(plan_sha256: &str) -> TableName {
    TableName::new(MARKERS, format!("plan_{}", plan_sha256.get(..16).unwrap_or(plan_sha256)))
}

/// The names that a rehearsal of the plan uses: the plan's own tables, then all that is made anew.
pub fn names(plan: &Plan) -> Vec<&TableName> {
    let own = plan.own_tables().into_iter();
    own.chain(plan.fingerprints.iter().chain(&plan.related).map(|print| &print.table)).collect()
}

/// Whether a table that was found beside the marker can be what the rehearsal made under that name.
pub fn is_own(plan: &Plan, found: &Table) -> bool {
    let mut prints = plan.fingerprints.iter().chain(&plan.related).filter(|print| print.table == found.name).peekable();
    // Names of the tool's own, with the plan's marker beside them.
    prints.peek().is_none() || prints.any(|print| is_like(&print.definition, found))
}

fn is_like(definition: &str, found: &Table) -> bool {
    if read_view(definition).is_ok() {
        return found.engine.ends_with("View");
    }
    if read_dictionary(definition).is_ok() {
        return found.engine == "Dictionary";
    }
    // Of keys and defaults nothing is asked: the plan changes the ones, a stand-in adds to the others.
    let has = |name: &str| found.columns.iter().any(|column| column.name == name);
    read_table(definition).is_ok_and(|table| table.column_names().all(has))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::{Fixture, assess};
    use crate::names::ReplicaId;
    use crate::plan::{Fence, build};

    #[test]
    fn a_table_with_other_columns_is_somebody_elses() {
        let fixture = Fixture::new();
        let case = fixture.case();
        let plan = build(&case, assess(&case), Fence::Auto).unwrap();
        let first = ReplicaId::new(1, 1);
        let mut source = case.snapshot.table(first, &plan.objects.source).unwrap().clone();
        assert!(is_own(&plan, &source));
        source.columns.remove(0);
        assert!(!is_own(&plan, &source), "a column is missing");
        let view = case.snapshot.table(first, &plan.objects.views[0]).unwrap();
        assert!(is_own(&plan, view));
        let instead = Table { name: view.name.clone(), engine: "MergeTree".to_owned(), ..source };
        assert!(!is_own(&plan, &instead), "a table where a view was");
    }
}
