//! The compose file of a sandbox: the one at the root of the repository, taken apart and put together for another shape.

use super::layout::{ReplicaPorts, State};
use crate::names::ReplicaId;

const TEMPLATE: &str = include_str!("../../docker-compose.cluster.yml");
const SERVICES: &str = "services:\n";
const KEEPER_PORTS: &str = "    ports:\n";
const KEEPER_VOLUMES: &str = "    volumes:\n";
const FIRST: &str = "\n  s1r1:\n";
const SECOND: &str = "\n  s1r2:\n";
const TEMPLATE_DIR: &str = "cluster-configs/2s2r";

/// Where the config files that the containers mount are, from the compose file.
pub(super) fn config_dir(state: &State) -> String {
    format!("cluster-configs/{}s{}r", state.shards, state.replicas)
}

/// The compose file's text.
pub(super) fn file(state: &State) -> String {
    let (head, rest) = halves(TEMPLATE, SERVICES);
    let (keeper, rest) = halves(rest, FIRST);
    let server = format!("{FIRST}{}", halves(rest, SECOND).0);
    let servers: String = state.ports.iter().map(|(id, ports)| service(&server, *id, *ports)).collect();
    let volumes: Vec<String> = state.ports.keys().map(|id| format!("  {id}:\n")).collect();
    let volumes = volumes.concat();
    let text = format!("{head}{SERVICES}{}{servers}\nvolumes:\n  keeper:\n{volumes}", with_ports(keeper, state));
    text.replace(TEMPLATE_DIR, &config_dir(state))
}

/// One value a line, so that none that is put in is taken for one to be replaced.
fn service(template: &str, id: ReplicaId, ports: ReplicaPorts) -> String {
    let values = [
        ("s1r1", id.to_string()),
        ("8121", ports.http.to_string()),
        ("9001", ports.native.to_string()),
        ("9101", ports.interserver.to_string()),
        ("SHARD: \"1\"", format!("SHARD: \"{}\"", id.shard)),
        ("\"r1\"", format!("\"r{}\"", id.replica)),
    ];
    let filled = |line: &str| match values.iter().find(|(old, _)| line.contains(old)) {
        Some((old, new)) => line.replace(old, new),
        None => line.to_owned(),
    };
    template.split_inclusive('\n').map(filled).collect()
}

/// Published on loopback, for clients on this machine: HTTP first, then native.
fn with_ports(keeper: &str, state: &State) -> String {
    let (head, rest) = halves(keeper, KEEPER_PORTS);
    let volumes = halves(rest, KEEPER_VOLUMES).1;
    let http = state.ports.values().map(|ports| ports.http);
    let ports: Vec<String> = http
        .chain(state.ports.values().map(|ports| ports.native))
        .map(|port| format!("      - \"127.0.0.1:{port}:{port}\"\n"))
        .collect();
    format!("{head}{KEEPER_PORTS}{}{KEEPER_VOLUMES}{volumes}", ports.concat())
}

/// Before and after `mark`, which the template has; a test sees to that.
fn halves<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Engine;

    fn state(shards: u32, replicas: u32) -> State {
        let servers = shards * replicas;
        let ports = (1..=servers).flat_map(|i| [8120 + i, 9000 + i, 9100 + i]).map(|port| u16::try_from(port).unwrap());
        let ports: Vec<u16> = std::iter::once(9181).chain(ports).collect();
        State::new(Engine::Docker, shards, replicas, &ports)
    }

    #[test]
    fn two_by_two_is_the_file_in_the_repository() {
        assert_eq!(file(&state(2, 2)), TEMPLATE);
    }

    #[test]
    fn other_shapes_follow_it() {
        let text = file(&state(3, 1));
        let services: Vec<&str> =
            text.lines().filter(|line| line.starts_with("  s") && line.ends_with("r1:")).collect();
        assert_eq!(
            services,
            ["  s1r1:", "  s2r1:", "  s3r1:", "  s1r1:", "  s2r1:", "  s3r1:"],
            "services and volumes"
        );
        assert!(text.contains("SHARDWRIGHT_SHARD: \"3\"\n      SHARDWRIGHT_REPLICA: \"r1\"\n"), "{text}");
        assert!(text.contains("./cluster-configs/3s1r/server.xml:"), "{text}");
        assert!(text.contains("http://127.0.0.1:8123/ping") && !text.contains("8124"), "{text}");
    }
}
