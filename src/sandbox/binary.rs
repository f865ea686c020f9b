//! The engine made of the official executable `clickhouse`: `clickhouse server` for each replica, one `clickhouse keeper`.
//!
//! Untested against the real executable where this was written; its command lines, config files and life cycle are
//! tested with a stand-in.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::command::{ask, search};
use super::layout::{Layout, Member};
use super::process::Program;
use super::{SandboxError, files, render};

const ASK: Duration = Duration::from_secs(20);
/// Before, Keeper was an experiment.
const MAJOR_MIN: u32 = 22;

/// Where the executable is.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    path: PathBuf,
}

impl Binary {
    /// The executable in `search_path`; `Err` says why there is none that will do.
    pub(super) fn find(search_path: &OsStr) -> Result<Self, String> {
        let path = search("clickhouse", search_path).ok_or("no `clickhouse` on PATH")?;
        let answer = ask(Command::new(&path).args(["server", "--version"]), ASK)
            .map_err(|why| format!("{} server --version: {why}", path.display()))?;
        match major(&answer) {
            Some(MAJOR_MIN..) => Ok(Self { path }),
            _ => Err(format!("{}: not {MAJOR_MIN}.x or later: {:?}", path.display(), answer.trim())),
        }
    }

    /// Writes the member's config files; data that is there stays.
    pub(super) fn configure(layout: &Layout, member: Member) -> Result<(), SandboxError> {
        match member {
            Member::Keeper => {
                let dir = layout.member_dir(member);
                let config = render::keeper_config(&dir, &layout.state);
                files::write(&dir, &["data"], &[("keeper_config.xml", config)])
            }
            Member::Replica(id) => files::write_server(layout, id),
        }
    }

    /// What to run for this member.
    pub(super) fn program(&self, layout: &Layout, member: Member) -> Program {
        let dir = layout.member_dir(member);
        let (args, env) = match member {
            Member::Keeper => {
                let config = dir.join("keeper_config.xml").into_os_string();
                (vec!["keeper".into(), "--config-file".into(), config], vec![])
            }
            Member::Replica(id) => {
                let args = std::iter::once("server".into()).chain(files::server_arguments(layout, id));
                (args.collect(), files::server_environment(layout, id))
            }
        };
        Program { path: self.path.clone(), args, env, dir }
    }
}

/// Of `ClickHouse server version 25.8.1.5101 (official build).`
fn major(version: &str) -> Option<u32> {
    version.split_once(" version ")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ReplicaId;
    use crate::sandbox::Engine;
    use crate::sandbox::layout::State;

    #[test]
    fn versions_are_read_with_care() {
        assert_eq!(major("ClickHouse server version 25.8.1.5101 (official build).\n"), Some(25));
        assert_eq!(major("clickhouse: command line tools"), None);
    }

    #[test]
    fn command_lines() {
        let state = State::new(Engine::Binary, 1, 1, &[2181, 8121, 9001, 9101, 9234]);
        let layout = Layout { dir: "/sandbox".into(), state };
        let binary = Binary { path: "/usr/bin/clickhouse".into() };
        let line = |member| {
            let Program { args, env, .. } = binary.program(&layout, member);
            let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            [env.join(" "), args.join(" ")].join(" ").trim().to_owned()
        };
        insta::assert_snapshot!(line(Member::Keeper), @"keeper --config-file /sandbox/keeper/keeper_config.xml");
        insta::assert_snapshot!(line(Member::Replica(ReplicaId::new(1, 1))), @"SHARDWRIGHT_HTTP_PORT=8121 SHARDWRIGHT_NATIVE_PORT=9001 SHARDWRIGHT_INTERSERVER_PORT=9101 SHARDWRIGHT_SHARD=1 SHARDWRIGHT_REPLICA=r1 server --config-file /sandbox/s1r1/config.xml");
    }
}
