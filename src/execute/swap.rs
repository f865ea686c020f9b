//! A swap by renames: see [`crate::plan::Swap`]. Parts that came in meanwhile are compared by digest, so that an insert whose
//! rows went to the old data twice and to the new table never is known, however often equal rows are inserted.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::agree::agree;
use super::carry_out::lines;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::drain;
use super::ports::{Reporter, Servers};
use super::settle::{list, start_merges};
use crate::journal::Event;
use crate::names::ReplicaId;
use crate::plan::{Step, StepId, Swap, Template, Truth};
use crate::words::count;

/// Swaps the names and puts right what inserts in the middle of it misplaced.
pub(super) async fn swap<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Swap,
    resumed: bool,
) -> Result<String, ExecuteError> {
    let swapper = Swapper { engine, step: &step.id, work };
    let outcome = swapper.swap(resumed).await;
    start_merges(engine, &step.id, &work.compare.on, &work.start_merges).await?;
    let (renamed, brought) = outcome?;
    let truth = if brought.is_some() { Truth::Told } else { Truth::TwoCopies };
    let agreed = agree(engine, step, &work.compare, truth).await?;
    let brought = brought.map_or_else(String::new, |parts| format!("; {} brought over", count(parts, "part")));
    Ok(format!("{renamed}{brought}; {agreed}"))
}

struct Swapper<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a StepId,
    work: &'a Swap,
}

/// Names of active parts and their merge levels.
type Parts = BTreeMap<String, String>;

impl<S: Servers, R: Reporter> Swapper<'_, '_, S, R> {
    /// Gives what is to be said of the swap, and the number of parts brought over; none where parts do not tell.
    async fn swap(&self, resumed: bool) -> Result<(String, Option<usize>), ExecuteError> {
        self.everywhere(&self.work.stop_merges).await?;
        self.mark().await?;
        let renamed = self.engine.run_all(self.step, &self.work.runs, true, resumed).await?;
        // What inserts wrote that looked the names up before lands first, and then what their views wrote.
        for _ in 0..2 {
            drain(&self.engine.desk, self.step, &self.work.compare.drain).await?;
        }
        Ok((renamed, self.bring_over().await?))
    }

    /// Writes down which parts there are before the first rename. A run that was cut short has done so.
    async fn mark(&self) -> Result<(), ExecuteError> {
        if self.engine.progress().marks(self.step).is_some() {
            return Ok(());
        }
        drain(&self.engine.desk, self.step, &self.work.compare.drain).await?;
        let names = |parts: Parts| parts.into_keys().collect::<Vec<_>>();
        let [source, shadow] = &self.work.parts;
        let (source, shadow) = (names(self.parts(source).await?), names(self.parts(shadow).await?));
        let (old, new) = if self.work.forward { (source, shadow) } else { (shadow, source) };
        self.engine.record(Event::Marked { step: self.step.clone(), old, new })
    }

    async fn bring_over(&self) -> Result<Option<usize>, ExecuteError> {
        let progress = self.engine.progress();
        let (Some(digests), Some([old, new])) = (&self.work.digests, progress.marks(self.step)) else {
            return Ok(None);
        };
        let (live, other) = if self.work.forward { (new, old) } else { (old, new) };
        let [source, shadow] = &self.work.parts;
        let (Some(live), Some(other)) =
            (came_since(&self.parts(source).await?, live), came_since(&self.parts(shadow).await?, other))
        else {
            return Ok(None);
        };
        let (live, other) = (self.digests(&digests[0], &live).await?, self.digests(&digests[1], &other).await?);
        let Some(lacking) = misplaced(&live, &other) else { return Ok(None) };
        if !lacking.is_empty() {
            self.copy(&lacking).await?;
        }
        Ok(Some(lacking.len()))
    }

    async fn copy(&self, parts: &[String]) -> Result<(), ExecuteError> {
        self.change(self.work.on, &self.work.clear).await?;
        let parts = list(parts.iter().map(String::as_str));
        self.change(self.work.on, &self.work.copy.fill_all(&[("parts", &parts)])).await?;
        for partition in lines(&self.ask(&self.work.staged).await?) {
            self.change(self.work.on, &self.work.attach.fill(&partition)).await?;
        }
        self.change(self.work.on, &self.work.clear).await
    }

