//! `dry-run` of plans made on today's ClickHouse: with a queue, views in a chain, a dictionary and a projection; on generated
//! rows and on a sample of the real ones; and on old servers.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;

use crate::corpus::stage as today;
use crate::dry_run::{on_stage, report, stage, tables_on_stage};
use crate::harness::{block_on, single};
use crate::tool::{PLAN, Tool};
use crate::world::{ask, definitions, everywhere, prepare};

/// A table of today with all that hangs on it, in a database of its own, and the plan for it.
fn planned(database: &str) -> Tool {
    let db = |sql: &str| sql.replace("{db}", database);
    prepare(today(), database, &[]);
    // The server complains of the broker that is not there, and keeps the table.
    for id in today().ids() {
        let queue = "CREATE TABLE {db}.queue (id UInt64, ts DateTime, event String) ENGINE = Kafka('127.0.0.1:1', 'topic', 'group', 'JSONEachRow')";
        _ = block_on((**today()).query(id, &db(queue)));
    }
    let statements = [
        "CREATE TABLE {db}.labels (id UInt64, label String) ENGINE = MySQL('127.0.0.1:1', 'd', 't', 'u', 'hunter2')",
        "CREATE TABLE {db}.name_rows (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
        "CREATE DICTIONARY {db}.names (id UInt64, name String DEFAULT '') PRIMARY KEY id \
         SOURCE(CLICKHOUSE(DB '{db}' TABLE 'name_rows')) LIFETIME(MIN 0 MAX 300) LAYOUT(HASHED())",
        "CREATE TABLE {db}.t (id UInt64, ts DateTime, event String, name String MATERIALIZED dictGetOrDefault('{db}.names', \
         'name', id, ''), loud String ALIAS upper(event), raw String EPHEMERAL '', cooked String DEFAULT concat('c', raw), \
         PROJECTION p (SELECT event, count() GROUP BY event)) ENGINE = MergeTree PARTITION BY toYYYYMMDD(ts) ORDER BY (id, event)",
        "CREATE MATERIALIZED VIEW {db}.queue_mv TO {db}.t AS SELECT id, ts, event FROM {db}.queue WHERE _topic != 'x'",
        "CREATE TABLE {db}.daily (day Date, n UInt64) ENGINE = SummingMergeTree ORDER BY day",
        "CREATE MATERIALIZED VIEW {db}.daily_mv TO {db}.daily DEFINER = default SQL SECURITY DEFINER AS SELECT toDate(ts) AS \
         day, count() AS n FROM {db}.t GROUP BY day",
        "CREATE MATERIALIZED VIEW {db}.monthly_mv (month Date, n UInt64) ENGINE = SummingMergeTree ORDER BY month AS \
         SELECT toStartOfMonth(day) AS month, sum(n) AS n FROM {db}.daily GROUP BY month",
        "CREATE VIEW {db}.report AS SELECT * FROM {db}.daily LEFT JOIN {db}.labels ON n = id",
        "CREATE TABLE {db}.t_all AS {db}.t ENGINE = Distributed(main, {db}, t, rand())",
        "CREATE TABLE {db}.unrelated (a UInt8) ENGINE = MergeTree ORDER BY a",
        "INSERT INTO {db}.t (id, ts, event, raw) SELECT number, toDateTime('2024-02-25 00:00:00') + number * 300, \
         concat(unhex('FF'), toString(number % 10)), 'x' FROM numbers(3000)",
    ];
    let statements: Vec<String> = statements.iter().map(|sql| db(sql)).collect();
    everywhere(today(), &statements.iter().map(String::as_str).collect::<Vec<_>>());
    let tool = Tool::new(today());
    tool.plan(&db("ALTER TABLE {db}.t_all MODIFY ORDER BY (event, id)"));
    tool
}

