//! SW008: a replica has no room for the copy.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Table;
use crate::words::bytes;

pub(super) const CODE: &str = "SW008";

/// Every replica gets a whole copy of its shard's rows, and keeps the old data until finalize.
///
/// All disks are counted, the table's and others: what does not fit on all of them fits on none. Preflight looks closer.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let finding = |(id, table): (_, &Table)| {
        let disks = case.snapshot.state(id)?.disks.as_ref()?;
        let free = disks.iter().fold(0_u64, |sum, disk| sum.saturating_add(disk.free_bytes));
        let (size, needed) = (table.bytes(), needed(table.bytes()));
        (needed > free).then(|| {
            Finding::blocker(
                CODE,
                format!(
                    "{} has {} free, but the copy of {} needs {} ({} and a tenth)",
                    case.replica(id),
                    bytes(free),
                    case.name(),
                    bytes(needed),
                    bytes(size)
                ),
                "the old data stays beside the copy until finalize, and a full disk stops inserts and merges",
                "free space there or add a disk, then plan again",
            )
        })
    };
    case.sources().filter_map(finding).collect()
}

fn needed(size: u64) -> u64 {
    size.saturating_add(size.div_ceil(10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn the_copy_and_a_tenth_must_fit() {
        let mut fixture = Fixture::new();
        fixture.state("s2r1").disks.as_mut().unwrap()[0].free_bytes = 2_200_000_000;
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.state("s2r1").disks.as_mut().unwrap()[0].free_bytes = 2_199_999_999;
        assert_eq!(
            fixture.found(check),
            ["blocker SW008: s2r1 (ch-2-1:9000) has 2.2 GB free, but the copy of d.events needs 2.2 GB (2.0 GB and a \
                 tenth)"]
        );
        fixture.state("s2r1").disks = None;
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
