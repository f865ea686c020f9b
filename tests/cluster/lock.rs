//! Two machines, one plan: whoever holds the lock acts, the other one does nothing, whatever moment it is stopped at.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use shardwright::execute::{Call, CallSession, Servers};
use shardwright::lock::{SESSION_SECONDS, TAKEOVER_SECONDS};
use shardwright::names::ReplicaId;
use shardwright::sandbox::Engine;
use shardwright::server::{Cluster, Connection, Endpoint, ObserveSettings, Session};

use crate::harness::{Running, block_on, shared};
use crate::tool::{PLAN, Started, Tool};
use crate::world::{ask_all, assert_nothing_left, everywhere, prepare, sync};

const ROWS_A_SHARD: u32 = 400_000;
const HOLDER: &str =
    "SELECT default_expression FROM system.columns WHERE table = 't__sw_lock' AND name = 'holder' AND database = ";

/// A table, and a plan for it on two machines.
struct Story<'a> {
    cluster: &'a Running,
    database: &'static str,
    rows: String,
}

impl<'a> Story<'a> {
    #[track_caller]
    fn new(cluster: &'a Running, database: &'static str, engine: &str) -> Self {
        let create = format!(
            "CREATE TABLE {database}.t (a UInt64, b UInt32) ENGINE = {engine} PARTITION BY a % 4 ORDER BY (a, b)"
        );
        prepare(cluster, database, &[&create]);
        for id in cluster.ids().into_iter().filter(|id| id.replica == 1) {
            let rows = format!("SELECT number, toUInt32(cityHash64(number) % 1000) FROM numbers({ROWS_A_SHARD})");
            cluster.query(id, &format!("INSERT INTO {database}.t {rows}"));
        }
        if engine.starts_with("Replicated") {
            sync(cluster, &[&format!("{database}.t")]);
        }
        let rows = ask_all(cluster, &Self::digest(database));
        Self { cluster, database, rows }
    }

    fn digest(database: &str) -> String {
        format!("SELECT a % 4 AS p, count(), sum(cityHash64(a, b)) FROM {database}.t GROUP BY p ORDER BY p")
    }

    #[track_caller]
    fn plan(&self) -> (Tool, Tool) {
        let (here, there) = (Tool::new(self.cluster), Tool::new(self.cluster));
        here.plan(&format!("ALTER TABLE {}.t MODIFY ORDER BY (b, a)", self.database));
        here.approve(&["start", "cutover", "finalize"]);
        (here, there)
    }

    /// Who holds the lock, as the server has it; empty if nobody does.
    #[track_caller]
    fn holder(&self) -> String {
        self.cluster.query(ReplicaId::new(1, 1), &format!("{HOLDER}'{}'", self.database))
    }

    #[track_caller]
    fn assert_finalized(&self) {
        let key = format!("SELECT sorting_key FROM system.tables WHERE database = '{}' AND name = 't'", self.database);
        assert_eq!(ask_all(self.cluster, &key), "b, a");
        assert_eq!(ask_all(self.cluster, &Self::digest(self.database)), self.rows);
        let ours = format!("SELECT name FROM system.tables WHERE database = '{}' AND name != 't'", self.database);
        assert_eq!(ask_all(self.cluster, &ours), "");
    }

    fn end(self) {
        everywhere(self.cluster, &[&format!("DROP DATABASE {}", self.database)]);
    }
}

/// A command as another machine would give it.
pub(crate) fn elsewhere(tool: &Tool, args: &[&str]) -> Started {
    let mut command: Command = tool.command(args);
    command.env("SHARDWRIGHT_HOST_IDENTITY", "elsewhere");
    Started::new(command, args)
}

/// The plan's file and its journal, as somebody would copy them.
pub(crate) fn copy(from: &Tool, to: &Tool) {
    for name in [PLAN.to_owned(), format!("{PLAN}.journal.jsonl")] {
        fs::copy(from.dir().join(&name), to.dir().join(&name)).expect("a file of the plan");
    }
}

