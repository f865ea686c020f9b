//! What writers were told: the account of the table, that of the downstream view, and the rows that were changed.

use std::collections::BTreeMap;

use shardwright::rehearse::Account;

/// What one writer knows, or all of them together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    /// Copies of each row in the table.
    pub(crate) table: Account,
    /// Copies of each row that the downstream view must have seen.
    pub(crate) seen: Account,
    /// Highest version of a row that was acknowledged, and highest that may be there.
    pub(crate) versions: BTreeMap<u64, (u32, u32)>,
    /// Notes that were changed, by row.
    pub(crate) changed: BTreeMap<u64, Changed>,
}

/// A note that an update gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) note: String,
    /// Whether the update is known to have ended.
    pub(crate) surely: bool,
}

/// What came of an insert, with all its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the last attempt was acknowledged.
    pub(crate) acknowledged: bool,
    /// Attempts that were sent and not acknowledged.
    pub(crate) unknown: u32,
    /// Whether a `Distributed` table sends it on after it was acknowledged, and again if that fails.
    pub(crate) later: bool,
}

/// Times that a `Distributed` table may send a block on, at most, for the downstream view's account.
const SENDS_MAX: u32 = 8;

impl Book {
    /// Enters an insert of rows with consecutive numbers.
    pub(crate) fn inserted(&mut self, first: u64, count: u64, outcome: Outcome) {
        let Outcome { acknowledged, unknown, later } = outcome;
        if acknowledged {
            self.table.acknowledged(first, count);
        }
        // A replicated table passes a block that it has on to no view: one that is sent again may be in the table and not seen.
        match (acknowledged, unknown) {
            (true, 0) if !later => self.seen.acknowledged(first, count),
            (true, _) if !later => self.seen.unknown(first, count, unknown + 1),
            (false, _) if !later => self.seen.unknown(first, count, unknown),
            _ => self.seen.unknown(first, count, SENDS_MAX + unknown),
        }
        if unknown > 0 {
            self.table.unknown(first, count, unknown);
        }
    }

    /// Enters a version of a row.
    pub(crate) fn versioned(&mut self, id: u64, version: u32, outcome: Outcome) {
        let known = self.versions.entry(id).or_default();
        if outcome.acknowledged {
            known.0 = known.0.max(version);
        }
        known.1 = known.1.max(version);
    }

    /// Adds another writer's.
    pub(crate) fn extend(&mut self, other: Self) {
        self.table.extend(other.table);
        self.seen.extend(other.seen);
        for (id, (acknowledged, any)) in other.versions {
            let known = self.versions.entry(id).or_default();
            *known = (known.0.max(acknowledged), known.1.max(any));
        }
        self.changed.extend(other.changed);
    }
}

#[test]
fn a_retried_insert_may_be_there_as_often_as_it_was_sent() {
    let mut book = Book::default();
    book.inserted(1, 1, Outcome { acknowledged: true, unknown: 2, later: false });
    book.inserted(2, 1, Outcome { acknowledged: false, unknown: 1, later: false });
    book.inserted(3, 1, Outcome { acknowledged: true, unknown: 0, later: false });
    book.inserted(4, 1, Outcome { acknowledged: true, unknown: 0, later: true });
    let bounds = |account: &Account| -> Vec<_> { account.spans().iter().map(|span| (span.least, span.most)).collect() };
    assert_eq!(bounds(&book.table), [(1, 3), (0, 1), (1, 1)]);
    assert_eq!(bounds(&book.seen), [(0, 3), (0, 1), (1, 1), (0, 8)]);
}
