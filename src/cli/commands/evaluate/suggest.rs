//! Searching for keys: each one that the search proposes gets a small twin, the best get whole ones.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::args::Evaluate as Args;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::ask::LITERALS_MAX;
use super::indexes;
use super::measure::{Measurement, Run};
use crate::catalog::Column;
use crate::evaluate::{
    Alternative, Candidate, Conditions, Key, Need, Reads, Scale, Search, SearchGround, Suggested, Volume, Workload,
    weighted,
};
use crate::names::TableName;
use crate::words::count;

/// Rows of the twins that the search makes.
const SEARCH_ROWS: u64 = 300_000;
/// Keys that are measured as candidates are, in the end.
const FINALISTS_MAX: usize = 5;
/// Expressions that keys are made of, at most: those that most rows are read for.
const EXPRESSIONS_MAX: usize = 14;

/// What the search found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) suggested: Vec<Suggested>,
    /// Everything that was measured in the end, also what is not suggested.
    pub(super) others: Vec<(Candidate, Vec<Reads>)>,
    /// Skip indexes that would serve without a new key.
    pub(super) indexes: Vec<Alternative>,
    pub(super) tried: usize,
    pub(super) notes: Vec<String>,
}

/// Searches within the budget, and measures what came out best together with what was measured before.
pub(super) async fn search(
    run: &Run<'_>,
    workload: &Workload,
    measured: &[Measurement],
    args: &Args,
) -> Result<Found, Failure> {
    let needs = needs(run, workload, measured);
    let indexes = indexes::measure(run, workload, &needs, measured).await?;
    let values = values(run, &needs).await?;
    if values.is_empty() {
        let note = "nothing is suggested: no query compares a column in a way that a key could serve".to_owned();
        return Ok(Found { notes: vec![note], indexes, ..Found::default() });
    }
    let small = small(run).await?;
    let merging = run.maker.merges();
    let today = Key::of(&run.subject.table.keys.sorting)?.items;
    let ground = SearchGround {
        values,
        rows: run.maker.volume.rows as f64,
        granule_rows: run.maker.volume.granule_rows as f64,
        kept: if merging { today } else { Vec::new() },
    };
    let begin = measured.iter().map(|one| one.key.items.clone()).collect();
    let budget = usize::try_from(args.budget).unwrap_or(usize::MAX);
    let mut search = Search::new(needs, ground, budget, begin);
    say(&format!("searching, {} at most", count(args.budget, "key")));
    let wanted = named(run, workload);
    let mut refused = 0_usize;
    while let Some(items) = search.next_key() {
        match small.reads(run, workload, &items, &wanted).await? {
            Some(rows) => search.learn(items, rows),
            None => refused += 1,
        }
    }
    let mut found = Found { indexes, ..finish(run, workload, measured, &search).await? };
    if refused > 0 {
        found.notes.push(format!("{} refused by the server", count(refused as u64, "proposed key")));
    }
    Ok(found)
}

/// What each group compares, and how much it reads today.
fn needs(run: &Run<'_>, workload: &Workload, measured: &[Measurement]) -> Vec<Need> {
    let twin = TableName::new("twin", "twin");
    let columns = &run.subject.table.columns;
    let today = measured.first().map_or(&[][..], |one| one.reads.as_slice());
    let need = |(group, reads): (&crate::evaluate::Group, &Reads)| Need {
        weight: group.logged.count as f64 * reads.mean,
        conditions: group
            .examples
            .first()
            .map_or_else(Conditions::default, |example| Conditions::of(&example.aimed.at(&twin), columns)),
    };
    workload.groups.iter().zip(today).map(need).collect()
}

/// How many values each expression has in the sample. One that cannot be counted cannot be sorted by.
async fn values(run: &Run<'_>, needs: &[Need]) -> Result<BTreeMap<String, f64>, Failure> {
    let mut weights: BTreeMap<&String, f64> = BTreeMap::new();
    for need in needs {
        for expression in need.conditions.all() {
            *weights.entry(expression).or_default() += need.weight;
        }
    }
    let mut expressions: Vec<(&String, f64)> = weights.into_iter().collect();
    expressions.sort_by(|(a, left), (b, right)| right.total_cmp(left).then(a.cmp(b)));
    let today = Key::of(&run.subject.table.keys.sorting)?;
    let own = today.expressions().into_iter().map(ToOwned::to_owned);
    let wanted: BTreeSet<String> =
        expressions.into_iter().take(EXPRESSIONS_MAX).map(|(expression, _)| expression.clone()).chain(own).collect();
    let mut values = BTreeMap::new();
    for expression in wanted {
        let sql = format!("SELECT uniq({expression}) FROM {}", run.sample.sql());
        let Ok(answer) = run.maker.ground.text(&sql).await else { continue };
        values.insert(expression, answer.parse().unwrap_or(1.0));
    }
    Ok(values)
}

/// Columns that queries name, or the table's definition besides its columns.
fn named(run: &Run<'_>, workload: &Workload) -> BTreeSet<String> {
    let twin = TableName::new("twin", "twin");
    let mut texts: Vec<String> =
        workload.groups.iter().flat_map(|group| group.examples.iter().map(|example| example.aimed.at(&twin))).collect();
    let table = run.subject.table;
    texts.push(table.engine_full.clone());
    let own = |column: &&Column| {
        let is_computed = table
            .columns
            .iter()
            .any(|other| other.default_kind == "ALIAS" && other.default_expression.contains(&column.name));
        is_computed
            || table.create_query.matches(&column.name).count() > 1
            || texts.iter().any(|text| text.contains(&column.name))
    };
    table.columns.iter().filter(own).map(|column| column.name.clone()).collect()
}

