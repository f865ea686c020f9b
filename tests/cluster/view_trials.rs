//! What an ALTER would break of the views over its tables, or of inserts, is found before anything runs: by a trial on empty tables.

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Tool};
use crate::world::{databases, definitions, engine, everywhere, firsts, prepare};

/// A view, or a constraint, and the ALTER that breaks it.
struct Case {
    /// Makes it.
    make: &'static str,
    /// Its name.
    name: &'static str,
    alter: &'static str,
    /// What fails afterwards.
    fails: &'static str,
    /// Of the server's words.
    words: &'static str,
    /// Whether old servers can have it.
    on_old: bool,
}

const INSERT: &str = "INSERT INTO DB.l (id, k, country, n) VALUES (1, '2', '3', 4)";
const INSERT_ABOVE: &str = "INSERT INTO DB.d (id, k, country, n) VALUES (1, '2', '3', 4)";

const BROKEN: [Case; 8] = [
    Case {
        make: "CREATE MATERIALIZED VIEW DB.m TO DB.target AS SELECT id, upper(k) AS k, country, n, '' AS zz FROM DB.l",
        name: "m",
        alter: "MODIFY COLUMN k UInt64",
        fails: INSERT,
        words: "Illegal type UInt64 of argument of function upper",
        on_old: true,
    },
    Case {
        make: "CREATE MATERIALIZED VIEW DB.m TO DB.states AS SELECT sumState(n) AS s FROM DB.l",
        name: "m",
        alter: "MODIFY COLUMN n UInt64",
        fails: INSERT,
        words: "AggregateFunction(sum, UInt64)",
        on_old: true,
    },
    Case {
        make: "CREATE MATERIALIZED VIEW DB.m TO DB.states AS SELECT sumState(n) AS s FROM DB.d",
        name: "m",
        alter: "MODIFY COLUMN n UInt64",
        fails: INSERT_ABOVE,
        words: "AggregateFunction(sum, UInt64)",
        on_old: true,
    },
    Case {
        make: "CREATE VIEW DB.v AS SELECT upper(k) AS x FROM DB.d",
        name: "v",
        alter: "MODIFY COLUMN k UInt64",
        fails: "SELECT * FROM DB.v",
        words: "Illegal type UInt64 of argument of function upper",
        on_old: true,
    },
    Case {
        make: "CREATE VIEW DB.v AS SELECT * FROM DB.l UNION ALL SELECT 1, 'a', 'b', 2, now()",
        name: "v",
        alter: "ADD COLUMN zz UInt8",
        fails: "SELECT * FROM DB.v",
        words: "ifferent number of columns",
        on_old: true,
    },
    Case {
        make: "CREATE VIEW DB.v AS SELECT id FROM DB.u WHERE (id, zz, zz, toUInt32(id), now()) IN (SELECT * FROM DB.l)",
        name: "v",
        alter: "ADD COLUMN zz UInt8",
        fails: "SELECT * FROM DB.v",
        words: "Number of columns in section IN doesn't match",
        on_old: true,
    },
    Case {
        make: "CREATE MATERIALIZED VIEW DB.m TO DB.target AS SELECT id, country FROM (SELECT * FROM DB.l UNION ALL SELECT * FROM DB.other)",
        name: "m",
        alter: "ADD COLUMN zz UInt8",
        fails: INSERT,
        words: "UNION different number of columns",
        on_old: false,
    },
    Case {
        make: "ALTER TABLE DB.l ADD CONSTRAINT known CHECK country != ''",
        name: "l",
        alter: "MODIFY COLUMN country Nullable(UInt8)",
        fails: INSERT,
        words: "Cannot convert string",
        on_old: false,
    },
];

/// Views that go on: one passes a wider number on, the others name their columns or leave them to the view.
const HARMLESS: [(&str, &str); 5] = [
    (
        "CREATE MATERIALIZED VIEW DB.m TO DB.target AS SELECT id, k, country, n, '' AS zz FROM DB.l",
        "ADD COLUMN more UInt8",
    ),
    ("CREATE VIEW DB.v AS SELECT id, n FROM DB.d", "ADD COLUMN more UInt8"),
    ("CREATE VIEW DB.v AS SELECT * FROM DB.d", "ADD COLUMN more UInt8"),
    (
        "CREATE VIEW DB.v AS SELECT l.id AS id, u.zz AS zz FROM DB.l AS l ALL LEFT JOIN DB.u AS u USING id",
        "ADD COLUMN more UInt8",
    ),
    ("CREATE VIEW DB.v AS SELECT id, n FROM DB.l", "MODIFY COLUMN n UInt64"),
];

on_both_ends! {
    shared: what_would_fail_is_found_before, harmless_views_are_not_blocked, what_is_not_sure_is_said;
}

fn sql(text: &str, db: &str) -> String {
    text.replace("DB", db)
}

