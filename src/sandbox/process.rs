//! Processes that outlive the command that started them.
//!
//! A pid alone is not an identity: it is reused. So each process, before it becomes the server, writes its own line of
//! `/proc/PID/stat` and the boot id into a record file. Pid, start time and boot id together are never reused, and since
//! the process itself writes them, a starter that is killed half-way leaves no process that nobody knows of.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::command::Group;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const POLL: Duration = Duration::from_millis(50);
const RECORD_SECONDS_MAX: u64 = 10;
/// A ClickHouse 18.16.1 that gets SIGTERM while it starts may miss it; a second one ends it at once, whatever it does.
const TERM_WAITS: [Duration; 2] = [Duration::from_secs(8), Duration::from_secs(8)];
const PAUSE_SECONDS_MAX: u64 = 10;
const KILL_SECONDS_MAX: u64 = 20;

/// `$1` is the record file, the rest the program and its arguments. The pid and the start time survive the exec.
const RECORD_THEN_EXEC: &str =
    r#"cat "/proc/$$/stat" /proc/sys/kernel/random/boot_id > "$1.new" && mv "$1.new" "$1" && shift && exec "$@""#;

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) dir: PathBuf,
}

/// A process that was started once, whether or not it still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: Pid,
    start_ticks: u64,
    boot_id: String,
}

/// This process, in one line for [`is_running`].
pub fn this_process() -> String {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    format!("{}|{}", text("/proc/self/stat"), text(BOOT_ID))
}

/// Whether the process that [`this_process`] described runs on this machine.
pub fn is_running(process: &str) -> bool {
    let record = process.rsplit_once('|').map(|(stat, boot_id)| format!("{stat}\n{boot_id}"));
    let Some(identity) = record.and_then(|record| Identity::parse(&record)) else { return false };
    !matches!(identity.life(), Life::Gone | Life::Ending)
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// Stopped by a signal.
    Paused,
    /// Its first thread has ended, others still hold its files and ports.
    Ending,
    /// Ended, or the pid is somebody else's by now.
    Gone,
}

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    pid: Pid,
    state: char,
    threads: u32,
    start_ticks: u64,
}

impl Stat {
    /// See proc(5). The second field is the program's name in parentheses and may hold spaces and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(' ')?;
        let mut fields = rest[rest.rfind(')')? + 1..].split_whitespace();
        let state = fields.next()?.chars().next()?;
        let threads = fields.nth(16)?.parse().ok()?;
        let start_ticks = fields.nth(1)?.parse().ok()?;
        Some(Self { pid: Pid::from_raw(pid.parse().ok()?)?, state, threads, start_ticks })
    }

    fn read(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?)
    }
}

