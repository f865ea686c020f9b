//! Every engine of the family, plain and Replicated, through one change after the other: rows stay what they were.

use std::collections::BTreeMap;

use shardwright::names::ReplicaId;

use crate::harness::{End, Running, on_both_ends, shared, single};
use crate::tool::{PLAN, Tool};
use crate::world::{ask, ask_all, assert_nothing_left, engine, everywhere, firsts, prepare, sync};

/// A table, its rows, and what is done to it.
#[derive(Clone, Copy)]
struct Case {
    /// Engine without `Replicated` and brackets.
    engine: &'static str,
    /// Arguments of the engine beyond Keeper path and replica.
    args: &'static str,
    columns: &'static str,
    keys: &'static str,
    /// Inserts, run in order on the first replica of each shard; `SHARD` stands for its number.
    inserts: &'static [&'static str],
    /// What is compared of a row, as arguments of `cityHash64`.
    row: &'static str,
    /// What follows `ALTER TABLE t`, and the keys that must come of it: sorting, primary, partition.
    changes: &'static [(&'static str, [&'static str; 3])],
}

/// The keys that most cases begin with, and the changes they go through.
const KEYS: &str = "PARTITION BY a % 3 ORDER BY (a, b, c)";
const CHANGES: &[(&str, [&str; 3])] = &[
    ("MODIFY ORDER BY (c, b, a)", ["c, b, a", "c, b, a", "a % 3"]),
    ("MODIFY PARTITION BY (a % 2, b)", ["c, b, a", "c, b, a", "(a % 2, b)"]),
];
/// By the primary key no engine merges rows.
const OTHER_PRIMARY_KEY: &[(&str, [&str; 3])] =
    &[CHANGES[0], CHANGES[1], ("MODIFY PRIMARY KEY (c, b)", ["c, b, a", "c, b", "(a % 2, b)"])];
/// Keys that come again within an insert and across inserts.
const INSERTS: &[&str] = &[
    "(a, b, c, v) SELECT number % 700 AS a, a % 3 AS b, toString(a % 7) AS c, toUInt64(number + SHARD) AS v FROM numbers(2000)",
    "(a, b, c, v) SELECT number % 900 AS a, a % 3 AS b, toString(a % 7) AS c, toUInt64(number * 3 + SHARD) AS v FROM numbers(1500)",
    "(a, b, c, v) SELECT number % 300 AS a, a % 3 AS b, toString(a % 7) AS c, toUInt64(5) AS v FROM numbers(300)",
];
const COLUMNS: &str = "a UInt64, b UInt8, c String, v UInt64";

const PLAIN: Case = Case {
    engine: "MergeTree",
    args: "",
    columns: COLUMNS,
    keys: KEYS,
    inserts: INSERTS,
    row: "a, b, c, v",
    changes: CHANGES,
};
const SIGNED: &[&str] = &[
    "SELECT number AS a, a % 3 AS b, toString(a % 7) AS c, a * SHARD AS v, 1 AS sign FROM numbers(1000)",
    "SELECT number * 2 AS a, a % 3 AS b, toString(a % 7) AS c, a * SHARD AS v, -1 AS sign FROM numbers(300)",
    "SELECT number * 4 AS a, a % 3 AS b, toString(a % 7) AS c, a * SHARD + 1 AS v, 1 AS sign FROM numbers(100)",
];

const VERSIONED: Case = Case {
    engine: "VersionedCollapsingMergeTree",
    args: "sign, version",
    columns: "a UInt64, b UInt8, c String, v UInt64, sign Int8, version UInt32 DEFAULT v % 2",
    inserts: &[
        "(a, b, c, v, sign) SELECT number AS a, a % 3 AS b, toString(a % 7) AS c, a * SHARD, 1 FROM numbers(1000)",
        "(a, b, c, v, sign) SELECT number * 2 AS a, a % 3 AS b, toString(a % 7) AS c, a * SHARD, -1 FROM numbers(300)",
    ],
    row: "a, b, c, v, sign, version",
    // The engine adds the version to the key that it is given.
    changes: &[
        ("MODIFY ORDER BY (c, b, a)", ["c, b, a, version", "c, b, a", "a % 3"]),
        ("MODIFY PARTITION BY b", ["c, b, a, version", "c, b, a", "b"]),
    ],
    ..PLAIN
};

