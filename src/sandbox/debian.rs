//! The engine made of Debian's packages: ClickHouse 18.16.1 and ZooKeeper 3.8 on bookworm.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::command::{run, search};
use super::layout::{Layout, Member};
use super::process::Program;
use super::{SandboxError, SandboxOptions, files, ready, render};
use crate::names::ReplicaId;

const ZOOKEEPER_JAR: &str = "/usr/share/java/zookeeper.jar";
const ZOOKEEPER_CLASS_PATH: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
const UPDATE_SECONDS_MAX: u64 = 300;
const INSTALL_SECONDS_MAX: u64 = 1200;
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What a package's scripts call to start a service. Ours come first in dpkg's PATH and do nothing.
const SERVICE_STARTERS: [&str; 2] = ["invoke-rc.d", "deb-systemd-invoke"];

/// Where the programs are.
#[derive(Debug, Clone)]
pub(super) struct Debian {
    server: PathBuf,
    java: PathBuf,
}

impl Debian {
    /// Finds the programs; installs their packages if they are missing and that is possible and allowed.
    pub(super) async fn provide(
        options: &SandboxOptions,
        dir: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, SandboxError> {
        let search_path = options.search_path();
        let packages = match Self::find(&search_path) {
            Ok(found) => return Ok(found),
            Err(packages) => packages,
        };
        let Some(apt_get) = apt_get(options) else { return Err(SandboxError::Missing { packages }) };
        install(&apt_get, &packages, dir, progress).await?;
        Self::find(&search_path).map_err(|packages| SandboxError::Missing { packages })
    }

    /// Can this machine run it, perhaps after an installation? `Err` says why not.
    pub(super) fn probe(options: &SandboxOptions) -> Result<(), String> {
        match Self::find(&options.search_path()) {
            Err(packages) if apt_get(options).is_none() => {
                Err(format!("packages not installed: {}", packages.join(", ")))
            }
            _ => Ok(()),
        }
    }

    /// The programs, or the packages that would bring the missing ones.
    fn find(search_path: &OsStr) -> Result<Self, Vec<&'static str>> {
        let server = search("clickhouse-server", search_path);
        let java = search("java", search_path);
        let zookeeper = Path::new(ZOOKEEPER_JAR).exists();
        match (server, java) {
            (Some(server), Some(java)) if zookeeper => Ok(Self { server, java }),
            (server, java) => {
                let wanted = [
                    (server.is_none(), "clickhouse-server"),
                    (!zookeeper, "zookeeper"),
                    (java.is_none(), "default-jre-headless"),
                ];
                Err(wanted.into_iter().filter_map(|(missing, package)| missing.then_some(package)).collect())
            }
        }
    }

    /// Writes the member's config files; data that is there stays.
    pub(super) fn configure(layout: &Layout, member: Member) -> Result<(), SandboxError> {
        match member {
            Member::Keeper => {
                let zoo_cfg = render::zoo_cfg(layout.state.keeper_port);
                files::write(&layout.member_dir(member), &["data"], &[("zoo.cfg", zoo_cfg)])
            }
            Member::Replica(id) => files::write_server(layout, id),
        }
    }

    /// What to run for this member.
    pub(super) fn program(&self, layout: &Layout, member: Member) -> Program {
        let dir = layout.member_dir(member);
        match member {
            Member::Keeper => self.zookeeper(dir),
            Member::Replica(id) => self.clickhouse(dir, layout, id),
        }
    }

    fn zookeeper(&self, dir: PathBuf) -> Program {
        let args = [
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            // The sandbox need not survive a power cut, and its disk may be slow.
            "-Dzookeeper.forceSync=no",
            "-Dzookeeper.preAllocSize=1024",
            "-cp",
            ZOOKEEPER_CLASS_PATH,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            "./zoo.cfg",
        ];
        Program { path: self.java.clone(), args: args.map(OsString::from).to_vec(), env: vec![], dir }
    }

    fn clickhouse(&self, dir: PathBuf, layout: &Layout, id: ReplicaId) -> Program {
        let args = files::server_arguments(layout, id).to_vec();
        Program { path: self.server.clone(), args, env: files::server_environment(layout, id), dir }
    }
}

