//! Columns that go once nobody reads them: who reads is seen wherever it is, and holds the plan.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use shardwright::names::ReplicaId;

use crate::harness::{End, Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{assert_nothing_left, definitions, engine, everywhere, firsts, prepare, read_over, sync, then_stop};

on_both_ends! {
    shared: a_reader_holds_the_column_until_it_stops,
        who_reads_is_told_from_who_does_not,
        who_writes_and_what_runs_is_told,
        whoever_fails_because_the_column_is_gone_holds_its_values,
        a_log_that_is_too_short_holds_the_column;
    alone: a_log_that_is_lost_on_one_replica_holds_the_column;
}

/// For so long nobody must have read.
const UNREAD: &str = "2s";
const UNREAD_SECONDS: u64 = 2;

/// A local table, a Distributed one over it and views, with rows.
struct Scene<'a> {
    cluster: &'a Running,
    db: &'static str,
    tool: Tool,
}

impl<'a> Scene<'a> {
    #[track_caller]
    fn new(cluster: &'a Running, db: &'static str) -> Self {
        let local = engine(cluster.replicates(), "MergeTree", db, "t", "");
        prepare(
            cluster,
            db,
            &[
                &format!("CREATE TABLE {db}.t (id UInt64, v UInt32, c String) ENGINE = {local} ORDER BY id"),
                &read_over(db),
                &format!("CREATE VIEW {db}.other AS SELECT id, v FROM {db}.read"),
            ],
        );
        // Old servers cannot take a comment off a column that had none.
        everywhere(cluster, &[&format!("ALTER TABLE {db}.read COMMENT COLUMN c 'it\\'s old'")]);
        for first in firsts(cluster) {
            cluster.query(first, &format!("INSERT INTO {db}.t (id, v) SELECT number, number FROM numbers(100)"));
        }
        sync(cluster, &[&format!("{db}.t")]);
        Self { cluster, db, tool: Tool::new(cluster) }
    }

    fn sql(&self, sql: &str) -> String {
        sql.replace("DB", self.db)
    }

    /// Runs a query on the last replica: not the one that is asked first.
    #[track_caller]
    fn read(&self, sql: &str) {
        self.cluster.query(self.last(), &self.sql(sql));
    }

    /// Runs a query again and again on the last replica, whether it fails or not, until the story is told.
    #[track_caller]
    fn while_reading<T>(&self, sql: &str, story: impl FnOnce() -> T) -> T {
        let (sql, stop) = (self.sql(sql), AtomicBool::new(false));
        let port = self.cluster.replicas().last().expect("replicas").1.http;
        scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    _ = block_on(send(port, "", &sql));
                    sleep(Duration::from_millis(100));
                }
            });
            then_stop(&stop, story)
        })
    }

    fn last(&self) -> ReplicaId {
        *self.cluster.ids().last().expect("replicas")
    }

    #[track_caller]
    fn plan(&self, unread_for: &str, more: &[&str]) -> Ran {
        let drop = self.sql("ALTER TABLE DB.t DROP COLUMN c");
        self.tool.expect(0, &[&["plan", "--sql", &drop, "--unread-for", unread_for], more].concat())
    }

    /// The uses that the plan has, as `how queries`.
    #[track_caller]
    fn uses(&self, planned: &Ran) -> Vec<String> {
        let json = self.tool.plan_json();
        let uses = json.pointer("/retirement/usage/uses").or(json.pointer("/plan/retirement/usage/uses"));
        let uses = uses.unwrap_or_else(|| panic!("{planned}")).as_array().expect("uses").clone();
        let mut told: Vec<String> =
            uses.iter().map(|one| format!("{} {}", one["how"].as_str().unwrap(), one["queries"])).collect();
        told.sort();
        told
    }

    #[track_caller]
    fn postponed(&self, why: &str) -> Ran {
        let ran = self.tool.expect(4, &["execute", PLAN]);
        assert!(ran.stderr.contains("postponed") && ran.stderr.contains(why), "{why:?} is not said: {ran}");
        assert_eq!(self.tool.state(), "postponed");
        ran
    }

    /// The comments of the column, table by table, on every replica.
    fn comments(&self) -> String {
        let texts = definitions(self.cluster, self.db).into_values().collect::<Vec<_>>();
        texts.join("\n")
    }

    #[track_caller]
    fn is_there(&self, table: &str) -> bool {
        let sql = format!(
            "SELECT count() FROM system.columns WHERE database = '{}' AND table = '{table}' AND name = 'c'",
            self.db
        );
        let each: Vec<String> = self.cluster.ids().into_iter().map(|id| self.cluster.query(id, &sql)).collect();
        assert!(each.iter().all(|answer| *answer == each[0]), "{each:?}");
        each[0] == "1"
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_nothing_left(self.cluster, self.db);
            everywhere(self.cluster, &[&format!("DROP DATABASE {}", self.db)]);
        }
    }
}

