//! Where a sandbox keeps things, its shape and its ports: `state.json` and the paths beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

use super::{Engine, SandboxError};
use crate::names::ReplicaId;

const FORMAT_VERSION: u32 = 1;
const STATE_FILE: &str = "state.json";

/// A process of a sandbox; written `keeper` or `s2r1`, which is also the name of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// ZooKeeper or ClickHouse Keeper; there is none where there is no replication.
    Keeper,
    /// A ClickHouse server.
    Replica(ReplicaId),
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keeper => f.write_str("keeper"),
            Self::Replica(id) => id.fmt(f),
        }
    }
}

impl Serialize for Member {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The ports of one replica on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaPorts {
    /// HTTP interface.
    pub http: u16,
    /// Native protocol; the one in `system.clusters`.
    pub native: u16,
    /// Fetches between replicas.
    pub interserver: u16,
}

/// What `state.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    format_version: u32,
    pub(super) engine: Engine,
    pub(super) shards: u32,
    pub(super) replicas: u32,
    /// What `SELECT version()` said when the sandbox was last brought up.
    #[serde(default)]
    pub(super) version: Option<String>,
    pub(super) keeper_port: u16,
    /// For Keeper's conversation with itself, where that has to have a port.
    #[serde(default)]
    pub(super) raft_port: Option<u16>,
    pub(super) ports: BTreeMap<ReplicaId, ReplicaPorts>,
}

/// A sandbox's directory and state.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Absolute and UTF-8, for config files.
    pub(super) dir: PathBuf,
    pub(super) state: State,
}

impl State {
    /// Takes the ports from `ports`: Keeper's, three for each replica, and what is left for Raft.
    pub(super) fn new(engine: Engine, shards: u32, replicas: u32, ports: &[u16]) -> Self {
        let ids = (1..=shards).flat_map(|shard| (1..=replicas).map(move |replica| ReplicaId::new(shard, replica)));
        let (keeper, servers) = ports.split_first().map_or((0, ports), |(first, rest)| (*first, rest));
        let (sets, rest) = servers.as_chunks::<3>();
        let ports =
            ids.zip(sets).map(|(id, &[http, native, interserver])| (id, ReplicaPorts { http, native, interserver }));
        Self {
            format_version: FORMAT_VERSION,
            engine,
            shards,
            replicas,
            version: None,
            keeper_port: keeper,
            raft_port: rest.first().copied(),
            ports: ports.collect(),
        }
    }

    /// How many ports a sandbox of this shape needs.
    pub(super) fn ports_needed(engine: Engine, shards: u32, replicas: u32) -> usize {
        1 + 3 * (shards * replicas) as usize + usize::from(engine == Engine::Binary)
    }

    /// Every port in use by this sandbox.
    pub(super) fn all_ports(&self) -> Vec<u16> {
        let servers = self.ports.values().flat_map(|ports| [ports.http, ports.native, ports.interserver]);
        std::iter::once(self.keeper_port).chain(servers).chain(self.raft_port).collect()
    }
}

impl Layout {
    /// The ports that a member listens on.
    pub(super) fn ports(&self, member: Member) -> Vec<u16> {
        match member {
            Member::Keeper => std::iter::once(self.state.keeper_port).chain(self.state.raft_port).collect(),
            Member::Replica(id) => {
                let ReplicaPorts { http, native, interserver } = self.state.ports[&id];
                let interserver = self.state.engine.replicates().then_some(interserver);
                [http, native].into_iter().chain(interserver).collect()
            }
        }
    }

    /// The sandbox in `dir`, or none if there is no state file.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, SandboxError> {
        let file = dir.join(STATE_FILE);
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file).map_err(SandboxError::io("reading", &file))?;
        let state: State = serde_json::from_str(&text)
            .map_err(|error| SandboxError::State { file: file.clone(), why: error.to_string() })?;
        if state.format_version != FORMAT_VERSION {
            let why = format!("format version {}, expected {FORMAT_VERSION}", state.format_version);
            return Err(SandboxError::State { file, why });
        }
        Ok(Some(Self { dir: absolute(dir)?, state }))
    }

    /// Writes the state file so that a reader sees the old one or the new one.
    pub(super) fn write(&self) -> Result<(), SandboxError> {
        let text = serde_json::to_string_pretty(&self.state)
            .map_err(|error| SandboxError::State { file: self.state_file(), why: error.to_string() })?;
        let new = self.dir.join("state.json.new");
        fs::write(&new, text + "\n").map_err(SandboxError::io("writing", &new))?;
        fs::rename(&new, self.state_file()).map_err(SandboxError::io("renaming", &new))
    }

    pub(super) fn state_file(&self) -> PathBuf {
        self.dir.join(STATE_FILE)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.dir.join("shardwright.toml")
    }

    pub(super) fn member_dir(&self, member: Member) -> PathBuf {
        self.dir.join(member.to_string())
    }

    /// Where the process leaves its identity; see `process`.
    pub(super) fn record(&self, member: Member) -> PathBuf {
        self.member_dir(member).join("process")
    }

    /// What the process writes to stdout and stderr.
    pub(super) fn output(&self, member: Member) -> PathBuf {
        self.member_dir(member).join("out.log")
    }

    /// Where the member says what went wrong: the file that a failed start is explained from.
    pub(super) fn error_log(&self, member: Member) -> PathBuf {
        let own = self.member_dir(member).join("server.err.log");
        if fs::metadata(&own).is_ok_and(|file| file.len() > 0) { own } else { self.output(member) }
    }

    /// All members, in the order in which they start.
    pub(super) fn members(&self) -> Vec<Member> {
        let servers = self.state.ports.keys().copied().map(Member::Replica);
        self.state.engine.replicates().then_some(Member::Keeper).into_iter().chain(servers).collect()
    }
}

/// `dir` as an absolute path that can be written into config files.
pub(super) fn absolute(dir: &Path) -> Result<PathBuf, SandboxError> {
    let path = std::path::absolute(dir).map_err(SandboxError::io("resolving", dir))?;
    if path.to_str().is_none() { Err(SandboxError::Path(path)) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_replica_gets_three_ports_of_its_own() {
        let ports: Vec<u16> = (20_000..).take(State::ports_needed(Engine::Debian, 3, 2)).collect();
        let state = State::new(Engine::Debian, 3, 2, &ports);
        assert_eq!(state.keeper_port, 20_000);
        assert_eq!(state.ports.len(), 6);
        assert_eq!(state.ports[&ReplicaId::new(3, 2)].interserver, 20_018);
        assert_eq!(state.all_ports(), ports);

        let ports: Vec<u16> = (20_000..).take(State::ports_needed(Engine::Binary, 1, 1)).collect();
        let state = State::new(Engine::Binary, 1, 1, &ports);
        assert_eq!(state.raft_port, Some(20_004));
        assert_eq!(state.all_ports(), ports);
    }

    #[test]
    fn the_state_file_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Layout::read(dir.path()).unwrap().is_none());
        let layout =
            Layout { dir: dir.path().to_owned(), state: State::new(Engine::Debian, 1, 1, &[2181, 8121, 9001, 9101]) };
        layout.write().unwrap();
        assert_eq!(Layout::read(dir.path()).unwrap().unwrap().state, layout.state);
    }

    #[test]
    fn a_state_file_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{"format_version":2,"engine":"debian","shards":1,"replicas":1,"keeper_port":1,"ports":{}}"#;
        fs::write(dir.path().join(STATE_FILE), text).unwrap();
        let error = Layout::read(dir.path()).unwrap_err();
        assert!(error.to_string().ends_with("format version 2, expected 1"), "{error}");
    }
}
