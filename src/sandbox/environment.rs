//! The directory with the wheel `chdb-core` in it: made once, in the user's cache, for all sandboxes.
//!
//! It is filled under another name, tried, listed in `files.json` and only then renamed to its own; so whatever has the
//! name was whole once, and a look at the list tells whether it still is. One installation at a time: a lock beside it,
//! which pip inherits, so that it is held until the last of them has ended even if we are killed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::command::{ask, run};
use super::python::Python;
use super::{SandboxError, SandboxOptions, room};

/// What pip is asked for. Its dependencies (pandas, pyarrow) serve data frames, not a server, and are left out.
const REQUIREMENT: &str = concat!("chdb-core==", "26.9.0");
const NAME: &str = "chdb-26.9.0";
const LIST: &str = "files.json";
const INSTALL: Duration = Duration::from_mins(20);
const IMPORT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(200);
const TICKS_PER_LINE: u32 = 5;
/// 150 MB of wheel, 560 MB of files, and room for pip's own copy of the wheel.
const NEEDED_BYTES: u64 = 900_000_000;

/// Where the environment is or will be, and the Python that uses it.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    dir: PathBuf,
    pub(super) python: Python,
}

impl Environment {
    /// Looks; installs nothing. `Err` says what is missing.
    pub(super) fn find(options: &SandboxOptions) -> Result<Self, String> {
        let cache = options.cache_dir.clone().or_else(default_cache_dir);
        let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
        let cache = std::path::absolute(cache).map_err(|error| format!("the cache folder: {error}"))?;
        let python = Python::find(&options.search_path())?;
        Ok(Self { dir: cache.join("shardwright").join(NAME), python })
    }

    /// Goes into `PYTHONPATH`.
    pub(super) fn site(&self) -> PathBuf {
        self.dir.join("site")
    }

    /// What is wrong with the files; none if all are as they were when they had been installed.
    pub(super) fn damage(&self) -> Option<String> {
        damage(&self.dir)
    }

    /// Installs what is not there or no longer whole.
    pub(super) async fn provide(
        &self,
        search_path: &OsStr,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), SandboxError> {
        if self.damage().is_none() {
            return Ok(());
        }
        let parent = self.dir.parent().unwrap_or(&self.dir);
        fs::create_dir_all(parent).map_err(SandboxError::io("making", parent))?;
        let lock = lock(&self.beside("lock"), progress).await?;
        match self.damage() {
            None => return Ok(()),
            Some(why) if self.dir.exists() => progress(&format!("{why}: installing it again")),
            Some(_) => {}
        }
        room::ensure(parent, NEEDED_BYTES)?;
        self.install(&lock, search_path, progress).await
    }

    fn beside(&self, extension: &str) -> PathBuf {
        // Not `with_extension`: the version has dots.
        let mut name = self.dir.clone().into_os_string();
        name.push(format!(".{extension}"));
        name.into()
    }

    async fn install(
        &self,
        lock: &File,
        search_path: &OsStr,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), SandboxError> {
        let (new, log) = (self.beside("new"), self.beside("log"));
        remove(&new)?;
        fs::create_dir_all(new.join("scratch")).map_err(SandboxError::io("making", &new))?;
        fs::write(&log, "").map_err(SandboxError::io("writing", &log))?;
        let filled = self.fill(&new, &log, lock, search_path, progress).await;
        let kept = match filled {
            Ok(()) => self.put_in_place(&new),
            Err(error) => Err(error),
        };
        if kept.is_err() {
            // The reason for the failure matters more than what is left: the next attempt removes it.
            let _ = remove(&new);
        }
        kept
    }

