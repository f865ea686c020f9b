//! Names of every kind: databases, tables and columns are quoted wherever they go.

use crate::harness::{End, Running};
use crate::tool::{PLAN, Tool};
use crate::world::{ask, ask_all, assert_nothing_left, definitions, engine, firsts, sync};

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', r"\\").replace('`', r"\`"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Plan, every rendering, execute, roll back, execute again, finalize.
#[track_caller]
fn works(cluster: &Running, database: &str, table: &str, columns: [&str; 3]) {
    let (db, [a, b, c]) = (identifier(database), columns.map(identifier));
    let full = format!("{db}.{}", identifier(table));
    let engine = engine(cluster.replicates(), "MergeTree", "names", &hex::encode(table), "");
    for id in cluster.ids() {
        cluster.query(id, &format!("DROP DATABASE IF EXISTS {db}"));
        cluster.query(id, &format!("CREATE DATABASE {db}"));
        cluster.query(
            id,
            &format!(
                "CREATE TABLE {full} ({a} UInt32, {b} String, {c} Nullable(String)) ENGINE = {engine} \
                 PARTITION BY {a} % 2 ORDER BY ({a}, {b})"
            ),
        );
        let (here, there) = (literal(database), literal(table));
        cluster
            .query(id, &format!("CREATE TABLE {db}.everywhere AS {full} ENGINE = Distributed(main, {here}, {there})"));
    }
    for first in firsts(cluster) {
        cluster.query(
            first,
            &format!(
                "INSERT INTO {full} SELECT number, '{{chunk}}', if(number % 3 = 0, NULL, 'it\\'s') FROM numbers(100)"
            ),
        );
    }
    sync(cluster, &[&full]);
    let digest = format!(
        "SELECT {a} % 2 AS p, count(), sum(cityHash64({a}, {b}, ifNull({c}, '-'))) FROM {full} GROUP BY p ORDER BY p"
    );
    let (rows, before) = (ask(cluster, &digest), definitions(cluster, database));
    let key = format!(
        "SELECT sorting_key FROM system.tables WHERE database = {} AND name = {}",
        literal(database),
        literal(table)
    );
    let old = ask_all(cluster, &key);

    let tool = Tool::new(cluster);
    tool.plan(&format!("ALTER TABLE {full} MODIFY ORDER BY ({b}, {a})"));
    for format in ["table", "markdown", "html", "dot", "mermaid", "sql", "json"] {
        assert!(!tool.expect(0, &["show", PLAN, "--format", format]).stdout.is_empty(), "{format}");
    }
    tool.expect(0, &["inspect", "--table", &full]);
    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    let new = ask_all(cluster, &key);
    assert_ne!(new, old);
    assert_eq!(ask(cluster, &digest), rows);
    tool.expect(0, &["verify", PLAN]);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(definitions(cluster, database), before);
    assert_nothing_left(cluster, database);
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!((ask_all(cluster, &key), ask(cluster, &digest)), (new, rows));
    assert_nothing_left(cluster, database);
    for id in cluster.ids() {
        cluster.query(id, &format!("DROP DATABASE {db}"));
    }
}

macro_rules! names {
    ($($test:ident: $database:literal, $table:literal, $columns:expr;)*) => {$(
        mod $test {
            #[test]
            fn old_end() {
                super::works(&super::End::Old.shared(), $database, $table, $columns);
            }

            #[test]
            fn new_end() {
                super::works(&super::End::New.shared(), $database, $table, $columns);
            }
        }
    )*};
}

names! {
    spaces_and_dashes: "my data-base", "my  table", ["a b", "c-d", " e "];
    quotes: "it's", "the \"best\" t'able", ["a\"b", "c'd", "''"];
    backticks_and_backslashes: "back`tick", "back\\slash`", ["a`b", "c\\d", "\\n"];
    keywords: "select", "table", ["order", "from", "select"];
    more_keywords: "index", "view", ["partition", "primary key", "NULL"];
    braces: "{database}", "{chunk}", ["{shard}", "{replica}", "{{chunk}}"];
    beginning_with_digits: "2024", "1st", ["1", "2nd", "0x3"];
    unicode: "данные", "事件_ß", ["ключ", "☃", "é"];
    signs: "100%", "a;b--c/*d", ["?", "$1", "#x"];
    dots: "data", "v1.events", ["user.id", "user.name", "plain"];
    like_our_own: "d__sw", "t_sw_", ["__sw_hash", "__sw_partition", "_x"];
}
