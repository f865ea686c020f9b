//! A machine of stand-ins: a folder of scripts as `PATH`, a cache folder and a place for a sandbox.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use shardwright::sandbox::{Engine, EngineChoice, SandboxError, SandboxOptions, down, up};

use crate::harness::{block_on, fresh_dir};

const WAIT: Duration = Duration::from_mins(2);

/// A machine of its own: a folder of programs, a cache, a place for a sandbox.
pub(crate) struct Machine {
    pub(crate) dir: PathBuf,
}

impl Machine {
    /// With nothing but the programs that shell scripts need.
    pub(crate) fn bare() -> Self {
        let dir = fresh_dir();
        fs::create_dir_all(dir.join("bin")).unwrap();
        Self { dir }
    }

    /// With a `python3` whose pip does `install` in the directory `$target`, and which cannot run a server.
    pub(crate) fn new(install: &str) -> Self {
        let machine = Self::bare();
        machine.python(install);
        machine
    }

    pub(crate) fn python(&self, install: &str) {
        let script = format!(
            r#"#!/bin/sh
for word; do target=$before; before=$word; done
case "$*" in
  *sys.executable*) echo 3 11 "$0" ;;
  *"pip --version") echo pip 23 ;;
  *"pip install"*) echo run >> "{0}/installs"; mkdir -p "$target/chdb" && echo engine > "$target/chdb/_chdb.so"; {install} ;;
  *engine_version*) [ -s "$PYTHONPATH/chdb/_chdb.so" ] && echo 26.9.2.1 ;;
  *) echo no server here >&2; exit 1 ;;
esac
"#,
            self.dir.display()
        );
        self.program("python3", &script);
    }

    /// Puts a program into its `bin`.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let (file, new) = (self.dir.join("bin").join(name), self.dir.join("program.new"));
        // A shell that still reads the old one goes on reading it.
        fs::write(&new, script).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &file).unwrap();
    }

    pub(crate) fn options(&self) -> SandboxOptions {
        SandboxOptions {
            engine: EngineChoice::Only(Engine::Chdb),
            search_path: Some(format!("{}/bin:/usr/bin:/bin", self.dir.display()).into()),
            cache_dir: Some(self.dir.join("cache")),
            ..SandboxOptions::new(self.dir.join("sandbox"))
        }
    }

    /// Brings a sandbox up, which fails in the end since no server runs here; what was said, and the error.
    pub(crate) fn up(&self) -> (String, SandboxError) {
        let mut said = vec![];
        let error = block_on(up(&self.options(), &mut |line| said.push(line.to_owned()))).unwrap_err();
        (said.join("\n"), error)
    }

    pub(crate) fn installs(&self) -> usize {
        fs::read_to_string(self.dir.join("installs")).unwrap_or_default().lines().count()
    }

    pub(crate) fn environment(&self) -> PathBuf {
        self.dir.join("cache/shardwright/chdb-26.9.0")
    }

    /// `shardwright sandbox …`, as a process.
    pub(crate) fn tool(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_shardwright"))
            .arg("sandbox")
            .args(args)
            .arg("--dir")
            .arg(self.dir.join("sandbox"))
            .env("PATH", format!("{}/bin:/usr/bin:/bin", self.dir.display()))
            .env("XDG_CACHE_HOME", self.dir.join("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let sandbox = self.dir.join("sandbox");
        // That of a stand-in for docker has no processes, and its docker is not ours.
        let down = if sandbox.join("docker-compose.yml").exists() {
            Ok(true)
        } else {
            block_on(down(&sandbox, false, &mut |_| {}))
        };
        let removed = down
            .map_err(|error| error.to_string())
            .and_then(|_| fs::remove_dir_all(&self.dir).map_err(|error| error.to_string()));
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

pub(crate) fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Processes at work in a directory or below it, as every member of a sandbox is.
pub(crate) fn processes_in(dir: &Path) -> Vec<u32> {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&dir))).collect()
}

#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {WAIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn pid_in(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
}

/// Ctrl-C.
#[track_caller]
pub(crate) fn interrupt(tool: &Child) {
    let sent = Command::new("kill").args(["-INT", &tool.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
