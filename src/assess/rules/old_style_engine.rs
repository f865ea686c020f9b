//! SW016: keys are given in the syntax of old, as arguments of the engine.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::{Engine, read_engine};
use crate::words::sql;

pub(super) const CODE: &str = "SW016";

/// Parts of the old layout cannot be attached to tables of the new one, nor can keys be changed in such a definition.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let live = case.sources().map(|(_, table)| table.engine_full.clone());
    let is_old = |engine: &String| read_engine(engine).as_ref().is_ok_and(Engine::is_old_style);
    let written = case.change.wanted.definition.as_ref().map(|definition| definition.engine.to_sql());
    let live = live.into_iter().find(is_old).map(|engine| {
        Finding::blocker(
            CODE,
            format!("{} has its keys as arguments of the engine: {}", case.name(), sql(&engine)),
            "its parts are named by dates, and no partition of it can be attached to a table with ORDER BY",
            "copy the table by hand into one with PARTITION BY and ORDER BY; such tables cannot be planned",
        )
    });
    let written = written.filter(is_old).map(|engine| {
        Finding::blocker(
            CODE,
            format!("the statement gives keys as arguments of the engine: {}", sql(&engine)),
            "servers no longer take this syntax, and which argument is which key is not read here",
            "write the keys as clauses: PARTITION BY … ORDER BY …",
        )
    });
    live.into_iter().chain(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, redefine};

    #[test]
    fn old_syntax_is_refused_live_and_written() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        let new = "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}') PARTITION BY toYYYYMM(day) ORDER BY \
                   (team, id) SETTINGS index_granularity = 8192";
        redefine(fixture.source("s1r2"), new, "MergeTree(day, (team, id), 8192)");
        let live =
            "blocker SW016: d.events has its keys as arguments of the engine: `MergeTree(day, (team, id), 8192)`";
        assert_eq!(fixture.found(check), [live]);
        fixture.write(&new.replace("(team, id)", "(id, team)"), "MergeTree(day, (id, team), 8192)");
        let written =
            "blocker SW016: the statement gives keys as arguments of the engine: `MergeTree(day, (id, team), 8192)`";
        assert_eq!(fixture.found(check), [live, written]);
    }
}
