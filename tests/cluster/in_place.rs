//! ALTERs that need no rebuild, from end to end over a chain of tables like that of an ingestion pipeline, under writers and a
//! reader.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::harness::{End, Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{ask_all, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, sync, then_stop};

/// Rows on each shard before the writers begin.
const ROWS_A_SHARD: u64 = 60_000;
/// Rows of one insert of a writer.
const ROWS_AN_INSERT: u64 = 50;
/// The first row of the writer into the view or the local table.
const FIRST_ROW: u64 = 10_000_000;
/// The first row of the writer through the writable `Distributed` table.
const FIRST_ROW_DISTRIBUTED: u64 = 20_000_000;

fn name(db: &str, sql: &str) -> String {
    sql.replace("DB", db)
}

/// The view that goes from the source into a table; columns of that which it does not give have their defaults.
fn feed(into: &str) -> String {
    format!("CREATE MATERIALIZED VIEW DB.feed TO DB.{into} AS SELECT id, v, d FROM DB.source")
}

/// Kafka -> view -> Null -> view -> writable Distributed -> local -> read Distributed; below it a view with a target, beside it a plain view, and a
/// dictionary. Old servers have no dictionaries of this kind and no second view; the new ones, embedded, make no Kafka tables (code 49).
#[track_caller]
pub(crate) fn set_up(cluster: &Running, db: &str) {
    let (local, daily) = (
        engine(cluster.replicates(), "MergeTree", db, "t", ""),
        engine(cluster.replicates(), "SummingMergeTree", db, "daily_data", ""),
    );
    let mut statements = vec![
        format!(
            "CREATE TABLE DB.t (id UInt64, v UInt32, z String DEFAULT 'a', w UInt32, d Date) ENGINE = {local} \
             PARTITION BY toYYYYMM(d) ORDER BY id"
        ),
        "CREATE TABLE DB.read AS DB.t ENGINE = Distributed(main, 'DB', t)".to_owned(),
        "CREATE TABLE DB.write AS DB.t ENGINE = Distributed(main, 'DB', t, id)".to_owned(),
        "CREATE TABLE DB.source (id UInt64, v UInt32, d Date) ENGINE = Null".to_owned(),
        format!("CREATE TABLE DB.daily_data (d Date, n UInt64) ENGINE = {daily} ORDER BY d"),
        "CREATE MATERIALIZED VIEW DB.daily TO DB.daily_data AS SELECT d, count() AS n FROM DB.t GROUP BY d".to_owned(),
        "CREATE VIEW DB.report AS SELECT id, v FROM DB.read".to_owned(),
    ];
    if cluster.replicates() {
        let queue = "ENGINE = Kafka('127.0.0.1:1', 'events', 'shardwright', 'JSONEachRow')";
        statements.push(format!("CREATE TABLE DB.queue (id UInt64, v UInt32, d Date) {queue}"));
        statements.push("CREATE MATERIALIZED VIEW DB.pull TO DB.source AS SELECT id, v, d FROM DB.queue".to_owned());
    }
    // Old servers refuse inserts through a view that gives fewer columns than its target has: SW065.
    if !cluster.replicates() {
        statements.push(feed("write"));
        statements.push(
            "CREATE DICTIONARY DB.dict (id UInt64, v UInt32) PRIMARY KEY id SOURCE(CLICKHOUSE(DB 'DB' TABLE 't')) \
             LAYOUT(FLAT()) LIFETIME(0)"
                .to_owned(),
        );
    }
    let statements: Vec<String> = statements.iter().map(|sql| name(db, sql)).collect();
    prepare(cluster, db, &statements.iter().map(String::as_str).collect::<Vec<_>>());
    for first in firsts(cluster) {
        let sql = "INSERT INTO DB.t SELECT number, number % 100, toString(number), number, toDate('2024-01-01') + number % 90 FROM numbers";
        cluster.query(first, &format!("{}({ROWS_A_SHARD})", name(db, sql)));
    }
    sync(cluster, &[&name(db, "DB.t")]);
}

/// Two writers, one through the writable table and one through the view or into the local table, and a reader, until the story is
/// told.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    written: AtomicU64,
    read: AtomicU64,
    /// The first rows of inserts that old servers refused because the table was altered at the same instant, and that were sent again.
    /// One through a `Distributed` table may have reached the other shard; with a column that came meanwhile it is another block,
    /// and stays twice.
    again: Mutex<Vec<u64>>,
    failed: Mutex<Vec<String>>,
}

impl Load {
    fn failed(&self, what: &str, error: &str) {
        self.failed.lock().unwrap().push(format!("{what}: {error}"));
    }

