//! The current end: sandboxes of the engine `chdb`, and how the wheel gets on the disk.
//!
//! The wheel is fetched once into the user's cache folder and shared by all runs. What can go wrong with fetching it is
//! tested with a stand-in for Python that is as quick as a shell script.

use std::fs;
use std::net::TcpListener;

use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, Member, MemberState, SandboxError, SandboxOptions, down, up};

use crate::harness::{Running, block_on, fresh_dir, options};
use crate::machine::{Machine, eventually, interrupt, pid_in, runs};

const FIRST: ReplicaId = ReplicaId { shard: 1, replica: 1 };
const SECOND: ReplicaId = ReplicaId { shard: 2, replica: 1 };

fn distributed(running: &Running, database: &str) {
    running.fresh_database(database);
    for id in running.ids() {
        running.query(id, &format!("CREATE TABLE {database}.t (a UInt64) ENGINE = MergeTree ORDER BY a"));
        let engine = format!("Distributed(main, {database}, t, a)");
        running.query(id, &format!("CREATE TABLE {database}.d AS {database}.t ENGINE = {engine}"));
    }
}

#[test]
fn two_shards_of_a_current_clickhouse() {
    let running = Running::start(Engine::Chdb, 2, 1).unwrap();
    assert_eq!(running.ids(), [FIRST, SECOND]);
    let status = running.status();
    assert_eq!(status.version.as_deref(), Some("26.9.2.1"));
    assert_eq!(status.members.len(), 2, "no Keeper");
    for id in running.ids() {
        assert_eq!(running.query(id, "SELECT version(), getMacro('shard')"), format!("26.9.2.1\t{}", id.shard));
    }

    distributed(&running, "d");
    running.query(FIRST, "INSERT INTO d.d SELECT number FROM numbers(100)");
    // The other shard's half comes in the background.
    running.eventually(SECOND, "SELECT count() FROM d.t", "50");
    for (id, parity) in [(FIRST, "0"), (SECOND, "1")] {
        assert_eq!(
            running.query(id, "SELECT count(), any(a % 2), uniqExact(a % 2) FROM d.t"),
            format!("50\t{parity}\t1")
        );
        assert_eq!(running.query(id, "SELECT count(), sum(a) FROM d.d"), "100\t4950");
    }
    for id in running.ids() {
        running.query(id, "SYSTEM FLUSH LOGS");
    }
    running.eventually(FIRST, "SELECT count() > 0 FROM system.query_log WHERE query LIKE 'INSERT INTO d.d%'", "1");
    running.eventually(SECOND, "SELECT count() > 0 FROM system.part_log WHERE database = 'd'", "1");

    let again = block_on(up(&running.options(), &mut |_| {})).unwrap();
    assert_eq!(again.started(), [], "it is up already");
    block_on(running.kill(Member::Replica(SECOND))).unwrap();
    let healed = block_on(up(&running.options(), &mut |_| {})).unwrap();
    assert_eq!(healed.started(), [Member::Replica(SECOND)]);
    assert_eq!(running.query(FIRST, "SELECT count(), sum(a) FROM d.d"), "100\t4950", "data stays");

    let pids: Vec<i32> = running.status().members.iter().filter_map(|member| member.pid).collect();
    assert_eq!(pids.len(), 2);
    assert!(block_on(down(running.dir(), false, &mut |_| {})).unwrap());
    assert!(pids.iter().all(|pid| !runs(&pid.to_string())));
    assert!(!running.dir().exists());
}

#[test]
fn a_taken_port_is_named_with_its_holder_or_avoided() {
    let running = Running::start(Engine::Chdb, 2, 1).unwrap();
    block_on(running.stop(Member::Replica(FIRST))).unwrap();
    let native = running.replicas().next().unwrap().1.native;
    let intruder = TcpListener::bind(("127.0.0.1", native)).unwrap();
    // The other shard runs, which holds the sandbox to its ports.
    let error = block_on(up(&running.options(), &mut |_| {})).unwrap_err();
    assert!(error.to_string().starts_with(&format!("s1r1 cannot listen on 127.0.0.1:{native}: ")), "{error}");
    assert!(error.to_string().ends_with(&format!("(pid {}) does", std::process::id())), "{error}");
    assert!(error.hint().unwrap().contains("--keep-data"), "{:?}", error.hint());
    let states = running.status().members.into_iter().map(|member| member.state);
    assert_eq!(states.collect::<Vec<_>>(), [MemberState::Stopped, MemberState::Running], "what ran before goes on");

    // As the hint says.
    block_on(down(running.dir(), true, &mut |_| {})).unwrap();
    let moved = block_on(up(&running.options(), &mut |_| {})).unwrap();
    assert!(moved.replicas().all(|(_, ports)| ports.native != native && ports.http != native));
    drop(intruder);
}

#[test]
fn what_chdb_cannot_do_is_refused() {
    let dir = fresh_dir();
    let two = SandboxOptions { replicas: Some(2), ..options(Engine::Chdb, &dir) };
    let error = block_on(up(&two, &mut |_| {})).unwrap_err();
    assert!(matches!(error, SandboxError::NoReplication(Engine::Chdb)), "{error}");
    assert!(error.hint().unwrap().contains("--engine"), "{:?}", error.hint());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_environment_is_made_once_and_mended_when_it_is_damaged() {
    let machine = Machine::new("true");
    let (said, error) = machine.up();
    assert!(said.contains("installing chdb-core==26.9.0 from PyPI"), "{said}");
    assert!(error.hint().unwrap().contains("no server here"), "{error}: {:?}", error.hint());
    assert!(!machine.up().0.contains("installing"));
    assert_eq!(machine.installs(), 1);

    for damage in ["site/chdb/_chdb.so", "files.json"] {
        let before = machine.installs();
        fs::remove_file(machine.environment().join(damage)).unwrap();
        let (said, _) = machine.up();
        assert!(said.contains("installing it again"), "{damage}: {said}");
        assert_eq!(machine.installs(), before + 1, "{damage}");
    }
    fs::write(machine.environment().join("site/chdb/_chdb.so"), "cut").unwrap();
    assert!(machine.up().0.contains("_chdb.so is missing or damaged: installing it again"));
    let folder = fs::read_dir(machine.environment().parent().unwrap()).unwrap();
    let mut left: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["chdb-26.9.0", "chdb-26.9.0.lock", "chdb-26.9.0.log"]);
}