impl Identity {
    /// The process that wrote this record; none if there is no (whole) record.
    pub(super) fn read(record: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(record).ok()?)
    }

    fn parse(record: &str) -> Option<Self> {
        let (stat, boot_id) = record.split_once('\n')?;
        let Stat { pid, start_ticks, .. } = Stat::parse(stat)?;
        Some(Self { pid, start_ticks, boot_id: boot_id.trim().to_owned() })
    }

    /// Looks at `/proc`. A zombie is gone; if it is our child, it is reaped.
    pub(super) fn life(&self) -> Life {
        if fs::read_to_string(BOOT_ID).is_ok_and(|now| now.trim() != self.boot_id) {
            return Life::Gone;
        }
        match Stat::read(self.pid).filter(|stat| stat.start_ticks == self.start_ticks) {
            None => Life::Gone,
            Some(Stat { state: 'Z' | 'X', threads: 2.., .. }) => Life::Ending,
            Some(Stat { state: 'Z' | 'X', .. }) => {
                // Not our child in general: then there is nothing to reap, and the error says no more than that.
                let _ = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG);
                Life::Gone
            }
            Some(Stat { state: 'T' | 't', .. }) => Life::Paused,
            Some(_) => Life::Running,
        }
    }

    /// Sends `signal` to this process and to no other: the pidfd is opened before the identity is checked, so the pid
    /// cannot pass to another process in between. False if the process is gone.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let sent = rustix::process::pidfd_open(self.pid, PidfdFlags::empty()).and_then(|process| {
            if self.life() == Life::Gone {
                return Err(rustix::io::Errno::SRCH);
            }
            rustix::process::pidfd_send_signal(process, signal)
        });
        match sent {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a process that is ending, at most as long as for one that was killed; false if it is still there.
    pub(super) async fn wait_ended(&self) -> bool {
        self.life() != Life::Ending || self.wait_gone(Duration::from_secs(KILL_SECONDS_MAX)).await
    }

    /// SIGSTOP, and waits until it has taken effect. False if the process is gone, or still not stopped in the end.
    pub(super) async fn pause(&self) -> io::Result<bool> {
        let sent = self.signal(Signal::STOP)?;
        let deadline = Instant::now() + Duration::from_secs(PAUSE_SECONDS_MAX);
        while sent && self.life() == Life::Running && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(self.life() == Life::Paused)
    }

    /// Waits until the process is gone, at most `limit`; false if it is still there.
    pub(super) async fn wait_gone(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.life() != Life::Gone {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        true
    }

    /// SIGTERM, also to a paused process; then SIGKILL to its group. False if it outlives even that.
    pub(super) async fn stop(&self) -> io::Result<bool> {
        self.stop_within(TERM_WAITS).await
    }

    async fn stop_within(&self, waits: [Duration; 2]) -> io::Result<bool> {
        for wait in waits {
            self.signal(Signal::TERM)?;
            self.signal(Signal::CONT)?;
            if self.wait_gone(wait).await {
                return Ok(true);
            }
        }
        self.kill().await
    }

    /// SIGKILL to its group.
    pub(super) async fn kill(&self) -> io::Result<bool> {
        if self.life() != Life::Gone {
            // The group's number is the pid, which is taken as long as the process lives.
            match rustix::process::kill_process_group(self.pid, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.wait_gone(Duration::from_secs(KILL_SECONDS_MAX)).await)
    }
}

/// Starts `program` in a process group of its own, with its output appended to the file `output`, and waits until it
/// has written `record`. Dropped before that, the future takes the process with it.
pub(super) async fn start(program: &Program, record: &Path, output: &Path) -> io::Result<Identity> {
    match fs::remove_file(record) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let log = File::options().create(true).append(true).open(output)?;
    let child = Command::new("sh")
        .args(["-c", RECORD_THEN_EXEC, "sh"])
        .arg(record)
        .arg(&program.path)
        .args(&program.args)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&program.dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    let mut group = Group::new(child);
    let deadline = Instant::now() + Duration::from_secs(RECORD_SECONDS_MAX);
    loop {
        if let Some(identity) = Identity::read(record) {
            group.leave();
            return Ok(identity);
        }
        if let Some(status) = group.try_wait()? {
            return Err(io::Error::other(format!("ended at once: {status}")));
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path, script: &str) -> Program {
        let args = vec!["-c".into(), script.into()];
        Program { path: "sh".into(), args, env: vec![], dir: dir.to_owned() }
    }

    async fn started(dir: &Path, script: &str) -> Identity {
        start(&sleeper(dir, script), &dir.join("process"), &dir.join("out.log")).await.unwrap()
    }

    #[test]
    fn a_program_name_may_look_like_fields() {
        let line = "42 (a) Z 1 (b)) S 1 42 42 0 -1 4194304 99 0 0 0 0 0 0 0 20 0 7 0 95974 3133440";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid.as_raw_nonzero().get(), stat.state), (42, 'S'));
        assert_eq!((stat.threads, stat.start_ticks), (7, 95974));
        assert!(Identity::parse(line).is_none(), "a record without a boot id is not whole");
    }

    #[tokio::test]
    async fn a_process_is_known_through_pause_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let identity = started(dir.path(), "exec sleep 60").await;
        assert_eq!(Identity::read(&dir.path().join("process")).as_ref(), Some(&identity));
        assert_eq!(identity.life(), Life::Running);
        assert!(identity.pause().await.unwrap());
        assert_eq!(identity.life(), Life::Paused);
        assert!(identity.stop().await.unwrap());
        assert_eq!(identity.life(), Life::Gone);
        assert!(!identity.signal(Signal::TERM).unwrap());
    }

    #[tokio::test]
    async fn a_first_sigterm_may_be_missed() {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap 'trap - TERM' TERM; touch ready; while :; do sleep 0.1; done";
        let identity = started(dir.path(), script).await;
        while !dir.path().join("ready").exists() {
            tokio::time::sleep(POLL).await;
        }
        let waits = [Duration::from_millis(300), Duration::from_secs(30)];
        let begun = Instant::now();
        assert!(identity.stop_within(waits).await.unwrap());
        assert!(begun.elapsed() < waits[1], "SIGKILL was not needed");
    }

    #[tokio::test]
    async fn a_reused_pid_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let identity = started(dir.path(), "exec sleep 60").await;
        let earlier = Identity { start_ticks: identity.start_ticks - 1, ..identity.clone() };
        let before_reboot = Identity { boot_id: "another".to_owned(), ..identity.clone() };
        for stranger in [earlier, before_reboot] {
            assert_eq!(stranger.life(), Life::Gone);
            assert!(stranger.stop().await.unwrap());
            assert!(stranger.kill().await.unwrap());
        }
        assert_eq!(identity.life(), Life::Running);
        identity.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_leaves_its_reason_in_the_output() {
        let dir = tempfile::tempdir().unwrap();
        let mut program = sleeper(dir.path(), "");
        program.path = "/nonexistent/server".into();
        // The shell writes the record before it fails to become the program.
        let identity = start(&program, &dir.path().join("process"), &dir.path().join("out.log")).await.unwrap();
        assert!(identity.wait_gone(Duration::from_secs(10)).await);
        assert!(fs::read_to_string(dir.path().join("out.log")).unwrap().contains("/nonexistent/server"));
    }
}
