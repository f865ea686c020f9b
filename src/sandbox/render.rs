//! The text of a sandbox's config files. The base files are those of the compose cluster, carried in the binary.

use std::fmt::Write as _;
use std::path::Path;

use super::CLUSTER;
use super::layout::{ReplicaPorts, State};
use crate::names::ReplicaId;

/// Every server's `config.xml`.
pub(super) const SERVER_XML: &str = include_str!("../../cluster-configs/2s2r/server.xml");
/// Every server's `users.xml`.
pub(super) const USERS_XML: &str = include_str!("../../cluster-configs/2s2r/users.xml");

/// The compose cluster's Keeper.
pub(super) const KEEPER_XML: &str = include_str!("../../cluster-configs/2s2r/keeper.xml");

/// `users.xml` of a server without a compose cluster to resemble: `default` without a password, from this machine alone.
pub(super) const CHDB_USERS_XML: &str = r"<clickhouse>
    <profiles><default><log_queries>1</log_queries></default></profiles>
    <users>
        <default>
            <password></password>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </default>
    </users>
    <quotas><default/></quotas>
</clickhouse>
";

/// The compose cluster's `server.xml` for other shards, replicas and ports.
pub(super) fn container_server_config(state: &State) -> String {
    let (open, close) = ("    <remote_servers>\n", "    </remote_servers>\n");
    let (head, rest) = SERVER_XML.split_once(open).unwrap_or((SERVER_XML, ""));
    let tail = rest.split_once(close).map_or("", |(_, tail)| tail);
    format!("{head}{open}        <{CLUSTER}>\n{}        </{CLUSTER}>\n{close}{tail}", remote_shards(state))
}

/// `config.xml` of the chdb server whose directory is `dir` (UTF-8).
///
/// An embedded engine has no threads for the queues of Distributed and Buffer tables unless it is told to: what was inserted
/// would stay where it came in.
pub(super) fn chdb_config(dir: &Path, id: ReplicaId, state: &State) -> String {
    let dir = escape_xml(&dir.to_string_lossy());
    let ReplicaPorts { http, native, .. } = state.ports[&id];
    let ReplicaId { shard, replica } = id;
    let (logger, shards) = (logger(&dir, ""), remote_shards(state));
    let (query_log, part_log) = (log_table("query_log"), log_table("part_log"));
    format!(
        r"<clickhouse>
{logger}    <listen_host>127.0.0.1</listen_host>
    <http_port>{http}</http_port>
    <tcp_port>{native}</tcp_port>
    <users_config>users.xml</users_config>
    <mark_cache_size>268435456</mark_cache_size>
    <background_distributed_schedule_pool_size>4</background_distributed_schedule_pool_size>
    <background_buffer_flush_schedule_pool_size>2</background_buffer_flush_schedule_pool_size>
    <macros><shard>{shard}</shard><replica>r{replica}</replica></macros>
    <remote_servers>
        <{CLUSTER}>
{shards}        </{CLUSTER}>
    </remote_servers>
{query_log}{part_log}</clickhouse>
"
    )
}

/// A `<logger>` that writes into the directory `dir`, escaped; its tag with `attribute`, a space before it.
fn logger(dir: &str, attribute: &str) -> String {
    format!(
        r"    <logger{attribute}>
        <level>information</level>
        <log>{dir}/server.log</log>
        <errorlog>{dir}/server.err.log</errorlog>
        <size>100M</size>
        <count>2</count>
    </logger>
"
    )
}

fn log_table(name: &str) -> String {
    format!(
        r"    <{name}>
        <database>system</database>
        <table>{name}</table>
        <flush_interval_milliseconds>1000</flush_interval_milliseconds>
    </{name}>
"
    )
}

/// `keeper_config.xml` of the one Keeper whose directory is `dir` (UTF-8).
pub(super) fn keeper_config(dir: &Path, state: &State) -> String {
    let dir = escape_xml(&dir.to_string_lossy());
    let (port, raft_port) = (state.keeper_port, state.raft_port.unwrap_or_default());
    let logger = logger(&dir, "");
    format!(
        r"<clickhouse>
{logger}    <listen_host>127.0.0.1</listen_host>
    <path>{dir}/data/</path>
    <keeper_server>
        <tcp_port>{port}</tcp_port>
        <server_id>1</server_id>
        <log_storage_path>{dir}/data/log</log_storage_path>
        <snapshot_storage_path>{dir}/data/snapshots</snapshot_storage_path>
        <coordination_settings>
            <operation_timeout_ms>10000</operation_timeout_ms>
            <session_timeout_ms>30000</session_timeout_ms>
        </coordination_settings>
        <raft_configuration>
            <server><id>1</id><hostname>127.0.0.1</hostname><port>{raft_port}</port></server>
        </raft_configuration>
    </keeper_server>
</clickhouse>
"
    )
}

/// What differs from the compose cluster: `config.d/sandbox.xml` of the server whose directory is `dir` (UTF-8).
pub(super) fn server_override(dir: &Path, state: &State) -> String {
    let dir = escape_xml(&dir.to_string_lossy());
    let keeper_port = state.keeper_port;
    let (logger, shards) = (logger(&dir, r#" replace="replace""#), remote_shards(state));
    format!(
        r#"<yandex>
{logger}    <listen_host>127.0.0.1</listen_host>
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
    fn containers_of_the_compose_shape_have_the_compose_config() {
        let ports = [[8121, 9001, 9101], [8122, 9002, 9102], [8123, 9003, 9103], [8124, 9004, 9104]].concat();
        let state = State::new(Engine::Docker, 2, 2, &[&[9181], &ports[..]].concat());
        assert_eq!(container_server_config(&state), SERVER_XML);
    }

    #[test]
    fn chdb_and_keeper_listen_where_the_state_says() {
        let state = State::new(Engine::Binary, 1, 1, &[2181, 8121, 9001, 9101, 9234]);
        let xml = chdb_config(Path::new("/tmp/a&b"), ReplicaId::new(1, 1), &state);
        for element in [
            "<http_port>8121</http_port>",
            "<tcp_port>9001</tcp_port>",
            "<listen_host>127.0.0.1</listen_host>",
            "<macros><shard>1</shard><replica>r1</replica></macros>",
            "<log>/tmp/a&amp;b/server.log</log>",
        ] {
            assert!(xml.contains(element), "{element}: {xml}");
        }
        let xml = keeper_config(Path::new("/tmp/k"), &state);
        assert!(xml.contains("<tcp_port>2181</tcp_port>") && xml.contains("<port>9234</port>"), "{xml}");
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