fn unread_by_now() {
    sleep(Duration::from_secs(UNREAD_SECONDS + 1));
}

fn a_reader_holds_the_column_until_it_stops(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_held");
    let before = definitions(cluster, scene.db);
    // On the last replica, through the Distributed table.
    let reader = "SELECT count() FROM DB.read WHERE c = 'x'";
    let planned = scene.while_reading(reader, || scene.plan(UNREAD, &[]));
    assert!(planned.stdout.contains("SW074") && planned.stdout.contains("by name"), "{planned}");
    for format in ["markdown", "html"] {
        let shown = scene.tool.expect(0, &["show", PLAN, "--format", format]);
        assert!(shown.stdout.contains("Uses") && shown.stdout.contains("WHERE c = ?"), "{shown}");
    }
    scene.tool.approve(&["start", "finalize"]);
    let held = scene.while_reading(reader, || scene.postponed("column c was used"));
    assert!(held.stderr.contains("ask again at 20"), "{held}");
    assert!(scene.is_there("t") && scene.is_there("read"), "nothing is dropped");
    let marks = scene.comments().matches("deprecated since 20").count();
    let tables = if cluster.replicates() { 1 } else { 2 };
    assert_eq!(marks, tables * cluster.ids().len(), "the marks: {}", scene.comments());
    assert!(scene.comments().contains("to be dropped; before: it"), "{}", scene.comments());
    let journal = fs::read_to_string(scene.tool.dir().join(format!("{PLAN}.journal.jsonl"))).unwrap();
    assert!(journal.contains("\"event\":\"postponed\""), "{journal}");

    scene.tool.expect(0, &["rollback", PLAN]);
    assert_eq!(definitions(cluster, scene.db), before, "the comments are as they were");

    scene.tool.approve(&["start", "finalize"]);
    unread_by_now();
    scene.read("SELECT count() FROM DB.other");
    scene.tool.expect(0, &["execute", PLAN]);
    assert_eq!(scene.tool.state(), "finalized");
    assert!(!scene.is_there("t") && !scene.is_there("read"));
    scene.read("SELECT count() FROM DB.other");
}

