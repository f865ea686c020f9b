//! Holds what `shardwright evaluate` predicts from a sample of 5 % against tables that are rebuilt in full, on ClickHouse 26.9.2; and
//! what `--suggest` finds against keys that a person would pick.
//!
//! `cargo run --release --example evaluate_benchmark`; with a number of rows as an argument, so many instead of 20 million.
//!
//! One shard, skewed tenants, events and times, 28 shapes of queries with three literals each.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "shares of rows and bytes")]

mod bench;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use bench::{Place, create};
use clickhouse::Client;
use serde_json::Value;

const GRANULE: f64 = 8192.0;

/// Today's key, and those that are compared with it.
const KEYS: [&str; 5] = [
    "(team_id, toDate(timestamp), event, cityHash64(distinct_id))",
    "(team_id, event, timestamp)",
    "(event, team_id, timestamp)",
    "(timestamp)",
    "(distinct_id, timestamp)",
];

/// Shapes of queries; `{}` is a literal, of which each has three. Ranges that one run reads are told beside.
const SHAPES: [(&str, [&str; 3], f64); 28] = [
    ("SELECT count(), avg(duration) FROM events WHERE team_id = {}", ["0", "14", "900"], 4.0),
    ("SELECT count(), avg(duration) FROM events WHERE team_id = {} AND event = 'click'", ["1", "30", "2000"], 4.0),
    (
        "SELECT uniq(distinct_id) FROM events WHERE team_id = {} AND timestamp >= '2024-04-01 00:00:00'",
        ["2", "50", "700"],
        2.0,
    ),
    (
        "SELECT uniq(distinct_id) FROM events WHERE team_id = 7 AND toDate(timestamp) = '2024-02-{}'",
        ["02", "14", "28"],
        1.0,
    ),
    ("SELECT avg(duration) FROM events WHERE team_id IN (3, {}, 4000)", ["5", "99", "1500"], 12.0),
    ("SELECT count(), max(duration) FROM events WHERE event = '{}'", ["purchase", "error", "pageview"], 4.0),
    (
        "SELECT count(), max(duration) FROM events WHERE event = 'error' AND toDate(timestamp) = '2024-03-{}'",
        ["01", "15", "30"],
        1.0,
    ),
    (
        "SELECT event, avg(duration) FROM events WHERE timestamp BETWEEN '2024-01-10 00:00:00' AND '2024-01-{} 00:00:00' GROUP BY event",
        ["11", "15", "30"],
        1.0,
    ),
    (
        "SELECT toHour(timestamp) AS h, avg(duration) FROM events WHERE toYYYYMM(timestamp) = 20240{} GROUP BY h",
        ["1", "2", "4"],
        1.0,
    ),
    ("SELECT url, duration FROM events WHERE distinct_id = 'u{}'", ["1", "4711", "499999"], 4.0),
    ("SELECT url, duration FROM events WHERE distinct_id IN ('u1', 'u{}')", ["2", "90000", "300000"], 8.0),
    (
        "SELECT max(duration) FROM events WHERE cityHash64(distinct_id) = cityHash64('u{}') AND team_id = 11",
        ["9", "77", "1234"],
        4.0,
    ),
    (
        "SELECT avg(duration) FROM events WHERE team_id = {} AND event IN ('purchase', 'error')",
        ["0", "64", "3000"],
        8.0,
    ),
    (
        "SELECT avg(duration) FROM events WHERE team_id > 4000 AND timestamp > '2024-04-{} 00:00:00'",
        ["10", "20", "28"],
        2.0,
    ),
    ("SELECT avg(duration) FROM events WHERE team_id BETWEEN {} AND 110", ["100", "50", "109"], 4.0),
    ("SELECT avg(duration) FROM events PREWHERE team_id = {} WHERE duration > 99", ["6", "321", "4321"], 4.0),
    ("SELECT avg(duration) FROM events WHERE (event, team_id) = ('identify', {})", ["8", "80", "800"], 4.0),
    ("SELECT avg(duration) FROM events WHERE timestamp > '2024-04-{} 00:00:00'", ["05", "15", "27"], 1.0),
    (
        "SELECT avg(duration) FROM events WHERE toStartOfHour(timestamp) = '2024-02-20 {}:00:00'",
        ["01", "12", "23"],
        1.0,
    ),
    ("SELECT uniq(url) FROM events WHERE event LIKE 'pur%' AND team_id = {}", ["0", "100", "2500"], 4.0),
    ("SELECT uniq(url) FROM events WHERE team_id = {} AND event != 'pageview'", ["12", "120", "1200"], 8.0),
    ("SELECT uniq(url) FROM events WHERE team_id % 100 = {}", ["0", "33", "99"], 4.0),
    (
        "SELECT avg(duration) FROM events WHERE team_id IN (SELECT toUInt32(number + {}) FROM numbers(5))",
        ["0", "200", "4000"],
        20.0,
    ),
    ("SELECT avg(duration) FROM events WHERE team_id = {} OR distinct_id = 'u5'", ["13", "130", "1300"], 8.0),
    (
        "SELECT avg(duration) FROM (SELECT * FROM events WHERE team_id = {}) WHERE event = 'error'",
        ["15", "150", "1500"],
        4.0,
    ),
    (
        "SELECT avg(duration) FROM events WHERE url = 'https://example.com/{}/page' AND toDate(timestamp) >= '2024-04-20'",
        ["1", "5000", "9999"],
        1.0,
    ),
    ("SELECT avg(duration) FROM events WHERE lower(event) = '{}' AND team_id < 3", ["click", "error", "purchase"], 4.0),
    (
        "SELECT count() FROM events AS e WHERE e.team_id = {} AND e.duration > 50 AND e.timestamp < '2024-01-05 00:00:00'",
        ["16", "160", "1600"],
        1.0,
    ),
];

