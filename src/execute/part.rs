//! Active parts, and what their names tell.

use std::collections::BTreeMap;

/// Partitions named in a report; the rest is counted.
pub(super) const PARTITIONS_SHOWN_MAX: usize = 10;

/// An active part, as the server lists it.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) partition: String,
    pub(super) rows: String,
}

/// Active parts by name.
pub(super) type Parts = BTreeMap<String, Part>;

/// Whether a part is one insert, as it was. Its level does not tell: engines that merge rows may do so within an insert already.
pub(super) fn is_one_insert(part: &str) -> bool {
    Blocks::of(part).is_some_and(|blocks| blocks.first == blocks.last && blocks.mutation == 0)
}

/// A range of inserts, as the name of a part tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) first: u64,
    pub(super) last: u64,
    /// The last mutation that the part went through; 0 if there was none.
    pub(super) mutation: u64,
}

impl Blocks {
    /// Of `PARTITION_FIRST_LAST_LEVEL`, perhaps with `_MUTATION`. (Tables of the old syntax, whose parts begin with two dates, have no plans.)
    pub(super) fn of(part: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = part.split('_').skip(1).map(|number| number.parse().ok()).collect();
        match numbers?[..] {
            [first, last, _level] => Some(Self { first, last, mutation: 0 }),
            [first, last, _level, mutation] => Some(Self { first, last, mutation }),
            _ => None,
        }
    }

    /// Whether a part of these blocks is in one of those, as it was or merged: no mutation has come over it since. Numbers of blocks and
    /// mutations are counted together, so that a mutation of a lower number than an insert's was before it, and not about it: a part that
    /// it is merged into bears the number of the others' mutation.
    pub(super) fn is_in(&self, other: &Self) -> bool {
        other.first <= self.first && self.last <= other.last && other.mutation <= self.mutation.max(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_tell_which_inserts_they_hold() {
        let blocks = |first, last, mutation| Some(Blocks { first, last, mutation });
        assert_eq!(Blocks::of("202401_3_17_2"), blocks(3, 17, 0));
        assert_eq!(Blocks::of("202401_3_17_2_21"), blocks(3, 17, 21));
        assert_eq!(Blocks::of("20240101_3_17_2"), blocks(3, 17, 0));
        assert_eq!(Blocks::of("20240101_3_17_2_21"), blocks(3, 17, 21));
        assert_eq!(Blocks::of("8f7e_0_0_0"), blocks(0, 0, 0));
        assert!(
            ["all", "all_1_2", "all_1_x_3", "20240101_20240131_1_1_0_1"].iter().all(|name| Blocks::of(name).is_none())
        );
    }

    #[test]
    fn a_part_is_in_one_that_holds_its_blocks_and_went_through_no_later_mutation() {
        let is_in = |part, other| Blocks::of(part).unwrap().is_in(&Blocks::of(other).unwrap());
        assert!(is_in("a_3_4_1", "a_3_4_1") && is_in("a_3_4_1", "a_1_9_2") && !is_in("a_3_4_1", "a_4_9_2"));
        assert!(is_in("a_3_4_1_6", "a_3_9_2_6") && !is_in("a_3_4_1_6", "a_3_4_1_10") && !is_in("a_3_4_1", "a_3_4_1_6"));
        // Inserted after the mutation 6, and merged with what went through it.
        assert!(is_in("a_7_7_0", "a_3_9_2_6") && is_in("a_7_8_1", "a_3_9_2_6") && !is_in("a_7_7_0", "a_7_7_0_8"));
    }

    #[test]
    fn an_insert_is_one_block_whatever_its_level() {
        assert!(is_one_insert("a_7_7_0") && is_one_insert("a_7_7_1"));
        assert!(!is_one_insert("a_7_8_1") && !is_one_insert("a_7_7_0_9") && !is_one_insert("odd"));
    }
}
