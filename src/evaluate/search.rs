//! Searches for keys: a rough model proposes, measurements judge.
//!
//! The same input leads to the same keys in the same order, whatever the clock does: the budget is a number of keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::predicate::Conditions;

/// Longer keys are not tried.
const ITEMS_MAX: usize = 5;
/// Keys from which a round goes on.
const BEAM: usize = 3;
/// Keys of a round.
const ROUND: usize = 8;
/// Rounds without anything better before the search ends.
const PATIENCE: u32 = 2;
/// Keys that the model alone climbs from and to.
const CLIMBS_MAX: usize = 12;
/// The share of rows that a bound leaves, for the model.
const RANGE_SHARE: f64 = 0.2;

/// What one group of queries needs of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// How much it counts: rows that all its queries read today.
    pub weight: f64,
    /// What it compares.
    pub conditions: Conditions,
}

/// What the model knows of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    /// How many values each expression has.
    pub values: BTreeMap<String, f64>,
    /// Rows.
    pub rows: f64,
    /// Rows of a granule.
    pub granule_rows: f64,
    /// Expressions that every key ends with, where rows are merged by it.
    pub kept: Vec<String>,
}

/// A search that is under way: [`Search::next`] proposes a key, [`Search::learn`] takes what was measured.
#[derive(Debug, Clone)]
pub struct Search {
    needs: Vec<Need>,
    ground: Ground,
    budget: usize,
    tried: BTreeMap<Vec<String>, f64>,
    proposed: BTreeSet<Vec<String>>,
    pending: VecDeque<Vec<String>>,
    best: f64,
    idle_rounds: u32,
}

impl Search {
    /// Begins with these keys, and goes on until so many were proposed.
    pub fn new(needs: Vec<Need>, ground: Ground, budget: usize, begin: Vec<Vec<String>>) -> Self {
        let mut search = Self {
            needs,
            ground,
            budget,
            tried: BTreeMap::new(),
            proposed: BTreeSet::new(),
            pending: begin.into(),
            best: f64::INFINITY,
            idle_rounds: 0,
        };
        let seeds = search.climbed();
        search.pending.extend(seeds);
        search
    }

    /// The next key to measure; none when the search has ended.
    pub fn next_key(&mut self) -> Option<Vec<String>> {
        while self.proposed.len() < self.budget {
            while let Some(key) = self.pending.pop_front() {
                let key = self.complete(key);
                if !key.is_empty() && self.proposed.insert(key.clone()) {
                    return Some(key);
                }
            }
            let best = self.tried.values().copied().fold(f64::INFINITY, f64::min);
            self.idle_rounds = if best < self.best * 0.995 { 0 } else { self.idle_rounds + 1 };
            self.best = self.best.min(best);
            if self.idle_rounds > PATIENCE {
                return None;
            }
            let round = self.round();
            if round.is_empty() {
                return None;
            }
            self.pending.extend(round);
        }
        None
    }

    /// What a key was measured to read.
    pub fn learn(&mut self, key: Vec<String>, rows_read: f64) {
        self.tried.insert(key, rows_read);
    }

    /// How many keys were measured.
    pub fn tried(&self) -> usize {
        self.tried.len()
    }

    /// The best keys, and the best that begins with another expression than these: as many as `most`.
    pub fn best(&self, most: usize) -> Vec<Vec<String>> {
        let ranked = self.ranked();
        let mut best: Vec<Vec<String>> = ranked.iter().take(most.div_ceil(2)).map(|key| (*key).clone()).collect();
        for key in ranked {
            if best.len() < most && !best.iter().any(|known| known.first() == key.first()) {
                best.push(key.clone());
            }
        }
        best
    }

    /// Fewest rows first; of equals the shortest.
    fn ranked(&self) -> Vec<&Vec<String>> {
        let mut ranked: Vec<(&Vec<String>, f64)> = self.tried.iter().map(|(key, rows)| (key, *rows)).collect();
        ranked.sort_by(|(a, left), (b, right)| left.total_cmp(right).then(a.len().cmp(&b.len())).then(a.cmp(b)));
        ranked.into_iter().map(|(key, _)| key).collect()
    }