#[test]
fn all_that_a_plan_involves_is_made_and_what_leads_outside_stood_in_for() {
    let tool = planned("today_all");
    let plan = tool.plan_json();
    let related: Vec<&str> =
        plan["related"].as_array().unwrap().iter().map(|one| one["table"]["table"].as_str().unwrap()).collect();
    let hangs_on_it = ["daily", "labels", "monthly_mv", "name_rows", "names", "queue", "queue_mv", "report"];
    assert_eq!(related, hangs_on_it, "and nothing else");
    let text = plan.to_string();
    assert!(!text.contains("hunter2") && !text.contains("127.0.0.1:1'"), "no way outside, and no password");

    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "20000", "--keep"]);
    let report = report(&tool);
    assert_eq!(report["verdict"], "passed");
    let not_covered = report["not_covered"].to_string();
    for said in ["today_all.queue is a Kafka table", "today_all.labels is a MySQL table"] {
        assert!(not_covered.contains(said), "{not_covered}");
    }
    assert!(!not_covered.contains("was not made"), "{not_covered}");
    let tables = "SELECT arraySort(groupArray(concat(name, ' ', engine))) FROM system.tables WHERE database = 'today_all' AND name NOT LIKE '.inner%'";
    let made = "['daily SummingMergeTree','daily_mv MaterializedView','labels Memory','monthly_mv MaterializedView','name_rows MergeTree',\
                'names Dictionary','queue Null','queue_mv MaterializedView','report View','t MergeTree','t_all Distributed']";
    let first = stage().ids()[0];
    assert_eq!(stage().query(first, tables), made);
    let on_stage_now = |sql: &str| stage().query(first, sql);
    // The table's days are eleven; rows that came in by the queue went through all views and met the dictionary.
    assert_eq!(on_stage_now("SELECT uniqExact(toDate(ts)) <= 12 FROM today_all.t"), "1");
    assert_eq!(
        on_stage_now(
            "SELECT count() = (SELECT sum(n) FROM today_all.daily), countIf(name != '') > 500 FROM today_all.t"
        ),
        "1\t1"
    );
    // What --keep has left the next dry run of this plan knows for its own.
    let ran = tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "2000"]);
    assert!(ran.stderr.contains("removing what an earlier dry run"), "{ran}");
    assert_eq!(tables_on_stage("today_all"), "0 0");
}

#[test]
fn a_sample_of_the_real_rows_is_copied_as_they_are() {
    let tool = planned("today_sample");
    let digest = "SELECT count(), sum(cityHash64(id, ts, event, cooked)) FROM today_sample.t";
    let before = (ask(today(), digest), definitions(today(), "today_sample"));
    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--sample", "1000", "--keep"]);
    let report = report(&tool);
    let rows = report["rows"].as_u64().unwrap();
    assert!((900..=1000).contains(&rows), "{rows}");
    assert!(report["rows_from"].as_str().unwrap().contains("read from s1r1, s2r1 of cluster main"), "{report}");
    assert_eq!((ask(today(), digest), definitions(today(), "today_sample")), before, "the plan's cluster is only read");
    // Bytes that are no text, and what came of an EPHEMERAL column, tell the real rows.
    let first = stage().ids()[0];
    let real = "FROM today_sample.t WHERE cooked = 'cx' AND startsWith(event, unhex('FF'))";
    let ids = stage().query(first, &format!("SELECT arraySort(groupArray(id)) {real}"));
    let count = stage().query(first, &format!("SELECT count() {real}")).parse::<u64>().unwrap();
    assert!(count * 2 == rows || count * 2 + 1 == rows, "{count} of {rows}");
    let hash = format!("SELECT sum(cityHash64(id, ts, event, cooked)), uniqExact(toDate(ts)) {real} AND id IN {ids}");
    assert_eq!(stage().query(first, &hash), today().query(first, &hash), "the same rows, of every day");
    let comments = "SELECT count() FROM system.query_log WHERE query LIKE 'SELECT `id`%today_sample%LIMIT%' \
                    AND Settings['readonly'] = '2' AND Settings['max_execution_time'] = '120' AND type = 'QueryFinish'";
    today().query(first, "SYSTEM FLUSH LOGS");
    assert_ne!(today().query(first, comments), "0", "read with bounds");
    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--sample", "100"]);
    assert_eq!(tables_on_stage("today_sample"), "0 0");
}

