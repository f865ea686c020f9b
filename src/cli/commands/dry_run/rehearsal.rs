//! The rehearsal itself: the plan's steps by the engine of `execute`, on a journal that is thrown away.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;

use super::super::super::args::DryRun;
use super::super::super::connect::{Connected, timeout};
use super::super::super::executor;
use super::super::super::exit_code::Exit;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::super::super::progress::Progress;
use super::super::plan::{alter, reshard};
use super::super::planned;
use super::ground::Ground;
use super::stage::Stage;
use super::writers::Orders;
use super::{Rows, writers};
use crate::execute::{Approver, Decision, Engine, ExecuteError, News, Outcome, Reporter, Until};
use crate::journal;
use crate::plan::file::Sealed;
use crate::plan::{Action, Gate, Phase, Plan, Step, StepId};
use crate::rehearse::{Account, Adapted, Ledger, Report, StepOutcome, Verdict, adapt, stand_in_for};
use crate::words::count;

/// Before the outcome of a step that failed.
const FAILED: &str = "failed: ";

/// Takes the ground, carries the plan out, and clears up whatever came of it.
pub(super) async fn rehearse(
    connected: &Connected,
    sealed: &Sealed,
    args: &DryRun,
    rows: &Rows,
) -> Result<(Report, Exit), Failure> {
    let ground = Ground::take(connected, sealed).await?;
    let result = rehearse_on(connected, sealed, &ground, args.writers, rows).await;
    if args.on.is_some() && !args.keep {
        ground.clear(connected, &sealed.plan).await?;
    }
    result
}

async fn rehearse_on(
    connected: &Connected,
    sealed: &Sealed,
    ground: &Ground,
    writers: u64,
    rows: &Rows,
) -> Result<(Report, Exit), Failure> {
    let plan = &sealed.plan;
    let stage = Stage::set(connected, plan, ground, rows).await?;
    let adapted = adapted(connected, plan, &stage).await?;
    let collector = Collector { progress: Progress::new(), outcomes: Mutex::default() };
    let (performed, ledger) = perform(connected, &adapted.plan, &stage, writers, &collector).await;
    let mut outcomes = collector.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let place = |id: &str| adapted.plan.steps.iter().position(|step| step.id.as_str() == id);
    outcomes.sort_by_key(|outcome| place(&outcome.id));
    let lost = ledger.is_some_and(|ledger| ledger.lost + ledger.doubled > 0);
    let (error, exit) = match performed {
        Ok(()) if lost => (Some("rows were lost or doubled".to_owned()), Exit::VerificationFailed),
        Ok(()) => (None, Exit::Done),
        Err(failure) => (Some(failure.message), failure.exit),
    };
    let mut not_covered = [stage.not_covered.clone(), adapted.not_covered].concat();
    not_covered.sort();
    not_covered.dedup();
    let report = Report {
        format_version: crate::rehearse::FORMAT_VERSION,
        plan_sha256: sealed.sha256.clone(),
        verdict: if error.is_none() { Verdict::Passed } else { Verdict::Failed },
        on: format!("ClickHouse {}, {}", ground.version, count(stage.target.replicas.len(), "replica")),
        rows: stage.rows,
        rows_from: stage.rows_from.clone(),
        backfill_seconds_expected: expected(plan, &stage, &outcomes),
        steps: outcomes,
        ledger,
        not_covered,
        error,
    };
    Ok((report, exit))
}

/// A rebuild's own steps, turned to these servers; for other changes, those that these servers need for the same statement.
async fn adapted(connected: &Connected, plan: &Plan, stage: &Stage<'_>) -> Result<Adapted, Failure> {
    if let Some(words) = &stage.words {
        return Ok(adapt(plan, stage.target, words));
    }
    let mut snapshot = connected.cluster.observe(timeout(&connected.config), None).await;
    // As ON CLUSTER calls it.
    snapshot.topology.cluster.clone_from(&plan.cluster.name);
    let here = match plan.reshard() {
        Some(reshard) => reshard::again(connected, &snapshot, plan, reshard).await,
        None => alter::again(connected, &snapshot, plan).await,
    };
    let here = here.map_err(|failure| Failure {
        message: format!("the sandbox's servers cannot rehearse it: {}", failure.message),
        ..failure
    })?;
    Ok(stand_in_for(plan, here, stage.target))
}

