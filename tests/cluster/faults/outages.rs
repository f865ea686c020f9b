//! A server is stopped or killed at the beginning of each phase, and comes back a few seconds later.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shardwright::names::ReplicaId;
use shardwright::sandbox::Member;

use super::proxy::{Deed, Request};
use super::site::{Line, Site};
use super::spots::{Way, phases};
use super::{RUNS_MAX, Row, Told};
use crate::harness::{Running, block_on};
use crate::tool::{Ran, Started};

/// How long a server is stopped.
const PAUSE: Duration = Duration::from_secs(3);
/// How long one is dead.
const DEATH: Duration = Duration::from_secs(2);
/// A replica that was killed may take half a minute to be active again: so long its session with Keeper lasts.
const RECOVERY: Duration = Duration::from_secs(5);
/// No phase is reached later.
pub(super) const PHASE_MAX: Duration = Duration::from_mins(4);

/// What fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// The replica that does the shard's work hangs.
    HomePaused,
    /// It dies.
    HomeKilled,
    /// The last replica hangs: on the old end one that follows, on the new one another shard's.
    OtherPaused,
    /// It dies.
    OtherKilled,
    /// `ZooKeeper` hangs.
    KeeperPaused,
    /// It dies.
    KeeperKilled,
}

impl Outage {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("home-paused", Self::HomePaused),
        ("home-killed", Self::HomeKilled),
        ("other-paused", Self::OtherPaused),
        ("other-killed", Self::OtherKilled),
        ("keeper-paused", Self::KeeperPaused),
        ("keeper-killed", Self::KeeperKilled),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, outage)| *outage == self).expect("all outages have names").0
    }

    fn member(self, cluster: &Running) -> Option<Member> {
        let other = if cluster.replicates() { ReplicaId::new(1, 2) } else { ReplicaId::new(2, 1) };
        match self {
            Self::HomePaused | Self::HomeKilled => Some(Member::Replica(ReplicaId::new(1, 1))),
            Self::OtherPaused | Self::OtherKilled => Some(Member::Replica(other)),
            Self::KeeperPaused | Self::KeeperKilled => cluster.replicates().then_some(Member::Keeper),
        }
    }

    fn begin(self, site: &Site<'_>, member: Member) {
        match (self, member) {
            (Self::HomePaused | Self::OtherPaused | Self::KeeperPaused, _) => {
                block_on(site.cluster.pause(member)).expect("it is stopped");
            }
            (_, Member::Replica(id)) => {
                site.line.proxy.close(id);
                block_on(site.cluster.kill(member)).expect("it is killed");
            }
            (_, Member::Keeper) => block_on(site.cluster.kill(member)).expect("it is killed"),
        }
    }

    fn end(self, site: &Site<'_>, member: Member) {
        match (self, member) {
            (Self::HomePaused | Self::OtherPaused | Self::KeeperPaused, _) => {
                sleep(PAUSE);
                site.cluster.resume(member).expect("it goes on");
            }
            (_, Member::Replica(id)) => {
                sleep(DEATH);
                block_on(site.cluster.start(member)).expect("it starts");
                site.line.proxy.open(id);
            }
            (_, Member::Keeper) => {
                sleep(DEATH);
                block_on(site.cluster.start(member)).expect("it starts");
            }
        }
    }
}

/// A phase that waits for us at its first statement on the first shard.
struct Halt {
    phase: String,
    prefixes: Vec<String>,
    reached: bool,
    go: Arc<AtomicBool>,
}

/// A run that stops at the beginning of each phase.
pub(super) struct Walk {
    halts: Arc<Mutex<Vec<Halt>>>,
    run: Option<Started>,
    args: [&'static str; 2],
}

/// What comes next on a [`Walk`].
pub(super) enum Met {
    /// A phase begins. It waits until the flag is set.
    Phase(String, Arc<AtomicBool>),
    /// The run has ended.
    End(Box<Ran>),
}

impl Walk {
    pub(super) fn new(line: &Line, way: Way) -> Self {
        let halt = |(phase, prefixes)| Halt { phase, prefixes, reached: false, go: Arc::default() };
        let halts = Arc::new(Mutex::new(phases(&line.tool.plan_json(), way).into_iter().map(halt).collect::<Vec<_>>()));
        let here = Arc::clone(&halts);
        line.proxy.plot(move |request: &Request| {
            let mut halts = here.lock().expect("no panic");
            let begins =
                |halt: &&mut Halt| !halt.reached && halt.prefixes.iter().any(|id| request.query_id.starts_with(id));
            let Some(halt) = halts.iter_mut().find(begins) else { return Deed::Pass };
            halt.reached = true;
            Deed::Hold(Arc::clone(&halt.go))
        });
        Self { halts, run: None, args: way.command() }
    }

    /// Goes on to the next phase or the run's end. A run that has ended is begun anew.
    #[track_caller]
    pub(super) fn next(&mut self, line: &Line) -> Met {
        let mut run = self.run.take().unwrap_or_else(|| line.start(&self.args));
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PHASE_MAX, "no phase is reached within {PHASE_MAX:?}");
            if run.has_ended() {
                return Met::End(Box::new(run.end()));
            }
            let waits = |halt: &&Halt| halt.reached && !halt.go.load(Ordering::SeqCst);
            if let Some(halt) = self.halts.lock().expect("no panic").iter().find(waits) {
                self.run = Some(run);
                return Met::Phase(halt.phase.clone(), Arc::clone(&halt.go));
            }
            sleep(Duration::from_millis(5));
        }
    }
}

/// A plan that meets the outage in each phase.
pub(super) fn meet(cluster: &Running, outage: Outage, way: Way) -> Told {
    let Some(member) = outage.member(cluster) else { return Told::default() };
    let site = Site::new(cluster, &format!("faults_{}_{}", outage.name().replace('-', "_"), way.name()));
    let ending = site.ready(way);
    let mut walk = Walk::new(&site.line, way);
    let mut told = Told::default();
    let mut in_vain = 0;
    loop {
        match walk.next(&site.line) {
            Met::Phase(phase, go) => {
                in_vain = 0;
                outage.begin(&site, member);
                go.store(true, Ordering::SeqCst);
                outage.end(&site, member);
                told.rows.push(Row::new(outage.name(), phase));
            }
            Met::End(ran) => {
                if let Some(row) = told.rows.last_mut() {
                    row.codes.push(ran.code);
                    row.runs += usize::from(ran.code != Some(0));
                }
                if ran.code == Some(0) {
                    break;
                }
                in_vain += 1;
                println!("ended: {ran}");
                sleep(RECOVERY);
                if in_vain > RUNS_MAX {
                    told.faults.push(format!("not over after {in_vain} runs: {ran}"));
                    break;
                }
            }
        }
    }
    site.line.proxy.calm();
    let faults = site.close(ending);
    let outcome = if faults.is_empty() { "all rows exact" } else { "FAULTS" };
    told.rows.iter_mut().for_each(|row| outcome.clone_into(&mut row.outcome));
    told.faults.extend(faults);
    told
}
