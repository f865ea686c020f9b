//! SW013: views and other tables read from the table.

use std::collections::BTreeSet;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Table;
use crate::ddl::{read_engine, read_view};
use crate::names::TableName;
use crate::names::is_own_name;
use crate::words::list;

pub(super) const CODE: &str = "SW013";

/// Views bind by name, so they follow the swap.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let name = case.name();
    let mut dependents: BTreeSet<TableName> = case.sources().flat_map(|(_, table)| table.dependents.clone()).collect();
    let tables = case.states().flat_map(|(_, state)| state.tables.values());
    dependents.extend(tables.filter(|table| leans_on(table, name)).map(|table| table.name.clone()));
    dependents.retain(|dependent| !is_own_name(name, dependent));
    if dependents.is_empty() {
        return Vec::new();
    }
    vec![Finding::note(
        CODE,
        format!("views and tables that use {name} by name: {}", list(dependents)),
        "they are not touched: through the swap the name leads them to the new table, whose columns are the same",
        "nothing is to be done; those outside this cluster's servers cannot be seen from here",
    )]
}

/// Whether a view selects from the table or a Buffer writes to it. `Distributed` tables are listed with the change.
fn leans_on(table: &Table, name: &TableName) -> bool {
    match table.engine.as_str() {
        "View" | "MaterializedView" => {
            read_view(&table.create_query).is_ok_and(|view| view.reads(&table.name.database, [name]).contains(name))
        }
        "Buffer" => read_engine(&table.engine_full).is_ok_and(|engine| {
            let args: Vec<&str> = engine.args().iter().take(2).map(|arg| arg.text.trim_matches(['\'', '`'])).collect();
            args == [&name.database, &name.table]
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn views_and_buffers_are_listed_once() {
        let mut fixture = Fixture::new();
        fixture.add("s2r1", "CREATE VIEW d.ids AS SELECT id FROM events");
        fixture.add("s2r1", "CREATE VIEW d.others AS SELECT id FROM events_all");
        fixture.add("s2r1", "CREATE TABLE d.b (id UInt64) ENGINE = Buffer('d', 'events', 16, 1, 9, 1, 9, 1, 9)");
        assert_eq!(
            fixture.found(check),
            ["note SW013: views and tables that use d.events by name: d.b, d.daily, d.ids"]
        );
    }

    #[test]
    fn a_plans_own_mirror_is_none_of_them() {
        let mut fixture = Fixture::new();
        fixture.states(|state| state.tables.retain(|name, _| name.table != "daily"));
        fixture.sources(|source| source.dependents = vec![TableName::new("d", "events__sw_mirror")]);
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
