//! What can go wrong with a sandbox.

use std::io;
use std::path::{Path, PathBuf};

use super::Engine;
use super::layout::Member;

/// Why a sandbox could not be started, stopped or asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// None of the engines can run here; each with the reason.
    #[error("no engine for a sandbox: {}", passed(.0))]
    NoEngine(Vec<(Engine, String)>),
    /// The engine that was asked for, or that the sandbox has, cannot run here.
    #[error("engine {engine}: {why}")]
    Unusable {
        /// Which one.
        engine: Engine,
        /// What is missing.
        why: String,
    },
    /// More than one replica was asked for.
    #[error("engine {0} has no replication")]
    NoReplication(Engine),
    /// The directory holds a sandbox of another engine.
    #[error("{} holds a sandbox of engine {engine}", dir.display())]
    OtherEngine {
        /// Where.
        dir: PathBuf,
        /// Its engine.
        engine: Engine,
    },
    /// Neither this Python nor a virtual environment has pip.
    #[error("{} has no pip, and can make no virtual environment with one", python.display())]
    NoPip {
        /// The Python.
        python: PathBuf,
    },
    /// An installation by somebody else did not end in time; the lock's file.
    #[error("another installation has held {} for too long", .0.display())]
    Installing(PathBuf),
    /// A command of the engine's own tool failed.
    #[error("{why}")]
    Engine {
        /// The command and how it ended.
        why: String,
        /// Everything that it wrote.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The disk is too full.
    #[error("{}: {} MB free, {} MB needed", dir.display(), free_bytes / 1_000_000, needed_bytes / 1_000_000)]
    NoRoom {
        /// A directory on it.
        dir: PathBuf,
        /// What we may use.
        free_bytes: u64,
        /// What it takes at least.
        needed_bytes: u64,
    },
    /// The person, or the system, asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The engine's packages are not installed, and installing them is not possible or not wanted.
    #[error("packages not installed: {}", packages.join(", "))]
    Missing {
        /// Debian's package names.
        packages: Vec<&'static str>,
    },
    /// `apt-get` or pip ended with an error or took too long.
    #[error("installing packages failed: {why}; its output is in {}", log.display())]
    Install {
        /// The exit status, or the time-out.
        why: String,
        /// Everything that it wrote.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Too many servers, or none.
    #[error("{shards} shards of {replicas} replicas: at least 1 of each, and at most {servers_max} servers in all")]
    Shape {
        /// Shards asked for.
        shards: u32,
        /// Replicas asked for.
        replicas: u32,
        /// The bound.
        servers_max: u32,
    },
    /// The directory holds a sandbox of another shape.
    #[error("{} holds a sandbox of {shards} shards of {replicas} replicas", dir.display())]
    OtherShape {
        /// Where.
        dir: PathBuf,
        /// Its shards.
        shards: u32,
        /// Its replicas of each shard.
        replicas: u32,
    },
    /// No sandbox there.
    #[error("no sandbox in {}", .0.display())]
    Absent(PathBuf),
    /// The state file is not one that this version writes.
    #[error("{}: {why}", file.display())]
    State {
        /// The state file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another `up` or `down` is at work in the directory.
    #[error("another command is at work on the sandbox in {}", .0.display())]
    Busy(PathBuf),
    /// The directory's path is not UTF-8, so that it cannot be written into config files.
    #[error("{}: not valid UTF-8", .0.display())]
    Path(PathBuf),
    /// No free port.
    #[error("no free port on 127.0.0.1 between {from} and {to}")]
    Ports {
        /// First port tried.
        from: u16,
        /// Last port tried.
        to: u16,
    },
    /// A port of the sandbox is somebody else's by now.
    #[error("{member} cannot listen on 127.0.0.1:{port}: {} does", holder.as_deref().unwrap_or("another program"))]
    PortTaken {
        /// Whose port it is.
        member: Member,
        /// Which one.
        port: u16,
        /// The program that listens there, if it could be found out.
        holder: Option<String>,
    },
    /// A member did not start, or did not serve in time.
    #[error("{member} is not ready: {why}")]
    NotReady {
        /// Which one.
        member: Member,
        /// What was seen last.
        why: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A process outlived SIGKILL.
    #[error("process {pid} of {member} did not end")]
    Unstoppable {
        /// Which one.
        member: Member,
        /// Its pid.
        pid: i32,
    },
    /// There is no such member, or it has no process.
    #[error("{0} is not running")]
    NotRunning(Member),
    /// A query over HTTP failed; the text is the server's or the connection's.
    #[error("{member}: {why}")]
    Query {
        /// Which replica.
        member: Member,
        /// The server's words, or the connection's.
        why: String,
    },
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

fn is_about_the_place(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    matches!(kind, NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem | StorageFull)
}

fn passed(engines: &[(Engine, String)]) -> String {
    let reasons: Vec<String> = engines.iter().map(|(engine, why)| format!("{engine}: {why}")).collect();
    reasons.join("; ")
}

impl SandboxError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { packages } => {
                Some(format!("apt-get update && apt-get install -y {} (as root)", packages.join(" ")))
            }
            Self::NoReplication(_) => {
                Some("leave --replicas out, or take --engine docker, binary or debian".to_owned())
            }
            Self::NoEngine(_) => Some(
                "start a container engine, put `clickhouse` or Python 3.9 or later on PATH, or use Debian as root"
                    .to_owned(),
            ),
            Self::Unusable { .. } => Some(
                "--engine auto takes the first engine that this machine can run; a sandbox keeps its engine until it is taken down"
                    .to_owned(),
            ),
            Self::PortTaken { .. } => Some(
                "end that program; or take the sandbox down with --keep-data, and the next `up` chooses other ports".to_owned(),
            ),
            Self::Io { source, .. } if is_about_the_place(source.kind()) => {
                Some("choose another place: --dir for the sandbox, XDG_CACHE_HOME for its engine".to_owned())
            }
            Self::NoPip { .. } => Some(
                "apt-get install -y python3-pip (or python3-venv); elsewhere: python3 -m ensurepip --user".to_owned(),
            ),
            Self::NoRoom { .. } => Some(
                "make room, or choose another place: --dir for the sandbox, XDG_CACHE_HOME for its engine".to_owned(),
            ),
            Self::OtherEngine { .. } | Self::OtherShape { .. } => {
                Some("take it down first, or choose another directory with --dir".to_owned())
            }
            Self::Absent(_) => Some("start one: shardwright sandbox up".to_owned()),
            Self::State { .. } => Some("remove the directory once none of its processes runs".to_owned()),
            Self::NotReady { log, tail, .. } | Self::Install { log, tail, .. } | Self::Engine { log, tail, .. } => {
                Some(format!("the end of {}:\n{tail}", log.display()))
            }
            _ => None,
        }
    }

    /// For `map_err`: an [`io::Error`] met while doing `what` to `path`.
    pub(super) fn io(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{what} {}", path.display());
        move |source| Self::Io { what, source }
    }
}