    fn write(&self, port: u16, insert: &str, first: u64) {
        let mut next = first;
        while !self.stop.load(Ordering::Relaxed) {
            let select =
                format!("SELECT {next} + number, number % 100, toDate('2024-02-01') FROM numbers({ROWS_AN_INSERT})");
            match block_on(send(port, "insert_distributed_sync=1", &format!("{insert} {select}"))) {
                Ok(_) => {
                    self.written.fetch_add(ROWS_AN_INSERT, Ordering::Relaxed);
                    next += ROWS_AN_INSERT;
                }
                Err(error) if format!("{error:?}").contains("Bad version") => {
                    self.again.lock().unwrap().push(next);
                }
                Err(error) => {
                    self.failed(insert, &format!("{error:?}"));
                    next += ROWS_AN_INSERT;
                }
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Counts rows. Replicas of a shard are not equally far, so only where there is one the rows never get fewer.
    fn read(&self, port: u16, select: &str, mut least: u64, replicates: bool) {
        while !self.stop.load(Ordering::Relaxed) {
            match block_on(send(port, "", select)).map(|answer| answer.trim().parse::<u64>()) {
                Ok(Ok(rows)) if rows >= least => least = if replicates { least } else { rows },
                Ok(answer) => self.failed(select, &format!("{answer:?} after {least}")),
                Err(error) => self.failed(select, &format!("{error:?}")),
            }
            self.read.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(20));
        }
    }
}

/// Tells a story while the chain is written and read, and sees that nobody noticed.
#[track_caller]
fn under_load(cluster: &Running, db: &str, story: impl FnOnce()) {
    let (load, replicates) = (Load::default(), cluster.replicates());
    let into = if replicates { "t" } else { "source" };
    let ports: Vec<u16> = cluster.replicas().map(|(_, ports)| ports.http).collect();
    let before: u64 = count(cluster, db);
    let began = Instant::now();
    scope(|scope| {
        scope.spawn(|| load.write(ports[0], &format!("INSERT INTO {db}.{into} (id, v, d)"), FIRST_ROW));
        scope.spawn(|| {
            let insert = name(db, "INSERT INTO DB.write (id, v, d)");
            load.write(ports[ports.len() - 1], &insert, FIRST_ROW_DISTRIBUTED);
        });
        let select = name(db, "SELECT count() FROM DB.read WHERE NOT ignore(id, v, d)");
        let (load, port) = (&load, ports[0]);
        scope.spawn(move || load.read(port, &select, before, replicates));
        then_stop(&load.stop, story);
    });
    let (written, read, again) = (load.written.into_inner(), load.read.into_inner(), load.again.into_inner().unwrap());
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{db}: {written} rows written, {} inserts done again, {read} queries answered in {seconds:.1} s",
        again.len()
    );
    assert!(again.is_empty() || replicates, "current servers refuse none");
    assert_eq!(load.failed.into_inner().unwrap(), Vec::<String>::new());
    assert!(written > 1_000 && read > 20, "the load did something");
    sync(cluster, &[&name(db, "DB.t")]);
    assert_each_once(cluster, db, before, written, &again);
}

/// Every row that was there before or was acknowledged is there once, but for those that an insert done `again` may have left twice.
#[track_caller]
fn assert_each_once(cluster: &Running, db: &str, before: u64, written: u64, again: &[u64]) {
    let ask = |sql: &str| cluster.query(firsts(cluster)[0], &name(db, sql));
    let of_writers = format!("FROM DB.read WHERE id >= {FIRST_ROW}");
    let found =
        [format!("SELECT count() FROM DB.read WHERE id < {FIRST_ROW}"), format!("SELECT uniqExact(id) {of_writers}")];
    assert_eq!(found.map(|sql| ask(&sql)), [before, written].map(|rows| rows.to_string()));
    let twice = ask(&format!("SELECT id {of_writers} GROUP BY id HAVING count() > 1 ORDER BY id"));
    let explained = |row: &u64| {
        again.iter().any(|first| *first >= FIRST_ROW_DISTRIBUTED && (*first..first + ROWS_AN_INSERT).contains(row))
    };
    let unexplained: Vec<u64> = twice.lines().map(|row| row.parse().unwrap()).filter(|row| !explained(row)).collect();
    assert_eq!(unexplained, [0; 0], "rows that are there more than once; inserts done again: {again:?}");
}

/// Parts are merged while they are listed; none of their rows may be taken for rows that were written before the column.
#[test]
fn rows_without_values_are_told_while_parts_come_and_go() {
    let (cluster, db) = (End::New.shared(), "in_place_parts");
    let create = name(db, "CREATE TABLE DB.t (id UInt64, s String DEFAULT 'a') ENGINE = MergeTree ORDER BY id");
    prepare(&cluster, db, &[&create]);
    let (first, port) = (firsts(&cluster)[0], cluster.replicas().next().unwrap().1.http);
    let question = shardwright::plan::rows_without(&shardwright::names::TableName::new(db, "t"), "s");
    let stop = AtomicBool::new(false);
    scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    block_on(send(port, "", &name(db, "INSERT INTO DB.t (id) SELECT 1"))).unwrap();
                }
            });
        }
        then_stop(&stop, || {
            let rows: Vec<String> = (0..400).map(|_| cluster.query(first, &question)).collect();
            assert!(rows.iter().all(|rows| rows == "0"), "{rows:?}");
        });
    });
    cluster.query(first, &name(db, "ALTER TABLE DB.t ADD COLUMN later UInt8"));
    let lacking = cluster.query(first, &question.replace("'s'", "'later'"));
    assert_eq!(lacking, cluster.query(first, &name(db, "SELECT count() FROM DB.t")));
    cluster.fresh_database(db);
}

