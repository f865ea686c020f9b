//! How often each numbered row must be in a table, by what its writers were told.

use super::report::Ledger;

/// Deviations that are kept; all are counted.
const DEVIATIONS_MAX: usize = 20;

/// What writers know of their rows: each insert and delete, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    entries: Vec<Span>,
}

/// Rows with consecutive numbers that must be there equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first row's number.
    pub first: u64,
    /// How many rows.
    pub count: u64,
    /// Copies of each that must be there.
    pub least: i64,
    /// Copies of each that may be there.
    pub most: i64,
}

/// A row that is there too seldom or too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviation {
    /// The row's number.
    pub id: u64,
    /// Copies that must be there.
    pub least: i64,
    /// Copies that may be there.
    pub most: i64,
    /// Copies that are.
    pub found: i64,
}

impl Account {
    /// One more copy of each row is in the table.
    pub fn acknowledged(&mut self, first: u64, count: u64) {
        self.entries.push(Span { first, count, least: 1, most: 1 });
    }

    /// Between none and `copies` more of each row are in the table.
    pub fn unknown(&mut self, first: u64, count: u64, copies: u32) {
        self.entries.push(Span { first, count, least: 0, most: copies.into() });
    }

    /// One copy of each row is no longer in the table; if not `surely`, it may be there yet.
    pub fn removed(&mut self, first: u64, count: u64, surely: bool) {
        self.entries.push(Span { first, count, least: -1, most: if surely { -1 } else { 0 } });
    }

    /// Adds what another account knows.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// The account of a table that keeps one row of those that are equal.
    #[must_use]
    pub fn distinct(&self) -> Self {
        let one = |span: Span| Span { least: span.least.min(1), most: span.most.min(1), ..span };
        Self { entries: self.spans().into_iter().map(one).collect() }
    }

    /// All rows that may be there, by number, none of them twice.
    pub fn spans(&self) -> Vec<Span> {
        let ends =
            |span: &Span| [(span.first, span.least, span.most), (span.first + span.count, -span.least, -span.most)];
        let mut changes: Vec<(u64, i64, i64)> = self.entries.iter().flat_map(ends).collect();
        changes.sort_unstable();
        let mut spans: Vec<Span> = Vec::new();
        let (mut from, mut least, mut most) = (0, 0, 0);
        for (at, more_least, more_most) in changes {
            if at > from && (least, most) != (0, 0) {
                push(&mut spans, Span { first: from, count: at - from, least, most });
            }
            (from, least, most) = (at, least + more_least, most + more_most);
        }
        spans
    }

    /// Compares with the rows of a table and their copies, which come by number, and gives the first deviations.
    pub fn settle(&self, found: impl IntoIterator<Item = (u64, u64)>) -> (Ledger, Vec<Deviation>) {
        let mut found =
            found.into_iter().map(|(id, copies)| (id, i64::try_from(copies).unwrap_or(i64::MAX))).peekable();
        let mut settling = Settling::default();
        for Span { first, count, least, most } in self.spans() {
            while let Some((id, copies)) = found.next_if(|(id, _)| *id < first) {
                settling.add(Deviation { id, least: 0, most: 0, found: copies });
            }
            for id in first..first + count {
                let copies = found.next_if(|(next, _)| *next == id).map_or(0, |(_, copies)| copies);
                settling.add(Deviation { id, least, most, found: copies });
            }
        }
        for (id, copies) in found {
            settling.add(Deviation { id, least: 0, most: 0, found: copies });
        }
        (settling.ledger, settling.deviations)
    }
}

/// Neighbours that must be there equally often are one span.
fn push(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.first + last.count == span.first && (last.least, last.most) == (span.least, span.most) => {
            last.count += span.count;
        }
        _ => spans.push(span),
    }
}

#[derive(Default)]
struct Settling {
    ledger: Ledger,
    deviations: Vec<Deviation>,
}

impl Settling {
    fn add(&mut self, row: Deviation) {
        let Deviation { least, most, found, .. } = row;
        let positive = |number: i64| u64::try_from(number).unwrap_or(0);
        let (lost, doubled) = (positive(least - found), positive(found - most.max(0)));
        self.ledger.acknowledged += positive(least);
        self.ledger.found += positive(least.min(found));
        self.ledger.lost += lost;
        self.ledger.doubled += doubled;
        self.ledger.unknown += positive(most.max(0) - least.max(0));
        if lost + doubled > 0 && self.deviations.len() < DEVIATIONS_MAX {
            self.deviations.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(account: &Account) -> Vec<(u64, u64, i64, i64)> {
        account.spans().iter().map(|span| (span.first, span.count, span.least, span.most)).collect()
    }

    fn account() -> Account {
        let mut account = Account::default();
        account.acknowledged(10, 5);
        account.acknowledged(15, 5);
        account.acknowledged(12, 2);
        account.unknown(18, 4, 3);
        account
    }

    #[test]
    fn inserts_of_the_same_rows_add_up_and_neighbours_are_one() {
        assert_eq!(spans(&account()), [(10, 2, 1, 1), (12, 2, 2, 2), (14, 4, 1, 1), (18, 2, 1, 4), (20, 2, 0, 3)]);
        assert_eq!(spans(&account().distinct()), [(10, 10, 1, 1), (20, 2, 0, 1)]);
    }

    #[test]
    fn a_deleted_row_must_be_gone_unless_that_is_not_known() {
        let mut account = account();
        account.removed(10, 1, true);
        account.removed(11, 1, false);
        assert_eq!(spans(&account)[..2], [(11, 1, 0, 1), (12, 2, 2, 2)]);
        let rows = [(10, 1), (12, 2), (13, 2), (14, 1), (15, 1), (16, 1), (17, 1), (18, 1), (19, 1)];
        let (ledger, deviations) = account.settle(rows);
        assert_eq!((ledger.lost, ledger.doubled), (0, 1));
        assert_eq!(deviations, [Deviation { id: 10, least: 0, most: 0, found: 1 }]);
    }

    #[test]
    fn rows_too_few_too_many_and_of_nobody_are_told_apart() {
        let rows =
            [(1, 1), (10, 1), (11, 2), (12, 1), (13, 2), (15, 1), (16, 1), (17, 1), (18, 4), (19, 5), (20, 0), (99, 2)];
        let (ledger, deviations) = account().settle(rows);
        // 12 is there once less, 14 not at all; 1, 11, 19 once too often and 99 twice.
        assert_eq!(ledger, Ledger { acknowledged: 12, found: 10, lost: 2, doubled: 5, unknown: 12 });
        assert_eq!(deviations.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 11, 12, 14, 19, 99]);
    }

    proptest! {
        #[test]
        fn a_table_that_did_as_it_was_told_settles(inserts in prop::collection::vec((0_u64..50, 1_u64..9), 0..30)) {
            let mut account = Account::default();
            let mut table = std::collections::BTreeMap::<u64, u64>::new();
            for (first, count) in inserts {
                account.acknowledged(first, count);
                (first..first + count).for_each(|id| *table.entry(id).or_default() += 1);
            }
            let (ledger, deviations) = account.settle(table.clone());
            prop_assert_eq!(deviations, []);
            prop_assert_eq!(ledger.acknowledged, table.values().sum::<u64>());
            prop_assert_eq!((ledger.found, ledger.lost, ledger.doubled), (ledger.acknowledged, 0, 0));
        }
    }
}