#[test]
fn a_failed_installation_leaves_nothing_half_done() {
    let machine = Machine::new("echo No space left on device; exit 1");
    let (_, error) = machine.up();
    assert!(error.to_string().contains("pip: exit status: 1"), "{error}");
    assert!(error.hint().unwrap().contains("No space left on device"), "{:?}", error.hint());
    assert!(!machine.environment().exists());
    // What pip calls done need not be: the import decides.
    machine.python(r#": > "$target/chdb/_chdb.so""#);
    assert!(machine.up().1.to_string().contains("cannot be imported"));
    assert!(!machine.environment().exists());
    machine.python("true");
    machine.up();
    assert!(machine.environment().join("site/chdb/_chdb.so").exists());
}

/// Debian's python3 has neither pip nor ensurepip unless packages bring them.
#[test]
fn without_pip_a_virtual_environment_lends_its_own() {
    let machine = Machine::new("true");
    let python = machine.dir.join("bin/python3");
    let script = fs::read_to_string(&python).unwrap();
    let without = |venv: &str| {
        let cases = format!("*\"pip --version\") case $0 in */pip/bin/python) ;; *) exit 1 ;; esac ;;\n  {venv} ;;");
        machine.program("python3", &script.replace("*\"pip --version\") echo pip 23 ;;", &cases));
    };
    without("*\"-m venv\"*) echo No module named ensurepip; exit 1");
    let error = machine.up().1;
    assert!(error.to_string().ends_with("has no pip, and can make no virtual environment with one"), "{error}");
    assert!(error.hint().unwrap().contains("apt-get install -y python3-pip (or python3-venv)"), "{:?}", error.hint());
    without("*\"-m venv\"*) mkdir -p \"$word/bin\"; cp \"$0\" \"$word/bin/python\"");
    machine.up();
    assert!(machine.environment().join("site/chdb/_chdb.so").exists());
}

#[test]
fn two_at_once_install_once() {
    let machine = Machine::new("sleep 1");
    let share = |dir: &str| SandboxOptions { dir: machine.dir.join(dir), ..machine.options() };
    let (one, two) = (share("sandbox"), share("second"));
    let mut said = vec![];
    block_on(async {
        tokio::join!(async { up(&one, &mut |_| {}).await.unwrap_err() }, async {
            up(&two, &mut |line| said.push(line.to_owned())).await.unwrap_err()
        })
    });
    assert_eq!(machine.installs(), 1);
    assert!(said.iter().any(|line| line.contains("waiting for it")), "{said:?}");
    block_on(down(&two.dir, false, &mut |_| {})).unwrap();
}

#[test]
fn an_interrupt_ends_pip_and_all_that_it_started() {
    let machine = Machine::new("sleep 300 & echo $! > \"$0.child\"; wait");
    let mut tool = machine.tool(&["up", "--engine", "chdb"]);
    let child = eventually("pip starts", || pid_in(&machine.dir.join("bin/python3.child")));
    assert!(runs(&child));
    interrupt(&tool);
    let output = eventually("the tool ends", || tool.try_wait().unwrap());
    assert_eq!(output.code(), Some(1));
    eventually("pip's child ends", || (!runs(&child)).then_some(()));
    let mut said = String::new();
    std::io::Read::read_to_string(tool.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(said.contains("interrupted"), "{said}");
    machine.python("true");
    machine.up();
    assert!(machine.environment().join("site/chdb/_chdb.so").exists(), "the next one finds no obstacle");
}

#[test]
fn after_a_killed_tool_the_next_waits_for_its_pip() {
    let machine = Machine::new("echo $$ > \"$0.child\"; sleep 2");
    let mut tool = machine.tool(&["up", "--engine", "chdb"]);
    let pip = eventually("pip starts", || pid_in(&machine.dir.join("bin/python3.child")));
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(runs(&pip), "it does not know yet");
    machine.python("true");
    let (said, _) = machine.up();
    assert!(said.contains("waiting for it"), "{said}");
    assert!(!runs(&pip));
    assert!(machine.environment().join("site/chdb/_chdb.so").exists());
}

#[test]
fn an_interrupt_stops_servers_that_start() {
    let machine = Machine::new("true");
    machine.up();
    // A server that never serves.
    let python = machine.dir.join("bin/python3");
    let script = fs::read_to_string(&python).unwrap().replace("echo no server here >&2; exit 1", "exec sleep 300");
    fs::write(&python, script).unwrap();
    let mut tool = machine.tool(&["up", "--engine", "chdb"]);
    let record = machine.dir.join("sandbox/s2r1/process");
    let pid = eventually("the last server starts", || {
        Some(fs::read_to_string(&record).ok()?.split(' ').next()?.to_owned()).filter(|pid| runs(pid))
    });
    interrupt(&tool);
    assert_eq!(eventually("the tool ends", || tool.try_wait().unwrap()).code(), Some(1));
    assert!(!runs(&pid));
}
