//! Times the copy of a table to another sorting key on ClickHouse 26.9.2: a plain `INSERT SELECT`, which proves nothing, against
//! `shardwright execute` up to the cutover, which compares every chunk before it is attached and every row afterwards.
//!
//! `cargo run --release --example backfill_benchmark`; with a number of rows as an argument, so many instead of 20 million.
//!
//! Rounds alternate, and each figure is told. One shard, no writers; whatever else the machine does shows.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clickhouse::Client;
use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, EngineChoice, SandboxOptions, down, up};

/// Set for the child that is the command line of the tool.
const AS_TOOL: &str = "SHARDWRIGHT_BENCHMARK_AS_TOOL";
const ROWS: u64 = 20_000_000;
const ROUNDS: u32 = 3;
const ROWS_AN_INSERT: u64 = 2_000_000;
const SOURCE_KEY: &str = "(team_id, toDate(timestamp), event, cityHash64(distinct_id))";
const NEW_KEY: &str = "(event, team_id, timestamp)";

fn main() -> ExitCode {
    if std::env::var_os(AS_TOOL).is_some() {
        return shardwright::cli::run();
    }
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(benchmark())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn benchmark() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(ROWS), |rows| rows.parse())?;
    let directory = tempfile::tempdir()?;
    let sandbox_dir = directory.path().join("sandbox");
    let options =
        SandboxOptions { shards: 1, engine: EngineChoice::Only(Engine::Chdb), ..SandboxOptions::new(&sandbox_dir) };
    let sandbox = up(&options, &mut |line| println!("{line}")).await?;
    let port = sandbox.replicas().find(|(id, _)| *id == ReplicaId::new(1, 1)).map(|(_, ports)| ports.http);
    let client = Client::default().with_url(format!("http://127.0.0.1:{}", port.ok_or("no replica")?));
    let outcome = rounds(&client, directory.path(), &sandbox.config_path(), rows).await;
    down(&sandbox_dir, false, &mut |_| {}).await?;
    outcome
}

async fn rounds(client: &Client, dir: &Path, config: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    load(client, rows).await?;
    let sql =
        "SELECT sum(data_uncompressed_bytes), sum(bytes_on_disk) FROM system.parts WHERE table = 'events' AND active";
    let (plain, compressed): (u64, u64) = client.query(sql).fetch_one().await?;
    let gigabytes = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    println!("{rows} rows, {}, {} on disk", gigabytes(plain), gigabytes(compressed));
    let (mut plains, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        plains.push(plain_copy(client).await?);
        let run = our_copy(dir, config)?;
        println!(
            "round {round}: plain {:.1} s; ours {:.1} s: {}",
            plains[plains.len() - 1].as_secs_f64(),
            run.backfill,
            run.told
        );
        let rate = 2.0 * plain as f64 / 1e9 / run.verify;
        println!("         verify {:.1} s: {rate:.2} GB/s of both sides, uncompressed", run.verify);
        ours.push(run.backfill);
    }
    plains.sort();
    ours.sort_by(f64::total_cmp);
    let (plain, our) = (plains[plains.len() / 2].as_secs_f64(), ours[ours.len() / 2]);
    println!("medians: plain {plain:.1} s, ours {our:.1} s, {:.2} times", our / plain);
    Ok(())
}

async fn load(client: &Client, rows: u64) -> Result<(), Box<dyn Error>> {
    client.query("CREATE DATABASE bench").execute().await?;
    client.query(&create("events", SOURCE_KEY)).execute().await?;
    for first in (0..rows).step_by(usize::try_from(ROWS_AN_INSERT)?) {
        let count = ROWS_AN_INSERT.min(rows - first);
        let insert = format!(
            "INSERT INTO bench.events SELECT toUInt32(pow(rand(1) / 4294967296., 3) * 5000), \
             ['pageview', 'click', 'identify', 'purchase', 'error'][1 + toUInt8(pow(rand(2) / 4294967296., 2) * 5)], \
             concat('u', toString(rand(3) % 500000)), generateUUIDv4(), \
             toDateTime64('2024-01-01 00:00:00', 3) + number % 10368000 + rand(4) % 1000 / 1000, \
             concat('{{\"browser\":\"', ['Chrome', 'Safari', 'Firefox'][1 + rand(5) % 3], '\",\"version\":', \
             toString(rand(6) % 100), ',\"screen\":\"', toString(rand(7) % 3000), 'x', toString(rand(8) % 2000), '\"}}'), \
             concat('https://example.com/', toString(rand(9) % 10000), '/page'), rand(10) / 4294967296. * 100 \
             FROM numbers({first}, {count})"
        );
        client.query(&insert).execute().await?;
    }
    Ok(())
}

fn create(table: &str, key: &str) -> String {
    format!(
        "CREATE TABLE bench.{table} (team_id UInt32, event LowCardinality(String), distinct_id String, uuid UUID, \
         timestamp DateTime64(3), properties String, url String, duration Float32) ENGINE = MergeTree \
         PARTITION BY toYYYYMM(timestamp) ORDER BY {key}"
    )
}

async fn plain_copy(client: &Client) -> Result<Duration, Box<dyn Error>> {
    client.query(&create("plain", NEW_KEY)).execute().await?;
    let began = Instant::now();
    client.query("INSERT INTO bench.plain SELECT * FROM bench.events").execute().await?;
    let took = began.elapsed();
    client.query("DROP TABLE bench.plain SYNC").execute().await?;
    Ok(took)
}

/// What the journal says of a run up to the cutover.
struct Run {
    /// Seconds.
    backfill: f64,
    /// Seconds.
    verify: f64,
    told: String,
}

fn our_copy(dir: &Path, config: &Path) -> Result<Run, Box<dyn Error>> {
    let tool = |code: i32, args: &[&str]| -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).env(AS_TOOL, "1").env("SHARDWRIGHT_CONFIG", config).current_dir(dir);
        let output = command.output()?;
        if output.status.code() == Some(code) {
            return Ok(());
        }
        Err(format!("{args:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    };
    tool(0, &["plan", "--sql", &format!("ALTER TABLE bench.events MODIFY ORDER BY {NEW_KEY}")])?;
    tool(4, &["execute", "plan.json", "--auto-approve", "reversible"])?;
    let journal = fs::read_to_string(dir.join("plan.json.journal.jsonl"))?;
    let done = |step: &str| -> Result<(f64, String), Box<dyn Error>> {
        let records = journal.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut done = records.filter(|record| record["step"] == step && record["milliseconds"].is_u64());
        let record = done.next().ok_or_else(|| format!("the journal has no end of {step}"))?;
        let milliseconds = record["milliseconds"].as_f64().unwrap_or_default();
        Ok((milliseconds / 1000.0, record["evidence"].as_str().unwrap_or_default().to_owned()))
    };
    let ((backfill, told), (verify, _)) = (done("backfill.s1")?, done("verify.s1")?);
    tool(0, &["rollback", "plan.json"])?;
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("plan.json")) {
            fs::remove_file(path)?;
        }
    }
    Ok(Run { backfill, verify, told })
}
