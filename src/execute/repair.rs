//! Putting rows right that two tables truly differ in. Every round looks anew, so a crash in the middle does no harm.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::agree::{Difference, Reading, numbers};
use super::carry_out::lines;
use super::engine::Engine;
use super::error::ExecuteError;
use super::place::Place;
use super::ports::{Reporter, Servers};
use super::unseen;
use crate::names::{ReplicaId, quoted_list};
use crate::plan::{Compare, Repair, Step, Template, Truth};
use crate::words::count;

/// Hashes in one statement. A mutation is kept in Keeper, where a value is at most a megabyte.
pub(super) const HASHES_AT_ONCE: usize = 5_000;
/// Hashes named in a report.
const HASHES_SHOWN_MAX: usize = 10;
/// How long a mutation of the table that nobody reads may take.
const MUTATION_PATIENCE: Duration = Duration::from_hours(6);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(500);

/// What one round put right.
#[derive(Debug, Default)]
pub(super) struct Mended {
    /// Rows that were touched.
    pub(super) rows: u64,
    /// Of these, rows that the left table alone had after a swap, and that its views were shown.
    pub(super) shown: u64,
    /// The same of which it is not known whether its views saw them.
    pub(super) unseen: u64,
}

impl From<u64> for Mended {
    fn from(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }
}

/// Puts one round's differences right.
pub(super) async fn repair<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    compare: &Compare,
    work: &Repair,
    truth: Truth,
    difference: &Difference,
) -> Result<Mended, ExecuteError> {
    let mender = Mender { engine, step, work, partitions: quoted_list(&difference.partitions) };
    let owed = match truth {
        Truth::Left | Truth::Kept => (ByTimes::new(), ByTimes::new()),
        Truth::TwoCopies | Truth::Told => mender.owed(difference, truth)?,
    };
    // A single copy is of an insert that met no view at all: those of an insert that met them are two.
    let (single, several) = owed;
    if !single.is_empty() {
        return mender.copy(&work.pass, &single).await.map(Mended::from);
    }
    if !several.is_empty() {
        return mender.give(several).await.map(Mended::from);
    }
    let lacking = by_times(&difference.rows, Reading::lacking);
    if !lacking.is_empty() {
        return mender.add(lacking, difference).await;
    }
    let beyond: Vec<u64> = difference.rows.iter().filter(|(_, row)| row.beyond() > 0).map(|(hash, _)| *hash).collect();
    mender.remove(&beyond, compare).await.map(Mended::from)
}

struct Mender<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
    work: &'a Repair,
    partitions: String,
}

/// Whether a mutation is done, by its id.
type Mutations = BTreeMap<String, bool>;

/// Hashes by how many copies they are owed.
type ByTimes = BTreeMap<u64, Vec<u64>>;

impl<S: Servers, R: Reporter> Mender<'_, '_, S, R> {
    /// Rows that the left table has none of, though the right one has: an insert in the middle of a swap may leave both its
    /// copies there, or a failed one its only copy. One copy too many on the right is left over from such an insert too. Where
    /// several are, of a row that is on both sides, equal rows were inserted, and what happened to which only a person may say.
    ///
    /// Gives those with a single copy and those with several.
    fn owed(&self, difference: &Difference, truth: Truth) -> Result<(ByTimes, ByTimes), ExecuteError> {
        let unclear: Vec<u64> = difference
            .rows
            .iter()
            .filter(|(_, row)| truth == Truth::TwoCopies && row.after > 0 && row.beyond() > 1)
            .map(|(hash, _)| *hash)
            .collect();
        if !unclear.is_empty() {
            let rows = vec![format!(
                "{} in the shadow table by several more often than in the source, which cannot be told from rows alone: hashes {}",
                count(unclear.len(), "row"),
                numbers(&unclear[..unclear.len().min(HASHES_SHOWN_MAX)])
            )];
            let replica = self.engine.desk.replica_name(self.work.on);
            return Err(ExecuteError::Rows { step: self.step.id.clone(), replica, rows });
        }
        let is_owed = |row: Reading| row.after == 0 && row.beyond() > 0;
        let single = |row: Reading| u64::from(is_owed(row) && row.right == 1);
        let several = |row: Reading| if is_owed(row) && row.right > 1 { row.right.div_ceil(2) } else { 0 };
        Ok((by_times(&difference.rows, single), by_times(&difference.rows, several)))
    }

    /// Brings rows into the left table, past all views.
    async fn give(&self, owed: ByTimes) -> Result<u64, ExecuteError> {
        let give = &self.work.give;
        self.change(&give.clear).await?;
        let rows = self.copy(&give.copy, &owed).await?;
        for partition in lines(&self.engine.desk.ask(&self.step.id, self.work.on, &give.staged).await?) {
            self.change(&give.attach.fill(&partition)).await?;
        }
        self.change(&give.clear).await?;
        Ok(rows)
    }