    /// With what every key needs at its end.
    fn complete(&self, mut key: Vec<String>) -> Vec<String> {
        let missing: Vec<String> = self.ground.kept.iter().filter(|item| !key.contains(item)).cloned().collect();
        key.extend(missing);
        key
    }

    /// Neighbours of the best keys, those first of which the model thinks best.
    fn round(&self) -> Vec<Vec<String>> {
        let best = self.ranked();
        let found: BTreeSet<Vec<String>> = best
            .into_iter()
            .take(BEAM)
            .flat_map(|key| self.neighbours(key))
            .filter(|key| !self.proposed.contains(&self.complete(key.clone())))
            .collect();
        let mut found: Vec<Vec<String>> = found.into_iter().collect();
        self.rank_by_model(&mut found);
        found.truncate(ROUND);
        found
    }

    fn rank_by_model(&self, keys: &mut [Vec<String>]) {
        keys.sort_by(|a, b| self.modelled(a).total_cmp(&self.modelled(b)).then(a.len().cmp(&b.len())).then(a.cmp(b)));
    }

    /// One expression more, less, elsewhere or in another's place.
    fn neighbours(&self, key: &[String]) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let others: Vec<&String> = self.ground.values.keys().filter(|item| !key.contains(item)).collect();
        for at in 0..key.len() {
            let mut less = key.to_vec();
            let item = less.remove(at);
            for to in 0..less.len() {
                let mut moved = less.clone();
                moved.insert(to, item.clone());
                found.push(moved);
            }
            for other in &others {
                let mut replaced = key.to_vec();
                replaced[at].clone_from(other);
                found.push(replaced);
            }
            found.push(less);
        }
        for other in others.iter().filter(|_| key.len() < ITEMS_MAX) {
            for at in 0..=key.len() {
                let mut more = key.to_vec();
                more.insert(at, (*other).clone());
                found.push(more);
            }
        }
        found.retain(|found| found != key && is_sensible(found));
        found
    }

    /// Where the model alone climbs to, from the needs that weigh most.
    fn climbed(&self) -> Vec<Vec<String>> {
        let mut needs: Vec<&Need> = self.needs.iter().filter(|need| need.conditions.all().next().is_some()).collect();
        needs.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut starts: Vec<Vec<String>> =
            needs.into_iter().take(CLIMBS_MAX - 1).map(|need| self.key_for(need)).collect();
        starts.insert(0, Vec::new());
        let mut tops: Vec<Vec<String>> = Vec::new();
        for start in starts {
            let top = self.climb(start.clone());
            tops.extend([top, start].into_iter().filter(|key| !key.is_empty()));
        }
        self.rank_by_model(&mut tops);
        tops.dedup();
        tops.truncate(CLIMBS_MAX);
        tops
    }

    /// Equality before bounds, few values first.
    fn key_for(&self, need: &Need) -> Vec<String> {
        let values = |item: &String| self.ground.values.get(item).copied().unwrap_or(f64::INFINITY);
        let mut equal: Vec<String> =
            need.conditions.equal.iter().filter(|item| values(item).is_finite()).cloned().collect();
        equal.sort_by(|a, b| values(a).total_cmp(&values(b)));
        let mut ranges: Vec<String> =
            need.conditions.ranges.iter().filter(|item| values(item).is_finite()).cloned().collect();
        ranges.sort_by(|a, b| values(b).total_cmp(&values(a)));
        equal.extend(ranges.into_iter().take(1));
        equal.truncate(ITEMS_MAX);
        equal
    }

    fn climb(&self, mut key: Vec<String>) -> Vec<String> {
        for _ in 0..2 * ITEMS_MAX {
            let mut next = self.neighbours(&key);
            self.rank_by_model(&mut next);
            match next.into_iter().next() {
                Some(next) if self.modelled(&next) < self.modelled(&key) * 0.999 => key = next,
                _ => break,
            }
        }
        key
    }

    /// Rows that the needs would read, roughly.
    fn modelled(&self, key: &[String]) -> f64 {
        self.needs.iter().map(|need| need.weight * self.share(need, key)).sum()
    }

    /// The share of rows that one need would read: each expression that it compares narrows the rest, and each that it does not
    /// breaks it into as many ranges as that has values, of a granule each at least.
    fn share(&self, need: &Need, key: &[String]) -> f64 {
        let granule = self.ground.granule_rows / self.ground.rows.max(1.0);
        let (mut rest, mut ranges, mut read) = (1.0_f64, 1.0_f64, 1.0_f64);
        for item in key {
            let values = self.ground.values.get(item).copied().unwrap_or(1.0).max(1.0);
            if need.conditions.equal.contains(item) {
                rest /= values;
            } else if need.conditions.ranges.contains(item) {
                rest *= RANGE_SHARE;
                read = read.min(rest.max(ranges * granule)).max(rest);
                ranges *= (values * RANGE_SHARE).max(1.0);
                continue;
            } else {
                ranges *= values;
                continue;
            }
            read = read.min(rest.max(ranges * granule)).max(rest);
        }
        read.max(granule)
    }
}

