//! Whether rows were deleted or altered since the comparison before a swap, looked at right before it and after it: see [`crate::plan::Watch`].

use std::collections::{BTreeMap, BTreeSet};

use super::engine::Engine;
use super::error::ExecuteError;
use super::part::{Blocks, PARTITIONS_SHOWN_MAX, Parts};
use super::place::Place;
use super::ports::{Reporter, Servers};
use crate::journal::Event;
use crate::plan::{Compare, Step, StepId, Watch};
use crate::words;

/// Patches of rows that were updated without a mutation are parts of partitions that begin so.
const PATCH: &str = "patch-";

/// Writes down the parts that there are. What was deleted before is deleted in both tables, or the comparison that follows finds it.
pub(super) async fn write_down<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    compare: &Compare,
) -> Result<(), ExecuteError> {
    let Some(watch) = compare.watch.as_ref().filter(|watch| watch.by == step.id) else { return Ok(()) };
    let [old, new] = Place { engine, step: &step.id, on: watch.on }.part_names(&watch.parts).await?;
    engine.record(Event::Marked { step: step.id.clone(), old, new })
}

/// The partitions in which rows were deleted or altered since, a text for each table; of the names as they are after the swap.
pub(super) async fn altered<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    watch: &Watch,
) -> Result<Vec<String>, ExecuteError> {
    // The step that writes the parts down has nothing to compare them with.
    if watch.by == *step {
        return Ok(Vec::new());
    }
    look(engine, step, watch, [("new table", NEW), ("old data", OLD)]).await
}

/// The same of the names as they are before the swap.
pub(super) async fn altered_before_swap<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    watch: &Watch,
) -> Result<Vec<String>, ExecuteError> {
    look(engine, step, watch, [("source", OLD), ("shadow table", NEW)]).await
}

/// Which of the two lists of parts that were written down.
const OLD: usize = 0;
const NEW: usize = 1;

/// Looks at what has the source's name, then at what has the shadow's: what each is called, and which parts it had.
async fn look<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    watch: &Watch,
    sides: [(&str, usize); 2],
) -> Result<Vec<String>, ExecuteError> {
    let progress = engine.progress();
    let Some(marks) = progress.marks(&watch.by) else { return Ok(Vec::new()) };
    let home = Place { engine, step, on: watch.on };
    let mut altered = Vec::new();
    for ((table, marked), parts) in sides.into_iter().zip(&watch.parts) {
        let partitions = lost(&marks[marked], &home.parts(parts).await?);
        if !partitions.is_empty() {
            let named = words::first(partitions.iter(), PARTITIONS_SHOWN_MAX);
            altered.push(format!("the partitions {named} of the {table}"));
        }
    }
    Ok(altered)
}

/// Partitions of parts that are in no other part now, or in one that was mutated since.
fn lost(marked: &BTreeSet<String>, now: &Parts) -> BTreeSet<String> {
    let mut there: BTreeMap<&str, Vec<Blocks>> = BTreeMap::new();
    // Where parts were dropped, current servers have an empty one in their place for a while.
    for name in now.iter().filter(|(_, part)| part.rows != "0").map(|(name, _)| name) {
        there.entry(partition(name)).or_default().extend(Blocks::of(name));
    }
    let is_there = |name: &String| {
        let Some(marked) = Blocks::of(name) else { return false };
        let parts = there.get(partition(name)).into_iter().flatten();
        parts.into_iter().any(|part| marked.is_in(part))
    };
    let gone = marked.iter().filter(|name| !now.contains_key(*name) && !is_there(name)).map(|name| partition(name));
    let patched = now.keys().filter(|part| part.starts_with(PATCH) && !marked.contains(*part));
    gone.chain(patched.map(|part| partition(part).trim_start_matches(PATCH))).map(str::to_owned).collect()
}

/// The partition's id.
fn partition(part: &str) -> &str {
    part.split('_').next().unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::super::part::Part;
    use super::*;

    fn parts(names: &[&str]) -> Parts {
        let part = |name: &&str| {
            let part = Part { partition: partition(name).to_owned(), rows: "1".to_owned() };
            ((*name).to_owned(), part)
        };
        names.iter().map(part).collect()
    }

    fn lost_of(marked: &[&str], now: &[&str]) -> Vec<String> {
        lost(&marked.iter().map(|name| (*name).to_owned()).collect(), &parts(now)).into_iter().collect()
    }

    #[test]
    fn merges_and_inserts_lose_nothing() {
        assert!(lost_of(&["a_1_1_0", "a_2_2_0", "b_3_3_1_7"], &["a_1_4_1", "b_3_3_1_7", "b_9_9_0"]).is_empty());
        assert!(lost_of(&["a_1_1_0_2", "a_3_3_0"], &["a_1_3_1_2"]).is_empty());
        assert!(lost_of(&["a_1_1_0"], &["a_1_1_0", "patch"]).is_empty());
    }

    #[test]
    fn what_was_dropped_mutated_or_patched_is_lost() {
        assert_eq!(lost_of(&["a_1_1_0", "b_2_2_0"], &["a_1_1_0"]), ["b"]);
        assert_eq!(lost_of(&["a_1_1_0", "b_2_2_0"], &["a_1_1_0", "b_3_3_0"]), ["b"]);
        assert_eq!(lost_of(&["a_1_1_0", "b_2_2_0"], &["a_1_1_0_3", "b_2_5_1"]), ["a"]);
        assert_eq!(lost_of(&["a_1_1_0"], &["a_1_1_0", "patch-1f-a_2_2_0"]), ["1f-a"]);
        assert_eq!(lost_of(&["odd"], &["a_1_1_0"]), ["odd"]);
        let mut emptied = parts(&["a_1_1_1"]);
        emptied.get_mut("a_1_1_1").expect("it is there").rows = "0".to_owned();
        assert_eq!(lost(&["a_1_1_0".to_owned()].into(), &emptied).into_iter().collect::<Vec<_>>(), ["a"]);
    }
}
