//! The program is killed, or its connection cut, at every statement of a plan; every step is carried out twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::proxy::{Deed, Request};
use super::site::{Site, is};
use super::spots::{Spot, Way, kinds, spots};
use super::{RUNS_MAX, Row, Told};
use crate::harness::Running;

/// Delays of statements that arrive when their sender is dead, by turns. The last comes close to the end of a session.
const LATE: [Duration; 3] = [Duration::from_millis(300), Duration::from_millis(900), Duration::from_millis(3_500)];

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Killed before the statement is sent.
    Unsent,
    /// Killed once it is sent.
    Sent,
    /// Killed once the server has done it; nobody hears of it.
    Answered,
    /// Killed, and the statement reaches the server while the next run is at work.
    Late,
    /// Killed at the first statement after the step's end is in the journal.
    Recorded,
    /// The same, and the journal forgets the step's end, so that the next run carries it out again.
    Twice,
    /// The connection breaks once the statement is sent; the server goes on.
    CutSent,
    /// The connection breaks once the server has done it: acknowledged to nobody.
    CutAnswered,
    /// The server refuses it, once.
    Refused,
}

impl Moment {
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("unsent", Self::Unsent),
        ("sent", Self::Sent),
        ("answered", Self::Answered),
        ("late", Self::Late),
        ("recorded", Self::Recorded),
        ("twice", Self::Twice),
        ("cut-sent", Self::CutSent),
        ("cut-answered", Self::CutAnswered),
        ("refused", Self::Refused),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, moment)| *moment == self).expect("all moments have names").0
    }

    fn deed(self, number: usize) -> Deed {
        match self {
            Self::Unsent | Self::Recorded | Self::Twice => Deed::KillUnsent,
            Self::Sent => Deed::KillSent,
            Self::Answered => Deed::KillAnswered,
            Self::Late => Deed::KillLate(LATE[number % LATE.len()]),
            Self::CutSent => Deed::CutSent,
            Self::CutAnswered => Deed::CutAnswered,
            Self::Refused => Deed::Refuse,
        }
    }

    /// Whether it strikes once a step is over, not at a statement.
    fn is_after_steps(self) -> bool {
        matches!(self, Self::Recorded | Self::Twice)
    }
}

/// Where the fault is still to strike, and where it has struck in this run.
struct Armed {
    moment: Moment,
    spots: Vec<Spot>,
    steps: Vec<String>,
    struck: Option<(String, String)>,
    count: usize,
}

impl Armed {
    /// The fault strikes once a run: what the dying program has sent to other replicas goes its way.
    fn decide(&mut self, request: &Request, event: &str, journal: impl FnOnce() -> Vec<Value>) -> Deed {
        if self.struck.is_some() {
            return Deed::Pass;
        }
        let found = if self.moment.is_after_steps() {
            let journal = journal();
            let is_over = |step: &String| journal.iter().any(|record| is(record, event, step));
            let at = self.steps.iter().position(is_over);
            at.map(|at| (self.steps.remove(at), event.to_owned()))
        } else {
            let at = self.spots.iter().position(|spot| spot.is(request));
            at.map(|at| self.spots.remove(at)).map(|spot| (spot.step, format!("{}, on {}", spot.name, request.on)))
        };
        let Some(found) = found else { return Deed::Pass };
        self.struck = Some(found);
        self.count += 1;
        self.moment.deed(self.count)
    }
}

/// A part of a plan's way, and what is done when it is over.
struct Leg {
    args: Vec<&'static str>,
    then: fn(&mut Site<'_>),
}

/// On its way forward the plan finds rows to put right: some that were tampered with, and one that the swap misplaced.
fn legs(way: Way) -> Vec<Leg> {
    let leg = |until: &[&'static str], then| Leg { args: [&way.command()[..], until].concat(), then };
    let whole = leg(&[], |_| {});
    match way {
        Way::Forward => vec![
            leg(&["--until", "verify.s1"], |site| site.tamper()),
            leg(&["--until", "reconcile.verify.s1"], |site| site.misplace()),
            whole,
        ],
        Way::Back => vec![whole],
    }
}

/// A plan that meets the fault wherever it can.
pub(super) fn meet(cluster: &Running, moment: Moment, way: Way) -> Told {
    let database = format!("faults_{}_{}", moment.name().replace('-', "_"), way.name());
    let mut site = Site::new(cluster, &database);
    if moment == Moment::Late {
        site = site.with_late_statements();
    }
    let ending = site.ready(way);
    let event = way.over();
    let plan = site.line.tool.plan_json();
    let (spots, steps) = (spots(&plan, way), kinds(&plan));
    let armed = Arc::new(Mutex::new(Armed { moment, spots, steps, struck: None, count: 0 }));
    let (here, journal) = (Arc::clone(&armed), site.journal_reader());
    site.line.proxy.plot(move |request| here.lock().expect("no panic").decide(request, event, &journal));

    let mut told = Told::default();
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut in_vain = 0;
    let mut legs = legs(way).into_iter();
    let mut leg = legs.next().expect("a leg");
    loop {
        let ran = site.run(&leg.args);
        let struck = armed.lock().expect("no panic").struck.take();
        for (row, _) in &open {
            told.rows[*row].runs += 1;
        }
        if struck.is_none()
            && let Some((row, _)) = open.last()
        {
            told.rows[*row].codes.push(ran.code);
        }
        let records = site.journal();
        open.retain(|(_, step)| !is_over(&records, event, step));
        in_vain = if struck.is_some() { 0 } else { in_vain + 1 };
        if let Some((step, name)) = struck {
            if moment == Moment::Twice {
                site.forget(event, &step);
            }
            let place = format!("{step}: {name}");
            told.rows.push(Row { codes: vec![ran.code], ..Row::new(moment.name(), place) });
            if moment == Moment::Twice || !is_over(&site.journal(), event, &step) {
                open.push((told.rows.len() - 1, step));
            }
            let expected = if ran.code.is_none() { ran.code } else { ran.code.filter(|code| [0, 1, 8].contains(code)) };
            if expected != ran.code {
                told.faults.push(format!("{ran}"));
            }
        }
        if ran.code == Some(0) {
            (leg.then)(&mut site);
            let Some(next) = legs.next() else { break };
            leg = next;
            in_vain = 0;
            continue;
        }
        if in_vain >= RUNS_MAX {
            told.faults.push(format!("not over after {in_vain} runs without a fault: {ran}"));
            break;
        }
        if in_vain > 0 {
            println!("a run in vain: {ran}");
        }
    }
    site.line.proxy.calm();
    let left = armed.lock().expect("no panic");
    let unmet: Vec<String> = left.spots.iter().map(|spot| format!("{}: {}", spot.step, spot.name)).collect();
    println!("never met: {}", unmet.join("; "));
    let faults = site.close(ending);
    let outcome = if faults.is_empty() { "all rows exact" } else { "FAULTS" };
    told.rows.iter_mut().for_each(|row| outcome.clone_into(&mut row.outcome));
    told.faults.extend(faults);
    told
}

/// Whether the journal's last word on a step is that it is over.
fn is_over(records: &[Value], event: &str, step: &str) -> bool {
    let last = records.iter().rev().find(|record| record["step"] == step || record["event"] == "rolled_back");
    step == "lock" || last.is_some_and(|record| record["event"] == event || record["event"] == "rolled_back")
}
