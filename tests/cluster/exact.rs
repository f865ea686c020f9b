//! Exact under live writes: key changes while writers insert all the time, and not a row is lost, doubled or altered.
//!
//! Each run has a number, from which everything else follows that is not up to the machine. `SHARDWRIGHT_RUNS=50` does the runs 1
//! to 50 at each end, `SHARDWRIGHT_RUNS=17-20` some of them.

use std::cell::Cell;
use std::time::Duration;

use crate::dice::Dice;
use crate::harness::{End, Running};
use crate::load::Load;
use crate::load::book::Book;
use crate::load::check::{Found, check};
use crate::load::figures::Figures;
use crate::load::schema::{BY_MONTH, Schema};
use crate::load::{Harvest, Spec, set_up};
use crate::tool::{PLAN, Tool};
use crate::world::everywhere;

/// Runs at each end when nobody says otherwise: both engines at each, every ending at one of them. A run takes most of a minute on two
/// cores.
const OLD_RUNS: [u64; 3] = [1, 2, 3];
const NEW_RUNS: [u64; 4] = [1, 3, 4, 5];
/// Runs after which rows are tampered with, one of each engine, so that the check is seen to find what it must.
const TAMPERED: [u64; 2] = [1, 3];
/// How long writers go on before the plan, after the swap, and at the end.
const BEFORE: Duration = Duration::from_millis(1_500);
const SOAK: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_millis(500);
/// Phases in which names are swapped.
const SWAPPING: [&str; 2] = ["cutover", "rollback"];
/// Times that a run is carried on after the comparison has found what was changed meanwhile.
const CARRIED_ON_MAX: u32 = 3;
/// The program's exit codes.
const DONE: i32 = 0;
const WAITING: i32 = 4;
const VERIFICATION_FAILED: i32 = 6;

/// Sorting keys, before and after. Where rows of equal keys become one, both must tell the same rows apart.
const KEYS: [[&str; 2]; 4] = [
    ["at, id, tenant", "tenant, at, id"],
    ["tenant, id", "id, at"],
    ["id", "kind, tenant, id"],
    ["kind, at", "at, tenant"],
];
const REPLACING_KEYS: [[&str; 2]; 2] = [["at, id, tenant", "tenant, at, id"], ["id, kind", "kind, id"]];

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Finalize,
    RollBackBefore,
    RollBackAfter,
}

/// One run, as its number has it.
struct Run {
    number: u64,
    schema: Schema,
    key: &'static str,
    ending: Ending,
    spec: Spec,
    /// Rows of which the program has said that views may have missed them: they came in the instant of a swap.
    unseen: Cell<u64>,
}

impl Run {
    fn new(end: End, number: u64) -> Self {
        let mut dice = Dice::seeded(number);
        let replacing = number % 4 == 3;
        let [before, after] = *if replacing { dice.pick(&REPLACING_KEYS) } else { dice.pick(&KEYS) };
        let ending = match number % 6 {
            2 => Ending::RollBackBefore,
            5 => Ending::RollBackAfter,
            _ => Ending::Finalize,
        };
        let database = format!("exact_{number}");
        let schema = Schema { database, end, replacing, key: before, partition: BY_MONTH };
        let spec = Spec { changes: number % 5 == 4, ..Spec::new(end, number) };
        Self { number, schema, key: after, ending, spec, unseen: Cell::default() }
    }

    /// Carries the run through and tells what it came to.
    fn carry_out(&self, cluster: &Running) -> Told {
        let mut book = set_up(cluster, &self.schema, &self.spec);
        let tool = Tool::new(cluster);
        let load = Load::start(cluster, &self.schema, &self.spec);
        load.allow_changes();
        std::thread::sleep(BEFORE);
        load.stop_changes();
        let mut faults = Vec::new();
        if let Err(fault) = self.story(&tool, &load) {
            faults.push(fault);
            load.phase("back");
            load.stop_changes();
            _ = tool.run(&["rollback", PLAN]);
        }
        load.phase("after");
        std::thread::sleep(AFTER);
        let harvest = load.stop();
        book.extend(harvest.book.clone());
        let found = check(cluster, &self.schema, &book);
        let is_told = found.downstream.doubled == 0 && found.downstream.lost <= self.unseen.get();
        faults.extend(found.faults.iter().filter(|fault| !(is_told && fault.starts_with("downstream: "))).cloned());
        faults.extend(self.met(&harvest));
        if faults.is_empty() {
            if TAMPERED.contains(&self.number) {
                tamper(cluster, &self.schema, &book);
            }
            everywhere(cluster, &[&format!("DROP DATABASE {}", self.schema.database)]);
        }
        Told { row: self.row(&harvest, &found), texts: texts(&harvest), faults }
    }

