//! Finding Python, and a pip, on this machine.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::command::{ask, run, search};

/// The wheel has its glue for 3.9 to 3.14 in one file tree.
const VERSIONS: std::ops::RangeInclusive<u32> = 9..=14;
const ASK: Duration = Duration::from_secs(20);
const VENV: Duration = Duration::from_mins(2);

/// A Python that the wheel runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) path: PathBuf,
    pub(super) version: (u32, u32),
}

impl Python {
    /// The first suitable one in `search_path`; `Err` says what was found instead.
    pub(super) fn find(search_path: &OsStr) -> Result<Self, String> {
        let numbered = VERSIONS.rev().map(|minor| format!("python3.{minor}"));
        let names = std::iter::once("python3".to_owned()).chain(numbered);
        let mut unfit = "no `python3` on PATH".to_owned();
        for path in names.filter_map(|name| search(&name, search_path)) {
            match Self::inspect(&path) {
                Ok(Self { version: (3, minor), path }) if VERSIONS.contains(&minor) => {
                    return Ok(Self { path, version: (3, minor) });
                }
                Ok(Self { version: (major, minor), .. }) => {
                    unfit = format!("{} is Python {major}.{minor}, not 3.9 to 3.14", path.display());
                }
                Err(why) => unfit = format!("{}: {why}", path.display()),
            }
        }
        Err(unfit)
    }

    /// A launcher may stand in its place (pyenv has them): asks for the program that really runs.
    fn inspect(path: &Path) -> Result<Self, String> {
        let script = "import sys; print(*sys.version_info[:2], sys.executable)";
        let answer = ask(Command::new(path).args(["-c", script]), ASK)?;
        let mut words = answer.trim().splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match (number(), number(), words.next()) {
            (Some(major), Some(minor), Some(path)) => Ok(Self { path: path.into(), version: (major, minor) }),
            _ => Err(format!("unexpected answer {answer:?}")),
        }
    }

    /// `python3 -m pip`, in this Python or, where it has none (Debian's without python3-pip), in a virtual environment
    /// made for the occasion under `scratch`: by `venv` (needs python3-venv there), else by `virtualenv`.
    pub(super) async fn pip(&self, search_path: &OsStr, scratch: &Path, log: &Path) -> Option<Vec<OsString>> {
        let pip = |python: &Path| vec![python.into(), OsString::from("-m"), "pip".into()];
        let works = |python: &Path| ask(Command::new(python).args(["-m", "pip", "--version"]), ASK).is_ok();
        if works(&self.path) {
            return Some(pip(&self.path));
        }
        let dir = scratch.join("pip");
        let mut venv = Command::new(&self.path);
        venv.args(["-m", "venv"]).arg(&dir);
        let virtualenv = search("virtualenv", search_path).map(|path| {
            let mut virtualenv = Command::new(path);
            virtualenv.arg("--python").arg(&self.path).arg(&dir);
            virtualenv
        });
        let inner = dir.join("bin/python");
        for mut make in std::iter::once(venv).chain(virtualenv) {
            let made = run(make.stdin(Stdio::null()), log, VENV, &mut || ()).await;
            if made.is_ok() && works(&inner) {
                return Some(pip(&inner));
            }
        }
        None
    }
}