/// `apt-get`, where it may be used: as root on Debian, if the options allow it.
fn apt_get(options: &SandboxOptions) -> Option<PathBuf> {
    let may_install = rustix::process::geteuid().is_root() && Path::new("/etc/debian_version").exists();
    search("apt-get", &options.search_path()).filter(|_| options.install && may_install)
}

/// `apt-get update` and `apt-get install`, without starting the services that the packages bring.
async fn install(
    apt_get: &Path,
    packages: &[&str],
    dir: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(), SandboxError> {
    let log = dir.join("install.log");
    let shadow = dir.join("no-services");
    write_service_starters(&shadow).map_err(SandboxError::io("writing to", &shadow))?;
    let dpkg_path = format!("DPkg::Path={}:{SYSTEM_PATH}", shadow.display());
    progress("apt-get update");
    apt(apt_get, &["update", "-q"], UPDATE_SECONDS_MAX, &log).await?;
    progress(&format!("apt-get install -y {} (its output: {})", packages.join(" "), log.display()));
    let options = ["install", "-y", "-q", "--no-install-recommends", "-o", &dpkg_path];
    let installed = apt(apt_get, &[&options, packages].concat(), INSTALL_SECONDS_MAX, &log).await;
    fs::remove_dir_all(&shadow).map_err(SandboxError::io("removing", &shadow))?;
    installed
}

fn write_service_starters(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for name in SERVICE_STARTERS {
        let file = dir.join(name);
        fs::write(&file, "#!/bin/sh\nexit 0\n")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

async fn apt(apt_get: &Path, args: &[&str], seconds_max: u64, log: &Path) -> Result<(), SandboxError> {
    let mut command = Command::new(apt_get);
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    run(&mut command, log, Duration::from_secs(seconds_max), &mut || ()).await.map_err(|why| SandboxError::Install {
        why: format!("apt-get {}: {why}", args[0]),
        log: log.to_owned(),
        tail: ready::tail(log),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn missing_packages_are_named_with_the_command_that_installs_them() {
        let dir = tempfile::tempdir().unwrap();
        let options = SandboxOptions {
            install: false,
            search_path: Some(dir.path().as_os_str().to_owned()),
            ..SandboxOptions::new(dir.path())
        };
        let error = Debian::provide(&options, dir.path(), &mut |_| {}).await.unwrap_err();
        let hint = error.hint().unwrap();
        assert!(error.to_string().starts_with("packages not installed: clickhouse-server"), "{error}");
        assert!(hint.starts_with("apt-get update && apt-get install -y clickhouse-server"), "{hint}");
        assert!(hint.contains("default-jre-headless"), "{hint}");
    }

    /// A stand-in for apt-get that says what it was told and lets a package's script try to start its service.
    #[tokio::test]
    async fn installing_starts_no_service() {
        let dir = tempfile::tempdir().unwrap();
        let apt_get = dir.path().join("apt-get");
        let script = "#!/bin/sh\necho \"$@\"\ncase $1 in install) PATH=${6#DPkg::Path=} invoke-rc.d nothing start || exit 3;; esac\n";
        fs::write(&apt_get, script).unwrap();
        fs::set_permissions(&apt_get, fs::Permissions::from_mode(0o755)).unwrap();
        let mut said = vec![];
        install(&apt_get, &["zookeeper"], dir.path(), &mut |line| said.push(line.to_owned())).await.unwrap();
        let log = fs::read_to_string(dir.path().join("install.log")).unwrap();
        assert!(log.starts_with("update -q\ninstall -y -q --no-install-recommends -o DPkg::Path="), "{log}");
        assert!(log.ends_with(" zookeeper\n"), "{log}");
        assert_eq!(said.len(), 2);
        assert!(!dir.path().join("no-services").exists());
    }

    #[tokio::test]
    async fn a_failed_installation_says_where_its_output_is() {
        let dir = tempfile::tempdir().unwrap();
        let error = install(Path::new("/bin/false"), &["zookeeper"], dir.path(), &mut |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("apt-get update: exit status: 1"), "{error}");
        assert!(error.to_string().contains("install.log"), "{error}");
    }
}