    /// Plan, execute, cut over, finalize or roll back, with the load all the while.
    fn story(&self, tool: &Tool, load: &Load) -> Result<(), String> {
        load.phase("plan");
        let alter = format!("ALTER TABLE {}.t MODIFY ORDER BY ({})", self.schema.database, self.key);
        self.step(tool, DONE, &["plan", "--sql", &alter])?;
        load.phase("copy");
        self.step(tool, DONE, &["approve", PLAN, "--gate", "start"])?;
        self.copy(tool, load)?;
        if self.ending == Ending::RollBackBefore {
            load.phase("rollback");
            return self.step(tool, DONE, &["rollback", PLAN]);
        }
        load.phase("cutover");
        self.step(tool, DONE, &["approve", PLAN, "--gate", "cutover"])?;
        self.step(tool, WAITING, &["execute", PLAN])?;
        load.phase("soak");
        std::thread::sleep(SOAK);
        if self.ending == Ending::RollBackAfter {
            load.phase("rollback");
            return self.step(tool, DONE, &["rollback", PLAN]);
        }
        load.phase("finalize");
        self.step(tool, DONE, &["approve", PLAN, "--gate", "finalize"])?;
        self.step(tool, DONE, &["finalize", PLAN])
    }

    /// Up to the gate of the cutover. Where rows are changed meanwhile the comparison may find so; then it goes on without.
    fn copy(&self, tool: &Tool, load: &Load) -> Result<(), String> {
        let execute = ["execute", PLAN];
        if !self.spec.changes {
            return self.step(tool, WAITING, &execute);
        }
        let started = tool.start(&execute);
        load.allow_changes();
        let mut ran = started.end();
        load.stop_changes();
        for _ in 0..CARRIED_ON_MAX {
            if ran.code != Some(VERIFICATION_FAILED) {
                break;
            }
            ran = tool.run(&execute);
        }
        self.expect(WAITING, &ran)
    }

    fn step(&self, tool: &Tool, code: i32, args: &[&str]) -> Result<(), String> {
        self.expect(code, &tool.run(args))
    }

    fn expect(&self, code: i32, ran: &crate::tool::Ran) -> Result<(), String> {
        // How hard the boundary was to draw, what took its time, and what met no view.
        let is_told =
            |line: &&str| ["attempt", "no view", MISSED].iter().any(|said| line.contains(said)) || is_slow(line);
        for line in ran.stderr.lines().filter(is_told) {
            println!("    {line}");
        }
        self.unseen.set(self.unseen.get() + missed(&ran.stderr));
        // A boundary that cannot be drawn waits for a person too, but not at a gate.
        let fenced = code == WAITING && ran.stderr.contains("error:");
        if ran.code == Some(code) && !fenced { Ok(()) } else { Err(format!("not exit code {code} at a gate: {ran}")) }
    }

    /// What readers and writers must not meet. Old servers have a moment without the table at each swap. An insert that the swap overtakes
    /// is acknowledged, and not seen until its rows are brought over.
    fn met(&self, harvest: &Harvest) -> Vec<String> {
        let sum = |of: fn(&Figures) -> u64| harvest.phases.iter().map(|(_, figures)| of(figures)).sum::<u64>();
        let unswapped = harvest.phases.iter().filter(|(name, _)| !SWAPPING.contains(name));
        let unsettled = unswapped.map(|(_, figures)| figures.unsettled).sum::<u64>();
        let mut faults = Vec::new();
        let mut none = |what: &str, count: u64| faults.extend((count > 0).then(|| format!("{count} {what}")));
        none("wrong counts", sum(|figures| figures.wrong));
        if self.schema.end == End::New {
            none("answers without rows just acknowledged", unsettled);
            none("reads failed", sum(|figures| figures.read_errors));
            none("inserts failed", sum(|figures| figures.write_errors));
        }
        faults
    }

