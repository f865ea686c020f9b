//! From one engine of the family to another and back, each compared by what outlives its merging.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::dry_run::on_stage;
use crate::harness::{Running, block_on, on_both_ends};
use crate::load::http::send;
use crate::tool::{PLAN, Tool};
use crate::world::{
    ask, ask_all, assert_nothing_left, delete, engine, everywhere, firsts, prepare, read_over, sync, then_stop,
};

/// Keys on each shard, each in two rows with versions 1 and 2.
const KEYS_A_SHARD: u64 = 5_000;
const ACCEPT: &str = "SW007=the last version is all that is wanted";

on_both_ends! {
    shared: rows_of_equal_keys_become_one, and_are_kept_apart_again, every_engine_takes_the_place_of_another,
            sums_are_exact_under_writers, what_changes_all_the_while_is_not_taken_for_equal, sums_over_partitions_stay,
            what_cannot_be_compared_is_refused;
}

fn table(cluster: &Running, db: &str, family: &str, args: &str) -> String {
    let engine = engine(cluster.replicates(), family, db, "t", args);
    format!(
        "CREATE TABLE {db}.t (id UInt64, day Date, ver UInt32, v String) ENGINE = {engine} PARTITION BY toYYYYMM(day) ORDER BY (id, day)"
    )
}

#[track_caller]
fn set_up(cluster: &Running, db: &str, family: &str, args: &str) -> Tool {
    prepare(cluster, db, &[&table(cluster, db, family, args), &read_over(db)]);
    for first in firsts(cluster) {
        for ver in 1..=2 {
            insert(cluster, first, db, 0, KEYS_A_SHARD, ver);
        }
    }
    sync(cluster, &[&format!("{db}.t")]);
    Tool::new(cluster)
}

fn insert(cluster: &Running, on: shardwright::names::ReplicaId, db: &str, from: u64, count: u64, ver: u64) {
    cluster.query(
        on,
        &format!("INSERT INTO {db}.t SELECT {from} + number, toDate('2024-01-01') + number % 60, {ver}, toString({ver}) FROM numbers({count})"),
    );
}

/// A writer into every replica until the story is told, of keys that nobody else has, but not while it `rests`. Gives their number. An
/// insert that an old server refuses while the mirror is made is sent again.
#[track_caller]
fn under_writers(cluster: &Running, db: &str, rests: &AtomicBool, story: impl FnOnce()) -> u64 {
    const ROWS: u64 = 20;
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let write = |port: u16, first: u64| {
        let mut next = first;
        while !stop.load(Ordering::Relaxed) {
            let sql = format!("INSERT INTO {db}.t SELECT {next} + number, '2024-02-01', 1, 'w' FROM numbers({ROWS})");
            if !rests.load(Ordering::Relaxed) && block_on(send(port, "", &sql)).is_ok() {
                written.fetch_add(ROWS, Ordering::Relaxed);
                next += ROWS;
            }
            sleep(Duration::from_millis(30));
        }
    };
    scope(|scope| {
        for (number, (_, ports)) in (1..).zip(cluster.replicas()) {
            let write = &write;
            scope.spawn(move || write(ports.http, number * 1_000_000));
        }
        then_stop(&stop, story);
    });
    written.into_inner()
}

/// Plans the table with this engine; the plan lands in [`PLAN`].
#[track_caller]
fn aim(tool: &Tool, wanted: &str, accept: &[&str]) {
    std::fs::write(tool.dir().join("wanted.sql"), wanted).unwrap();
    let planned = tool.expect(2, &[&["plan", "--target", "wanted.sql", "--detailed-exitcode"], accept].concat());
    assert!(planned.stdout.contains("Engine"), "{planned}");
}

