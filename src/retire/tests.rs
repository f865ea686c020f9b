use super::*;
use crate::assess::{ColumnUse, How, LogOf, Standing, Usage};
use crate::evaluate::Defined;
use crate::names::{ReplicaId, TableName};
use crate::plan::{Asked, Unread, unread};

fn defined(name: &str, engine: &str, text: &str) -> Defined {
    let (database, table) = name.split_once('.').unwrap();
    Defined {
        name: TableName::new(database, table),
        engine: engine.to_owned(),
        engine_full: text.to_owned(),
        create_query: text.to_owned(),
    }
}

/// `d.t` with column `c`, and what leads there.
fn paths() -> Paths {
    let dictionary = "CREATE DICTIONARY d.dict (id UInt64, c String) PRIMARY KEY id SOURCE(CLICKHOUSE(DB 'd' TABLE 't')) LAYOUT(FLAT())";
    let all = [
        defined("d.all", "Distributed", "Distributed('main', 'd', 't', rand())"),
        defined("d.named", "View", "CREATE VIEW d.named (`id` UInt64, `c` String) AS SELECT id, c FROM d.all"),
        defined("d.starred", "View", "CREATE VIEW d.starred (`id` UInt64, `c` String) AS SELECT * FROM d.t"),
        defined("d.clean", "View", "CREATE VIEW d.clean (`id` UInt64) AS SELECT id FROM d.t"),
        defined(
            "d.counts",
            "MaterializedView",
            "CREATE MATERIALIZED VIEW d.counts TO d.o (`c` String) AS SELECT c FROM d.t",
        ),
        defined("d.dict", "Dictionary", dictionary),
        defined("d.mg", "Merge", "CREATE TABLE d.mg (`c` String) ENGINE = Merge('d', '^(t|x)$')"),
        defined("d.al", "Alias", "CREATE TABLE d.al (`c` String) ENGINE = Alias('d', 't')"),
        defined("d.merged", "View", "CREATE VIEW d.merged (`x` String) AS SELECT c AS x FROM merge('d', '^t$')"),
        defined("d.over", "View", "CREATE VIEW d.over (`x` String) AS SELECT COLUMNS('^c') FROM d.mg"),
        defined("e.all", "Distributed", "Distributed('main', 'e', 'x', rand())"),
    ];
    Paths::new(&TableName::new("d", "t"), &all)
}

#[track_caller]
fn assert_how(cases: &[(&str, Option<How>)]) {
    for (query, wanted) in cases {
        assert_eq!(how(query, Some("d"), &paths(), "c", false), *wanted, "{query}");
    }
}

#[test]
fn who_names_the_column_is_told() {
    assert_how(
        &[
            "SELECT c FROM d.t",
            "select count() from t where `c` = 'x'",
            "SELECT t.c FROM d.all AS t FORMAT JSON",
            "SELECT count() FROM (SELECT c FROM d.t)",
            "SELECT id FROM named",
            "SELECT c FROM starred",
            "WITH x AS (SELECT c FROM t) SELECT * FROM x",
            "SELECT a.c FROM o AS b JOIN d.t AS a USING id",
            "INSERT INTO x SELECT c FROM d.t",
            "INSERT INTO d.t (id, c) VALUES",
            "INSERT INTO all (c) SELECT 1",
            "ALTER TABLE d.t UPDATE v = length(c) WHERE 1",
            "ALTER TABLE d.t DELETE WHERE c = ''",
            "DELETE FROM d.t WHERE c = 'x'",
            "CREATE TABLE x ENGINE = Memory AS SELECT c FROM d.t",
            "SELECT dictGet('d.dict', 'c', toUInt64(1))",
            "SELECT c FROM dict",
            "SELECT * EXCEPT (c) FROM t",
            "SELECT c FROM mg",
            "SELECT c FROM d.al",
            "INSERT INTO al (id, c) VALUES",
            "SELECT x FROM d.merged",
            "SELECT x FROM merge('d', '^merged$')",
            "SELECT c FROM over",
            "SELECT c FROM merge('d', '^(t|x)$')",
            "SELECT m.c FROM cluster('main', d.t) AS m JOIN d.o USING id",
            "SELECT c FROM cluster('main', view(SELECT c FROM d.t))",
            "INSERT INTO FUNCTION cluster('main', d, all) (id, c) VALUES",
            "ALTER TABLE d.o DELETE WHERE id IN (SELECT id FROM d.t WHERE c = 'x')",
            "ALTER TABLE d.o UPDATE x = 1 WHERE id IN (SELECT id FROM d.t WHERE c = 'x')",
            "DELETE FROM d.o WHERE id IN (SELECT id FROM d.t WHERE c = 'x')",
            "OPTIMIZE TABLE d.t FINAL DEDUPLICATE BY id, c",
            "INSERT INTO d.o (id) FROM d.t SELECT c",
            "CREATE TABLE d.x ENGINE = Memory AS FROM d.t SELECT c",
        ]
        .map(|query| (query, Some(How::Named))),
    );
}

