//! The shared sandboxes, and how they end whatever happens to the tests.
//!
//! There is one for each [`End`] of what the product is for; [`on_both_ends`] makes a test of either out of one body.
//!
//! Every sandbox has a supervisor: a shell with a pipe from the tests as its stdin. When the pipe closes, because the
//! sandbox was dropped or because the test process is gone (even by SIGKILL), the supervisor takes the sandbox down. So no
//! test leaves a process behind, and no test has to remember to.

use std::fs::{self, File};
use std::future::Future;
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, EngineChoice, Member, Sandbox, SandboxError, SandboxOptions, SandboxStatus, up};

/// A sandbox that is up; dropped, it goes down.
pub(crate) struct Running {
    sandbox: Sandbox,
    replicas: u32,
    dir: PathBuf,
    _supervisor: Supervisor,
}

/// Which servers a shared sandbox has, two shards of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// ClickHouse 18.16.1 and `ZooKeeper`, two replicas a shard.
    Old,
    /// ClickHouse 26.9.2, without replication.
    New,
}

/// A shared sandbox, in use together with other tests. Servers on which a test failed are restarted for the next one.
pub(crate) struct Shared {
    running: &'static Running,
    place: &'static Place,
    _guard: RwLockReadGuard<'static, ()>,
}

/// A shared sandbox, in use by one test; dropped, whatever the test stopped or paused runs again.
pub(crate) struct Alone {
    running: &'static Running,
    _guard: RwLockWriteGuard<'static, ()>,
}

/// A shared sandbox, started by the first test that wants it.
struct Place {
    running: OnceLock<Result<Running, String>>,
    in_use: RwLock<()>,
    /// Whether a test failed on it, and may have left statements behind that never end.
    suspect: AtomicBool,
}

impl Place {
    const fn new() -> Self {
        Self { running: OnceLock::new(), in_use: RwLock::new(()), suspect: AtomicBool::new(false) }
    }
}

static OLD: Place = Place::new();
static NEW: Place = Place::new();
static SINGLE: OnceLock<Result<Running, String>> = OnceLock::new();

impl End {
    /// Its sandbox, together with other tests. Each keeps to a database of its own.
    pub(crate) fn shared(self) -> Shared {
        let place = self.place();
        if place.suspect.swap(false, Ordering::SeqCst) {
            self.alone().restart();
        }
        let guard = place.in_use.read().unwrap_or_else(PoisonError::into_inner);
        Shared { running: self.running(), place, _guard: guard }
    }

    /// Its sandbox with no other test on it, to stop and pause members.
    pub(crate) fn alone(self) -> Alone {
        let guard = self.place().in_use.write().unwrap_or_else(PoisonError::into_inner);
        Alone { running: self.running(), _guard: guard }
    }

    fn place(self) -> &'static Place {
        match self {
            Self::Old => &OLD,
            Self::New => &NEW,
        }
    }

    fn running(self) -> &'static Running {
        let start = || match self {
            Self::Old => Running::start(Engine::Debian, 2, 2),
            Self::New => Running::start(Engine::Chdb, 2, 1),
        };
        the(&self.place().running, start)
    }
}

/// The shared sandbox of the old end.
pub(crate) fn shared() -> Shared {
    End::Old.shared()
}

/// The same with no other test on it.
pub(crate) fn alone() -> Alone {
    End::Old.alone()
}

/// Tests of one body each, `fn(&Running)`, on the old end and on the new one: `shared` or `alone` there.
macro_rules! on_both_ends {
    ($($how:ident: $($test:ident),+;)+) => {
        mod old_end {
            $($(#[test]
            fn $test() {
                super::$test(&crate::harness::End::Old.$how());
            })+)+
        }

        mod new_end {
            $($(#[test]
            fn $test() {
                super::$test(&crate::harness::End::New.$how());
            })+)+
        }
    };
}
pub(crate) use on_both_ends;

