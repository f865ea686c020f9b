//! A load of writers and readers on one table, and the check that every row is where it must be, as often as it must be.
//!
//! Writers insert small blocks and large ones, through the `Distributed` table and directly into any replica; late rows; rows
//! that others have inserted too ([`schema::POOL`]); the same block again when its first attempt was not acknowledged, be it
//! that it failed or that the writer went away ([`writer`]). One more updates and deletes rows of its own ([`changer`]).
//! What they were told is kept in a [`book::Book`]. Readers ask for what they know all the time ([`reader`]). At the end the
//! [`check`] looks at each row on every replica, through the `Distributed` table and downstream.
//!
//! All of it runs on one thread of its own, beside two cores' worth of servers.

pub(crate) mod book;
mod changer;
pub(crate) mod check;
pub(crate) mod figures;
pub(crate) mod http;
mod reader;
pub(crate) mod schema;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shardwright::names::ReplicaId;

use crate::harness::{End, Running, block_on};
use crate::world::{everywhere, firsts, prepare, sync};
use book::{Book, Outcome};
use figures::{Board, Figures};
use schema::Schema;

/// How long a busy machine may take to do some inserts, or to end the changes under way.
const QUIET_MAX: Duration = Duration::from_mins(4);

/// Writers have numbers below that of the one who changes rows.
const CROWD_MAX: u64 = 80;

/// How much load, and of what kinds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) seed: u64,
    pub(crate) writers: u64,
    pub(crate) readers: u64,
    /// Writers beside these who insert a few rows at a time and leave batching to the server; none where it cannot do that.
    pub(crate) crowd: u64,
    /// Inserts of one writer begin at least so far apart.
    pub(crate) interval: Duration,
    /// A writer rests after an insert for so many times as long as that took: how far a load yields to a slow machine.
    pub(crate) rests: u32,
    /// Base rows, over both shards.
    pub(crate) base: u64,
    /// Whether rows are updated and deleted, when that is allowed.
    pub(crate) changes: bool,
}

impl Spec {
    /// Eight writers and three readers, and nothing changed. How many inserts a second that makes is up to the machine: on old servers
    /// an insert makes ten to twenty parts and as many transactions of `ZooKeeper`.
    pub(crate) fn new(end: End, seed: u64) -> Self {
        let (interval, rests, crowd) = match end {
            End::Old => (Duration::from_millis(200), 3, 0),
            End::New => (Duration::from_millis(18), 1, crowd()),
        };
        Self { seed, writers: 8, readers: 3, crowd, interval, rests, base: 60_000, changes: false }
    }
}

/// `SHARDWRIGHT_CROWD=64` has so many more: more inserts a second, and more than two cores can do beside a copy.
#[track_caller]
fn crowd() -> u64 {
    let Ok(said) = std::env::var("SHARDWRIGHT_CROWD") else { return 0 };
    let writers = said.parse().ok().filter(|writers| *writers <= CROWD_MAX);
    writers.unwrap_or_else(|| panic!("SHARDWRIGHT_CROWD={said}: not a number up to {CROWD_MAX}"))
}

/// What all tasks share.
struct Shared {
    schema: Schema,
    spec: Spec,
    /// HTTP ports by replica.
    ports: Vec<(ReplicaId, u16)>,
    board: Board,
    stop: AtomicBool,
    /// Versions given out, for tables that keep the highest.
    version: AtomicU32,
    changing: AtomicBool,
    /// Whether a change is under way.
    busy: AtomicBool,
    /// The last insert of each writer whose rows must be visible by now.
    fresh: Mutex<BTreeMap<u64, Fresh>>,
}

/// Rows that were acknowledged, and where they can be counted.
#[derive(Debug, Clone, Copy)]
struct Fresh {
    port: u16,
    table: &'static str,
    first: u64,
    count: u64,
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Fresh>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load under way.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Book>>,
}