    fn row(&self, harvest: &Harvest, found: &Found) -> String {
        let Self { number, schema, ending, spec, .. } = self;
        let all = harvest.phases.iter().map(|(_, figures)| figures);
        let seconds: f64 = all.clone().map(|figures| figures.took.as_secs_f64()).sum();
        let inserts: u64 = all.clone().map(|figures| figures.inserts).sum();
        let longest = all.clone().map(|figures| figures.longest_write).max().unwrap_or_default();
        let sum = |of: fn(&Figures) -> u64| all.clone().map(of).sum::<u64>();
        let phases: Vec<String> = harvest
            .phases
            .iter()
            .map(|(name, figures)| {
                format!("{name} {:.1}/{}", figures.took.as_secs_f64(), figures.longest_write.as_millis())
            })
            .collect();
        let ending = format!("{ending:?}{}", if spec.changes { " changes" } else { "" });
        format!(
            "| {number} | {:?} | {} | {ending} | {} | {:.0} | {} | {} | {} | {} | {}+{} | {} | {} | {} | {} | {} | {} | {} |",
            schema.end,
            schema.engine(),
            found.ledger.acknowledged,
            inserts as f64 / seconds,
            found.ledger.lost,
            found.ledger.doubled,
            found.altered,
            found.ledger.unknown,
            found.downstream.lost,
            found.downstream.doubled,
            sum(|figures| figures.write_errors),
            longest.as_millis(),
            sum(|figures| figures.reads),
            sum(|figures| figures.read_errors),
            sum(|figures| figures.wrong),
            sum(|figures| figures.unsettled),
            phases.join(", "),
        )
    }
}

const HEAD: &str = "| run | end | engine | ending | rows acknowledged | inserts/s | lost | doubled | altered | unknown | downstream lost+doubled \
                    | write errors | longest write, ms | reads | read errors | wrong counts | unsettled | phase s/longest write ms |";

/// What a run came to.
struct Told {
    row: String,
    texts: Vec<String>,
    faults: Vec<String>,
}

fn texts(harvest: &Harvest) -> Vec<String> {
    harvest.texts.iter().map(|(text, count)| format!("{count} x {text}")).collect()
}

/// What the program says of rows in the new table alone whose parts hold other rows too.
const MISSED: &str = " of them were in the new table alone";

/// How many rows it says that of.
fn missed(stderr: &str) -> u64 {
    let before = stderr.split(MISSED).map(|text| text.rsplit(' ').next().unwrap_or_default());
    let told = stderr.matches(MISSED).count();
    before.take(told).filter_map(|number| number.parse::<u64>().ok()).sum()
}

#[test]
fn what_views_may_have_missed_is_read() {
    let said = "x (1 s)\n verify; 2 of them had met no view; 31 of them were in the new table alone, merged\n 4 of them were in the new table alone";
    assert_eq!((missed(said), missed("7 of them had met no view")), (35, 0));
}

/// Whether a line ends with the time that a step took, of ten seconds or more.
fn is_slow(line: &str) -> bool {
    let seconds = line.rsplit_once('(').and_then(|(_, end)| end.strip_suffix(" s)")?.parse::<f64>().ok());
    seconds.is_some_and(|seconds| seconds >= 10.0)
}

/// The numbers of the runs to do: `50` for the first fifty, `17-20`, or as many as are done when nobody says otherwise.
#[track_caller]
fn numbers(end: End) -> Vec<u64> {
    let Ok(said) = std::env::var("SHARDWRIGHT_RUNS") else {
        return match end {
            End::Old => OLD_RUNS.to_vec(),
            End::New => NEW_RUNS.to_vec(),
        };
    };
    let (first, last) = said.split_once('-').unwrap_or(("1", &said));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("SHARDWRIGHT_RUNS={said}: neither 50 nor 17-20"));
    (number(first)..=number(last)).collect()
}