#[track_caller]
fn count(cluster: &Running, db: &str) -> u64 {
    cluster.query(firsts(cluster)[0], &name(db, "SELECT count() FROM DB.read")).parse().unwrap()
}

/// The types of a column on the local and both Distributed tables, the same on every replica; empty where it is not there.
#[track_caller]
fn column(cluster: &Running, db: &str, column: &str) -> String {
    let sql = "SELECT arrayStringConcat(groupArray(concat(table, ' ', type)), ', ') FROM (SELECT table, type FROM system.columns \
               WHERE database = 'DB' AND table IN ('t', 'read', 'write') AND name = 'COLUMN' ORDER BY table)";
    ask_all(cluster, &name(db, sql).replace("COLUMN", column))
}

fn of_all(kind: &str) -> String {
    format!("read {kind}, t {kind}, write {kind}")
}

/// Forward to the end, back, and forward again.
#[track_caller]
fn there_and_back(cluster: &Running, tool: &Tool, db: &str, sql: &str) {
    let before = definitions(cluster, db);
    tool.plan(sql);
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(tool.state(), "waiting start");
    assert_eq!(definitions(cluster, db), before, "nothing is changed before the gate");
    tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
    assert_eq!(tool.state(), "done");
    let after = definitions(cluster, db);
    assert_ne!(after, before);
    tool.expect(0, &["verify", PLAN]);
    tool.expect(0, &["finalize", PLAN]);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(tool.state(), "rolled back");
    assert_eq!(definitions(cluster, db), before);
    tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
    assert_eq!(definitions(cluster, db), after);
    assert_nothing_left(cluster, db);
}

on_both_ends! {
    shared: columns_come_change_and_go_under_load, dependents_are_found_before, any_name_will_do, a_run_killed_in_a_mutation_goes_on,
        what_these_servers_lack_is_refused, values_that_do_not_fit_are_found_before;
}