    async fn digests(&self, template: &Template, parts: &[String]) -> Result<BTreeMap<String, String>, ExecuteError> {
        if parts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let sql = template.fill_all(&[("parts", &list(parts.iter().map(String::as_str)))]);
        let answer = self.engine.desk.ask_slowly(self.step, self.work.on, &sql).await?;
        // A part belongs to a partition, and its name begins with it: equal rows in two partitions are two things.
        let pair = |line: &str| {
            let (part, digest) = line.split_once('\t')?;
            Some((part.to_owned(), format!("{} {digest}", part.split('_').next()?)))
        };
        answer.lines().map(|line| pair(line).ok_or_else(|| self.unreadable(line))).collect()
    }

    async fn parts(&self, sql: &str) -> Result<Parts, ExecuteError> {
        let answer = self.ask(sql).await?;
        let pair = |line: &str| {
            let mut fields = line.split('\t');
            Some((fields.next()?.to_owned(), fields.nth(1)?.to_owned()))
        };
        answer.lines().map(|line| pair(line).ok_or_else(|| self.unreadable(line))).collect()
    }

    async fn everywhere(&self, statements: &[String]) -> Result<(), ExecuteError> {
        let each = self.work.compare.on.iter().flat_map(|on| statements.iter().map(move |sql| (*on, sql)));
        try_join_all(each.map(|(on, sql)| self.change(on, sql))).await.map(drop)
    }

    /// What is changed is looked at anew by the next run, by its rows.
    async fn change(&self, on: ReplicaId, sql: &str) -> Result<(), ExecuteError> {
        let done = self.engine.desk.statement(self.step, on, sql).await;
        done.map(drop).map_err(|source| ExecuteError::Call { step: self.step.clone(), source })
    }

    async fn ask(&self, sql: &str) -> Result<String, ExecuteError> {
        self.engine.desk.ask(self.step, self.work.on, sql).await
    }

    fn unreadable(&self, line: &str) -> ExecuteError {
        let replica = self.engine.desk.replica_name(self.work.on);
        ExecuteError::InDoubt {
            step: self.step.clone(),
            replica,
            reason: format!("the answer {line:?} cannot be read"),
        }
    }
}

/// Parts that are not among the marked ones; none where parts were merged or dropped since, so that they tell nothing.
fn came_since(parts: &Parts, marked: &BTreeSet<String>) -> Option<Vec<String>> {
    let came: Vec<(&String, &String)> = parts.iter().filter(|(part, _)| !marked.contains(*part)).collect();
    let untouched = marked.iter().all(|part| parts.contains_key(part)) && came.iter().all(|(_, level)| *level == "0");
    untouched.then(|| came.into_iter().map(|(part, _)| part.clone()).collect())
}

/// Parts of the other table that the live one lacks, one of each pair. A single one may have its like among the parts from before,
/// so its rows are left to be looked at. None where it cannot be told, as equal parts came in several times.
fn misplaced(live: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let mut sides: BTreeMap<&String, (usize, Vec<&String>)> = BTreeMap::new();
    for digest in live.values() {
        sides.entry(digest).or_default().0 += 1;
    }
    for (part, digest) in other {
        sides.entry(digest).or_default().1.push(part);
    }
    let mut lacking = Vec::new();
    for (here, there) in sides.into_values() {
        match (here, there.len()) {
            (0, times) => lacking.extend(there.into_iter().take(times / 2).cloned()),
            // As it should be; or one copy too many there, or a mirror that failed: the live side has it.
            (here, there) if there <= here + 1 => {}
            _ => return None,
        }
    }
    Some(lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(parts: &[(&str, &str)]) -> BTreeMap<String, String> {
        parts.iter().map(|(part, digest)| ((*part).to_owned(), (*digest).to_owned())).collect()
    }

    #[test]
    fn an_insert_in_the_middle_of_a_swap_is_known_by_its_two_parts() {
        let live = side(&[("a", "1"), ("b", "2")]);
        let other = side(&[("c", "1"), ("d", "2"), ("e", "2"), ("f", "3"), ("g", "3"), ("h", "4")]);
        assert_eq!(misplaced(&live, &other).unwrap(), ["f"]);
        assert!(misplaced(&side(&[("a", "1")]), &side(&[("c", "1"), ("d", "1"), ("e", "1")])).is_none());
    }

    #[test]
    fn parts_that_were_merged_tell_nothing() {
        let marked: BTreeSet<String> = ["a".to_owned()].into();
        let parts = |list: &[(&str, &str)]| side(list);
        assert_eq!(came_since(&parts(&[("a", "3"), ("b", "0")]), &marked).unwrap(), ["b"]);
        assert!(came_since(&parts(&[("a", "3"), ("b", "1")]), &marked).is_none());
        assert!(came_since(&parts(&[("b", "0")]), &marked).is_none());
    }
}