/// Runs a case on a cluster, with the Replicated engine or the plain one.
#[track_caller]
fn carry_through(cluster: &Running, database: &str, replicated: bool, case: Case) {
    prepare(cluster, database, &[&create(database, "t", replicated, case)]);
    fill(cluster, database, replicated, case);
    let rows = digest(cluster, database, case);
    for (change, keys) in case.changes {
        let tool = Tool::new(cluster);
        tool.plan(&format!("ALTER TABLE {database}.t {change}"));
        carry_out(cluster, &tool, database, keys);
        assert_eq!(digest(cluster, database, case), rows, "{} after {change}", case.engine);
    }
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

fn create(database: &str, table: &str, replicated: bool, case: Case) -> String {
    let Case { args, columns, keys, .. } = case;
    let engine = engine(replicated, case.engine, database, table, args);
    format!("CREATE TABLE {database}.{table} ({columns}) ENGINE = {engine} {keys}")
}

#[track_caller]
fn fill(cluster: &Running, database: &str, replicated: bool, case: Case) {
    for first in firsts(cluster) {
        for insert in case.inserts {
            let select = insert.replace("SHARD", &first.shard.to_string());
            cluster.query(first, &format!("INSERT INTO {database}.t {select}"));
        }
    }
    if replicated {
        sync(cluster, &[&format!("{database}.t")]);
    }
}

/// Rows as the engine means them, on every replica.
#[track_caller]
fn digest(cluster: &Running, database: &str, case: Case) -> BTreeMap<ReplicaId, String> {
    let last = if case.engine == "MergeTree" { "" } else { "FINAL" };
    let rows = ask(cluster, &format!("SELECT count(), sum(cityHash64({})) FROM {database}.t {last}", case.row));
    assert!(rows.values().all(|digest| !digest.starts_with("0\t")), "{rows:?}");
    rows
}

/// From the plan to its end.
#[track_caller]
fn carry_out(cluster: &Running, tool: &Tool, database: &str, keys: &[&str; 3]) {
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(tool.state(), "finalized");
    let sql = format!(
        "SELECT sorting_key, primary_key, partition_key FROM system.tables WHERE database = '{database}' AND name = 't'"
    );
    assert_eq!(ask_all(cluster, &sql), keys.join("\t"));
    assert_nothing_left(cluster, database);
}

/// Three tests a case: replicated on the old end and plain on the new one with all changes, plain on the old end with the first one.
macro_rules! cases {
    ($($name:ident: $case:expr,)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn replicated() {
                carry_through(&shared(), concat!("replicated_", stringify!($name)), true, $case);
            }

            #[test]
            fn plain() {
                let case = $case;
                let first = Case { changes: &case.changes[..1], ..case };
                carry_through(single(), concat!("plain_", stringify!($name)), false, first);
            }

            #[test]
            fn new_end() {
                carry_through(&End::New.shared(), concat!("new_", stringify!($name)), false, $case);
            }
        }
    )*};
}