impl Drop for Shared {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.place.suspect.store(true, Ordering::SeqCst);
            self.running.tell_what_runs();
        }
    }
}

impl Alone {
    /// Kills every replica that has not ended by itself; dropped, it starts them again.
    fn restart(&self) {
        for id in self.ids() {
            match block_on(self.kill(Member::Replica(id))) {
                Ok(()) | Err(SandboxError::NotRunning(_)) => {}
                Err(error) => panic!("{id} cannot be killed: {error}"),
            }
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let healed = block_on(up(&self.running.options(), &mut |_| {}));
        if !std::thread::panicking() {
            healed.expect("the shared sandbox heals");
        }
    }
}

/// A second sandbox of the old end, of two shards with one replica each: the place of tables that are not replicated.
pub(crate) fn single() -> &'static Running {
    the(&SINGLE, || Running::start(Engine::Debian, 2, 1).inspect(extend_users))
}

/// What the second sandbox has beyond the first: `LowCardinality` columns, and the user `guarded` with a password.
const MORE_USERS: &str = "<yandex><profiles><default>\
    <allow_experimental_low_cardinality_type>1</allow_experimental_low_cardinality_type></default></profiles>\
    <users><guarded><password>open sesame</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile>\
    <quota>default</quota></guarded></users></yandex>";

/// Servers read changed files of users by themselves, within seconds.
fn extend_users(running: &Running) {
    for id in running.ids() {
        let dir = running.dir().join(id.to_string()).join("users.d");
        fs::create_dir_all(&dir).expect("users.d");
        fs::write(dir.join("tests.xml"), MORE_USERS).expect("users.d/tests.xml");
    }
    for id in running.ids() {
        let setting = "SELECT value FROM system.settings WHERE name = 'allow_experimental_low_cardinality_type'";
        running.eventually(id, setting, "1");
    }
}

#[track_caller]
fn the(
    place: &'static OnceLock<Result<Running, String>>,
    start: impl FnOnce() -> Result<Running, String>,
) -> &'static Running {
    match place.get_or_init(start) {
        Ok(running) => running,
        Err(error) => panic!("{error}"),
    }
}

impl Deref for Shared {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.running
    }
}

impl Deref for Alone {
    type Target = Running;

    fn deref(&self) -> &Running {
        self.running
    }
}

impl Deref for Running {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Running {
    /// Starts a sandbox in a directory of its own.
    pub(crate) fn start(engine: Engine, shards: u32, replicas: u32) -> Result<Self, String> {
        let dir = fresh_dir();
        let supervisor = Supervisor::of(&dir);
        let options = SandboxOptions { shards, replicas: Some(replicas), ..options(engine, &dir) };
        match block_on(up(&options, &mut |_| {})) {
            Ok(sandbox) => Ok(Self { sandbox, replicas, dir, _supervisor: supervisor }),
            Err(error) => Err(format!("{error}\n{}", error.hint().unwrap_or_default())),
        }
    }

