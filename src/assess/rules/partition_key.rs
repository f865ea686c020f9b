//! SW012: the partition key changes.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::key_items;
use crate::words::{count, sql};

pub(super) const CODE: &str = "SW012";

/// How many partitions the new key makes, only the data can tell.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(source) = case.source() else { return Vec::new() };
    let (old, new) = (&source.keys.partition, &case.target.keys.partition);
    let (old_items, new_items) = (items(old), items(new));
    if old_items == new_items {
        return Vec::new();
    }
    let partitions = case.sources().map(|(_, table)| table.partitions.len() as u64).max().unwrap_or_default();
    let table = case.name().sql();
    let (from, to) = (shown(old), shown(new));
    let help = if new_items.is_empty() {
        "nothing can be dropped by partition any more: see that no job does DROP PARTITION".to_owned()
    } else {
        format!(
            "count the new ones on each shard: SELECT uniqExact({}) FROM {table}; more than 100 in one insert (setting \
             max_partitions_per_insert_block) are refused, and a shard should have a few hundred at most",
            new_items.join(", ")
        )
    };
    vec![Finding::hazard(
        CODE,
        format!(
            "the partition key of {} changes from {from} to {to}; at most {} a replica today",
            case.name(),
            count(partitions, "partition")
        ),
        "an insert that touches many partitions is slow or refused, and what is dropped or merged by partition changes",
        help,
    )]
}

/// Both spellings of a key, `a, b` and `(a, b)`, are the same.
fn items(key: &str) -> Vec<String> {
    key_items(key).unwrap_or_else(|_| vec![key.to_owned()])
}

fn shown(key: &str) -> String {
    if key.is_empty() { "none".to_owned() } else { sql(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn a_new_partition_key_comes_with_a_query_to_count() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.aim("PARTITION BY toYYYYMM(day)", "PARTITION BY (team, day)");
        assert_eq!(
            fixture.found(check),
            ["hazard SW012: the partition key of d.events changes from `toYYYYMM(day)` to `(team, day)`; at most 2 \
                 partitions a replica today"]
        );
        let finding = check(&fixture.case()).remove(0);
        assert!(finding.help.contains("SELECT uniqExact(team, day) FROM `d`.`events`;"));
    }

    #[test]
    fn a_dropped_partition_key_needs_no_query() {
        let mut fixture = Fixture::new();
        fixture.aim("PARTITION BY toYYYYMM(day) ", "");
        assert!(fixture.found(check)[0].contains("from `toYYYYMM(day)` to none"));
        assert!(!check(&fixture.case())[0].help.contains("SELECT"));
    }
}
