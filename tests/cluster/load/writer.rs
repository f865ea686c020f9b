//! A writer: it inserts until told to stop, and writes down what it was told.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shardwright::names::ReplicaId;
use tokio::time::{sleep, sleep_until, timeout};

use super::figures::Met;
use super::http::{Failed, send};
use super::schema::{self, COMPANIONS, POOL, POOL_ROWS, WRITER, write_row};
use super::{Book, Fresh, Outcome, Shared, changer};
use crate::dice::Dice;
use crate::harness::End;

/// A block that was not acknowledged so often is given up.
const TRIES_MAX: u32 = 40;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// Rows of a small block.
const SMALL_MAX: u64 = 20;
const CROWD_ROWS_MAX: u64 = 3;
/// How long a server collects what a crowd inserts.
const CROWD_SETTINGS: &str = "async_insert=1&async_insert_busy_timeout_min_ms=250&async_insert_busy_timeout_max_ms=300";
/// One insert in so many is large, one has rows of the pool, one is not waited for.
const LARGE: u64 = 250;
const SHARED: u64 = 5;
const IMPATIENT: u64 = 60;
/// How long a writer that does not wait waits.
const IMPATIENT_MS_MAX: u64 = 12;

/// Where an insert goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) on: ReplicaId,
    pub(super) port: u16,
    pub(super) table: &'static str,
}

/// What is inserted at once, and again if need be.
struct Block {
    place: Place,
    settings: String,
    body: String,
    impatient: bool,
}

/// Inserts until told to stop.
pub(super) async fn write(shared: &Shared, number: u64) -> Book {
    let mut writer = Writer::new(shared, number);
    while !shared.stopped() {
        let began = Instant::now();
        let next = began + shared.spec.interval;
        // An old server mutates part by part, and only when it finds nothing to merge: under load, never to an end.
        if shared.schema.end == End::Old && shared.busy.load(Ordering::SeqCst) {
            sleep_until(next.into()).await;
            continue;
        }
        match () {
            () if writer.dice.one_in(LARGE) => writer.large().await,
            () if writer.dice.one_in(SHARED) => writer.shared_rows().await,
            () => writer.small().await,
        }
        sleep_until(next.max(Instant::now() + began.elapsed() * shared.spec.rests).into()).await;
    }
    writer.book
}

/// The same as one of a crowd: a few rows at a time, which the server writes together with those of others.
pub(super) async fn write_along(shared: &Shared, number: u64) -> Book {
    let mut writer = Writer::new(shared, number);
    while !shared.stopped() {
        writer.small().await;
    }
    writer.book
}

