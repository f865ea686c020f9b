//! Which process this is, and whether another one has ended: what the lock in the cluster needs to know.

use std::fs;

use rustix::io::Errno;
use rustix::process::Pid;

use crate::lock::{Claim, Executor, TAKEOVER_SECONDS};

/// Gives the machine another name and identity, where several share one host name, or to try two machines on one.
const IDENTITY: &str = "SHARDWRIGHT_HOST_IDENTITY";

/// How many seconds a statement may be on its way to a server when its sender has ended.
const LATE_SECONDS: &str = "SHARDWRIGHT_LATE_SECONDS";

/// This process's terms for the lock.
pub(super) fn claim(take_over: bool) -> Claim {
    let late = std::env::var(LATE_SECONDS).ok().and_then(|seconds| seconds.parse().ok());
    Claim {
        executor: this(),
        take_over,
        is_gone,
        takeover_seconds: TAKEOVER_SECONDS,
        late_seconds: late.unwrap_or(TAKEOVER_SECONDS),
    }
}

fn this() -> Executor {
    let (host, machine) = match std::env::var(IDENTITY) {
        Ok(identity) if !identity.is_empty() => (identity.clone(), format!("{identity}/{}", machine())),
        _ => (line("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned()), machine()),
    };
    let pid = std::process::id();
    Executor { host, machine, pid, process: began(pid).map_or_else(String::new, |(_, began)| began) }
}

/// This boot of this machine, and the namespace in which its process ids count; empty where the system does not tell.
fn machine() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").ok();
    match (line("/proc/sys/kernel/random/boot_id"), namespace) {
        (Some(boot), Some(namespace)) => format!("{boot}/{}", namespace.display()),
        _ => String::new(),
    }
}

/// Whether a process has provably ended: it ran on this machine since it was booted, and is not there any more.
fn is_gone(executor: &Executor) -> bool {
    let here = this();
    let told = !executor.machine.is_empty() && !executor.process.is_empty();
    if !told || executor.machine != here.machine || executor.pid == here.pid {
        return false;
    }
    let Some(pid) = i32::try_from(executor.pid).ok().and_then(Pid::from_raw) else { return false };
    // Whether there is such a process is asked of the kernel: /proc may hide those of other users.
    match rustix::process::test_kill_process(pid) {
        Err(Errno::SRCH) => true,
        _ => began(executor.pid).is_some_and(|(state, began)| matches!(state, 'Z' | 'X') || began != executor.process),
    }
}

/// The state of a process, and when it began, in ticks since the machine was booted.
fn began(pid: u32) -> Option<(char, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name comes second, in parentheses, and may have anything in it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.to_owned()))
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_only_when_that_is_certain() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let running = Executor { pid, process: began(pid).unwrap().1, ..this() };
        assert!(!is_gone(&running), "it runs");
        assert!(!is_gone(&this()), "this one runs");
        assert!(is_gone(&Executor { process: "1".to_owned(), ..running.clone() }), "another process has its id now");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&running));
        assert!(!is_gone(&Executor { machine: "elsewhere".to_owned(), ..running.clone() }), "who knows");
        assert!(!is_gone(&Executor { process: String::new(), ..running.clone() }), "who knows");
        assert!(!is_gone(&Executor { machine: String::new(), ..running }), "who knows");
    }
}
