//! Bringing two tables to agree, exactly, while rows come in.
//!
//! A row is read on the left, then, once every insert that had begun has landed, on the right, then on the left again. What the
//! left had both times the right must have; what the right has the left must have had once. Whatever is under way, a row that
//! breaks this rule is truly lacking or truly too much, and rows that are inserted twice do no harm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::future::join_all;

use super::compare::{Differing, differing};
use super::desk::Desk;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::drain;
use super::part::PARTITIONS_SHOWN_MAX;
use super::ports::{Reporter, Servers};
use super::repair::repair;
use super::watch;
use crate::names::{ReplicaId, TableName, quoted_list};
use crate::plan::{Compare, CompareMode, SUSPECTS_MAX, Step, StepId, Truth};
use crate::words::{self, count};

/// Rounds of comparing and putting right before a person is asked.
const ROUNDS_MAX: u32 = 12;
/// How often suspects are sought anew where there are too many: a large insert is under way.
const SUSPECT_TRIES_MAX: u32 = 20;
/// How often groups of rows that were another thing at every reading are read anew, where they must hold still.
const MOVING_TRIES_MAX: u32 = 6;
/// Hashes in one query.
const HASHES_AT_ONCE: usize = 10_000;
/// Hashes named in a report.
const HASHES_SHOWN_MAX: usize = 5;

/// How often a row was read on the left, on the right, and on the left again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) before: u64,
    pub(super) right: u64,
    pub(super) after: u64,
}

impl Reading {
    /// Copies that the right table lacks for certain.
    pub(super) fn lacking(self) -> u64 {
        self.before.min(self.after).saturating_sub(self.right)
    }

    /// Copies that the right table has too many for certain.
    pub(super) fn beyond(self) -> u64 {
        self.right.saturating_sub(self.before.max(self.after))
    }

    fn differs(self) -> bool {
        self.lacking() > 0 || self.beyond() > 0
    }

    /// Whether both tables had it all the time: what merging leaves of rows may be another thing at every reading, and then proves nothing.
    fn holds_still(self) -> bool {
        self.before > 0 && self.before == self.right && self.right == self.after
    }
}

/// Rows of one replica that differ for certain, by hash.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) partitions: Vec<String>,
    pub(super) rows: BTreeMap<u64, Reading>,
}

/// Rows that were put right.
#[derive(Debug, Default)]
struct Repaired {
    rows: u64,
    /// Where rows differed; a row under way may have made one of them differ.
    partitions: BTreeSet<String>,
    /// Rows that views were shown, since they had met none.
    shown: u64,
    /// Rows that views may have missed.
    unseen: u64,
    /// These views.
    views: Vec<TableName>,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows == 0 {
            return Ok(());
        }
        let partitions = words::first(self.partitions.iter(), PARTITIONS_SHOWN_MAX);
        write!(f, "; {} were put right in the partitions {partitions}", self.rows)?;
        if self.shown > 0 {
            write!(f, "; {} of them had met no view, and were inserted through the views", self.shown)?;
        }
        if self.unseen > 0 {
            let views = words::first(self.views.iter(), PARTITIONS_SHOWN_MAX);
            write!(
                f,
                "; {} of them were in the new table alone, merged with others: {views} may have missed them; compare what they wrote",
                self.unseen
            )?;
        }
        Ok(())
    }
}

/// What comparing one replica gave.
struct Seen {
    on: ReplicaId,
    partitions: usize,
    rows: u64,
    followed: usize,
    /// Groups of rows that were another thing at every reading.
    moving: usize,
    difference: Difference,
}

