use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::*;

fn report(sql: &str, choice: Choice) -> Report {
    lint(vec![Source { name: "m.sql".to_owned(), text: sql.to_owned() }], choice)
}

fn codes_of(sql: &str, dialect: Dialect) -> Vec<String> {
    let report = report(sql, Choice::Only(dialect));
    report.files[0].findings.iter().map(|found| found.finding.code.clone()).collect()
}

fn unparsed(sql: &str, dialect: Dialect) -> Vec<String> {
    let report = report(sql, Choice::Only(dialect));
    let file = &report.files[0];
    file.unparsed.iter().map(|one| format!("{}:{} {}", one.place.line, one.place.column, one.message)).collect()
}

const HARMLESS_CLICKHOUSE: &str = include_str!("../../tests/lint/harmless_clickhouse.sql");
const HARMLESS_POSTGRES: &str = include_str!("../../tests/lint/harmless_postgres.sql");

#[test]
fn harmless_statements_are_read_and_not_blocked() {
    let mut statements = 0;
    for (sql, dialect) in [(HARMLESS_CLICKHOUSE, Dialect::ClickHouse), (HARMLESS_POSTGRES, Dialect::Postgres)] {
        let report = report(sql, Choice::Auto);
        let file = &report.files[0];
        assert_eq!(file.dialect, dialect);
        assert!(file.unparsed.is_empty(), "{:?}", file.unparsed);
        let blockers: Vec<&Found> =
            file.findings.iter().filter(|found| found.finding.severity == Severity::Blocker).collect();
        assert!(blockers.is_empty(), "{blockers:?}");
        statements += file.statements;
    }
    assert!(statements >= 60, "{statements}");
}

