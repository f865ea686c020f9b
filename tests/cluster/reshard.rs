//! Another sharding key: every row goes to where the new key says and is there once, while it is written and read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use shardwright::names::TableName;

use crate::harness::{End, Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{ask_all, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, sync, then_stop};

on_both_ends! {
    shared: rows_go_to_their_shards_under_load;
    shared: whoever_dies_meanwhile_loses_nothing;
    shared: a_cutover_that_swapped_nothing_is_taken_back;
    shared: what_is_queued_is_not_forgotten;
    shared: columns_that_came_later_are_not_lost;
    shared: a_swap_that_stopped_half_way_goes_on;
    shared: what_was_deleted_since_does_not_come_back_unasked;
    shared: what_is_wrong_in_the_new_table_is_put_right;
    shared: it_is_rehearsed_before;
    shared: names_may_be_anything;
    shared: what_cannot_go_to_other_shards_is_refused;
}

/// Rows that are there before anybody writes.
const ROWS: u64 = 30_000;
/// The first row of each writer is a multiple of this.
const WRITER_STRIDE: u64 = 10_000_000;
const ROWS_AN_INSERT: u64 = 50;
/// Names that statements of the plan's own might give to something else.
const COLUMNS: &str = "id UInt64, day Date, h String, s UInt32, m Nullable(String), d UInt8";
const BEFORE: &str = "id";
const AFTER: &str = "intDiv(id, 10)";

/// Names of a local table and a `Distributed` one over it.
struct Names {
    local: TableName,
    over: TableName,
}

impl Names {
    fn plain(database: &str) -> Self {
        Self { local: TableName::new(database, "t"), over: TableName::new(database, "everywhere") }
    }

    fn database(&self) -> &str {
        &self.local.database
    }

    fn create_over(&self, key: &str) -> String {
        let text = shardwright::names::quote_string;
        format!(
            "CREATE TABLE {} ({COLUMNS}) ENGINE = Distributed('main', {}, {}, {key})",
            self.over.sql(),
            text(&self.local.database),
            text(&self.local.table)
        )
    }
}

#[track_caller]
fn set_up(cluster: &Running, names: &Names, family: &str) {
    let engine = engine(
        cluster.replicates(),
        family,
        "reshard",
        &format!("{}_t", names.database().bytes().map(u32::from).sum::<u32>()),
        "",
    );
    let create = format!(
        "CREATE TABLE {} ({COLUMNS}, twice UInt64 MATERIALIZED id * 2) ENGINE = {engine} PARTITION BY toYYYYMM(day) ORDER BY (day, id)",
        names.local.sql()
    );
    prepare(cluster, &shardwright::names::quote_identifier(names.database()), &[&create, &names.create_over(BEFORE)]);
    insert(cluster, names, 0, ROWS).unwrap();
    // The same row several times is so many rows.
    for _ in 0..3 {
        insert(cluster, names, 0, 2).unwrap();
    }
    sync(cluster, &[&names.local.sql()]);
}

/// An insert of rows that follow from their numbers.
fn values(names: &Names, first: u64, count: u64) -> String {
    format!(
        "INSERT INTO {} SELECT {first} + number, toDate('2024-01-01') + (number % 60), toString(({first} + number) % 11), number % 5, \
         if(number % 3 = 0, NULL, 'x'), 7 FROM (SELECT number FROM system.numbers LIMIT {count})",
        names.over.sql()
    )
}

fn insert(cluster: &Running, names: &Names, first: u64, count: u64) -> Result<String, String> {
    let sql = values(names, first, count);
    let port = cluster.replicas().next().expect("a replica").1.http;
    block_on(send(port, "insert_distributed_sync=1&insert_deduplicate=0", &sql))
        .map_err(|error| format!("{sql}: {error:?}"))
}

/// Software that writes through the `Distributed` table for as long as it is let.
#[derive(Default)]
struct Writers {
    stop: AtomicBool,
    rest: AtomicBool,
    written: AtomicU64,
    at_rest: AtomicU64,
    failed: Mutex<Vec<String>>,
}

const WRITERS: u64 = 3;

impl Writers {
    fn write(&self, cluster: &Running, names: &Names, writer: u64) {
        let mut next = WRITER_STRIDE * (writer + 1);
        let mut resting = false;
        while !self.stop.load(Ordering::SeqCst) {
            if self.rest.load(Ordering::SeqCst) {
                if !resting {
                    self.at_rest.fetch_add(1, Ordering::SeqCst);
                    resting = true;
                }
            } else {
                if resting {
                    self.at_rest.fetch_sub(1, Ordering::SeqCst);
                    resting = false;
                }
                match insert(cluster, names, next, ROWS_AN_INSERT) {
                    Ok(_) => _ = self.written.fetch_add(ROWS_AN_INSERT, Ordering::SeqCst),
                    Err(error) => self.failed.lock().unwrap().push(error),
                }
                next += ROWS_AN_INSERT;
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops them or lets them go on, and waits until they have.
    fn let_rest(&self, rest: bool) {
        self.rest.store(rest, Ordering::SeqCst);
        let wanted = if rest { WRITERS } else { 0 };
        assert!(
            (0..600).any(|_| {
                sleep(Duration::from_millis(50));
                self.at_rest.load(Ordering::SeqCst) == wanted
            }),
            "the writers do as they are told"
        );
    }

    fn some_more(&self) {
        let before = self.written.load(Ordering::SeqCst);
        assert!(
            (0..600).any(|_| {
                sleep(Duration::from_millis(50));
                self.written.load(Ordering::SeqCst) > before + 5 * ROWS_AN_INSERT
            }),
            "somebody writes"
        );
    }
}

/// Tells a story with writers; gives the rows that they wrote.
fn with_writers(cluster: &Running, names: &Names, story: impl FnOnce(&Writers)) -> u64 {
    let writers = Writers::default();
    scope(|scope| {
        for writer in 0..WRITERS {
            let writers = &writers;
            scope.spawn(move || writers.write(cluster, names, writer));
        }
        then_stop(&writers.stop, || story(&writers));
    });
    assert_eq!(writers.failed.into_inner().unwrap(), Vec::<String>::new());
    writers.written.into_inner()
}

/// Each row is there as often as it was inserted, on every replica, with its values, on the shard of the key.
#[track_caller]
fn assert_exact(cluster: &Running, names: &Names, key: &str, more: u64) {
    sync(cluster, &[&names.local.sql()]);
    let all = format!("SELECT count(), uniqExact(id), sum(d != 7 OR h != toString(id % 11)) FROM {}", names.over.sql());
    let rows = ROWS + more;
    let sums = format!("{}\t{rows}\t0", rows + 6);
    for id in cluster.ids() {
        assert_eq!(cluster.query(id, &all), sums, "{id}");
        let wrong = format!(
            "SELECT countIf({key} % 2 != {}), countIf(twice != id * 2) FROM {}",
            id.shard - 1,
            names.local.sql()
        );
        assert_eq!(cluster.query(id, &wrong), "0\t0", "rows on the wrong shard, or with another value: {id}");
    }
}

#[track_caller]
fn target(tool: &Tool, names: &Names, key: &str) {
    std::fs::write(tool.dir().join("wanted.sql"), names.create_over(key)).unwrap();
}

#[track_caller]
fn planned(cluster: &Running, names: &Names) -> Tool {
    let tool = Tool::new(cluster);
    target(&tool, names, AFTER);
    let planned = tool.expect(2, &["plan", "--target", "wanted.sql", "--detailed-exitcode"]);
    assert!(planned.stdout.contains(&format!("{BEFORE} → {AFTER}")) && planned.stdout.contains("SW081"), "{planned}");
    tool
}

/// There, back and there again, to the end; readers meet every row of before all the while but for the swap.
fn rows_go_to_their_shards_under_load(cluster: &Running) {
    let names = &Names::plain("reshard_load");
    set_up(cluster, names, "MergeTree");
    let before = definitions(cluster, names.database());
    let tool = planned(cluster, names);
    let (reads, swapping) = (AtomicU64::new(0), AtomicBool::new(false));
    let written = with_writers(cluster, names, |writers| {
        scope(|scope| {
            let reader = scope.spawn(|| {
                let last = cluster.replicas().last().expect("a replica").1.http;
                let sql = format!("SELECT count() FROM {} WHERE id < {ROWS}", names.over.sql());
                while !writers.stop.load(Ordering::SeqCst) && !writers.rest.load(Ordering::SeqCst)
                    || swapping.load(Ordering::SeqCst)
                {
                    if !swapping.load(Ordering::SeqCst) {
                        let seen = block_on(send(last, "", &sql)).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                        assert_eq!(seen.trim(), (ROWS + 6).to_string());
                        reads.fetch_add(1, Ordering::SeqCst);
                    }
                    sleep(Duration::from_millis(20));
                }
            });
            tool.approve(&["start"]);
            tool.expect(4, &["execute", PLAN]);
            writers.some_more();
            assert_eq!(tool.state(), "waiting cutover");
            swapping.store(true, Ordering::SeqCst);
            writers.let_rest(true);
            swapping.store(false, Ordering::SeqCst);
            reader.join().unwrap();
        });
        tool.approve(&["cutover"]);
        let swapped = tool.expect(4, &["execute", PLAN]);
        assert!(swapped.stderr.contains("the same over all shards and on every replica"), "{swapped}");
        tool.expect(0, &["verify", PLAN]);
        assert_exact(cluster, names, AFTER, writers.written.load(Ordering::SeqCst));
        writers.let_rest(false);
        writers.some_more();
        // Whoever writes on is waited for.
        let mut back = tool.start(&["rollback", PLAN]);
        back.await_words("writers are not still");
        writers.let_rest(true);
        let back = back.end();
        assert_eq!(back.code, Some(0), "{back}");
        assert_nothing_left(cluster, names.database());
        assert_eq!(definitions(cluster, names.database()), before);
        assert_exact(cluster, names, BEFORE, writers.written.load(Ordering::SeqCst));
        writers.let_rest(false);
        tool.approve(&["start"]);
        tool.expect(4, &["execute", PLAN]);
        writers.some_more();
        writers.let_rest(true);
        tool.approve(&["cutover"]);
        tool.expect(4, &["execute", PLAN]);
        writers.let_rest(false);
        writers.some_more();
        tool.approve(&["finalize"]);
        tool.expect(0, &["execute", PLAN]);
        writers.some_more();
    });
    assert_nothing_left(cluster, names.database());
    assert_exact(cluster, names, AFTER, written);
    let again = tool.expect(0, &["plan", "--target", "wanted.sql", "-o", "again.json"]);
    assert!(again.stderr.contains("no change"), "{again}");
    println!("{written} rows, {} reads", reads.into_inner());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// kill -9 again and again, forward and back.
fn whoever_dies_meanwhile_loses_nothing(cluster: &Running) {
    let names = &Names::plain("reshard_dies");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    let die = |args: &[&str]| {
        for milliseconds in [40, 150, 400, 900, 3200, 3600] {
            let run = tool.start(args);
            sleep(Duration::from_millis(milliseconds));
            let ran = run.kill();
            assert!(matches!(ran.code, None | Some(4 | 0)), "{ran}");
        }
    };
    tool.approve(&["start"]);
    die(&["execute", PLAN]);
    tool.expect(4, &["execute", PLAN]);
    insert(cluster, names, WRITER_STRIDE, 1000).unwrap();
    tool.approve(&["cutover"]);
    die(&["execute", PLAN]);
    tool.expect(4, &["execute", PLAN]);
    assert_counts(cluster, names, ROWS + 1006);
    insert(cluster, names, 2 * WRITER_STRIDE, 1000).unwrap();
    die(&["rollback", PLAN]);
    let back = tool.run(&["rollback", PLAN]);
    assert_eq!(back.code, Some(0), "{back}");
    assert_nothing_left(cluster, names.database());
    assert_counts(cluster, names, ROWS + 2006);
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

#[track_caller]
fn assert_counts(cluster: &Running, names: &Names, rows: u64) {
    sync(cluster, &[&names.local.sql()]);
    let sql = format!("SELECT count(), uniqExact(id) FROM {}", names.over.sql());
    for id in cluster.ids() {
        assert_eq!(cluster.query(id, &sql), format!("{rows}\t{}", rows - 6), "{id}");
    }
}

/// Killed while it waits for writers to be still, and refused because of a mutation: no name was swapped, so none is swapped back.
fn a_cutover_that_swapped_nothing_is_taken_back(cluster: &Running) {
    let names = &Names::plain("reshard_nothing");
    set_up(cluster, names, "MergeTree");
    let before = definitions(cluster, names.database());
    let tool = planned(cluster, names);
    let written = with_writers(cluster, names, |writers| {
        tool.approve(&["start", "cutover"]);
        let mut waiting = tool.start(&["execute", PLAN]);
        waiting.await_words("writers are not still");
        waiting.kill();
        writers.some_more();
        // Nothing is to be swapped back, so writers need not be still.
        tool.expect(0, &["rollback", PLAN]);
        writers.some_more();
    });
    assert_nothing_left(cluster, names.database());
    assert_eq!(definitions(cluster, names.database()), before);
    assert_exact(cluster, names, BEFORE, written);

    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let added = format!("ALTER TABLE {} ADD COLUMN late UInt8", names.local.sql());
    for id in if cluster.replicates() { firsts(cluster) } else { cluster.ids() } {
        cluster.query(id, &added);
    }
    let altered = tool.expect(5, &["execute", PLAN]);
    assert!(altered.stderr.contains("defined as it was") || altered.stderr.contains("same columns"), "{altered}");
    tool.expect(0, &["rollback", PLAN]);
    assert_nothing_left(cluster, names.database());
    assert_exact(cluster, names, BEFORE, written);
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// Rows that the `Distributed` table has not sent when it is acknowledged: they are there in the end, and are seen by the comparison
/// where servers tell of queues.
fn what_is_queued_is_not_forgotten(cluster: &Running) {
    let names = &Names::plain("reshard_queue");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    let ports: Vec<u16> = cluster.replicas().map(|(_, ports)| ports.http).collect();
    let queue = |first: u64| {
        let stop = format!("SYSTEM STOP DISTRIBUTED SENDS {}", names.over.sql());
        for (port, part) in ports.iter().zip(0..) {
            if !cluster.replicates() {
                block_on(send(*port, "", &stop)).unwrap();
            }
            let rows = values(names, first + part * 100, 100);
            block_on(send(*port, "insert_distributed_sync=0", &rows)).unwrap();
        }
        ports.len() as u64 * 100
    };
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let mut more = queue(WRITER_STRIDE);
    tool.expect(4, &["execute", PLAN]);
    assert_eventually(cluster, names, more);
    more += queue(2 * WRITER_STRIDE);
    tool.expect(0, &["rollback", PLAN]);
    assert_eventually(cluster, names, more);
    assert_nothing_left(cluster, names.database());
    // Whoever inserts so afterwards is heard too.
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    more += queue(3 * WRITER_STRIDE);
    let start = format!("SYSTEM START DISTRIBUTED SENDS {}", names.over.sql());
    if !cluster.replicates() {
        everywhere(cluster, &[&start]);
    }
    assert_eventually(cluster, names, more);
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// To the `Distributed` table at the gate, or to all tables after the swap.
fn columns_that_came_later_are_not_lost(cluster: &Running) {
    let names = &Names::plain("reshard_later");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    let alter = |table: &TableName, command: &str| {
        // A Replicated table takes it once a shard.
        let locals = cluster.replicates() && table.table.starts_with('t');
        for id in if locals { firsts(cluster) } else { cluster.ids() } {
            cluster.query(id, &format!("ALTER TABLE {} {command}", table.sql()));
        }
    };
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    alter(&names.over, "ADD COLUMN late UInt8");
    let stale = tool.expect(5, &["execute", PLAN]);
    assert!(stale.stderr.contains("same columns"), "{stale}");
    alter(&names.over, "DROP COLUMN late");
    tool.expect(4, &["execute", PLAN]);
    let [old, next] = [names.local.sibling("t__sw_shadow"), names.over.sibling("everywhere__sw_next")];
    for table in [&names.local, &old, &names.over, &next] {
        alter(table, "ADD COLUMN late UInt8");
    }
    let refused = tool.expect(5, &["rollback", PLAN]);
    assert!(refused.stderr.contains("made for, and no others") && refused.stderr.contains("`finalize`"), "{refused}");
    assert_eq!(tool.state(), "waiting finalize", "nothing was undone");
    tool.approve(&["finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_exact(cluster, names, AFTER, 0);
    assert_nothing_left(cluster, names.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// 18.16.1 takes a `Distributed` table off and attaches it anew; whoever is killed in between finds it taken off.
#[test]
fn a_table_that_was_taken_off_is_attached_again() {
    let cluster = &*End::Old.shared();
    let names = &Names::plain("reshard_taken_off");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let first = firsts(cluster)[0];
    cluster.query(first, &format!("DETACH TABLE {}", names.over.sql()));
    tool.expect(4, &["execute", PLAN]);
    assert_exact(cluster, names, AFTER, 0);
    tool.expect(0, &["rollback", PLAN]);
    assert_exact(cluster, names, BEFORE, 0);
    assert_nothing_left(cluster, names.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

#[track_caller]
fn assert_eventually(cluster: &Running, names: &Names, more: u64) {
    let sql = format!("SELECT count(), uniqExact(id) FROM {}", names.over.sql());
    for id in cluster.ids() {
        cluster.eventually(id, &sql, &format!("{}\t{}", ROWS + more + 6, ROWS + more));
    }
}

/// An earlier run got no further than the first replica, as a crash leaves it.
fn a_swap_that_stopped_half_way_goes_on(cluster: &Running) {
    let names = &Names::plain("reshard_half");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let [live, shadow, between] = ["t", "t__sw_shadow", "between"].map(|name| names.local.sibling(name).sql());
    let by_hand = if cluster.replicates() {
        format!("RENAME TABLE {live} TO {between}, {shadow} TO {live}, {between} TO {shadow}")
    } else {
        format!("EXCHANGE TABLES {live} AND {shadow}")
    };
    cluster.query(firsts(cluster)[0], &by_hand);
    let ran = tool.expect(4, &["execute", PLAN]);
    assert!(ran.stderr.contains("the swap that an earlier run had begun is done"), "{ran}");
    assert_exact(cluster, names, AFTER, 0);
    tool.expect(0, &["rollback", PLAN]);
    assert_exact(cluster, names, BEFORE, 0);
    assert_nothing_left(cluster, names.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// What comes in while names are swapped on some replicas is named, and the way back has all of it.
#[test]
fn what_a_broken_swap_left_behind_is_named_and_comes_back() {
    let cluster = &*End::Old.shared();
    let names = &Names::plain("reshard_behind");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let last = *cluster.ids().last().expect("a replica");
    let in_the_way = names.local.sibling("t__sw_swap").sql();
    cluster.query(last, &format!("CREATE TABLE {in_the_way} (a UInt8) ENGINE = Memory"));
    let failed = tool.expect(1, &["execute", PLAN]);
    assert!(failed.stderr.contains(&last.to_string()), "{failed}");
    insert(cluster, names, WRITER_STRIDE, 1000).unwrap();
    cluster.query(last, &format!("INSERT INTO {} (id, d) VALUES (5, 1)", names.local.sql()));
    cluster.query(last, &format!("DROP TABLE {in_the_way}"));
    let behind = tool.expect(6, &["execute", PLAN]);
    assert!(
        behind.stderr.contains("in the table that had them before")
            && behind.stderr.contains("rollback --despite-differences"),
        "{behind}"
    );
    tool.expect(0, &["rollback", PLAN, "--despite-differences", "they came in while names were swapped"]);
    assert_nothing_left(cluster, names.database());
    sync(cluster, &[&names.local.sql()]);
    let all = format!("SELECT count(), uniqExact(id), countIf(d = 1) FROM {}", names.over.sql());
    assert_eq!(cluster.query(last, &all), format!("{}\t{}\t1", ROWS + 1007, ROWS + 1000));
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

fn what_was_deleted_since_does_not_come_back_unasked(cluster: &Running) {
    let names = &Names::plain("reshard_deleted");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    insert(cluster, names, WRITER_STRIDE, 100).unwrap();
    for first in firsts(cluster) {
        cluster.query(first, &format!("ALTER TABLE {} DELETE WHERE id > 99 AND id < 110", names.local.sql()));
    }
    let gone = format!("SELECT count() FROM {} WHERE id > 99 AND id < 110", names.over.sql());
    cluster.eventually(firsts(cluster)[0], &gone, "0");
    let refused = tool.expect(6, &["rollback", PLAN]);
    assert!(
        refused.stderr.contains("rows that the table has not") && refused.stderr.contains("--despite-differences"),
        "{refused}"
    );
    assert_eq!(cluster.query(firsts(cluster)[0], &gone), "0", "nothing was swapped");
    tool.expect(0, &["rollback", PLAN, "--despite-differences", "these ten rows may come back"]);
    assert_exact(cluster, names, BEFORE, 100);
    assert_nothing_left(cluster, names.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

/// A row too many, and a partition that a shard has lost: found while writers are still, and sent anew.
fn what_is_wrong_in_the_new_table_is_put_right(cluster: &Running) {
    let names = &Names::plain("reshard_wrong");
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let shadow = names.local.sibling("t__sw_shadow").sql();
    let all = firsts(cluster);
    cluster.query(all[0], &format!("INSERT INTO {shadow} (id, day, d) VALUES (3, '2024-02-05', 1)"));
    cluster.query(all[1], &format!("ALTER TABLE {shadow} DROP PARTITION 202401"));
    tool.expect(4, &["execute", PLAN]);
    assert_exact(cluster, names, AFTER, 0);
    tool.approve(&["finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_exact(cluster, names, AFTER, 0);
    assert_nothing_left(cluster, names.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

fn names_may_be_anything(cluster: &Running) {
    let database = "re`shard 'é\"";
    let names =
        &Names { local: TableName::new(database, "select {chunk}"), over: TableName::new(database, "all ` \\ 'rows'") };
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    tool.approve(&["start", "cutover", "finalize"]);
    insert(cluster, names, WRITER_STRIDE, 100).unwrap();
    tool.expect(0, &["execute", PLAN]);
    assert_exact(cluster, names, AFTER, 100);
    assert_nothing_left(cluster, database);
    everywhere(cluster, &[&format!("DROP DATABASE {}", shardwright::names::quote_identifier(database))]);
}

/// On the other kind of servers, with writers; and not where these could not tell the tables apart.
fn it_is_rehearsed_before(cluster: &Running) {
    let names = &Names::plain(if cluster.replicates() { "reshard_rehearsed_old" } else { "reshard_rehearsed_new" });
    set_up(cluster, names, "MergeTree");
    let tool = planned(cluster, names);
    let other = if cluster.replicates() { End::New } else { End::Old };
    let other = &*other.shared();
    let on = other.config_path().display().to_string();
    let rehearse = |code: i32| tool.expect(code, &["dry-run", PLAN, "--rows", "5000", "--writers", "2", "--on", &on]);
    if cluster.replicates() {
        let report = rehearse(0);
        assert!(report.stdout.contains("Dry run: passed") && report.stdout.contains("0 lost, 0 doubled"), "{report}");
        for act in ["cutover, with writers still", "back, with writers still", "cutover again"] {
            assert!(report.stderr.contains(act), "{act}: {report}");
        }
    } else {
        let report = rehearse(1);
        assert!(report.stderr.contains("cannot rehearse it") && report.stderr.contains("nor a UUID"), "{report}");
    }
    let tables = format!("SELECT count() FROM system.tables WHERE database = '{}'", names.database());
    assert_eq!(ask_all(other, &tables), "0");
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}

fn what_cannot_go_to_other_shards_is_refused(cluster: &Running) {
    let names = &Names::plain("reshard_refused");
    set_up(cluster, names, "ReplacingMergeTree");
    let (tool, before) = (Tool::new(cluster), definitions(cluster, names.database()));
    let refused = |code: i32, sql: &str, more: &[&str], says: &str| {
        std::fs::write(tool.dir().join("wanted.sql"), sql).unwrap();
        let ran = tool.expect(code, &[&["plan", "--target", "wanted.sql"], more].concat());
        assert!(ran.stdout.contains(says) || ran.stderr.contains(says), "{says:?}: {ran}");
    };
    refused(3, &names.create_over(AFTER), &[], "SW080");
    refused(64, &names.create_over(AFTER), &["--strategy", "mirror"], "strategy reshard");
    refused(1, &names.create_over("h"), &[], "does not accept the wanted definition");
    refused(1, &names.create_over(AFTER).replace("d UInt8", "d UInt8, e UInt8"), &[], "a plan of its own");
    refused(1, &names.create_over(AFTER).replace("'t', ", "'other', "), &[], "another engine");
    let same = names.create_over(BEFORE);
    refused(0, &same, &[], "no change");
    assert_eq!(definitions(cluster, names.database()), before);
    assert!(!tool.dir().join(PLAN).exists());
    everywhere(cluster, &[&format!("DROP DATABASE {}", names.database())]);
}