/// Forward, back, forward again, to the end, with writers all the while if there are any.
async fn perform(
    connected: &Connected,
    plan: &Plan,
    stage: &Stage<'_>,
    writers: u64,
    collector: &Collector,
) -> (Result<(), Failure>, Option<Ledger>) {
    let orders = Orders::default();
    let writing = join_all((0..writers).map(|writer| writers::write(&connected.cluster, plan, stage, writer, &orders)));
    let mut account = Account::default();
    let acting = async {
        let result = acts(connected, plan, stage, collector, &orders, &mut account).await;
        orders.stop.store(true, Ordering::Relaxed);
        result
    };
    let (mut result, written) = tokio::join!(acting, writing);
    if plan.rebuild().is_some() {
        // Of rows that nobody writes, the comparisons of the plan itself tell.
        if writers == 0 {
            return (result, None);
        }
        account = Account::default();
    } else {
        account.extend(stage.account.clone());
    }
    for one in written {
        account.extend(one);
    }
    // A run that ended before the swap is judged by the table that would have gone live.
    let is_live = result.is_ok() || collector.has_swapped(plan);
    let shadow = plan.rebuild().map(|rebuild| &rebuild.tables.shadow).filter(|_| !is_live);
    if stage.blurred.is_some() || shadow.is_some() && !collector.has_copied(plan) {
        return (result, None);
    }
    let table = shadow.unwrap_or(&plan.objects.source);
    match writers::settle(&connected.cluster, table, stage, &account).await {
        Ok(ledger) => (result, Some(ledger)),
        Err(error) => {
            if result.is_ok() {
                result = Err(Failure::of(&error));
            }
            (result, None)
        }
    }
}

/// What is done in turn.
struct Act {
    title: &'static str,
    /// How far it goes; nothing named is the way back.
    until: Option<Until>,
    /// Whether rows come in afterwards.
    rows_come_in: bool,
    /// Whether writers must be still meanwhile.
    still: bool,
}

fn acts_of(plan: &Plan) -> Vec<Act> {
    let before = |gate: &str| Some(Until { before: Some(StepId::new(gate)), ask_each_step: false });
    let to_the_end = || Some(Until::default());
    let act = |title, until, rows_come_in| Act { title, until, rows_come_in, still: false };
    if plan.rebuild().is_some() {
        let acts = [
            act("forward, up to the cutover", before("gate.cutover"), true),
            act("cutover", before("gate.finalize"), true),
            act("back", None, false),
            act("forward again", before("gate.finalize"), true),
            act("to the end", to_the_end(), false),
        ];
        return acts.map(|act| Act { still: rests(plan), ..act }).into();
    }
    if plan.reshard().is_some() {
        let still = |title, until| Act { still: true, ..act(title, until, true) };
        return vec![
            act("forward, up to the cutover", before("gate.cutover"), true),
            still("cutover, with writers still", before("gate.finalize")),
            still("back, with writers still", None),
            act("forward again, up to the cutover", before("gate.cutover"), true),
            still("cutover again, with writers still", before("gate.finalize")),
            act("to the end", to_the_end(), false),
        ];
    }
    let (title, until) = if plan.has_gate(Gate::Finalize) {
        ("forward, up to the point of no return", before("gate.finalize"))
    } else {
        ("forward", to_the_end())
    };
    vec![act(title, until, true), act("back", None, true), act("forward again, to the end", to_the_end(), true)]
}

/// Whether a rebuild has writers pause.
fn rests(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::Settle(settle) => settle.fence,
        Action::Ready(ready) => !ready.stills.is_empty(),
        _ => false,
    })
}