cases! {
    merge_tree: Case { changes: OTHER_PRIMARY_KEY, ..PLAIN },
    replacing_with_version: Case { engine: "ReplacingMergeTree", args: "v", ..PLAIN },
    replacing_without_version: Case { engine: "ReplacingMergeTree", ..PLAIN },
    summing: Case { engine: "SummingMergeTree", ..PLAIN },
    summing_of_one_column: Case {
        engine: "SummingMergeTree",
        args: "v",
        columns: "a UInt64, b UInt8, c String, v UInt64, kept UInt8 DEFAULT 4",
        row: "a, b, c, v, kept",
        ..PLAIN
    },
    aggregating: Case {
        engine: "AggregatingMergeTree",
        columns: "a UInt64, b UInt8, c String, users AggregateFunction(uniq, UInt64), total AggregateFunction(sum, UInt64), \
                  middle AggregateFunction(quantile, UInt64), n AggregateFunction(count)",
        inserts: &[
            "SELECT number % 700 AS a, a % 3 AS b, toString(a % 7) AS c, uniqState(number), sumState(number * SHARD), \
             quantileState(number), countState() FROM numbers(2000) GROUP BY a, b, c",
            "SELECT number % 300 AS a, a % 3 AS b, toString(a % 7) AS c, uniqState(number), sumState(number * SHARD), \
             quantileState(number), countState() FROM numbers(900) GROUP BY a, b, c",
        ],
        row: "a, b, c, finalizeAggregation(users), finalizeAggregation(total), finalizeAggregation(middle), \
              finalizeAggregation(n)",
        ..PLAIN
    },
    collapsing: Case {
        engine: "CollapsingMergeTree",
        args: "sign",
        columns: "a UInt64, b UInt8, c String, v UInt64, sign Int8",
        inserts: SIGNED,
        row: "a, b, c, v, sign",
        ..PLAIN
    },
    versioned_collapsing: VERSIONED,
    types: Case {
        columns: "id UInt64, u UUID, n Nullable(Int32), s Nullable(String), e Enum8('a b' = 1, 'it\\'s' = -2), f FixedString(5), \
                  aa Array(Array(UInt8)), nest Nested(k String, w Nullable(UInt8)), d Decimal(18, 4), day Date, \
                  at DateTime('Asia/Tokyo'), x Float64, t Tuple(UInt8, String), m UInt64 MATERIALIZED id * 2, \
                  al String ALIAS concat('<', toString(id)), de String DEFAULT concat('d', toString(id % 5))",
        keys: "PARTITION BY toYYYYMM(day) ORDER BY (id, e, u)",
        inserts: &[
            "(id, u, n, s, e, f, aa, `nest.k`, `nest.w`, d, day, at, x, t) SELECT number + 10000 * SHARD AS id, \
             toUUID(concat('61f0c404-5cb3-11e7-907b-a6006ad', toString(10000 + id % 10000))), if(id % 3 = 0, NULL, toInt32(id % 100)), \
             if(id % 4 = 0, NULL, if(id % 4 = 1, '', toString(id))), if(id % 2 = 0, 'a b', 'it\\'s'), toFixedString('ab', 5), \
             [[toUInt8(id % 9)], [], [1, 2]], ['k', toString(id)], [NULL, 3], toDecimal64(id % 77, 4), \
             toDate('2024-01-15') + id % 90, toDateTime('2024-01-01 00:00:00') + id, id / 7, (toUInt8(id % 5), 'q') \
             FROM numbers(1000)",
        ],
        row: "id, toString(u), ifNull(toString(n), 'none'), ifNull(s, 'none'), toString(e), f, toString(aa), toString(nest.k), \
              toString(nest.w), toString(d), day, at, x, toString(t), m, al, de",
        changes: &[
            ("MODIFY ORDER BY (u, e, id)", ["u, e, id", "u, e, id", "toYYYYMM(day)"]),
            ("MODIFY ORDER BY (intDiv(id, 10), f, de, m)", [
                "intDiv(id, 10), f, de, m", "intDiv(id, 10), f, de, m", "toYYYYMM(day)",
            ]),
            ("MODIFY PARTITION BY (e, toMonday(day))", [
                "intDiv(id, 10), f, de, m", "intDiv(id, 10), f, de, m", "(e, toMonday(day))",
            ]),
        ],
        ..PLAIN
    },
    without_partitions: Case {
        keys: "ORDER BY (a, b, c)",
        changes: &[
            ("MODIFY ORDER BY (b, c, a)", ["b, c, a", "b, c, a", ""]),
            ("MODIFY PARTITION BY b", ["b, c, a", "b, c, a", "b"]),
            ("MODIFY PARTITION BY tuple()", ["b, c, a", "b, c, a", "tuple()"]),
            ("MODIFY ORDER BY (a, b)", ["a, b", "a, b", "tuple()"]),
        ],
        ..PLAIN
    },
    sampled: Case {
        keys: "PARTITION BY b ORDER BY (a, intHash32(a), c) SAMPLE BY intHash32(a)",
        changes: &[("MODIFY ORDER BY (c, intHash32(a), a)", ["c, intHash32(a), a", "c, intHash32(a), a", "b"])],
        ..PLAIN
    },
}

