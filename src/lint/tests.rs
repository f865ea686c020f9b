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
    let of = |statement: &str| statement.repeat(BYTES / statement.len());
    for (sql, dialect) in [
        (of("DROP TABLE t;\n"), Dialect::ClickHouse),
        (of("ALTER TABLE t DROP COLUMN c;\n"), Dialect::Postgres),
        (of("INSERT INTO t VALUES (1, 'abc', 2.5);\n"), Dialect::Postgres),
        (format!("SELECT {}1", of("1 + ")), Dialect::ClickHouse),
        (format!("UPDATE t SET a = {}1", of("1 + ")), Dialect::Postgres),
        (of("("), Dialect::Postgres),
        (of("'"), Dialect::ClickHouse),
        (of("\u{0436};"), Dialect::ClickHouse),
    ] {
        let began = time_on_cpu();
        let report = report(&sql, Choice::Only(dialect));
        assert!(report.files[0].findings.len() <= FINDINGS_MAX);
        assert!(report.files[0].unparsed.len() <= 1_000, "{}", report.files[0].unparsed.len());
        let took = time_on_cpu().saturating_sub(began);
        assert!(took < Duration::from_mins(1), "{took:?} for {}", &sql[..20]);
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
        ("DROP TABLE t; \\d t", Postgres, "1:15 a command of psql is no SQL"),
    ] {
        assert_eq!(unparsed(sql, dialect), [expected], "{sql}");
        if sql.contains("DROP TABLE") {
            assert!(codes_of(sql, dialect).contains(&"SW030".to_owned()), "{sql}");
        }
    }
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
