//! Another type of key columns, from end to end under writers; and where servers cannot keep old and new data alike, not at all.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::harness::{End, Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{ask_all, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, sync, then_stop};

/// Rows on each shard before the writers begin.
const ROWS_A_SHARD: u64 = 20_000;
/// The first row of each writer is a multiple of this.
const WRITER_STRIDE: u64 = 10_000_000;
/// Rows of one insert.
const ROWS_AN_INSERT: u64 = 40;
/// More than a `UInt32` holds.
const BEYOND: u64 = 6_000_000_000;

const COLUMNS: &str = "id UInt32, ts DateTime('UTC'), day Date, v String";
const KEYS: &str = "PARTITION BY toYYYYMM(day) ORDER BY (id, toStartOfHour(ts), day)";
const ALTER: &str =
    "ALTER TABLE DB.read MODIFY COLUMN id UInt64, MODIFY COLUMN ts DateTime64(3, 'UTC'), MODIFY COLUMN day Date32";

on_both_ends! {
    shared: what_cannot_be_proven_is_refused;
}

fn name(db: &str, sql: &str) -> String {
    sql.replace("DB", db)
}

/// The table, a `Distributed` one over it, and a view with a target of its own.
#[track_caller]
fn set_up(cluster: &Running, db: &str, family: &str) {
    let local = engine(cluster.replicates(), family, db, "t", "");
    let statements = [
        format!("CREATE TABLE DB.t ({COLUMNS}) ENGINE = {local} {KEYS}"),
        "CREATE TABLE DB.read AS DB.t ENGINE = Distributed(main, 'DB', t, id)".to_owned(),
    ];
    let statements: Vec<String> = statements.iter().map(|sql| name(db, sql)).collect();
    prepare(cluster, db, &statements.iter().map(String::as_str).collect::<Vec<_>>());
    for first in firsts(cluster) {
        cluster.query(first, &format!("INSERT INTO {db}.t {}", rows(0, ROWS_A_SHARD)));
    }
    sync(cluster, &[&name(db, "DB.t")]);
}

fn rows(first: u64, count: u64) -> String {
    format!(
        "SELECT {first} + number, toDateTime('2024-01-01 00:00:00', 'UTC') + number, toDate('2024-01-01') + number % 60, \
         toString({first} + number) FROM numbers({count})"
    )
}

/// Writers into the local tables and through the `Distributed` one, and a reader, until the story is told. Gives the rows written.
#[track_caller]
fn under_load(cluster: &Running, db: &str, writers: [u64; 3], story: impl FnOnce()) -> u64 {
    let (stop, written, failed) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let ports: Vec<u16> = cluster.replicas().map(|(_, ports)| ports.http).collect();
    let write = |port: u16, table: &str, writer: u64| {
        let mut next = WRITER_STRIDE * writer;
        while !stop.load(Ordering::Relaxed) {
            let sql = format!("INSERT INTO {db}.{table} {}", rows(next, ROWS_AN_INSERT));
            match block_on(send(port, "insert_distributed_sync=1", &sql)) {
                Ok(_) => _ = written.fetch_add(ROWS_AN_INSERT, Ordering::Relaxed),
                Err(error) => failed.lock().unwrap().push(format!("{sql}: {error:?}")),
            }
            next += ROWS_AN_INSERT;
            sleep(Duration::from_millis(30));
        }
    };
    let read = || {
        while !stop.load(Ordering::Relaxed) {
            let sql = name(db, "SELECT count() FROM DB.read WHERE id < 20000 AND NOT ignore(id, ts, day, v)");
            match block_on(send(ports[0], "", &sql)) {
                Ok(answer) if answer.trim() == (2 * ROWS_A_SHARD).to_string() => {}
                other => failed.lock().unwrap().push(format!("{sql}: {other:?}")),
            }
            sleep(Duration::from_millis(30));
        }
    };
    scope(|scope| {
        scope.spawn(|| write(ports[0], "t", writers[0]));
        scope.spawn(|| write(ports[ports.len() - 1], "t", writers[1]));
        scope.spawn(|| write(ports[0], "read", writers[2]));
        scope.spawn(read);
        then_stop(&stop, story);
    });
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
    written.into_inner()
}

/// Every row is there once: those of the beginning, which are the same on both shards, and those written.
#[track_caller]
fn assert_each_once(cluster: &Running, db: &str, written: u64) {
    let sql =
        name(db, "SELECT count(), uniqExact(id), sum(toString(id) != v) FROM DB.read WHERE id > 20000 OR id = 20000");
    assert_eq!(cluster.query(firsts(cluster)[0], &sql), format!("{written}\t{written}\t0"));
    let sql = name(db, "SELECT count(), uniqExact(id) FROM DB.read WHERE id < 20000");
    assert_eq!(cluster.query(firsts(cluster)[0], &sql), format!("{}\t{ROWS_A_SHARD}", 2 * ROWS_A_SHARD));
}

