//! A column that gets another name while it is written and read: a new one beside it, written by its default; readers move, then
//! writers; and the old one goes once nobody uses it. `docs/retire.md` has the same story.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::harness::{Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{ask_all, assert_nothing_left, engine, everywhere, firsts, prepare, sync, then_stop};

on_both_ends! { shared: nobody_notices_that_a_column_is_renamed; }

const DB: &str = "renamed";
/// For so long nobody must have used the old name.
const UNREAD: &str = "2s";
/// Rows that were there before the new name.
const OLD_ROWS: u64 = 1000;
const POLL: Duration = Duration::from_millis(100);

/// Software that writes and reads the column, by the name that it knows.
#[derive(Default)]
struct Software {
    reads_new: AtomicBool,
    writes_new: AtomicBool,
    stop: AtomicBool,
    written: AtomicU64,
    read: AtomicU64,
}

fn name(is_new: &AtomicBool) -> &'static str {
    if is_new.load(Ordering::SeqCst) { "tag" } else { "label" }
}

impl Software {
    /// One row an insert, so that an insert that old servers refuse because the table is altered at that instant can be sent again.
    fn write(&self, port: u16) {
        let mut next = OLD_ROWS * 2;
        while !self.stop.load(Ordering::SeqCst) {
            let column = name(&self.writes_new);
            let sql = format!("INSERT INTO {DB}.d (id, {column}) VALUES ({next}, '{next}')");
            match block_on(send(port, "insert_distributed_sync=1", &sql)) {
                Ok(_) => {
                    next += 1;
                    self.written.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => assert!(format!("{error:?}").contains("Bad version"), "{sql}: {error:?}"),
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Every row that was acknowledged has its value, whatever the column is called by then.
    fn read(&self, port: u16, replicates: bool) {
        while !self.stop.load(Ordering::SeqCst) {
            let (column, written) = (name(&self.reads_new), self.written.load(Ordering::SeqCst));
            let sql = format!("SELECT count(), countIf({column} != toString(id)) FROM {DB}.d");
            let answer = block_on(send(port, "", &sql)).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let (rows, wrong) = answer.trim().split_once('\t').expect("two numbers");
            let rows: u64 = rows.parse().expect("a number");
            assert!(rows >= OLD_ROWS + written || replicates, "{sql}: {rows} after {written}");
            // Who writes under the new name leaves the old one empty: readers have moved before.
            assert_eq!(wrong, "0", "{sql}");
            self.read.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(30));
        }
    }

    /// Waits until there were some more of both.
    fn some_more(&self) {
        let counts = || [&self.written, &self.read].map(|count| count.load(Ordering::SeqCst));
        let before = counts();
        let more = (0..600).any(|_| {
            sleep(POLL);
            counts().into_iter().zip(before).all(|(now, then)| now > then + 3)
        });
        assert!(more, "nobody writes and reads any more");
    }
}

/// Plans and executes a statement to its end.
#[track_caller]
fn carry_out(tool: &Tool, sql: &str) {
    tool.plan(sql);
    tool.approve(&["start"]);
    if tool.plan_json().to_string().contains("gate.finalize") {
        tool.approve(&["finalize"]);
    }
    tool.expect(0, &["execute", PLAN]);
}

#[track_caller]
fn refused(tool: &Tool, sql: &str, code: &str) {
    let refused = tool.expect(3, &["plan", "--sql", sql]);
    assert!(refused.stdout.contains(code), "{refused}");
}

fn nobody_notices_that_a_column_is_renamed(cluster: &Running) {
    let local = engine(cluster.replicates(), "MergeTree", DB, "t", "");
    // A part that has its partition to itself is never merged, which would write the new column.
    let create = format!(
        "CREATE TABLE {DB}.t (id UInt64, label String) ENGINE = {local} PARTITION BY id < {OLD_ROWS} ORDER BY id"
    );
    prepare(
        cluster,
        DB,
        &[&create, &format!("CREATE TABLE {DB}.d AS {DB}.t ENGINE = Distributed(main, '{DB}', t, id)")],
    );
    let rows = format!("INSERT INTO {DB}.d SELECT number, toString(number) FROM numbers({OLD_ROWS})");
    let port = cluster.replicas().next().expect("a replica").1.http;
    block_on(send(port, "insert_distributed_sync=1", &rows)).expect("the first rows");
    sync(cluster, &[&format!("{DB}.t")]);
    let (tool, software) = (Tool::new(cluster), Software::default());
    scope(|scope| {
        let ports: Vec<u16> = cluster.replicas().map(|(_, ports)| ports.http).collect();
        let (first, last, replicates) = (ports[0], ports[ports.len() - 1], cluster.replicates());
        let software = &software;
        scope.spawn(move || software.write(first));
        scope.spawn(move || software.read(last, replicates));
        then_stop(&software.stop, || story(cluster, &tool, software));
    });
    sync(cluster, &[&format!("{DB}.t")]);
    let written = software.written.into_inner() + OLD_ROWS;
    for first in firsts(cluster) {
        let columns = cluster.query(
            first,
            &format!("SELECT groupArray(name) FROM system.columns WHERE database = '{DB}' AND table = 't'"),
        );
        assert_eq!(columns, "['id','tag']");
    }
    let all = ask_all(cluster, &format!("SELECT count(), uniqExact(id), countIf(tag != toString(id)) FROM {DB}.d"));
    assert_eq!(all, format!("{written}\t{written}\t0"), "every row once, with its value");
    println!("{written} rows, {} reads", software.read.into_inner());
    assert_nothing_left(cluster, DB);
    everywhere(cluster, &[&format!("DROP DATABASE {DB}")]);
}

fn story(cluster: &Running, tool: &Tool, software: &Software) {
    let old = cluster.replicates();
    let drop = format!("ALTER TABLE {DB}.t DROP COLUMN label");
    let (write, forget) = if old {
        ("UPDATE tag = tag WHERE 1", "MODIFY COLUMN tag String")
    } else {
        ("MATERIALIZE COLUMN tag", "MODIFY COLUMN tag REMOVE DEFAULT")
    };
    let (write, forget) = (format!("ALTER TABLE {DB}.t {write}"), format!("ALTER TABLE {DB}.d {forget}"));
    // Both are written: the new column by its default. Readers move, then writers.
    carry_out(tool, &format!("ALTER TABLE {DB}.d ADD COLUMN tag String DEFAULT label AFTER label"));
    software.some_more();
    software.reads_new.store(true, Ordering::SeqCst);
    software.some_more();
    // As long as values are made of the old column, neither it nor the default goes.
    refused(tool, &drop, "SW066");
    refused(tool, &forget, "SW079");
    carry_out(tool, &write);
    // Writers that know the old name only hold the default.
    tool.expect(0, &["plan", "--sql", &forget, "--unread-for", UNREAD]);
    tool.approve(&["start"]);
    let held = tool.expect(4, &["execute", PLAN]);
    assert!(held.stderr.contains("column label was used"), "{held}");
    software.writes_new.store(true, Ordering::SeqCst);
    unused(tool);
    software.some_more();
    tool.expect(0, &["plan", "--sql", &drop, "--unread-for", UNREAD]);
    tool.approve(&["start", "finalize"]);
    unused(tool);
    software.some_more();
}

/// Executes the plan again until nobody has used the old name for long enough.
#[track_caller]
fn unused(tool: &Tool) {
    for _ in 0..30 {
        let ran = tool.run(&["execute", PLAN]);
        match ran.code {
            Some(0) => return,
            Some(4) => sleep(POLL * 10),
            _ => panic!("{ran}"),
        }
    }
    panic!("somebody uses the old name yet");
}