fn who_reads_is_told_from_who_does_not(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_told");
    let uses = |planned: &Ran| scene.uses(planned);
    // Negative control: what does not use it is not told, nor is what the tool itself asks and what servers ask each other.
    scene.read("SELECT v FROM DB.t");
    scene.read("SELECT count(*) FROM DB.read");
    scene.read("SELECT v FROM DB.other");
    assert_eq!(uses(&scene.plan("1h", &[])), [""; 0]);
    // The insert that named other columns only is none either; one that names it, and what fails, are.
    for _ in 0..2 {
        scene.read("SELECT * FROM DB.t LIMIT 1");
    }
    assert_eq!(uses(&scene.plan("1h", &[])), ["star 2"]);
    cluster.query(firsts(cluster)[0], &scene.sql("SELECT c FROM DB.read LIMIT 1"));
    block_on(send(cluster.replicas().last().unwrap().1.http, &format!("database={}", scene.db), "SELECT id, c FROM t"))
        .unwrap();
    cluster.refusal(scene.last(), &scene.sql("SELECT nothing, c FROM DB.t"));
    assert_eq!(uses(&scene.plan("1h", &[])), ["named 3", "star 2"]);
    // A pattern of table names leads there too, whatever the query says in place of the name.
    scene.read("SELECT c FROM merge('DB', '^[t]$')");
    assert_eq!(uses(&scene.plan("1h", &[])), ["named 4", "star 2"]);
    scene.read("CREATE VIEW DB.named AS SELECT id, c FROM DB.t");
    let drop = scene.sql("ALTER TABLE DB.read DROP COLUMN c");
    let refused = scene.tool.expect(3, &["plan", "--sql", &drop, "--unread-for", "1h"]);
    assert!(refused.stdout.contains("SW064") && refused.stdout.contains("retire_told.named"), "{refused}");
    scene.read("DROP TABLE DB.named");

    // Reads by * alone hold the column unless they are not to count.
    unread_by_now();
    let waits = scene.while_reading("SELECT * FROM DB.t LIMIT 1", || {
        scene.plan(UNREAD, &[]);
        scene.tool.approve(&["start"]);
        scene.postponed("by * alone");
        scene.tool.expect(0, &["rollback", PLAN]);
        scene.plan(UNREAD, &["--except-star"]);
        scene.tool.approve(&["start"]);
        scene.tool.expect(4, &["execute", PLAN])
    });
    assert_eq!(scene.tool.state(), "waiting finalize", "{waits}");
    scene.tool.expect(0, &["rollback", PLAN]);

    let other = scene
        .tool
        .expect(64, &["plan", "--sql", &scene.sql("ALTER TABLE DB.t ADD COLUMN z UInt8"), "--unread-for", "1h"]);
    assert!(other.stderr.contains("more than drop columns"), "{other}");
}

fn who_writes_and_what_runs_is_told(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_writes");
    let local = engine(cluster.replicates(), "MergeTree", scene.db, "m", "");
    let tables = [
        format!("CREATE TABLE DB.m (id UInt64, m1 UInt8, m10 UInt8) ENGINE = {local} ORDER BY id"),
        "CREATE TABLE DB.o (id UInt64, a UInt8, b UInt8) ENGINE = MergeTree ORDER BY id".to_owned(),
    ];
    everywhere(cluster, &tables.each_ref().map(|sql| scene.sql(sql)).each_ref().map(String::as_str));
    let plan = |unread_for: &str| {
        let drop = scene.sql("ALTER TABLE DB.m DROP COLUMN m1");
        scene.uses(&scene.tool.expect(0, &["plan", "--sql", &drop, "--unread-for", unread_for]))
    };
    // It began before the time that is asked for, and has not ended.
    let port = cluster.replicas().last().expect("replicas").1.http;
    let running = scene.sql(
        "SELECT count() FROM numbers(30) WHERE NOT ignore(sleepEachRow(1), (SELECT max(m1) FROM DB.m)) SETTINGS max_block_size = 1",
    );
    scope(|scope| {
        scope.spawn(|| block_on(send(port, "query_id=retire-runs", &running)));
        sleep(Duration::from_secs(3));
        let uses = plan("1s");
        scene.read("KILL QUERY WHERE query_id = 'retire-runs' SYNC");
        assert_eq!(uses, ["named 1"]);
    });
    // Without a list of columns, from a table that has others. Then two that differ in a number, which is no literal, the other one
    // last.
    scene.read("INSERT INTO DB.m SELECT * FROM DB.o");
    scene.read("INSERT INTO DB.m (id, m1) VALUES (1, 1)");
    sleep(Duration::from_millis(1100));
    scene.read("INSERT INTO DB.m (id, m10) VALUES (1, 1)");
    assert_eq!(plan("1h"), ["counted 1", "named 2"]);
    let asks_for_profiles = scene.tool.plan_json().to_string().contains("system.settings_profile_elements");
    assert_eq!(asks_for_profiles, !cluster.replicates(), "old servers do not tell of profiles");
    // What alters another table, by what this one says.
    scene.read("ALTER TABLE DB.o DELETE WHERE id IN (SELECT id FROM DB.m WHERE m1 = 7)");
    assert_ne!(plan("1h"), ["counted 1", "named 2"]);
}

