//! Cutting a snapshot into chunks by bytes: a partition, several of its parts, or a range of rows of one part. The snapshot's
//! parts neither merge nor change, so a chunk that an earlier run copied is found again by the names of its parts.

use std::collections::BTreeMap;
use std::fmt;

use crate::names::{quote_string, quoted_list};
use crate::plan::{Slices, Template};

/// Bytes of the first chunk: how quick a server is, is not known yet.
pub(super) const FIRST_TARGET: u64 = 1 << 30;
/// Below this, the statements around a copy take longer than the copy.
const TARGET_MIN: u64 = 16 << 20;
/// A statement's text must not grow without end.
const PARTS_MAX: usize = 200;

/// A part of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotPart {
    pub(super) partition: String,
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Rows of one partition that are copied together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) partition: String,
    pub(super) of: Extent,
    /// Bytes on disk of what is copied.
    pub(super) bytes: u64,
}

/// What of its partition a slice is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// Some of its parts, all rows of them, in order.
    Parts(Vec<String>),
    /// Rows `from` to before `to` of one part.
    Rows { part: String, from: u64, to: u64 },
}

impl Slice {
    /// The condition on the snapshot's rows that comes after the one on the partition.
    pub(super) fn condition(&self, slices: &Slices) -> Option<String> {
        match &self.of {
            Extent::Whole => Some(String::new()),
            Extent::Parts(parts) => Some(slices.parts.fill_all(&[("parts", &quoted_list(parts))])),
            Extent::Rows { part, from, to } => {
                let (part, from, to) = (quote_string(part), from.to_string(), to.to_string());
                Some(slices.rows.as_ref()?.fill_all(&[("parts", &part), ("from", &from), ("to", &to)]))
            }
        }
    }

    /// SQL for this slice.
    pub(super) fn fill(&self, template: &Template, condition: &str) -> String {
        template.fill_all(&[("chunk", &quote_string(&self.partition)), ("slice", condition)])
    }
}

impl fmt::Display for Slice {
    /// The name under which the journal knows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.partition)?;
        match &self.of {
            Extent::Whole => Ok(()),
            Extent::Parts(parts) => match parts.as_slice() {
                [] => Ok(()),
                [only] => write!(f, "#{only}"),
                [first, .., last] => write!(f, "#{first}..{last}"),
            },
            Extent::Rows { part, from, to } => write!(f, "#{part}:{from}-{to}"),
        }
    }
}

/// Where the next slice of a partition begins: a part, and a row of it.
type Position = (usize, u64);

/// The snapshot, and how much of it has been cut off.
#[derive(Debug)]
pub(super) struct Cutter {
    partitions: BTreeMap<String, (Vec<SnapshotPart>, Position)>,
    cuts_parts: bool,
}

impl Cutter {
    /// Parts come in the order in which their rows were inserted.
    pub(super) fn new(parts: Vec<SnapshotPart>, cuts_parts: bool) -> Self {
        let mut partitions: BTreeMap<String, (Vec<SnapshotPart>, Position)> = BTreeMap::new();
        for part in parts {
            partitions.entry(part.partition.clone()).or_default().0.push(part);
        }
        Self { partitions, cuts_parts }
    }

    /// Finds a slice again by its name, and goes on behind it. None if there is no such slice any more.
    pub(super) fn skip(&mut self, name: &str) -> Option<Slice> {
        let (partition, of) = name.split_once('#').map_or((name, None), |(partition, of)| (partition, Some(of)));
        let (parts, position) = self.partitions.get_mut(partition)?;
        let index = |name: &str| parts.iter().position(|part| part.name == name);
        let (of, next) = match of {
            None => (Extent::Whole, (parts.len(), 0)),
            Some(range) => {
                if let Some((part, rows)) = range.split_once(':') {
                    let at = index(part)?;
                    let (from, to) = rows.split_once('-')?;
                    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                    let next = if to >= parts[at].rows { (at + 1, 0) } else { (at, to) };
                    (Extent::Rows { part: part.to_owned(), from, to }, next)
                } else {
                    let (first, last) = range.split_once("..").unwrap_or((range, range));
                    let (first, last) = (index(first)?, index(last)?);
                    let names = parts.get(first..=last)?.iter().map(|part| part.name.clone()).collect();
                    (Extent::Parts(names), (last + 1, 0))
                }
            }
        };
        *position = next.max(*position);
        Some(Slice { partition: partition.to_owned(), of, bytes: 0 })
    }

    /// The next slice of about so many bytes.
    pub(super) fn next(&mut self, target: u64) -> Option<Slice> {
        let is_left = |(parts, (at, _)): &&mut (Vec<SnapshotPart>, Position)| *at < parts.len();
        let (parts, position) = self.partitions.values_mut().find(is_left)?;
        let (at, row) = *position;
        let partition = parts[at].partition.clone();
        let fits = |bytes: u64| bytes <= target.saturating_add(target / 2);
        let all = parts.iter().map(|part| part.bytes).sum();
        if (at, row) == (0, 0) && fits(all) {
            *position = (parts.len(), 0);
            return Some(Slice { partition, of: Extent::Whole, bytes: all });
        }
        let part = &parts[at];
        if row > 0 || self.cuts_parts && part.rows > 1 && !fits(part.bytes) {
            let left = part.rows - row;
            let slices = (share(part.bytes, left, part.rows) / target.max(1)).clamp(1, left);
            let to = row + left.div_ceil(slices);
            *position = if to >= part.rows { (at + 1, 0) } else { (at, to) };
            let bytes = share(part.bytes, to - row, part.rows);
            return Some(Slice { partition, of: Extent::Rows { part: part.name.clone(), from: row, to }, bytes });
        }
        let mut bytes = 0;
        let mut names = Vec::new();
        for part in parts[at..].iter().take(PARTS_MAX) {
            let is_too_much = bytes + part.bytes > target || self.cuts_parts && !fits(part.bytes);
            if !names.is_empty() && is_too_much {
                break;
            }
            bytes += part.bytes;
            names.push(part.name.clone());
        }
        *position = (at + names.len(), 0);
        Some(Slice { partition, of: Extent::Parts(names), bytes })
    }
}

