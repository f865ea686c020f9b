//! Row policies and grants that go by the name of a column: found before it goes. The embedded server makes none by SQL, and reads them
//! from its files when it starts.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;

use shardwright::names::ReplicaId;
use shardwright::sandbox::{Engine, Member, up};

use crate::harness::{End, Running, block_on};
use crate::load::http::send;
use crate::tool::Tool;
use crate::world::{engine, everywhere, prepare};

const FIRST: ReplicaId = ReplicaId { shard: 1, replica: 1 };

/// Somebody who sees the rows of one country alone, and of those two columns.
const READER: &str = "<clickhouse><users><reader>
    <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    <databases><rights><t><filter>country = 'de'</filter></t></rights></databases>
    <grants><query>GRANT SELECT(id, city) ON rights.t</query></grants>
</reader></users></clickhouse>";

#[test]
fn a_column_that_a_row_policy_filters_by_stays() {
    let cluster = Running::start(Engine::Chdb, 1, 1).unwrap();
    let files = cluster.dir().join("s1r1/users.d");
    fs::create_dir_all(&files).unwrap();
    fs::write(files.join("reader.xml"), READER).unwrap();
    block_on(cluster.kill(Member::Replica(FIRST))).unwrap();
    block_on(up(&cluster.options(), &mut |_| {})).unwrap();
    let columns = "id UInt64, country String, city String, other UInt8";
    prepare(
        &cluster,
        "rights",
        &[
            &format!("CREATE TABLE rights.t ({columns}) ENGINE = MergeTree ORDER BY id"),
            "INSERT INTO rights.t VALUES (1, 'de', 'Ulm', 0), (2, 'fr', 'Lyon', 0)",
        ],
    );
    let port = cluster.replicas().next().unwrap().1.http;
    let read = || block_on(send(port, "user=reader", "SELECT id FROM rights.t")).map_err(|error| format!("{error:?}"));
    assert_eq!(read().unwrap().trim(), "1", "the policy is there");
    let tool = Tool::new(&cluster);
    let plan = |command: &str| tool.run(&["plan", "--sql", &format!("ALTER TABLE rights.t {command}")]);
    for goes in ["DROP COLUMN country", "RENAME COLUMN country TO land"] {
        let found = plan(goes);
        assert!(found.code == Some(3) && found.stdout.contains("the row policy reader ON rights.t filters"), "{found}");
    }
    let retyped = plan("MODIFY COLUMN country LowCardinality(String)");
    assert!(retyped.code == Some(0) && retyped.stdout.contains("SW088"), "{retyped}");
    let granted = plan("RENAME COLUMN city TO town");
    assert!(granted.code == Some(0) && granted.stdout.contains("reader (SELECT on rights.t)"), "{granted}");
    let other = plan("DROP COLUMN other");
    assert!(other.code == Some(0) && !other.stdout.contains("SW088"), "{other}");
    // What would come of it.
    cluster.query(FIRST, "ALTER TABLE rights.t DROP COLUMN country");
    assert!(read().unwrap_err().contains("country"));
}

#[test]
fn servers_that_do_not_tell_are_named() {
    let (cluster, db) = (End::Old.shared(), "rights_old");
    let local = engine(true, "MergeTree", db, "t", "");
    prepare(&cluster, db, &[&format!("CREATE TABLE {db}.t (id UInt64, v UInt8) ENGINE = {local} ORDER BY id")]);
    let tool = Tool::new(&cluster);
    let planned = tool.plan(&format!("ALTER TABLE {db}.t DROP COLUMN v"));
    assert!(
        planned.stdout.contains("row policies and grants on columns are not known from every replica"),
        "{planned}"
    );
    everywhere(&cluster, &[&format!("DROP DATABASE {db}")]);
}