/// Compares, puts right what differs, and compares again until nothing does.
pub(super) async fn agree<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    compare: &Compare,
    truth: Truth,
) -> Result<String, ExecuteError> {
    let mut repaired = Repaired::default();
    let mut round = 0;
    loop {
        round += 1;
        // Putting rows right alters parts, so each round writes them down anew.
        watch::write_down(engine, step, compare).await?;
        let mut seen = compare_all(&engine.desk, &step.id, compare).await?;
        for seen in &mut seen {
            seen.difference.rows.retain(|_, row| matters(*row, truth));
        }
        let Some(differing) = seen.iter().find(|seen| !seen.difference.rows.is_empty()) else {
            return Ok(evidence(compare, &seen, &repaired));
        };
        let is_gone = |row: &Reading| row.after == 0 && row.beyond() > 0;
        let may = round < ROUNDS_MAX && (truth != Truth::Kept || !differing.difference.rows.values().any(is_gone));
        let able = compare.repair.as_ref().filter(|repair| may && differing.on == repair.on);
        let Some(work) = able else { return Err(rows_differ(&engine.desk, &step.id, differing)) };
        if let Some(watch) = compare.watch.as_ref().filter(|_| repaired.rows == 0) {
            let altered = watch::altered(engine, &step.id, watch).await?;
            if !altered.is_empty() {
                let (step, replica) = (step.id.clone(), engine.desk.replica_name(watch.on));
                return Err(ExecuteError::Altered { step, replica, rows: told(differing), altered });
            }
        }
        let mended = repair(engine, step, compare, work, truth, &differing.difference).await?;
        repaired.rows += mended.rows;
        repaired.shown += mended.shown;
        repaired.unseen += mended.unseen;
        repaired.views = work.unseen.as_ref().map_or_else(Vec::new, |unseen| unseen.views.clone());
        repaired.partitions.extend(differing.difference.partitions.iter().cloned());
    }
}

/// Whether a difference is to be put right. After a swap the right table may have a copy too many of a row that is on the left
/// as well. Nobody reads it there; going back takes it out.
fn matters(row: Reading, truth: Truth) -> bool {
    let is_spare = row.after > 0 && row.lacking() == 0;
    match truth {
        Truth::Left | Truth::Kept => true,
        Truth::TwoCopies => !(is_spare && row.beyond() == 1),
        Truth::Told => !is_spare,
    }
}

/// Compares once and changes nothing.
pub(super) async fn look<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    compare: &Compare,
    truth: Truth,
) -> Result<String, ExecuteError> {
    let mut seen = compare_all(desk, step, compare).await?;
    let spare = seen.iter().map(|seen| seen.difference.rows.len()).max().unwrap_or(0);
    for seen in &mut seen {
        seen.difference.rows.retain(|_, row| matters(*row, truth));
    }
    if let Some(differing) = seen.iter().find(|seen| !seen.difference.rows.is_empty()) {
        return Err(rows_differ(desk, step, differing));
    }
    let spare = match spare {
        0 => String::new(),
        spare => format!(
            "; the old data has {} twice, of inserts that the swap overtook: going back takes one out",
            count(spare, "row")
        ),
    };
    Ok(evidence(compare, &seen, &Repaired::default()) + &spare)
}

async fn compare_all<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    compare: &Compare,
) -> Result<Vec<Seen>, ExecuteError> {
    let mut seen = Vec::new();
    let mut restless = None;
    for one in join_all(compare.on.iter().map(|on| compare_on(desk, step, compare, *on))).await {
        match one {
            Ok(one) => seen.push(one),
            // Elsewhere rows may differ for certain.
            Err(error @ ExecuteError::Restless { .. }) => restless = Some(error),
            Err(error) => return Err(error),
        }
    }
    match restless {
        Some(error) if seen.iter().all(|seen| seen.difference.rows.is_empty()) => Err(error),
        _ => Ok(seen),
    }
}

async fn compare_on<S: Servers>(
    desk: &Desk<'_, S>,
    step: &StepId,
    compare: &Compare,
    on: ReplicaId,
) -> Result<Seen, ExecuteError> {
    let Differing { partitions, rows, unequal, report } = differing(desk, step, compare, on).await?;
    let mut seen = Seen { on, partitions, rows, followed: 0, moving: 0, difference: Difference::default() };
    if unequal.is_empty() {
        return Ok(seen);
    }
    let look = Look { desk, step, compare, on, partitions: quoted_list(&unequal) };
    let tries = if compare.settles { MOVING_TRIES_MAX } else { 1 };
    for _ in 0..tries {
        let Some(suspects) = look.suspects().await? else {
            return Err(ExecuteError::Verification {
                step: step.clone(),
                replica: desk.replica_name(on),
                differences: report,
            });
        };
        seen.followed = suspects.len();
        let mut rows = look.read(&suspects).await?;
        let is_moving = |row: &&Reading| compare.repair.is_none() && !row.differs() && !row.holds_still();
        seen.moving = rows.values().filter(is_moving).count();
        rows.retain(|_, reading| reading.differs());
        seen.difference = Difference { partitions: unequal.clone(), rows };
        if seen.moving == 0 || !seen.difference.rows.is_empty() {
            return Ok(seen);
        }
    }
    if compare.settles {
        let (moving, replica) = (count(seen.moving, "group"), desk.replica_name(on));
        let reason =
            format!("{moving} of rows with equal keys changed on {replica} at each look, and could not be compared");
        return Err(ExecuteError::Restless { step: step.clone(), reason });
    }
    Ok(seen)
}

