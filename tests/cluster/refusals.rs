//! What is refused: with which exit code, in which words, and without a trace on the cluster or in the directory.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use shardwright::names::ReplicaId;
use shardwright::sandbox::Member;

use crate::harness::{Running, block_on, on_both_ends, single};
use crate::tool::{PLAN, Ran, Started, Tool};
use crate::world::{ask_all, assert_nothing_left, databases, definitions, engine, everywhere, firsts, prepare, sync};

type Definitions = BTreeMap<ReplicaId, String>;

/// A database with tables, and the program in a directory of its own.
struct Scene<'a> {
    cluster: &'a Running,
    database: &'static str,
    tool: Tool,
}

impl<'a> Scene<'a> {
    /// A healthy table `t`, with rows.
    #[track_caller]
    fn new(cluster: &'a Running, database: &'static str) -> Self {
        let engine = engine(cluster.replicates(), "MergeTree", database, "t", "");
        let table = format!(
            "CREATE TABLE {database}.t (a UInt64, b String, n Nullable(UInt8)) ENGINE = {engine} \
             PARTITION BY a % 2 ORDER BY (a, b)"
        );
        prepare(cluster, database, &[&table]);
        for first in firsts(cluster) {
            cluster.query(first, &format!("INSERT INTO {database}.t SELECT number, 'x', 1 FROM numbers(100)"));
        }
        sync(cluster, &[&format!("{database}.t")]);
        Self { cluster, database, tool: Tool::new(cluster) }
    }

    #[track_caller]
    fn plan(&self) {
        self.tool.plan(&format!("ALTER TABLE {}.t MODIFY ORDER BY (b, a)", self.database));
    }

    /// A command is refused with this exit code; what it says contains all of these; nothing has changed anywhere.
    #[track_caller]
    fn refused(&self, code: i32, args: &[&str], says: &[&str]) -> Ran {
        self.unchanged(|| {
            let ran = self.tool.expect(code, args);
            said(&ran, says);
            ran
        })
    }

    /// A statement is refused by `plan`.
    #[track_caller]
    fn not_planned(&self, code: i32, sql: &str, says: &[&str]) -> Ran {
        self.refused(code, &["plan", "--sql", sql], says)
    }

    /// Nothing on the cluster and no file differs afterwards.
    #[track_caller]
    fn unchanged(&self, act: impl FnOnce() -> Ran) -> Ran {
        let world = || -> (Definitions, Definitions, BTreeMap<String, Vec<u8>>) {
            (definitions(self.cluster, self.database), databases(self.cluster), files(&self.tool))
        };
        let before = world();
        let ran = act();
        let after = world();
        assert_eq!((&after.0, &after.1), (&before.0, &before.1), "{ran}");
        assert!(after.2 == before.2, "files differ, now {:?}: {ran}", after.2.keys());
        ran
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            everywhere(self.cluster, &[&format!("DROP DATABASE {}", self.database)]);
        }
    }
}

#[track_caller]
fn said(ran: &Ran, says: &[&str]) {
    for text in says {
        assert!(ran.stderr.contains(text) || ran.stdout.contains(text), "{text:?} is not said: {ran}");
    }
}

fn files(tool: &Tool) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(tool.dir()).expect("the tool's directory");
    let file = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file that can be read"))
    };
    entries.map(|entry| file(entry.expect("a directory entry"))).collect()
}

on_both_ends! {
    shared: statements_that_cannot_be_read_or_do_not_fit,
        tables_that_are_not_as_they_must_be,
        plans_that_no_longer_fit,
        configs_that_lead_nowhere,
        a_disk_that_is_full,
        a_disk_that_fills_up_half_way,
        a_second_executor_while_the_first_is_at_work,
        steps_out_of_their_order;
    alone: a_replica_that_is_down;
}

