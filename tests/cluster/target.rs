//! A wanted `CREATE TABLE` as the change: what the live table lacks is planned and carried out, and then there is nothing to do.
//! And several ALTERs of one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::harness::{End, Running, on_both_ends};
use crate::tool::{PLAN, Ran, Tool};
use crate::world::{ask_all, assert_nothing_left, definitions, engine, everywhere, firsts, prepare, read_over, sync};

/// A table `t` with a hundred rows on each shard, and `read` over it.
struct Scene<'a> {
    cluster: &'a Running,
    db: &'static str,
    tool: Tool,
}

const COLUMNS: &str = "id UInt64, v UInt32 DEFAULT 7, s String, gone Float64, day Date";
const KEYS: &str = "PARTITION BY toYYYYMM(day) ORDER BY id";

impl<'a> Scene<'a> {
    #[track_caller]
    fn new(cluster: &'a Running, db: &'static str) -> Self {
        let scene = Self { cluster, db, tool: Tool::new(cluster) };
        let read = read_over(db);
        prepare(cluster, db, &[&scene.wanted(COLUMNS, KEYS), &read]);
        for first in firsts(cluster) {
            let rows =
                "SELECT number, number % 9, toString(number), 1.5, toDate('2024-01-01') + number FROM numbers(100)";
            cluster.query(first, &format!("INSERT INTO {db}.t (id, v, s, gone, day) {rows}"));
        }
        sync(cluster, &[&format!("{db}.t")]);
        scene
    }

    fn wanted(&self, columns: &str, rest: &str) -> String {
        let engine = engine(self.cluster.replicates(), "MergeTree", self.db, "t", "");
        format!("CREATE TABLE {}.t ({columns}) ENGINE = {engine} {rest}", self.db)
    }

    fn plan(&self, more: &[&str], sql: &str) -> Ran {
        fs::write(self.tool.dir().join("wanted.sql"), sql).unwrap();
        self.tool.run(&[&["plan", "--detailed-exitcode", "--target", "wanted.sql"], more].concat())
    }

    /// Planned and carried out, which loses what is dropped.
    #[track_caller]
    fn reach(&self, more: &[&str], sql: &str) -> Ran {
        let planned = self.plan(more, sql);
        assert_eq!(planned.code, Some(2), "{planned}");
        self.carry_out();
        self.no_change(more, sql);
        planned
    }

    #[track_caller]
    fn carry_out(&self) {
        let gates = self.tool.plan_json()["steps"].to_string();
        self.tool.approve(if gates.contains("\"gate\":\"finalize\"") { &["start", "finalize"] } else { &["start"] });
        self.tool.expect(0, &["execute", PLAN]);
    }

    #[track_caller]
    fn no_change(&self, more: &[&str], sql: &str) {
        let again = self.plan(&[more, &["-o", "again.json"]].concat(), sql);
        assert!(again.code == Some(0) && again.stderr.contains("no change"), "{again}");
        assert!(!self.tool.dir().join("again.json").exists(), "no plan is written");
    }

