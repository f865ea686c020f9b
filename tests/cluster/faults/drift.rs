//! Somebody changes the source between two phases. The program notices and stops, or takes the change over; never is it lost
//! in silence.

use std::sync::atomic::Ordering;

use super::outages::{Met, Walk};
use super::site::Line;
use super::spots::{Way, phases};
use super::{RUNS_MAX, Row, Told};
use crate::harness::Running;
use crate::tool::{PLAN, Ran};
use crate::victim::Victim;
use crate::world::{ask_all, everywhere, firsts, left_over, sync};

const DATABASE: &str = "faults_drift";
const ROWS_A_SHARD: u32 = 20_000;
/// The exit code, and what is said, where rows were deleted or altered while names were swapped.
const VERIFICATION_FAILED: i32 = 6;
const NOTICED: &str = "rows were deleted or altered since";
/// The exit code where something is not as the plan needs it.
const DRIFT: i32 = 5;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drift {
    AddColumn,
    NewView,
    DropPartition,
    Mutation,
}

impl Drift {
    pub(super) const ALL: [(&'static str, Self); 4] = [
        ("add-column", Self::AddColumn),
        ("new-view", Self::NewView),
        ("drop-partition", Self::DropPartition),
        ("mutation", Self::Mutation),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, drift)| *drift == self).expect("all drifts have names").0
    }

    #[track_caller]
    fn happen(self, cluster: &Running) {
        self.happen_to(cluster, "t");
    }

    #[track_caller]
    fn happen_to(self, cluster: &Running, table: &str) {
        let wait = if cluster.replicates() { "" } else { " SETTINGS mutations_sync = 2" };
        let sql = match self {
            Self::AddColumn => format!("ALTER TABLE {DATABASE}.{table} ADD COLUMN extra UInt8 DEFAULT 7"),
            Self::NewView => {
                everywhere(
                    cluster,
                    &[
                        &format!("CREATE TABLE {DATABASE}.seen (a UInt64) ENGINE = MergeTree ORDER BY a"),
                        &format!(
                            "CREATE MATERIALIZED VIEW {DATABASE}.feed TO {DATABASE}.seen AS SELECT a FROM {DATABASE}.t"
                        ),
                    ],
                );
                return;
            }
            Self::DropPartition => format!("ALTER TABLE {DATABASE}.{table} DROP PARTITION 1"),
            Self::Mutation => format!("ALTER TABLE {DATABASE}.{table} UPDATE c = 'changed' WHERE a % 97 = 3{wait}"),
        };
        for on in firsts(cluster) {
            cluster.query(on, &sql);
        }
        sync(cluster, &[&format!("{DATABASE}.{table}")]);
        let unfinished = format!(
            "SELECT count() FROM system.mutations WHERE database = '{DATABASE}' AND table = '{table}' AND NOT is_done"
        );
        for on in cluster.ids() {
            cluster.eventually(on, &unfinished, "0");
        }
    }

    /// What must be there at the end beside the rows.
    fn is_there(self, cluster: &Running) -> Result<(), String> {
        let (sql, expected) = match self {
            Self::AddColumn => (
                format!(
                    "SELECT count() FROM system.columns WHERE database = '{DATABASE}' AND table = 't' AND name = 'extra'"
                ),
                "1",
            ),
            // An insert that came when all was over is seen once.
            Self::NewView => {
                for on in firsts(cluster) {
                    cluster.query(on, &format!("INSERT INTO {DATABASE}.t (a, b, c) VALUES (999999999, 1, '')"));
                }
                let sum = |on| cluster.query(on, &format!("SELECT count() FROM {DATABASE}.seen WHERE a = 999999999"));
                let all: Vec<String> = firsts(cluster).into_iter().map(sum).collect();
                return if all.iter().all(|count| count == "1") {
                    Ok(())
                } else {
                    Err(format!("the view saw {all:?}"))
                };
            }
            Self::DropPartition | Self::Mutation => return Ok(()),
        };
        let found = ask_all(cluster, &sql);
        if found == expected { Ok(()) } else { Err(format!("{found} and not {expected}: {sql}")) }
    }
}

/// A plan for each phase, into which somebody steps.
pub(super) fn meet(cluster: &Running, drift: Drift, way: Way) -> Told {
    let mut told = Told::default();
    let all = {
        let victim = Victim::of(cluster, DATABASE, 100);
        let line = Line::new(cluster);
        victim.plan(&line.tool);
        phases(&line.tool.plan_json(), way)
    };
    for (phase, _) in all {
        meet_in(cluster, drift, way, &phase, &mut told);
    }
    told
}

