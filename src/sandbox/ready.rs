//! Bounded checks that the members of a sandbox serve.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use super::layout::{Layout, Member};
use super::process::Identity;
use super::{CLUSTER, Engine, SandboxError, http};
use crate::names::ReplicaId;

/// Eight seconds are usual; a machine that is busy building needs a multiple.
const READY_SECONDS_MAX: u64 = 120;
const TOGETHER_SECONDS_MAX: u64 = 60;
const POLL: Duration = Duration::from_millis(100);
const ASK: Duration = Duration::from_secs(10);
/// ON CLUSTER returns once the statement is in the queue, whether the other replicas run or not.
const DDL_ASYNC: &str = "distributed_ddl_task_timeout=0";
const TAIL_LINES: usize = 20;
const TAIL_COLUMNS: usize = 200;
const TAIL_BYTES: u64 = 32 << 10;

/// Waits until `member` serves; fails as soon as its process is gone, also while a question is without an answer. A
/// container has no process of ours: there, only time ends the wait.
pub(super) async fn wait(layout: &Layout, member: Member, process: Option<&Identity>) -> Result<(), SandboxError> {
    let mut why = String::new();
    let serving = async {
        while let Err(reason) = ask(layout, member).await {
            why = reason;
            tokio::time::sleep(POLL).await;
        }
    };
    let gone = tokio::select! {
        () = serving => return Ok(()),
        gone = gone(process) => gone,
    };
    Err(if gone {
        not_ready(layout, member, "its process has ended")
    } else {
        not_ready(layout, member, &format!("after {READY_SECONDS_MAX} s: {why}"))
    })
}

/// False if it is still there in the end.
async fn gone(process: Option<&Identity>) -> bool {
    let limit = Duration::from_secs(READY_SECONDS_MAX);
    if let Some(process) = process {
        return process.wait_gone(limit).await;
    }
    tokio::time::sleep(limit).await;
    false
}

/// Waits until a query over all shards works from every replica, all of them serving by now; then, the servers' version.
pub(super) async fn wait_together(layout: &Layout) -> Result<String, SandboxError> {
    let deadline = Instant::now() + Duration::from_secs(TOGETHER_SECONDS_MAX);
    let mut version = String::new();
    for (&id, ports) in &layout.state.ports {
        let sql = format!("SELECT version(), count() FROM cluster('{CLUSTER}', system, one) FORMAT TabSeparated");
        let shards = format!("\t{}\n", layout.state.shards);
        loop {
            let why = match http::query(ports.http, "", &sql, ASK).await {
                Ok(answer) if answer.ends_with(&shards) => {
                    answer.trim_end_matches(&shards).clone_into(&mut version);
                    break;
                }
                Ok(answer) => format!("{sql}: {answer:?}"),
                Err(why) => why,
            };
            if Instant::now() >= deadline {
                return Err(not_ready(layout, Member::Replica(id), &format!("it does not reach every shard: {why}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(version)
}

async fn ask(layout: &Layout, member: Member) -> Result<(), String> {
    match member {
        // Its port is not published; the servers are asked whether they see it.
        Member::Keeper if layout.state.engine == Engine::Docker => Ok(()),
        Member::Keeper => ask_zookeeper(layout.state.keeper_port).await,
        Member::Replica(id) => ask_replica(layout, id).await,
    }
}

async fn ask_zookeeper(port: u16) -> Result<(), String> {
    match http::exchange(port, "srvr", ASK).await {
        Ok(answer) if answer.contains("Mode:") => Ok(()),
        Ok(answer) => Err(format!("unexpected answer to srvr: {answer:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The answers name this sandbox's ports and this replica's macros, so no other server on the port passes for ours.
async fn ask_replica(layout: &Layout, id: ReplicaId) -> Result<(), String> {
    let port = layout.state.ports[&id].http;
    if !http::ping(port, ASK).await {
        return Err("no answer to /ping".to_owned());
    }
    for (sql, expected) in questions(layout, id) {
        let answer = http::query(port, DDL_ASYNC, &sql, ASK).await?;
        if answer != expected {
            return Err(format!("{sql}: expected {expected:?}, got {answer:?}"));
        }
    }
    Ok(())
}

/// Statements and their only right answers.
fn questions(layout: &Layout, id: ReplicaId) -> Vec<(String, String)> {
    let mut questions = questions_on_shape(layout, id).to_vec();
    if layout.state.engine.replicates() {
        questions.extend(questions_on_keeper());
    }
    questions
}

fn questions_on_shape(layout: &Layout, id: ReplicaId) -> [(String, String); 2] {
    let replicas = layout.state.ports.iter();
    let cluster = replicas.map(|(id, ports)| format!("{}\t{}\t{}\n", id.shard, id.replica, ports.native));
    [
        (
            "SELECT substitution FROM system.macros ORDER BY macro FORMAT TabSeparated".to_owned(),
            format!("r{}\n{}\n", id.replica, id.shard),
        ),
        (
            format!(
                "SELECT shard_num, replica_num, port FROM system.clusters WHERE cluster = '{CLUSTER}' \
                 ORDER BY shard_num, replica_num FORMAT TabSeparated"
            ),
            cluster.collect(),
        ),
    ]
}

fn questions_on_keeper() -> [(String, String); 3] {
    [
        ("SELECT count() > 0 FROM system.zookeeper WHERE path = '/' FORMAT TabSeparated".to_owned(), "1\n".to_owned()),
        // After ZooKeeper was away, tables stay read-only until their next look at the session, and the DDL worker, which
        // has a session of its own, refuses ON CLUSTER for some seconds.
        (
            "SELECT count() FROM system.replicas WHERE is_session_expired FORMAT TabSeparated".to_owned(),
            "0\n".to_owned(),
        ),
        (format!("DROP TABLE IF EXISTS default.shardwright_ready ON CLUSTER {CLUSTER}"), String::new()),
    ]
}

/// `member` is not ready for the reason `why`; with the end of its log.
pub(super) fn not_ready(layout: &Layout, member: Member, why: &str) -> SandboxError {
    let log = layout.error_log(member);
    let tail = tail(&log);
    SandboxError::NotReady { member, why: why.to_owned(), log, tail }
}

/// The last lines of a log, without the frames of stack traces, each cut to a width that can be read.
pub(super) fn tail(log: &Path) -> String {
    let text = last_bytes(log).unwrap_or_default();
    let is_frame = |line: &str| line.split_once(". /").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty() && !is_frame(line))
        .map(|line| line.chars().take(TAIL_COLUMNS).collect())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn last_bytes(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_that_say_something() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(tail(&log), "");
        let lines: Vec<String> = (1..=30).map(|i| i.to_string()).collect();
        let frames = "\n0. /usr/sbin/clickhouse-server(+0x84c19) [0x55d826222c19]\n\n";
        std::fs::write(&log, lines.join("\n") + frames).unwrap();
        assert_eq!(tail(&log), lines[10..].join("\n"));
        std::fs::write(&log, "x".repeat(100_000)).unwrap();
        assert_eq!(tail(&log).len(), TAIL_COLUMNS);
    }
}