/// There and back while rows come in; a row that the old type cannot hold keeps the way back shut.
#[test]
fn key_columns_become_wider_under_load() {
    let (cluster, db) = (&*End::New.shared(), "key_types");
    set_up(cluster, db, "MergeTree");
    let tool = Tool::new(cluster);
    let before = definitions(cluster, db);
    let first = firsts(cluster)[0];
    let mut written = under_load(cluster, db, [1, 2, 3], || {
        let planned = tool.plan(&name(db, ALTER));
        assert!(planned.stdout.contains("UInt32 → UInt64") && planned.stdout.contains("SW078"), "{planned}");
        tool.approve(&["start", "cutover"]);
        tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
        tool.expect(0, &["verify", PLAN]);
        tool.expect(4, &["execute", PLAN]);
        tool.expect(0, &["verify", PLAN]);
    });
    let kinds = "SELECT groupArray(concat(table, ' ', name, ' ', type)) FROM (SELECT * FROM system.columns WHERE database = 'DB' AND \
                 table IN ('t', 'read') AND name != 'v' ORDER BY table, name)";
    assert_eq!(
        ask_all(cluster, &name(db, kinds)),
        r"['read day Date32','read id UInt64','read ts DateTime64(3, \'UTC\')','t day Date32','t id UInt64','t ts DateTime64(3, \'UTC\')']"
    );
    assert_each_once(cluster, db, written);

    let beyond = format!(
        "SELECT {BEYOND}, toDateTime64('2024-01-01 00:00:00.250', 3, 'UTC'), toDate32('2200-01-01'), '{BEYOND}'"
    );
    cluster.query(first, &format!("INSERT INTO {db}.t {beyond}"));
    let largest = cluster.query(first, &name(db, "SELECT max(id), max(day) FROM DB.read"));
    assert_eq!(largest, format!("{BEYOND}\t2200-01-01"));
    tool.expect(0, &["verify", PLAN]);
    let refused = tool.expect(5, &["rollback", PLAN]);
    assert!(refused.stderr.contains("types before could hold") && refused.stderr.contains("`finalize`"), "{refused}");
    assert_eq!(tool.state(), "waiting finalize", "nothing is undone on any shard");
    cluster.query(first, &name(db, "ALTER TABLE DB.t DELETE WHERE id = 6000000000 SETTINGS mutations_sync = 2"));
    written += under_load(cluster, db, [4, 5, 6], || _ = tool.expect(0, &["rollback", PLAN]));
    assert_nothing_left(cluster, db);
    assert_eq!(definitions(cluster, db), before);

    assert!(written > 500, "the writers did something: {written}");
    assert_each_once(cluster, db, written);
    everywhere(cluster, &[&name(db, "DROP DATABASE DB")]);
}

/// A target with other types is the same plan, and one altered row is found before and after the swap.
#[test]
fn one_altered_row_is_found_whatever_its_type() {
    let (cluster, db) = (&*End::New.shared(), "key_types_altered");
    set_up(cluster, db, "ReplacingMergeTree");
    let tool = Tool::new(cluster);
    let wanted = format!(
        "CREATE TABLE {db}.t ({}) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(day) ORDER BY (id, toStartOfHour(ts), day)",
        COLUMNS.replace("UInt32", "Int64")
    );
    std::fs::write(tool.dir().join("wanted.sql"), &wanted).unwrap();
    tool.expect(2, &["plan", "--target", "wanted.sql", "--detailed-exitcode"]);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let first = firsts(cluster)[0];
    let alter = |table: &str, set: &str| {
        let sql = format!("ALTER TABLE {db}.{table} UPDATE v = '{set}' WHERE id = 777 SETTINGS mutations_sync = 2");
        cluster.query(first, &sql);
    };
    alter("t__sw_shadow", "altered");
    let found = tool.expect(6, &["verify", PLAN]);
    assert!(found.stderr.contains("lacks 1 row and has 1 too many"), "{found}");
    // Put right from the source before the swap.
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(cluster.query(first, &format!("SELECT v FROM {db}.t FINAL WHERE id = 777")), "777");
    tool.expect(0, &["verify", PLAN]);
    alter("t", "altered");
    tool.expect(6, &["verify", PLAN]);
    alter("t", "777");
    tool.expect(0, &["verify", PLAN]);
    tool.approve(&["finalize"]);
    tool.expect(0, &["execute", PLAN]);
    let again = tool.expect(0, &["plan", "--target", "wanted.sql", "-o", "again.json"]);
    assert!(again.stderr.contains("no change"), "{again}");
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

fn what_cannot_be_proven_is_refused(cluster: &Running) {
    let db = "key_types_refused";
    set_up(cluster, db, "MergeTree");
    let (tool, before) = (Tool::new(cluster), definitions(cluster, db));
    let refused = |code: i32, sql: &str, says: &str| {
        let ran = tool.expect(code, &["plan", "--sql", &name(db, sql), "-o", "refused.json"]);
        assert!(ran.stdout.contains(says) || ran.stderr.contains(says), "{says:?}: {ran}");
    };
    let wider = "ALTER TABLE DB.t MODIFY COLUMN id UInt64";
    if cluster.replicates() {
        refused(3, wider, "views of servers without EXCHANGE TABLES do not convert");
    }
    refused(3, "ALTER TABLE DB.t MODIFY COLUMN id UInt16", "SW077");
    refused(3, "ALTER TABLE DB.t MODIFY COLUMN id String", "a value might be changed");
    refused(3, "ALTER TABLE DB.read MODIFY COLUMN ts DateTime('Europe/Berlin')", "SW077");
    refused(1, &format!("{wider}, ADD COLUMN more UInt8"), "they are two plans");
    assert_eq!(definitions(cluster, db), before);
    everywhere(cluster, &[&name(db, "DROP DATABASE DB")]);
}
