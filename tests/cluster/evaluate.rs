//! Evaluating sorting keys: what is predicted is what rebuilt tables read, nothing is told that is private, and nothing stays.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use shardwright::names::ReplicaId;

use crate::harness::{Running, on_both_ends};
use crate::tool::{Ran, Tool};
use crate::world::{assert_nothing_left, databases, engine, everywhere, firsts, prepare, sync};

on_both_ends! {
    shared: what_is_predicted_is_what_rebuilt_tables_read,
        literals_are_kept_out_unless_asked_for,
        digits_of_names_are_no_literals,
        what_cannot_be_evaluated_is_said,
        an_engine_that_merges_rows_keeps_them_and_its_key,
        a_skip_index_is_told_with_what_it_truly_leaves,
        an_evaluation_that_is_ended_leaves_nothing;
}

const ROWS: u64 = 200_000;
const KEYS: [&str; 3] = ["(tenant, ts)", "(event, ts)", "(user, event)"];

/// Shapes of queries, with literals that lie apart.
const SHAPES: [(&str, [&str; 2]); 6] = [
    ("SELECT count(), avg(size) FROM {t} WHERE tenant = {}", ["3", "17"]),
    ("SELECT count(), avg(size) FROM {t} WHERE event = 'e{}'", ["1", "9"]),
    ("SELECT sum(size) FROM {t} WHERE user IN ({}, 77)", ["5", "4000"]),
    ("SELECT sum(size) FROM {t} WHERE tenant = 5 AND ts >= toDateTime('2024-02-0{} 00:00:00')", ["1", "9"]),
    ("SELECT sum(size) FROM {t} WHERE toDate(ts) = toDate('2024-02-0{}') AND event = 'e2'", ["1", "2"]),
    ("SELECT count(), sum(size) FROM {t} WHERE ts >= toDateTime('2024-02-{} 00:00:00')", ["08", "12"]),
];

/// A database with a table, ways to it, and rows; the queries were run.
struct Scene<'a> {
    cluster: &'a Running,
    database: &'static str,
    tool: Tool,
}

impl<'a> Scene<'a> {
    #[track_caller]
    fn new(cluster: &'a Running, database: &'static str) -> Self {
        let engine = engine(cluster.replicates(), "MergeTree", database, "t", "");
        let table = format!(
            "CREATE TABLE {database}.t (tenant UInt32, event String, ts DateTime, user UInt64, size UInt64) ENGINE = {engine} \
             PARTITION BY toYYYYMM(ts) ORDER BY (tenant, ts) SETTINGS index_granularity = 1024"
        );
        let all = format!(
            "CREATE TABLE {database}.all AS {database}.t ENGINE = Distributed('main', '{database}', 't', rand())"
        );
        let view =
            format!("CREATE VIEW {database}.large AS SELECT tenant, user, size FROM {database}.all WHERE size > 1000");
        prepare(cluster, database, &[&table, &all, &view]);
        for first in firsts(cluster) {
            cluster.query(
                first,
                &format!(
                    "INSERT INTO {database}.t SELECT toUInt32(pow(rand(1) / 4294967296., 2) * 50), concat('e', toString(rand(2) % 20)), \
                     toDateTime('2024-01-20 00:00:00') + number * 10, rand(3) % 5000, rand(4) FROM numbers({ROWS})"
                ),
            );
        }
        sync(cluster, &[&format!("{database}.t")]);
        Self { cluster, database, tool: Tool::new(cluster) }
    }

    #[track_caller]
    fn run_queries(&self) {
        for sql in self.queries("t") {
            self.cluster.query(first(), &sql);
        }
    }

    /// Every shape with every literal, over a table.
    fn queries(&self, table: &str) -> Vec<String> {
        let over = format!("{}.{table}", self.database);
        let with = |(shape, literals): (&str, [&str; 2])| {
            literals.map(|literal| shape.replace("{t}", &over).replace("{}", literal))
        };
        SHAPES.into_iter().flat_map(with).collect()
    }