#[test]
fn who_asks_for_all_is_told_apart() {
    assert_how(
        &[
            "SELECT * FROM d.t",
            "SELECT t.* FROM all AS t LIMIT 1",
            "SELECT id, * FROM starred",
            "SELECT COLUMNS('^.$') FROM d.t",
            "FROM d.t",
            "SELECT * FROM over",
        ]
        .map(|query| (query, Some(How::Star))),
    );
}

#[test]
fn who_fails_with_one_column_less_is_told_apart() {
    assert_how(
        &[
            "INSERT INTO d.t VALUES",
            "INSERT INTO TABLE FUNCTION cluster('main', d.t) VALUES",
            "INSERT INTO x SELECT * FROM d.t",
            "INSERT INTO d.t SELECT id, x FROM d.o",
            "INSERT INTO d.t (COLUMNS('^(id|c)$')) VALUES",
            "SELECT id FROM d.o WHERE (id, x) IN d.t",
            "SELECT id FROM d.o WHERE (id, x) NOT IN (t)",
        ]
        .map(|query| (query, Some(How::Counted))),
    );
    let mut question = question();
    question.by_star = false;
    let blind = uses(&[line("INSERT INTO d.t VALUES", "curl", true, "0", "")], &[]);
    let held = held(&question, &usage(blind, [log(1, 100), log(2, 100)])).unwrap();
    assert!(held.text().contains("by the number of columns"), "--except-star is about reads: {held:?}");
}

#[test]
fn who_does_without_the_column_is_left_alone() {
    assert_how(
        &[
            "SELECT id FROM d.t",
            "SELECT count(*) FROM d.t",
            "SELECT COLUMNS('^i') FROM d.t",
            "SELECT id * 2 FROM d.t",
            "SELECT id FROM starred",
            "SELECT id FROM clean",
            "SELECT * FROM clean",
            "SELECT 'c' FROM d.t",
            "SELECT c FROM d.other",
            "SELECT c FROM e.all",
            "SELECT c FROM counts",
            "SELECT c FROM merge('d', '^o$')",
            "SELECT c FROM cluster('main', d.o)",
            "SELECT id FROM cluster('main', d.t)",
            "INSERT INTO FUNCTION cluster('main', d.o) (id, c) VALUES",
            "INSERT INTO FUNCTION cluster('main', d.t) (id) VALUES",
            "SELECT o.c FROM d.o AS o JOIN t USING id",
            "INSERT INTO d.t (id, v) VALUES",
            "INSERT INTO d.o (id, c) VALUES",
            "ALTER TABLE d.t COMMENT COLUMN c 'x'",
            "ALTER TABLE d.o DELETE WHERE c = ''",
            "DESCRIBE TABLE d.t",
            "SHOW CREATE TABLE d.t",
            "SELECT name FROM system.columns WHERE table = 't' AND name = 'c'",
            "SELECT dictGet('d.dict', 'v', toUInt64(1))",
            "CREATE VIEW x AS SELECT c FROM d.t",
            "DELETE FROM d.o WHERE c = 'x'",
            "ALTER TABLE d.o DELETE WHERE c = 'x' AND id IN (SELECT id FROM d.t)",
            "OPTIMIZE TABLE d.t FINAL",
            "OPTIMIZE TABLE d.t DEDUPLICATE BY id",
            "INSERT INTO d.t (COLUMNS('^id$')) VALUES",
            "SELECT id FROM d.o WHERE id IN t(1)",
        ]
        .map(|query| (query, None)),
    );
}

