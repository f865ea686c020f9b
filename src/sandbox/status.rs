//! What a sandbox is doing, as plain data.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::docker::Docker;
use super::layout::{Layout, Member};
use super::process::{Identity, Life};
use super::{Engine, SandboxError};

/// A sandbox and its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxStatus {
    /// Its directory, absolute.
    pub dir: PathBuf,
    /// Its `shardwright.toml`.
    pub config: PathBuf,
    /// What runs it.
    pub engine: Engine,
    /// The servers' version when they were last brought up.
    pub version: Option<String>,
    /// Number of shards.
    pub shards: u32,
    /// Replicas of each shard.
    pub replicas: u32,
    /// ZooKeeper or Keeper first, where there is one, then the servers by shard and replica.
    pub members: Vec<MemberStatus>,
}

/// One process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberStatus {
    /// Which one.
    pub member: Member,
    /// What its process is doing.
    pub state: MemberState,
    /// Its pid, while the process lives.
    pub pid: Option<i32>,
    /// HTTP port on 127.0.0.1; ZooKeeper has none.
    pub http_port: Option<u16>,
    /// Native port on 127.0.0.1; ZooKeeper's client port.
    pub port: u16,
}

/// What a member's process is doing. Running says nothing about serving: that is for `up` to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// There is a process.
    Running,
    /// There is a process, stopped by a signal.
    Paused,
    /// There is none.
    Stopped,
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

impl SandboxStatus {
    /// Does every member run?
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.members.iter().all(|member| member.state == MemberState::Running)
    }
}

/// The sandbox in `dir`; none if there is none.
pub fn status(dir: &Path) -> Result<Option<SandboxStatus>, SandboxError> {
    Layout::read(dir)?.as_ref().map(of).transpose()
}

pub(super) fn of(layout: &Layout) -> Result<SandboxStatus, SandboxError> {
    let members = match layout.state.engine {
        Engine::Docker => containers(layout)?,
        _ => layout.members().into_iter().map(|member| process(layout, member)).collect(),
    };
    Ok(SandboxStatus {
        dir: layout.dir.clone(),
        config: layout.config_file(),
        engine: layout.state.engine,
        version: layout.state.version.clone(),
        shards: layout.state.shards,
        replicas: layout.state.replicas,
        members,
    })
}

fn containers(layout: &Layout) -> Result<Vec<MemberStatus>, SandboxError> {
    let states = Docker::of_this_machine()?.states(layout)?;
    Ok(states.into_iter().map(|(member, state)| member_status(layout, member, state, None)).collect())
}

fn process(layout: &Layout, member: Member) -> MemberStatus {
    let process = Identity::read(&layout.record(member));
    let state = match process.as_ref().map(Identity::life) {
        Some(Life::Running | Life::Ending) => MemberState::Running,
        Some(Life::Paused) => MemberState::Paused,
        Some(Life::Gone) | None => MemberState::Stopped,
    };
    let pid = process.filter(|_| state != MemberState::Stopped).map(|process| process.pid.as_raw_nonzero().get());
    member_status(layout, member, state, pid)
}

fn member_status(layout: &Layout, member: Member, state: MemberState, pid: Option<i32>) -> MemberStatus {
    let (http_port, port) = match member {
        Member::Keeper => (None, layout.state.keeper_port),
        Member::Replica(id) => (Some(layout.state.ports[&id].http), layout.state.ports[&id].native),
    };
    MemberStatus { member, state, pid, http_port, port }
}
