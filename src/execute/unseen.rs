//! Rows that the views of the table never saw: see [`crate::plan::Unseen`].
//!
//! They are in the right table by the time they are taken out of the left one. So whatever ends a run in between, the next comparison
//! finds them on the right alone, and inserts them through the views.

use std::collections::{BTreeMap, BTreeSet};

use super::ExecuteError;
use super::agree::{Reading, numbers};
use super::part::{Parts, is_one_insert};
use super::place::Place;
use super::ports::{Reporter, Servers};
use super::repair::HASHES_AT_ONCE;
use crate::plan::Unseen;

/// Rows by part: each hash and how often the part has it.
type Held = BTreeMap<String, BTreeMap<u64, u64>>;

/// Shows the views those rows that the right table lacked altogether, and whose parts hold nothing else. Gives their number.
pub(super) async fn show<S: Servers, R: Reporter>(
    home: &Place<'_, '_, S, R>,
    work: &Unseen,
    partitions: &str,
    rows: &BTreeMap<u64, Reading>,
) -> Result<u64, ExecuteError> {
    // Of a row that is there several times, nobody could tell afterwards how many were taken out.
    let lone = Reading { before: 1, right: 0, after: 1 };
    let hashes: Vec<u64> = rows.iter().filter(|(_, row)| **row == lone).map(|(hash, _)| *hash).collect();
    let mut held = Held::new();
    for hashes in hashes.chunks(HASHES_AT_ONCE) {
        let sql = work.parts.fill_all(&[("partitions", partitions), ("hashes", &numbers(hashes))]);
        for line in home.ask_slowly(&sql).await?.lines() {
            let (part, hash, times) = read(line).ok_or_else(|| home.unreadable(line))?;
            held.entry(part).or_default().insert(hash, times);
        }
    }
    let mut shown = 0;
    for (part, hashes) in nothing_else(&held, &home.parts(&work.list).await?) {
        if !take_out(home, work, part).await? {
            continue;
        }
        let hashes: Vec<u64> = hashes.keys().copied().collect();
        for hashes in hashes.chunks(HASHES_AT_ONCE) {
            let fillings = [("partitions", partitions), ("hashes", &numbers(hashes)), ("times", "1")];
            home.change_slowly(&work.show.fill_all(&fillings)).await?;
        }
        shown += hashes.len() as u64;
    }
    Ok(shown)
}

/// False if the server has no such part any more, or does not let it go.
async fn take_out<S: Servers, R: Reporter>(
    home: &Place<'_, '_, S, R>,
    work: &Unseen,
    part: &str,
) -> Result<bool, ExecuteError> {
    match home.engine.desk.statement(home.step, home.on, &work.drop.fill(part)).await {
        Ok(_) => Ok(true),
        Err(source) if source.code.is_some() && !source.outcome_unknown => Ok(false),
        Err(source) => Err(ExecuteError::Call { step: home.step.clone(), source }),
    }
}

/// Parts that are one insert each, all of whose rows are among these.
fn nothing_else<'h>(held: &'h Held, parts: &Parts) -> Vec<(&'h String, &'h BTreeMap<u64, u64>)> {
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut whole = Vec::new();
    for (part, hashes) in held {
        let rows: u64 = hashes.values().sum();
        let is_all = parts.get(part).is_some_and(|listed| listed.rows == rows.to_string()) && is_one_insert(part);
        // A row came once; seen in two parts, it was merged in between.
        if is_all && hashes.values().all(|times| *times == 1) && hashes.keys().all(|hash| taken.insert(*hash)) {
            whole.push((part, hashes));
        }
    }
    whole
}

fn read(line: &str) -> Option<(String, u64, u64)> {
    let mut fields = line.split('\t');
    let read = (fields.next()?.to_owned(), fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(read)
}

#[cfg(test)]
mod tests {
    use super::super::part::Part;
    use super::*;

    #[test]
    fn a_part_with_another_row_stays_and_so_does_a_merged_one() {
        let held = |parts: &[(&str, &[(u64, u64)])]| -> Held {
            parts.iter().map(|(name, rows)| ((*name).to_owned(), rows.iter().copied().collect())).collect()
        };
        let held = held(&[
            ("a_1_1_0", &[(1, 1), (2, 1)]),
            ("a_2_2_0", &[(3, 1)]),
            ("a_3_4_1", &[(4, 1)]),
            ("a_5_5_0", &[(5, 2)]),
            ("a_6_6_0", &[(1, 1)]),
            ("a_7_7_0", &[(7, 1)]),
        ]);
        let rows = [("a_1_1_0", "2"), ("a_2_2_0", "9"), ("a_3_4_1", "1"), ("a_5_5_0", "2"), ("a_6_6_0", "1")];
        let part =
            |(name, rows): (&str, &str)| (name.to_owned(), Part { partition: "a".to_owned(), rows: rows.to_owned() });
        let listed: Parts = rows.into_iter().map(part).collect();
        let whole: Vec<&String> = nothing_else(&held, &listed).into_iter().map(|(part, _)| part).collect();
        assert_eq!(whole, ["a_1_1_0"], "others hold more, are merged, have a row twice, or are not there any more");
        assert_eq!(read("a_1_1_0\t18446744073709551615\t1"), Some(("a_1_1_0".to_owned(), u64::MAX, 1)));
        assert_eq!((read("a_1_1_0\t1"), read("a\tx\t1"), read("a\t1\t1\t1")), (None, None, None));
    }
}
