//! What the commands that take a plan have in common: its file, its journal, its cluster.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::args::Global;
use super::super::connect::connect;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::say;
use crate::journal;
use crate::plan::file::{PlanFileError, Sealed};
use crate::plan::{self, Plan};
use crate::server::Cluster;

/// Reads a plan's file; what the checker objects to is refused.
pub(super) fn read(path: &Path) -> Result<Sealed, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let sealed = plan::file::read(&text).map_err(|error| refused(path, &error))?;
    let objections = plan::check(&sealed.plan);
    if objections.is_empty() {
        return Ok(sealed);
    }
    let message = format!("{} does not pass the check: {}", path.display(), objections.join("; "));
    Err(Failure::new(message).hint("make the plan anew with this version"))
}

fn refused(path: &Path, error: &PlanFileError) -> Failure {
    let failure = Failure::of(error);
    let failure = Failure { message: format!("{}: {}", path.display(), failure.message), ..failure };
    match error {
        PlanFileError::Edited { .. } => failure
            .exit(Exit::Stale)
            .hint("what was reviewed is what is carried out: change the statement and plan again"),
        _ => failure,
    }
}

/// Where a plan's journal is.
pub(super) fn journal_path(plan: &Path) -> PathBuf {
    // A link to the plan leads to the plan's journal.
    let mut path = OsString::from(fs::canonicalize(plan).unwrap_or_else(|_| plan.to_owned()));
    path.push(".journal.jsonl");
    path.into()
}

/// How far a plan has come.
pub(super) fn progress(path: &Path, sealed: &Sealed) -> Result<journal::Progress, Failure> {
    Ok(journal::read(&journal_path(path), &sealed.sha256)?)
}

/// A plan's journal, locked.
pub(super) fn open_journal(path: &Path, sealed: &Sealed) -> Result<journal::File, Failure> {
    Ok(journal::File::open(&journal_path(path), &sealed.sha256, &now())?)
}

/// The cluster that a plan was made for; any other is refused.
pub(super) async fn cluster_of(global: &Global, plan: &Plan) -> Result<Cluster, Failure> {
    let connected = connect(global).await?;
    let found = connected.cluster.topology();
    let known: Vec<(_, &str, u16)> =
        plan.cluster.replicas.iter().map(|replica| (replica.id, replica.host.as_str(), replica.port)).collect();
    let there: Vec<(_, &str, u16)> =
        found.replicas().map(|replica| (replica.id, replica.host.as_str(), replica.port)).collect();
    if plan.cluster.name == found.cluster && known == there {
        return Ok(connected.cluster);
    }
    let list = |replicas: &[(crate::names::ReplicaId, &str, u16)]| -> String {
        let texts: Vec<String> = replicas.iter().map(|(id, host, port)| format!("{id}={host}:{port}")).collect();
        texts.join(" ")
    };
    Err(Failure::new(format!(
        "the plan was made for cluster {} ({}), but this is cluster {} ({})",
        plan.cluster.name,
        list(&known),
        found.cluster,
        list(&there)
    ))
    .exit(Exit::Stale)
    .hint("use the config file of the plan's cluster, or plan anew for this one"))
}

/// The time of day.
pub(super) fn now() -> String {
    jiff::Timestamp::try_from(SystemTime::now()).map_or_else(|_| String::new(), |now| format!("{now:.3}"))
}

/// The next command for a person to type.
pub(super) fn suggest(command: &str, plan: &Path) {
    say(&format!("next: shardwright {command} {}", shell_word(&plan.display().to_string())));
}

/// A word as a shell reads it back.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
