//! A throw-away ClickHouse cluster of real processes on loopback, to rehearse plans on.
//!
//! Everything a sandbox is lives in one directory: `state.json` (shape and ports), one directory a member with its
//! configs, data, logs and `process` record, and the `shardwright.toml` that leads to it. Nothing is kept in memory:
//! [`up`], [`down`] and [`status`] each look at the directory and at `/proc`, so any of them may be killed and run again.
//!
//! - `layout`: where things are, and which ports;
//! - `render`: the text of the config files, from the ones in `cluster-configs/`;
//! - `engine`: what there is to run servers with, and which is taken: `docker`, `binary`, `chdb` or `debian`;
//! - `environment`, `python`: the wheel that `chdb` needs, installed once for all sandboxes;
//! - `compose`: the containers' compose file; `files`: what ordinary servers have in common;
//! - `command`: programs that are run to their end;
//! - `process`: start, recognise, signal and stop a process that is not our child;
//! - `ports`, `holder`: free ports, and who has one that is not;
//! - `ready`: bounded checks that a member serves.

mod binary;
mod chdb;
mod command;
mod compose;
mod debian;
mod docker;
mod engine;
mod environment;
mod error;
mod files;
mod holder;
mod http;
mod layout;
mod lifecycle;
mod ports;
mod process;
mod python;
mod ready;
mod render;
mod room;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;

pub use self::engine::{Engine, EngineChoice};
pub use self::error::SandboxError;
pub use self::layout::{Member, ReplicaPorts};
pub use self::lifecycle::{Sandbox, down, up, up_unless};
pub use self::process::{is_running, this_process};
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
    /// Replicas of each shard, from 1; [`Engine::default_replicas`] if none.
    pub replicas: Option<u32>,
    /// What runs the servers.
    pub engine: EngineChoice,
    /// May what is missing be installed: packages as root on Debian, a wheel in the cache folder?
    pub install: bool,
    /// Where programs are looked for, as in `PATH`; the environment's `PATH` if none.
    pub search_path: Option<OsString>,
    /// The user's cache folder; the environment's `XDG_CACHE_HOME` or `~/.cache` if none.
    pub cache_dir: Option<PathBuf>,
}

impl SandboxOptions {
    /// Two shards in `dir`, of two replicas where there is replication, whichever engine there is, installed if need be.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            shards: 2,
            replicas: None,
            engine: EngineChoice::default(),
            install: true,
            search_path: None,
            cache_dir: None,
        }
    }

    fn search_path(&self) -> OsString {
        self.search_path.clone().or_else(|| std::env::var_os("PATH")).unwrap_or_default()
    }
}