    async fn fill(
        &self,
        new: &Path,
        log: &Path,
        lock: &File,
        search_path: &OsStr,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), SandboxError> {
        let (site, scratch) = (new.join("site"), new.join("scratch"));
        let failed = |why: String| SandboxError::Install { why, log: log.to_owned(), tail: super::ready::tail(log) };
        let (major, minor) = self.python.version;
        let pip = self
            .python
            .pip(search_path, &scratch, log)
            .await
            .ok_or_else(|| SandboxError::NoPip { python: self.python.path.clone() })?;
        progress(&format!(
            "installing {REQUIREMENT} from PyPI with Python {major}.{minor} into {} (about 150 MB to download; \
             pip's output: {})",
            self.dir.display(),
            log.display()
        ));
        let mut pip = pip_install(&pip, &site, &scratch);
        pip.stdin(lock.try_clone().map_err(SandboxError::io("sharing the lock of", &self.dir))?);
        let mut ticks = 0;
        let mut tick = || {
            ticks += 1;
            if ticks % TICKS_PER_LINE == 0 {
                progress(&format!("installing: {ticks} s, {} MB written", bytes(new) / 1_000_000));
            }
        };
        run(&mut pip, log, INSTALL, &mut tick).await.map_err(|why| failed(format!("pip: {why}")))?;
        let version = self.import(&site).map_err(|why| failed(format!("it cannot be imported: {why}")))?;
        progress(&format!("installed ClickHouse {version}"));
        remove(&scratch)?;
        let text = serde_json::to_string(&sizes(new)).map_err(|error| failed(error.to_string()))?;
        fs::write(new.join(LIST), text).map_err(SandboxError::io("writing", new))
    }

    /// Does it load in this Python? Its version of ClickHouse.
    fn import(&self, site: &Path) -> Result<String, String> {
        let mut python = Command::new(&self.python.path);
        python.args(["-s", "-B", "-c", "import chdb; print(chdb.engine_version)"]).env("PYTHONPATH", site);
        ask(&mut python, IMPORT).map(|version| version.trim().to_owned())
    }

    /// Servers that run from the old files keep them open.
    fn put_in_place(&self, new: &Path) -> Result<(), SandboxError> {
        let old = self.beside("old");
        remove(&old)?;
        if self.dir.exists() {
            fs::rename(&self.dir, &old).map_err(SandboxError::io("renaming", &self.dir))?;
        }
        fs::rename(new, &self.dir).map_err(SandboxError::io("renaming", new))?;
        remove(&old)
    }
}

/// As the XDG Base Directory Specification has it: a relative path counts as unset.
fn default_cache_dir() -> Option<PathBuf> {
    let path = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")))
}

/// `--target` needs no virtual environment, leaves a distribution's own Python alone and can be renamed afterwards.
fn pip_install(pip: &[OsString], site: &Path, scratch: &Path) -> Command {
    let mut command = Command::new(&pip[0]);
    command
        .args(&pip[1..])
        .args(["install", "--no-deps", "--no-compile", "--only-binary=:all:", "--no-input", "--progress-bar=off"])
        .args(["--disable-pip-version-check", "--target"])
        .args([site.as_os_str(), OsStr::new(REQUIREMENT)])
        .env("TMPDIR", scratch);
    command
}

/// Waits for another installation, as long as one may take.
async fn lock(path: &Path, progress: &mut dyn FnMut(&str)) -> Result<File, SandboxError> {
    let file = File::create(path).map_err(SandboxError::io("opening", path))?;
    let begun = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(SandboxError::io("locking", path)(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= INSTALL => {
                return Err(SandboxError::Installing(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !std::mem::replace(&mut told, true) {
            progress("another command is installing the same: waiting for it");
        }
        tokio::time::sleep(POLL).await;
    }
}

fn damage(dir: &Path) -> Option<String> {
    let list = dir.join(LIST);
    let text = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) => return Some(format!("{}: {error}", list.display())),
    };
    let listed: BTreeMap<PathBuf, u64> = match serde_json::from_str(&text) {
        Ok(listed) => listed,
        Err(error) => return Some(format!("{}: {error}", list.display())),
    };
    let differs = |file: &Path, size: u64| fs::metadata(dir.join(file)).map_or(true, |meta| meta.len() != size);
    let file = listed.into_iter().find(|(file, size)| differs(file, *size))?.0;
    Some(format!("{} is missing or damaged", dir.join(file).display()))
}

/// Sizes in bytes of all files under `dir`, by their path from there. What cannot be read is left out.
fn sizes(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => dirs.push(entry.path()),
                Ok(meta) => drop(entry.path().strip_prefix(dir).map(|path| found.insert(path.to_owned(), meta.len()))),
                Err(_) => {}
            }
        }
    }
    found
}

fn bytes(dir: &Path) -> u64 {
    sizes(dir).values().sum()
}

fn remove(dir: &Path) -> Result<(), SandboxError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SandboxError::io("removing", dir)(error)),
        _ => Ok(()),
    }
}