fn statements_that_cannot_be_read_or_do_not_fit(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_sql");
    // The place is marked: the line of the statement, and something below it.
    let marked =
        scene.not_planned(1, "ALTER TABLE refused_sql.t MODIFY ORDER BY (b, , a", &["MODIFY ORDER BY (b, , a", "╰"]);
    assert!(marked.stderr.contains("error:"), "{marked}");
    for unreadable in [
        "",
        "ALTER TABLE refused_sql.t",
        "ALTER TABLE refused_sql.t DROP PARTITION 1",
        "SELECT 1",
        "ALTER TABLE refused_sql.t MODIFY ORDER BY 'x",
        "🦀",
    ] {
        scene.not_planned(1, unreadable, &["error:"]);
    }
    scene.not_planned(
        1,
        "ALTER TABLE refused_sql.tt MODIFY ORDER BY a",
        &["refused_sql.tt", "main", "there is", "refused_sql.t"],
    );
    scene.not_planned(1, "ALTER TABLE nowhere.t MODIFY ORDER BY a", &["nowhere.t"]);
    scene.not_planned(1, "ALTER TABLE refused_sql.t ON CLUSTER other MODIFY ORDER BY a", &["ON CLUSTER other", "main"]);
    // What the server does not accept, in its own words.
    for (key, says) in [
        ("nosuch", "nosuch"),
        ("(b, n)", "nullable"),
        ("(b, plus(a, b))", "plus"),
        ("(b, nofunction(a))", "nofunction"),
    ] {
        let sql = format!("ALTER TABLE refused_sql.t MODIFY ORDER BY {key}");
        let ran = scene.unchanged(|| scene.tool.expect(1, &["plan", "--sql", &sql]));
        assert!(ran.stderr.to_lowercase().contains(says), "{says:?} is not said: {ran}");
        said(&ran, &["refused_sql.t", "s1r1"]);
    }
    // The old end would take it, so that we refuse it.
    let (code, by) = if cluster.replicates() { (3, "SW022") } else { (1, "deterministic") };
    let says = [by, "refused_sql.t", "rand()"];
    scene.not_planned(code, "ALTER TABLE refused_sql.t MODIFY ORDER BY (b, rand())", &says);
    scene.refused(1, &["plan", "--file", "missing.sql"], &["missing.sql"]);
    scene.refused(64, &["plan"], &["--sql"]);
    scene.refused(64, &["plan", "--sql", "SELECT 1", "--no-such-flag"], &["--no-such-flag"]);
    scene.refused(1, &["show", "missing.json"], &["missing.json"]);
    scene.refused(1, &["execute", "missing.json"], &["missing.json"]);
}

fn tables_that_are_not_as_they_must_be(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_tables");
    everywhere(
        cluster,
        &[
            "CREATE TABLE refused_tables.alone (a UInt64, b String) ENGINE = MergeTree ORDER BY a",
            "CREATE TABLE refused_tables.log (a UInt64, b String) ENGINE = Log",
            "CREATE VIEW refused_tables.v AS SELECT a FROM refused_tables.t",
        ],
    );
    if cluster.replicates() {
        let says = ["SW004", "refused_tables.alone", "shard 1"];
        scene.not_planned(3, "ALTER TABLE refused_tables.alone MODIFY ORDER BY b", &says);
    }
    scene.not_planned(1, "ALTER TABLE refused_tables.log MODIFY ORDER BY b", &["refused_tables.log", "Log"]);
    scene.not_planned(1, "ALTER TABLE refused_tables.v MODIFY ORDER BY b", &["refused_tables.v", "View"]);

    // The last replica without the table, then with another definition; where there are more, one more of its shard with it.
    let ids = cluster.ids();
    let (last, odd) = (ids[ids.len() - 1], ids[ids.len() - 2]);
    let create = |id: ReplicaId, columns: &str| {
        let engine = engine(cluster.replicates(), "MergeTree", "refused_tables", "odd", "");
        cluster.query(id, &format!("CREATE TABLE refused_tables.odd ({columns}) ENGINE = {engine} ORDER BY a"));
    };
    for id in cluster.ids().into_iter().filter(|id| id.shard == 1) {
        create(id, "a UInt64, b String");
    }
    let sql = "ALTER TABLE refused_tables.odd MODIFY ORDER BY (b, a)";
    let mut differ = vec![last.to_string()];
    if odd.shard == last.shard {
        create(odd, "a UInt64, b String DEFAULT 'x'");
        differ.push(odd.to_string());
    }
    let missing = scene.not_planned(3, sql, &["SW002", "refused_tables.odd"]);
    said(&missing, &differ.iter().map(String::as_str).collect::<Vec<_>>());
    create(last, "a UInt64, b String DEFAULT 'x'");
    scene.not_planned(3, sql, &["SW002", "refused_tables.odd", "s2r"]);

    // Something of an earlier plan.
    cluster.query(odd, "CREATE TABLE refused_tables.t__sw_staging (a UInt8) ENGINE = Log");
    let says = ["SW003", "t__sw_staging", &odd.to_string()];
    scene.not_planned(3, "ALTER TABLE refused_tables.t MODIFY ORDER BY (b, a)", &says);
    // A blocker that cannot be accepted away.
    scene.refused(
        64,
        &["plan", "--sql", "ALTER TABLE refused_tables.t MODIFY ORDER BY (b, a)", "--accept", "SW003=never mind"],
        &["SW003", "cannot be accepted"],
    );
}

