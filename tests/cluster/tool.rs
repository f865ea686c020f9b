//! The program as a user has it: the built binary, run in a directory of its own against a sandbox.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Running, Supervisor};

/// No command of any test takes this long.
const RUN_MAX: Duration = Duration::from_mins(10);

/// What a command is waited for to say, it says within this time, or never.
const SAID_WITHIN: Duration = Duration::from_mins(2);

/// The plan's file in a tool's directory.
pub(crate) const PLAN: &str = "plan.json";

/// A directory with nothing in it, and the config file that leads to a sandbox.
pub(crate) struct Tool {
    dir: tempfile::TempDir,
    config: PathBuf,
    /// On one machine nothing is on its way for longer than a moment.
    late_seconds: &'static str,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    args: Vec<String>,
}

/// A command under way.
pub(crate) struct Started {
    child: Child,
    output: tempfile::TempDir,
    args: Vec<String>,
}

impl Tool {
    pub(crate) fn new(cluster: &Running) -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            config: cluster.config_path(),
            late_seconds: "0",
        }
    }

    /// For commands that need no cluster, or bring their own.
    pub(crate) fn without_cluster() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory"), config: "none.toml".into(), late_seconds: "0" }
    }

    /// Watches over the sandbox that a command makes by itself, `name` in the directory `.shardwright`.
    pub(crate) fn supervise(&self, name: &str) -> Supervisor {
        let parent = self.dir().join(".shardwright");
        fs::create_dir_all(&parent).expect("a directory for the sandbox");
        Supervisor::of(&parent.join(name))
    }

    /// Its directory, which is the current one of every command.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Another config file in place of the sandbox's own.
    pub(crate) fn with_config(self, text: &str) -> Self {
        let config = self.dir().join("other.toml");
        fs::write(&config, text).expect("the config file can be written");
        Self { config, ..self }
    }

    /// Where a statement may reach a server long after it was sent.
    pub(crate) fn with_late_statements(self) -> Self {
        Self { late_seconds: "10", ..self }
    }

    /// The command, not yet started; no terminal anywhere.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardwright"));
        command.args(args).current_dir(self.dir()).env("USER", "tester");
        // Wide enough that no sentence is broken into lines.
        command.env("COLUMNS", "500");
        command.env("SHARDWRIGHT_LATE_SECONDS", self.late_seconds);
        command.env("SHARDWRIGHT_CONFIG", &self.config).stdin(Stdio::null());
        command
    }

    /// Starts a command.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        Started::new(self.command(args), args)
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.start(args).end()
    }

    /// Runs a command that must end with this exit code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{ran}");
        ran
    }

    /// Plans a statement; the plan lands in [`PLAN`].
    #[track_caller]
    pub(crate) fn plan(&self, sql: &str) -> Ran {
        self.expect(0, &["plan", "--sql", sql])
    }

    /// Approves gates of [`PLAN`].
    #[track_caller]
    pub(crate) fn approve(&self, gates: &[&str]) {
        for gate in gates {
            self.expect(0, &["approve", PLAN, "--gate", gate]);
        }
    }

    /// The document of `status --format json`.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let ran = self.expect(0, &["status", PLAN, "--format", "json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// `state` and `waiting_for` of the status, as `waiting cutover`.
    #[track_caller]
    pub(crate) fn state(&self) -> String {
        let status = self.status();
        let word = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("state"), word("waiting_for")).trim_end().to_owned()
    }

    /// The plan as JSON.
    pub(crate) fn plan_json(&self) -> Value {
        let text = fs::read_to_string(self.dir().join(PLAN)).expect("the plan's file");
        serde_json::from_str(&text).expect("the plan is JSON")
    }
}

impl Started {
    pub(crate) fn new(mut command: Command, args: &[&str]) -> Self {
        let output = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str| File::create(output.path().join(name)).expect("a file for the output");
        let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().expect("the program starts");
        Self { child, output, args: args.iter().map(ToString::to_string).collect() }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits until it has said something.
    #[track_caller]
    pub(crate) fn await_words(&mut self, words: &str) {
        let began = Instant::now();
        loop {
            // Asked for first: what has ended says nothing more.
            let has_ended = self.has_ended();
            let said = fs::read_to_string(self.output.path().join("stderr")).expect("what it said");
            if said.contains(words) {
                return;
            }
            assert!(!has_ended && began.elapsed() < SAID_WITHIN, "{:?} never said {words:?}:\n{said}", self.args);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) -> Ran {
        self.child.kill().expect("the program can be killed");
        self.end()
    }

    /// Sends a signal that it can answer.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the program can be signalled");
    }

    /// Waits until it ends.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ran {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if began.elapsed() > RUN_MAX {
                self.child.kill().expect("the program can be killed");
                let status = self.child.wait().expect("a child can be waited for");
                panic!("still running after {RUN_MAX:?}: {}", self.ran(status));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        println!("{:>6.2} s  {}", began.elapsed().as_secs_f64(), self.args.join(" "));
        self.ran(status)
    }

    fn ran(&self, status: ExitStatus) -> Ran {
        let text = |name: &str| fs::read_to_string(self.output.path().join(name)).expect("the output is UTF-8");
        Ran { code: status.code(), stdout: text("stdout"), stderr: text("stderr"), args: self.args.clone() }
    }
}

/// A test that fails leaves no command behind.
impl Drop for Started {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            _ = self.child.kill();
            _ = self.child.wait();
        }
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, args } = self;
        write!(f, "shardwright {args:?} ended with {code:?}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}