#[test]
fn what_cannot_be_read_may_use_the_column() {
    assert_how(
        &[
            "SELECT c, 'open FROM d.t",
            "SELECT c FROM remote('h', d, t)",
            "INSERT INTO FUNCTION remote('h:1', d, t) (id, c) VALUES",
            "FETCH c OF t",
        ]
        .map(|query| (query, Some(How::Perhaps))),
    );
    assert_how(&["SELECT id, 'open FROM d.t", "SELECT c, 'open FROM d.zzz"].map(|query| (query, None)));
    assert_eq!(
        how("SELECT c FROM all", None, &paths(), "c", false),
        Some(How::Perhaps),
        "two databases have such a table"
    );
    assert_eq!(how("SELECT c FROM t", None, &paths(), "c", false), Some(How::Named));
    assert_eq!(how("SELECT c FROM t", Some("e"), &paths(), "c", false), None);
    assert_eq!(how("SELECT n.a FROM t", Some("d"), &paths(), "n.a", false), Some(How::Named));
}

#[test]
fn definitions_that_name_the_column_stand() {
    let standing: Vec<String> = paths().standing("c").iter().map(|one| one.table.to_string()).collect();
    assert_eq!(standing, ["d.counts", "d.dict", "d.merged", "d.named", "d.over", "d.starred"].map(str::to_owned));
    assert!(paths().standing("z").is_empty());
}

#[test]
fn conditions_name_all_that_leads_there() {
    let paths = paths();
    let condition = paths.condition();
    for name in ["t", "all", "named", "starred", "clean", "dict"] {
        assert!(condition.contains(&format!("position(query, '{name}') > 0")), "{condition}");
    }
    assert!(!condition.contains("counts"), "who reads a materialized view does not read the table");
    assert!(paths.listed(&["c".to_owned()]).contains("'d.t.c'"));
    assert!(paths.listed(&["a b".to_owned()]).contains("'d.t.`a b`'"));
}

fn question() -> Unread {
    let logs = [(ReplicaId::new(1, 1), Vec::new()), (ReplicaId::new(1, 2), Vec::new())].into();
    let (table, columns) = (TableName::new("d", "t"), ["c".to_owned()]);
    unread(&Asked { table: &table, columns: &columns, seconds: 100, by_star: true }, &logs)
}

/// A line as a replica answers it.
fn line(query: &str, client: &str, is_first: bool, listed: &str, ids: &str) -> String {
    let first = u8::from(is_first);
    let [query, database, user, client, host] = [query, "d", "me", client, "::ffff:10.0.0.1"].map(hex::encode_upper);
    format!("{query}\t{database}\t{user}\t{client}\t{host}\t{first}\t3\t1700000000\t{listed}\t0\t{ids}")
}

fn uses(lines: &[String], ours: &[&str]) -> Vec<ColumnUse> {
    let answers = Answer::all(&lines.join("\n")).unwrap().unwrap();
    found(&question(), &[(paths(), answers)], &ours.iter().map(ToString::to_string).collect())
}

#[test]
fn uses_are_put_together_by_client() {
    let lines = [
        line("SELECT c FROM d.t WHERE id = 1", "curl", true, "0", ""),
        line("SELECT id, c FROM d.t", "curl", true, "0", ""),
        line("SELECT * FROM d.t", "curl", true, "0", ""),
        line("SELECT id FROM d.t", "curl", true, "0", ""),
    ];
    let found = uses(&lines, &[]);
    let told: Vec<_> = found.iter().map(|one| (one.how, one.queries, one.host.as_str())).collect();
    assert_eq!(told, [(How::Named, 6, "10.0.0.1"), (How::Star, 3, "10.0.0.1")]);
    assert_eq!(found[0].query, "SELECT c FROM d.t WHERE id = ?");
}

#[test]
fn what_servers_send_each_other_counts_once() {
    let sent = line("SELECT c FROM d.t", "", false, "0", "AA,BB");
    assert_eq!(uses(std::slice::from_ref(&sent), &["AA", "BB"]), []);
    assert_eq!(uses(&[sent], &["AA"])[0].queries, 1, "a server that is none of the cluster sent the other one");
    assert_eq!(
        uses(&[line("INSERT INTO d.t (id, c) VALUES", "ClickHouse Distributed_default", true, "0", "")], &[]),
        []
    );
}

