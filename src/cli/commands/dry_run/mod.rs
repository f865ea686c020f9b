//! `dry-run`: carries a plan out on a sandbox, forward, back, forward again and to its end, and reports.

mod ground;
mod rehearsal;
mod sample;
mod stage;
mod writers;

use std::fs;
use std::path::{Path, PathBuf};

use super::super::args::{DryRun, Global};
use super::super::connect::{Connected, connect_to};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::Interrupts;
use super::super::output::{data, say};
use super::planned;
use crate::plan::Plan;
use crate::plan::file::Sealed;
use crate::rehearse::{Report, Verdict};
use crate::sandbox::{self, SandboxOptions};
use crate::server::Cluster;

/// The sandbox of a dry run that was given none.
const DIR: &str = ".shardwright/dry-run";
/// Shards of that sandbox; more would tell nothing new.
const SHARDS_MAX: u32 = 2;

/// Where the rows come from that a table is filled with, and how many are wanted over all shards.
enum Rows {
    Generated(u64),
    Sample { count: u64, from: Box<Cluster> },
}

impl Rows {
    fn count(&self) -> u64 {
        match self {
            Self::Generated(count) | Self::Sample { count, .. } => *count,
        }
    }
}

pub(in super::super) async fn run(global: &Global, args: &DryRun) -> Result<Exit, Failure> {
    let sealed = planned::read(&args.plan)?;
    let rows = match args.sample {
        Some(count) => Rows::Sample { count, from: Box::new(planned::cluster_of(global, &sealed.plan).await?) },
        None => Rows::Generated(args.rows),
    };
    let own = args.on.is_none();
    let work = async {
        let config = match &args.on {
            Some(config) => config.clone(),
            None => start_sandbox(&sealed.plan).await?,
        };
        let connected = connect_to(&config).await?;
        refuse_target(&connected, &sealed.plan)?;
        rehearsal::rehearse(&connected, &sealed, args, &rows).await
    };
    // Whatever happens, and when somebody presses Ctrl-C, what was started is stopped.
    let mut interrupts = Interrupts::listen()?;
    let result = tokio::select! {
        result = work => result,
        () = interrupts.next() => Err(Failure::new("interrupted").hint("what the dry run made on a sandbox of yours is left there; the next dry run of this plan removes it")),
    };
    if own && !args.keep {
        sandbox::down(Path::new(DIR), false, &mut |line| say(line)).await?;
    }
    let (report, exit) = result?;
    keep(&args.plan, &report)?;
    tell(&args.plan, &sealed, &report);
    Ok(exit)
}

async fn start_sandbox(plan: &Plan) -> Result<PathBuf, Failure> {
    let dir = Path::new(DIR);
    sandbox::down(dir, false, &mut |line| say(line)).await?;
    let shards = plan.sizes.len().try_into().unwrap_or(SHARDS_MAX).clamp(1, SHARDS_MAX);
    let options = SandboxOptions { shards, ..SandboxOptions::new(dir) };
    Ok(sandbox::up(&options, &mut |line| say(line)).await?.config_path())
}

/// A rehearsal writes, drops and swaps: only where a config says that this is what the cluster is for.
fn refuse_target(connected: &Connected, plan: &Plan) -> Result<(), Failure> {
    if !connected.config.sandbox {
        return Err(Failure::new(
            "the cluster to rehearse on is not a sandbox: its config file lacks `sandbox = true`",
        )
        .hint("only a cluster that may be written to at will takes a dry run; `sandbox up` starts one"));
    }
    let own: Vec<String> =
        plan.cluster.replicas.iter().map(|replica| format!("{}:{}", replica.host, replica.port)).collect();
    let shared = connected
        .cluster
        .topology()
        .replicas()
        .map(crate::topology::Replica::address)
        .find(|address| own.contains(address));
    match shared {
        None => Ok(()),
        Some(address) => {
            Err(Failure::new(format!("{address} belongs to the plan's own cluster; a dry run never touches it"))
                .hint("leave out --on, and the dry run starts a sandbox of its own"))
        }
    }
}

/// Where the report on a plan is kept.
pub(super) fn report_path(plan: &Path, extension: &str) -> PathBuf {
    let mut path = std::ffi::OsString::from(plan);
    path.push(format!(".dry-run.{extension}"));
    path.into()
}

fn keep(plan: &Path, report: &Report) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(report).map_err(|error| Failure::of(&error))? + "\n";
    for (extension, text) in [("json", json), ("md", report.markdown())] {
        let path = report_path(plan, extension);
        fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

fn tell(path: &Path, sealed: &Sealed, report: &Report) {
    data(&report.markdown());
    say(&format!("kept as {} and .md", report_path(path, "json").display()));
    match report.verdict {
        Verdict::Passed => {
            say(&format!("plan {} passed its dry run", sealed.plan.id));
            planned::suggest("execute", path);
        }
        Verdict::Failed => say(&format!("plan {} FAILED its dry run", sealed.plan.id)),
    }
}

/// What is known of dry runs of this very plan, in a sentence.
pub(super) fn known(path: &Path, sealed: &Sealed) -> String {
    let report =
        fs::read_to_string(report_path(path, "json")).ok().and_then(|text| serde_json::from_str::<Report>(&text).ok());
    match report {
        Some(report) if report.plan_sha256 == sealed.sha256 => match report.verdict {
            Verdict::Passed => format!("this very plan has passed a dry run on {}", report.on),
            Verdict::Failed => format!("this very plan has FAILED a dry run on {}", report.on),
        },
        Some(_) => "another plan was dry-run under this name; this one has not been".to_owned(),
        None => "this plan has not been dry-run".to_owned(),
    }
}
