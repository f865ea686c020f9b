//! A swap by renames: see [`crate::plan::Swap`]. Parts that came in meanwhile are compared by digest, so that an insert whose
//! rows went to the old data twice and to the new table never is known, however often equal rows are inserted.

use std::collections::{BTreeMap, BTreeSet};

use super::agree::agree;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::drain;
use super::part::{Parts, is_one_insert};
use super::place::{Place, start_merges, stop_merges};
use super::ports::{Reporter, Servers};
use crate::journal::Event;
use crate::names::quoted_list;
use crate::plan::{Step, Swap, Template, Truth};
use crate::words::count;

/// Swaps the names and puts right what inserts in the middle of it misplaced.
pub(super) async fn swap<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Swap,
    resumed: bool,
) -> Result<String, ExecuteError> {
    let home = Place { engine, step: &step.id, on: work.on };
    let swapper = Swapper { home, work };
    let outcome = swapper.swap(resumed).await;
    start_merges(engine, &step.id, &work.compare.on, &work.start_merges).await?;
    let (renamed, brought) = outcome?;
    let truth = if brought.is_some() { Truth::Told } else { Truth::TwoCopies };
    let agreed = agree(engine, step, &work.compare, truth).await?;
    let brought = brought.map_or_else(String::new, |parts| format!("; {} brought over", count(parts, "part")));
    Ok(format!("{renamed}{brought}; {agreed}"))
}

struct Swapper<'a, 'p, S, R> {
    /// The backfill replica.
    home: Place<'a, 'p, S, R>,
    work: &'a Swap,
}

impl<S: Servers, R: Reporter> Swapper<'_, '_, S, R> {
    /// Gives what is to be said of the swap, and the number of parts brought over; none where parts do not tell.
    async fn swap(&self, resumed: bool) -> Result<(String, Option<usize>), ExecuteError> {
        let Place { engine, step, .. } = self.home;
        stop_merges(engine, step, &self.work.compare.on, &self.work.stop_merges).await?;
        self.mark().await?;
        let renamed = engine.run_all(step, &self.work.runs, true, resumed).await?;
        // What inserts wrote that looked the names up before lands first, and then what their views wrote.
        for _ in 0..2 {
            drain(&engine.desk, step, &self.work.compare.drain).await?;
        }
        Ok((renamed, self.bring_over().await?))
    }

    /// Writes down which parts there are before the first rename. A run that was cut short has done so.
    async fn mark(&self) -> Result<(), ExecuteError> {
        let Place { engine, step, .. } = self.home;
        if engine.progress().marks(step).is_some() {
            return Ok(());
        }
        drain(&engine.desk, step, &self.work.compare.drain).await?;
        let [source, shadow] = self.home.part_names(&self.work.parts).await?;
        let (old, new) = if self.work.forward { (source, shadow) } else { (shadow, source) };
        engine.record(Event::Marked { step: step.clone(), old, new })
    }

    async fn bring_over(&self) -> Result<Option<usize>, ExecuteError> {
        let progress = self.home.engine.progress();
        let (Some(digests), Some([old, new])) = (&self.work.digests, progress.marks(self.home.step)) else {
            return Ok(None);
        };
        let (live, other) = if self.work.forward { (new, old) } else { (old, new) };
        let [source, shadow] = &self.work.parts;
        let (Some(live), Some(other)) =
            (came_since(self.home.parts(source).await?, live), came_since(self.home.parts(shadow).await?, other))
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
        self.home.change(&self.work.clear).await?;
        self.home.change(&self.work.copy.fill_all(&[("parts", &quoted_list(parts))])).await?;
        self.home.attach_staged(&self.work.staged, &self.work.attach).await?;
        self.home.change(&self.work.clear).await
    }

    /// Digests with the partition before them: equal rows in two partitions are two things.
    async fn digests(&self, template: &Template, parts: &Parts) -> Result<BTreeMap<String, String>, ExecuteError> {
        let mut digests = self.home.digests(template, &parts.keys().collect::<Vec<_>>()).await?;
        for (name, digest) in &mut digests {
            let partition = parts.get(name).map_or("", |part| &part.partition);
            *digest = format!("{partition} {digest}");
        }
        Ok(digests)
    }
}

/// Parts that are not among the marked ones; none where parts were merged or dropped since, so that they tell nothing.
fn came_since(mut parts: Parts, marked: &BTreeSet<String>) -> Option<Parts> {
    let all_there = marked.iter().all(|part| parts.contains_key(part));
    parts.retain(|name, _| !marked.contains(name));
    (all_there && parts.keys().all(|part| is_one_insert(part))).then_some(parts)
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
    use super::super::part::Part;
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
        let marked: BTreeSet<String> = ["p_1_4_3".to_owned()].into();
        let parts = |names: &[&str]| -> Parts {
            let part = Part { partition: "p".to_owned(), rows: "1".to_owned() };
            names.iter().map(|name| ((*name).to_owned(), part.clone())).collect()
        };
        let came = came_since(parts(&["p_1_4_3", "p_5_5_0"]), &marked).unwrap();
        assert_eq!(came.into_keys().collect::<Vec<_>>(), ["p_5_5_0"]);
        assert!(came_since(parts(&["p_1_4_3", "p_5_6_1"]), &marked).is_none());
        assert!(came_since(parts(&["p_5_5_0"]), &marked).is_none());
    }
}
