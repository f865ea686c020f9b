//! Bringing the rows of all shards to where another sharding key says: see [`crate::plan::Redistribute`]. Nothing is remembered of what was
//! sent: what is lacking is told by looking at both tables over all shards, so an attempt that was cut short costs nothing but time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::carry_out::check;
use super::engine::Engine;
use super::error::ExecuteError;
use super::landing::{catch_up_all, drain};
use super::place::{Place, start_feeds, stop_feeds};
use super::ports::{News, Reporter, Servers};
use super::sides::{Digest, FROM, Known, Seen, Side, TO};
use crate::journal::Event;
use crate::names::{ReplicaId, quoted_list};
use crate::plan::{Last, Redistribute, Run, Step, StepId, Template};
use crate::words::count;

/// Looks at all shards while writers write, at most. Each later one finds less.
const ROUNDS_MAX: u32 = 8;
/// So few rows are left for the time in which writers are still.
const FEW_ROWS: u64 = 20_000;
/// Looks with writers still: at what came in, at what that left, and at what was sent anew.
const LAST_LOOKS_MAX: usize = 4;
/// Rows whose hashes are held in memory at once, about, to tell which are lacking.
const BUCKET_ROWS: u64 = 20_000_000;
/// The codes of servers that are to attach a table which exists, or of which they have no definition.
const IS_THERE_OR_NEVER_WAS: [u32; 4] = [57, 60, 76, 107];
/// How long no row must have come in for writers to count as still.
const STILL: Duration = Duration::from_secs(3);
/// How long writers are waited for to be still.
const STILL_PATIENCE: Duration = Duration::from_mins(10);
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(200);
/// How long a partition that is dropped may take to be gone on every replica.
const DROP_PATIENCE: Duration = Duration::from_mins(2);

/// Brings the rows over, and swaps the names if that is the end of it.
pub(super) async fn redistribute<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    work: &Redistribute,
) -> Result<String, ExecuteError> {
    let mut mover = Mover { engine, step, work, known: BTreeMap::new(), sent: 0 };
    let Some(last) = &work.last else {
        check(engine, &step.id, &work.before).await?;
        // What an earlier run had under way has ended, or is waited for.
        mover.drain_all().await?;
        return mover.while_written().await;
    };
    attach_again(engine, &step.id, last).await?;
    if !last.finish.is_empty() {
        if swapped(engine, &step.id, &last.finish).await? == Swapped::Nowhere {
            return mover.nothing_to_swap_back(last).await;
        }
        engine.run_all(&step.id, &last.finish, true, true).await?;
    }
    // Whatever the journal says of earlier runs: where a name is swapped, the plan's own table has another one.
    let begun = swapped(engine, &step.id, &last.runs).await? != Swapped::Nowhere;
    if !begun {
        check(engine, &step.id, &work.before).await?;
        mover.drain_all().await?;
        mover.while_written().await?;
    }
    let outcome = match stop_feeds(engine, &step.id, &last.feeds).await {
        Ok(()) if begun => mover.go_on(last).await,
        Ok(()) => mover.while_still(last).await,
        Err(error) => Err(error),
    };
    // Half-way through a swap, rows that a stream brings would come to the old data on some replicas.
    if outcome.is_ok() || swapped(engine, &step.id, &last.runs).await? != Swapped::HalfWay {
        start_feeds(engine, &step.id, &last.feeds).await?;
    }
    outcome
}

/// How far names are swapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swapped {
    Nowhere,
    HalfWay,
    Everywhere,
}

async fn swapped<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    runs: &[Run],
) -> Result<Swapped, ExecuteError> {
    let (mut some, mut all) = (false, true);
    for run in runs {
        for on in &run.on {
            let is_swapped = engine.first_failing(step, *on, &run.after).await?.is_none();
            some |= is_swapped;
            all &= is_swapped;
        }
    }
    Ok(match (some, all) {
        (false, _) => Swapped::Nowhere,
        (true, false) => Swapped::HalfWay,
        (true, true) => Swapped::Everywhere,
    })
}

