//! The engines: which there are, and which is chosen.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::binary::Binary;
use super::chdb::Chdb;
use super::debian::Debian;
use super::docker::Docker;
use super::layout::{Layout, Member};
use super::process::Program;
use super::{SandboxError, SandboxOptions};

/// Which engine a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The first of [`Engine::ORDER`] that this machine can run.
    #[default]
    Auto,
    /// This one or none.
    Only(Engine),
}

/// What runs the servers of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Containers of the official images.
    Docker,
    /// Processes of the executable `clickhouse`, servers and Keeper.
    Binary,
    /// Processes of the Python package `chdb-core`; no replication.
    Chdb,
    /// Processes from Debian's packages `clickhouse-server` and `zookeeper`.
    Debian,
}

impl Engine {
    /// The order in which `auto` looks: current servers with replication first, then current ones without, then old.
    pub const ORDER: [Self; 4] = [Self::Docker, Self::Binary, Self::Chdb, Self::Debian];

    /// As it is written on the command line and in `state.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Binary => "binary",
            Self::Chdb => "chdb",
            Self::Debian => "debian",
        }
    }

    /// Is there replication, with Keeper or ZooKeeper, and ON CLUSTER?
    #[must_use]
    pub fn replicates(self) -> bool {
        self != Self::Chdb
    }

    /// Replicas of each shard when nobody says how many.
    #[must_use]
    pub fn default_replicas(self) -> u32 {
        if self.replicates() { 2 } else { 1 }
    }

    /// What it is, for people.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Docker => "containers of the official images, with Keeper",
            Self::Binary => "processes of `clickhouse`, with Keeper",
            Self::Chdb => "processes of ClickHouse 26.9.2 from PyPI; shards, but no replication and no ON CLUSTER",
            Self::Debian => "processes of Debian's ClickHouse 18.16.1, with ZooKeeper",
        }
    }

    fn probe(self, options: &SandboxOptions) -> Result<(), String> {
        if !self.replicates() && options.replicas.is_some_and(|replicas| replicas > 1) {
            return Err("it has no replication".to_owned());
        }
        match self {
            Self::Docker => Docker::find(&options.search_path()).map(drop),
            Self::Binary => Binary::find(&options.search_path()).map(drop),
            Self::Chdb => Chdb::probe(options),
            Self::Debian => Debian::probe(options),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The engine for a sandbox in `dir`: the one that it was made with, the one that is asked for, or the first that fits.
pub(super) fn choose(
    options: &SandboxOptions,
    dir: &Path,
    known: Option<Engine>,
    progress: &mut dyn FnMut(&str),
) -> Result<Engine, SandboxError> {
    match (options.engine, known) {
        (EngineChoice::Only(asked), Some(engine)) if asked != engine => {
            Err(SandboxError::OtherEngine { dir: dir.to_owned(), engine })
        }
        (EngineChoice::Only(engine), None) if !engine.replicates() && options.replicas.is_some_and(|n| n > 1) => {
            Err(SandboxError::NoReplication(engine))
        }
        (_, Some(engine)) | (EngineChoice::Only(engine), None) => Ok(engine),
        (EngineChoice::Auto, None) => first_fitting(options, progress),
    }
}

fn first_fitting(options: &SandboxOptions, progress: &mut dyn FnMut(&str)) -> Result<Engine, SandboxError> {
    let mut passed = vec![];
    for engine in Engine::ORDER {
        match engine.probe(options) {
            Ok(()) => {
                progress(&format!("engine {engine}: {}", engine.summary()));
                for (engine, why) in &passed {
                    progress(&format!("  not {engine}: {why}"));
                }
                return Ok(engine);
            }
            Err(why) => passed.push((engine, why)),
        }
    }
    Err(SandboxError::NoEngine(passed))
}

/// An engine whose programs are there.
#[derive(Debug, Clone)]
pub(super) enum Provided {
    Docker(Docker),
    Binary(Binary),
    Chdb(Chdb),
    Debian(Debian),
}

impl Provided {
    /// Finds the engine's programs; installs what is missing if that is possible and allowed.
    pub(super) async fn get(
        engine: Engine,
        options: &SandboxOptions,
        dir: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, SandboxError> {
        let unusable = |why| SandboxError::Unusable { engine, why };
        Ok(match engine {
            Engine::Docker => Self::Docker(Docker::find(&options.search_path()).map_err(unusable)?),
            Engine::Binary => Self::Binary(Binary::find(&options.search_path()).map_err(unusable)?),
            Engine::Chdb => Self::Chdb(Chdb::provide(options, progress).await?),
            Engine::Debian => Self::Debian(Debian::provide(options, dir, progress).await?),
        })
    }

    /// Writes the member's config files; data that is there stays.
    pub(super) fn configure(&self, layout: &Layout, member: Member) -> Result<(), SandboxError> {
        match self {
            Self::Docker(_) => Docker::configure(layout),
            Self::Binary(_) => Binary::configure(layout, member),
            Self::Chdb(_) => Chdb::configure(layout, member),
            Self::Debian(_) => Debian::configure(layout, member),
        }
    }

    /// What to run for this member; none if it is a container.
    pub(super) fn program(&self, layout: &Layout, member: Member) -> Option<Program> {
        Some(match self {
            Self::Docker(_) => return None,
            Self::Binary(binary) => binary.program(layout, member),
            Self::Chdb(chdb) => chdb.program(layout, member),
            Self::Debian(debian) => debian.program(layout, member),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn options(bin: &Path) -> SandboxOptions {
        SandboxOptions {
            install: false,
            search_path: Some(bin.as_os_str().to_owned()),
            cache_dir: Some(bin.join("cache")),
            ..SandboxOptions::new(bin.join("sandbox"))
        }
    }

    fn put(bin: &Path, name: &str, script: &str) {
        let file = bin.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn chosen(options: &SandboxOptions, known: Option<Engine>) -> (Result<Engine, SandboxError>, String) {
        let mut said = vec![];
        let engine = choose(options, &options.dir, known, &mut |line| said.push(line.to_owned()));
        (engine, said.join("\n"))
    }

    #[test]
    fn auto_takes_the_first_that_fits_and_says_why_not_the_others() {
        let bin = tempfile::tempdir().unwrap();
        put(bin.path(), "docker", "echo no daemon here >&2; exit 1");
        put(bin.path(), "python3", "echo 3 11 /usr/bin/python3");
        put(bin.path(), "clickhouse", "echo ClickHouse server version 21.3.1.1.");
        let fetched = SandboxOptions { install: true, ..options(bin.path()) };
        let (engine, said) = chosen(&fetched, None);
        assert_eq!(engine.unwrap(), Engine::Chdb);
        assert!(
            said.starts_with("engine chdb: processes of ClickHouse 26.9.2 from PyPI; shards, but no repl"),
            "{said}"
        );
        assert!(said.contains("  not docker: no daemon here\n"), "{said}");
        assert!(said.contains("  not binary: ") && said.contains("21.3.1.1"), "{said}");

        put(bin.path(), "clickhouse", "echo ClickHouse server version 25.8.1.1.");
        assert_eq!(chosen(&fetched, None).0.unwrap(), Engine::Binary);
        put(bin.path(), "docker", "exit 0");
        assert_eq!(chosen(&fetched, None).0.unwrap(), Engine::Docker);
    }

    #[test]
    fn replicas_asked_for_are_not_quietly_dropped() {
        let bin = tempfile::tempdir().unwrap();
        put(bin.path(), "python3", "echo 3 11 /usr/bin/python3");
        let two = SandboxOptions { replicas: Some(2), ..options(bin.path()) };
        let error = chosen(&two, None).0.unwrap_err();
        assert!(error.to_string().contains("chdb: it has no replication"), "{error}");
        assert!(error.to_string().contains("docker: no `docker` on PATH"), "{error}");
        let only = SandboxOptions { engine: EngineChoice::Only(Engine::Chdb), ..two };
        assert!(matches!(chosen(&only, None).0, Err(SandboxError::NoReplication(Engine::Chdb))));
    }

    #[test]
    fn a_sandbox_keeps_its_engine() {
        let bin = tempfile::tempdir().unwrap();
        assert_eq!(chosen(&options(bin.path()), Some(Engine::Debian)).0.unwrap(), Engine::Debian);
        let other = SandboxOptions { engine: EngineChoice::Only(Engine::Chdb), ..options(bin.path()) };
        let error = chosen(&other, Some(Engine::Debian)).0.unwrap_err();
        assert!(error.to_string().ends_with("holds a sandbox of engine debian"), "{error}");
        assert!(error.hint().is_some());
    }
}