    /// Refused with all of these words, and nothing is changed or written.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str], says: &[&str]) {
        let before = definitions(self.cluster, self.db);
        let ran = self.tool.run(&[&["plan", "-o", "refused.json"], args].concat());
        assert_eq!(ran.code, Some(code), "{ran}");
        for text in says {
            assert!(ran.stderr.contains(text) || ran.stdout.contains(text), "{text:?} is not said: {ran}");
        }
        assert_eq!(definitions(self.cluster, self.db), before);
        assert!(!self.tool.dir().join("refused.json").exists(), "{ran}");
    }

    #[track_caller]
    fn ask(&self, sql: &str) -> String {
        ask_all(self.cluster, &sql.replace("DB", self.db))
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

on_both_ends! {
    shared: a_target_is_reached_and_then_is_no_change, a_rename_is_never_guessed, several_alters_are_one_plan,
        what_is_no_target_is_refused, other_keys_are_the_rebuild;
}

fn a_target_is_reached_and_then_is_no_change(cluster: &Running) {
    let scene = Scene::new(cluster, "target_reached");
    // What is there, as people write it.
    let same = scene.wanted(
        "id BIGINT UNSIGNED, v UInt32 default 7, -- seven\n s String, gone Float64, day Date",
        "PARTITION BY (toYYYYMM(day)) ORDER BY (id) SETTINGS index_granularity=8192;",
    );
    let same = if cluster.replicates() { same.replace("BIGINT UNSIGNED", "UInt64") } else { same };
    scene.no_change(&[], &same.replace("CREATE TABLE", "create table if not exists"));

    let (columns, rest) = if cluster.replicates() {
        ("id UInt64, n UInt16 DEFAULT v + 1, v UInt64, s String, day Date, late Date MATERIALIZED day", KEYS.to_owned())
    } else {
        (
            "x Int8, id UInt64, v UInt64, n UInt16 DEFAULT v + 1, day Date, s LowCardinality(String) DEFAULT 'x' COMMENT 'text' \
             CODEC(ZSTD(3)), late Date MATERIALIZED day, INDEX i v TYPE minmax, PROJECTION p (SELECT v ORDER BY v), CONSTRAINT c \
             CHECK id >= 0",
            format!(
                "{KEYS} SAMPLE BY id TTL day + INTERVAL 90 YEAR SETTINGS merge_with_ttl_timeout = 7, parts_to_delay_insert = 500 \
                 COMMENT 'wanted'"
            ),
        )
    };
    let planned = scene.reach(&[], &scene.wanted(columns, &rest));
    assert!(planned.stdout.contains("strategy mutation") && planned.stdout.contains("GATE finalize"), "{planned}");
    let sums = scene.ask("SELECT sum(v), sum(n), min(s != '') FROM DB.read");
    assert_eq!(sums, "792\t992\t1", "values are kept, and new columns have their defaults");

    // Back again, but for what is gone.
    let back = scene.wanted("id UInt64, v UInt32 DEFAULT 7, s String, back Float64, day Date", KEYS);
    scene.reach(&[], &back);

    // By the name of the Distributed table: with an engine of a local one, that is meant.
    scene.no_change(&[], &back.replace("target_reached.t ", "target_reached.read "));
    let read = "CREATE TABLE target_reached.read (id UInt64, v UInt32 DEFAULT 7, s String, back Float64, day Date MORE) \
                ENGINE = Distributed('main', 'target_reached', 't', id)";
    scene.no_change(&[], &read.replace(" MORE", ""));
    scene.reach(&[], &read.replace(" MORE", ", more UInt8 DEFAULT 5"));
    assert_eq!(scene.ask("SELECT sum(more) FROM DB.read"), "1000");
}

fn a_rename_is_never_guessed(cluster: &Running) {
    let scene = Scene::new(cluster, "target_rename");
    let wanted = scene.wanted(&COLUMNS.replace("v UInt32", "value UInt32"), KEYS);
    let sum = scene.ask("SELECT sum(v) FROM DB.read");
    let says = ["renamed, or dropped", "--rename 'v=value'", "--drop-and-add"];
    scene.refused(1, &["--sql", &wanted], &says);
    scene.refused(1, &["--sql", &wanted, "--rename", "v=nowhere"], &["--rename v=nowhere"]);
    if cluster.replicates() {
        scene.refused(1, &["--sql", &wanted, "--rename", "v=value"], &["does not take", "RENAME COLUMN"]);
        scene.reach(&["--drop-and-add"], &wanted);
        assert_eq!(scene.ask("SELECT sum(value) FROM DB.read"), "1400", "the default: the values are gone");
    } else {
        scene.reach(&["--rename", "v=value"], &wanted);
        assert_eq!(scene.ask("SELECT sum(value) FROM DB.read"), sum, "the values are kept");
    }
}

fn several_alters_are_one_plan(cluster: &Running) {
    let scene = Scene::new(cluster, "target_several");
    let file = |sql: &str| fs::write(scene.tool.dir().join("change.sql"), sql.replace("DB", scene.db)).unwrap();
    let add = "-- a migration\nALTER TABLE DB.t ADD COLUMN a UInt8 DEFAULT 3;\n";
    for (more, says) in [
        (
            "ALTER TABLE DB.t DROP COLUMN a",
            ["does not go together with `ADD COLUMN a UInt8 DEFAULT 3` in line 2", "3 │"],
        ),
        (
            "ALTER TABLE DB.other DROP COLUMN s",
            ["this statement is about `target_several`.`other`", "plan one file a table"],
        ),
        ("ALTER TABLE DB.t DROP COLUMN", ["expected more of the command", "3 │"]),
        ("CREATE TABLE DB.u (a UInt8) ENGINE = Log", ["planned alone", "3 │"]),
    ] {
        file(&format!("{add}{more}"));
        scene.refused(1, &["--file", "change.sql"], &says);
    }
    let before = definitions(cluster, scene.db);
    let more = if cluster.replicates() {
        // What is said of two tables of the chain is meant once.
        "ALTER TABLE DB.t ADD COLUMN b UInt8 AFTER id; ALTER TABLE DB.read ADD COLUMN a UInt8 DEFAULT 3; \
         ALTER TABLE DB.read MODIFY COLUMN v UInt64 DEFAULT 8;"
    } else {
        // Lists behind each other, which a server takes in brackets alone.
        "ALTER TABLE DB.t ADD INDEX i a TYPE minmax; ALTER TABLE DB.t MODIFY SETTING merge_with_ttl_timeout = 7; \
         ALTER TABLE DB.t MODIFY SETTING parts_to_delay_insert = 500; ALTER TABLE DB.t MODIFY COMMENT 'x';"
    };
    file(&format!("{add}{more}"));
    scene.tool.expect(2, &["plan", "--detailed-exitcode", "--file", "change.sql"]);
    scene.tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
    assert_eq!(scene.ask("SELECT sum(a) FROM DB.read"), "600");
    let again = scene.tool.expect(0, &["plan", "--file", "change.sql", "-o", "again.json"]);
    assert!(again.stderr.contains("no change"), "{again}");
    scene.tool.expect(0, &["rollback", PLAN]);
    assert_eq!(definitions(cluster, scene.db), before);
}

fn what_is_no_target_is_refused(cluster: &Running) {
    let scene = Scene::new(cluster, "target_refused");
    let refused = |code: i32, sql: &str, says: &[&str]| scene.refused(code, &["--sql", sql], says);
    let wanted = scene.wanted(COLUMNS, KEYS);
    refused(1, &wanted.replace(".t ", ".tt "), &["target_refused.tt", "there is "]);
    refused(1, &wanted.replace("v UInt32", "v UInt32,,"), &["expected a name, not `,`", "╰"]);
    refused(1, &wanted.replace("s String", "s Nothing3"), &["does not accept the wanted definition", "Nothing3"]);
    refused(1, "CREATE VIEW target_refused.w AS SELECT 1", &["expected `TABLE`, not `VIEW`"]);
    refused(1, "CREATE TABLE target_refused.t AS target_refused.read", &["a definition by AS is not read"]);
    refused(3, &wanted.replace("MergeTree(", "ReplacingMergeTree("), &["SW007"]);
    refused(3, &wanted.replace("MergeTree(", "SummingMergeTree("), &["SW007"]);
    let of = |family: &str, args: &str| engine(cluster.replicates(), family, "target_refused", "t", args);
    // The sum of floating-point numbers is another one in another order.
    refused(3, &wanted.replace(&of("MergeTree", ""), &of("SummingMergeTree", "gone")), &["SW010"]);
    let (replicated, plain) =
        (engine(true, "MergeTree", "target_refused", "t", ""), engine(false, "MergeTree", "target_refused", "t", ""));
    let other =
        if cluster.replicates() { wanted.replace(&replicated, &plain) } else { wanted.replace(&plain, &replicated) };
    refused(3, &other, &["SW010"]);
    refused(3, &wanted.replace("id UInt64", "id UInt32"), &["SW077", "column id of target_refused.t is to be UInt32"]);
    let over =
        format!("CREATE TABLE target_refused.read ({COLUMNS}) ENGINE = Distributed(main, 'target_refused', other, id)");
    refused(1, &over, &["another engine", "target_refused.read"]);
    refused(1, &wanted.replace("target_refused.t (", "target_refused.t ON CLUSTER other ("), &["ON CLUSTER other"]);
    let alter = "ALTER TABLE target_refused.t ADD COLUMN a UInt8";
    scene.refused(64, &["--sql", alter, "--rename", "v=w"], &["this is an ALTER"]);
    scene.refused(64, &["--sql", alter, "--drop-and-add"], &["this is an ALTER"]);
    fs::write(scene.tool.dir().join("alter.sql"), alter).unwrap();
    scene.refused(64, &["--target", "alter.sql"], &["a target is a CREATE TABLE"]);
    scene.refused(64, &["--target", "alter.sql", "--sql", alter], &["cannot be used with"]);
    scene.refused(1, &["--target", "missing.sql"], &["missing.sql"]);
    let alone = "CREATE TABLE target_refused.alone (a UInt8) ENGINE = MergeTree ORDER BY a";
    cluster.query(firsts(cluster)[0], alone);
    refused(3, alone, &["SW002", "s2r1", "has no such table"]);
    let more = scene.wanted(&format!("{COLUMNS}, a UInt8"), KEYS);
    scene.refused(64, &["--sql", &more, "--strategy", "mirror"], &["--strategy mirror"]);
}

fn other_keys_are_the_rebuild(cluster: &Running) {
    let scene = Scene::new(cluster, "target_keys");
    let key = KEYS.replace("ORDER BY id", "ORDER BY (s, id)");
    let planned = scene.plan(&["-o", "rebuild.json"], &scene.wanted(COLUMNS, &key));
    assert!(planned.code == Some(2) && planned.stdout.contains("GATE cutover"), "{planned}");
    let both = scene.wanted(&format!("{COLUMNS}, a UInt8"), &key);
    let says = ["SW011", "two plans. First plan and execute ALTER TABLE `target_keys`.`t` ADD COLUMN `a` UInt8"];
    scene.refused(3, &["--sql", &both], &says);
    // What a server can append in place is no rebuild.
    let appended =
        scene.wanted(&format!("{COLUMNS}, a UInt8"), &KEYS.replace("ORDER BY id", "PRIMARY KEY id ORDER BY (id, a)"));
    scene.reach(&[], &appended);
}

/// Definitions of today, as people write them, are their own targets on a real server.
#[test]
fn definitions_of_the_corpus_are_their_own_targets() {
    const AT_ONCE: usize = 4;
    let cluster = End::New.shared();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
    let (count, queue) = (files.len(), Mutex::new(files.into_iter()));
    assert!(count > 40, "{count} files");
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(path) = queue.lock().unwrap().next() else { return };
                    its_own_target(&cluster, &path);
                }
            });
        }
    });
}