fn columns_come_change_and_go_under_load(cluster: &Running) {
    let db = "in_place";
    set_up(cluster, db);
    let tool = Tool::new(cluster);
    under_load(cluster, db, || {
        // Added by the local name.
        let add = name(db, "ALTER TABLE DB.t ADD COLUMN a UInt8 DEFAULT v % 7 AFTER v");
        let planned = tool.expect(2, &["plan", "--sql", &add, "--detailed-exitcode"]);
        assert!(planned.stdout.contains("strategy in_place"), "{planned}");
        there_and_back(cluster, &tool, db, &add);
        assert_eq!(column(cluster, db, "a"), of_all("UInt8"));
        let right = cluster.query(firsts(cluster)[0], &name(db, "SELECT count() FROM DB.read WHERE a != v % 7"));
        assert_eq!(right, "0", "the default of the local table and of the Distributed one");

        // What is there is no change, and something else under that name is an error.
        let nothing = tool.expect(0, &["plan", "--sql", &add, "--detailed-exitcode"]);
        assert!(nothing.stderr.contains("no change"), "{nothing}");
        let other = tool.expect(1, &["plan", "--sql", &name(db, "ALTER TABLE DB.read ADD COLUMN a UInt16")]);
        assert!(other.stderr.contains("has column a already"), "{other}");

        // Half of it undone by hand: the plan does the other half.
        cluster.query(firsts(cluster)[1], &name(db, "ALTER TABLE DB.read DROP COLUMN a"));
        tool.plan(&name(db, "ALTER TABLE DB.read ADD COLUMN IF NOT EXISTS a UInt8 DEFAULT v % 7 AFTER v"));
        tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
        assert_eq!(column(cluster, db, "a"), of_all("UInt8"));

        if !cluster.replicates() {
            another_type(cluster, &tool, db);
            there_and_back(cluster, &tool, db, &name(db, "ALTER TABLE DB.read RENAME COLUMN w TO weight"));
            assert_eq!([column(cluster, db, "w"), column(cluster, db, "weight")], [String::new(), of_all("UInt64")]);
        }
        drop_behind_the_gate(cluster, &tool, db);
    });
    // Old servers refuse inserts through a Distributed table of another type: SW072.
    if cluster.replicates() {
        another_type(cluster, &tool, db);
    }
    let sum = cluster.query(firsts(cluster)[0], &name(db, "SELECT sum(v) >= 0 FROM DB.report"));
    assert_eq!(sum, "1", "the view over the chain");
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// By the Distributed name.
#[track_caller]
fn another_type(cluster: &Running, tool: &Tool, db: &str) {
    there_and_back(cluster, tool, db, &name(db, "ALTER TABLE DB.read MODIFY COLUMN w UInt64"));
    assert_eq!(column(cluster, db, "w"), of_all("UInt64"));
}

fn drop_behind_the_gate(cluster: &Running, tool: &Tool, db: &str) {
    let before = definitions(cluster, db);
    tool.plan(&name(db, "ALTER TABLE DB.read DROP COLUMN z"));
    tool.approve(&["start"]);
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(tool.state(), "waiting finalize");
    assert_eq!(column(cluster, db, "z"), "t String", "nothing asks for it any more, and it is there");
    tool.expect(1, &["verify", PLAN]);
    tool.expect(4, &["finalize", PLAN]);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(definitions(cluster, db), before);
    tool.approve(&["start", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(tool.state(), "finalized");
    assert_eq!(column(cluster, db, "z"), "");
    tool.expect(0, &["verify", PLAN]);
    let refused = tool.expect(1, &["rollback", PLAN]);
    assert!(refused.stderr.contains("the values of column z are gone"), "{refused}");
    // Control: a query and an insert that name the column do fail, so that the load would have seen it.
    let on = firsts(cluster)[0];
    cluster.refusal(on, &name(db, "SELECT z FROM DB.read"));
    cluster.refusal(on, &name(db, "INSERT INTO DB.write (id, z) VALUES (1, 'x')"));
    // Control: verify sees a table that is not as wanted.
    cluster.query(on, &name(db, "ALTER TABLE DB.read ADD COLUMN z String"));
    let seen = tool.expect(5, &["verify", PLAN]);
    assert!(seen.stderr.contains("s1r1"), "{seen}");
    cluster.query(on, &name(db, "ALTER TABLE DB.read DROP COLUMN z"));
    tool.expect(0, &["verify", PLAN]);
}

fn dependents_are_found_before(cluster: &Running) {
    let db = "in_place_dependents";
    set_up(cluster, db);
    let (tool, first) = (Tool::new(cluster), firsts(cluster)[0]);
    if cluster.replicates() {
        everywhere(cluster, &[&name(db, &feed("t"))]);
        // Control: what is said of such views is so.
        cluster.refusal(first, &name(db, "INSERT INTO DB.source VALUES (1, 1, '2024-01-01')"));
    }
    let before = definitions(cluster, db);
    let refused = |sql: &str, code: &str, words: &str| {
        let ran = tool.expect(3, &["plan", "--sql", &name(db, sql)]);
        assert!(ran.stdout.contains(code) && ran.stdout.contains(words), "{ran}");
    };
    refused("ALTER TABLE DB.t DROP COLUMN v", "SW064", "in_place_dependents.report reads column v");
    refused("ALTER TABLE DB.t DROP COLUMN v", "SW065", "in_place_dependents.feed writes column v");
    refused("ALTER TABLE DB.t RENAME COLUMN v TO value", "SW064", "in_place_dependents.report");
    if cluster.replicates() {
        refused("ALTER TABLE DB.read ADD COLUMN b UInt8", "SW065", "in_place_dependents.feed writes to");
    } else {
        refused("ALTER TABLE DB.read DROP COLUMN v", "SW067", "in_place_dependents.dict reads column v");
    }
    ways_to_a_column_are_found(cluster, &tool, db);
    let key = tool.expect(1, &["plan", "--sql", &name(db, "ALTER TABLE DB.t DROP COLUMN id")]);
    assert!(key.stderr.contains("is not planned"), "{key}");
    let mix =
        tool.expect(1, &["plan", "--sql", &name(db, "ALTER TABLE DB.t ADD COLUMN b UInt8, MODIFY ORDER BY (d, id)")]);
    assert!(mix.stderr.contains("two plans"), "{mix}");
    // Control: the server would have let it happen, and the view would have failed.
    everywhere(cluster, &[&name(db, "DROP TABLE DB.feed")]);
    if !cluster.replicates() {
        everywhere(cluster, &[&name(db, "DROP DICTIONARY DB.dict")]);
    }
    assert_eq!(definitions(cluster, db).len(), before.len());
    cluster.query(first, &name(db, "SELECT count() FROM DB.report"));
    let accepted =
        ["plan", "--sql", &name(db, "ALTER TABLE DB.t DROP COLUMN v"), "--accept", "SW064=the report is not used"];
    tool.expect(0, &accepted);
    tool.approve(&["start", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    cluster.refusal(first, &name(db, "SELECT v FROM DB.report"));
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// A text that is no number, a `NULL` where none may be, and a computed value that would be another one.
fn values_that_do_not_fit_are_found_before(cluster: &Running) {
    let db = "in_place_unfit";
    let local = engine(cluster.replicates(), "MergeTree", db, "t", "");
    let columns = "id UInt64, v String, n Nullable(UInt32), twice UInt64 ALIAS id * 2";
    let create = format!("CREATE TABLE {db}.t ({columns}) ENGINE = {local} ORDER BY id");
    prepare(cluster, db, &[&create]);
    for first in firsts(cluster) {
        let rows = "SELECT number, toString(number), if(number = 7, NULL, number) FROM system.numbers LIMIT 1000";
        cluster.query(first, &format!("INSERT INTO {db}.t {rows}"));
    }
    let tool = Tool::new(cluster);
    let plan = |command: &str| tool.run(&["plan", "--sql", &format!("ALTER TABLE {db}.t MODIFY COLUMN {command}")]);
    let blocked = |command: &str, words: &str| {
        let found = plan(command);
        assert!(found.code == Some(3) && found.stdout.contains("SW087") && found.stdout.contains(words), "{found}");
    };
    blocked("n UInt32", "NULL");
    assert_eq!(plan("v UInt64").code, Some(0), "every text is a number");
    let last = *firsts(cluster).last().unwrap();
    cluster.query(last, &format!("INSERT INTO {db}.t (id, v) VALUES (1000, 'de')"));
    blocked("v UInt64", "de");
    if !cluster.replicates() {
        let nothing = plan("v Nullable(UInt64)");
        assert!(
            nothing.code == Some(0) && nothing.stdout.contains("SW069"),
            "what is no number becomes NULL: {nothing}"
        );
    }
    let stored = plan("twice UInt64 DEFAULT 0");
    assert!(stored.code == Some(3) && stored.stdout.contains("SW079"), "{stored}");
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// Rows that a `Distributed` table holds back bear each column that it had: one that is computed from then on, or takes fewer values.
/// By what the servers themselves have logged of their merges.
#[test]
fn the_time_of_a_mutation_is_told_by_merges_of_before() {
    let (cluster, db) = (End::New.shared(), "in_place_history");
    prepare(&cluster, db, &[&format!("CREATE TABLE {db}.t (id UInt64, v String) ENGINE = MergeTree ORDER BY v")]);
    for first in firsts(&cluster) {
        for _ in 0..3 {
            let rows = "SELECT number, toString(cityHash64(number, rand())) FROM numbers(500000)";
            cluster.query(first, &format!("INSERT INTO {db}.t {rows}"));
        }
        cluster.query(first, &format!("OPTIMIZE TABLE {db}.t FINAL"));
        cluster.query(first, "SYSTEM FLUSH LOGS");
    }
    let tool = Tool::new(&cluster);
    let planned = tool.plan(&format!("ALTER TABLE {db}.t DELETE WHERE id = 1"));
    assert!(planned.stdout.contains("as merges of this table wrote parts there in the last 30 days"), "{planned}");
    everywhere(&cluster, &[&format!("DROP DATABASE {db}")]);
}

#[test]
fn what_is_queued_arrives_whatever_becomes_of_its_columns() {
    let cluster = &End::New.shared();
    let db = "in_place_queued";
    set_up(cluster, db);
    let (tool, first) = (Tool::new(cluster), firsts(cluster)[0]);
    let rows = |from: u64| {
        format!(
            "INSERT INTO DB.write (id, v, d) SETTINGS distributed_foreground_insert = 0 \
             SELECT number + {from}, 1, '2024-03-01' FROM numbers(8)"
        )
    };
    let commands = ["w MATERIALIZED 1", "w UInt32 DEFAULT 0", "w UInt8", "w ALIAS 2", "z String EPHEMERAL 'b'"];
    let mut expected = count(cluster, db);
    for (from, command) in (FIRST_ROW..).step_by(100).zip(commands) {
        cluster.query(first, &name(db, "SYSTEM STOP DISTRIBUTED SENDS DB.write"));
        cluster.query(first, &name(db, &rows(from)));
        tool.plan(&name(db, &format!("ALTER TABLE DB.read MODIFY COLUMN {command}")));
        let gates: &[&str] =
            if tool.plan_json().to_string().contains("gate.finalize") { &["start", "finalize"] } else { &["start"] };
        tool.approve(gates);
        tool.expect(0, &["execute", PLAN]);
        tool.expect(0, &["verify", PLAN]);
        cluster.query(first, &name(db, "SYSTEM START DISTRIBUTED SENDS DB.write"));
        cluster.query(first, &name(db, "SYSTEM FLUSH DISTRIBUTED DB.write"));
        expected += 8;
        assert_eq!(count(cluster, db), expected, "{command}");
    }
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// Each way to a column is found when it is the only one.
fn ways_to_a_column_are_found(cluster: &Running, tool: &Tool, db: &str) {
    let (ways, first) = (format!("{db}_ways"), firsts(cluster)[0]);
    let local = engine(cluster.replicates(), "MergeTree", &ways, "t", "");
    let over = |table: &str| format!("ENGINE = Distributed(main, '{ways}', {table}, id)");
    let create =
        format!("CREATE TABLE DB.t (id UInt64, z String, nn Nested(a UInt8, b UInt8)) ENGINE = {local} ORDER BY id");
    let statements = [create, format!("CREATE TABLE DB.read AS DB.t {}", over("t"))].map(|sql| name(&ways, &sql));
    prepare(cluster, &ways, &statements.each_ref().map(String::as_str));
    let mut all = vec![
        ("CREATE VIEW DB.way AS SELECT nn.a AS x FROM DB.t".to_owned(), "nn.a", "SW064"),
        ("CREATE VIEW DB.way AS SELECT z FROM merge('DB', '^t$')".to_owned(), "z", "SW064"),
        ("CREATE VIEW DB.way AS SELECT z FROM cluster('main', DB.t)".to_owned(), "z", "SW064"),
        ("CREATE TABLE DB.way AS DB.t ENGINE = Merge('DB', '^(t|x)$')".to_owned(), "z", "SW068"),
        (format!("CREATE TABLE DB.way AS DB.read {}", over("read")), "z", "SW068"),
    ];
    if !cluster.replicates() {
        let query = "SOURCE(CLICKHOUSE(QUERY 'SELECT id, z FROM DB.t')) LAYOUT(HASHED()) LIFETIME(0)";
        all.extend([
            ("CREATE VIEW DB.way AS SELECT COLUMNS('^z') FROM DB.t".to_owned(), "z", "SW064"),
            (format!("CREATE DICTIONARY DB.way (id UInt64, z String) PRIMARY KEY id {query}"), "z", "SW067"),
        ]);
    }
    for (create, column, code) in all {
        cluster.query(first, &name(&ways, &create));
        let sql = name(&ways, &format!("ALTER TABLE DB.t DROP COLUMN {column}"));
        let ran = tool.expect(3, &["plan", "--sql", &sql]);
        assert!(ran.stdout.contains(code) && ran.stdout.contains(&format!("{ways}.way")), "{create}: {ran}");
        let kind = if create.contains("DICTIONARY") { "DICTIONARY" } else { "TABLE" };
        cluster.query(first, &name(&ways, &format!("DROP {kind} DB.way")));
    }
    cluster.query(first, &name(&ways, &format!("CREATE TABLE DB.way AS DB.read {}", over("read"))));
    let refused = tool.expect(1, &["plan", "--sql", &name(&ways, "ALTER TABLE DB.way ADD COLUMN y UInt8")]);
    assert!(refused.stderr.contains("right over them"), "{refused}");
    everywhere(cluster, &[&format!("DROP DATABASE {ways}")]);
}

fn any_name_will_do(cluster: &Running) {
    let quoted = |name: &str| format!("`{}`", name.replace('\\', r"\\").replace('`', r"\`"));
    for (number, column) in ["sel`ect \\ it's \"q\"", "ключ.{chunk}", "IF"].into_iter().enumerate() {
        let (db, table) = (format!("in `place` {number}"), "t'a\\b`le");
        let (q, t) = (quoted(&db), quoted(table));
        let local = engine(cluster.replicates(), "MergeTree", "in_place_names", &number.to_string(), "");
        for id in cluster.ids() {
            cluster.query(id, &format!("DROP DATABASE IF EXISTS {q}"));
            cluster.query(id, &format!("CREATE DATABASE {q}"));
            cluster.query(id, &format!("CREATE TABLE {q}.{t} (id UInt64) ENGINE = {local} ORDER BY id"));
            let over = format!("Distributed(main, '{}', '{}')", db, table.replace('\\', r"\\").replace('\'', r"\'"));
            cluster.query(id, &format!("CREATE TABLE {q}.everywhere AS {q}.{t} ENGINE = {over}"));
        }
        let before = definitions(cluster, &db);
        let tool = Tool::new(cluster);
        let c = quoted(column);
        tool.plan(&format!("ALTER TABLE {q}.{t} ADD COLUMN {c} String DEFAULT 'it\\'s'"));
        tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
        assert_eq!(
            cluster.query(firsts(cluster)[0], &format!("SELECT count() FROM {q}.everywhere WHERE {c} = ''")),
            "0"
        );
        tool.expect(0, &["rollback", PLAN]);
        assert_eq!(definitions(cluster, &db), before, "{column}");
        tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
        tool.plan(&format!("ALTER TABLE {q}.everywhere DROP COLUMN {c}"));
        tool.approve(&["start", "finalize"]);
        tool.expect(0, &["execute", PLAN]);
        assert_eq!(definitions(cluster, &db), before, "{column}");
        for id in cluster.ids() {
            cluster.query(id, &format!("DROP DATABASE {q}"));
        }
    }
}

/// An UPDATE that is not the same when it is done twice, by itself and along with a column that its condition asks for and that goes.
fn a_run_killed_in_a_mutation_goes_on(cluster: &Running) {
    let db = "in_place_killed";
    let local = engine(cluster.replicates(), "MergeTree", db, "t", "");
    prepare(
        cluster,
        db,
        &[&format!("CREATE TABLE {db}.t (id UInt64, v UInt64, w UInt8) ENGINE = {local} ORDER BY id")],
    );
    for first in firsts(cluster) {
        cluster.query(first, &format!("INSERT INTO {db}.t SELECT number, number, 3 FROM numbers(1000)"));
    }
    sync(cluster, &[&format!("{db}.t")]);
    let sum = format!("SELECT sum(v) - sum(id) FROM {db}.t");
    let tool = Tool::new(cluster);
    for (round, more) in (1_u64..).zip(["", "", ", DROP COLUMN w"]) {
        // The same statement twice: each plan's own mutation is told from that of the other.
        tool.plan(&format!("ALTER TABLE {db}.t UPDATE v = v + 1 WHERE sleepEachRow(0.002) = 0 AND w = 3{more}"));
        tool.approve(&["start", "finalize"]);
        let run = tool.start(&["execute", PLAN]);
        await_started(&tool, "finalize.rewritten.s1");
        let killed = run.kill();
        assert_eq!(killed.code, None, "it was killed in the middle: {killed}");
        assert_eq!(tool.state(), "in doubt");
        tool.expect(0, &["execute", PLAN]);
        assert_eq!(tool.state(), "finalized");
        assert_eq!(ask_all(cluster, &sum), (round * 1000).to_string(), "each row once a round");
    }
    let columns = format!("SELECT count() FROM system.columns WHERE database = '{db}' AND table = 't'");
    assert_eq!(ask_all(cluster, &columns), "2");
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

#[track_caller]
fn await_started(tool: &Tool, step: &str) {
    for _ in 0..1000 {
        let status = tool.status();
        let is_there = |one: &serde_json::Value| one["id"] == step && one["state"] == "started";
        if status["steps"].as_array().expect("steps").iter().any(is_there) {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("{step} was never started: {}", tool.status());
}

fn what_these_servers_lack_is_refused(cluster: &Running) {
    let db = "in_place_lacks";
    set_up(cluster, db);
    let (tool, before) = (Tool::new(cluster), definitions(cluster, db));
    let plan = |sql: &str| tool.run(&["plan", "--sql", &name(db, sql)]);
    if cluster.replicates() {
        let comment = plan("ALTER TABLE DB.t COMMENT COLUMN z 'text'");
        assert!(comment.code == Some(3) && comment.stdout.contains("SW070"), "{comment}");
        let default = plan("ALTER TABLE DB.t MODIFY COLUMN w DEFAULT 5");
        assert!(default.code == Some(3) && default.stdout.contains("SW076"), "{default}");
        assert!(default.stdout.contains("MODIFY COLUMN `w` UInt32 DEFAULT"), "{default}");
        // What would come of it.
        let first = firsts(cluster)[0];
        cluster
            .query(first, &name(db, "CREATE TABLE DB.of_default (a UInt64, w UInt32) ENGINE = MergeTree ORDER BY a"));
        cluster.query(first, &name(db, "ALTER TABLE DB.of_default MODIFY COLUMN w DEFAULT 5"));
        let kind = "SELECT type FROM system.columns WHERE database = 'DB' AND table = 'of_default' AND name = 'w'";
        assert_eq!(cluster.query(first, &name(db, kind)), "UInt8");
        cluster.query(first, &name(db, "DROP TABLE DB.of_default"));
        let rename = plan("ALTER TABLE DB.t RENAME COLUMN w TO weight");
        assert!(rename.code == Some(1) && rename.stderr.contains("does not take"), "{rename}");
    } else {
        there_and_back(
            cluster,
            &tool,
            db,
            &name(db, "ALTER TABLE DB.t COMMENT COLUMN z 'text', MODIFY COLUMN z CODEC(ZSTD(3))"),
        );
        there_and_back(
            cluster,
            &tool,
            db,
            &name(db, "ALTER TABLE DB.t ADD INDEX i v TYPE minmax, MODIFY SETTING merge_with_ttl_timeout = 7"),
        );
        there_and_back(
            cluster,
            &tool,
            db,
            &name(db, "ALTER TABLE DB.t MODIFY COLUMN w DEFAULT 7, ADD CONSTRAINT c CHECK id >= 0"),
        );
        // Settings of columns, on the way there and back.
        for of_column in [
            "ADD COLUMN s UInt64 CODEC(NONE) SETTINGS (min_compress_block_size = 100), COMMENT COLUMN s 'sum'",
            "MODIFY COLUMN s MODIFY SETTING min_compress_block_size = 200, max_compress_block_size = 400",
            "MODIFY COLUMN s RESET SETTING max_compress_block_size",
        ] {
            there_and_back(cluster, &tool, db, &name(db, &format!("ALTER TABLE DB.t {of_column}")));
        }
        // The definition alone, and yet merges leave the values out.
        for hidden in ["w UInt32 ALIAS v", "w UInt32 EPHEMERAL 1"] {
            let hidden = tool.plan(&name(db, &format!("ALTER TABLE DB.t MODIFY COLUMN {hidden}")));
            assert!(hidden.stdout.contains("GATE finalize") && hidden.stdout.contains("SW069"), "{hidden}");
        }
        // Taken back it would say PRIMARY KEY, which it did not.
        let appended = tool.plan(&name(db, "ALTER TABLE DB.t ADD COLUMN e UInt8, MODIFY ORDER BY (id, e)"));
        assert!(appended.stdout.contains("GATE finalize"), "{appended}");
        let failing = plan("ALTER TABLE DB.t UPDATE v = throwIf(id = 5) + v WHERE id < 10");
        assert_eq!(failing.code, Some(0), "{failing}");
        tool.approve(&["start", "finalize"]);
        let failed = tool.expect(1, &["execute", PLAN]);
        assert!(failed.stderr.contains("is not done on s1r1") && failed.stderr.contains("throwIf"), "{failed}");
        assert!(failed.stderr.contains("KILL MUTATION WHERE"), "{failed}");
        for first in firsts(cluster) {
            cluster.query(first, &name(db, "KILL MUTATION WHERE database = 'DB' AND table = 't' SYNC"));
        }
    }
    assert_eq!(definitions(cluster, db) == before, cluster.replicates(), "what is refused changes nothing");
    for gone in ["DROP COLUMN nowhere", "DROP INDEX nowhere", "MODIFY COLUMN w REMOVE COMMENT"] {
        let unchanged = plan(&format!("ALTER TABLE DB.t {gone}"));
        assert!(unchanged.code == Some(0) && unchanged.stderr.contains("no change"), "{unchanged}");
    }
    if !cluster.replicates() {
        for there in
            ["ADD INDEX i v TYPE minmax", "ADD INDEX IF NOT EXISTS i v TYPE minmax", "ADD CONSTRAINT c CHECK id >= 0"]
        {
            let same = plan(&format!("ALTER TABLE DB.t {there}"));
            assert!(same.code == Some(0) && same.stderr.contains("no change"), "{same}");
        }
        let other = plan("ALTER TABLE DB.t ADD INDEX IF NOT EXISTS i id TYPE minmax");
        assert!(other.code == Some(1) && other.stderr.contains("has index i already"), "{other}");
    }
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}
