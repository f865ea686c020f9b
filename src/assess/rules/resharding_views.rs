//! SW083: what views have made of the rows of one shard stays on that shard.

use std::collections::BTreeSet;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::{TableName, is_own_name};
use crate::words::list;

pub(super) const CODE: &str = "SW083";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.change.wanted.sharding.is_none() {
        return Vec::new();
    }
    let views: BTreeSet<TableName> = case
        .sources()
        .flat_map(|(_, table)| table.dependents.clone())
        .filter(|view| !is_own_name(case.name(), view))
        .collect();
    if views.is_empty() {
        return Vec::new();
    }
    vec![Finding::hazard(
        CODE,
        format!("views write what they make of the rows of each shard: {}", list(views)),
        "rows are sent past them, so nothing is made twice; but what they made before stays where it is, and what they make from now on is \
         made where the new key sends rows. A query that counts on finding all of one key on one shard misses what was made before",
        "read what they write through a Distributed table, and aggregate once more there; or make it anew afterwards",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn views_are_named_where_rows_go_to_other_shards() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.reshard("cityHash64(team)");
        let told = "hazard SW083: views write what they make of the rows of each shard: d.daily";
        assert_eq!(fixture.found(check), [told]);
        fixture.sources(|source| source.dependents.clear());
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
