//! What the engines with ordinary servers have in common: the server's files and its environment.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::layout::{Layout, Member};
use super::{SandboxError, render};
use crate::names::ReplicaId;

/// Makes `dir` with the directories `subs` and writes `files` into it.
pub(super) fn write(dir: &Path, subs: &[&str], files: &[(&str, String)]) -> Result<(), SandboxError> {
    for sub in subs.iter().map(|sub| dir.join(sub)) {
        fs::create_dir_all(&sub).map_err(SandboxError::io("making", &sub))?;
    }
    for (name, text) in files {
        fs::write(dir.join(name), text).map_err(SandboxError::io("writing", &dir.join(name)))?;
    }
    Ok(())
}

/// The files of a server that reads `config.xml` and what is in `config.d`.
pub(super) fn write_server(layout: &Layout, id: ReplicaId) -> Result<(), SandboxError> {
    let dir = layout.member_dir(Member::Replica(id));
    let files = [
        ("config.xml", render::SERVER_XML.to_owned()),
        ("users.xml", render::USERS_XML.to_owned()),
        ("config.d/sandbox.xml", render::server_override(&dir, &layout.state)),
    ];
    write(&dir, &["data", "tmp", "config.d"], &files)
}

/// `--config-file …/config.xml`.
pub(super) fn server_arguments(layout: &Layout, id: ReplicaId) -> [OsString; 2] {
    let config = layout.member_dir(Member::Replica(id)).join("config.xml");
    ["--config-file".into(), config.into_os_string()]
}

/// What `config.xml` takes from the environment.
pub(super) fn server_environment(layout: &Layout, id: ReplicaId) -> Vec<(&'static str, String)> {
    let ports = layout.state.ports[&id];
    vec![
        ("SHARDWRIGHT_HTTP_PORT", ports.http.to_string()),
        ("SHARDWRIGHT_NATIVE_PORT", ports.native.to_string()),
        ("SHARDWRIGHT_INTERSERVER_PORT", ports.interserver.to_string()),
        ("SHARDWRIGHT_SHARD", id.shard.to_string()),
        ("SHARDWRIGHT_REPLICA", format!("r{}", id.replica)),
    ]
}