/// Workloads for the search: which of the shapes, and the keys that a person would pick for them.
const WORKLOADS: [(&str, &[usize]); 5] = [
    ("by tenant", &[0, 1, 2, 3, 12, 15]),
    ("by event", &[5, 6, 16]),
    ("by time", &[7, 8, 17, 18]),
    ("by user", &[9, 10, 11, 0]),
    ("mixed", &[0, 2, 5, 7, 9, 12, 16, 20]),
];
const PICKED: [&str; 10] = [
    "(team_id, timestamp)",
    "(team_id, event, timestamp)",
    "(event, team_id, timestamp)",
    "(event, timestamp)",
    "(timestamp)",
    "(timestamp, team_id)",
    "(toDate(timestamp), event, team_id)",
    "(distinct_id, timestamp)",
    "(team_id, distinct_id)",
    "(event, distinct_id)",
];

fn main() -> ExitCode {
    bench::run(all)
}

async fn all(place: &Place<'_>) -> Result<(), Box<dyn Error>> {
    let Place { client, dir, rows, .. } = *place;
    place.load(KEYS[0], "toUInt64(pow(rand(4) / 4294967296., 0.7) * 10368000)").await?;
    client.query("OPTIMIZE TABLE bench.events FINAL").execute().await?;
    let plain: u64 = client
        .query("SELECT sum(data_uncompressed_bytes) FROM system.parts WHERE table = 'events' AND active")
        .fetch_one()
        .await?;
    println!("{rows} rows, {:.2} GB uncompressed", plain as f64 / 1e9);
    let sample = (plain / 20).to_string();
    write_queries(dir, &(0..SHAPES.len()).collect::<Vec<_>>())?;
    let began = Instant::now();
    let orders = KEYS[1..].iter().flat_map(|key| ["--order-by", key]);
    let arguments: Vec<&str> = ["--sample-bytes", &sample].into_iter().chain(orders).collect();
    let report = evaluate(place, &arguments)?;
    println!("evaluated in {:.1} s: {}", began.elapsed().as_secs_f64(), report["measured"]);
    compare(client, &report).await?;
    for (name, shapes) in WORKLOADS {
        let found = suggest(place, name, shapes, &sample)?;
        compare_index(client, shapes, &found).await?;
    }
    Ok(())
}

/// The queries of these shapes, as a file.
fn write_queries(dir: &Path, shapes: &[usize]) -> Result<(), Box<dyn Error>> {
    let queries = shapes.iter().flat_map(|at| SHAPES[*at].1.map(|literal| SHAPES[*at].0.replace("{}", literal)));
    Ok(fs::write(dir.join("queries.sql"), queries.collect::<Vec<_>>().join(";\n"))?)
}