#[track_caller]
fn its_own_target(cluster: &Running, path: &Path) {
    let db = format!("target_{}", path.file_stem().unwrap().to_str().unwrap());
    let text = fs::read_to_string(path).unwrap().replace("{db}", &db);
    let said = |key: &str| text.lines().filter_map(|line| line.strip_prefix(key)).collect::<Vec<_>>();
    let sql: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let sql = sql.join("\n").replacen("CREATE TABLE ", &format!("CREATE TABLE {db}."), 1);
    let grown = said("-- then: ");
    let tool = Tool::new(cluster);
    prepare(cluster, &db, &[&said("-- first: ")[..], &[&sql]].concat());
    fs::write(tool.dir().join("wanted.sql"), &sql).unwrap();
    let ran = tool.expect(0, &["plan", "--target", "wanted.sql"]);
    assert!(ran.stderr.contains("no change") && !tool.dir().join(PLAN).exists(), "{ran}");
    if !grown.is_empty() {
        // What ALTERs have made of a table is its own target in the server's words.
        everywhere(cluster, &grown);
        let shown = "SELECT create_table_query FROM system.tables WHERE database = 'DB' AND engine LIKE '%MergeTree' FORMAT RawBLOB";
        fs::write(tool.dir().join("wanted.sql"), ask_all(cluster, &shown.replace("DB", &db))).unwrap();
        let ran = tool.expect(0, &["plan", "--target", "wanted.sql"]);
        assert!(ran.stderr.contains("no change"), "{ran}");
    }
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}