/// What this thread has computed for: others that want the processor do not count.
fn time_on_cpu() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_hundred_statements_take_less_than_a_second() {
    let clickhouse =
        "ALTER TABLE d.t ADD COLUMN c UInt8 DEFAULT a + 1, MODIFY COLUMN b UInt64, DROP COLUMN z;\n".repeat(50);
    let postgres =
        "ALTER TABLE \"t\" ADD COLUMN \"c\" integer DEFAULT 0 NOT NULL, DROP COLUMN \"z\" CASCADE;\n".repeat(50);
    let began = time_on_cpu();
    let report = lint(
        vec![
            Source { name: "a.sql".to_owned(), text: clickhouse },
            Source { name: "b.sql".to_owned(), text: postgres },
        ],
        Choice::Auto,
    );
    let took = time_on_cpu().saturating_sub(began);
    assert_eq!(report.files.iter().map(|file| file.statements).sum::<usize>(), 100);
    assert!(report.is_blocked());
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn large_files_take_bounded_time_and_give_bounded_output() {
    const BYTES: usize = 1 << 18;
    /// Two formats, a thousand findings and as many places that cannot be read.
    const OUTPUT_MAX: usize = 1 << 22;
    let of = |statement: &str| statement.repeat(BYTES / statement.len());
    let numbered = |statement: &str| {
        let one = |number: usize| statement.replace('#', &number.to_string());
        (0..BYTES / statement.len()).map(one).collect::<String>()
    };
    let indexes = format!("ALTER TABLE t {};\n", vec!["ADD INDEX i a TYPE minmax"; 900].join(", "));
    for (sql, dialect) in [
        (of("DROP TABLE t;\n"), Dialect::ClickHouse),
        (of("ALTER TABLE t DROP COLUMN c;\n"), Dialect::Postgres),
        (of("INSERT INTO t VALUES (1, 'abc', 2.5);\n"), Dialect::Postgres),
        (format!("SELECT {}1", of("1 + ")), Dialect::ClickHouse),
        (format!("UPDATE t SET a = {}1", of("1 + ")), Dialect::Postgres),
        (of("("), Dialect::Postgres),
        (of("'"), Dialect::ClickHouse),
        (of("\u{0436};"), Dialect::ClickHouse),
        (of("FROBNICATE; "), Dialect::ClickHouse),
        (of("FROBNICATE;\n"), Dialect::Postgres),
        (of("DROP TABLE t; "), Dialect::Postgres),
        (of("ALTER TABLE t DROP COLUMN c; "), Dialect::ClickHouse),
        (format!("RENAME TABLE {}a TO b", numbered("t# TO u#, ")), Dialect::ClickHouse),
        (format!("DROP TABLE {}t", numbered("t#, ")), Dialect::Postgres),
        (of("RENAME TABLE t TO u;\n"), Dialect::ClickHouse),
        (of(&indexes), Dialect::ClickHouse),
        (numbered("CREATE TABLE t# (a int); ALTER TABLE t# DROP COLUMN a;\n"), Dialect::Postgres),
        (
            numbered("CREATE TABLE t# AS l# ENGINE = Distributed(m, d, l#); ALTER TABLE t# ADD COLUMN a Int8;\n"),
            Dialect::ClickHouse,
        ),
        (of("-- shardwright: allow SW027 x\n") + &indexes, Dialect::ClickHouse),
    ] {
        let began = time_on_cpu();
        let report = report(&sql, Choice::Only(dialect));
        assert!(report.files[0].findings.len() <= FINDINGS_MAX);
        assert!(report.files[0].unparsed.len() <= FINDINGS_MAX, "{}", report.files[0].unparsed.len());
        let output = terminal(&report, false).len() + sarif(&report).to_string().len();
        assert!(output < OUTPUT_MAX, "{output} for {}", &sql[..20]);
        let took = time_on_cpu().saturating_sub(began);
        assert!(took < Duration::from_secs(10), "{took:?} for {}", &sql[..20]);
    }
}

#[test]
fn what_is_nested_deeply_overflows_no_stack() {
    for depth in [100, 10_000, 100_000] {
        let brackets = format!("UPDATE t SET a = {}1{} WHERE b;", "(".repeat(depth), ")".repeat(depth));
        let nots = format!("DELETE FROM t WHERE {} a;", "NOT ".repeat(depth));
        let cases = format!("UPDATE t SET a = {} 1 {};", "CASE WHEN ".repeat(depth), "END ".repeat(depth));
        let minus = format!("ALTER TABLE t ADD COLUMN a int DEFAULT {}1;", "- ".repeat(depth));
        let types = format!("CREATE TABLE t (a {}int{});", "array<".repeat(depth), ">".repeat(depth));
        for sql in [brackets, nots, cases, minus, types] {
            for dialect in [Dialect::ClickHouse, Dialect::Postgres] {
                let report = report(&format!("{sql}\nDROP TABLE u;"), Choice::Only(dialect));
                assert!(report.is_blocked(), "the rest is linted: {}", &sql[..30]);
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_and_hides_nothing() {
    use Dialect::{ClickHouse, Postgres};
    for (sql, dialect, expected) in [
        ("FROBNICATE x; DROP TABLE t", ClickHouse, "1:1 expected a statement that is known, not `FROBNICATE`"),
        (
            "ALTER TABLE t SHUFFLE ROWS, DROP COLUMN a",
            ClickHouse,
            "1:15 `SHUFFLE ROWS` is no command of ALTER TABLE that is known",
        ),
        ("DROP TABLE t;\nALTER TABLE u ADD", ClickHouse, "2:15 `ADD` is no command of ALTER TABLE that is known"),
        ("DROP TABLE t;\nCREATE TABLE u (a UInt8", ClickHouse, "2:16 this bracket is not closed"),
        (
            "ALTER TABLE t DROP COLUMN a ALTER TABLE t DROP COLUMN b; DROP TABLE t",
            ClickHouse,
            "1:29 expected the end of the statement, not `ALTER`",
        ),
        (
            "CREATE VIEW v AS SELECT 1 DROP TABLE u; DROP TABLE t",
            ClickHouse,
            "1:27 expected the end of the statement, not `DROP`",
        ),
        (
            "CREATE TABLE t (a UInt8) ENGINE = Memory\nDROP TABLE u",
            ClickHouse,
            "2:1 a statement begins here, but the one before it is not ended by `;`",
        ),
        ("DROP TABLE t CASCADE", ClickHouse, "1:14 expected the end of the statement, not `CASCADE`"),
        ("DROP TABLE t; TRUNCATE TABLE a, b", ClickHouse, "1:31 expected the end of the statement, not `,`"),
        ("DROP TABLE t;\nSELECT 'half a", ClickHouse, "2:8 the string is not closed"),
        ("FROBNICATE x; DROP TABLE t", Postgres, "1:1 expected a statement that is known, not `FROBNICATE`"),
        (
            "ALTER TABLE t DROP COLUMN a, FROBNICATE b",
            Postgres,
            "1:30 expected a command of ALTER TABLE, not `FROBNICATE`",
        ),
        ("DROP TABLE t;\nCREATE TABLE u (a int,, b int);", Postgres, "2:23 expected an item, not `,`"),
        ("DROP TABLE t;\nALTER TABLE u ADD COLUMN", Postgres, "2:25 expected a name, but the statement ends"),
        ("DROP TABLE t;\nUPDATE u SET a = = 1 WHERE id = 3;", Postgres, "2:18 Expected: an expression, found: ="),
        (
            "DROP TABLE u; CREATE INDEX CONCURRENTLY i ON t (a) DROP TABLE y;",
            Postgres,
            "1:52 expected the end, not `DROP`",
        ),
        (
            "DO $$ BEGIN EXECUTE format('ALTER TABLE %I', 'DROP TABLE'); DROP TABLE u; END $$",
            Postgres,
            "1:13 what EXECUTE runs is put together here: it is not judged",
        ),
        (
            "DROP TABLE u; DO LANGUAGE plperl $$ DELETE $$",
            Postgres,
            "1:34 this body is not judged: only plpgsql within `$$ … $$` is read",
        ),
        (
            "DO $$ BEGIN DROP TABLE t; ALTER TABLE u FROBNICATE; END $$",
            Postgres,
            "1:41 expected a command of ALTER TABLE, not `FROBNICATE`",
        ),
        ("DROP TABLE t; \\d t", Postgres, "1:15 a command of psql is no SQL"),
    ] {
        assert_eq!(unparsed(sql, dialect), [expected], "{sql}");
        if sql.contains("DROP TABLE") {
            assert!(codes_of(sql, dialect).contains(&"SW030".to_owned()), "{sql}");
        }
    }
}

#[test]
fn statements_within_others_are_judged() {
    for (sql, expected) in [
        ("DO $$ BEGIN ALTER TABLE users DROP COLUMN x; DROP TABLE teams; END $$;", &["SW027", "SW030"][..]),
        (
            "DO $x$ DECLARE n int; BEGIN FOR n IN 1..3 LOOP IF n > 1 THEN DELETE FROM t; END IF; END LOOP; END $x$",
            &["SW032"],
        ),
        (
            "DO $$ <<l>> BEGIN EXECUTE 'DROP TABLE t'; EXCEPTION WHEN others THEN TRUNCATE u; END $$",
            &["SW030", "SW033"],
        ),
        (
            "DO $$\nBEGIN\n  IF NOT EXISTS (SELECT 1) THEN -- once\n    ALTER TABLE users DROP COLUMN x;\n  ELSE\n    TRUNCATE TABLE u;\n  END IF;\nEXCEPTION\n  WHEN others THEN\n    DROP TABLE teams;\nEND $$;",
            &["SW027", "SW033", "SW030"],
        ),
        ("DO $$\nBEGIN\n<<l>>\nLOOP\nDELETE FROM t;\nEND LOOP;\nEND $$", &["SW032"]),
        ("WITH d AS (DELETE FROM users RETURNING *) INSERT INTO archive SELECT * FROM d", &["SW032"]),
        ("WITH x AS (SELECT 1 LIMIT 1), u AS (UPDATE t SET a = 1 RETURNING id) DELETE FROM z", &["SW031", "SW032"]),
        ("WITH RECURSIVE x (a) AS NOT MATERIALIZED (SELECT 1) CYCLE a SET b USING c UPDATE t SET a = 1", &["SW031"]),
        ("WITH x AS (SELECT id FROM t LIMIT 1), y AS (SELECT * FROM x) DELETE FROM t USING y WHERE y.id = t.id", &[]),
        ("WITH x AS (SELECT 1 AS id LIMIT 1) DELETE FROM t WHERE a = 3", &["SW032"]),
        (
            "WITH x AS (SELECT id, (SELECT a FROM u WHERE u.id = t.id LIMIT 1) AS a FROM t) UPDATE t SET a = x.a FROM x WHERE t.id = x.id",
            &["SW031"],
        ),
        ("CREATE TABLE x AS WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", &["SW032"]),
        ("EXPLAIN ANALYZE DELETE FROM users", &["SW032"]),
        ("EXPLAIN (ANALYZE, BUFFERS) DELETE FROM users", &["SW032"]),
        ("EXPLAIN (ANALYZE off) DELETE FROM users", &[]),
        ("EXPLAIN DELETE FROM users", &[]),
        ("PREPARE x (int) AS DELETE FROM t", &["SW032"]),
        ("CREATE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC INSERT INTO t VALUES (1); DELETE FROM t; END;", &[]),
    ] {
        let sql = format!("SET lock_timeout = '5s'; {sql}");
        assert_eq!(codes_of(&sql, Dialect::Postgres), expected, "{sql}");
        assert!(unparsed(&sql, Dialect::Postgres).is_empty(), "{sql}");
    }
}

#[test]
fn what_takes_a_migration_back_is_not_judged() {
    for (up, down) in [
        ("-- +goose Up", "-- +goose Down"),
        ("-- +migrate Up", "-- +migrate Down notransaction"),
        ("-- migrate:up", "-- migrate:down"),
        ("-- Up Migration", "-- Down Migration"),
    ] {
        let sql =
            format!("{up}\nALTER TABLE t ADD COLUMN z int;\n{down}\nALTER TABLE t DROP COLUMN z;\nDROP TABLE u;\n");
        for dialect in [Dialect::ClickHouse, Dialect::Postgres] {
            let report = report(&sql, Choice::Only(dialect));
            assert!(!report.is_blocked(), "{sql}");
            assert_eq!((report.files[0].statements, report.files[0].down), (3, 2), "{sql}");
            assert!(terminal(&report, false).contains("2 statements that take the migration back and are not judged"));
        }
        let reversed = format!("{down}\nDROP TABLE u;\n{up}\nALTER TABLE t DROP COLUMN z;\n");
        assert_eq!(codes_of(&reversed, Dialect::ClickHouse), ["SW027"]);
    }
}

#[test]
fn a_file_that_takes_a_migration_back_is_not_judged() {
    let text = "DROP TABLE u;\nALTER TABLE t DROP COLUMN z;\nFROBNICATE;\n";
    for (name, expected) in [("7_x.down.sql", (3, 3, false, 0)), ("7_x.up.sql", (3, 0, true, 1))] {
        let source = Source { name: name.to_owned(), text: text.to_owned() };
        let report = lint(vec![source], Choice::Only(Dialect::Postgres));
        let file = &report.files[0];
        let found = (file.statements, file.down, report.is_blocked(), file.unparsed.len());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn statements_around_placeholders_are_judged() {
    for (sql, dialect, expected) in [
        ("DROP TABLE {{ .prefix }}users", Dialect::Postgres, "DROP TABLE {{ .prefix }}users"),
        ("ALTER TABLE \"{{ index .O \"ж\" }}\".t DROP a", Dialect::Postgres, "DROP a"),
        ("DROP TABLE ${DB}.t SYNC", Dialect::ClickHouse, "DROP TABLE ${DB}.t"),
    ] {
        let report = report(sql, Choice::Only(dialect));
        let file = &report.files[0];
        let blocker = file.findings.iter().find(|found| found.finding.severity == Severity::Blocker);
        assert_eq!(blocker.map(|found| &sql[found.place.span.clone()]), Some(expected));
        assert!(file.unparsed.is_empty(), "{:?}", file.unparsed);
    }
    let whole = "{{ addColumn \"t\" \"a\" }}\nDROP TABLE u;";
    assert_eq!(unparsed(whole, Dialect::Postgres).len(), 2);
}

#[test]
fn a_comment_of_a_tool_ends_the_statement_before_it() {
    for sql in [
        "-- +goose Up\n-- +goose StatementBegin\nALTER TABLE t ADD COLUMN a int\n-- +goose StatementEnd\n-- +goose Down\nDROP TABLE t;",
        "-- migrate:up\nALTER TABLE t ADD COLUMN a int\n-- migrate:down\nDROP TABLE t",
    ] {
        let report = report(sql, Choice::Only(Dialect::Postgres));
        assert!(report.files[0].unparsed.is_empty() && !report.is_blocked(), "{sql}");
        assert_eq!((report.files[0].statements, report.files[0].down), (2, 1), "{sql}");
    }
    let sql = "ALTER TABLE t ADD a int\n--> statement-breakpoint\nDROP TABLE u\n--> statement-breakpoint\nDROP VIEW v";
    assert_eq!(codes_of(sql, Dialect::Postgres), ["SW063", "SW030", "SW030"]);
    assert!(unparsed(sql, Dialect::Postgres).is_empty());
}

#[test]
fn empty_files_have_nothing_to_say() {
    for sql in ["", "\n", "-- nothing\n", ";;;", "/* a */"] {
        for dialect in [Dialect::ClickHouse, Dialect::Postgres] {
            let report = report(sql, Choice::Only(dialect));
            assert_eq!((report.files[0].statements, report.is_blocked()), (0, false), "{sql}");
            assert!(report.files[0].unparsed.is_empty() && report.files[0].findings.is_empty());
        }
    }
}

#[test]
fn a_suppression_holds_for_its_statement_and_stays_visible() {
    let sql = "-- shardwright: allow SW027 nobody reads it since May\nALTER TABLE t DROP COLUMN a;\nALTER TABLE t DROP COLUMN b; \
               -- shardwright: allow SW027 nor this\nALTER TABLE t DROP COLUMN c;";
    let report = report(sql, Choice::Only(Dialect::ClickHouse));
    let reasons: Vec<Option<&str>> =
        report.files[0].findings.iter().map(|found| found.finding.suppressed.as_deref()).collect();
    assert_eq!(reasons, [Some("nobody reads it since May"), Some("nor this"), None]);
    assert!(report.is_blocked());
}

#[test]
fn a_suppression_without_reason_or_use_is_reported() {
    let no_reason = "-- shardwright: allow SW027\nALTER TABLE t DROP COLUMN a;";
    assert_eq!(codes_of(no_reason, Dialect::ClickHouse), ["SW026", "SW027"]);
    assert!(report(no_reason, Choice::Auto).is_blocked());
    assert_eq!(codes_of("-- shardwright: allow SW999 x\nSELECT 1;", Dialect::ClickHouse), ["SW026"]);
    assert_eq!(codes_of("-- shardwright: allow SW027 x\nSELECT 1;", Dialect::ClickHouse), ["SW026"]);
}

#[test]
fn a_suppression_beside_no_statement_is_reported() {
    for sql in
        ["DROP TABLE t;\n-- shardwright: allow SW030 x\n", "DROP TABLE t; -- kept\n\n/* shardwright: allow SW030 x */"]
    {
        for dialect in [Dialect::ClickHouse, Dialect::Postgres] {
            let codes: Vec<String> = codes_of(sql, dialect).into_iter().filter(|code| code != "SW063").collect();
            assert_eq!(codes, ["SW030", "SW026"], "{sql}");
        }
    }
    assert_eq!(codes_of("-- shardwright: allow SW030 x", Dialect::ClickHouse), ["SW026"]);
}

#[test]
fn what_cannot_be_read_may_be_allowed() {
    for sql in ["FROBNICATE x;", "ALTER TABLE t ADD"] {
        let sql = format!("SELECT 1;\n-- shardwright: allow SW025 a tool fills it in\n{sql}");
        let report = report(&sql, Choice::Only(Dialect::Postgres));
        let file = &report.files[0];
        assert!(file.findings.is_empty(), "{:?}", file.findings);
        assert_eq!(file.unparsed[0].suppressed.as_deref(), Some("a tool fills it in"));
        assert!(terminal(&report, false).contains("allowed[SW025]"));
    }
}

#[test]
fn a_reason_forges_no_output() {
    let sql = "/* shardwright: allow SW030 fine\n\nm.sql: 1 statement, read as postgres: nothing to say\n\u{202E}\u{1B}*/ DROP TABLE \"\u{2066}x\";";
    let shown = terminal(&report(sql, Choice::Only(Dialect::Postgres)), false);
    assert_eq!(shown.lines().filter(|line| line.starts_with("m.sql")).count(), 1, "{shown}");
    assert!(!shown.contains(['\u{202E}', '\u{2066}', '\u{1B}']), "{shown:?}");
    assert!(shown.contains("reason: fine m.sql: 1 statement"), "{shown}");
}

#[test]
fn what_cannot_be_read_is_counted_beyond_a_bound() {
    let report = report(&"FROBNICATE;\n".repeat(FINDINGS_MAX + 7), Choice::Only(Dialect::ClickHouse));
    assert_eq!((report.files[0].unparsed.len(), report.files[0].unparsed_omitted), (FINDINGS_MAX, 7));
    assert!(
        terminal(&report, false)
            .contains("1000 places that cannot be read, 7 more that cannot be read and are not shown")
    );
    assert_eq!(json(&report)["files"][0]["unparsed_omitted"], 7);
}

#[test]
fn a_finding_is_shown_with_its_place_marked() {
    let sql = "SELECT 1;\nALTER TABLE d.events\n    DROP COLUMN browser;\n";
    let report = report(sql, Choice::Only(Dialect::ClickHouse));
    insta::assert_snapshot!(terminal(&report, false), @r"
    blocker[SW027]: d.events loses its column browser
     --> m.sql:3:5
      |
    3 |     DROP COLUMN browser;
      |     ^^^^^^^^^^^^^^^^^^^
       = why: software that still selects or inserts it fails at once, also the version that is being replaced; the values are gone
       = safer: first release software that does not use it; ask who read it: SELECT user, max(event_time) FROM clusterAllReplicas('{cluster}', system.query_log) WHERE has(columns, 'd.events.browser') GROUP BY user; drop it later, in a migration of its own

    m.sql: 2 statements, read as clickhouse (asked for): 1 blocker
    ");
}

#[test]
fn a_dialect_that_nothing_tells_is_said_where_it_matters() {
    let said = |sql: &str| report(sql, Choice::Auto).files[0].unparsed.len();
    let report = report("SELECT 1;\nALTER TABLE t DROP COLUMN a;", Choice::Auto);
    let unparsed = &report.files[0].unparsed;
    assert_eq!(
        (unparsed.len(), unparsed[0].place.line, unparsed[0].message.as_str()),
        (
            1,
            2,
            "nothing tells whether this is SQL of ClickHouse or PostgreSQL: it is read as clickhouse; give --dialect"
        )
    );
    assert_eq!((said("SELECT 1"), said(""), said("ALTER TABLE t DROP COLUMN a CASCADE")), (0, 0, 0));
}

#[test]
fn djangos_output_is_read() {
    let sql = include_str!("../../tests/lint/django.sql");
    let report = report(sql, Choice::Auto);
    let file = &report.files[0];
    assert_eq!(file.dialect, Dialect::Postgres);
    assert!(file.unparsed.is_empty(), "{:?}", file.unparsed);
    let found: Vec<String> =
        file.findings.iter().map(|found| format!("{}:{}", found.place.line, found.finding.code)).collect();
    insta::assert_snapshot!(
        found.join(" "),
        @"5:SW053 5:SW063 10:SW034 11:SW034 19:SW052 19:SW061 23:SW028 27:SW030 28:SW054 29:SW057"
    );
}

/// Seconds for which random files are linted; a longer run: `SHARDWRIGHT_FUZZ_SECONDS=60 cargo test --lib lint::tests::fuzz`.
fn fuzz_seconds() -> u64 {
    std::env::var("SHARDWRIGHT_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5)
}

/// Pieces of SQL, whole statements and bytes of any kind, put together.
fn scraps() -> impl Strategy<Value = String> {
    let statements: Vec<&'static str> = HARMLESS_CLICKHOUSE
        .lines()
        .chain(HARMLESS_POSTGRES.lines())
        .chain(include_str!("../../tests/lint/django.sql").lines())
        .chain([
            "ALTER TABLE t",
            "DROP COLUMN",
            "MODIFY",
            "ORDER BY",
            "'",
            "\"",
            "`",
            "(",
            ")",
            "$$",
            "/*",
            "*/",
            "--",
            ";",
            ",",
            "\\",
            "BEGIN;",
        ])
        .chain([
            "-- shardwright: allow SW027 x\n",
            "UPDATE",
            "SET a =",
            "WHERE",
            "CREATE INDEX",
            "CONCURRENTLY",
            "SETTINGS a = 1",
            "é",
            "\u{0}",
        ])
        .filter(|line| !line.is_empty())
        .collect();
    let scrap = prop_oneof![
        4 => proptest::sample::select(statements.clone()).prop_map(str::to_owned),
        2 => (proptest::sample::select(statements), any::<prop::sample::Index>()).prop_map(|(line, cut)| {
            line.chars().take(cut.index(line.chars().count() + 1)).collect()
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => "[ -~]{0,12}",
    ];
    proptest::collection::vec(scrap, 0..12).prop_map(|scraps| scraps.join(" "))
}

#[test]
fn fuzz() {
    let config = Config { cases: u32::MAX, failure_persistence: None, rng_seed: RngSeed::Random, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let until = Instant::now() + Duration::from_secs(fuzz_seconds());
    let mut cases = 0_u64;
    while Instant::now() < until {
        let sql = scraps().new_tree(&mut runner).unwrap().current();
        for choice in [Choice::Only(Dialect::ClickHouse), Choice::Only(Dialect::Postgres), Choice::Auto] {
            let outcome = std::panic::catch_unwind(|| {
                let report = report(&sql, choice);
                let places = report.files.iter().flat_map(|file| &file.findings);
                assert!(places.clone().all(|found| sql.get(found.place.span.clone()).is_some()));
                (terminal(&report, true), json(&report), sarif(&report))
            });
            assert!(outcome.is_ok(), "{sql:?}");
        }
        cases += 1;
    }
    assert!(cases > 50, "{cases}");
}
