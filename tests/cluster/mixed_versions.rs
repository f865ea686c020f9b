//! A cluster of which one shard runs 18.16.1 and the other 26.9.2: planned with what both can do, or refused with the reason.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;

use shardwright::names::ReplicaId;
use shardwright::sandbox::Engine;

use crate::harness::Running;
use crate::tool::{PLAN, Tool};

const FIRST: ReplicaId = ReplicaId { shard: 1, replica: 1 };

/// Two sandboxes of one shard each, and the config of the cluster that the old one's server says they are.
fn cluster() -> (Running, Running, String) {
    let [old, new] = [Engine::Debian, Engine::Chdb].map(|engine| Running::start(engine, 1, 1).unwrap());
    let ports = |running: &Running| running.replicas().next().unwrap().1;
    let (old_ports, new_ports) = (ports(&old), ports(&new));
    let shard = |native: u16| format!("<shard><replica><host>127.0.0.1</host><port>{native}</port></replica></shard>");
    let shards = [old_ports.native, new_ports.native].map(shard).concat();
    let text = format!("<yandex><remote_servers><mixed>{shards}</mixed></remote_servers></yandex>");
    // This server reads a changed configuration by itself.
    fs::write(old.dir().join("s1r1/config.d/z-mixed.xml"), text).unwrap();
    old.eventually(FIRST, "SELECT count() FROM system.clusters WHERE cluster = 'mixed'", "2");
    let config = format!(
        "cluster = 'mixed'\nendpoints = ['http://127.0.0.1:{}']\n[http_ports]\n'127.0.0.1:{}' = {}\n'127.0.0.1:{}' = {}\n",
        old_ports.http, old_ports.native, old_ports.http, new_ports.native, new_ports.http
    );
    (old, new, config)
}

fn on_both(clusters: [&Running; 2], statements: &[&str]) {
    for (cluster, sql) in clusters.iter().flat_map(|cluster| statements.iter().map(move |sql| (cluster, sql))) {
        cluster.query(FIRST, sql);
    }
}

#[test]
fn shards_of_both_ends_are_changed_by_what_they_have_in_common() {
    let (old, new, config) = cluster();
    on_both(
        [&old, &new],
        &[
            "CREATE DATABASE mixed",
            "CREATE TABLE mixed.t (id UInt64, ts DateTime, event String, note Nullable(String)) ENGINE = MergeTree \
             PARTITION BY toYYYYMM(ts) ORDER BY (id, event) SETTINGS index_granularity = 8192",
            "CREATE TABLE mixed.late (id UInt64) ENGINE = Log",
            "CREATE MATERIALIZED VIEW mixed.v TO mixed.late AS SELECT id FROM mixed.t WHERE event = 'late'",
            "INSERT INTO mixed.t (id, ts, event) SELECT number, toDateTime('2024-01-01 00:00:00') + number * 3600, 'e' FROM numbers(2000)",
        ],
    );
    // The new server does not know the cluster of which it is a part, so only the old one has a table over it.
    old.query(FIRST, "CREATE TABLE mixed.t_all AS mixed.t ENGINE = Distributed(mixed, mixed, t, rand())");
    let tool = Tool::new(&old).with_config(&config);
    let planned = tool.plan("ALTER TABLE mixed.t MODIFY ORDER BY (event, id)");
    for chosen in [
        "SW017",
        "names are swapped with EXCHANGE TABLES on replicas that have it in this database, else by one RENAME",
        "plan and step in its query_id alone, since not every replica has log_comment",
    ] {
        assert!(planned.stdout.contains(chosen), "{chosen}: {planned}");
    }
    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    let key = "SELECT sorting_key FROM system.tables WHERE database = 'mixed' AND name = 't'";
    for cluster in [&old, &new] {
        assert_eq!(cluster.query(FIRST, key), "event, id");
        assert_eq!(cluster.query(FIRST, "SELECT count(), sum(id) FROM mixed.t"), "2000\t1999000");
        // The mirror runs the other way on both, and views have not gone with the old data.
        cluster.query(FIRST, "INSERT INTO mixed.t (id, ts, event) SELECT number, 1700000000, 'late' FROM numbers(10)");
        assert_eq!(cluster.query(FIRST, "SELECT count() FROM mixed.t__sw_shadow"), "2010");
        assert_eq!(cluster.query(FIRST, "SELECT count() FROM mixed.v"), "10");
    }
    tool.expect(0, &["rollback", PLAN]);
    for cluster in [&old, &new] {
        assert_eq!(cluster.query(FIRST, "SELECT count() FROM mixed.t"), "2010", "nothing is lost by going back");
    }
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);

    // Of a mirror for MATERIALIZED columns the two ends have opposite ideas.
    on_both(
        [&old, &new],
        &[
            "CREATE TABLE mixed.m (id UInt64, twice UInt64 MATERIALIZED id * 2) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 8192",
        ],
    );
    let refused = tool.expect(3, &["plan", "--sql", "ALTER TABLE mixed.m MODIFY ORDER BY (twice, id)", "-o", "m.json"]);
    assert!(refused.stdout.contains("SW017") && refused.stdout.contains("MATERIALIZED"), "{refused}");
}