/// A part of the sample, for twins that are soon made.
struct Small {
    table: TableName,
    granule_rows: u64,
    factor: f64,
}

async fn small(run: &Run<'_>) -> Result<Small, Failure> {
    let Volume { rows, granule_rows, .. } = run.maker.volume;
    let whole = |table: TableName, held: u64, scale: Scale| Small {
        table,
        granule_rows: scale.granule_rows,
        factor: rows as f64 / held.max(1) as f64,
    };
    // Rows are measured with rows here: the same shares come out.
    let share = |held: u64| Scale::new(&Volume { rows, bytes: rows, disk_bytes: rows, granule_rows }, held);
    if run.sample_rows <= SEARCH_ROWS {
        return Ok(whole(run.sample.clone(), run.sample_rows, share(run.sample_rows)));
    }
    let table = run.maker.ground.table("search");
    let part =
        Scale::new(&Volume { rows: run.sample_rows, bytes: run.sample_rows, disk_bytes: 0, granule_rows }, SEARCH_ROWS);
    run.maker.heap(&table).await?;
    let insert = format!(
        "INSERT INTO {} SELECT * FROM {} WHERE intHash32(rowNumberInAllBlocks()) < {}",
        table.sql(),
        run.sample.sql(),
        part.threshold()
    );
    run.maker.ground.attempt(&insert, &[("max_threads", "1")]).await.map_err(|error| Failure::of(&error))?;
    let held = run.maker.count(&table).await?;
    Ok(whole(table, held, share(held)))
}

impl Small {
    /// Rows that the workload reads with this key; none if the server does not take the key.
    async fn reads(
        &self,
        run: &Run<'_>,
        workload: &Workload,
        items: &[String],
        wanted: &BTreeSet<String>,
    ) -> Result<Option<f64>, Failure> {
        const NAME: &str = "proposed";
        let key = Key::from_items(items);
        let ground = run.maker.ground;
        let has_values = |column: &Column| wanted.contains(&column.name);
        let made = run.maker.twin_of(Some(&key), self.granule_rows, &self.table, NAME, has_values).await;
        let told = match &made {
            Err(_) => None,
            Ok(twin) => {
                let asked = run.asked(&twin.name, self.factor);
                Some(asked.all(&workload.groups, LITERALS_MAX).await.map_err(|error| Failure::of(&error))?)
            }
        };
        for name in [NAME.to_owned(), format!("{NAME}_rows")] {
            ground.change(&format!("DROP TABLE IF EXISTS {}", ground.table(&name).sql())).await?;
        }
        Ok(told.map(|told| weighted(&workload.groups, &told.reads) as f64))
    }
}

/// Measures the best as candidates are measured, and suggests those of which none is both smaller and reads less.
async fn finish(
    run: &Run<'_>,
    workload: &Workload,
    measured: &[Measurement],
    search: &Search,
) -> Result<Found, Failure> {
    let mut all: Vec<(Candidate, Vec<Reads>)> =
        measured.iter().map(|one| (run.report(false, one, workload), one.reads.clone())).collect();
    let known: BTreeSet<&Vec<String>> = measured.iter().map(|one| &one.key.items).collect();
    let mut others = Vec::new();
    for (at, items) in search.best(FINALISTS_MAX).into_iter().filter(|items| !known.contains(items)).enumerate() {
        let one = run.candidate(measured.len() + at, Key::from_items(&items), workload).await?;
        let pair = (run.report(false, &one, workload), one.reads);
        others.push(pair.clone());
        all.push(pair);
    }
    // Nothing to suggest, however little it reads.
    let is_blocked = |one: &Candidate| Key::of(&one.order_by).is_ok_and(|key| run.merges_otherwise(&key));
    let today = all.first().map_or(0, |(today, _)| today.rows_read_weighted);
    let is_beaten = |one: &Candidate| {
        all.iter().filter(|(other, _)| !is_blocked(other)).any(|(other, _)| {
            let no_worse =
                other.rows_read_weighted <= one.rows_read_weighted && other.compressed_bytes <= one.compressed_bytes;
            let better =
                other.rows_read_weighted < one.rows_read_weighted || other.compressed_bytes < one.compressed_bytes;
            no_worse && better
        })
    };
    let mut frontier: Vec<&(Candidate, Vec<Reads>)> = all.iter().filter(|(one, _)| !is_beaten(one)).collect();
    frontier.sort_by(|(a, _), (b, _)| (a.rows_read_weighted, &a.order_by).cmp(&(b.rows_read_weighted, &b.order_by)));
    let suggested = frontier.into_iter().filter(|(one, _)| one.rows_read_weighted <= today && !is_blocked(one)).map(
        |(one, reads)| Suggested {
            order_by: one.order_by.clone(),
            rows_read_weighted: one.rows_read_weighted,
            compressed_bytes: one.compressed_bytes,
            evidence: evidence(workload, &all[0].1, reads, one),
        },
    );
    let suggested = suggested.collect();
    Ok(Found { suggested, others, tried: search.tried(), ..Found::default() })
}

/// How many groups read less and more than today, and what the key costs besides.
fn evidence(workload: &Workload, today: &[Reads], reads: &[Reads], one: &Candidate) -> Vec<String> {
    let better = today.iter().zip(reads).filter(|(old, new)| new.mean * 1.1 < old.mean).count();
    let worse = today.iter().zip(reads).filter(|(old, new)| new.mean > old.mean * 1.1).count();
    let mut evidence = vec![format!("of {} groups {better} read less and {worse} more", workload.groups.len())];
    evidence.extend(one.notes.iter().cloned());
    evidence
}