fn rows_of_equal_keys_become_one(cluster: &Running) {
    let db = "other_engine";
    let tool = set_up(cluster, db, "MergeTree", "");
    let wanted = table(cluster, db, "ReplacingMergeTree", "ver");
    let unaccepted = tool.expect(3, &["plan", "--sql", &wanted]);
    assert!(unaccepted.stdout.contains("SW007") && unaccepted.stdout.contains("keeps every row"), "{unaccepted}");
    aim(&tool, &wanted, &["--accept", ACCEPT]);
    tool.approve(&["start", "cutover"]);
    let written = under_writers(cluster, db, &AtomicBool::new(false), || {
        tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
        let agreed = tool.expect(0, &["verify", PLAN]);
        assert!(agreed.stdout.contains("different keys agree"), "{agreed}");
    });
    assert!(written > 100, "the writers did something: {written}");
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    for table in ["t", "t__sw_shadow"] {
        let keys = firsts(cluster).into_iter().map(|first| {
            cluster
                .query(first, &format!("SELECT uniqExact(id) FROM {db}.{table} WHERE id >= 1000000"))
                .parse::<u64>()
                .unwrap()
        });
        assert_eq!(keys.sum::<u64>(), written, "{table}");
    }

    // A key of which the copy has only an older version, and then none.
    let first = firsts(cluster)[0];
    for gone in ["ver = 2", "ver = 1"] {
        delete(cluster, &format!("{db}.t__sw_shadow"), &format!("id = 77 AND {gone}"));
        let found = tool.expect(6, &["verify", PLAN]);
        assert!(found.stderr.contains("lacks 1 row"), "{found}");
    }
    tool.expect(0, &["rollback", PLAN]);
    let rows = 4 * KEYS_A_SHARD + written;
    assert_eq!(ask_all(cluster, &format!("SELECT count() FROM {db}.read")), rows.to_string());

    tool.approve(&["start", "cutover"]);
    tool.expect(4, &["execute", PLAN]);
    // What comes in meanwhile goes to the old data too, where nothing merges it.
    for ver in 3..=4 {
        insert(cluster, first, db, 0, 10, ver);
    }
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    tool.expect(0, &["verify", PLAN]);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(ask_all(cluster, &format!("SELECT count() FROM {db}.read")), (rows + 20).to_string());

    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    let merged = format!("SELECT count(), uniqExact(id), sum(ver) FROM {db}.t FINAL WHERE id < 1000000");
    assert_eq!(cluster.query(first, &merged), format!("{KEYS_A_SHARD}\t{KEYS_A_SHARD}\t{}", 2 * KEYS_A_SHARD + 20));
    let again = tool.expect(0, &["plan", "--target", "wanted.sql", "-o", "again.json"]);
    assert!(again.stderr.contains("no change"), "{again}");
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

fn and_are_kept_apart_again(cluster: &Running) {
    let db = "other_engine_back";
    let tool = set_up(cluster, db, "ReplacingMergeTree", "");
    aim(&tool, &table(cluster, db, "MergeTree", ""), &[]);
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    insert(cluster, firsts(cluster)[0], db, 0, 1, 9);
    insert(cluster, firsts(cluster)[0], db, 0, 1, 9);
    let kept = format!("SELECT count() FROM {db}.t WHERE id = 0 AND ver = 9");
    // A Replicated table takes a block once.
    assert_eq!(cluster.query(firsts(cluster)[0], &kept), if cluster.replicates() { "1" } else { "2" });
    assert_eq!(ask_all(cluster, &format!("SELECT uniqExact(id) FROM {db}.read")), KEYS_A_SHARD.to_string());
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// From one engine to another: what a person must see unchanged, however far either has merged.
struct Switch {
    name: &'static str,
    columns: &'static str,
    /// Engine and arguments, before and after.
    engines: [[&'static str; 2]; 2],
    /// A SELECT of `ROWS` rows with keys that come again, within an insert and across inserts.
    rows: &'static str,
    /// What stays.
    same: &'static str,
}

const PLAIN: [&str; 2] = ["MergeTree", ""];
const NUMBERS: &str = "id UInt64, day Date, v UInt16, w Int64, d Decimal(9, 2), x Float64";
const NUMBERED: &str = "SELECT number % 700 AS id, toDate('2024-01-01') + id % 60 AS day, number % 65000 AS v, toInt64(number) - 100 AS w, \
                        toDecimal32(number % 10, 2) AS d, number / 3 AS x FROM numbers(ROWS)";
const SUMS: &str = "SELECT count(), sum(a), sum(cityHash64(id, a, b, toString(c))) FROM (SELECT id, toUInt16(sum(v)) AS a, sum(w) AS b, sum(d) AS c FROM TABLE \
                    GROUP BY id HAVING a != 0 OR b != 0 OR c != 0)";
const STATES: &str = "id UInt64, day Date, n AggregateFunction(count), s AggregateFunction(sum, UInt64), q AggregateFunction(uniqExact, UInt64)";
const STATED: &str = "SELECT number % 300 AS id, toDate('2024-01-01') + id % 60 AS day, countState() AS n, sumState(number) AS s, uniqExactState(number) AS q \
                      FROM numbers(ROWS) GROUP BY id, day, number % 7";
const MERGED: &str = "SELECT count(), sum(cityHash64(id, a, b, c)) FROM (SELECT id, countMerge(n) AS a, sumMerge(s) AS b, uniqExactMerge(q) AS c FROM TABLE GROUP BY id)";
const SIGNED: &str = "id UInt64, day Date, v UInt64, ver UInt8, sign Int8";
const SIGNS: &str = "SELECT number + ROWS * 10000 AS id, toDate('2024-01-01') + id % 60 AS day, id * 2 AS v, 1 AS ver, if(nth = 1, 1, -1) AS sign FROM numbers(ROWS) \
                     ARRAY JOIN if(number % 3 = 0, [1, 2], [1]) AS nth ORDER BY nth";
const SIGN: &str = "SELECT count(), sum(cityHash64(id)) FROM (SELECT id FROM TABLE GROUP BY id HAVING sum(sign) = 1)";
const KEYS: &str = "SELECT count(), sum(cityHash64(id)) FROM (SELECT DISTINCT id FROM TABLE)";

fn switches(cluster: &Running) -> Vec<Switch> {
    let switch = |name, columns, engines, rows, same| Switch { name, columns, engines, rows, same };
    let mut all = vec![
        switch("to_sums", NUMBERS, [PLAIN, ["SummingMergeTree", "(v, w, d)"]], NUMBERED, SUMS),
        switch("from_sums", NUMBERS, [["SummingMergeTree", ""], PLAIN], NUMBERED, SUMS),
        switch("to_states", STATES, [PLAIN, ["AggregatingMergeTree", ""]], STATED, MERGED),
        switch("to_pairs", SIGNED, [PLAIN, ["CollapsingMergeTree", "sign"]], SIGNS, SIGN),
        switch("to_versioned_pairs", SIGNED, [PLAIN, ["VersionedCollapsingMergeTree", "sign, ver"]], SIGNS, SIGN),
        switch("to_a_version", NUMBERS, [["ReplacingMergeTree", ""], ["ReplacingMergeTree", "v"]], NUMBERED, KEYS),
    ];
    // Servers as old as 18.16 do not have it.
    all.extend(
        (!cluster.replicates())
            .then(|| switch("to_last_values", NUMBERS, [PLAIN, ["CoalescingMergeTree", ""]], NUMBERED, KEYS)),
    );
    all
}

fn every_engine_takes_the_place_of_another(cluster: &Running) {
    for (number, switch) in switches(cluster).iter().enumerate() {
        println!("{}", switch.name);
        switched(cluster, switch, number == 0);
    }
}

/// There and back, with what comes in meanwhile; then to the end, which is the same for all engines.
#[track_caller]
fn switched(cluster: &Running, switch: &Switch, to_the_end: bool) {
    let db = &format!("switch_{}", switch.name);
    let table = |[family, args]: [&str; 2]| {
        let engine = engine(cluster.replicates(), family, db, "t", args);
        format!(
            "CREATE TABLE {db}.t ({}) ENGINE = {engine} PARTITION BY toYYYYMM(day) ORDER BY (id, day)",
            switch.columns
        )
    };
    let [before, after] = switch.engines;
    prepare(cluster, db, &[&table(before)]);
    let fill = |rows: u64| {
        for first in firsts(cluster) {
            cluster.query(first, &format!("INSERT INTO {db}.t {}", switch.rows.replace("ROWS", &rows.to_string())));
        }
        sync(cluster, &[&format!("{db}.t")]);
    };
    (0..3).for_each(|nth| fill(2_000 + nth));
    let same = |table: &str| ask(cluster, &switch.same.replace("TABLE", &format!("{db}.{table}")));
    let said = same("t");
    let tool = Tool::new(cluster);
    let mut accept = vec!["--accept", ACCEPT];
    // Nobody writes a key again while the copy is made.
    if ["CollapsingMergeTree", "CoalescingMergeTree"].contains(&after[0]) {
        accept.extend(["--accept", "SW085=no key comes again"]);
    }
    aim(&tool, &table(after), &accept);

    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    merge(cluster, db, "t__sw_shadow");
    assert_eq!(same("t__sw_shadow"), said, "{}", switch.name);
    fill(900);
    tool.expect(4, &["execute", PLAN]);
    fill(800);
    merge(cluster, db, "t");
    tool.expect(0, &["verify", PLAN]);
    // One key of many goes from the new table, and then from the old one.
    let lose = |table: &str| delete(cluster, &format!("{db}.{table}"), "id % 10000 = 1");
    lose("t");
    for command in ["verify", "rollback"] {
        let found = tool.expect(6, &[command, PLAN]);
        assert!(found.stderr.contains("is 0 times in the"), "{found}");
    }
    lose("t__sw_shadow");
    tool.expect(0, &["verify", PLAN]);
    let said = same("t");
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(same("t"), said, "{}: what came in is there after the way back", switch.name);

    if to_the_end {
        tool.approve(&["start", "cutover", "finalize"]);
        tool.expect(0, &["execute", PLAN]);
        assert_eq!(same("t"), said, "{}", switch.name);
        let again = tool.expect(0, &["plan", "--target", "wanted.sql", "-o", "again.json"]);
        assert!(again.stderr.contains("no change"), "{again}");
    }
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// As far as merging goes.
#[track_caller]
fn merge(cluster: &Running, db: &str, table: &str) {
    let all = if cluster.replicates() { firsts(cluster) } else { cluster.ids() };
    for on in all {
        cluster.query(on, &format!("OPTIMIZE TABLE {db}.{table} FINAL"));
    }
    sync(cluster, &[&format!("{db}.{table}")]);
}

/// Servers that merge the rows of an insert have writers pause for the boundary, and for nothing else.
fn sums_are_exact_under_writers(cluster: &Running) {
    let db = "other_engine_sums";
    let tool = set_up(cluster, db, "MergeTree", "");
    aim(&tool, &table(cluster, db, "SummingMergeTree", "ver"), &["--accept", ACCEPT]);
    let pauses = tool.expect(0, &["show", PLAN]).stdout.contains("the boundary is drawn, and for the cutover");
    assert_eq!(pauses, !cluster.replicates(), "old servers write what they are given");
    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000"]);
    tool.approve(&["start", "cutover"]);
    let rests = AtomicBool::new(false);
    let mirrors = format!("SELECT count() FROM system.tables WHERE database = '{db}' AND engine = 'MaterializedView'");
    let written = under_writers(cluster, db, &rests, || {
        let mut started = tool.start(&["execute", PLAN, "--until", "cutover"]);
        if pauses {
            started.await_words("held back: writers are not still");
            sleep(Duration::from_secs(4));
            assert_eq!(ask_all(cluster, &mirrors), "0", "no boundary while writers write");
            rests.store(true, Ordering::Relaxed);
            // A boundary is drawn some time after its mirror is there.
            started.await_words("\nbackfill.s1 ");
            started.await_words("\nbackfill.s2 ");
            rests.store(false, Ordering::Relaxed);
        }
        let ran = started.end();
        assert_eq!(ran.code, Some(0), "{ran}");
        sleep(Duration::from_secs(1));
        tool.expect(0, &["verify", PLAN]);
        rests.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(1));
        tool.expect(4, &["execute", PLAN]);
        rests.store(false, Ordering::Relaxed);
        sleep(Duration::from_secs(1));
    });
    assert!(written > 100, "the writers did something: {written}");
    let sum = || ask_all(cluster, &format!("SELECT sum(ver) FROM {db}.read"));
    let said = (firsts(cluster).len() as u64 * KEYS_A_SHARD * 3 + written).to_string();
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    assert_eq!(sum(), said);
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(sum(), said);
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(sum(), said);
    assert_nothing_left(cluster, db);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// A sum that is another one at each look proves nothing: it is told, and nothing is swapped before it holds still.
fn what_changes_all_the_while_is_not_taken_for_equal(cluster: &Running) {
    let db = "other_engine_moving";
    let tool = set_up(cluster, db, "MergeTree", "");
    aim(&tool, &table(cluster, db, "SummingMergeTree", "ver"), &["--accept", ACCEPT]);
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    let first = firsts(cluster)[0];
    cluster
        .query(first, &format!("INSERT INTO {db}.t__sw_shadow SELECT number, '2024-01-01', 1000, '' FROM numbers(3)"));
    let stop = AtomicBool::new(false);
    let port = cluster.replicas().next().unwrap().1.http;
    scope(|scope| {
        for writer in 0..4 {
            let stop = &stop;
            scope.spawn(move || {
                for nth in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // Blocks of their own, or a Replicated table takes them once.
                    let sql =
                        format!("INSERT INTO {db}.t SELECT number, '2024-01-01', 1, '{writer} {nth}' FROM numbers(3)");
                    _ = block_on(send(port, "", &sql));
                    sleep(Duration::from_millis(10));
                }
            });
        }
        then_stop(&stop, || {
            sleep(Duration::from_secs(1));
            let seen = tool.run(&["verify", PLAN]);
            let said = seen.stdout.contains("which changed at each look") || seen.code == Some(6);
            assert!(said, "{seen}");
            let ran = tool.run(&["execute", PLAN]);
            let stopped = ran.code == Some(6) || ran.code == Some(4) && ran.stderr.contains("could not be compared");
            assert!(stopped, "{ran}");
        });
    });
    sync(cluster, &[&format!("{db}.t"), &format!("{db}.t__sw_shadow")]);
    let found = tool.expect(6, &["execute", PLAN]);
    assert!(found.stderr.contains("cutover.verify.s1"), "{found}");
    let is_still =
        format!("SELECT position(engine, 'Summing') FROM system.tables WHERE database = '{db}' AND name = 't'");
    assert_eq!(ask_all(cluster, &is_still), "0");
    tool.expect(0, &["rollback", PLAN]);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

/// Rows of one key in two partitions are one row once there is one partition: servers that merge inserts make one of what was two.
fn sums_over_partitions_stay(cluster: &Running) {
    let db = "other_engine_partitions";
    let engine = engine(cluster.replicates(), "SummingMergeTree", db, "t", "");
    let local = format!(
        "CREATE TABLE {db}.t (id UInt64, day Date, ver UInt32) ENGINE = {engine} PARTITION BY toYYYYMM(day) ORDER BY id"
    );
    prepare(cluster, db, &[&local, &read_over(db)]);
    let insert = |rows: u64| {
        let rows = format!("SELECT number % 50, toDate('2024-01-01') + number % 60, number FROM numbers({rows})");
        for first in firsts(cluster) {
            cluster.query(first, &format!("INSERT INTO {db}.t {rows}"));
        }
        sync(cluster, &[&format!("{db}.t")]);
    };
    insert(1_000);
    let tool = Tool::new(cluster);
    let alter = format!("ALTER TABLE {db}.t MODIFY PARTITION BY tuple()");
    let planned = tool.expect(0, &["plan", "--sql", &alter, "--accept", "SW007=sums over months are wanted"]);
    assert!(planned.stdout.contains("SW084"), "{planned}");
    let sum = || ask_all(cluster, &format!("SELECT sum(ver) FROM {db}.read"));
    tool.approve(&["start", "cutover"]);
    tool.expect(0, &["execute", PLAN, "--until", "cutover"]);
    insert(900);
    let said = sum();
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(sum(), said);
    insert(800);
    let said = sum();
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(sum(), said);
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}

fn what_cannot_be_compared_is_refused(cluster: &Running) {
    let db = "other_engine_refused";
    let tool = set_up(cluster, db, "MergeTree", "");
    let refused = |wanted: &str| {
        let ran = tool.run(&["plan", "--sql", wanted, "-o", "refused.json"]);
        let is_refused = ran.code == Some(3) && ran.stdout.contains("SW010");
        assert!(is_refused && !tool.dir().join("refused.json").exists(), "{ran}");
    };
    // Strings are not summed, and with `ver` in the key no number is.
    refused(&table(cluster, db, "SummingMergeTree", "").replace("ORDER BY (id, day)", "ORDER BY (id, day, ver)"));
    if cluster.replicates() {
        let plain = "MergeTree PARTITION BY toYYYYMM(day) ORDER BY (id, day)";
        refused(&format!("CREATE TABLE {db}.t (id UInt64, day Date, ver UInt32, v String) ENGINE = {plain}"));
    }
    everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
}