#[test]
fn a_plan_of_today_is_rehearsed_on_old_servers() {
    let create = "CREATE TABLE today_old.t (id UInt64, ts DateTime, event String, day Date MATERIALIZED toDate(ts)) \
                  ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY (id, event)";
    prepare(today(), "today_old", &[create]);
    everywhere(
        today(),
        &["INSERT INTO today_old.t (id, ts, event) SELECT number, 1700000000 + number * 3600, 'e' FROM numbers(2000)"],
    );
    let tool = Tool::new(today());
    tool.plan("ALTER TABLE today_old.t MODIFY ORDER BY (event, id)");
    let on = single().config_path().display().to_string();
    for rows in [["--rows", "8000"], ["--sample", "800"]] {
        let ran = tool.expect(0, &[&["dry-run", PLAN, "--on", &on], &rows[..]].concat());
        for said in ["names were swapped by RENAME", "a mirror that leaves MATERIALIZED columns out"] {
            assert!(ran.stdout.contains(said), "{ran}");
        }
    }
}

#[test]
fn generated_rows_come_in_blocks_that_views_with_many_partitions_take() {
    let statements = [
        "CREATE TABLE today_blocks.t (id UInt64, event String) ENGINE = MergeTree ORDER BY (id, event)",
        "CREATE TABLE today_blocks.many (id UInt64) ENGINE = MergeTree PARTITION BY id % 300 ORDER BY id",
        "CREATE MATERIALIZED VIEW today_blocks.mv TO today_blocks.many AS SELECT id FROM today_blocks.t",
    ];
    prepare(today(), "today_blocks", &statements);
    let tool = Tool::new(today());
    tool.plan("ALTER TABLE today_blocks.t MODIFY ORDER BY (event, id)");
    // A block of 125 rows would meet 125 partitions, of which the server takes 100.
    tool.expect(0, &["dry-run", PLAN, "--on", &on_stage(), "--rows", "1000"]);
    assert_eq!(report(&tool)["rows"], 1000);
}

#[test]
fn every_statement_bears_plan_step_and_chunk() {
    let create =
        "CREATE TABLE today_marked.t (id UInt64, ts Date) ENGINE = MergeTree PARTITION BY toYYYYMM(ts) ORDER BY id";
    prepare(
        today(),
        "today_marked",
        &[create, "INSERT INTO today_marked.t SELECT number, toDate('2024-01-20') + number FROM numbers(30)"],
    );
    let tool = Tool::new(today());
    let planned = tool.plan("ALTER TABLE today_marked.t MODIFY ORDER BY (ts, id)");
    assert!(planned.stdout.contains("bears plan, step and chunk as its log_comment"), "{planned}");
    tool.approve(&["start", "cutover", "finalize"]);
    tool.expect(0, &["execute", PLAN]);
    let id = tool.plan_json()["id"].as_str().unwrap().to_owned();
    let first = today().ids()[0];
    today().query(first, "SYSTEM FLUSH LOGS");
    let of_plan =
        format!("FROM system.query_log WHERE type = 'QueryFinish' AND startsWith(query_id, 'shardwright-{id}-')");
    let step = "extract(query_id, concat('^shardwright-[0-9a-f]+-(.*)-[0-9]+-[0-9a-f]+-[0-9]+$'))";
    let wrong = format!(
        "SELECT count() > 20, countIf(log_comment NOT LIKE concat('shardwright plan={id} step=', {step}, '%')) {of_plan}"
    );
    assert_eq!(today().query(first, &wrong), "1\t0");
    let chunks = format!(
        "SELECT arraySort(groupUniqArray(log_comment)) {of_plan} AND query_kind = 'Insert' AND query LIKE '%sw_staging%'"
    );
    let expected = ["202401", "202402"].map(|chunk| format!("'shardwright plan={id} step=backfill.s1 chunk={chunk}'"));
    assert_eq!(today().query(first, &chunks), format!("[{}]", expected.join(",")));
    fs::remove_file(tool.dir().join(PLAN)).unwrap();
}