fn a_replica_that_is_down(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_down");
    scene.plan();
    scene.tool.approve(&["start", "cutover", "finalize"]);
    let down = cluster.ids()[cluster.ids().len() - 1];
    let says = format!("{down} (127.0.0.1:");
    let before = definitions(cluster, scene.database);
    block_on(cluster.stop(Member::Replica(down))).unwrap();
    let files_before = files(&scene.tool);
    let planned =
        scene.tool.run(&["plan", "--sql", "ALTER TABLE refused_down.t MODIFY ORDER BY (b, a)", "-o", "another.json"]);
    assert_eq!(planned.code, Some(3), "{planned}");
    said(&planned, &["SW001", &says]);
    assert!(files(&scene.tool) == files_before, "no plan is written");
    let executed = scene.tool.run(&["execute", PLAN]);
    assert_eq!(executed.code, Some(1), "{executed}");
    said(&executed, &[&says]);
    block_on(cluster.start(Member::Replica(down))).unwrap();
    assert_eq!(definitions(cluster, scene.database), before, "nothing was done on the others");
    assert_nothing_left(cluster, scene.database);
    scene.tool.expect(0, &["execute", PLAN]);
    assert_nothing_left(cluster, scene.database);
}

fn plans_that_no_longer_fit(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_plans");
    scene.plan();
    scene.tool.approve(&["start", "cutover", "finalize"]);
    // Another cluster.
    let config = fs::read_to_string(single().config_path()).unwrap();
    let elsewhere = Tool::new(cluster).with_config(&config);
    fs::copy(scene.tool.dir().join(PLAN), elsewhere.dir().join(PLAN)).unwrap();
    let other = scene.unchanged(|| elsewhere.expect(5, &["execute", PLAN, "--auto-approve", "reversible"]));
    said(&other, &["the plan was made for cluster main", &format!("{}=", cluster.ids()[1])]);

    // Edited: one word, or a step taken out.
    let path = scene.tool.dir().join(PLAN);
    let plan = fs::read_to_string(&path).unwrap();
    let journal = scene.tool.dir().join(format!("{PLAN}.journal.jsonl"));
    fs::write(&path, plan.replacen("ORDER BY (b, a)", "ORDER BY (b)", 1)).unwrap();
    for command in ["execute", "status", "verify", "rollback", "finalize", "show"] {
        scene.refused(5, &[command, PLAN], &["edited", PLAN]);
    }
    for broken in ["", "{}", "[]", "null", "{\"format_version\": 99}", &plan[..plan.len() / 2]] {
        fs::write(&path, broken).unwrap();
        scene.refused(1, &["execute", PLAN], &[PLAN]);
    }
    fs::write(&path, &plan).unwrap();

    // A damaged journal.
    let records = fs::read(&journal).unwrap();
    fs::write(&journal, [b"nonsense\n".as_slice(), &records].concat()).unwrap();
    scene.refused(1, &["execute", PLAN], &["line 1", "journal"]);
    fs::write(&journal, &records).unwrap();
    scene.refused(64, &["execute", PLAN, "--until", "no.such.step"], &["no.such.step"]);

    // Stale: a column more.
    for first in firsts(cluster) {
        cluster.query(first, "ALTER TABLE refused_plans.t ADD COLUMN more UInt8");
    }
    sync(cluster, &["refused_plans.t"]);
    let before = definitions(cluster, scene.database);
    let stale = scene.tool.expect(5, &["execute", PLAN]);
    said(&stale, &["refused_plans.t", "s1r1"]);
    assert_eq!(definitions(cluster, scene.database), before);
    assert_eq!(scene.tool.state(), "failed");
    assert_nothing_left(cluster, scene.database);
}