fn whoever_fails_because_the_column_is_gone_holds_its_values(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_failing");
    let before = definitions(cluster, scene.db);
    scene.plan(UNREAD, &[]);
    scene.tool.approve(&["start"]);
    unread_by_now();
    scene.tool.expect(4, &["execute", PLAN]);
    assert_eq!(scene.tool.state(), "waiting finalize");
    assert!(scene.is_there("t") && !scene.is_there("read"));
    cluster.refusal(scene.last(), &scene.sql("SELECT c FROM DB.read"));
    scene.tool.approve(&["finalize"]);
    scene.while_reading("SELECT c FROM DB.read", || scene.postponed("column c was used"));
    assert!(scene.is_there("t"), "the values are there");
    // What another run saw is asked again.
    unread_by_now();
    scene.tool.expect(0, &["execute", PLAN, "--until", "finalize.local.s1"]);
    scene.while_reading("SELECT c FROM DB.t LIMIT 1", || scene.postponed("column c was used"));
    assert!(scene.is_there("t"), "the values are there");
    scene.tool.expect(0, &["rollback", PLAN]);
    assert_eq!(definitions(cluster, scene.db), before);
}

fn a_log_that_is_too_short_holds_the_column(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_log");
    // No sandbox is that old.
    let planned = scene.plan("500w", &[]);
    assert!(planned.stdout.contains("SW075") && planned.stdout.contains("reaches back"), "{planned}");
    scene.tool.approve(&["start", "finalize"]);
    scene.postponed("proves nothing: it reaches back");
    assert!(scene.is_there("t") && scene.is_there("read"));
    scene.tool.expect(0, &["rollback", PLAN]);
}

fn a_log_that_is_lost_on_one_replica_holds_the_column(cluster: &Running) {
    let scene = Scene::new(cluster, "retire_lost");
    // Its first entry is the tool's own, from now on.
    cluster.query(scene.last(), "SYSTEM FLUSH LOGS");
    cluster.query(scene.last(), "DROP TABLE system.query_log");
    let planned = scene.plan("30s", &[]);
    let last = scene.last().to_string();
    let says = |text: &str, words: &str| text.lines().any(|line| line.contains(words) && line.contains(&last));
    assert!(says(&planned.stdout, "SW075"), "{planned}");
    scene.tool.approve(&["start", "finalize"]);
    let held = scene.postponed("proves nothing: it reaches back");
    assert!(says(&held.stderr, "postponed"), "{held}");
    assert!(scene.is_there("t") && scene.is_there("read"));
    scene.tool.expect(0, &["rollback", PLAN]);
}

/// Servers read changed files of users by themselves, within seconds.
#[test]
fn a_log_that_is_switched_off_holds_the_column() {
    const OFF: &str = "<yandex><profiles><default><log_queries>0</log_queries></default></profiles></yandex>";
    let cluster = &*End::Old.alone();
    let scene = Scene::new(cluster, "retire_off");
    let file = cluster.dir().join(scene.last().to_string()).join("users.d/off.xml");
    let setting = "SELECT value FROM system.settings WHERE name = 'log_queries'";
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, OFF).unwrap();
    cluster.eventually(scene.last(), setting, "0");
    let planned = scene.plan(UNREAD, &[]);
    let off = planned.stdout.contains("log_queries is off");
    scene.tool.approve(&["start"]);
    let held = scene.tool.run(&["execute", PLAN]);
    fs::remove_file(&file).unwrap();
    cluster.eventually(scene.last(), setting, "1");
    assert!(off && planned.stdout.contains("SW075"), "{planned}");
    assert!(held.code == Some(4) && held.stderr.contains("log_queries is off"), "{held}");
    scene.tool.expect(0, &["rollback", PLAN]);
}