fn set_up(cluster: &Running, db: &str) {
    let made = |table: &str| engine(cluster.replicates(), "MergeTree", db, table, "");
    let columns = "id UInt64, k String, country String, n UInt32";
    let statements = [
        format!(
            "CREATE TABLE DB.l ({columns}, ts DateTime) ENGINE = {} PARTITION BY toYYYYMM(ts) ORDER BY id",
            made("l")
        ),
        "CREATE TABLE DB.d AS DB.l ENGINE = Distributed(main, 'DB', l, id)".to_owned(),
        format!("CREATE TABLE DB.other ({columns}, ts DateTime) ENGINE = {} ORDER BY id", made("other")),
        format!("CREATE TABLE DB.target ({columns}, zz String) ENGINE = {} ORDER BY id", made("target")),
        format!(
            "CREATE TABLE DB.states (s AggregateFunction(sum, UInt32)) ENGINE = {} ORDER BY tuple()",
            made("states")
        ),
        format!("CREATE TABLE DB.u (id UInt64, zz String) ENGINE = {} ORDER BY id", made("u")),
    ];
    let statements: Vec<String> = statements.iter().map(|text| sql(text, db)).collect();
    prepare(cluster, db, &statements.iter().map(String::as_str).collect::<Vec<_>>());
}

fn what_would_fail_is_found_before(cluster: &Running) {
    let db = "view_trials_broken";
    let tool = Tool::new(cluster);
    let first = firsts(cluster)[0];
    for case in BROKEN.iter().filter(|case| case.on_old || !cluster.replicates()) {
        set_up(cluster, db);
        everywhere(cluster, &[&sql(case.make, db)]);
        let before = (definitions(cluster, db), databases(cluster));
        let alter = format!("ALTER TABLE {db}.l {}", case.alter);
        let ran = tool.expect(3, &["plan", "--sql", &alter]);
        let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let blocker = said.split("BLOCKER").find(|blocker| blocker.starts_with(" SW086")).unwrap_or_default();
        assert!(blocker.contains(&format!(" {db}.{} ", case.name)), "{}: {ran}", case.make);
        assert!(blocker.contains(case.words) && !blocker.contains("_shardwright"), "{}: {ran}", case.make);
        assert_eq!((definitions(cluster, db), databases(cluster)), before, "nothing was left or changed");
        // Control: it worked, and it would have failed.
        cluster.query(first, &sql(case.fails, db));
        for table in ["l", "d"] {
            for id in if table == "l" { firsts(cluster) } else { cluster.ids() } {
                cluster.query(id, &format!("ALTER TABLE {db}.{table} {}", case.alter));
            }
        }
        let refusal = cluster.refusal(first, &sql(case.fails, db));
        assert!(refusal.contains("Code: ") || refusal.contains("code "), "{}: {refusal}", case.make);
        everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
    }
}

fn harmless_views_are_not_blocked(cluster: &Running) {
    let db = "view_trials_harmless";
    let tool = Tool::new(cluster);
    for (make, alter) in HARMLESS {
        set_up(cluster, db);
        everywhere(cluster, &[&sql(make, db)]);
        tool.plan(&format!("ALTER TABLE {db}.l {alter}"));
        let found = found(&tool);
        let cut = alter.starts_with("MODIFY") && !cluster.replicates();
        assert_eq!(found.contains("SW086"), cut, "{make}: {found}");
        assert!(
            !cut || found.contains("view_trials_harmless.v goes on with the types that it was made with"),
            "{found}"
        );
        tool.expect(0, &["execute", PLAN, "--auto-approve", "reversible"]);
        if make.contains("MATERIALIZED") {
            cluster.query(firsts(cluster)[0], &sql(INSERT, db));
        } else {
            cluster.query(firsts(cluster)[0], &format!("SELECT * FROM {db}.v"));
        }
        everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
    }
}

/// A column that is taken from elsewhere, and views that cannot be tried.
fn what_is_not_sure_is_said(cluster: &Running) {
    let db = "view_trials_unsure";
    let tool = Tool::new(cluster);
    let taken = if cluster.replicates() {
        "the view view_trials_unsure.v speaks of zz already"
    } else {
        "the view view_trials_unsure.v would take column zz from view_trials_unsure.l, not from view_trials_unsure.u"
    };
    for (make, words) in [
        ("CREATE VIEW DB.v AS SELECT l.id AS id, zz FROM DB.l AS l ALL LEFT JOIN DB.u AS u USING id", taken),
        (
            "CREATE VIEW DB.v AS SELECT count() AS c FROM cluster('main', 'DB', 'l')",
            "the view view_trials_unsure.v was not tried",
        ),
        // It fails already.
        (
            "CREATE VIEW DB.v AS SELECT id FROM DB.l WHERE throwIf(id = 0) = 0",
            "the view view_trials_unsure.v was not tried",
        ),
    ] {
        set_up(cluster, db);
        everywhere(cluster, &[&sql(make, db)]);
        tool.plan(&format!("ALTER TABLE {db}.l ADD COLUMN zz String"));
        assert!(found(&tool).contains(&format!("SW086: {words}")), "{make}: {}", found(&tool));
        everywhere(cluster, &[&format!("DROP DATABASE {db}")]);
    }
}

/// Codes and texts of a plan's findings.
fn found(tool: &Tool) -> String {
    let plan = tool.plan_json();
    let findings = plan["findings"].as_array().expect("findings").clone();
    let line = |finding: serde_json::Value| {
        format!("{}: {}\n", finding["code"].as_str().unwrap_or_default(), finding["what"].as_str().unwrap_or_default())
    };
    findings.into_iter().map(line).collect()
}
