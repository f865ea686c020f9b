//! The engines that this repository's machines may not have, docker and binary, with stand-ins for their programs. Of the
//! real ones, only a server's reading of its files is tested here.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, EngineChoice, Member, SandboxOptions, down, status, up};

use crate::harness::{End, block_on};
use crate::machine::{Machine, eventually, interrupt, processes_in};

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

/// What the engine `binary`, and but for paths and ports the compose file, give to a server is read by a real one: the
/// stand-in's servers are those of the new end. It has no Keeper to speak to, so that the tool waits until it is told to stop.
#[test]
fn a_current_server_reads_the_files_of_ordinary_servers() {
    let cluster = End::New.shared();
    let process = format!("/proc/{}", cluster.status().members[0].pid.unwrap());
    let words = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(format!("{process}/{file}")).unwrap();
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    };
    let (command, environment) = (words("cmdline"), words("environ"));
    let site = environment.iter().find_map(|variable| variable.strip_prefix("PYTHONPATH=")).unwrap();
    let real = format!(
        "    os.chdir(home)\n    os.environ['PYTHONPATH'] = {site:?}\n    os.execv({:?}, {})\n",
        command[0],
        serde_json::to_string(&command).unwrap()
    );
    let machine = Machine::bare();
    machine.program(
        "clickhouse",
        &CLICKHOUSE.replace("else:\n    port = int(os", &format!("else:\n{real}    port = int(os")),
    );
    let mut tool = machine.tool(&["up", "--engine", "binary", "--shards", "1"]);

    let dir = machine.dir.join("sandbox");
    let second = eventually("the second replica answers", || {
        let status = status(&dir).ok()??;
        let member =
            status.members.into_iter().find(|member| member.member == Member::Replica(ReplicaId::new(1, 2)))?;
        ask(member.http_port?, "SELECT 1").is_some().then_some(member)
    });
    let ask = |sql| ask(second.http_port.unwrap(), sql).unwrap();
    assert_eq!(ask("SELECT version(), getMacro('shard'), getMacro('replica')"), "26.9.2.1\t1\tr2");
    assert_eq!(
        ask("SELECT max(port) FROM system.clusters WHERE cluster = 'main' AND is_local"),
        second.port.to_string()
    );
    assert_eq!(ask("SELECT count() FROM system.clusters WHERE cluster = 'main'"), "2");
    let settings = "SELECT count() FROM system.server_settings WHERE changed AND \
                    name IN ('interserver_http_host', 'interserver_http_port', 'distributed_ddl.path', 'tmp_path')";
    assert_eq!(ask(settings), "4");
    assert_eq!(ask("SELECT currentUser()"), "default");
    let log = fs::read_to_string(dir.join("s1r2/server.err.log")).unwrap();
    assert!(!log.contains("<Error>"), "{log}");
    interrupt(&tool);
    assert_eq!(eventually("the tool ends", || tool.try_wait().unwrap()).code(), Some(1));
    assert_eq!(processes_in(&machine.dir), Vec::<u32>::new());
}

/// What a server answers over HTTP; none if it does not, or not well.
fn ask(port: u16, sql: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{sql}", sql.len()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.trim_end().to_owned())
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