/// Starts and attaches again what an earlier run stopped or took off. Half-way through a swap, streams stay stopped until it is done.
pub(super) async fn mend<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    last: &Last,
) -> Result<(), ExecuteError> {
    attach_again(engine, step, last).await?;
    if !last.feeds.is_empty() && swapped(engine, step, &last.runs).await? != Swapped::HalfWay {
        start_feeds(engine, step, &last.feeds).await?;
    }
    Ok(())
}

/// Attaches the tables that were to be attached anew, wherever an earlier run came no further than taking them off.
async fn attach_again<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &StepId,
    last: &Last,
) -> Result<(), ExecuteError> {
    for run in &last.renew {
        for (on, sql) in run.on.iter().flat_map(|on| run.sql.iter().map(move |sql| (*on, sql))) {
            let attaches = sql.starts_with("ATTACH ");
            // Servers such as 18.16.1 do not heed IF NOT EXISTS here; and a table that was never made needs none.
            let is_fine = |code: Option<u32>| code.is_some_and(|code| IS_THERE_OR_NEVER_WAS.contains(&code));
            if attaches
                && let Err(source) = engine.desk.statement(step, on, sql).await
                && !is_fine(source.code)
            {
                return Err(ExecuteError::Call { step: step.clone(), source });
            }
        }
    }
    Ok(())
}

struct Mover<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
    work: &'a Redistribute,
    /// What was seen of partitions whose parts have not changed since need not be read again.
    known: BTreeMap<(ReplicaId, usize), BTreeMap<String, Known>>,
    /// Rows sent so far.
    sent: u64,
}

