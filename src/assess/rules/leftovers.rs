//! SW003: tables that an earlier plan made are still there.

use std::collections::BTreeMap;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Table;
use crate::lock::{self, Holder};
use crate::names::{ReplicaId, is_own_name, own_name};
use crate::snapshot::Capability;
use crate::words::list;

pub(super) const CODE: &str = "SW003";

/// A plan needs its names for itself; what bears them may be another plan's, at work.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<_, (&Table, Vec<ReplicaId>)> = BTreeMap::new();
    for (id, state) in case.states() {
        for table in state.tables.values().filter(|table| is_own_name(case.name(), &table.name)) {
            // While the mirror is there, every insert needs the table that it writes to: it must go first.
            let rank = !table.engine.ends_with("View");
            found.entry((rank, &table.name)).or_insert((table, Vec::new())).1.push(id);
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    let named = found.values().map(|(table, ids)| {
        let held = holder(case, table).map_or(String::new(), |holder| format!(", held by {holder}"));
        format!("{} on {}{held}", table.name, case.replicas(ids))
    });
    let sync = if case.snapshot.all_have(Capability::Exchange) { " SYNC" } else { "" };
    let drops = found.values().map(|(table, _)| format!("DROP TABLE IF EXISTS {}{sync};", table.name.sql()));
    vec![Finding::blocker(
        CODE,
        format!("an earlier plan for {} left tables behind: {}", case.name(), list(named)),
        "if that plan is under way, a second one would destroy its work; after its cutover one of them holds the old data",
        format!(
            "resume that plan or roll it back, with its plan file; if there is none and nothing in these tables is \
             needed, run on each of those replicas, in this order: {}",
            drops.collect::<Vec<_>>().join(" ")
        ),
    )]
}

/// The run that a lock belongs to: under way, or dead.
fn holder(case: &Case<'_>, table: &Table) -> Option<Holder> {
    let is_lock = table.name == own_name(case.name(), "lock");
    let column = table.columns.iter().find(|column| is_lock && column.name == "holder")?;
    lock::holder_in(&column.default_expression)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn leftovers_are_dropped_mirror_first() {
        let mut fixture = Fixture::new();
        fixture.add("s1r1", "CREATE TABLE d.events__sw_data (a Int8) ENGINE = MergeTree ORDER BY a");
        for id in ["s1r1", "s1r2"] {
            fixture.add(id, "CREATE MATERIALIZED VIEW d.events__sw_mirror TO d.x (a Int8) AS SELECT a FROM d.events");
        }
        let findings = check(&fixture.case());
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.ends_with(
            "d.events__sw_mirror on s1r1 (ch-1-1:9000), s1r2 (ch-1-2:9000), d.events__sw_data on s1r1 (ch-1-1:9000)"
        ));
        assert!(findings[0].help.ends_with(
            "DROP TABLE IF EXISTS `d`.`events__sw_mirror` SYNC; DROP TABLE IF EXISTS `d`.`events__sw_data` SYNC;"
        ));
    }

    #[test]
    fn whoever_holds_a_lock_is_named() {
        let mut fixture = Fixture::new();
        let holder = "{\"token\":1,\"run\":\"r\",\"plan\":\"5ca1ab1e\",\"host\":\"db-1\",\"machine\":\"m\",\"pid\":7,\
                      \"process\":\"p\",\"since\":\"noon\"}";
        let columns = format!("`holder` String DEFAULT '{holder}', `run` String, `renewed` DateTime");
        fixture.add("s1r1", &format!("CREATE TABLE d.events__sw_lock ({columns}) ENGINE = Memory ORDER BY run"));
        let found = check(&fixture.case()).remove(0).what;
        let ends = "d.events__sw_lock on s1r1 (ch-1-1:9000), held by process 7 on db-1, which works on plan 5ca1ab1e since noon";
        assert!(found.ends_with(ends), "{found}");
    }

    #[test]
    fn other_tables_are_nobodys_leftovers() {
        let mut fixture = Fixture::new();
        fixture.add("s1r1", "CREATE TABLE d.events_sw_x (a Int8) ENGINE = MergeTree ORDER BY a");
        fixture.add("s1r1", "CREATE TABLE d.users__sw_shadow (a Int8) ENGINE = MergeTree ORDER BY a");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
