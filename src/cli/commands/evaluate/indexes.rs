//! What a skip index would do, under today's key.
//!
//! How much one leaves out depends on all rows of a granule, so it is measured on whole granules: on today's twin where that has
//! every row, else on some granules of the table, taken as they are. There each group of queries is asked with the index and
//! without; the share that is left is what the group would read of what it reads today.

use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::ask::LITERALS_MAX;
use super::measure::{ALTERNATIVES_MAX, Measurement, Run};
use crate::evaluate::{Alternative, Candidate, Group, Need, Reads, SkipIndex, Workload, skip_indexes, weighted, whole};
use crate::names::{TableName, quote_string};
use crate::plan::of_table;

/// Indexes that are tried.
const TRIED_MAX: usize = 8;
/// On fewer granules a share says nothing.
const GRANULES_MIN: u64 = 32;

/// Skip indexes with which the workload reads at least a tenth less than today.
pub(super) async fn measure(
    run: &Run<'_>,
    workload: &Workload,
    needs: &[Need],
    measured: &[Measurement],
) -> Result<Vec<Alternative>, Failure> {
    let Some(today) = measured.first() else { return Ok(Vec::new()) };
    let ground = run.maker.ground;
    let proposed = skip_indexes(needs, &today.key.items, TRIED_MAX);
    if !ground.known.has("use_skip_indexes") || proposed.is_empty() {
        return Ok(Vec::new());
    }
    let Some(granules) = Granules::of(run, today).await? else { return Ok(Vec::new()) };
    say(&format!("trying {}", crate::words::count(proposed.len() as u64, "skip index")));
    let before = run.asked(&granules.table, granules.factor).all(&workload.groups, LITERALS_MAX).await;
    let before = before.map_err(|error| Failure::of(&error))?.reads;
    let candidate = run.report(true, today, workload);
    let mut found = Vec::new();
    for index in proposed {
        let served: Vec<bool> = needs.iter().map(|need| index.serves(need)).collect();
        let Some((after, bytes)) = granules.with(run, &index, &workload.groups, &served).await? else { continue };
        let reads: Vec<Reads> = (0..workload.groups.len())
            .map(|at| remaining(&today.reads[at], before.get(at), after.get(at).and_then(Option::as_ref)))
            .collect();
        found.push(alternative(&index, weighted(&workload.groups, &reads), bytes, &candidate));
    }
    found.retain(|other| other.rows_read_weighted * 10 < candidate.rows_read_weighted * 9);
    found.sort_by(|a, b| {
        (a.rows_read_weighted, a.compressed_bytes, &a.sql).cmp(&(b.rows_read_weighted, b.compressed_bytes, &b.sql))
    });
    found.truncate(ALTERNATIVES_MAX);
    Ok(found)
}

fn alternative(index: &SkipIndex, rows_read_weighted: u64, bytes: f64, today: &Candidate) -> Alternative {
    Alternative {
        kind: "skip index".to_owned(),
        sql: index.sql(),
        rows_read_weighted,
        compressed_bytes: today.compressed_bytes + whole(bytes),
    }
}

/// What is left of today's reads, by the share that the index leaves of these granules.
fn remaining(today: &Reads, before: Option<&Reads>, after: Option<&Reads>) -> Reads {
    match (before, after) {
        (Some(before), Some(after)) if before.mean > 0.0 => {
            let share = (after.mean / before.mean).min(1.0);
            Reads { mean: today.mean * share, least: today.least * share, most: today.most * share }
        }
        _ => *today,
    }
}

/// A table with today's key and whole granules.
struct Granules {
    table: TableName,
    /// Rows of the table for each of its own.
    factor: f64,
}

impl Granules {
    /// None if there are too few to tell, or the server does not number rows.
    async fn of(run: &Run<'_>, today: &Measurement) -> Result<Option<Self>, Failure> {
        let table = if run.scale.is_whole() {
            today.twin.name.clone()
        } else {
            let table = run.maker.ground.table("granules");
            if !run.maker.whole_granules(&run.scale, &table).await? {
                return Ok(None);
            }
            table
        };
        let held = run.maker.held(&table).await?;
        let factor = run.maker.volume.rows as f64 / held.rows.max(1) as f64;
        Ok((held.granules >= GRANULES_MIN).then_some(Self { table, factor }))
    }

    /// What the groups read that it may serve, and the bytes that it takes; none if the server refuses it.
    async fn with(
        &self,
        run: &Run<'_>,
        index: &SkipIndex,
        groups: &[Group],
        served: &[bool],
    ) -> Result<Option<(Vec<Option<Reads>>, f64)>, Failure> {
        let ground = run.maker.ground;
        let (table, name) = (self.table.sql(), index.name());
        if ground.attempt(&format!("ALTER TABLE {table} ADD {}", index.sql()), &[]).await.is_err() {
            return Ok(None);
        }
        let wait = [("mutations_sync", "2")];
        let materialize = format!("ALTER TABLE {table} MATERIALIZE INDEX {name}");
        ground.attempt(&materialize, &wait).await.map_err(|error| Failure::of(&error))?;
        let some: Vec<Group> =
            groups.iter().zip(served).filter(|(_, served)| **served).map(|(group, _)| group.clone()).collect();
        let told =
            run.asked(&self.table, self.factor).all(&some, LITERALS_MAX).await.map_err(|error| Failure::of(&error))?;
        let mut told = told.reads.into_iter();
        let reads = served.iter().map(|served| if *served { told.next() } else { None }).collect();
        let bytes = self.bytes(run, &name).await?;
        ground
            .attempt(&format!("ALTER TABLE {table} DROP INDEX {name}"), &wait)
            .await
            .map_err(|error| Failure::of(&error))?;
        Ok(Some((reads, bytes)))
    }

    /// Compressed bytes of an index, for the whole table on one replica of each shard.
    async fn bytes(&self, run: &Run<'_>, index: &str) -> Result<f64, Failure> {
        let sql = format!(
            "SELECT toString(sum(data_compressed_bytes)) FROM system.data_skipping_indices WHERE {} AND name = {}",
            of_table(&self.table),
            quote_string(index)
        );
        let answer = run.maker.ground.text(&sql).await.map_err(|error| Failure::of(&error))?;
        Ok(answer.parse::<f64>().unwrap_or(0.0) * self.factor * run.subject.shards_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_a_share_of_today_and_never_more() {
        let reads = |mean| Reads { mean, least: mean, most: mean };
        let left = |before: Option<f64>, after: Option<f64>| {
            whole(remaining(&reads(1000.0), before.map(reads).as_ref(), after.map(reads).as_ref()).mean)
        };
        assert_eq!(left(Some(80.0), Some(8.0)), 100);
        assert_eq!(left(Some(80.0), Some(90.0)), 1000);
        assert_eq!((left(Some(80.0), None), left(Some(0.0), Some(0.0))), (1000, 1000));
    }
}