/// `bytes` for `some` of `all` rows.
fn share(bytes: u64, some: u64, all: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(some) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Bytes for the next chunk, so that it takes about `wanted` seconds, when one of `bytes` took so many milliseconds. One
/// measurement does not count for everything.
pub(super) fn next_target(target: u64, bytes: u64, took: u128, wanted: u64) -> u64 {
    // A small chunk says little: most of its time went into the statements around it.
    let next = if bytes < target / 4 {
        target
    } else {
        let ideal = u128::from(bytes) * u128::from(wanted) * 1000 / took.max(1);
        u64::try_from(ideal).unwrap_or(u64::MAX).clamp(target / 4, target.saturating_mul(4))
    };
    next.max(TARGET_MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(partition: &str, number: usize, rows: u64, bytes: u64) -> SnapshotPart {
        SnapshotPart { partition: partition.to_owned(), name: format!("{partition}_{number}"), rows, bytes }
    }

    fn names(mut cutter: Cutter, target: u64) -> Vec<String> {
        std::iter::from_fn(|| cutter.next(target)).map(|slice| slice.to_string()).collect()
    }

    #[test]
    fn partitions_are_cut_where_they_are_large() {
        let parts = || vec![part("1", 1, 10, 100), part("2", 1, 10, 90), part("2", 2, 10, 80), part("2", 3, 100, 350)];
        assert_eq!(names(Cutter::new(parts(), true), 1000), ["1", "2"]);
        let cut = ["1", "2#2_1", "2#2_2", "2#2_3:0-34", "2#2_3:34-67", "2#2_3:67-100"];
        assert_eq!(names(Cutter::new(parts(), true), 100), cut);
        assert_eq!(names(Cutter::new(parts(), false), 200), ["1", "2#2_1..2_2", "2#2_3"]);
    }

    #[test]
    fn what_is_not_there_any_more_is_not_found() {
        let mut cutter = Cutter::new(vec![part("1", 1, 10, 100)], true);
        for name in ["2", "1#1_2", "1#1_1..1_2", "1#1_2:0-5", "1#1_1:0", "1#1_1:x-5"] {
            assert_eq!(cutter.skip(name), None, "{name}");
        }
    }

    #[test]
    fn a_target_follows_the_pace() {
        let next = |bytes, seconds: u128| next_target(1 << 30, bytes, seconds * 1000, 60) >> 20;
        assert_eq!(next(1 << 30, 30), 2048);
        assert_eq!(next(1 << 30, 1), 4096, "by steps");
        assert_eq!(next(1 << 30, 3600), 256);
        assert_eq!(next(1 << 20, 1), 1024, "a small chunk says little");
    }

    fn snapshots() -> impl Strategy<Value = Vec<SnapshotPart>> {
        prop::collection::vec((0..4_u8, 1..2000_u64, 1..5000_u64), 0..40).prop_map(|parts| {
            let parts = parts.into_iter().enumerate();
            let mut parts: Vec<SnapshotPart> =
                parts.map(|(number, (p, rows, bytes))| part(&p.to_string(), number, rows, bytes)).collect();
            parts.sort_by(|a, b| a.partition.cmp(&b.partition));
            parts
        })
    }

    /// Rows of each part that a slice covers.
    fn covered(slice: &Slice, parts: &[SnapshotPart]) -> Vec<(String, u64, u64)> {
        let whole = |part: &SnapshotPart| (part.name.clone(), 0, part.rows);
        match &slice.of {
            Extent::Whole => parts.iter().filter(|part| part.partition == slice.partition).map(whole).collect(),
            Extent::Parts(names) => parts.iter().filter(|part| names.contains(&part.name)).map(whole).collect(),
            Extent::Rows { part, from, to } => vec![(part.clone(), *from, *to)],
        }
    }

    proptest! {
        /// Whatever the targets, wherever a run is cut short and taken up by the names in its journal: every row once.
        #[test]
        fn every_row_is_in_one_slice(
            parts in snapshots(),
            targets in prop::collection::vec(1..9000_u64, 1..8),
            stops in prop::collection::vec(any::<bool>(), 1..8),
            cuts in any::<bool>(),
        ) {
            let mut cutter = Cutter::new(parts.clone(), cuts);
            let (mut done, mut rows): (Vec<String>, Vec<(String, u64, u64)>) = Default::default();
            for turn in 0.. {
                if stops[turn % stops.len()] {
                    cutter = Cutter::new(parts.clone(), cuts);
                    for name in &done {
                        let found = cutter.skip(name).expect("it is there");
                        prop_assert_eq!(&found.to_string(), name);
                    }
                }
                let Some(slice) = cutter.next(targets[turn % targets.len()]) else { break };
                rows.extend(covered(&slice, &parts));
                done.push(slice.to_string());
            }
            rows.sort();
            for part in &parts {
                let mut next = 0;
                for (_, from, to) in rows.iter().filter(|(name, _, _)| *name == part.name) {
                    prop_assert_eq!(*from, next);
                    next = *to;
                }
                prop_assert_eq!(next, part.rows);
            }
        }
    }
}