async fn acts(
    connected: &Connected,
    plan: &Plan,
    stage: &Stage<'_>,
    collector: &Collector,
    orders: &Orders,
    came_in: &mut Account,
) -> Result<(), Failure> {
    let directory =
        tempfile::tempdir().map_err(|error| Failure::file("make", Path::new("a temporary directory"), &error))?;
    let path = directory.path().join("journal");
    for (number, act) in (0_u64..).zip(acts_of(plan)) {
        say(&format!("— {}", act.title));
        orders.rest.store(act.still, Ordering::Relaxed);
        let journal = journal::File::open(&path, "dry run", &planned::now())?;
        let engine = Engine::new(plan, &connected.cluster, collector, journal, planned::now, executor::claim(false))?;
        let outcome = match act.until {
            Some(until) => engine.execute(&until, &mut ApproveAll).await,
            None => engine.roll_back(None).await,
        };
        refuse_unfinished(outcome)?;
        orders.rest.store(false, Ordering::Relaxed);
        if act.rows_come_in {
            // While a plan waits, life goes on; the comparisons that follow see whether the mirror carries all of it.
            came_in.extend(stage.let_rows_come_in(connected, &plan.objects.source, number).await?);
        }
    }
    Ok(())
}

fn refuse_unfinished(outcome: Result<Outcome, ExecuteError>) -> Result<(), Failure> {
    match outcome? {
        Outcome::Waiting(gate) => Err(Failure::new(format!("the plan waited at the gate {gate}"))),
        Outcome::Postponed { step, why, .. } => Err(Failure::new(format!("{step} is postponed: {why}"))),
        Outcome::Finished | Outcome::Stopped | Outcome::RolledBack => Ok(()),
    }
}

/// In a rehearsal nobody is asked.
struct ApproveAll;

impl Approver for ApproveAll {
    fn gate(&mut self, _plan: &Plan, _progress: &journal::Progress, _gate: Gate) -> Decision {
        Decision::Approve { by: "dry run".to_owned(), note: String::new() }
    }

    fn step(&mut self, _step: &Step) -> bool {
        true
    }
}

/// Tells how it gets on, and keeps how each step ended the last time.
struct Collector {
    progress: Progress,
    outcomes: Mutex<Vec<StepOutcome>>,
}

impl Collector {
    /// Whether any name was swapped.
    fn has_swapped(&self, plan: &Plan) -> bool {
        plan.steps.iter().any(|step| step.phase == Phase::Cutover && swaps(step) && self.is_done(step))
    }

    /// Whether every shard's copy is complete.
    fn has_copied(&self, plan: &Plan) -> bool {
        plan.steps.iter().filter(|step| step.phase == Phase::Backfill).all(|step| self.is_done(step))
    }

    fn is_done(&self, step: &Step) -> bool {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.iter().any(|known| known.id == step.id.as_str() && !known.outcome.starts_with(FAILED))
    }
}

fn swaps(step: &Step) -> bool {
    matches!(step.action, Action::Run { .. } | Action::Redistribute(_))
}

impl Reporter for Collector {
    fn report(&self, news: News<'_>) {
        let outcome = match &news {
            News::Done { step, took, evidence } => {
                Some((step.id.to_string(), took.as_secs_f64(), (*evidence).to_owned()))
            }
            News::Failed { step, error } => Some((step.id.to_string(), 0.0, format!("{FAILED}{error}"))),
            _ => None,
        };
        if let Some((id, seconds, outcome)) = outcome {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.retain(|known| known.id != id);
            outcomes.push(StepOutcome { id, outcome, seconds });
        }
        self.progress.report(news);
    }
}

/// How long the largest shard's backfill would take at the rate measured here.
fn expected(plan: &Plan, stage: &Stage<'_>, outcomes: &[StepOutcome]) -> Option<u64> {
    let is_backfill =
        |id: &str| plan.step(&StepId::new(id)).is_some_and(|step| matches!(step.action, Action::Backfill(_)));
    let slowest =
        outcomes.iter().filter(|outcome| is_backfill(&outcome.id)).map(|outcome| outcome.seconds).fold(0.0, f64::max);
    let shards = stage.target.replicas.keys().map(|id| id.shard).collect::<std::collections::BTreeSet<_>>().len();
    let largest = plan.sizes.iter().map(|size| size.rows).max()?;
    let rows_here = stage.rows as f64 / shards.max(1) as f64;
    let seconds = largest as f64 / rows_here * slowest;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds are positive, and far below 2^53"
    )]
    (slowest > 0.0 && rows_here > 0.0).then(|| seconds.ceil() as u64)
}
