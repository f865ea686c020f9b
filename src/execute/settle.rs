//! The boundary of one shard: see [`crate::plan::Settle`]. Whatever cuts an attempt short, merges are started again, and the
//! next attempt begins from nothing.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::carry_out::{check, lines};
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::{catch_up_all, drain, running};
use super::part::{Part, Parts, is_one_insert};
use super::place::{Place, start_feeds, start_merges, stop_feeds, stop_merges};
use super::ports::{News, Reporter, Servers};
use super::stillness::{FOR_BOUNDARY, until_still};
use crate::names::quoted_list;
use crate::plan::{Feed, GapBy, Settle, Step};
use crate::words::count;

/// Attempts before a person is asked.
const ATTEMPTS_MAX: u32 = 6;
/// Pause before another attempt, so that merges can catch up; it grows with each.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a table that is emptied may take to be empty.
const CLEAR_PATIENCE: Duration = Duration::from_mins(2);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(200);

/// Why an attempt came to nothing.
enum Broken {
    /// Another attempt may go better.
    Again(String),
    /// It would not.
    Failed(Box<ExecuteError>),
}

impl From<ExecuteError> for Broken {
    fn from(error: ExecuteError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Draws the boundary.
pub(super) async fn settle<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Settle,
) -> Result<String, ExecuteError> {
    let home = Place { engine, step: &step.id, on: work.on };
    let settler = Settler { home, step, work, fence: work.fence || engine.fence(), at: Cell::new("") };
    let mut reasons = BTreeSet::new();
    for attempt in 1..=ATTEMPTS_MAX {
        settler.reset().await?;
        match settler.attempt().await {
            Ok(evidence) if attempt == 1 => return Ok(evidence),
            Ok(evidence) => return Ok(format!("{evidence}, at attempt {attempt} ({})", all_of(&reasons))),
            Err(Broken::Failed(error)) => return Err(*error),
            Err(Broken::Again(why)) => {
                engine.report(News::Again { step, attempt, why: &why });
                reasons.insert(why);
            }
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    Err(ExecuteError::Fence { step: step.id.clone(), replica: settler.home.name(), reason: all_of(&reasons) })
}

struct Settler<'a, 'p, S, R> {
    /// The backfill replica.
    home: Place<'a, 'p, S, R>,
    step: &'a Step,
    work: &'a Settle,
    fence: bool,
    /// What an attempt is at, for people.
    at: Cell<&'static str>,
}

impl<S: Servers, R: Reporter> Settler<'_, '_, S, R> {
    /// Takes back what an earlier attempt left; the tables are as they were made.
    async fn reset(&self) -> Result<(), ExecuteError> {
        let Place { engine, step, .. } = self.home;
        engine.run_all(step, std::slice::from_ref(&self.work.unmirror), false, true).await?;
        // Inserts that began with the mirror still write to the shadow table.
        drain(&engine.desk, step, &self.work.drain).await?;
        check(engine, step, &self.work.before).await?;
        for partition in lines(&self.home.ask(&self.work.mirrored).await?) {
            self.home.change(&self.work.drop_mirrored.fill(&partition)).await?;
        }
        for sql in &self.work.clear {
            self.home.change(sql).await?;
        }
        self.wait_until_clear().await
    }

    async fn wait_until_clear(&self) -> Result<(), ExecuteError> {
        let began = Instant::now();
        let cleared = std::slice::from_ref(&self.work.cleared);
        let Place { engine, step, on } = self.home;
        while engine.first_failing(step, on, cleared).await?.is_some() {
            if began.elapsed() > CLEAR_PATIENCE {
                return engine.require(step, on, cleared).await;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// One attempt. Merges are stopped for as long as it takes, and started again however it ends.
    async fn attempt(&self) -> Result<String, Broken> {
        let Place { engine, step, .. } = self.home;
        let feeds = &self.work.feeds;
        let outcome = match stop_feeds(engine, step, feeds).await {
            Ok(()) => self.attempt_without_feeds().await,
            Err(error) => Err(error.into()),
        };
        start_feeds(engine, step, feeds).await?;
        let stopped = |seen| if feeds.is_empty() { seen } else { format!("{seen}; {} stopped meanwhile", told(feeds)) };
        outcome.map(stopped)
    }

    async fn attempt_without_feeds(&self) -> Result<String, Broken> {
        if self.fence {
            self.wait_until_still().await?;
        }
        if self.is_crowded().await? {
            return Err(Broken::Again("a partition has so many parts that merges must not be stopped".to_owned()));
        }
        let began = Instant::now();
        let patience = Duration::from_secs(self.work.seconds_max);
        let Place { engine, step, .. } = self.home;
        let all = &self.work.unmirror.on;
        let outcome = async {
            stop_merges(engine, step, all, &self.work.stop_merges).await?;
            tokio::time::timeout(patience, self.draw()).await.unwrap_or_else(|_| {
                let why = format!("after {} s without merges it was still {}", self.work.seconds_max, self.at.get());
                Err(Broken::Again(why))
            })
        }
        .await;
        if outcome.is_err() {
            // Nothing that was sent may still be at work when the next attempt begins.
            engine.end_leftovers(step, all).await?;
        }
        start_merges(engine, step, all, &self.work.start_merges).await?;
        outcome.map(|seen| format!("{seen}; merges were stopped for {:.1} s", began.elapsed().as_secs_f64()))
    }

    async fn draw(&self) -> Result<String, Broken> {
        let Place { engine, step, .. } = self.home;
        self.at.set("waiting for replicas to catch up");
        // Parts that other replicas have taken in must be on the backfill replica before it is cloned.
        catch_up_all(&engine.desk, step, &self.work.drain).await?;
        self.at.set("cloning partitions");
        let cloned = self.clone_all().await?;
        self.at.set("creating the mirror");
        engine.run_all(step, &self.work.mirror, false, true).await?;
        // From here on every new insert is mirrored. Those that began before are the gap.
        self.at.set("waiting for inserts that had begun before the mirror");
        drain(&engine.desk, step, &self.work.drain).await?;
        let parts = self.parts().await?;
        if cloned.keys().any(|part| !parts.contains_key(part)) {
            return Err(Broken::Again("parts of the source were merged, changed or dropped meanwhile".to_owned()));
        }
        let gap: Vec<&String> = parts.keys().filter(|part| !cloned.contains_key(*part)).collect();
        if !gap.iter().all(|part| is_one_insert(part)) {
            return Err(Broken::Again("parts of the source were merged meanwhile".to_owned()));
        }
        if self.fence && !gap.is_empty() {
            return Err(Broken::Again(format!("writers were not still: {} came in", count(gap.len(), "part"))));
        }
        // The mirror of every part of the gap has landed once the inserts that made them have ended.
        self.at.set("waiting for inserts that made the gap");
        drain(&engine.desk, step, &self.work.drain).await?;
        if self.is_crowded().await? {
            return Err(Broken::Again(
                "a partition came to have so many parts that inserts would slow down".to_owned(),
            ));
        }
        self.at.set("copying the gap");
        let copied = if gap.is_empty() { 0 } else { self.copy_lacking(&gap).await? };
        Ok(format!(
            "{} cloned, {} in the gap, of which {copied} rows were copied",
            count(cloned.len(), "part"),
            gap.len()
        ))
    }

    /// Clones every partition. Gives the parts that are in the snapshot; no other part of the source is.
    async fn clone_all(&self) -> Result<Parts, Broken> {
        let before = self.parts().await?;
        let partitions: BTreeSet<&String> = before.values().map(|part| &part.partition).collect();
        for partition in &partitions {
            self.home.change(&self.work.clone.fill(partition)).await?;
        }
        let after = self.parts().await?;
        if before.keys().any(|part| !after.contains_key(part)) {
            return Err(Broken::Again("parts of the source were merged, changed or dropped meanwhile".to_owned()));
        }
        let copies = self.home.parts(&self.work.cloned).await?;
        let mut cloned = before.clone();
        for partition in partitions {
            let of = |parts: &Parts| -> Parts {
                parts
                    .iter()
                    .filter(|(_, part)| &part.partition == partition)
                    .map(|(name, part)| (name.clone(), part.clone()))
                    .collect()
            };
            let mut came = of(&after);
            came.retain(|name, _| !before.contains_key(name));
            cloned.extend(self.cloned_of(&of(&before), came, &of(&copies)).await?);
        }
        Ok(cloned)
    }

    /// Which of the parts that came in while a partition was cloned are among its clones. Parts of the same digest hold the
    /// same rows, so it does not matter which of them is taken.
    async fn cloned_of(&self, before: &Parts, came: Parts, copies: &Parts) -> Result<Parts, Broken> {
        match copies.len().checked_sub(before.len()) {
            Some(0) => return Ok(Parts::new()),
            Some(more) if more == came.len() => return Ok(came),
            Some(more) if more < came.len() => {}
            _ => return Err(Broken::Again("the snapshot does not hold what was cloned into it".to_owned())),
        }
        let rows: BTreeSet<&String> = came.values().map(|part| &part.rows).collect();
        let of_such_size = |part: &Part| rows.contains(&part.rows);
        let mut spare: BTreeMap<String, usize> = BTreeMap::new();
        for digest in self.home.digests(&self.work.digest_cloned, &names(copies, of_such_size)).await?.into_values() {
            *spare.entry(digest).or_default() += 1;
        }
        let known = self.home.digests(&self.work.digest, &names(before, of_such_size)).await?;
        for digest in known.into_values() {
            spare.entry(digest).and_modify(|times| *times = times.saturating_sub(1));
        }
        let digests = self.home.digests(&self.work.digest, &names(&came, |_| true)).await?;
        let mut cloned = came;
        cloned.retain(|name, _| {
            let left = digests.get(name).and_then(|digest| spare.get_mut(digest)).filter(|times| **times > 0);
            left.map(|times| *times -= 1).is_some()
        });
        if copies.len() - before.len() == cloned.len() {
            Ok(cloned)
        } else {
            Err(Broken::Again("parts of the source and their copies do not match".to_owned()))
        }
    }

    /// Copies the rows of the gap that the mirror did not write. Gives their number.
    async fn copy_lacking(&self, gap: &[&String]) -> Result<u64, Broken> {
        let work = &self.work.gap;
        let found = self.home.ask_slowly(&work.found.fill_all(&[("parts", &quoted_list(gap))])).await?;
        let (unwritten, whole, mut rows) = self.sorted(&found)?;
        self.home.change(&work.clear).await?;
        if !unwritten.is_empty() {
            self.home.change_slowly(&work.copy.fill_all(&[("parts", &quoted_list(unwritten))])).await?;
        }
        if work.by == GapBy::Row && !whole.is_empty() {
            // All of their rows are there, but perhaps from other inserts of the same rows.
            let parts = quoted_list(whole);
            let lacking = self.home.ask_slowly(&work.lacking.fill_all(&[("parts", &parts)])).await?;
            for line in lacking.lines() {
                let [times, count] = line.split('\t').collect::<Vec<_>>()[..] else {
                    return Err(self.home.unreadable(line).into());
                };
                self.home.change_slowly(&work.copy_rows.fill_all(&[("parts", &parts), ("times", times)])).await?;
                rows += times.parse::<u64>().unwrap_or(0) * count.parse::<u64>().unwrap_or(0);
            }
        }
        self.home.attach_staged(&work.staged, &work.attach).await?;
        self.home.change(&work.clear).await?;
        Ok(rows)
    }

    /// Parts that the mirror did not write, parts all of whose rows are there, and the rows of the former.
    fn sorted<'f>(&self, found: &'f str) -> Result<(Vec<&'f str>, Vec<&'f str>, u64), Broken> {
        let (mut unwritten, mut whole, mut lacking) = (Vec::new(), Vec::new(), 0);
        for line in found.lines() {
            let [part, rows, seen] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(self.home.unreadable(line).into());
            };
            if rows == seen {
                whole.push(part);
            } else if self.work.gap.by == GapBy::Row || seen == "0" {
                unwritten.push(part);
                lacking += rows.parse::<u64>().unwrap_or(0);
            } else {
                let reason = format!(
                    "{seen} of the {rows} rows of part {part} are in the shadow table: whether the mirror wrote it cannot be told"
                );
                return Err(
                    ExecuteError::Fence { step: self.home.step.clone(), replica: self.home.name(), reason }.into()
                );
            }
        }
        Ok((unwritten, whole, lacking))
    }

    /// Waits until no insert runs on any replica and no part comes to the table for a while.
    async fn wait_until_still(&self) -> Result<(), Broken> {
        let mut seen = self.parts().await?;
        let moved = async || {
            let (inserts, parts) = (self.inserts().await?, self.parts().await?);
            let came = parts.keys().filter(|part| !seen.contains_key(*part)).count();
            seen = parts;
            Ok(match (inserts.len(), came) {
                (0, 0) => None,
                (0, came) => Some(format!("{} came to {}", count(came, "part"), self.home.name())),
                (running, _) => Some(format!("{} under way", count(running, "insert"))),
            })
        };
        match until_still(self.home.engine, self.step, FOR_BOUNDARY, moved).await? {
            Ok(()) => Ok(()),
            Err(reason) => {
                Err(ExecuteError::Fence { step: self.step.id.clone(), replica: self.home.name(), reason }.into())
            }
        }
    }

    async fn inserts(&self) -> Result<BTreeSet<String>, ExecuteError> {
        let wait = &self.work.drain;
        let Place { engine, step, .. } = self.home;
        let each = try_join_all(wait.on.iter().map(|on| running(&engine.desk, step, wait, *on))).await?;
        Ok(each.into_iter().flatten().collect())
    }

    async fn is_crowded(&self) -> Result<bool, ExecuteError> {
        let Place { engine, step, .. } = self.home;
        let asked = self.work.unmirror.on.iter().map(|on| engine.desk.ask(step, *on, &self.work.crowded));
        Ok(try_join_all(asked).await?.iter().any(|answer| answer != "0"))
    }

    async fn parts(&self) -> Result<Parts, ExecuteError> {
        self.home.parts(&self.work.parts).await
    }
}

/// Why earlier attempts came to nothing, for people.
fn all_of(reasons: &BTreeSet<String>) -> String {
    reasons.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// What was stopped, for people.
fn told(feeds: &[Feed]) -> String {
    feeds.iter().map(|feed| feed.says.as_str()).collect::<Vec<_>>().join(", ")
}

/// Names of those parts that are wanted.
fn names(parts: &Parts, wanted: impl Fn(&Part) -> bool) -> Vec<&String> {
    parts.iter().filter(|(_, part)| wanted(part)).map(|(name, _)| name).collect()
}
