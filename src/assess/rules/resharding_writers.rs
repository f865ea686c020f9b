//! SW082: another `Distributed` table goes on spreading rows by another key.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::read_engine;
use crate::names::TableName;

pub(super) const CODE: &str = "SW082";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(sharding) = &case.change.wanted.sharding else { return Vec::new() };
    let others = case.change.distributed.iter().filter(|name| **name != sharding.distributed);
    let key_of = |name: &TableName| {
        let mut tables = case.states().filter_map(|(_, state)| state.tables.get(name));
        tables.find_map(|table| read_engine(&table.engine_full).ok()?.distributed()?.sharding_key)
    };
    let finding = |name: &TableName| {
        let key = key_of(name).filter(|key| *key != sharding.key)?;
        Some(Finding::hazard(
            CODE,
            format!("{name} is over the same table and spreads rows by `{key}`"),
            "what is inserted through it goes on by that key, so rows of one new key are on several shards: a query that relies on it \
             (optimize_skip_unused_shards, local joins) misses them",
            format!("write through {} alone, or give {name} the same key by a plan of its own", sharding.distributed),
        ))
    };
    others.filter_map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn a_table_with_another_key_is_named_and_one_that_only_reads_is_not() {
        let mut fixture = Fixture::new();
        let over = |name: &str, key: &str| {
            format!("CREATE TABLE d.{name} (id UInt64) ENGINE = Distributed('main', 'd', 'events'{key})")
        };
        for (name, key) in [("writable", ", id"), ("readable", ""), ("same", ", cityHash64(team)")] {
            fixture.add("s1r1", &over(name, key));
            fixture.change.distributed.push(TableName::new("d", name));
        }
        assert_eq!(fixture.found(check), [""; 0], "the sharding key stays");
        fixture.reshard("cityHash64(team)");
        assert_eq!(fixture.found(check), ["hazard SW082: d.writable is over the same table and spreads rows by `id`"]);
    }
}
