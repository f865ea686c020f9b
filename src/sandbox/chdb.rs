//! The engine made of the Python package `chdb-core`: it carries the whole of ClickHouse 26.9.2, and an undocumented
//! statement makes it listen. Shards, Distributed tables and every modern feature; no interserver port and no DDL worker,
//! hence no replication and no ON CLUSTER.

use std::fs;
use std::path::PathBuf;

use super::environment::Environment;
use super::layout::{Layout, Member};
use super::process::Program;
use super::{SandboxError, SandboxOptions, render};

/// Listens, then sleeps for a century in a query that no default limit may end. `chdb.query` would not do: the server
/// embedded there has no listeners.
const SERVE: &str = r#"
import sys
from chdb import _chdb
_chdb.query(
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; "
    "SELECT sleepEachRow(3) FROM numbers(1000000000) FORMAT Null "
    "SETTINGS function_sleep_max_microseconds_per_block=0, max_block_size=1, max_execution_time=0, log_queries=0",
    "TabSeparated", path=sys.argv[1])
"#;

/// A whole environment and its Python.
#[derive(Debug, Clone)]
pub(super) struct Chdb {
    python: PathBuf,
    site: PathBuf,
}

impl Chdb {
    /// Can this machine run it, perhaps after an installation? `Err` says why not.
    pub(super) fn probe(options: &SandboxOptions) -> Result<(), String> {
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            return Err("there is no wheel for this processor".to_owned());
        }
        let damage = Environment::find(options)?.damage();
        match damage.filter(|_| !options.install) {
            Some(why) => Err(format!("not installed: {why}")),
            None => Ok(()),
        }
    }

    /// The environment, installed if need be and allowed.
    pub(super) async fn provide(
        options: &SandboxOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, SandboxError> {
        let unusable = |why| SandboxError::Unusable { engine: super::Engine::Chdb, why };
        Self::probe(options).map_err(unusable)?;
        let environment = Environment::find(options).map_err(unusable)?;
        environment.provide(&options.search_path(), progress).await?;
        Ok(Self { site: environment.site(), python: environment.python.path })
    }

    /// Writes the member's config files; data that is there stays.
    pub(super) fn configure(layout: &Layout, member: Member) -> Result<(), SandboxError> {
        let Member::Replica(id) = member else { return Ok(()) };
        let dir = layout.member_dir(member);
        fs::create_dir_all(dir.join("data")).map_err(SandboxError::io("making", &dir))?;
        let files = [
            ("config.xml", render::chdb_config(&dir, id, &layout.state)),
            ("users.xml", render::CHDB_USERS_XML.to_owned()),
        ];
        for (name, text) in files {
            fs::write(dir.join(name), text).map_err(SandboxError::io("writing", &dir.join(name)))?;
        }
        Ok(())
    }

    /// What to run for this member: it reads `config.xml` in its working directory.
    pub(super) fn program(&self, layout: &Layout, member: Member) -> Program {
        let args = ["-s", "-B", "-c", SERVE, "data"].map(Into::into).to_vec();
        let env = vec![("PYTHONPATH", self.site.to_string_lossy().into_owned())];
        Program { path: self.python.clone(), args, env, dir: layout.member_dir(member) }
    }
}
