//! A throw-away ClickHouse cluster of real processes on loopback, to rehearse plans on.
//!
//! Everything a sandbox is lives in one directory: `state.json` (shape and ports), one directory a member with its
//! configs, data, logs and `process` record, and the `shardwright.toml` that leads to it. Nothing is kept in memory:
//! [`up`], [`down`] and [`status`] each look at the directory and at `/proc`, so any of them may be killed and run again.
//!
//! - `layout`: where things are, and which ports;
//! - `render`: the text of the config files, from the ones in `cluster-configs/`;
//! - `debian`: the engine, Debian's packages `clickhouse-server` and `zookeeper`; others go beside it;
//! - `process`: start, recognise, signal and stop a process that is not our child;
//! - `ready`: bounded checks that a member serves.

mod debian;
mod error;
mod http;
mod layout;
mod lifecycle;
mod ports;
mod process;
mod ready;
mod render;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::error::SandboxError;
pub use self::layout::{Member, ReplicaPorts};
pub use self::lifecycle::{Sandbox, down, up};
pub use self::status::{MemberState, MemberStatus, SandboxStatus, status};

/// The name of a sandbox's cluster in `remote_servers`.
pub const CLUSTER: &str = "main";

/// Where a sandbox is when nobody says otherwise, under the current directory.
pub const DEFAULT_DIR: &str = ".shardwright/sandbox";

/// What [`up`] is asked for.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The sandbox's own directory; made if it is not there.
    pub dir: PathBuf,
    /// Number of shards, from 1.
    pub shards: u32,
    /// Replicas of each shard, from 1.
    pub replicas: u32,
    /// What runs the servers.
    pub engine: EngineChoice,
    /// May missing packages be installed, when running as root on Debian?
    pub install: bool,
    /// Where programs are looked for, as in `PATH`; the environment's `PATH` if none.
    pub search_path: Option<OsString>,
}

impl SandboxOptions {
    /// Two shards of two replicas in `dir`, whichever engine there is, installed if need be.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            shards: 2,
            replicas: 2,
            engine: EngineChoice::default(),
            install: true,
            search_path: None,
        }
    }
}

/// Which engine a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The first that this machine can run.
    #[default]
    Auto,
    /// Debian's packages.
    Debian,
}

impl EngineChoice {
    fn resolve(self) -> Engine {
        match self {
            Self::Auto | Self::Debian => Engine::Debian,
        }
    }
}

/// The engine that a sandbox was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Processes from Debian's packages `clickhouse-server` and `zookeeper`.
    Debian,
}
