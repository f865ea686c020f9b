//! Times the copy of a table to another sorting key on ClickHouse 26.9.2: a plain `INSERT SELECT`, which proves nothing, against
//! `shardwright execute` up to the cutover, which compares every chunk before it is attached and every row afterwards.
//!
//! `cargo run --release --example backfill_benchmark`; with a number of rows as an argument, so many instead of 20 million.
//!
//! Rounds alternate, and each figure is told. One shard, no writers; whatever else the machine does shows.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod bench;

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::{Place, create};
use clickhouse::Client;

const ROUNDS: u32 = 3;
const SOURCE_KEY: &str = "(team_id, toDate(timestamp), event, cityHash64(distinct_id))";
const NEW_KEY: &str = "(event, team_id, timestamp)";

fn main() -> ExitCode {
    bench::run(rounds)
}

async fn rounds(place: &Place<'_>) -> Result<(), Box<dyn Error>> {
    let Place { client, rows, .. } = *place;
    place.load(SOURCE_KEY, "number % 10368000").await?;
    let sql =
        "SELECT sum(data_uncompressed_bytes), sum(bytes_on_disk) FROM system.parts WHERE table = 'events' AND active";
    let (plain, compressed): (u64, u64) = client.query(sql).fetch_one().await?;
    let gigabytes = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    println!("{rows} rows, {}, {} on disk", gigabytes(plain), gigabytes(compressed));
    let (mut plains, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        plains.push(plain_copy(client).await?);
        let run = our_copy(place)?;
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

fn our_copy(place: &Place<'_>) -> Result<Run, Box<dyn Error>> {
    let dir = place.dir;
    let tool = |code: i32, args: &[&str]| -> Result<(), Box<dyn Error>> {
        let output = place.tool(args)?.output()?;
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