fn evaluate(place: &Place<'_>, more: &[&str]) -> Result<Value, Box<dyn Error>> {
    let fixed = ["evaluate", "--table", "bench.events", "--queries", "queries.sql", "--no-log", "--format", "json"];
    let output = place.tool(&[&fixed, more].concat())?.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Rebuilds the table under each key, and holds every figure against what it has.
async fn compare(client: &Client, report: &Value) -> Result<(), Box<dyn Error>> {
    let coverage = &report["coverage"];
    println!("coverage: {coverage}");
    let (mut cells, mut near, mut exact) = (0, 0, 0);
    let (mut predicted_order, mut true_order) = (Vec::new(), Vec::new());
    for (at, key) in KEYS.iter().enumerate() {
        client.query(&create("rebuilt", key)).execute().await?;
        client.query("INSERT INTO bench.rebuilt SELECT * FROM bench.events").execute().await?;
        client.query("OPTIMIZE TABLE bench.rebuilt FINAL").execute().await?;
        let mut total = 0.0;
        for (shape, literals, ranges) in SHAPES {
            let mut truth = 0.0;
            for literal in literals {
                truth += estimate(client, &shape.replace("{}", literal).replace("events", "bench.rebuilt"), "rebuilt")
                    .await?
                    / 3.0;
            }
            total += 3.0 * truth;
            let Some(predicted) = predicted(report, shape, at) else { continue };
            let off = (predicted - truth).abs();
            let is_near = off <= 0.2 * truth || off <= GRANULE * ranges;
            cells += 1;
            near += u32::from(is_near);
            exact += u32::from(off <= 0.05 * truth);
            if !is_near {
                println!("  far: {predicted:.0}, not {truth:.0}: {shape} under {key}");
            }
        }
        let sql = "SELECT sum(data_compressed_bytes) FROM system.parts WHERE table = 'rebuilt' AND active";
        let bytes: u64 = client.query(sql).fetch_one().await?;
        let candidate = &report["candidates"][at];
        let told = candidate["compressed_bytes"].as_f64().unwrap_or_default();
        let rows = candidate["rows_read_weighted"].as_f64().unwrap_or_default();
        println!(
            "{key}: {:.1} M rows for {:.1} M; {:.1} MB for {:.1} MB ({:+.1} %)",
            rows / 1e6,
            total / 1e6,
            told / 1e6,
            bytes as f64 / 1e6,
            (told / bytes as f64 - 1.0) * 100.0
        );
        predicted_order.push((rows, at));
        true_order.push((total, at));
        client.query("DROP TABLE bench.rebuilt SYNC").execute().await?;
    }
    let ranking = |mut order: Vec<(f64, usize)>| {
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        order.into_iter().map(|(_, at)| at).collect::<Vec<_>>()
    };
    println!("{near} of {cells} cells within 20 % or a granule for each range, {exact} within 5 %");
    println!("ranking predicted {:?}, true {:?}", ranking(predicted_order), ranking(true_order));
    Ok(())
}

fn predicted(report: &Value, shape: &str, candidate: usize) -> Option<f64> {
    let normal = shardwright::evaluate::normal_form(&shape.replace("{}", "1")).ok()?;
    let found = report["queries"].as_array()?.iter().find(|query| query["query"] == normal.as_str())?;
    found["rows_read"][candidate].as_f64()
}

#[derive(serde::Deserialize, clickhouse::Row)]
struct Estimate {
    table: String,
    rows: u64,
}

async fn estimate(client: &Client, sql: &str, table: &str) -> Result<f64, Box<dyn Error>> {
    let explain = format!("SELECT table, rows FROM (EXPLAIN ESTIMATE {sql})");
    let client = client
        .clone()
        .with_setting("use_skip_indexes_on_data_read", "0")
        .with_setting("use_query_condition_cache", "0");
    let rows: Vec<Estimate> = client.query(&explain).fetch_all().await?;
    Ok(rows.iter().filter(|row| row.table == table).map(|row| row.rows as f64).sum())
}

/// What the search finds, against keys that a person would pick, all judged by the same measure.
fn suggest(place: &Place<'_>, name: &str, shapes: &[usize], sample: &str) -> Result<Value, Box<dyn Error>> {
    write_queries(place.dir, shapes)?;
    let began = Instant::now();
    let found = evaluate(place, &["--suggest", "--sample-bytes", sample])?;
    let seconds = began.elapsed().as_secs_f64();
    let orders: Vec<&str> = PICKED.iter().flat_map(|key| ["--order-by", *key]).collect();
    let picked = evaluate(place, &[orders.as_slice(), &["--sample-bytes", sample]].concat())?;
    let best = |list: &Value| {
        let keys = list.as_array().cloned().unwrap_or_default();
        let best = keys.into_iter().min_by_key(|key| key["rows_read_weighted"].as_u64());
        best.map(|key| (key["rows_read_weighted"].as_f64().unwrap_or_default() / 1e6, key["order_by"].to_string()))
    };
    let ((ours, key), (theirs, other)) =
        (best(&found["suggested"]).ok_or("nothing suggested")?, best(&picked["candidates"]).ok_or("no candidate")?);
    let verdict = if ours <= theirs * 1.01 { "as good or better" } else { "WORSE" };
    println!(
        "{name}: {ours:.2} M rows with {key} in {seconds:.0} s ({} keys tried); picked {theirs:.2} M with {other}: {verdict}",
        found["measured"]["keys_tried"]
    );
    Ok(found)
}

/// Builds the first skip index that was told, over all rows, and holds what was told against what it leaves.
async fn compare_index(client: &Client, shapes: &[usize], report: &Value) -> Result<(), Box<dyn Error>> {
    let alternatives = report["alternatives"].as_array().cloned().unwrap_or_default();
    let Some(told) = alternatives.iter().find(|other| other["kind"] == "skip index") else { return Ok(()) };
    let sql = told["sql"].as_str().ok_or("no SQL")?;
    let name = sql.split(' ').nth(1).ok_or("no name")?;
    client.query(&format!("ALTER TABLE bench.events ADD {sql}")).execute().await?;
    let materialize = format!("ALTER TABLE bench.events MATERIALIZE INDEX {name}");
    client.query(&materialize).with_setting("mutations_sync", "2").execute().await?;
    let mut truth = 0.0;
    for at in shapes {
        let (shape, literals, _) = SHAPES[*at];
        for literal in literals {
            let query = shape.replace("{}", literal).replace("events", "bench.events");
            truth += estimate(client, &query, "events").await?;
        }
    }
    client.query(&format!("ALTER TABLE bench.events DROP INDEX {name}")).execute().await?;
    let rows = told["rows_read_weighted"].as_f64().unwrap_or_default();
    println!("  with {sql}: {:.2} M rows for {:.2} M", rows / 1e6, truth / 1e6);
    Ok(())
}
