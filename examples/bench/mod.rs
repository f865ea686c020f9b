//! What the benchmarks on a server have in common: one shard of ClickHouse 26.9.2, and a table of events there.

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use clickhouse::Client;
use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, EngineChoice, SandboxOptions, down, up};

/// Set for the child that is the command line of the tool.
const AS_TOOL: &str = "SHARDWRIGHT_BENCHMARK_AS_TOOL";
/// Rows of the table when nobody says otherwise.
const ROWS: u64 = 20_000_000;
const ROWS_AN_INSERT: u64 = 2_000_000;

/// Where a benchmark works.
pub(crate) struct Place<'a> {
    pub(crate) client: &'a Client,
    /// A directory for files.
    pub(crate) dir: &'a Path,
    /// The config file that leads to the server.
    pub(crate) config: &'a Path,
    /// Rows of the table.
    pub(crate) rows: u64,
}

/// Runs a benchmark on a server of its own, with as many rows as the argument says; or the tool, for the benchmark's children.
pub(crate) fn run(benchmark: impl AsyncFn(&Place<'_>) -> Result<(), Box<dyn Error>>) -> ExitCode {
    if std::env::var_os(AS_TOOL).is_some() {
        return shardwright::cli::run();
    }
    match tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| runtime.block_on(on_server(benchmark)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn on_server(benchmark: impl AsyncFn(&Place<'_>) -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(ROWS), |rows| rows.parse())?;
    let directory = tempfile::tempdir()?;
    let sandbox_dir = directory.path().join("sandbox");
    let options =
        SandboxOptions { shards: 1, engine: EngineChoice::Only(Engine::Chdb), ..SandboxOptions::new(&sandbox_dir) };
    let sandbox = up(&options, &mut |line| println!("{line}")).await?;
    let port = sandbox.replicas().find(|(id, _)| *id == ReplicaId::new(1, 1)).map(|(_, ports)| ports.http);
    let client = Client::default().with_url(format!("http://127.0.0.1:{}", port.ok_or("no replica")?));
    let (client, config) = (&client, &sandbox.config_path());
    let outcome = benchmark(&Place { client, dir: directory.path(), config, rows }).await;
    down(&sandbox_dir, false, &mut |_| {}).await?;
    outcome
}

impl Place<'_> {
    /// The tool with these arguments, in the directory.
    pub(crate) fn tool(&self, args: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).env(AS_TOOL, "1").env("SHARDWRIGHT_CONFIG", self.config).current_dir(self.dir);
        Ok(command)
    }

    /// Makes `bench.events` with this key, and fills it: skewed tenants and events, and times at this many seconds after the first.
    pub(crate) async fn load(&self, key: &str, seconds: &str) -> Result<(), Box<dyn Error>> {
        self.client.query("CREATE DATABASE bench").execute().await?;
        self.client.query(&create("events", key)).execute().await?;
        for first in (0..self.rows).step_by(usize::try_from(ROWS_AN_INSERT)?) {
            let count = ROWS_AN_INSERT.min(self.rows - first);
            let insert = format!(
                "INSERT INTO bench.events SELECT toUInt32(pow(rand(1) / 4294967296., 3) * 5000), \
                 ['pageview', 'click', 'identify', 'purchase', 'error'][1 + toUInt8(pow(rand(2) / 4294967296., 2) * 5)], \
                 concat('u', toString(rand(3) % 500000)), generateUUIDv4(), \
                 toDateTime64('2024-01-01 00:00:00', 3) + {seconds} + rand(11) % 1000 / 1000, \
                 concat('{{\"browser\":\"', ['Chrome', 'Safari', 'Firefox'][1 + rand(5) % 3], '\",\"version\":', \
                 toString(rand(6) % 100), ',\"screen\":\"', toString(rand(7) % 3000), 'x', toString(rand(8) % 2000), '\"}}'), \
                 concat('https://example.com/', toString(rand(9) % 10000), '/page'), rand(10) / 4294967296. * 100 \
                 FROM numbers({first}, {count})"
            );
            self.client.query(&insert).execute().await?;
        }
        Ok(())
    }
}

/// The statement that makes a table of events in `bench`.
pub(crate) fn create(table: &str, key: &str) -> String {
    format!(
        "CREATE TABLE bench.{table} (team_id UInt32, event LowCardinality(String), distinct_id String, uuid UUID, \
         timestamp DateTime64(3), properties String, url String, duration Float32) ENGINE = MergeTree \
         PARTITION BY toYYYYMM(timestamp) ORDER BY {key}"
    )
}