/// Reading single rows of some partitions on one replica.
struct Look<'a, 's, S> {
    desk: &'a Desk<'s, S>,
    step: &'a StepId,
    compare: &'a Compare,
    on: ReplicaId,
    partitions: String,
}

impl<S: Servers> Look<'_, '_, S> {
    /// Hashes of rows that one side has more often than the other; none if there are too many to look at one by one.
    async fn suspects(&self) -> Result<Option<Vec<u64>>, ExecuteError> {
        for _ in 0..SUSPECT_TRIES_MAX {
            let buckets = self.numbers(&self.compare.drill.buckets, "").await?;
            if buckets.is_empty() {
                return Ok(Some(Vec::new()));
            }
            let suspects = self.numbers(&self.compare.drill.suspects, &numbers(&buckets)).await?;
            if suspects.len() <= SUSPECTS_MAX {
                return Ok(Some(suspects));
            }
            drain(self.desk, self.step, &self.compare.drain).await?;
        }
        Ok(None)
    }

    async fn numbers(&self, template: &crate::plan::Template, buckets: &str) -> Result<Vec<u64>, ExecuteError> {
        let sql = template.fill_all(&[("partitions", &self.partitions), ("buckets", buckets)]);
        let answer = self.desk.ask_slowly(self.step, self.on, &sql).await?;
        answer.lines().map(|line| line.parse().map_err(|_| self.unreadable(line))).collect()
    }

    /// Left, right once everything has landed, left again.
    async fn read(&self, suspects: &[u64]) -> Result<BTreeMap<u64, Reading>, ExecuteError> {
        let mut readings: BTreeMap<u64, Reading> = suspects.iter().map(|hash| (*hash, Reading::default())).collect();
        if suspects.is_empty() {
            return Ok(readings);
        }
        let drill = &self.compare.drill;
        self.count(&drill.left, suspects, &mut readings, |reading, times| reading.before = times).await?;
        drain(self.desk, self.step, &self.compare.drain).await?;
        self.count(&drill.right, suspects, &mut readings, |reading, times| reading.right = times).await?;
        drain(self.desk, self.step, &self.compare.drain).await?;
        self.count(&drill.left, suspects, &mut readings, |reading, times| reading.after = times).await?;
        Ok(readings)
    }

    async fn count(
        &self,
        template: &crate::plan::Template,
        suspects: &[u64],
        readings: &mut BTreeMap<u64, Reading>,
        set: impl Fn(&mut Reading, u64),
    ) -> Result<(), ExecuteError> {
        for hashes in suspects.chunks(HASHES_AT_ONCE) {
            let sql = template.fill_all(&[("partitions", &self.partitions), ("hashes", &numbers(hashes))]);
            let answer = self.desk.ask_slowly(self.step, self.on, &sql).await?;
            for line in answer.lines() {
                let parsed =
                    line.split_once('\t').and_then(|(hash, times)| Some((hash.parse().ok()?, times.parse().ok()?)));
                let (hash, times): (u64, u64) = parsed.ok_or_else(|| self.unreadable(line))?;
                set(readings.entry(hash).or_default(), times);
            }
        }
        Ok(())
    }

    fn unreadable(&self, line: &str) -> ExecuteError {
        self.desk.unreadable(self.step, self.on, line)
    }
}