fn meet_in(cluster: &Running, drift: Drift, way: Way, phase: &str, told: &mut Told) {
    let mut victim = Victim::of(cluster, DATABASE, ROWS_A_SHARD);
    let line = Line::new(cluster);
    let key_before = victim.key();
    let key_after = victim.plan(&line.tool);
    line.tool.approve(&["start", "cutover", "finalize"]);
    if way == Way::Back {
        line.tool.expect(0, &["execute", PLAN, "--until", "finalize"]);
    }
    let mut walk = Walk::new(&line, way);
    let first = loop {
        match walk.next(&line) {
            Met::Phase(met, go) => {
                if met == phase {
                    drift.happen(cluster);
                    victim.rows = Victim::look(cluster, DATABASE);
                }
                go.store(true, Ordering::SeqCst);
            }
            Met::End(ran) => break ran,
        }
    };
    line.proxy.calm();
    println!("{} in {phase}: {first}", drift.name());
    let mut row = Row { codes: vec![first.code], ..Row::new(drift.name(), phase.to_owned()) };
    if is_noticed(&first) {
        // As the hint says.
        drift.happen_to(cluster, if first.stderr.contains(" of the old data") { "t" } else { "t__sw_shadow" });
    }
    if is_apart(&first) {
        drift.happen_to(cluster, "t__sw_shadow");
    }
    let (done, said) = end(&line, way, &first, &mut row);
    let expected = if done == "finalized" { key_after } else { &key_before };
    let mut faults = wrong(cluster, drift, &victim, expected);
    if !matches!(done.as_str(), "finalized" | "rolled back") {
        faults.push(format!("the plan ends as {done}: {said}"));
    }
    row.outcome = match (first.code, faults.is_empty()) {
        (_, false) => format!("FAULTS, {done}"),
        (Some(0), _) => format!("taken over, {done}"),
        _ if is_apart(&first) => format!("stopped, the other table got the column too, {done}"),
        _ if is_noticed(&first) => format!("noticed, done to the other table too, {done}"),
        _ => format!("stopped, {done}: {}", reason(&first)),
    };
    told.faults.extend(faults.into_iter().map(|fault| format!("{phase}: {fault}\n{first}")));
    told.rows.push(row);
}

/// Brings a plan that stopped to an end: back if it can go back, or else on. Gives its state.
fn end(line: &Line, way: Way, first: &Ran, row: &mut Row) -> (String, String) {
    let mut last = String::new();
    if first.code != Some(0) {
        let execute = ["execute", PLAN];
        let tries: &[[&str; 2]] = if is_noticed(first) { &[execute] } else { &[["rollback", PLAN], execute, execute] };
        for args in tries.iter().take(RUNS_MAX) {
            let ran = line.tool.run(args);
            row.codes.push(ran.code);
            row.runs += 1;
            last = format!("{last}\n{ran}");
            if ran.code == Some(0) {
                break;
            }
            // With the differences shown, a person may say that they do not matter.
            if args[0] == "rollback" && ran.stderr.contains("--despite-differences") && way == Way::Back {
                break;
            }
        }
    }
    (line.tool.state(), last)
}

/// Whether the run stopped because rows were deleted or altered while names were swapped.
fn is_noticed(ran: &Ran) -> bool {
    ran.code == Some(VERIFICATION_FAILED) && ran.stderr.contains(NOTICED)
}

/// Whether the run stopped because going back would lose a column.
fn is_apart(ran: &Ran) -> bool {
    ran.code == Some(DRIFT) && ran.stderr.contains("have the same columns")
}

/// The program's own words.
fn reason(ran: &Ran) -> String {
    let line = ran.stderr.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or_default();
    line.chars().take(160).collect::<String>().replace('|', "/")
}

fn wrong(cluster: &Running, drift: Drift, victim: &Victim<'_>, key: &str) -> Vec<String> {
    let mut faults = Vec::new();
    sync(cluster, &[&format!("{DATABASE}.t")]);
    let found = victim.key();
    faults.extend((found != key).then(|| format!("the key is {found}, not {key}")));
    let rows = Victim::look(cluster, DATABASE);
    faults.extend((rows != victim.rows).then(|| format!("rows are {rows:#?}\nand not {:#?}", victim.rows)));
    std::thread::sleep(std::time::Duration::from_secs(1));
    faults.extend(left_over(cluster, DATABASE).into_iter().map(|one| format!("left over: {one}")));
    faults.extend(drift.is_there(cluster).err());
    faults
}