fn configs_that_lead_nowhere(cluster: &Running) {
    let mut scene = Scene::new(cluster, "refused_config");
    let good = fs::read_to_string(cluster.config_path()).unwrap();
    let sql = "ALTER TABLE refused_config.t MODIFY ORDER BY (b, a)";
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        good.replacen(from, to, 1)
    };
    for (config, says) in [
        (changed("cluster = \"main\"", "cluster = \"nosuch\""), "nosuch"),
        (changed("user = \"default\"", "user = \"nobody\""), "nobody"),
        (
            changed("user = \"default\"", "user = \"default\"\npassword_env = \"SHARDWRIGHT_TEST_WRONG\""),
            "SHARDWRIGHT_TEST_WRONG",
        ),
        (changed("user = \"default\"", "user = \"default\"\npassword_file = \"wrong.txt\""), "default"),
        (changed("user = \"default\"", "user = \"default\"\npassword = \"hush-hush\""), "password"),
        (changed("user = \"default\"", "usr = \"default\""), "usr"),
        ("cluster = \"main\"\nendpoints = [\"http://127.0.0.1:1\"]\nuser = \"default\"\n".to_owned(), "127.0.0.1:1"),
        ("cluster = ".to_owned(), "line 1"),
    ] {
        scene.tool = Tool::new(cluster).with_config(&config);
        fs::write(scene.tool.dir().join("wrong.txt"), "not-the-password\n").unwrap();
        let ran = scene.refused(1, &["plan", "--sql", sql], &[says]);
        for secret in ["hush-hush", "not-the-password"] {
            assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "a password is repeated: {ran}");
        }
    }
    scene.refused(1, &["--config", "missing.toml", "plan", "--sql", sql], &["missing.toml", "--config"]);
}

#[test]
fn a_user_with_a_password() {
    let cluster = single();
    let mut scene = Scene::new(cluster, "refused_password");
    let good = fs::read_to_string(cluster.config_path()).unwrap();
    let guarded = "user = \"guarded\"\npassword_file = \"secret.txt\"";
    let config = good.replacen("user = \"default\"", guarded, 1);
    let sql = "ALTER TABLE refused_password.t MODIFY ORDER BY (b, a)";
    for wrong in ["open says me", ""] {
        scene.tool = Tool::new(cluster).with_config(&config);
        fs::write(scene.tool.dir().join("secret.txt"), format!("{wrong}\n")).unwrap();
        let ran = scene.refused(1, &["plan", "--sql", sql], &["error:"]);
        assert!(!ran.stderr.contains("open says me"), "a password is repeated: {ran}");
    }
    fs::write(scene.tool.dir().join("secret.txt"), "open sesame\n").unwrap();
    scene.tool.plan(sql);
    scene.tool.approve(&["start", "cutover", "finalize"]);
    let done = scene.tool.expect(0, &["execute", PLAN]);
    let written = files(&scene.tool).into_iter().filter(|(name, _)| name != "secret.txt");
    for text in written.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).chain([done.stdout, done.stderr]) {
        assert!(!text.contains("open sesame"), "the password is written down: {text}");
    }
}

/// The program under a limit for the size of files; writing beyond it fails as on a full disk.
fn on_a_full_disk(tool: &Tool, blocks_of_1024: u32, args: &[&str]) -> Ran {
    let program = tool.command(args);
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks_of_1024}; exec \"$0\" \"$@\""));
    command.arg(program.get_program()).args(program.get_args()).current_dir(tool.dir()).stdin(Stdio::null());
    command.envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
    Started::new(command, args).end()
}