fn evidence(compare: &Compare, seen: &[Seen], repaired: &Repaired) -> String {
    let (partitions, rows) = seen.first().map_or((0, 0), |seen| (seen.partitions, seen.rows));
    let replicas = count(seen.len(), "replica");
    let agree = if compare.mode == CompareMode::Keys {
        format!(
            "{rows} different keys agree on {replicas}; so does what no merge changes of the rows of each; nothing else of them was compared"
        )
    } else {
        format!("{rows} rows in {} agree on {replicas}", count(partitions, "partition"))
    };
    let followed = seen.iter().map(|seen| seen.followed).max().unwrap_or(0);
    let followed =
        if followed > 0 { format!("; {followed} under way were followed until they did") } else { String::new() };
    let moving = match seen.iter().map(|seen| seen.moving).max() {
        None | Some(0) => String::new(),
        Some(moving) => {
            format!(
                "; not compared were {} of rows with equal keys, which changed at each look",
                count(moving, "group")
            )
        }
    };
    format!("{agree}{followed}{moving}{repaired}")
}

fn rows_differ<S: Servers>(desk: &Desk<'_, S>, step: &StepId, seen: &Seen) -> ExecuteError {
    ExecuteError::Rows { step: step.clone(), replica: desk.replica_name(seen.on), rows: told(seen) }
}

/// Which rows differ, for people.
fn told(seen: &Seen) -> Vec<String> {
    let rows = &seen.difference.rows;
    let sum = |number: fn(Reading) -> u64| rows.values().map(|reading| number(*reading)).sum::<u64>();
    let mut told = vec![format!(
        "the shadow table lacks {} and has {} too many, in the partitions {}",
        count(usize::try_from(sum(Reading::lacking)).unwrap_or(usize::MAX), "row"),
        sum(Reading::beyond),
        seen.difference.partitions.join(", ")
    )];
    told.extend(rows.iter().take(HASHES_SHOWN_MAX).map(|(hash, reading)| {
        format!("the row with hash {hash} is {} times in the source, {} in the shadow", reading.after, reading.right)
    }));
    if rows.len() > HASHES_SHOWN_MAX {
        told.push(format!("and {} more", rows.len() - HASHES_SHOWN_MAX));
    }
    told
}

/// Numbers, separated by commas.
pub(super) fn numbers(numbers: &[u64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_no_difference() {
        // Inserted between the readings; its mirror landed before, in between or after them.
        for right in 1..=3 {
            assert!(!Reading { before: 1, right, after: 3 }.differs());
        }
        // Deleted meanwhile on the left only: the right has it too many.
        assert_eq!(Reading { before: 1, right: 1, after: 0 }.beyond(), 0);
        assert_eq!(Reading { before: 0, right: 1, after: 0 }.beyond(), 1);
    }

    #[test]
    fn a_copy_too_many_in_the_old_data_is_left_until_somebody_goes_back() {
        let spare = Reading { before: 1, right: 2, after: 1 };
        assert!(!matters(spare, Truth::TwoCopies) && !matters(spare, Truth::Told));
        assert!(matters(spare, Truth::Kept) && matters(spare, Truth::Left));
        let misplaced = Reading { before: 0, right: 2, after: 0 };
        assert!(matters(misplaced, Truth::TwoCopies) && matters(misplaced, Truth::Told));
    }

    #[test]
    fn a_repair_says_where() {
        assert_eq!(Repaired::default().to_string(), "");
        let repaired =
            Repaired { rows: 3, partitions: ["202402", "202401"].map(str::to_owned).into(), ..Repaired::default() };
        assert_eq!(repaired.to_string(), "; 3 were put right in the partitions 202401, 202402");
        let seen = Repaired { shown: 2, unseen: 1, views: vec![TableName::new("d", "v")], ..repaired };
        assert!(
            seen.to_string().ends_with(
                "; 2 of them had met no view, and were inserted through the views; 1 of them were in the new table alone, merged with \
                 others: d.v may have missed them; compare what they wrote"
            ),
            "{seen}"
        );
        let partitions = (10..30).map(|number| number.to_string()).collect();
        let many = Repaired { rows: 1, partitions, ..Repaired::default() };
        assert!(many.to_string().ends_with("18, 19 and 10 more"), "{many}");
    }

    #[test]
    fn a_row_that_lasts_on_one_side_only_is_one() {
        assert_eq!(Reading { before: 2, right: 1, after: 3 }.lacking(), 1);
        assert_eq!(Reading { before: 2, right: 5, after: 3 }.beyond(), 2);
        // Deleted on the left meanwhile: not to be brought back.
        assert_eq!(Reading { before: 1, right: 0, after: 0 }.lacking(), 0);
    }
}