impl<'a, S: Servers, R: Reporter> Mover<'a, '_, S, R> {
    /// Sends what there is, and then what came in meanwhile, until little is left.
    async fn while_written(&mut self) -> Result<String, ExecuteError> {
        let mut rounds = 0;
        let mut left = u64::MAX;
        while rounds < ROUNDS_MAX && left > FEW_ROWS {
            let seen = self.look().await?;
            let differing = seen.differing();
            let before = self.sent;
            for partition in &differing {
                self.engine.hold_for_signals(self.step, self.first(), &self.work.signals).await?;
                self.bring(&seen, partition).await?;
            }
            left = self.sent - before;
            rounds += 1;
        }
        let rows = count(self.sent, "row");
        Ok(format!("{rows} sent in {}; the last one found {left} lacking", count(u64::from(rounds), "round")))
    }

    /// Sends what is left while nobody writes, proves that both tables have the same rows, and swaps the names.
    async fn while_still(&mut self, last: &Last) -> Result<String, ExecuteError> {
        let before = self.sent;
        self.wait_until_still(last).await?;
        let began = Instant::now();
        let (seen, had) = self.make_equal().await?;
        let (rows, partitions) = (seen.rows(FROM), seen.partitions().len());
        // The part before may have taken hours: whoever altered the table meanwhile altered one of both.
        check(self.engine, &self.step.id, &self.work.before).await?;
        if self.is_back() {
            // From here on, what bears the shadow's name may have rows that nothing else has.
            let (old, new) = (Vec::new(), Vec::new());
            self.engine.record(Event::Marked { step: self.step.id.clone(), old, new })?;
        }
        self.engine.run_all(&self.step.id, &last.runs, true, false).await?;
        let swapped = began.elapsed();
        self.engine.run_all(&self.step.id, &last.renew, true, true).await?;
        self.drain_all().await?;
        // Names are swapped: what had the rows has the other name now.
        if self.rows(TO).await? != had {
            self.keep_what_came(last).await?;
        }
        Ok(format!(
            "{} in {} are the same over all shards and on every replica, {} of them sent with writers still; names were swapped {:.1} s \
             after writers were still",
            count(rows, "row"),
            count(partitions, "partition"),
            self.sent - before,
            swapped.as_secs_f64()
        ))
    }

    /// Refuses if rows are left behind. On the way back the new table would be dropped next, so it gets its name back, and what came to it
    /// is brought over another time.
    async fn keep_what_came(&mut self, last: &Last) -> Result<(), ExecuteError> {
        let Err(error) = self.refuse_left_behind(last).await else { return Ok(()) };
        self.engine.run_all(&self.step.id, &last.finish, true, true).await?;
        self.engine.run_all(&self.step.id, &last.renew, true, true).await?;
        Err(error)
    }

    /// Every name is as it was before the swap: there was none, or an earlier run has swapped all of it back and got no further.
    async fn nothing_to_swap_back(&mut self, last: &Last) -> Result<String, ExecuteError> {
        self.engine.run_all(&self.step.id, &last.renew, true, true).await?;
        if self.engine.progress().marks(&self.step.id).is_none() {
            return Ok("no name was swapped, so there is nothing to swap back".to_owned());
        }
        self.drain_all().await?;
        match self.refuse_left_behind(last).await {
            // Whoever deleted rows since has them in the new table alone, too: what they are is not guessed.
            Err(ExecuteError::Behind { rows, .. }) if !self.engine.progress().despite_differences => {
                let reason = format!(
                    "an earlier run swapped the names back, and {} of what bears the shadow's name are not in the table: they came in while it \
                     did that, or were deleted since. Insert them, or say with --despite-differences that they are not wanted",
                    count(rows, "row")
                );
                Err(ExecuteError::InDoubt { step: self.step.id.clone(), replica: "all replicas".to_owned(), reason })
            }
            Err(ExecuteError::Behind { .. }) | Ok(()) => Ok("an earlier run has swapped the names back".to_owned()),
            Err(error) => Err(error),
        }
    }

    /// An earlier run began to swap, after it had compared: the rest of the swap follows, and a look at what came in meanwhile.
    async fn go_on(&mut self, last: &Last) -> Result<String, ExecuteError> {
        self.engine.run_all(&self.step.id, &last.runs, true, true).await?;
        self.engine.run_all(&self.step.id, &last.renew, true, true).await?;
        self.drain_all().await?;
        self.keep_what_came(last).await?;
        Ok("the swap that an earlier run had begun is done; the old data has no row that the new table lacks"
            .to_owned())
    }

    /// Looks for rows of the old data that the new table lacks, once the names are swapped.
    async fn refuse_left_behind(&mut self, last: &Last) -> Result<(), ExecuteError> {
        // By their new names the tables are other ones than those that are known.
        self.known.clear();
        let seen = self.look().await?;
        let mut rows = 0;
        for partition in seen.differing() {
            rows += self.lacking_rows(&last.behind, &seen, &partition).await?;
        }
        if rows == 0 {
            return Ok(());
        }
        let (step, is_back) = (self.step.id.clone(), self.is_back());
        Err(ExecuteError::Behind { step, rows, is_back })
    }

    /// How many rows of a partition are lacking.
    async fn lacking_rows(&self, template: &Template, seen: &Seen<'_>, partition: &str) -> Result<u64, ExecuteError> {
        let lacking = self.lacking(template, partition, seen).await?;
        Ok(lacking.iter().map(|(_, times, rows)| times * rows).sum())
    }

    /// Whether rows go to old data, which is not the plan's own.
    fn is_back(&self) -> bool {
        self.work.clear.is_none()
    }

    /// Sends, and compares, and begins anew with a partition that has other rows than it should.
    ///
    /// Gives what was seen, and how many rows there were before it was: whatever comes in later shows in their number.
    async fn make_equal(&mut self) -> Result<(Seen<'a>, BTreeMap<ReplicaId, u64>), ExecuteError> {
        let mut had = self.rows(FROM).await?;
        let mut seen = self.look().await?;
        for look in 0..=LAST_LOOKS_MAX {
            let differing = seen.differing();
            if differing.is_empty() || look > 0 && self.is_back() && self.may_differ(&seen, &differing).await? {
                return match seen.apart() {
                    None => Ok((seen, had)),
                    Some((on, partition)) => {
                        let differences = vec![format!("partition {partition} differs from that of another replica")];
                        Err(self.differ(on, differences))
                    }
                };
            }
            if look == LAST_LOOKS_MAX {
                break;
            }
            for partition in &differing {
                // Rows that were sent and did not help: the partition has others.
                if look > 0 && !self.is_back() {
                    self.begin_anew(&seen, partition).await?;
                } else {
                    self.bring(&seen, partition).await?;
                }
            }
            had = self.rows(FROM).await?;
            seen = self.look().await?;
        }
        Err(self.differ(self.first(), seen.report(&seen.differing())))
    }

    /// Whether nothing is lacking in the old data, and a person has said that what it has beyond that may come back.
    async fn may_differ(&self, seen: &Seen<'_>, differing: &[String]) -> Result<bool, ExecuteError> {
        for partition in differing {
            if self.lacking_rows(&self.work.lacking, seen, partition).await? > 0 {
                return Ok(false);
            }
        }
        if self.engine.progress().despite_differences {
            return Ok(true);
        }
        Err(ExecuteError::Returning { step: self.step.id.clone(), differences: seen.report(differing) })
    }

    fn differ(&self, on: ReplicaId, differences: Vec<String>) -> ExecuteError {
        let (step, replica) = (self.step.id.clone(), self.engine.desk.replica_name(on));
        ExecuteError::Verification { step, replica, differences }
    }

    /// The replica that looks at all shards.
    fn first(&self) -> ReplicaId {
        self.work.homes.first().copied().unwrap_or(ReplicaId { shard: 1, replica: 1 })
    }

    fn place(&self, on: ReplicaId) -> Place<'_, '_, S, R> {
        Place { engine: self.engine, step: &self.step.id, on }
    }

    /// Sends what is lacking of one partition.
    async fn bring(&mut self, seen: &Seen<'_>, partition: &str) -> Result<(), ExecuteError> {
        let [from, to] = [FROM, TO].map(|side| seen.total(side, partition));
        if to.rows == 0 {
            self.send_whole(seen, partition).await
        } else if to.rows > from.rows && self.work.clear.is_some() {
            self.begin_anew(seen, partition).await
        } else {
            self.send_lacking(seen, partition).await
        }
    }

    /// Each shard sends its rows of the partition.
    async fn send_whole(&mut self, seen: &Seen<'_>, partition: &str) -> Result<(), ExecuteError> {
        let sql = &self.work.copy.fill(partition);
        let has_some = |home: &&ReplicaId| seen.sides[FROM].get(home).is_some_and(|rows| rows.contains_key(partition));
        let senders = self.work.homes.iter().filter(has_some);
        self.sent_by(try_join_all(senders.map(|home| self.change(*home, sql))).await).await?;
        self.count(seen.total(FROM, partition).rows, partition);
        Ok(())
    }

    /// Rows that are lacking over all shards are sent by one replica, which alone can tell how often.
    async fn send_lacking(&mut self, seen: &Seen<'_>, partition: &str) -> Result<(), ExecuteError> {
        for (bucket, times, rows) in self.lacking(&self.work.lacking, partition, seen).await? {
            let sql = bucket.fill(&self.work.send, partition, &[("times", &times.to_string())]);
            self.sent_by(self.change(self.first(), &sql).await).await?;
            self.count(times * rows, partition);
        }
        Ok(())
    }

    /// How many rows are lacking how often, bucket by bucket.
    async fn lacking(
        &self,
        template: &Template,
        partition: &str,
        seen: &Seen<'_>,
    ) -> Result<Vec<(Bucket, u64, u64)>, ExecuteError> {
        let place = self.place(self.first());
        let rows = [FROM, TO].map(|side| seen.total(side, partition).rows);
        let of = rows[FROM].max(rows[TO]) / BUCKET_ROWS + 1;
        let mut lacking = Vec::new();
        for number in 0..of {
            let bucket = Bucket { number, of };
            for line in place.ask_slowly(&bucket.fill(template, partition, &[])).await?.lines() {
                let numbers: Vec<u64> = line.split('\t').filter_map(|number| number.parse().ok()).collect();
                let [times, rows] = numbers[..] else { return Err(place.unreadable(line)) };
                lacking.push((bucket, times, rows));
            }
        }
        Ok(lacking)
    }

    /// Drops a partition of the plan's own table on all shards, and sends it again.
    async fn begin_anew(&mut self, seen: &Seen<'_>, partition: &str) -> Result<(), ExecuteError> {
        if let Some(clear) = &self.work.clear {
            // What is dropped must be of the plan's own table.
            check(self.engine, &self.step.id, &self.work.before).await?;
            let sql = clear.fill(partition);
            for home in &self.work.homes {
                self.place(*home).change(&sql).await?;
            }
            self.wait_until_gone(partition).await?;
        }
        self.send_whole(seen, partition).await
    }

    async fn wait_until_gone(&self, partition: &str) -> Result<(), ExecuteError> {
        let began = Instant::now();
        for on in &self.work.on {
            let place = self.place(*on);
            while place.parts(&self.work.parts[TO]).await?.values().any(|part| part.partition == partition) {
                if began.elapsed() > DROP_PATIENCE {
                    let waiting_for = format!("partition {partition} to be dropped");
                    let (step, replica) = (self.step.id.clone(), place.name());
                    let seconds = DROP_PATIENCE.as_secs();
                    return Err(ExecuteError::Stalled { step, replica, seconds, waiting_for });
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }

    async fn change(&self, on: ReplicaId, sql: &str) -> Result<(), ExecuteError> {
        self.place(on).change_slowly(sql).await
    }

    /// What was sent and failed must not be at work any more when the next look is taken.
    async fn sent_by<T>(&self, outcome: Result<T, ExecuteError>) -> Result<T, ExecuteError> {
        if outcome.is_err() {
            self.engine.end_leftovers(&self.step.id, &self.work.on).await?;
        }
        outcome
    }

    fn count(&mut self, rows: u64, partition: &str) {
        self.sent += rows;
        self.engine.report(News::Copied { step: self.step, rows: self.sent, chunk: partition });
    }

    /// Both tables on every replica, once each of them has what was written so far.
    async fn look(&mut self) -> Result<Seen<'a>, ExecuteError> {
        try_join_all(self.work.drains.iter().map(|wait| catch_up_all(&self.engine.desk, &self.step.id, wait))).await?;
        let mut sides = [Side::new(), Side::new()];
        for (side, seen) in sides.iter_mut().enumerate() {
            let on = &self.work.on;
            let each = try_join_all(on.iter().map(|id| self.side_on(*id, side))).await?;
            for (id, found) in on.iter().zip(each) {
                seen.insert(*id, found.iter().map(|(name, known)| (name.clone(), known.digest)).collect());
                self.known.insert((*id, side), found);
            }
        }
        Ok(Seen { homes: &self.work.homes, sides })
    }

    /// One table on one replica. What has the same parts as when it was last read has the same rows.
    async fn side_on(&self, on: ReplicaId, side: usize) -> Result<BTreeMap<String, Known>, ExecuteError> {
        let place = self.place(on);
        let before = self.parts(&place, side).await?;
        // A patch part changes rows of parts that keep their names.
        let patched = before.keys().any(|partition| partition.starts_with("patch-"));
        let known = self.known.get(&(on, side)).filter(|_| !patched);
        let is_known = |partition: &String, parts: &BTreeSet<String>| {
            known.and_then(|known| known.get(partition)).filter(|known| known.parts == *parts).map(|known| known.digest)
        };
        let mut found = BTreeMap::new();
        let mut unread = Vec::new();
        for (partition, parts) in &before {
            match is_known(partition, parts) {
                Some(digest) => _ = found.insert(partition.clone(), Known { parts: parts.clone(), digest }),
                None => unread.push(partition),
            }
        }
        if unread.is_empty() {
            return Ok(found);
        }
        let sql = self.work.digests[side].fill_all(&[("partitions", &quoted_list(unread))]);
        let answer = place.ask_slowly(&sql).await?;
        let after = self.parts(&place, side).await?;
        for line in answer.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [partition, rows, sum] = fields[..] else { return Err(place.unreadable(line)) };
            let (Ok(rows), Ok(sum)) = (rows.parse(), sum.parse()) else { return Err(place.unreadable(line)) };
            // Parts that changed while they were read are read again next time.
            let parts = after.get(partition).filter(|parts| before.get(partition) == Some(*parts));
            let parts = parts.cloned().unwrap_or_default();
            found.insert(partition.to_owned(), Known { parts, digest: Digest { rows, sum } });
        }
        Ok(found)
    }

    /// Names of parts by partition.
    async fn parts(
        &self,
        place: &Place<'_, '_, S, R>,
        side: usize,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, ExecuteError> {
        let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, part) in place.parts(&self.work.parts[side]).await? {
            parts.entry(part.partition).or_default().insert(name);
        }
        Ok(parts)
    }

    async fn drain_all(&self) -> Result<(), ExecuteError> {
        let waits = self.work.drains.iter().map(|wait| drain(&self.engine.desk, &self.step.id, wait));
        try_join_all(waits).await.map(drop)
    }

    /// Waits until no row has come in for a while, no insert that had begun before is running and nothing is queued.
    async fn wait_until_still(&self, last: &Last) -> Result<(), ExecuteError> {
        let began = Instant::now();
        loop {
            let before = self.rows(FROM).await?;
            tokio::time::sleep(STILL).await;
            self.engine.run_all(&self.step.id, &last.flush, false, true).await?;
            self.drain_all().await?;
            let now = self.rows(FROM).await?;
            let came = self.work.on.iter().find_map(|on| {
                let more = now.get(on)?.saturating_sub(*before.get(on)?);
                (more > 0).then_some((*on, more))
            });
            let Some((on, rows)) = came else { return Ok(()) };
            let replica = self.engine.desk.replica_name(on);
            if began.elapsed() > STILL_PATIENCE {
                return Err(ExecuteError::Written { step: self.step.id.clone(), replica, rows });
            }
            let why = format!("writers are not still: {} came in on {replica}", count(rows, "row"));
            self.engine.report(News::Held { step: self.step, why: &why });
        }
    }

    /// Rows that each replica has of one table.
    async fn rows(&self, side: usize) -> Result<BTreeMap<ReplicaId, u64>, ExecuteError> {
        let rows = |on: ReplicaId| async move {
            let parts = self.place(on).parts(&self.work.parts[side]).await?;
            Ok::<u64, ExecuteError>(parts.values().filter_map(|part| part.rows.parse::<u64>().ok()).sum())
        };
        let each = try_join_all(self.work.on.iter().map(|on| rows(*on))).await?;
        Ok(self.work.on.iter().copied().zip(each).collect())
    }
}

/// A part of the rows of a partition, by their hashes.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    number: u64,
    of: u64,
}

impl Bucket {
    fn fill(self, template: &Template, partition: &str, more: &[(&str, &str)]) -> String {
        let (number, of) = (self.number.to_string(), self.of.to_string());
        let chunk = crate::names::quote_string(partition);
        let mut holes = vec![("chunk", chunk.as_str()), ("bucket", &number), ("buckets", &of)];
        holes.extend(more);
        template.fill_all(&holes)
    }
}