fn a_disk_that_is_full(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_disk");
    let sql = "ALTER TABLE refused_disk.t MODIFY ORDER BY (b, a)";
    // The new plan does not fit: none is written, and an earlier one stays.
    for _ in 0..2 {
        let ran = scene.unchanged(|| on_a_full_disk(&scene.tool, 16, &["plan", "--sql", sql]));
        assert_eq!(ran.code, Some(1), "{ran}");
        said(&ran, &["cannot write plan.json"]);
        scene.plan();
    }
    // The journal has reached the limit already, so that the next record does not fit.
    let long = "x".repeat(2000);
    scene.tool.expect(0, &["approve", PLAN, "--gate", "start", "--note", &long]);
    scene.tool.approve(&["cutover", "finalize"]);
    let before = definitions(cluster, scene.database);
    let ran = on_a_full_disk(&scene.tool, 2, &["execute", PLAN]);
    assert_eq!(ran.code, Some(1), "{ran}");
    said(&ran, &["cannot write the journal", PLAN]);
    assert_eq!(definitions(cluster, scene.database), before);
    assert_nothing_left(cluster, scene.database);
    // With room again it goes on.
    scene.tool.expect(0, &["execute", PLAN]);
    assert_eq!(scene.tool.state(), "finalized");
}

/// Times that a run is given more room for its files: to half a megabyte.
const MORE_ROOM_MAX: usize = 20;

fn a_disk_that_fills_up_half_way(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_disk_later");
    scene.plan();
    scene.tool.approve(&["start", "cutover", "finalize"]);
    let mut codes = Vec::new();
    // Each time a little further.
    for kilobytes in std::iter::successors(Some(1), |last| Some(last + last / 3 + 1)).take(MORE_ROOM_MAX) {
        let ran = on_a_full_disk(&scene.tool, kilobytes, &["execute", PLAN]);
        codes.push(ran.code);
        if ran.code == Some(0) {
            break;
        }
        assert!(matches!(ran.code, Some(1)), "{ran}");
        said(&ran, &["cannot write the journal"]);
    }
    assert!(codes.len() > 3 && codes.last() == Some(&Some(0)), "{codes:?}");
    assert_eq!(scene.tool.state(), "finalized");
    assert_nothing_left(cluster, scene.database);
    let rows = "SELECT count(), sum(a) FROM refused_disk_later.t";
    assert_eq!(ask_all(cluster, rows), "100\t4950");
}

fn a_second_executor_while_the_first_is_at_work(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_second");
    scene.plan();
    scene.tool.approve(&["start", "cutover", "finalize"]);
    let first = scene.tool.start(&["execute", PLAN]);
    for _ in 0..500 {
        if scene.tool.state() == "running" {
            break;
        }
    }
    first.signal(Signal::STOP);
    assert_eq!(scene.tool.state(), "running");
    let tables = ask_all(cluster, "SELECT count() >= 0 FROM system.tables WHERE database = 'refused_second'");
    assert_eq!(tables, "1");
    for args in [vec!["execute", PLAN], vec!["rollback", PLAN], vec!["approve", PLAN, "--gate", "cutover"]] {
        let ran = scene.tool.expect(7, &args);
        said(&ran, &["another run"]);
    }
    first.signal(Signal::CONT);
    let ran = first.end();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(scene.tool.state(), "finalized");
    assert_nothing_left(cluster, scene.database);
}

fn steps_out_of_their_order(cluster: &Running) {
    let scene = Scene::new(cluster, "refused_order");
    scene.plan();
    scene.refused(4, &["finalize", PLAN], &["not ready"]);
    scene.refused(1, &["verify", PLAN], &["nothing to compare"]);
    let ran = scene.tool.expect(4, &["execute", PLAN]);
    said(&ran, &["waiting for approval: gate start"]);
    scene.refused(64, &["approve", PLAN, "--gate", "launch"], &["launch", "start, cutover and finalize"]);
    scene.tool.approve(&["start"]);
    scene.tool.expect(4, &["execute", PLAN]);
    scene.not_planned(3, "ALTER TABLE refused_order.t MODIFY ORDER BY b", &["SW003", "refused_order.t__sw_shadow"]);
    scene.refused(4, &["finalize", PLAN], &["not ready", "cutover"]);
    scene.tool.approve(&["cutover", "finalize"]);
    scene.tool.expect(0, &["execute", PLAN]);
    scene.refused(1, &["rollback", PLAN], &["cannot be undone"]);
    scene.refused(1, &["verify", PLAN], &["nothing to compare"]);
}