/// Behind a column, what is computed from it alone changes nothing.
fn is_sensible(key: &[String]) -> bool {
    let is_repeated = |(at, item): (usize, &String)| {
        key[..at].iter().any(|before| item != before && item.ends_with(&format!("({before})")))
    };
    key.len() <= ITEMS_MAX && !key.iter().enumerate().any(is_repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(ToString::to_string).collect()
    }

    fn search(budget: usize) -> Search {
        let need = |weight, equal: &[&str], ranges: &[&str]| Need {
            weight,
            conditions: Conditions { equal: set(equal), ranges: set(ranges) },
        };
        let needs =
            vec![need(10.0, &["tenant"], &["ts"]), need(5.0, &["event"], &[]), need(1.0, &["tenant", "event"], &[])];
        let values = [("tenant", 500.0), ("event", 20.0), ("ts", 1e6)].map(|(item, values)| (item.to_owned(), values));
        let ground = Ground { values: values.into(), rows: 1e7, granule_rows: 8192.0, kept: Vec::new() };
        Search::new(needs, ground, budget, vec![vec!["ts".to_owned()]])
    }

    /// A judge that likes one key best, and what resembles it.
    fn run(mut search: Search) -> (Vec<Vec<String>>, Search) {
        let wanted = ["event", "tenant", "ts"];
        let mut proposed = Vec::new();
        while let Some(key) = search.next_key() {
            let hits = key.iter().zip(wanted).take_while(|(a, b)| a == b).count();
            search.learn(key.clone(), 100.0 - 30.0 * hits as f64 + key.len() as f64);
            proposed.push(key);
        }
        (proposed, search)
    }

    #[test]
    fn the_judge_decides_and_the_budget_holds() {
        let (proposed, search) = run(search(30));
        assert!(proposed.len() <= 30);
        assert_eq!(proposed[0], ["ts"]);
        assert_eq!(search.best(4)[0], ["event", "tenant", "ts"]);
        assert_eq!(run(self::search(5)).0.len(), 5);
    }

    #[test]
    fn the_same_input_leads_to_the_same_keys() {
        assert_eq!(run(search(30)).0, run(search(30)).0);
    }

    #[test]
    fn the_model_prefers_what_is_compared_and_puts_few_values_first() {
        let search = search(30);
        let cost = |key: &[&str]| search.modelled(&key.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(cost(&["event", "tenant", "ts"]) < cost(&["tenant", "ts"]));
        assert!(cost(&["tenant", "ts"]) < cost(&["ts", "tenant"]));
    }

    #[test]
    fn what_merging_goes_by_stays_in_every_key() {
        let mut search = search(30);
        search.ground.kept = vec!["id".to_owned()];
        assert_eq!(search.next_key().unwrap(), ["ts", "id"]);
    }
}