#[test]
fn what_the_server_lists_is_believed() {
    assert_eq!(uses(&[line("SELECT id FROM merge('d', '^t')", "curl", true, "2", "")], &[])[0].how, How::Named);
    assert_eq!(uses(&[line("SELECT * FROM merge('d', '^t')", "curl", true, "2", "")], &[])[0].how, How::Star);
    assert_eq!(uses(&[line("ALTER TABLE d.t ADD COLUMN c String", "curl", true, "2", "")], &[]), []);
    assert_eq!(uses(&[line("SELECT * FROM (SELECT id FROM d.t)", "curl", true, "1", "")], &[]), []);
    assert_eq!(uses(&[line("SELECT count() FROM (SELECT c FROM d.t)", "curl", true, "1", "")], &[])[0].how, How::Named);
}

#[test]
fn what_is_inserted_is_no_matter_of_what_was_read() {
    let listed =
        |query: &str, digit: &str| uses(&[line(query, "curl", true, digit, "")], &[]).first().map(|one| one.how);
    assert_eq!(listed("INSERT INTO d.t SELECT * FROM d.o", "1"), Some(How::Counted));
    assert_eq!(listed("INSERT INTO d.t SELECT id, x FROM d.o", "1"), Some(How::Counted));
    assert_eq!(listed("INSERT INTO d.t (id) SELECT id FROM (SELECT * FROM d.t)", "1"), None);
    assert_eq!(listed("SELECT c FROM starred", "1"), Some(How::Named), "a view's own * is not the query's");
    assert_eq!(listed("/* app */ SELECT x FROM gone", "2"), Some(How::Named), "a view that is no longer there");
    assert_eq!(listed("-- app\nSELECT * FROM gone", "2"), Some(How::Star));
}

#[test]
fn of_several_columns_each_is_listed() {
    let columns = ["c".to_owned(), "v".to_owned()];
    let question = Unread { columns: columns.to_vec(), ..question() };
    let lines = [line("SELECT x FROM gone", "a", true, "12", ""), line("SELECT * FROM d.t", "b", true, "21", "")];
    let answers = Answer::all(&lines.join("\n")).unwrap().unwrap();
    let found = found(&question, &[(paths(), answers)], &std::collections::BTreeSet::new());
    let told: Vec<_> = found.iter().map(|one| (one.client.as_str(), one.column.as_str(), one.how)).collect();
    assert_eq!(told, [("b", "c", How::Star), ("a", "v", How::Named)]);
    assert!(Answer::all(&line("SELECT 1", "a", true, "3", "")).is_err());
    let listing = paths().listing(&columns);
    assert!(listing.contains("'d.t.`v`'") && listing.contains("endsWith(name, '.v')"), "{listing}");
}

#[test]
fn what_is_cut_may_use_the_column() {
    let cut = |query: &str, digit: &str| {
        let line = line(query, "curl", true, digit, "").replace(&format!("\t{digit}\t0\t"), &format!("\t{digit}\t1\t"));
        uses(&[line], &[]).first().map(|one| one.how)
    };
    assert_eq!(cut("SELECT id FROM d.o (removed 7 characters)", "0"), Some(How::Perhaps));
    assert_eq!(cut("(removed 49 characters)", "2"), Some(How::Perhaps));
    assert_eq!(cut("SELECT id (removed 7 characters) FROM d.o", "1"), None);
    assert_eq!(cut("INSERT INTO (removed 7 characters) SELECT id FROM d.o", "1"), Some(How::Perhaps));
}

#[test]
fn queries_of_one_kind_have_the_same_names() {
    let flags = paths().flags(&["c_1".to_owned()]);
    assert!(flags.contains(r"(?:^|[^\\pL\\pN_])c_1(?:[^\\pL\\pN_]|$)"), "{flags}");
    assert!(flags.contains("extractAll(query, ") && flags.contains("columns"), "{flags}");
    let (table, columns) = (TableName::new("d", "t"), ["c".to_owned()]);
    let uses = |log: &[&str]| {
        let logs = [(ReplicaId::new(1, 1), log.iter().map(ToString::to_string).collect())].into();
        unread(&Asked { table: &table, columns: &columns, seconds: 100, by_star: true }, &logs).logs[0].clone()
    };
    let new = uses(&["columns", "normalizedQueryHashKeepNames", "settings_profile_elements.setting_name"]);
    let sql = new.uses.to_string();
    assert!(sql.contains("normalizedQueryHashKeepNames(query)") && sql.contains("FROM system.processes"), "{sql}");
    assert!(sql.contains("(removed ") && new.profiles.is_some(), "{sql}");
    let old = uses(&["Settings.Names"]);
    let sql = old.uses.to_string();
    assert!(sql.contains(r"[0-9]+\\b") && sql.contains("indexOf(Settings.Names"), "{sql}");
    assert_eq!(old.profiles, None);
}

