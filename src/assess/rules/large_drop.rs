//! SW014: the old data is too large to be dropped without leave.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::words::{bytes, list};

pub(super) const CODE: &str = "SW014";

/// `max_table_size_to_drop` where nobody has set it.
const DROP_BYTES_MAX: u64 = 50_000_000_000;

/// Finalize drops the old data, and the snapshot on the replica that made the copy.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let large = case.sources().filter(|(_, table)| table.bytes() > DROP_BYTES_MAX);
    let large: Vec<String> =
        large.map(|(id, table)| format!("{} on {}", bytes(table.bytes()), case.replica(id))).collect();
    if large.is_empty() {
        return Vec::new();
    }
    vec![Finding::hazard(
        CODE,
        format!("{} is larger than {}: {}", case.name(), bytes(DROP_BYTES_MAX), list(large)),
        "finalize drops the old data, and a server refuses to drop a table larger than max_table_size_to_drop",
        "before finalize, raise max_table_size_to_drop in the config of those servers, or create the file \
         flags/force_drop_table in their data directory: it allows one DROP, and the replica that holds the snapshot \
         needs two",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn only_what_is_over_the_servers_default_is_named() {
        let mut fixture = Fixture::new();
        fixture.source("s1r1").partitions[0].bytes = 49_000_000_000;
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.source("s1r1").partitions[0].bytes = 60_000_000_000;
        assert_eq!(
            fixture.found(check),
            ["hazard SW014: d.events is larger than 50.0 GB: 61.0 GB on s1r1 (ch-1-1:9000)"]
        );
    }
}
