//! What a cluster holds, asked of the servers and of their directories: the tests' own eyes, apart from the program's.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use shardwright::names::ReplicaId;

use crate::harness::Running;

/// The new databases of a test on every replica, with the statements that it begins with.
#[track_caller]
pub(crate) fn prepare(cluster: &Running, database: &str, statements: &[&str]) {
    for id in cluster.ids() {
        cluster.query(id, &format!("DROP DATABASE IF EXISTS {database}"));
        cluster.query(id, &format!("CREATE DATABASE {database}"));
    }
    everywhere(cluster, statements);
}

/// An engine of the `MergeTree` family for a table, as an expression: Replicated, with a Keeper path of its own that ends
/// with its shard and name, or plain.
pub(crate) fn engine(replicated: bool, family: &str, database: &str, table: &str, args: &str) -> String {
    let keeper = format!("'/clickhouse/{database}/{{shard}}/{table}', '{{replica}}'");
    match (replicated, args) {
        (false, _) => format!("{family}({args})"),
        (true, "") => format!("Replicated{family}({keeper})"),
        (true, _) => format!("Replicated{family}({keeper}, {args})"),
    }
}

/// A `Distributed` table `read` over `t`.
pub(crate) fn read_over(database: &str) -> String {
    format!("CREATE TABLE {database}.read AS {database}.t ENGINE = Distributed(main, '{database}', t, id)")
}

/// Deletes rows of a table on the first shard, and waits until its replicas have none of them.
#[track_caller]
pub(crate) fn delete(cluster: &Running, table: &str, gone: &str) {
    let first = firsts(cluster)[0];
    cluster.query(first, &format!("ALTER TABLE {table} DELETE WHERE {gone}"));
    let left = format!("SELECT count() FROM {table} WHERE {gone}");
    for id in cluster.ids().into_iter().filter(|id| id.shard == first.shard) {
        cluster.eventually(id, &left, "0");
    }
}

/// Tells a story beside threads that go on until it is over, however it ends.
pub(crate) fn then_stop<T>(stop: &AtomicBool, story: impl FnOnce() -> T) -> T {
    let told = catch_unwind(AssertUnwindSafe(story));
    stop.store(true, Ordering::SeqCst);
    told.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs statements on every replica.
#[track_caller]
pub(crate) fn everywhere(cluster: &Running, statements: &[&str]) {
    for id in cluster.ids() {
        for sql in statements {
            cluster.query(id, sql);
        }
    }
}

/// The first replica of each shard.
pub(crate) fn firsts(cluster: &Running) -> Vec<ReplicaId> {
    cluster.ids().into_iter().filter(|id| id.replica == 1).collect()
}

/// Waits until all replicas have what any of them has; nothing where there is no replication.
#[track_caller]
pub(crate) fn sync(cluster: &Running, tables: &[&str]) {
    for id in cluster.ids().into_iter().filter(|_| cluster.replicates()) {
        for table in tables {
            let sql = format!("SYSTEM SYNC REPLICA {table}");
            // A server from which ZooKeeper was taken needs some seconds to find it again.
            let synced = (0..30).any(|_| {
                let answer = cluster.attempt(id, &sql);
                let lost = answer.as_ref().is_err_and(|error| error.contains("Coordination::Exception"));
                if lost {
                    std::thread::sleep(std::time::Duration::from_secs(1));
                } else {
                    answer.unwrap_or_else(|error| panic!("{sql}\n{error}"));
                }
                !lost
            });
            assert!(synced, "{sql}: {id} has no session with ZooKeeper after 30 s");
        }
    }
}

/// The same question to every replica.
#[track_caller]
pub(crate) fn ask(cluster: &Running, sql: &str) -> BTreeMap<ReplicaId, String> {
    std::thread::scope(|scope| {
        let asked = cluster.ids().into_iter().map(|id| (id, scope.spawn(move || cluster.query(id, sql))));
        let asked: Vec<_> = asked.collect();
        asked.into_iter().map(|(id, answer)| (id, answer.join().expect("the replica answers"))).collect()
    })
}

/// The same question to every replica, to which all give the same answer.
#[track_caller]
pub(crate) fn ask_all(cluster: &Running, sql: &str) -> String {
    let answers = ask(cluster, sql);
    let first = answers.values().next().expect("a cluster has replicas").clone();
    assert!(answers.values().all(|answer| *answer == first), "{sql}\nreplicas differ: {answers:#?}");
    first
}

/// Every table of a database with its definition, by replica.
#[track_caller]
pub(crate) fn definitions(cluster: &Running, database: &str) -> BTreeMap<ReplicaId, String> {
    let sql = format!(
        "SELECT name, create_table_query FROM system.tables WHERE database = '{}' ORDER BY name",
        database.replace('\\', r"\\").replace('\'', r"\'")
    );
    ask(cluster, &sql)
}

/// All databases of every replica: a scratch database that stayed would be among them.
#[track_caller]
pub(crate) fn databases(cluster: &Running) -> BTreeMap<ReplicaId, String> {
    ask(cluster, "SELECT name FROM system.databases ORDER BY name")
}

/// The names under a Keeper path, one a line.
#[track_caller]
pub(crate) fn keeper(cluster: &Running, path: &str) -> String {
    ask_all(cluster, &format!("SELECT name FROM system.zookeeper WHERE path = '{path}' ORDER BY name"))
}

/// Tables and files of the program's own that any replica has in a database, and scratch databases.
pub(crate) fn left_over(cluster: &Running, database: &str) -> Vec<String> {
    let mut found = Vec::new();
    let quoted = database.replace('\\', r"\\").replace('\'', r"\'");
    let ours = format!(
        "SELECT concat(database, '.', name) FROM system.tables \
         WHERE database = '{quoted}' AND position(name, '__sw_') > 0 OR position(database, 'shardwright') > 0"
    );
    for id in cluster.ids() {
        found.extend(cluster.query(id, &ours).lines().map(|table| format!("{id}: table {table}")));
        let data = cluster.dir().join(id.to_string()).join("data");
        for kind in ["data", "metadata"] {
            let mut names = names_in(&data.join(kind).join(file_name(database)));
            names.retain(|name| name.contains("__sw_"));
            names.extend(names_in(&data.join(kind)).into_iter().filter(|name| name.contains("shardwright")));
            found.extend(names.iter().map(|name| format!("{id}: file {kind}/…/{name}")));
        }
    }
    found
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A database's name as the server writes it in file names.
fn file_name(database: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    database
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Fails if anything of the program's own is on any replica.
#[track_caller]
pub(crate) fn assert_nothing_left(cluster: &Running, database: &str) {
    let mut found = left_over(cluster, database);
    // The server removes the directory of a dropped table a moment after its answer.
    for _ in 0..50 {
        if found.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        found = left_over(cluster, database);
    }
    panic!("left over:\n{}", found.join("\n"));
}