/// One writer's numbers and book.
pub(super) struct Writer<'a> {
    shared: &'a Shared,
    number: u64,
    pub(super) dice: Dice,
    pub(super) book: Book,
    next: u64,
    companions: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(shared: &'a Shared, number: u64) -> Self {
        let dice = Dice::seeded(shared.spec.seed.wrapping_mul(1_000).wrapping_add(number));
        Self { shared, number, dice, book: Book::default(), next: WRITER * (number + 1), companions: 0 }
    }

    /// A few rows in a row.
    async fn small(&mut self) {
        let most = if self.is_one_of_a_crowd() { CROWD_ROWS_MAX } else { SMALL_MAX };
        let count = 1 + self.dice.below(most);
        let place = self.place();
        self.unique(place, count, false).await;
    }

    /// Thousands of rows: made by the server, or sent.
    async fn large(&mut self) {
        let count = if self.dice.one_in(6) { 20_000 + self.dice.below(30_000) } else { 5_000 + self.dice.below(5_000) };
        let place = self.place();
        let by_server = self.dice.one_in(2);
        self.unique(place, count, by_server).await;
    }

    /// Inserts rows that nobody else inserts. True if they are known to be there once.
    pub(super) async fn unique(&mut self, place: Place, count: u64, by_server: bool) -> bool {
        let first = self.next;
        self.next += count;
        let schema = &self.shared.schema;
        let body = if by_server {
            schema.insert_select(place.table, first, 1, count)
        } else {
            let mut body = schema.insert_text(place.table);
            (first..first + count).for_each(|id| write_row(&mut body, id, 1));
            body
        };
        let block = self.block(place, body, count <= SMALL_MAX);
        let outcome = self.deliver(&block).await;
        self.book.inserted(first, count, outcome);
        let is_settled = outcome.acknowledged && outcome.unknown == 0;
        if is_settled {
            self.remember(place, first, count);
        }
        is_settled
    }

    /// Rows that others insert too, and before and after. A replicated table drops a block that it has had, so each block
    /// has a row of its own in the same partition and on the same shard.
    async fn shared_rows(&mut self) {
        let mut place = self.place();
        let (month, home) = (self.dice.below(4), 1 + u32::from(self.dice.one_in(2)));
        // On another shard, equal rows of a table that keeps one of them would be two.
        if place.table == "t" && place.on.shard != home {
            place = self.direct(home);
        }
        let version =
            if self.shared.schema.replacing { self.shared.version.fetch_add(1, Ordering::SeqCst) + 1 } else { 1 };
        let count = 1 + self.dice.below(4);
        let first = self.dice.below(POOL_ROWS / 8 - count);
        let rows: Vec<u64> = (first..first + count).map(|index| schema::cold(POOL, index, month, home)).collect();
        let own = schema::cold(WRITER * (self.number + 1) + COMPANIONS, self.companions, month, home);
        self.companions += 1;
        let mut body = self.shared.schema.insert_text(place.table);
        for id in &rows {
            write_row(&mut body, *id, version);
        }
        write_row(&mut body, own, 1);
        let block = self.block(place, body, true);
        let outcome = self.deliver(&block).await;
        self.book.inserted(own, 1, outcome);
        for id in rows {
            self.book.inserted(id, 1, outcome);
            self.book.versioned(id, version, outcome);
        }
    }

    /// Sends until it is acknowledged, always the same.
    async fn deliver(&self, block: &Block) -> Outcome {
        let mut unknown = 0;
        let later = self.sends_later() && block.place.table == "everywhere";
        for attempt in 0..TRIES_MAX {
            let (phase, began) = (self.shared.board.now(), Instant::now());
            let sending = send(block.place.port, &block.settings, &block.body);
            let answer = if block.impatient && attempt == 0 {
                let patience = Duration::from_millis(block.body.len() as u64 % IMPATIENT_MS_MAX);
                let Ok(answer) = timeout(patience, sending).await else {
                    unknown += 1;
                    continue;
                };
                answer
            } else {
                sending.await
            };
            let met = match &answer {
                Ok(_) => Met::Inserted,
                Err(failed) => Met::WriteError(format!("{} {}", block.place.table, failed.text())),
            };
            self.shared.board.met(phase, began.elapsed(), met);
            match answer {
                Ok(_) => return Outcome { acknowledged: true, unknown, later },
                Err(Failed::Unknown(_)) => unknown += 1,
                Err(Failed::NotSent(_)) => {}
            }
            sleep(PAUSE_AFTER_ERROR).await;
        }
        Outcome { acknowledged: false, unknown, later }
    }

    fn block(&mut self, place: Place, body: String, may_be_impatient: bool) -> Block {
        let impatient = may_be_impatient && self.dice.one_in(IMPATIENT);
        Block { place, settings: self.settings(), body, impatient }
    }

    /// Each writer has its ways: one leaves the sending on to the `Distributed` table, every other one leaves batching to the
    /// server where it can do that.
    fn settings(&self) -> String {
        if self.is_one_of_a_crowd() {
            return format!("insert_distributed_sync=1&{CROWD_SETTINGS}");
        }
        let at_once = u32::from(!self.sends_later());
        match self.shared.schema.end {
            End::Old => format!("insert_distributed_sync={at_once}"),
            End::New => format!("insert_distributed_sync={at_once}&async_insert={}", self.number % 2),
        }
    }

    fn sends_later(&self) -> bool {
        self.number % 8 == 6 && !self.is_one_of_a_crowd()
    }

    fn is_one_of_a_crowd(&self) -> bool {
        self.number >= self.shared.spec.writers && self.number != changer::NUMBER
    }

    fn place(&mut self) -> Place {
        let (on, port) = *self.dice.pick(&self.shared.ports);
        Place { on, port, table: if self.dice.one_in(2) { "everywhere" } else { "t" } }
    }

    /// Any replica of a shard.
    pub(super) fn direct(&mut self, shard: u32) -> Place {
        let replicas: Vec<_> = self.shared.ports.iter().filter(|(id, _)| id.shard == shard).copied().collect();
        let (on, port) = *self.dice.pick(&replicas);
        Place { on, port, table: "t" }
    }

    /// Puts rows up for readers, where they must be visible: on the replica that took them. Rows sent on by a `Distributed` table are
    /// that only where shards have one replica, and once they are sent; rows that are to be deleted are left out.
    fn remember(&self, place: Place, first: u64, count: u64) {
        let Place { port, table, .. } = place;
        let is_visible = table == "t" || (self.shared.schema.end == End::New && !self.sends_later());
        if is_visible && self.number < self.shared.spec.writers {
            self.shared.fresh().insert(self.number, Fresh { port, table, first, count });
        }
    }
}
