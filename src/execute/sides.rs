//! Two tables over all shards, as they were seen: which partitions differ, and which replica differs from the others of its shard.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::ReplicaId;
use crate::words::count;

/// Partitions named in a report of differences; the rest is counted.
const SHOWN_MAX: usize = 10;

/// The table that has the rows.
pub(super) const FROM: usize = 0;
/// The table that gets them.
pub(super) const TO: usize = 1;

/// Rows and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) rows: u64,
    pub(super) sum: u64,
}

impl Digest {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// A partition as it was seen: its parts, and what they hold.
pub(super) struct Known {
    pub(super) parts: BTreeSet<String>,
    pub(super) digest: Digest,
}

/// What each replica has of each of both tables, by partition.
pub(super) type Side = BTreeMap<ReplicaId, BTreeMap<String, Digest>>;

/// Both tables over all shards.
pub(super) struct Seen<'w> {
    pub(super) homes: &'w [ReplicaId],
    pub(super) sides: [Side; 2],
}

impl Seen<'_> {
    /// What one table has of a partition over all shards.
    pub(super) fn total(&self, side: usize, partition: &str) -> Digest {
        let digests = self.homes.iter().filter_map(|home| self.sides[side].get(home)?.get(partition));
        digests.fold(Digest::default(), |sum, digest| sum.plus(*digest))
    }

    pub(super) fn partitions(&self) -> BTreeSet<&String> {
        self.sides.iter().flatten().flat_map(|(_, partitions)| partitions.keys()).collect()
    }

    /// The partitions of which both tables do not have the same rows.
    pub(super) fn differing(&self) -> Vec<String> {
        let differ = |partition: &&&String| self.total(FROM, partition) != self.total(TO, partition);
        self.partitions().iter().filter(differ).map(|partition| (*partition).clone()).collect()
    }

    pub(super) fn rows(&self, side: usize) -> u64 {
        self.partitions().iter().map(|partition| self.total(side, partition).rows).sum()
    }

    /// A replica that has not the same as the one of its shard whose rows count, with a partition.
    pub(super) fn apart(&self) -> Option<(ReplicaId, String)> {
        let none = BTreeMap::new();
        for side in &self.sides {
            for (id, partitions) in side {
                let home = self.homes.iter().find(|home| home.shard == id.shard);
                let of_home = home.and_then(|home| side.get(home)).unwrap_or(&none);
                let mut all = partitions.keys().chain(of_home.keys());
                if let Some(partition) = all.find(|name| partitions.get(*name) != of_home.get(*name)) {
                    return Some((*id, partition.clone()));
                }
            }
        }
        None
    }

    pub(super) fn report(&self, differing: &[String]) -> Vec<String> {
        let line = |partition: &String| {
            let [from, to] = [FROM, TO].map(|side| self.total(side, partition).rows);
            let rows = count(from, "row");
            if from == to {
                format!("partition {partition}: {rows} on both sides, and not the same ones")
            } else {
                format!("partition {partition}: {rows} over all shards, and {to} where they were sent to")
            }
        };
        let mut report: Vec<String> = differing.iter().take(SHOWN_MAX).map(line).collect();
        if differing.len() > SHOWN_MAX {
            report.push(format!("and {} more", differing.len() - SHOWN_MAX));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOMES: [ReplicaId; 2] = [ReplicaId { shard: 1, replica: 1 }, ReplicaId { shard: 2, replica: 1 }];

    /// `s1r1 a 3 7` a line: replica, partition, rows, sum.
    fn side(text: &str) -> Side {
        let mut side = Side::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let [id, partition, rows, sum] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let digest = Digest { rows: rows.parse().unwrap(), sum: sum.parse().unwrap() };
            side.entry(id.parse().unwrap()).or_default().insert(partition.to_owned(), digest);
        }
        side
    }

    fn seen(from: &str, to: &str) -> Seen<'static> {
        Seen { homes: &HOMES, sides: [side(from), side(to)] }
    }

    #[test]
    fn rows_count_over_all_shards_wherever_they_are() {
        let max = u64::MAX;
        let same = seen(&format!("s1r1 a 3 7\ns2r1 a 1 {max}"), "s1r1 a 2 5\ns2r1 a 2 1");
        assert_eq!(same.differing(), Vec::<String>::new(), "sums go round at 2^64, as the servers' do");
        assert_eq!((same.rows(FROM), same.rows(TO)), (4, 4));
        let other = seen("s1r1 a 3 7\ns2r1 b 1 2", "s1r1 a 3 8\ns2r1 c 1 1");
        assert_eq!(other.differing(), ["a", "b", "c"]);
        let report = other.report(&other.differing());
        assert_eq!(report[0], "partition a: 3 rows on both sides, and not the same ones");
        assert_eq!(report[1], "partition b: 1 row over all shards, and 0 where they were sent to");
    }

    #[test]
    fn a_replica_that_lacks_something_is_named() {
        let text = "s1r1 a 1 1\ns1r2 a 1 1\ns2r1 a 2 2\ns2r2 a 2 2";
        assert_eq!(seen(text, text).apart(), None);
        let lacks = seen(text, "s1r1 a 1 1\ns1r2 a 1 1\ns2r1 a 2 2\ns2r2 b 2 2");
        assert_eq!(lacks.apart(), Some((ReplicaId::new(2, 2), "b".to_owned())));
        let nowhere = Seen { homes: &[], sides: [side(text), side(text)] };
        assert_eq!(nowhere.apart(), Some((HOMES[0], "a".to_owned())), "rows that are not counted are no equal rows");
        assert_eq!(lacks.differing(), Vec::<String>::new(), "totals are those of one replica of each shard");
    }
}