/// A load that has ended.
pub(crate) struct Harvest {
    pub(crate) book: Book,
    pub(crate) phases: Vec<(&'static str, Figures)>,
    pub(crate) texts: BTreeMap<String, u64>,
}

/// Makes the tables and the base rows; gives the base rows' book.
#[track_caller]
pub(crate) fn set_up(cluster: &Running, schema: &Schema, spec: &Spec) -> Book {
    const INSERTS: u64 = 4;
    let [tables, downstream] = [schema.tables(), schema.downstream()];
    prepare(cluster, &schema.database, &[&tables[0], &tables[1]]);
    let count = spec.base / 2 / INSERTS;
    for on in firsts(cluster) {
        for insert in 0..INSERTS {
            let first = 2 + 2 * count * insert + u64::from(on.shard - 1);
            cluster.query(on, &schema.insert_select("t", first, 2, count));
        }
    }
    // The downstream view sees what writers insert, not the base rows.
    everywhere(cluster, &[&downstream[0], &downstream[1]]);
    if schema.end == End::Old {
        sync(cluster, &[&format!("{}.t", schema.database)]);
    }
    let mut book = Book::default();
    book.table.acknowledged(2, 2 * INSERTS * count);
    book
}

impl Load {
    /// Starts writers and readers on a table that [`set_up`] has made.
    pub(crate) fn start(cluster: &Running, schema: &Schema, spec: &Spec) -> Self {
        let shared = Arc::new(Shared {
            schema: schema.clone(),
            spec: *spec,
            ports: cluster.replicas().map(|(id, ports)| (id, ports.http)).collect(),
            board: Board::new("before"),
            stop: AtomicBool::new(false),
            version: AtomicU32::new(1),
            changing: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            fresh: Mutex::default(),
        });
        let here = Arc::clone(&shared);
        let thread = std::thread::spawn(move || block_on(run(&here)));
        Self { shared, thread: Some(thread) }
    }

    /// What begins from now on belongs to this phase.
    pub(crate) fn phase(&self, name: &'static str) {
        self.shared.board.phase(name);
    }

    /// Waits until writers have done so many inserts since the phase began; fails after minutes.
    #[track_caller]
    pub(crate) fn wait_for_inserts(&self, inserts: u64) {
        self.wait_for("inserts", inserts, |figures| figures.inserts);
    }

    /// Waits until readers have missed a row that was always there; fails after minutes.
    #[track_caller]
    pub(crate) fn wait_for_wrong_counts(&self) {
        self.wait_for("wrong counts", 1, |figures| figures.wrong);
    }

    #[track_caller]
    fn wait_for(&self, what: &str, wanted: u64, of: fn(&Figures) -> u64) {
        let began = Instant::now();
        loop {
            let seen = of(&self.shared.board.figures());
            if seen >= wanted {
                return;
            }
            assert!(began.elapsed() < QUIET_MAX, "{seen} of {wanted} {what} in {QUIET_MAX:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets rows be updated and deleted, if the load does that at all.
    pub(crate) fn allow_changes(&self) {
        self.shared.changing.store(self.shared.spec.changes, Ordering::SeqCst);
    }

    /// No more updates and deletes; returns when the last one has ended.
    #[track_caller]
    pub(crate) fn stop_changes(&self) {
        self.shared.changing.store(false, Ordering::SeqCst);
        let began = Instant::now();
        while self.shared.busy.load(Ordering::SeqCst) {
            assert!(began.elapsed() < QUIET_MAX, "a change is under way for {QUIET_MAX:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the load, each writer after its last insert.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Harvest {
        self.shared.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().expect("a load is stopped once");
        let book = thread.join().expect("the load ends");
        let (phases, texts) = self.shared.board.close();
        Harvest { book, phases, texts }
    }
}

impl Drop for Load {
    /// A test that fails must not leave its load running.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

async fn run(shared: &Shared) -> Book {
    let writing = join_all((0..shared.spec.writers).map(|number| writer::write(shared, number)));
    let crowd = shared.spec.writers..shared.spec.writers + shared.spec.crowd;
    let crowding = join_all(crowd.map(|number| writer::write_along(shared, number)));
    let reading = join_all((0..shared.spec.readers).map(|number| reader::read(shared, number)));
    let (books, along, changed, _) = tokio::join!(writing, crowding, changer::change(shared), reading);
    let mut all = changed;
    for book in books.into_iter().chain(along) {
        all.extend(book);
    }
    all
}
