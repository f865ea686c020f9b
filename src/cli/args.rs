//! The arguments.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use super::exit_code::Exit;
use crate::plan::Gate;
use crate::sandbox::{Engine, EngineChoice};

/// Changes the schema of live, sharded ClickHouse tables: plan, review, carry out step by step, roll back or finalize.
#[derive(Debug, Parser)]
#[command(name = "shardwright", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) color: Color,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done or no change; 1 error; 2 plan has changes (--detailed-exitcode); 3 blocked by \
findings; 4 waiting for approval; 5 stale plan or drift; 6 verification failed; 7 locked by another run; 8 outcome in doubt; \
64 wrong usage.";

/// What every command that talks to a cluster takes.
#[derive(Debug, clap::Args)]
pub(super) struct Global {
    /// The config file: cluster, endpoints, user.
    #[arg(long, global = true, env = "SHARDWRIGHT_CONFIG", default_value = "shardwright.toml")]
    pub(super) config: PathBuf,
    /// Say more about what is going on.
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub(super) fn apply(self) {
        let choice = match self {
            Self::Auto => return,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show clusters, shards, replicas, tables and how replicas differ.
    Inspect(Inspect),
    /// Plan a change of a table: ALTERs, other keys, or a wanted CREATE TABLE. Changes nothing.
    Plan(Plan),
    /// Compare sorting keys by the queries that are really run. Changes no table.
    ///
    /// The workload is read from `system.query_log` of all replicas. On one replica, in a scratch database that is dropped in the
    /// end, tables with a sample of the real rows get one key each, and are asked what they would read for each query.
    Evaluate(Evaluate),
    /// Look at migration files without a cluster: what each statement would do to a live table.
    Lint(Lint),
    /// Show a plan as a table, runbook, page, picture, graph or SQL.
    Show(Show),
    /// Rehearse a plan on a sandbox: forward, back, forward again and to its end.
    DryRun(DryRun),
    /// Approve a gate beforehand.
    Approve(Approve),
    /// Carry a plan out, or on from where it stands.
    ///
    /// A file PLAN.pause, SIGUSR1 or `pause = true` under [throttle] in the config file lets nothing more begin, until the file is
    /// gone, SIGUSR2 comes or the line is changed. The limits under [throttle] are read again before every chunk.
    Execute(Execute),
    /// Say how far a plan has come.
    Status(Status),
    /// Compare source and shadow now. Changes nothing.
    Verify(PlanFile),
    /// Undo everything that a plan has done.
    Rollback(Rollback),
    /// Drop old data and everything else that the plan made: the point of no return.
    Finalize(Finalize),
    /// Start and stop a local cluster to try things on.
    Sandbox(Sandbox),
    /// Show all of it on a cluster of its own: fill a table, change its key, roll back, change it for good.
    Demo(Demo),
}

#[derive(Debug, clap::Args)]
pub(super) struct PlanFile {
    /// The plan's file.
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rollback {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// Go back although rows of the new table and of the old data differ, for this reason, which is kept in the journal.
    /// What only the new table has is lost then.
    #[arg(long, value_name = "REASON")]
    pub(super) despite_differences: Option<String>,
    /// Take the lock from the run that holds it: that run stops before its next statement, and what it left running is ended.
    /// Not needed after a crash on this machine.
    #[arg(long)]
    pub(super) take_over: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Finalize {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// Take the lock from the run that holds it: that run stops before its next statement, and what it left running is ended.
    /// Not needed after a crash on this machine.
    #[arg(long)]
    pub(super) take_over: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// Only this table, in detail, with what feeds it and what it reaches: DB.T.
    #[arg(long, value_name = "DB.T")]
    pub(super) table: Option<String>,
    /// As tables for people, or as JSON.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TableOrJson,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum TableOrJson {
    #[default]
    Table,
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Evaluate {
    /// The table, or a Distributed table over it: DB.T.
    #[arg(long, value_name = "DB.T")]
    pub(super) table: String,
    /// A sorting key to compare with today's: '(a, toDate(b))'. As often as there are keys.
    #[arg(long = "order-by", value_name = "KEY", required_unless_present = "suggest")]
    pub(super) order_by: Vec<String>,
    /// Search for keys, with the measurements as judge.
    #[arg(long)]
    pub(super) suggest: bool,
    /// Keys that the search tries, at most.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(super) budget: u64,
    /// How far back the logs are read: 90m, 12h, 7d.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = window)]
    pub(super) window: u64,
    /// Queries from a file too, with semicolons between them; a comment `-- count: N` before one says how often it is run.
    #[arg(long, value_name = "FILE")]
    pub(super) queries: Option<PathBuf>,
    /// The queries of the file and no others: logs are not read.
    #[arg(long, requires = "queries")]
    pub(super) no_log: bool,
    /// Groups of queries that are measured, at most: those that read most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) limit: u64,
    /// Bytes of rows in each twin, uncompressed, at most. A table of fewer is measured whole.
    #[arg(long, value_name = "N", default_value_t = 268_435_456, value_parser = clap::value_parser!(u64).range(1_000_000..=100_000_000_000))]
    pub(super) sample_bytes: u64,
    /// Show queries with their literals.
    #[arg(long)]
    pub(super) show_literals: bool,
    /// As tables for people, or as JSON.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TableOrJson,
}

/// A span of time in seconds, from `90m`, `12h`, `7d` and their like.
fn window(text: &str) -> Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    let unit = units.into_iter().find(|(unit, _)| text.ends_with(*unit));
    let seconds = unit.and_then(|(unit, seconds)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(seconds));
    // More than a century is a slip.
    seconds
        .filter(|seconds| (1..3_200_000_000).contains(seconds))
        .ok_or_else(|| "a number and s, m, h, d or w, such as 7d".to_owned())
}

#[derive(Debug, clap::Args)]
pub(super) struct Lint {
    /// Files of SQL; `-` is standard input. A comment `-- shardwright: allow SW027 REASON` beside a statement suppresses a finding.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// What the files are written in; `auto` decides for each by its words, and says so.
    #[arg(long, value_enum, default_value_t)]
    pub(super) dialect: LintDialect,
    /// For people, as JSON, or as SARIF 2.1.0 for code hosts.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: LintFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum LintDialect {
    #[default]
    Auto,
    Clickhouse,
    /// Output of Django's `sqlmigrate` included.
    Postgres,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LintFormat {
    #[default]
    Table,
    Json,
    Sarif,
}

#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// The change: any ALTER TABLE of columns, indexes, settings, TTL or rows; ALTER TABLE … MODIFY ORDER BY / PARTITION BY /
    /// PRIMARY KEY …; or the wanted CREATE TABLE. The table is the local one, or a Distributed one over it. Several ALTERs of one
    /// table, with semicolons between them, are planned together.
    #[arg(long, required_unless_present_any = ["file", "target"], conflicts_with_all = ["file", "target"])]
    pub(super) sql: Option<String>,
    /// A file with the change.
    #[arg(long)]
    pub(super) file: Option<PathBuf>,
    /// A file with the wanted CREATE TABLE: what the live table lacks is planned. A table that is so already is no change.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(super) target: Option<PathBuf>,
    /// Column OLD is column NEW of the wanted CREATE TABLE: its values stay. As often as there are such columns.
    #[arg(long = "rename", value_name = "OLD=NEW")]
    pub(super) renames: Vec<String>,
    /// Columns that the wanted CREATE TABLE lacks are dropped with their values and new ones are added, even of the same types.
    #[arg(long)]
    pub(super) drop_and_add: bool,
    /// How the change is carried out. There is one way for each change; another one than that is refused.
    #[arg(long, value_enum, default_value_t)]
    pub(super) strategy: StrategyChoice,
    /// Whether boundaries are drawn while writers write, or only once they are still.
    #[arg(long, value_enum, default_value_t)]
    pub(super) fence: FenceChoice,
    /// Where the plan is written.
    #[arg(short, long, default_value = "plan.json")]
    pub(super) output: PathBuf,
    /// What `evaluate --format json` said of the new sorting key. It is kept in the plan, and what reads more is found (SW073).
    #[arg(long, value_name = "FILE")]
    pub(super) evaluation: Option<PathBuf>,
    /// Drop columns, or take away defaults that come from columns, once nobody has used these for so long: 90m, 12h, 7d. The plan says who
    /// uses them, marks them as deprecated, and waits until the logs of all replicas show nobody; docs/retire.md has what counts.
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub(super) unread_for: Option<u64>,
    /// Reads by `*` alone do not hold the columns.
    #[arg(long, requires = "unread_for")]
    pub(super) except_star: bool,
    /// Accept a finding, with a reason that is kept in the plan: SW007='the table has no duplicates'.
    #[arg(long = "accept", value_name = "CODE=REASON")]
    pub(super) accepted: Vec<String>,
    /// Exit with 2 if the plan has changes, 0 if there is nothing to do.
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum StrategyChoice {
    /// What the change needs.
    #[default]
    Auto,
    /// A new table, a copy and a swap: for another sorting, primary or partition key.
    Mirror,
    /// ALTERs of definitions alone, on every table of the chain.
    #[value(name = "in_place", alias = "in-place")]
    InPlace,
    /// An ALTER for which the servers write parts anew, watched on every replica.
    Mutation,
    /// A new local table, every row sent to the shard of the new key, and a swap: for another sharding key.
    Reshard,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum FenceChoice {
    /// While writers write.
    #[default]
    Auto,
    /// Once a person has paused them.
    Manual,
    /// The same, and the plan itself detaches tables that read streams (Kafka and the like) and stops sends of Distributed
    /// tables for that moment.
    Feeds,
}

impl From<FenceChoice> for crate::plan::Fence {
    fn from(choice: FenceChoice) -> Self {
        match choice {
            FenceChoice::Auto => Self::Auto,
            FenceChoice::Manual => Self::Manual,
            FenceChoice::Feeds => Self::Feeds,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// How.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: ShowFormat,
    /// For `--format sql`: only this replica, such as s1r2.
    #[arg(long)]
    pub(super) replica: Option<crate::names::ReplicaId>,
    /// Write to this file instead of stdout.
    #[arg(short, long)]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// For the terminal.
    #[default]
    Table,
    /// A runbook that can be carried out by hand.
    Markdown,
    /// One page, self-contained.
    Html,
    /// A picture: shards down, stages across.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Mermaid.
    Mermaid,
    /// Statements by replica.
    Sql,
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct DryRun {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// The config file of the sandbox to rehearse on; without it, a sandbox is started and taken down again.
    #[arg(long, value_name = "CONFIG")]
    pub(super) on: Option<PathBuf>,
    /// Rows to fill the table with, over all shards.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(8..=100_000_000))]
    pub(super) rows: u64,
    /// Rows to copy from the plan's own cluster instead, over all shards: some of each partition. It is only read, with bounds.
    #[arg(long, value_name = "N", conflicts_with = "rows", value_parser = clap::value_parser!(u64).range(8..=100_000_000))]
    pub(super) sample: Option<u64>,
    /// Writers that insert all the while; the report says what became of their rows.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=64))]
    pub(super) writers: u64,
    /// Leave the sandbox, and what was made there, as it is in the end.
    #[arg(long)]
    pub(super) keep: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// The gate: start, cutover or finalize.
    #[arg(long, value_parser = gate)]
    pub(super) gate: Gate,
    /// Who approves; the user's login if not given.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown", value_parser = words)]
    pub(super) by: String,
    /// What there is to say.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = line)]
    pub(super) note: String,
}

/// Text that stays on one line of a terminal.
fn line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        Err("it has control characters in it".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// The same, and something must be said.
fn words(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { line(text) }
}

/// A gate by its name.
pub(super) fn gate(text: &str) -> Result<Gate, String> {
    let gates = [Gate::Start, Gate::Cutover, Gate::Finalize];
    gates
        .into_iter()
        .find(|gate| gate.name() == text)
        .ok_or_else(|| format!("there is no gate {text:?}; the gates are start, cutover and finalize"))
}

#[derive(Debug, clap::Args)]
pub(super) struct Execute {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// Stop before this step or gate.
    #[arg(long, value_name = "STEP|GATE")]
    pub(super) until: Option<String>,
    /// Ask before every step, not only at gates.
    #[arg(long)]
    pub(super) step: bool,
    /// Draw boundaries only once writers are still, as when a run has asked for it. That they are is looked at, not believed.
    #[arg(long)]
    pub(super) fence: bool,
    /// Approve what can be rolled back: the gate `start`. Never cutover, finalize or drift.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) auto_approve: Option<AutoApprove>,
    /// Take the lock from the run that holds it: that run stops before its next statement, and what it left running is ended.
    /// Not needed after a crash on this machine.
    #[arg(long)]
    pub(super) take_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AutoApprove {
    Reversible,
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// As a table for people, or as JSON.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TableOrJson,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    pub(super) command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SandboxCommand {
    /// Start a cluster on this machine's loopback, or heal one that was started before.
    Up(SandboxUp),
    /// Stop it and remove its data.
    Down(SandboxDown),
    /// Say what runs.
    Status(SandboxStatus),
}

#[derive(Debug, clap::Args)]
pub(super) struct SandboxUp {
    /// Number of shards.
    #[arg(long, default_value_t = 2)]
    pub(super) shards: u32,
    /// Replicas of each shard [default: 2 where the engine has replication, else 1].
    #[arg(long)]
    pub(super) replicas: Option<u32>,
    /// What runs the servers.
    ///
    /// `auto` takes the first of docker, binary, chdb and debian that this machine can run: a current ClickHouse before an old
    /// one, and what is there already before what has to be installed. With --replicas above 1, chdb is passed over. A sandbox
    /// keeps its engine until it is taken down.
    #[arg(long, value_enum, default_value_t)]
    pub(super) engine: SandboxEngine,
    /// Where the sandbox lives.
    #[arg(long, default_value = crate::sandbox::DEFAULT_DIR)]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum SandboxEngine {
    /// The first that this machine can run.
    #[default]
    Auto,
    /// Containers of the official images, with Keeper; needs `docker compose` and an engine that answers.
    Docker,
    /// Processes of the executable `clickhouse` on PATH, with Keeper.
    Binary,
    /// Processes of ClickHouse 26.9.2 from the wheel `chdb-core`, installed once into the cache folder; needs Python 3.9 to 3.14.
    /// Shards, but no replication and no ON CLUSTER.
    Chdb,
    /// Processes of Debian's packages: ClickHouse 18.16.1 and ZooKeeper; installs them when it is root on Debian.
    Debian,
}

impl From<SandboxEngine> for EngineChoice {
    fn from(asked: SandboxEngine) -> Self {
        match asked {
            SandboxEngine::Auto => Self::Auto,
            SandboxEngine::Docker => Self::Only(Engine::Docker),
            SandboxEngine::Binary => Self::Only(Engine::Binary),
            SandboxEngine::Chdb => Self::Only(Engine::Chdb),
            SandboxEngine::Debian => Self::Only(Engine::Debian),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct SandboxDown {
    /// Where the sandbox lives.
    #[arg(long, default_value = crate::sandbox::DEFAULT_DIR)]
    pub(super) dir: PathBuf,
    /// Keep the data for the next `up`.
    #[arg(long)]
    pub(super) keep_data: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SandboxStatus {
    /// Where the sandbox lives.
    #[arg(long, default_value = crate::sandbox::DEFAULT_DIR)]
    pub(super) dir: PathBuf,
    /// As a table for people, or as JSON.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: TableOrJson,
}

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Rows to load.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100_000..=50_000_000))]
    pub(super) rows: u64,
    /// What runs the servers; see `sandbox up --help`. With docker, binary or debian, shards have two replicas each.
    #[arg(long, value_enum, default_value_t = SandboxEngine::Chdb)]
    pub(super) engine: SandboxEngine,
    /// Leave the sandbox running at the end. Ctrl-C takes it down all the same.
    #[arg(long)]
    pub(super) keep: bool,
}

/// Prints what clap has to say: help and version are data, the rest is wrong usage.
pub(super) fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell if this fails.
    _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}