/// All runs at one end; the table of them, and a failure if there is any fault.
#[track_caller]
fn carry_out_all(end: End, cluster: &Running) {
    let mut rows = vec![HEAD.to_owned()];
    let mut faults = Vec::new();
    for number in numbers(end) {
        println!("SHARDWRIGHT_RUNS={number}-{number}");
        let told = Run::new(end, number).carry_out(cluster);
        println!("{HEAD}\n{}\n{}\n{}", told.row, told.texts.join("\n"), told.faults.join("\n"));
        rows.push(told.row);
        faults.extend(told.faults.into_iter().map(|fault| format!("SHARDWRIGHT_RUNS={number}-{number}: {fault}")));
    }
    println!("{}", rows.join("\n"));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn exact_on_old_servers() {
    carry_out_all(End::Old, &End::Old.shared());
}

#[test]
fn exact_on_new_servers() {
    carry_out_all(End::New, &End::New.shared());
}

/// One row deleted, one doubled, one altered, one object left: a check that was content must name each.
#[track_caller]
fn tamper(cluster: &Running, schema: &Schema, book: &Book) {
    let database = &schema.database;
    let on = cluster.ids()[0];
    let sure = book.table.spans().into_iter().find(|span| span.least == 1 && span.most == 1 && span.count > 4);
    let first = sure.expect("rows that are there").first & !1;
    let [deleted, doubled, altered] = [first + 2, first + 4, first + 6];
    let columns = "id, version, at, tenant, kind, amount, tags, note";
    let mutations = match schema.end {
        End::Old => "",
        End::New => " SETTINGS mutations_sync = 2",
    };
    cluster.query(on, &format!("ALTER TABLE {database}.t DELETE WHERE id = {deleted}{mutations}"));
    cluster.query(on, &format!("ALTER TABLE {database}.t UPDATE note = 'x' WHERE id = {altered}{mutations}"));
    for replica in cluster.ids().into_iter().filter(|id| id.shard == 1) {
        cluster.eventually(
            replica,
            &format!("SELECT count() FROM {database}.t WHERE id = {altered} AND note = 'x'"),
            "1",
        );
    }
    cluster.query(
        on,
        &format!("INSERT INTO {database}.t ({columns}) SELECT {columns} FROM {database}.t WHERE id = {doubled}"),
    );
    cluster.query(on, &format!("CREATE TABLE {database}.t__sw_left (a UInt8) ENGINE = Memory"));
    let found = check(cluster, schema, book);
    // A table that keeps one of equal rows shows no doubled one; the downstream view does.
    let doubled_here = u64::from(!schema.replacing);
    assert_eq!((found.ledger.lost, found.ledger.doubled), (1, doubled_here), "{found:#?}");
    assert_eq!((found.downstream.lost, found.downstream.doubled), (0, 1), "{found:#?}");
    assert_eq!(found.altered, if schema.end == End::Old { 2 } else { 1 }, "on each replica: {found:#?}");
    assert!(found.faults.iter().any(|fault| fault.contains("t__sw_left")), "{found:#?}");
    assert!(found.faults.iter().any(|fault| fault.contains(&format!("row {deleted}: 0 in place of 1"))), "{found:#?}");
}

/// Readers see a base row that goes while they look.
#[track_caller]
fn readers_see(end: End, cluster: &Running) {
    let database = "control_readers".to_owned();
    let schema = Schema { database: database.clone(), end, replacing: false, key: "at, id", partition: BY_MONTH };
    let spec = Spec { writers: 2, crowd: 0, ..Spec::new(end, 8) };
    _ = set_up(cluster, &schema, &spec);
    let load = Load::start(cluster, &schema, &spec);
    load.wait_for_inserts(20);
    load.phase("tampered");
    cluster.query(cluster.ids()[0], &format!("ALTER TABLE {database}.t DELETE WHERE id = 102"));
    // An old server mutates when it finds nothing to merge, in its own time.
    load.wait_for_wrong_counts();
    load.phase("gone");
    everywhere(cluster, &[&format!("RENAME TABLE {database}.t TO {database}.gone")]);
    std::thread::sleep(Duration::from_secs(1));
    everywhere(cluster, &[&format!("RENAME TABLE {database}.gone TO {database}.t")]);
    let harvest = load.stop();
    println!("{:?}\n{}", harvest.phases, texts(&harvest).join("\n"));
    let [before, tampered, gone] = [0, 1, 2].map(|phase: usize| harvest.phases[phase].1.clone());
    assert_eq!((before.wrong, before.read_errors, before.write_errors), (0, 0, 0));
    // A read that began in this phase may meet the next one: errors say nothing here.
    assert!(tampered.wrong > 0, "{tampered:?}");
    assert!(gone.read_errors > 0 && gone.write_errors > 0, "{gone:?}");
    everywhere(cluster, &[&format!("DROP DATABASE {database}")]);
}

#[test]
fn readers_notice_a_row_that_goes_on_old_servers() {
    readers_see(End::Old, &End::Old.shared());
}

#[test]
fn readers_notice_a_row_that_goes_on_new_servers() {
    readers_see(End::New, &End::New.shared());
}