    /// Writes rows of the left table into the right one. After a swap, its views may have missed them as the mirror did.
    async fn add(&self, lacking: ByTimes, difference: &Difference) -> Result<Mended, ExecuteError> {
        let rows = self.copy(&self.work.add, &lacking).await?;
        let Some(unseen) = &self.work.unseen else { return Ok(rows.into()) };
        let home = Place { engine: self.engine, step: &self.step.id, on: self.work.on };
        let shown = unseen::show(&home, unseen, &self.partitions, &difference.rows).await?;
        Ok(Mended { rows, shown, unseen: rows.saturating_sub(shown) })
    }

    async fn copy(&self, template: &Template, rows: &ByTimes) -> Result<u64, ExecuteError> {
        let mut copied = 0;
        for (times, hashes) in rows {
            for hashes in hashes.chunks(HASHES_AT_ONCE) {
                let fillings = [
                    ("partitions", self.partitions.as_str()),
                    ("hashes", &numbers(hashes)),
                    ("times", &times.to_string()),
                ];
                self.change(&template.fill_all(&fillings)).await?;
                copied += times * hashes.len() as u64;
            }
        }
        Ok(copied)
    }

    /// Deletes rows from the right table. Those of which it should have some are added by the next round.
    async fn remove(&self, hashes: &[u64], compare: &Compare) -> Result<u64, ExecuteError> {
        let before = try_join_all(compare.on.iter().map(|on| self.mutations(*on))).await?;
        let chunks = hashes.chunks(HASHES_AT_ONCE);
        let sent = chunks.len();
        for hashes in chunks {
            self.change(&self.work.remove.fill_all(&[("hashes", &numbers(hashes))])).await?;
        }
        let began = Instant::now();
        for (on, before) in compare.on.iter().zip(&before) {
            while let Some(waiting_for) = unfinished(before, &self.mutations(*on).await?, sent) {
                if began.elapsed() > MUTATION_PATIENCE {
                    let (replica, seconds) = (self.engine.desk.replica_name(*on), MUTATION_PATIENCE.as_secs());
                    return Err(ExecuteError::Stalled { step: self.step.id.clone(), replica, seconds, waiting_for });
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(hashes.len() as u64)
    }

    async fn mutations(&self, on: ReplicaId) -> Result<Mutations, ExecuteError> {
        let answer = self.engine.desk.ask(&self.step.id, on, &self.work.mutations).await?;
        let read = |line: &str| {
            let (id, done) = line.split_once('\t')?;
            Some((id.to_owned(), done == "1"))
        };
        let all = answer.lines();
        all.map(|line| read(line).ok_or_else(|| self.engine.desk.unreadable(&self.step.id, on, line))).collect()
    }

    async fn change(&self, sql: &str) -> Result<(), ExecuteError> {
        let done = self.engine.desk.statement_slowly(&self.step.id, self.work.on, sql).await;
        let Err(source) = done else { return Ok(()) };
        if source.outcome_unknown {
            // Whether it was done is seen by the next look; only it must not be at it still.
            self.engine.end_leftovers(&self.step.id, &[self.work.on]).await?;
        }
        let source = super::ports::CallError { outcome_unknown: false, ..source };
        Err(ExecuteError::Call { step: self.step.id.clone(), source })
    }
}

/// What is still to come of `sent` mutations on a replica that had these before: one that is not done, or that it has not heard of.
/// Replicas hear of a mutation a moment after the statement is answered.
fn unfinished(before: &Mutations, now: &Mutations, sent: usize) -> Option<String> {
    let open = now.iter().find(|(_, done)| !**done).map(|(id, _)| format!("mutation {id} to end"));
    let heard_of = now.keys().filter(|id| !before.contains_key(*id)).count();
    open.or_else(|| (heard_of < sent).then(|| format!("{} to be heard of", count(sent - heard_of, "mutation"))))
}

/// Hashes by how many copies each needs; those that need none left out.
fn by_times(rows: &BTreeMap<u64, Reading>, times: impl Fn(Reading) -> u64) -> ByTimes {
    let mut sorted = ByTimes::new();
    for (hash, reading) in rows {
        let times = times(*reading);
        if times > 0 {
            sorted.entry(times).or_default().push(*hash);
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutation_that_a_replica_has_not_heard_of_is_not_done() {
        let known =
            |ids: &[(&str, bool)]| ids.iter().map(|(id, done)| ((*id).to_owned(), *done)).collect::<Mutations>();
        let before = known(&[("1", true)]);
        assert_eq!(unfinished(&before, &before, 1).unwrap(), "1 mutation to be heard of");
        assert_eq!(unfinished(&before, &known(&[("1", true), ("2", false)]), 1).unwrap(), "mutation 2 to end");
        assert_eq!(unfinished(&before, &known(&[("1", true), ("2", true)]), 1), None);
        // A server forgets those of long ago.
        assert_eq!(unfinished(&before, &known(&[("2", true), ("3", true)]), 2), None);
    }
}
