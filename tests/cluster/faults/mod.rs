//! The fault matrix: what can go wrong, at every statement or phase of a plan that has them, on real servers and under writers.
//!
//! Faults strike by way of a [`proxy`] between program and replicas. Where they strike is read from the plan's file ([`spots`]).
//! One plan meets the same fault at one place after the other, and must come to its end all the same; then every row is looked
//! at, on every replica ([`site`]). `docs/faults.md` has the results.
//!
//! `SHARDWRIGHT_FAULTS=all` meets all of them, `SHARDWRIGHT_FAULTS=late,paused` those two. By default it is a few.

mod controls;
mod drift;
mod outages;
mod overtaken;
mod proxy;
mod second;
mod site;
mod spots;
mod strikes;
mod waits;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::harness::{Running, on_both_ends};
use drift::Drift;
use outages::Outage;
use spots::Way;
use strikes::Moment;

/// Runs that it may take to get over one fault. On a machine that is too busy a server may not answer in time.
const RUNS_MAX: usize = 8;

/// A line of the matrix.
#[derive(Debug)]
struct Row {
    fault: String,
    place: String,
    /// The exit code of the run that met the fault, and those of the runs after it that met no other.
    codes: Vec<Option<i32>>,
    /// Runs after it until the step was over.
    runs: usize,
    outcome: String,
}

impl Row {
    fn new(fault: &str, place: String) -> Self {
        Self { fault: fault.to_owned(), place, codes: Vec::new(), runs: 0, outcome: String::new() }
    }
}

/// What a fault came to.
#[derive(Debug, Default)]
struct Told {
    rows: Vec<Row>,
    /// Everything that is not as it must be.
    faults: Vec<String>,
}

/// A column of the matrix: one plan, or one for each place.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Strike(Moment),
    Outage(Outage),
    Second,
    Overtaken,
    Drift(Drift),
}

impl Fault {
    fn all() -> Vec<(&'static str, Self)> {
        let strikes = Moment::ALL.into_iter().map(|(name, moment)| (name, Self::Strike(moment)));
        let outages = Outage::ALL.into_iter().map(|(name, outage)| (name, Self::Outage(outage)));
        let drifts = Drift::ALL.into_iter().map(|(name, drift)| (name, Self::Drift(drift)));
        strikes.chain(outages).chain([("second", Self::Second), ("overtaken", Self::Overtaken)]).chain(drifts).collect()
    }

    fn meet(self, cluster: &Running, way: Way) -> Told {
        match self {
            Self::Strike(moment) => strikes::meet(cluster, moment, way),
            Self::Outage(outage) => outages::meet(cluster, outage, way),
            Self::Second => second::meet(cluster, way),
            Self::Overtaken => overtaken::meet(cluster, way),
            Self::Drift(drift) => drift::meet(cluster, drift, way),
        }
    }
}

/// The faults of `./check`, with the way of the plan.
const SHORT: [(&str, Way); 2] = [("second", Way::Forward), ("overtaken", Way::Back)];

fn selection() -> Vec<(&'static str, Fault, Way)> {
    let wanted = std::env::var("SHARDWRIGHT_FAULTS").unwrap_or_default();
    let is_wanted = |name: &str, way: Way| match wanted.as_str() {
        "" => SHORT.contains(&(name, way)),
        "all" => true,
        some => some.split(',').any(|one| one == name || one == format!("{name}-{}", way.name())),
    };
    let ways = [Way::Forward, Way::Back].into_iter();
    let both = ways.flat_map(|way| Fault::all().into_iter().map(move |(name, fault)| (name, fault, way)));
    both.filter(|(name, _, way)| is_wanted(name, *way)).collect()
}

const HEAD: &str = "| fault | way | where | exit codes | runs until over | outcome |\n|---|---|---|---|---|---|";

fn codes(codes: &[Option<i32>]) -> String {
    let code = |code: &Option<i32>| code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
    codes.iter().map(code).collect::<Vec<_>>().join(", ")
}

on_both_ends! { alone: the_matrix; }

fn the_matrix(cluster: &Running) {
    let mut lines = vec![HEAD.to_owned()];
    let mut faults = Vec::new();
    for (name, fault, way) in selection() {
        let began = Instant::now();
        let told = catch_unwind(AssertUnwindSafe(|| fault.meet(cluster, way))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
            Told { rows: Vec::new(), faults: vec![text] }
        });
        let rows: Vec<String> = told
            .rows
            .iter()
            .map(|Row { fault, place, codes: all, runs, outcome }| {
                format!("| {fault} | {} | {place} | {} | {runs} | {outcome} |", way.name(), codes(all))
            })
            .collect();
        println!("{HEAD}\n{}", rows.join("\n"));
        println!("{name} {}: {} places in {:.0} s", way.name(), rows.len(), began.elapsed().as_secs_f64());
        lines.extend(rows);
        faults.extend(told.faults.into_iter().map(|text| format!("{name} {}: {text}", way.name())));
    }
    println!("{}", lines.join("\n"));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
