//! The engines that this repository's machines may not have, docker and binary, with stand-ins for their programs. What
//! the real ones make of the commands and files is not tested here.

use std::fs;
use std::io::Read;

use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, EngineChoice, Member, SandboxOptions, down, status, up};

use crate::harness::block_on;
use crate::machine::{Machine, eventually, interrupt};

/// Answers what a ready check asks, from the config files that the real one would read.
const CLICKHOUSE: &str = r#"#!/usr/bin/env python3
import os, re, socketserver, sys, time
if sys.argv[1:] == ["server", "--version"]:
    print("ClickHouse server version 25.8.1.5101 (official build).")
    sys.exit()
kind, _, config = sys.argv[1:]
home = os.path.dirname(config)
text = open(config).read()
if kind == "keeper":
    port = int(re.search(r"<tcp_port>(\d+)", text)[1])
else:
    port = int(os.environ["SHARDWRIGHT_HTTP_PORT"])
    shards = open(home + "/config.d/sandbox.xml").read().split("<shard>")[1:]
    replicas = [re.findall(r"<port>(\d+)", shard.split("</shard>")[0]) for shard in shards]

def answer(sql):
    if "system.macros" in sql:
        return os.environ["SHARDWRIGHT_REPLICA"] + "\n" + os.environ["SHARDWRIGHT_SHARD"] + "\n"
    if "system.clusters" in sql:
        return "".join(f"{s}\t{r}\t{p}\n" for s, ports in enumerate(replicas, 1) for r, p in enumerate(ports, 1))
    if "version()" in sql:
        return f"25.8.1.5101\t{len(replicas)}\n"
    return "1\n" if "system.zookeeper" in sql else "0\n" if "system.replicas" in sql else ""

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        if kind == "keeper":
            self.rfile.read(4)
            return self.wfile.write(b"Mode: standalone\n")
        first, length = self.rfile.readline(), 0
        while (line := self.rfile.readline().strip()):
            length = int(line.split()[1]) if line.lower().startswith(b"content-length") else length
        body = "Ok.\n" if b"/ping" in first else answer(self.rfile.read(length).decode())
        self.wfile.write(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

#[test]
fn a_binary_runs_as_servers_and_keeper() {
    let machine = Machine::bare();
    machine.program("clickhouse", CLICKHOUSE);
    let options = SandboxOptions { engine: EngineChoice::Only(Engine::Binary), ..machine.options() };
    let sandbox = block_on(up(&options, &mut |_| {})).unwrap();
    assert_eq!(sandbox.started().len(), 5, "two replicas of each shard, and Keeper");
    assert_eq!(sandbox.status().unwrap().version.as_deref(), Some("25.8.1.5101"));

    let member = Member::Replica(ReplicaId::new(2, 1));
    block_on(sandbox.kill(member)).unwrap();
    block_on(sandbox.kill(Member::Keeper)).unwrap();
    let healed = block_on(up(&options, &mut |_| {})).unwrap();
    assert_eq!(healed.started(), [Member::Keeper, member]);
    assert!(block_on(down(&options.dir, false, &mut |_| {})).unwrap());
    assert_eq!(status(&options.dir).unwrap(), None);
}

/// Notes what it is told; its containers are files.
const DOCKER: &str = r#"#!/bin/sh
home=$(dirname "$0")/..
for word; do last=$word; done
case "$*" in
  info*|"compose version") echo 28 ;;
  "ps "*) for file in "$home"/container-*; do [ -e "$file" ] && echo "${file##*container-}" running; done; exit 0 ;;
  *) echo "${*#*docker-compose.yml }" >> "$home/calls" ;;
esac
case "$*" in *" up "*) : > "$home/container-$last" ;; esac
"#;

#[test]
fn containers_are_started_stopped_and_removed() {
    let machine = Machine::bare();
    machine.program("docker", DOCKER);
    let calls = || fs::read_to_string(machine.dir.join("calls")).unwrap_or_default();
    let mut tool = machine.tool(&["up", "--engine", "docker", "--shards", "1"]);
    // Nothing listens: the tool waits until it is told to stop.
    eventually("the last container starts", || calls().contains("up --detach s1r2\n").then_some(()));
    let running = machine.tool(&["status", "--format", "json"]).wait_with_output().unwrap();
    let said = String::from_utf8(running.stdout).unwrap();
    assert!(said.contains("\"engine\": \"docker\"") && said.contains("\"running\""), "{said}");
    interrupt(&tool);
    assert_eq!(eventually("the tool ends", || tool.try_wait().unwrap()).code(), Some(1));
    let expected = "up --detach keeper\nup --detach s1r1\nup --detach s1r2\nstop s1r2 s1r1 keeper\n";
    assert_eq!(calls(), expected);
    let compose = fs::read_to_string(machine.dir.join("sandbox/docker-compose.yml")).unwrap();
    assert!(compose.contains("./cluster-configs/1s2r/server.xml:"), "{compose}");
    assert!(machine.dir.join("sandbox/cluster-configs/1s2r/server.xml").exists());

    assert!(machine.tool(&["down"]).wait_with_output().unwrap().status.success());
    assert_eq!(calls().strip_prefix(expected), Some("down --remove-orphans --volumes\n"));
    assert!(!machine.dir.join("sandbox").exists());
}

#[test]
fn an_engine_that_does_not_answer_is_no_engine() {
    let machine = Machine::bare();
    machine.program("docker", "#!/bin/sh\necho Cannot connect to the Docker daemon >&2; exit 1\n");
    let mut tool = machine.tool(&["up", "--engine", "docker"]);
    assert_eq!(eventually("the tool ends", || tool.try_wait().unwrap()).code(), Some(1));
    let mut said = String::new();
    tool.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("engine docker: Cannot connect to the Docker daemon"), "{said}");
    assert!(said.contains("hint: --engine auto takes the first engine that this machine can run"), "{said}");
    assert!(!machine.dir.join("sandbox/state.json").exists());
    assert!(status(&machine.dir.join("sandbox")).unwrap().is_none());
}