fn usage(uses: Vec<ColumnUse>, logs: [LogOf; 2]) -> Usage {
    Usage { uses, standing: Vec::new(), logs: logs.into() }
}

fn log(replica: u32, reaches: u64) -> LogOf {
    LogOf { on: ReplicaId::new(1, replica), reaches: Some(reaches), at: 1_700_000_050, flaw: None }
}

#[test]
fn columns_go_when_every_log_proves_that_nobody_reads_them() {
    let question = question();
    assert_eq!(held(&question, &usage(Vec::new(), [log(1, 100), log(2, 1000)])), None);
    let short = held(&question, &usage(Vec::new(), [log(1, 99), log(2, 40)])).unwrap();
    assert!(short.text().contains("the log of s1r2 proves nothing: it reaches back 40 s only"), "{short:?}");
    assert_eq!(short.again, Some(1_700_000_110));
    let none = LogOf { reaches: None, flaw: Some("there is no system.query_log".to_owned()), ..log(2, 0) };
    let missing = held(&question, &usage(Vec::new(), [log(1, 100), none])).unwrap();
    assert_eq!(missing.again, None);
    assert!(missing.again(100).contains("once that is seen to"));
}

#[test]
fn a_use_holds_until_it_is_long_ago() {
    let mut question = question();
    let by_star = uses(&[line("SELECT * FROM d.t", "curl", true, "0", "")], &[]);
    let all = || usage(by_star.clone(), [log(1, 100), log(2, 100)]);
    let held_by = held(&question, &all()).unwrap();
    assert!(
        held_by
            .text()
            .contains("column c was used by * alone 3 times by me, curl from 10.0.0.1, last at 2023-11-14T22:13:20Z")
    );
    assert_eq!(held_by.again, Some(1_700_000_101));
    question.by_star = false;
    assert_eq!(held(&question, &all()), None);
    let standing = vec![Standing { table: TableName::new("d", "v"), column: "c".to_owned() }];
    let stands = Usage { standing, ..all() };
    assert!(held(&question, &stands).unwrap().text().contains("d.v names column c in its definition"));
    question.known = vec![TableName::new("d", "v")];
    assert_eq!(held(&question, &stands), None);
}

#[test]
fn settings_that_leave_queries_out_are_flaws() {
    assert_eq!(
        flaw(
            "log_queries\t1\nlog_queries_min_query_duration_ms\t0\nlog_queries_min_type\tQUERY_START\nlog_queries_probability\t1"
        ),
        None
    );
    assert_eq!(flaw("log_queries\t1"), None);
    for (settings, word) in [
        ("log_queries\t0", "is off"),
        ("log_queries\t1\nlog_queries_probability\t0.1", "not every query"),
        ("log_queries\t1\nlog_queries_min_query_duration_ms\t9", "short queries"),
        ("log_queries\t1\nlog_queries_min_type\tEXCEPTION_BEFORE_START", "only failed"),
    ] {
        assert!(flaw(settings).unwrap().contains(word), "{settings}");
    }
}

#[test]
fn settings_of_others_are_flaws_too() {
    assert_eq!(flaw_of_others("log_queries\t1\tprofile default"), None);
    let found = flaw_of_others("log_queries\t1\tprofile default\nlog_queries\t0\tprofile quiet").unwrap();
    assert_eq!(found, "by profile quiet, log_queries is off: queries are not logged");
}

#[test]
fn answers_that_cannot_be_read_are_refused() {
    assert!(Answer::all("a\tb").is_err() && definitions("zz\t\t\t\t").is_err());
    assert!(definitions("").unwrap().is_empty());
    let many = vec![line("SELECT 1", "", true, "0", ""); crate::plan::LOG_SHAPES_MAX + 1].join("\n");
    assert_eq!(Answer::all(&many).unwrap(), None, "more than can be looked at is no proof");
}
