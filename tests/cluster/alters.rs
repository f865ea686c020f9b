//! What `docs/alters.md` says of every ALTER, held against a current server: each row on a loaded table of its own.

use std::collections::BTreeSet;

use shardwright::classify::{Class, EXAMPLE_TABLE, ROWS, Row};
use shardwright::ddl::alteration::heads;
use shardwright::names::ReplicaId;

use crate::harness::{End, Running};

const FIRST: ReplicaId = ReplicaId { shard: 1, replica: 1 };
const DATABASE: &str = "alters";
/// Four partitions of one part each, so that no merge changes what is compared.
const ROWS_SQL: &str = "INSERT INTO {t} (d, id, k, v, s, e, g, z) SELECT toDate('2024-01-01') + toIntervalMonth(number % 4), number, \
                        toString(number % 9), number, 'SEED', 'a', number, 'zz' FROM numbers(4000)";

/// What a statement has done to the table.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Refused(String),
    Mutation,
    NoPartChanged,
    PartsCameOrWent,
}

fn named(sql: &str, row: usize) -> String {
    let (t, u) = (format!("{DATABASE}.t{row}"), format!("{DATABASE}.u{row}"));
    sql.replace("{t}", &t).replace("{u}", &u).replace("{db}", &format!("{DATABASE}_{row}"))
}

/// Names and hashes of active parts, and the number of mutations.
fn state(cluster: &Running, table: &str) -> (String, BTreeSet<String>, String) {
    let here = format!("database = '{DATABASE}' AND table = '{table}'");
    let parts = format!("SELECT name, hash_of_all_files FROM system.parts WHERE {here} AND active ORDER BY name");
    let parts = cluster.query(FIRST, &parts);
    let hashes = parts.lines().filter_map(|line| line.split('\t').nth(1)).map(str::to_owned).collect();
    (parts, hashes, cluster.query(FIRST, &format!("SELECT count() FROM system.mutations WHERE {here}")))
}

fn carry_out(cluster: &Running, number: usize, row: &Row) -> Seen {
    for (table, seed) in [("{t}", "abc"), ("{u}", "other")] {
        cluster.query(FIRST, &named(&EXAMPLE_TABLE.replace("{t}", table), number));
        cluster.query(FIRST, &named(&ROWS_SQL.replace("{t}", table).replace("SEED", seed), number));
    }
    for sql in row.first {
        cluster.query(FIRST, &named(&with_settings(sql), number));
    }
    let table = format!("t{number}");
    let (before, _, mutations) = state(cluster, &table);
    let sql = with_settings(&format!("ALTER TABLE {{t}} {}", row.example));
    if let Err(error) = cluster.attempt(FIRST, &named(&sql, number)) {
        return Seen::Refused(error);
    }
    let (after, _, mutations_after) = state(cluster, &table);
    if mutations_after != mutations {
        assert_ne!(after, before, "{}: a mutation renames parts", row.syntax);
        return Seen::Mutation;
    }
    if after == before { Seen::NoPartChanged } else { Seen::PartsCameOrWent }
}

/// The statement ends when what it starts has ended.
fn with_settings(sql: &str) -> String {
    if sql.starts_with("DELETE FROM") || sql.starts_with("UPDATE ") {
        return sql.to_owned();
    }
    let join = if sql.contains(" SETTINGS ") && !sql.contains("WITH SETTINGS") { "," } else { " SETTINGS" };
    format!("{sql}{join} mutations_sync = 2, alter_sync = 2")
}

fn disagreement(row: &Row, seen: &Seen) -> Option<String> {
    let agrees = match (seen, row.refusal) {
        (Seen::Refused(why), Some(words)) => words.split('|').any(|words| why.contains(words)),
        (Seen::Refused(_), None) | (_, Some(_)) => false,
        (Seen::Mutation, None) => row.class == Class::Mutation,
        (Seen::NoPartChanged, None) => {
            row.class == Class::MetadataOnly || row.class == Class::Parts && row.example.contains("DETACHED")
        }
        (Seen::PartsCameOrWent, None) => row.class == Class::Parts,
    };
    (!agrees).then(|| format!("{}: {} but {seen:?}", row.syntax, row.class))
}

#[test]
fn every_alter_does_what_its_class_says() {
    let cluster = End::New.shared();
    cluster.fresh_database(DATABASE);
    let disagreements: Vec<String> = ROWS
        .iter()
        .enumerate()
        .filter_map(|(number, row)| disagreement(row, &carry_out(&cluster, number, row)))
        .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    cluster.fresh_database(DATABASE);
}

#[test]
fn distributed_tables_take_what_is_said_and_refuse_the_rest() {
    let cluster = End::New.shared();
    let database = "alters_distributed";
    cluster.fresh_database(database);
    let named = |sql: &str| {
        sql.replace("{t}", &format!("{database}.t")).replace("{u}", &format!("{database}.t")).replace("{db}", database)
    };
    cluster.query(FIRST, &named(EXAMPLE_TABLE));
    let mut disagreements = Vec::new();
    for row in ROWS {
        let distributed = format!("{database}.d");
        cluster.query(FIRST, &format!("DROP TABLE IF EXISTS {distributed} SYNC"));
        let engine = format!("Distributed('main', '{database}', 't', id)");
        cluster.query(FIRST, &format!("CREATE TABLE {distributed} AS {database}.t ENGINE = {engine}"));
        let sql = format!("ALTER TABLE {distributed} {}", named(row.example));
        let taken = cluster.attempt(FIRST, &sql);
        if taken.is_ok() != row.distributed {
            disagreements.push(format!("{}: {taken:?}", row.syntax));
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    cluster.fresh_database(database);
}

/// The server lists the commands that it knows when it meets none.
#[test]
fn all_commands_of_the_server_are_read() {
    let cluster = End::New.shared();
    let refusal = cluster.refusal(FIRST, "ALTER TABLE t");
    let listed = refusal.split("Expected one of: ").nth(1).unwrap().split(", end of query").next().unwrap();
    let listed: BTreeSet<String> =
        listed.split(", ").filter(|word| !word.to_uppercase().ne(*word) && *word != "ON").map(str::to_owned).collect();
    assert!(listed.len() > 50, "{listed:?}");
    let ours = ["MODIFY PARTITION BY", "MODIFY PRIMARY KEY"];
    let read: BTreeSet<String> = heads().filter(|head| !ours.contains(&head.as_str())).collect();
    assert_eq!(read, listed);
}
