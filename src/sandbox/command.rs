//! Programs that are run to their end: package managers, and questions to other tools.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

const POLL: Duration = Duration::from_millis(50);
const TERM_WAIT: Duration = Duration::from_secs(5);
/// Of an answer; what is asked for is a line or two.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// The first executable file called `program` in `search_path`.
pub(super) fn search(program: &str, search_path: &OsStr) -> Option<PathBuf> {
    let executable =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    std::env::split_paths(search_path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(program)).find(executable)
}

/// Runs a program to its end, its output appended to the file `log`; `Err` says how it ended.
///
/// It has a process group of its own, which ends with it, after `limit`, or when the future is dropped: whatever pip or
/// apt-get had started does not go on alone. `tick` is called about once a second.
pub(super) async fn run(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    tick: &mut dyn FnMut(),
) -> Result<(), String> {
    let opened = File::options().create(true).append(true).open(log);
    let streams = opened.and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = streams.map_err(|error| format!("opening {}: {error}", log.display()))?;
    let child = command.stdout(out).stderr(err).process_group(0).spawn();
    let mut group = Group::new(child.map_err(|error| error.to_string())?);
    match group.wait(limit, tick).await {
        Err(error) => Err(error.to_string()),
        Ok(None) => Err(format!("took more than {} s", limit.as_secs())),
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(status.to_string()),
    }
}

/// What a program answers on stdout; `Err` is its stderr or how it ended. Blocks, at most for `limit`.
pub(super) fn ask(command: &mut Command, limit: Duration) -> Result<String, String> {
    let failed = |error: io::Error| error.to_string();
    let (mut out, mut err) = (tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?);
    command.stdin(Stdio::null()).stdout(out.try_clone().map_err(failed)?).stderr(err.try_clone().map_err(failed)?);
    let mut group = Group::new(command.process_group(0).spawn().map_err(failed)?);
    let deadline = Instant::now() + limit;
    loop {
        match group.try_wait().map_err(failed)? {
            Some(status) if status.success() => return text(&mut out).map_err(failed),
            Some(status) => {
                let said = text(&mut err).map_err(failed)?;
                return Err(if said.trim().is_empty() { status.to_string() } else { said.trim().to_owned() });
            }
            None if Instant::now() >= deadline => return Err(format!("no answer within {} s", limit.as_secs())),
            None => std::thread::sleep(POLL),
        }
    }
}

fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = vec![];
    file.rewind()?;
    file.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The leader of a process group. Dropped before it has ended or was let go, it takes the group with it.
pub(super) struct Group {
    leader: Child,
    left: bool,
}

impl Group {
    pub(super) fn new(leader: Child) -> Self {
        Self { leader, left: false }
    }

    /// Lets it live on.
    pub(super) fn leave(mut self) {
        self.left = true;
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    async fn wait(&mut self, limit: Duration, tick: &mut dyn FnMut()) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let mut ticks = 0;
        while begun.elapsed() < limit {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            if begun.elapsed().as_secs() > ticks {
                ticks = begun.elapsed().as_secs();
                tick();
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(None)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let pid = i32::try_from(self.leader.id()).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| !self.left && matches!(self.leader.try_wait(), Ok(None))) else { return };
        // Not reaped before the last signal: until then the number is this group's and nobody else's.
        let ended = || {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            !matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(None))
        };
        let _ = rustix::process::kill_process_group(pid, Signal::TERM);
        let deadline = Instant::now() + TERM_WAIT;
        while !ended() && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        let _ = self.leader.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command
    }

    #[test]
    fn only_executable_files_are_programs() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("java");
        fs::write(&file, "").unwrap();
        assert_eq!(search("java", dir.path().as_os_str()), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(search("java", dir.path().as_os_str()), Some(file));
    }

    #[test]
    fn an_answer_is_stdout_or_what_went_wrong() {
        let limit = Duration::from_secs(20);
        assert_eq!(ask(&mut sh("echo 3 11"), limit).as_deref(), Ok("3 11\n"));
        assert_eq!(ask(&mut sh("echo no daemon >&2; exit 1"), limit), Err("no daemon".to_owned()));
        assert_eq!(ask(&mut sh("exit 3"), limit), Err("exit status: 3".to_owned()));
        let begun = Instant::now();
        assert_eq!(ask(&mut sh("sleep 60"), Duration::from_millis(100)), Err("no answer within 0 s".to_owned()));
        assert!(begun.elapsed() < limit);
    }

    #[tokio::test]
    async fn a_dropped_run_takes_its_children_along() {
        let dir = tempfile::tempdir().unwrap();
        let child = dir.path().join("child");
        let script = format!("sleep 60 & echo $! > {0}.new && mv {0}.new {0}; wait", child.display());
        let log = dir.path().join("log");
        let (mut command, mut tick) = (sh(&script), || ());
        tokio::select! {
            ended = run(&mut command, &log, Duration::from_mins(1), &mut tick) => panic!("{ended:?}"),
            () = async { while !child.exists() { tokio::time::sleep(POLL).await; } } => {}
        }
        let stat = format!("/proc/{}/stat", fs::read_to_string(&child).unwrap().trim());
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        for _ in 0..100 {
            if !lives() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("the child of the dropped command still runs");
    }
}
