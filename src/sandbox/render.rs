//! The text of a sandbox's config files. The base files are those of the compose cluster, carried in the binary.

use std::fmt::Write as _;
use std::path::Path;

use super::CLUSTER;
use super::layout::State;

/// Every server's `config.xml`.
pub(super) const SERVER_XML: &str = include_str!("../../cluster-configs/2s2r/server.xml");
/// Every server's `users.xml`.
pub(super) const USERS_XML: &str = include_str!("../../cluster-configs/2s2r/users.xml");

/// What differs from the compose cluster: `config.d/sandbox.xml` of the server whose directory is `dir` (UTF-8).
pub(super) fn server_override(dir: &Path, state: &State) -> String {
    let dir = escape_xml(&dir.to_string_lossy());
    let keeper_port = state.keeper_port;
    let shards = remote_shards(state);
    format!(
        r#"<yandex>
    <logger replace="replace">
        <level>information</level>
        <log>{dir}/server.log</log>
        <errorlog>{dir}/server.err.log</errorlog>
        <size>100M</size>
        <count>2</count>
    </logger>
    <listen_host>127.0.0.1</listen_host>
    <path>{dir}/data/</path>
    <tmp_path>{dir}/tmp/</tmp_path>
    <remote_servers replace="replace">
        <{CLUSTER}>
{shards}        </{CLUSTER}>
    </remote_servers>
    <zookeeper replace="replace">
        <node><host>127.0.0.1</host><port>{keeper_port}</port></node>
        <session_timeout_ms>10000</session_timeout_ms>
    </zookeeper>
</yandex>
"#
    )
}

fn remote_shards(state: &State) -> String {
    let mut xml = String::new();
    for shard in 1..=state.shards {
        xml += "            <shard>\n                <internal_replication>true</internal_replication>\n";
        for (_, ports) in state.ports.iter().filter(|(id, _)| id.shard == shard) {
            let native = ports.native;
            let _ = writeln!(xml, "                <replica><host>127.0.0.1</host><port>{native}</port></replica>");
        }
        xml += "            </shard>\n";
    }
    xml
}

/// The `shardwright.toml` that leads to the sandbox.
pub(super) fn client_config(state: &State) -> String {
    let endpoints: Vec<String> =
        state.ports.values().map(|ports| format!("    \"http://127.0.0.1:{}\",\n", ports.http)).collect();
    let mut toml = format!(
        "# Written by `shardwright sandbox up`.\ncluster = \"{CLUSTER}\"\nendpoints = [\n{}]\nuser = \"default\"\nsandbox = true\n\n[http_ports]\n",
        endpoints.concat()
    );
    for ports in state.ports.values() {
        let _ = writeln!(toml, "\"127.0.0.1:{}\" = {}", ports.native, ports.http);
    }
    toml
}

/// ZooKeeper's `zoo.cfg`; paths are relative to its directory, so that none has to be escaped.
pub(super) fn zoo_cfg(port: u16) -> String {
    format!(
        "tickTime=2000\ndataDir=./data\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
         maxClientCnxns=0\nautopurge.snapRetainCount=3\nautopurge.purgeInterval=1\n"
    )
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sandbox::Engine;

    fn state() -> State {
        State::new(Engine::Debian, 2, 1, &[2181, 8121, 9001, 9101, 8122, 9002, 9102])
    }

    #[test]
    fn remote_servers_follow_the_shape() {
        let xml = server_override(Path::new("/tmp/a<b & c/s1r1"), &state());
        assert!(xml.contains("<path>/tmp/a&lt;b &amp; c/s1r1/data/</path>"), "{xml}");
        insta::assert_snapshot!(remote_shards(&state()), @r"
        <shard>
            <internal_replication>true</internal_replication>
            <replica><host>127.0.0.1</host><port>9001</port></replica>
        </shard>
        <shard>
            <internal_replication>true</internal_replication>
            <replica><host>127.0.0.1</host><port>9002</port></replica>
        </shard>
        ");
    }

    #[test]
    fn the_client_config_is_one_that_we_read() {
        let config = Config::parse(&client_config(&state())).unwrap();
        assert_eq!(config.cluster, CLUSTER);
        assert!(config.sandbox);
        assert_eq!(config.endpoints.len(), 2);
        assert_eq!(config.http_ports().get("127.0.0.1:9002"), Some(&8122));
    }

    #[test]
    fn the_compose_cluster_has_a_client_config_too() {
        let config = Config::parse(include_str!("../../cluster-configs/2s2r/shardwright.toml")).unwrap();
        assert_eq!(config.http_ports().get("127.0.0.1:9004"), Some(&8124));
        assert!(config.sandbox);
    }

    #[test]
    fn elements_filled_from_the_environment_are_empty() {
        // 18.16.1 appends the variable's value to the text it finds: 8123 and 18801 become port 812318801.
        let filled: Vec<&str> = SERVER_XML.lines().filter(|line| line.contains("from_env=\"")).collect();
        assert_eq!(filled.len(), 5);
        assert!(filled.iter().all(|line| line.ends_with("/>")), "{filled:?}");
    }
}