    #[track_caller]
    fn evaluate(&self, more: &[&str]) -> Ran {
        self.tool.expect(0, &self.arguments(more).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let table = format!("{}.t", self.database);
        ["evaluate", "--table", &table].iter().chain(more).map(ToString::to_string).collect()
    }

    #[track_caller]
    fn report(&self, more: &[&str]) -> Value {
        let ran = self.evaluate(&[more, &["--format", "json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    #[track_caller]
    fn refused(&self, code: i32, arguments: &[&str], says: &str) {
        let ran = self.tool.expect(code, arguments);
        assert!(ran.stderr.contains(says), "{says:?} is not said: {ran}");
        assert!(ran.stdout.is_empty(), "{ran}");
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            everywhere(self.cluster, &[&format!("DROP DATABASE {}", self.database)]);
        }
    }
}

fn first() -> ReplicaId {
    ReplicaId::new(1, 1)
}

/// Rows that a query reads, as the server counts them.
#[track_caller]
fn rows_read(cluster: &Running, sql: &str) -> u64 {
    let answer = cluster.query(first(), &format!("{sql} FORMAT JSON"));
    let answer: Value = serde_json::from_str(&answer).expect("an answer in JSON");
    answer["statistics"]["rows_read"].as_u64().expect("rows_read")
}

/// Tables with all rows and another key each: for each, what each shape reads in the mean over its literals.
#[track_caller]
fn truth(scene: &Scene<'_>) -> Vec<Vec<u64>> {
    let (cluster, database) = (scene.cluster, scene.database);
    let rebuilt = |(at, key): (usize, &&str)| {
        let name = format!("rebuilt_{at}");
        cluster.query(
            first(),
            &format!(
                "CREATE TABLE {database}.{name} (tenant UInt32, event String, ts DateTime, user UInt64, size UInt64) ENGINE = MergeTree \
                 PARTITION BY toYYYYMM(ts) ORDER BY {key} SETTINGS index_granularity = 1024"
            ),
        );
        cluster.query(first(), &format!("INSERT INTO {database}.{name} SELECT * FROM {database}.t"));
        cluster.query(first(), &format!("OPTIMIZE TABLE {database}.{name} FINAL"));
        let rows: Vec<u64> = scene.queries(&name).iter().map(|sql| rows_read(cluster, sql)).collect();
        rows.chunks(2).map(|pair| u64::midpoint(pair[0], pair[1])).collect()
    };
    KEYS.iter().enumerate().map(rebuilt).collect()
}

fn what_is_predicted_is_what_rebuilt_tables_read(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_truth");
    scene.run_queries();
    let before = databases(cluster);
    let keys = ["--order-by", KEYS[1], "--order-by", KEYS[2]];
    let whole = scene.report(&keys);
    // 200,000 rows of some 40 bytes: a part of them.
    let sampled = scene.report(&[keys.as_slice(), &["--sample-bytes", "2000000"]].concat());
    assert_eq!(databases(cluster), before);
    let truth = truth(&scene);
    let sample_rows = sampled["measured"]["sample_rows"].as_u64().unwrap();
    assert!((ROWS / 10..ROWS / 2).contains(&sample_rows), "{sample_rows}");
    for (report, share) in [(&whole, 0.0), (&sampled, 0.2)] {
        check(&scene, report, &truth, share);
    }
    // Were every prediction the whole table, or none, this would not hold.
    assert!(truth[1][1] * 5 < truth[0][1] && truth[0][0] * 5 < truth[1][0], "{truth:?}");
    // What was sent to the server was bounded, and says so in its log. Servers leave out values that are the default.
    cluster.query(first(), "SYSTEM FLUSH LOGS");
    let settings = if cluster.replicates() {
        "has(Settings.Names, 'priority') AND has(Settings.Names, 'max_memory_usage')"
    } else {
        "mapContains(Settings, 'priority') AND mapContains(Settings, 'max_memory_usage')"
    };
    let count = |condition: &str| {
        let sql = format!(
            "SELECT count() FROM system.query_log WHERE startsWith(query_id, 'shardwright-evaluate-') AND toInt8(type) = 2 \
             AND NOT startsWith(query, 'DROP') AND {condition}"
        );
        cluster.query(first(), &sql).parse::<u64>().unwrap()
    };
    assert!(count("1") > 30 && count("1") == count(settings), "{} of {}", count(settings), count("1"));
    assert_nothing_left(cluster, scene.database);
}

/// Every figure is near the truth, within a share or one granule for each range. Under equal keys rows have no order, so that even of
/// all rows a granule more or less may be read.
#[track_caller]
fn check(scene: &Scene<'_>, report: &Value, truth: &[Vec<u64>], share: f64) {
    let normal = |at: usize| SHAPES[at].0.replace("{t}", &format!("{}.t", scene.database));
    let queries = report["queries"].as_array().unwrap();
    assert_eq!(queries.len(), SHAPES.len(), "{report:#}");
    let keys: Vec<&str> =
        report["candidates"].as_array().unwrap().iter().map(|key| key["order_by"].as_str().unwrap()).collect();
    assert_eq!(keys, KEYS);
    let current: Vec<bool> =
        report["candidates"].as_array().unwrap().iter().map(|key| key["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false, false]);
    let mut weighted = [0; 3];
    for (at, _) in SHAPES.iter().enumerate() {
        let begin = normal(at).split("{}").next().unwrap().trim_end_matches(['\'', 'e', '(']).to_owned();
        let begin = begin.split(" 5 ").next().unwrap().trim_end_matches("= ").trim_end().to_owned();
        let begin =
            if at == 3 { format!("{begin} = ? AND ts") } else { begin.split("toDate").next().unwrap().to_owned() };
        let found: Vec<&Value> = queries.iter().filter(|query| matches(query, &begin, at)).collect();
        assert_eq!(found.len(), 1, "{begin}: {report:#}");
        assert_eq!(found[0]["count"], 2);
        for (key, truth) in truth.iter().enumerate() {
            let predicted = found[0]["rows_read"][key].as_u64().unwrap();
            weighted[key] += 2 * predicted;
            let off = predicted.abs_diff(truth[at]) as f64;
            // Two partitions, and two ranges for IN.
            let granules = if share > 0.0 { 4.0 * 1024.0 } else { 1024.0 };
            assert!(
                off <= (truth[at] as f64 * share).max(granules),
                "{begin} under {}: {predicted}, not {}",
                KEYS[key],
                truth[at]
            );
        }
    }
    for (candidate, weighted) in report["candidates"].as_array().unwrap().iter().zip(weighted) {
        let told = candidate["rows_read_weighted"].as_u64().unwrap();
        assert!(told.abs_diff(weighted) <= 12, "{told} {weighted}");
        assert!(candidate["compressed_bytes"].as_u64().unwrap() > 1_000_000, "{candidate}");
    }
    assert_eq!(report["coverage"]["queries"], 1.0);
    assert_eq!(report["format_version"], 1);
}

/// Shapes are told apart by what follows WHERE.
fn matches(query: &Value, begin: &str, at: usize) -> bool {
    let text = query["query"].as_str().unwrap();
    let is = |word: &str| text.contains(word);
    match at {
        0 => text.starts_with(begin) && !is("ts"),
        3 => is("tenant = ? AND ts"),
        4 => is("toDate("),
        5 => is("WHERE ts >="),
        _ => text.starts_with(begin),
    }
}

fn literals_are_kept_out_unless_asked_for(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_private");
    let queries = "-- count: 40\nSELECT count() FROM all WHERE event = 'hunter2';\nSELECT max(size) FROM large WHERE user = 271828;\n\
                   SELECT nope FROM t WHERE event = 'hunter2';\nSELECT 1 FROM remote('hunter2', evaluate_private.t);\n\
                   SELECT count() FROM t WHERE 1 = 1 'hunter2";
    fs::write(scene.tool.dir().join("queries.sql"), queries).unwrap();
    let arguments = ["--order-by", "(event)", "--queries", "queries.sql", "--no-log"];
    let before = databases(cluster);
    for format in ["table", "json"] {
        let ran = scene.evaluate(&[arguments.as_slice(), &["--format", format]].concat());
        for private in ["hunter2", "271828"] {
            assert!(!ran.stdout.contains(private) && !ran.stderr.contains(private), "{ran}");
        }
        let shown = scene.evaluate(&[arguments.as_slice(), &["--format", format, "--show-literals"]].concat());
        assert!(shown.stdout.contains("hunter2") && shown.stdout.contains("271828"), "{shown}");
    }
    let report = scene.report(&arguments);
    // Two shapes of 41 queries are understood; three queries are listed with their reasons.
    assert_eq!(report["coverage"]["queries_measured"], 41);
    assert_eq!(report["coverage"]["queries_seen"], 44);
    let reasons: Vec<&str> =
        report["not_covered"].as_array().unwrap().iter().map(|rest| rest["reason"].as_str().unwrap()).collect();
    for reason in ["within a table function", "cannot be read", "refuses it over a twin (code 47"] {
        assert!(reasons.iter().any(|one| one.contains(reason)), "{reasons:?}");
    }
    // All shards are asked through the Distributed table: twice the rows of one.
    let whole = report["queries"].as_array().unwrap().iter().find(|query| query["count"] == 40).unwrap();
    let today = whole["rows_read"][0].as_u64().unwrap();
    assert_eq!(today, 2 * ROWS, "{whole}");
    assert_eq!(databases(cluster), before);
}

/// Servers' own hashes of queries take `top_100` for a literal.
fn digits_of_names_are_no_literals(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_digits");
    let top = |name: u32, tenant: u32| {
        cluster
            .query(first(), &format!("SELECT max(size) AS top_{name} FROM evaluate_digits.t WHERE tenant = {tenant}"));
    };
    (1..4).for_each(|tenant| top(100, tenant));
    top(1000, 4);
    let report = scene.report(&["--order-by", "(event)"]);
    let queries = report["queries"].as_array().unwrap();
    let count = |name: &str| {
        queries.iter().find(|query| query["query"].as_str().unwrap().contains(name)).unwrap()["count"].clone()
    };
    assert_eq!((count("top_100 "), count("top_1000 ")), (3.into(), 1.into()), "{queries:?}");
    assert_eq!(queries.len(), 2, "{queries:?}");
}

fn what_cannot_be_evaluated_is_said(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_refused");
    let before: BTreeMap<ReplicaId, String> = databases(cluster);
    let table = "evaluate_refused.t";
    for (code, key, says) in [
        (1, "(nope, ts)", "names a column nope"),
        (1, "(tenant, rand())", "rand()"),
        (64, "(tenant,", "cannot be read"),
        (
            1,
            "(tenant)",
            "no query of the last 7 d reads evaluate_refused.all, evaluate_refused.large, evaluate_refused.t",
        ),
    ] {
        scene.refused(code, &["evaluate", "--table", table, "--order-by", key], says);
    }
    scene.refused(64, &["evaluate", "--table", table], "--order-by");
    scene.refused(64, &["evaluate", "--table", table, "--order-by", "(a)", "--window", "soon"], "such as 7d");
    scene.refused(
        1,
        &["evaluate", "--table", "evaluate_refused.none", "--order-by", "(a)"],
        "no replica of cluster main has a table",
    );
    scene.refused(1, &["evaluate", "--table", "evaluate_refused.large", "--order-by", "(user)"], "is a View table");
    scene.refused(1, &["evaluate", "--table", table, "--order-by", "(user)", "--queries", "none.sql"], "none.sql");
    // A key over a Nullable column is for the server to refuse; a query is needed to get so far.
    fs::write(scene.tool.dir().join("one.sql"), "SELECT count() FROM t WHERE tenant = 1").unwrap();
    let one = ["--queries", "one.sql", "--no-log"];
    let same = scene.evaluate(&[&["--order-by", "tenant, ts"], one.as_slice()].concat());
    assert!(same.stderr.contains("is the key that evaluate_refused.t has today"), "{same}");
    let through = scene.tool.expect(
        0,
        &["evaluate", "--table", "evaluate_refused.all", "--order-by", "(user)", "--queries", "one.sql", "--no-log"],
    );
    assert!(through.stderr.contains("is a Distributed table over evaluate_refused.t"), "{through}");
    everywhere(cluster, &["TRUNCATE TABLE evaluate_refused.t"]);
    let arguments = scene.arguments(&[&["--order-by", "(user)"], one.as_slice()].concat());
    scene.refused(1, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), "has no rows");
    assert_eq!(databases(cluster), before);
}

/// A key under which fewer rows are equal, or more, must not lose any in its twin; and is nothing to suggest.
fn an_engine_that_merges_rows_keeps_them_and_its_key(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_merging");
    let engine = engine(cluster.replicates(), "ReplacingMergeTree", "evaluate_merging", "r", "version");
    let create = format!(
        "CREATE TABLE evaluate_merging.r (tenant UInt32, id UInt64, version UInt8, event String) ENGINE = {engine} \
         ORDER BY (tenant, id) SETTINGS index_granularity = 256"
    );
    everywhere(cluster, &[&create]);
    for version in 1..=2 {
        let rows = format!("SELECT number % 7, number, {version}, toString(number % 9) FROM numbers(20000)");
        cluster.query(first(), &format!("INSERT INTO evaluate_merging.r {rows}"));
    }
    let queries = "SELECT count() FROM r FINAL WHERE tenant = 3; SELECT count() FROM r FINAL WHERE event = '5'";
    fs::write(scene.tool.dir().join("final.sql"), queries).unwrap();
    let arguments =
        ["evaluate", "--table", "evaluate_merging.r", "--order-by", "(event)", "--suggest", "--budget", "6"];
    let more = ["--queries", "final.sql", "--no-log", "--format", "json"];
    let ran = scene.tool.expect(0, &[arguments.as_slice(), &more].concat());
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["coverage"]["queries_measured"], 2, "{report:#}");
    assert_eq!(report["measured"]["sample_rows"], report["measured"]["table_rows"]);
    let rows_read = |query: usize, key: usize| report["queries"][query]["rows_read"][key].as_u64().unwrap();
    // Both queries over today's key and over the other: each key serves one. Merged by (event), nine rows would be left.
    let [mine, other] = if rows_read(0, 0) > rows_read(1, 0) { [1, 0] } else { [0, 1] };
    assert!(rows_read(mine, 0) < 12_000 && rows_read(mine, 1) > 12_000, "{report:#}");
    assert!(rows_read(other, 0) > 12_000 && rows_read(other, 1) < 12_000, "{report:#}");
    assert!(report["candidates"][1]["notes"][0].as_str().unwrap().contains("SW007"), "{report:#}");
    let suggested = report["suggested"].as_array().unwrap();
    assert!(!suggested.is_empty(), "{report:#}");
    for key in suggested.iter().map(|key| key["order_by"].as_str().unwrap()) {
        assert!(key.contains("tenant") && key.contains("id"), "{report:#}");
    }
    assert_nothing_left(cluster, "evaluate_merging");
}

/// Users lie all over the table, each in some of its granules: in fewer of a sample of rows than of the table.
fn a_skip_index_is_told_with_what_it_truly_leaves(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_index");
    let over = |table: &str| [5, 77, 4000].map(|user| format!("SELECT sum(size) FROM {table} WHERE user = {user}"));
    fs::write(scene.tool.dir().join("users.sql"), over("t").join(";\n")).unwrap();
    let before = databases(cluster);
    let arguments = ["--order-by", "(ts)", "--suggest", "--budget", "2", "--queries", "users.sql", "--no-log"];
    let whole = scene.report(&arguments);
    let sampled = scene.report(&[arguments.as_slice(), &["--sample-bytes", "2000000"]].concat());
    assert_eq!(databases(cluster), before);
    let told = |report: &Value| {
        let is_index = |other: &&Value| other["kind"] == "skip index";
        report["alternatives"].as_array().unwrap().iter().find(is_index).cloned()
    };
    if cluster.replicates() {
        assert_eq!((told(&whole), told(&sampled)), (None, None), "ClickHouse 18.16.1 has no skip indexes");
        return;
    }
    cluster.query(first(), "CREATE TABLE evaluate_index.indexed AS evaluate_index.t");
    let (whole, sampled) = (told(&whole).expect("an index"), told(&sampled).expect("an index"));
    let index = whole["sql"].as_str().unwrap();
    assert!(index.contains(" user TYPE bloom_filter"), "{index}");
    cluster.query(first(), &format!("ALTER TABLE evaluate_index.indexed ADD {index}"));
    cluster.query(first(), "INSERT INTO evaluate_index.indexed SELECT * FROM evaluate_index.t");
    cluster.query(first(), "OPTIMIZE TABLE evaluate_index.indexed FINAL");
    let explained =
        |sql: String| format!("SELECT rows FROM (EXPLAIN ESTIMATE {sql}) SETTINGS use_skip_indexes_on_data_read = 0");
    let truth: u64 = over("evaluate_index.indexed")
        .map(|sql| cluster.query(first(), &explained(sql)).parse::<u64>().unwrap())
        .iter()
        .sum();
    assert!(truth * 2 < 3 * ROWS, "the index does something: {truth}");
    for told in [whole, sampled] {
        let rows = told["rows_read_weighted"].as_u64().unwrap();
        assert!(rows.abs_diff(truth) * 4 < truth, "{rows}, not {truth}: {told}");
    }
    assert_nothing_left(cluster, scene.database);
}

fn an_evaluation_that_is_ended_leaves_nothing(cluster: &Running) {
    let scene = Scene::new(cluster, "evaluate_ended");
    fs::write(scene.tool.dir().join("one.sql"), "SELECT count() FROM t WHERE tenant = 1").unwrap();
    let before = databases(cluster);
    let keys = ["--order-by", KEYS[1], "--order-by", KEYS[2], "--order-by", "(size)", "--order-by", "(size, user)"];
    let arguments = scene.arguments(&[keys.as_slice(), &["--queries", "one.sql", "--no-log"]].concat());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_there = || {
        let tables = "SELECT count() FROM system.tables WHERE startsWith(database, '_shardwright_evaluate_')";
        cluster.query(first(), tables).parse::<u64>().unwrap() >= 2
    };
    let until_there = || {
        for _ in 0..600 {
            if is_there() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no scratch database came");
    };
    let started = scene.tool.start(&arguments);
    until_there();
    started.signal(Signal::INT);
    let ran = started.end();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("interrupted"), "{ran}");
    assert_eq!(databases(cluster), before, "{ran}");
    // Killed, it leaves its database; the next one removes that.
    let started = scene.tool.start(&arguments);
    until_there();
    let killed = started.kill();
    assert!(is_there(), "{killed}");
    let ran = scene.tool.expect(0, &arguments);
    assert!(ran.stderr.contains("which a killed evaluation has left"), "{ran}");
    assert_eq!(databases(cluster), before, "{ran}");
    assert_nothing_left(cluster, scene.database);
}