/// The old end appends the version to the key even so, the new one does not.
#[test]
fn a_key_that_has_the_version_already() {
    let case = Case {
        changes: &[("MODIFY ORDER BY (b, version, c, a)", ["b, version, c, a, version", "b, version, c, a", "a % 3"])],
        ..VERSIONED
    };
    carry_through(single(), "plain_version_twice", false, case);
    carry_through(&shared(), "replicated_version_twice", true, case);
    let case = Case {
        changes: &[("MODIFY ORDER BY (b, version, c, a)", ["b, version, c, a", "b, version, c, a", "a % 3"])],
        ..VERSIONED
    };
    carry_through(&End::New.shared(), "new_version_twice", false, case);
}

/// On the old end, where a mirror names them; the new end refuses to compute them anew.
#[test]
fn values_computed_by_chance_are_kept() {
    let case = Case {
        columns: "a UInt64, b UInt8, c String, v UInt64, once UInt64 MATERIALIZED rand64()",
        row: "a, b, c, v, once",
        ..PLAIN
    };
    carry_through(single(), "plain_by_chance", false, case);
    carry_through(&shared(), "replicated_by_chance", true, case);
}

#[test]
fn low_cardinality() {
    let case = Case {
        columns: "a UInt64, b LowCardinality(String), c LowCardinality(Nullable(String)), v LowCardinality(String)",
        keys: "PARTITION BY b ORDER BY (a, b)",
        inserts: &[
            "SELECT number, toString(number % 4), if(number % 3 = 0, NULL, toString(number % 5)), 'v' FROM numbers(1000)",
        ],
        row: "a, toString(b), ifNull(toString(c), '-'), toString(v)",
        changes: &[
            ("MODIFY ORDER BY (b, v, a)", ["b, v, a", "b, v, a", "b"]),
            ("MODIFY PARTITION BY v", ["b, v, a", "b, v, a", "v"]),
        ],
        ..PLAIN
    };
    carry_through(single(), "plain_low_cardinality", false, case);
    carry_through(single(), "replicated_low_cardinality", true, case);
    carry_through(&End::New.shared(), "new_low_cardinality", false, case);
}

on_both_ends! {
    shared: a_whole_definition_is_a_target;
}

fn a_whole_definition_is_a_target(cluster: &Running) {
    let (database, replicated) = ("whole_definition", cluster.replicates());
    prepare(cluster, database, &[&create(database, "t", replicated, PLAIN)]);
    fill(cluster, database, replicated, PLAIN);
    let rows = digest(cluster, database, PLAIN);
    let tool = Tool::new(cluster);
    let target = Case { keys: "PARTITION BY b PRIMARY KEY c ORDER BY (c, a)", ..PLAIN };
    std::fs::write(tool.dir().join("wanted.sql"), create(database, "t", replicated, target)).unwrap();
    tool.expect(0, &["plan", "--file", "wanted.sql"]);
    carry_out(cluster, &tool, database, &["c, a", "c", "b"]);
    assert_eq!(digest(cluster, database, PLAIN), rows);
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}