#[track_caller]
fn await_records(tool: &Tool, count: usize) {
    let path = tool.dir().join(format!("{PLAN}.journal.jsonl"));
    let began = Instant::now();
    while fs::read_to_string(&path).unwrap_or_default().lines().count() < count {
        assert!(began.elapsed() < Duration::from_mins(1), "no {count} records");
        sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn stopped_and_taken_over(story: &Story<'_>, records: usize) {
    let (here, there) = story.plan();
    let first = here.start(&["execute", PLAN]);
    await_records(&here, records);
    first.signal(Signal::STOP);
    copy(&here, &there);
    let held = story.holder();
    assert!(held.contains(&format!("\"pid\":{}", first.pid())), "{held}");

    // Neither on this machine, where the process is still there, nor on another one.
    for refused in [there.run(&["execute", PLAN]), elsewhere(&there, &["rollback", PLAN]).end()] {
        assert_eq!(refused.code, Some(7), "{refused}");
        assert!(refused.stderr.contains(&format!("held by process {} on ", first.pid())), "{refused}");
        assert!(refused.stderr.contains("--take-over"), "{refused}");
    }
    assert_eq!(story.holder(), held);

    let second = elsewhere(&there, &["execute", PLAN, "--take-over"]);
    let began = Instant::now();
    while !story.holder().contains("elsewhere") {
        assert!(began.elapsed() < Duration::from_secs(30), "not taken over");
        sleep(Duration::from_millis(20));
    }
    // It goes on in the middle of the takeover, while the other one waits: what it sends now is the second one's to undo.
    first.signal(Signal::CONT);
    let (ended, taken) = (first.end(), second.end());
    println!("after record {records}: {}", ended.stderr.lines().last().unwrap_or_default());
    assert_eq!(ended.code, Some(7), "{ended}");
    assert!(ended.stderr.contains("taken over by process"), "{ended}");
    assert!(ended.stderr.contains("on elsewhere"), "{ended}");
    assert_eq!(taken.code, Some(0), "{taken}");
    assert!(taken.stderr.contains("took over from process"), "{taken}");
    assert_eq!(there.state(), "finalized");
    story.assert_finalized();
}

// A takeover waits half a minute: two moments at one end, two others at the other.
#[test]
fn a_stopped_run_is_taken_over_and_does_nothing_when_it_wakes() {
    let cluster = shared();
    for records in [8, 22] {
        let engine = "ReplicatedMergeTree('/clickhouse/lock_taken/{shard}/t', '{replica}')";
        let story = Story::new(&cluster, "lock_taken", engine);
        stopped_and_taken_over(&story, records);
        assert_nothing_left(&cluster, "lock_taken");
        story.end();
    }
}

#[test]
fn on_current_servers_too() {
    let cluster = Running::start(Engine::Chdb, 2, 1).unwrap_or_else(|error| panic!("{error}"));
    for records in [14, 30] {
        let story = Story::new(&cluster, "lock_taken", "MergeTree");
        stopped_and_taken_over(&story, records);
        story.end();
    }
}

async fn connected(cluster: &Running) -> Cluster {
    let ports = cluster.replicas().map(|(_, ports)| (format!("127.0.0.1:{}", ports.native), ports.http));
    let first = cluster.replicas().next().expect("a replica").1.http;
    let settings = ObserveSettings {
        http_ports: ports.collect(),
        ..ObserveSettings::new("main", vec![Endpoint::new("127.0.0.1", first)])
    };
    let session = Session::new(&Connection { user: Some("default".to_owned()), password: None });
    Cluster::connect(session, &settings).await.expect("the cluster answers")
}

/// What a takeover waits for: by then servers have forgotten every session that was opened before.
#[test]
fn a_session_lasts_as_long_as_it_must_and_no_longer_than_a_takeover_waits() {
    let (old, new) = (shared(), Running::start(Engine::Chdb, 1, 1).unwrap_or_else(|error| panic!("{error}")));
    for cluster in [&*old, &new] {
        let in_session = |id: &str, must_exist| {
            let session = CallSession { id: id.to_owned(), must_exist };
            let (query_id, timeout) = (format!("{id}-{must_exist}"), Duration::from_secs(5));
            let call =
                Call { on: ReplicaId::new(1, 1), sql: "SELECT 1".to_owned(), query_id, log_comment: None, timeout };
            block_on(async { connected(cluster).await.call_in(call, session).await }).map_err(|error| error.code)
        };
        assert_eq!(in_session("never", true), Err(Some(372)));
        assert_eq!(in_session("short", false), Ok("1".to_owned()));
        assert_eq!(in_session("long", false), Ok("1".to_owned()));
        sleep(Duration::from_secs(SESSION_SECONDS - 1));
        assert_eq!(in_session("short", true), Ok("1".to_owned()));
        sleep(Duration::from_secs(TAKEOVER_SECONDS - SESSION_SECONDS));
        assert_eq!(in_session("long", true), Err(Some(372)), "opened {} s ago", TAKEOVER_SECONDS - 1);
    }
}

#[test]
fn after_a_crash_the_same_machine_goes_on_by_itself_and_another_one_must_say_so() {
    let cluster = shared();
    let engine = "ReplicatedMergeTree('/clickhouse/lock_crash/{shard}/t', '{replica}')";
    let story = Story::new(&cluster, "lock_crash", engine);
    let (here, there) = story.plan();
    let run = here.start(&["execute", PLAN]);
    await_records(&here, 12);
    let pid = run.pid();
    run.kill();
    assert!(story.holder().contains(&format!("\"pid\":{pid},")), "a dead run leaves its lock behind");
    copy(&here, &there);

    let refused = elsewhere(&there, &["execute", PLAN]).end();
    assert_eq!(refused.code, Some(7), "{refused}");
    let blocked = there.run(&["plan", "--sql", "ALTER TABLE lock_crash.t MODIFY ORDER BY (b)", "-o", "other.json"]);
    assert_eq!(blocked.code, Some(3), "{blocked}");
    assert!(format!("{}{}", blocked.stdout, blocked.stderr).contains("t__sw_lock"), "{blocked}");

    let resumed = here.expect(0, &["execute", PLAN]);
    let says = format!("took over from process {pid} on ");
    assert!(resumed.stderr.contains(&says) && resumed.stderr.contains("its process has ended"), "{resumed}");
    let journal = fs::read_to_string(here.dir().join(format!("{PLAN}.journal.jsonl"))).expect("the journal");
    assert!(journal.contains("\"token\":1}") && journal.contains("\"token\":2}"), "{journal}");
    story.assert_finalized();
    assert_nothing_left(&cluster, "lock_crash");
    story.end();
}

#[test]
fn the_lock_is_given_back_at_gates_and_after_errors() {
    let cluster = shared();
    let engine = "ReplicatedMergeTree('/clickhouse/lock_back/{shard}/t', '{replica}')";
    let story = Story::new(&cluster, "lock_back", engine);
    let tool = Tool::new(&cluster);
    tool.plan("ALTER TABLE lock_back.t MODIFY ORDER BY (b, a)");
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(story.holder(), "", "at the gate");
    cluster.query(ReplicaId::new(2, 1), "CREATE TABLE lock_back.t__sw_shadow (a Int8) ENGINE = Memory");
    let drifted = tool.run(&["execute", PLAN, "--auto-approve", "reversible"]);
    assert!(!matches!(drifted.code, Some(0 | 7)), "{drifted}");
    assert_eq!(story.holder(), "", "after an error");
    story.end();
}
