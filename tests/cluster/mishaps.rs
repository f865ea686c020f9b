//! What befalls a sandbox: no room for it, no place for it, and `kill -9` at the worst moment.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, MemberState, down, up};

use crate::harness::{End, Running, block_on};
use crate::machine::{Machine, eventually, processes_in};
use crate::tool::{PLAN, Ran, Started, Tool};
use crate::world::{everywhere, prepare};

/// `sandbox up` in `dir` with the cache folder `cache`.
fn sandbox_up(dir: &Path, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardwright"));
    command.args(["sandbox", "up", "--engine", "chdb", "--dir"]).arg(dir).env("XDG_CACHE_HOME", cache);
    command.stdin(Stdio::null());
    command
}

/// The same, where `full` is a disk of eight megabytes; none if this machine lends nobody a mount.
fn on_a_small_disk(full: &Path, command: &Command) -> Option<Ran> {
    let can_mount = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    if !can_mount {
        println!("not tested: a small disk cannot be mounted here");
        return None;
    }
    let mut small = Command::new("unshare");
    small.args(["-rm", "sh", "-c", "mount -t tmpfs -o size=8m tmpfs \"$0\" && exec \"$@\""]);
    small.arg(full).arg(command.get_program()).args(command.get_args());
    small.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?)))).stdin(Stdio::null());
    Some(Started::new(small, &["sandbox", "up"]).end())
}

#[track_caller]
fn refused(ran: &Ran, says: [&str; 2]) {
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(says.iter().all(|text| ran.stderr.contains(text)), "{says:?}: {ran}");
    assert!(ran.stderr.contains("\nhint: ") && ran.stderr.contains("XDG_CACHE_HOME"), "{ran}");
}

#[test]
fn no_room() {
    let machine = Machine::new("true");
    machine.up();
    let (bin, cache) = (machine.dir.join("bin:/usr/bin:/bin"), machine.dir.join("cache"));
    let small = machine.dir.join("small");
    fs::create_dir(&small).unwrap();
    let with_path = |mut command: Command| {
        command.env("PATH", &bin);
        command
    };
    // For the servers' data, and for the installation.
    if let Some(ran) = on_a_small_disk(&small, &with_path(sandbox_up(&small.join("sandbox"), &cache))) {
        refused(&ran, [" MB free, 100 MB needed", "small/sandbox"]);
    }
    let installs = machine.installs();
    if let Some(ran) = on_a_small_disk(&small, &with_path(sandbox_up(&machine.dir.join("sandbox"), &small))) {
        refused(&ran, [" MB free, 900 MB needed", "small/shardwright"]);
    }
    assert_eq!(machine.installs(), installs, "not even begun");
    assert_eq!(processes_in(&machine.dir), Vec::<u32>::new());
}

#[test]
fn no_place() {
    let machine = Machine::new("true");
    let file = machine.dir.join("file");
    fs::write(&file, "").unwrap();
    let run = |dir: &Path, cache: &Path| {
        let mut command = sandbox_up(dir, cache);
        command.env("PATH", machine.dir.join("bin:/usr/bin:/bin"));
        Started::new(command, &["sandbox", "up"]).end()
    };
    refused(&run(&file.join("sandbox"), &machine.dir.join("cache")), ["error: making ", "file/sandbox"]);
    refused(&run(&machine.dir.join("sandbox"), &file), ["error: making ", "file/shardwright"]);
    assert_eq!((machine.installs(), processes_in(&machine.dir)), (0, vec![]));
}

#[test]
fn an_up_that_is_killed_is_healed_by_the_next() {
    let running = Running::start(Engine::Chdb, 2, 1).unwrap();
    for moment in ["state.json", "s1r1/process", "s2r1/process", "s2r1/server.log"] {
        block_on(down(running.dir(), false, &mut |_| {})).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shardwright"));
        command.args(["sandbox", "up", "--engine", "chdb", "--dir"]).arg(running.dir()).stdin(Stdio::null());
        let tool = Started::new(command, &["sandbox", "up"]);
        eventually(moment, || running.dir().join(moment).exists().then_some(()));
        tool.kill();

        let healed = block_on(up(&running.options(), &mut |_| {})).unwrap();
        assert!(healed.status().unwrap().members.iter().all(|member| member.state == MemberState::Running));
        for id in [ReplicaId::new(1, 1), ReplicaId::new(2, 1)] {
            let shards = block_on(healed.query(id, "SELECT count() FROM cluster('main', system, one)")).unwrap();
            assert_eq!(shards.trim(), "2", "{moment}");
        }
        assert_eq!(processes_in(running.dir()).len(), 2, "{moment}: one process a server");
    }
    block_on(down(running.dir(), false, &mut |_| {})).unwrap();
    assert_eq!(processes_in(running.dir()), Vec::<u32>::new());
}

#[test]
fn a_dry_run_that_is_stopped_leaves_no_process_behind() {
    let cluster = End::New.shared();
    prepare(
        &cluster,
        "dry_stopped",
        &["CREATE TABLE dry_stopped.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a"],
    );
    let tool = Tool::new(&cluster);
    let _supervisor = tool.supervise("dry-run");
    tool.plan("ALTER TABLE dry_stopped.t MODIFY ORDER BY (b, a)");
    for (moment, signal) in [("starting s2r1", Signal::INT), ("filling dry_stopped.t", Signal::TERM)] {
        let mut run = tool.start(&["dry-run", PLAN]);
        run.await_words(moment);
        run.signal(signal);
        let ran = run.end();
        assert_eq!(ran.code, Some(1), "{moment}: {ran}");
        assert!(ran.stderr.contains("error: interrupted"), "{moment}: {ran}");
        assert_eq!(processes_in(tool.dir()), Vec::<u32>::new(), "{moment}");
        assert!(!tool.dir().join(".shardwright/dry-run/state.json").exists(), "{moment}");
    }
    everywhere(&cluster, &["DROP DATABASE dry_stopped"]);
}