    /// Whether its shards have several replicas, and tables on it are to be Replicated.
    pub(crate) fn replicates(&self) -> bool {
        self.replicas > 1
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it was started with.
    pub(crate) fn options(&self) -> SandboxOptions {
        let SandboxStatus { engine, shards, replicas, .. } = self.status();
        SandboxOptions { shards, replicas: Some(replicas), ..options(engine, &self.dir) }
    }

    /// How its members are.
    #[track_caller]
    pub(crate) fn status(&self) -> SandboxStatus {
        self.sandbox.status().expect("the sandbox tells its state")
    }

    /// Every replica, by shard and number.
    pub(crate) fn ids(&self) -> Vec<ReplicaId> {
        self.sandbox.replicas().map(|(id, _)| id).collect()
    }

    /// Runs a statement that must succeed; the answer without its last line break.
    #[track_caller]
    pub(crate) fn query(&self, id: ReplicaId, sql: &str) -> String {
        match block_on(self.sandbox.query(id, sql)) {
            Ok(answer) => answer.trim_end_matches('\n').to_owned(),
            Err(error) => panic!("{sql}\n{error}"),
        }
    }

    /// Runs a statement that may fail; the answer, or what the server says.
    pub(crate) fn attempt(&self, id: ReplicaId, sql: &str) -> Result<String, String> {
        block_on(self.sandbox.query(id, sql)).map_err(|error| error.to_string())
    }

    /// Prints the statements that run and what replication waits for.
    fn tell_what_runs(&self) {
        const RUNNING: &str =
            "SELECT elapsed, query_id, substring(query, 1, 200) FROM system.processes ORDER BY elapsed DESC LIMIT 9";
        const QUEUED: &str = "SELECT database, table, type, new_part_name, num_tries, postpone_reason, last_exception \
                              FROM system.replication_queue LIMIT 9";
        for id in self.ids() {
            for sql in [RUNNING, QUEUED] {
                match self.attempt(id, sql) {
                    Ok(answer) => println!("{id}: {answer}"),
                    Err(error) => println!("{id}: {error}"),
                }
            }
        }
    }

    /// Runs a statement that must fail; what the server says.
    #[track_caller]
    pub(crate) fn refusal(&self, id: ReplicaId, sql: &str) -> String {
        match block_on(self.sandbox.query(id, sql)) {
            Ok(answer) => panic!("{sql}\nnot refused: {answer}"),
            Err(error) => error.to_string(),
        }
    }

    /// Asks until the answer is `expected`; fails after two minutes with the last one.
    #[track_caller]
    pub(crate) fn eventually(&self, id: ReplicaId, sql: &str, expected: &str) {
        let mut answer = String::new();
        for _ in 0..1200 {
            answer = self.query(id, sql);
            if answer == expected {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{sql}\nexpected {expected:?}, still {answer:?} after two minutes");
    }

    /// An empty database of this name on every replica.
    #[track_caller]
    pub(crate) fn fresh_database(&self, name: &str) {
        for id in self.ids() {
            self.query(id, &format!("DROP DATABASE IF EXISTS {name}"));
            self.query(id, &format!("CREATE DATABASE {name}"));
        }
    }
}

/// Two shards. No package is installed, a test never changes the machine; the user's cache is what it is for.
pub(crate) fn options(engine: Engine, dir: &Path) -> SandboxOptions {
    let only = EngineChoice::Only(engine);
    SandboxOptions { engine: only, install: engine == Engine::Chdb, ..SandboxOptions::new(dir) }
}

/// A new directory under `target/tmp`.
pub(crate) fn fresh_dir() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent).expect("target/tmp");
    tempfile::Builder::new().prefix("sandbox-").tempdir_in(parent).expect("a directory under target/tmp").keep()
}

/// Runs a future of the library to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Waits for the end of the pipe, takes the sandbox down, and removes what a start that failed or never began has left.
const SUPERVISOR: &str = r#"cat > /dev/null; "$0" sandbox down --dir "$1" && rm -rf -- "$1" "$1.supervisor.log""#;

/// Takes a sandbox down when it is dropped, or when the tests end in whatever way.
pub(crate) struct Supervisor {
    shell: Child,
    log: PathBuf,
}

impl Supervisor {
    /// Of the sandbox that is or will be in `dir`, whose parent is there.
    pub(crate) fn of(dir: &Path) -> Self {
        // Beside the sandbox's directory, which is removed.
        let path = dir.with_extension("supervisor.log");
        let log = File::create(&path).expect("the supervisor's log");
        let shell = Command::new("sh")
            .args(["-c", SUPERVISOR, env!("CARGO_BIN_EXE_shardwright")])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the supervisor's log"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the supervisor starts");
        Self { shell, log: path }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let ended = self.shell.wait();
        if !std::thread::panicking() {
            assert!(ended.expect("the supervisor ends").success(), "see {}", self.log.display());
        }
    }
}
