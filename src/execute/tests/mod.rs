//! The engine against a cluster in memory, with every thing that can go wrong going wrong at every call.

use std::path::Path;
use std::time::{Duration, Instant};

mod joint;

use super::fake::{Fake, Fault, FaultKind, ROW_BYTES};
use super::ports::{Approver, Decision, News, Pace, Reporter};
use super::{Engine, ExecuteError, Outcome, Until};
use crate::assess::{Fixture, assess};
use crate::config::Throttle;
use crate::journal::{self, JournalError, Progress};
use crate::lock::{Claim, Executor};
use crate::names::ReplicaId;
use crate::plan::{self, Gate, Phase, Plan, Step, StepId};
use crate::snapshot::{Capability, Observation};

const SHA: &str = "of the test's plan";
/// A fork is another program within milliseconds.
const FORK_MAX: Duration = Duration::from_secs(5);

struct Quiet;

impl Reporter for Quiet {
    fn report(&self, _news: News<'_>) {}
}

/// So small chunks that every partition is cut, where it can be.
#[derive(Debug)]
struct SmallChunks;

impl Pace for SmallChunks {
    fn paused(&self) -> Option<String> {
        None
    }

    fn throttle(&self) -> Result<Throttle, String> {
        Ok(Throttle { max_chunk_bytes: 5 * ROW_BYTES as u64, ..Throttle::default() })
    }
}

struct ApproveAll;

impl Approver for ApproveAll {
    fn gate(&mut self, _plan: &Plan, _progress: &Progress, _gate: Gate) -> Decision {
        Decision::Approve { by: "test".to_owned(), note: String::new() }
    }

    fn step(&mut self, _step: &Step) -> bool {
        true
    }
}

/// A plan, and clusters to carry it out on. `plain` takes Replicated away, with which attaching twice doubles.
struct Stage {
    plan: Plan,
    create_query: String,
    definition_hash: String,
    attach_doubles: bool,
    /// Whether partitions are cut into slices.
    sliced: bool,
}

/// Opens a journal. Other tests of this process start programs, and a fork has its own hold of every lock until it is another program.
fn open(journal: &Path) -> journal::File {
    let began = Instant::now();
    loop {
        match journal::File::open(journal, SHA, "now") {
            Err(JournalError::Locked { .. }) if began.elapsed() < FORK_MAX => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

impl Stage {
    fn new(without_replication: bool) -> Self {
        Self::of(Fixture::new(), without_replication)
    }

    /// One shard is enough where every call of a run is tried.
    fn of_one_shard(without_replication: bool) -> Self {
        let mut fixture = Fixture::new();
        fixture.snapshot.topology.shards.truncate(1);
        fixture.snapshot.replicas.retain(|id, _| id.shard == 1);
        Self::of(fixture, without_replication)
    }

    fn of(mut fixture: Fixture, without_replication: bool) -> Self {
        if without_replication {
            for replica in fixture.snapshot.replicas.values_mut() {
                let Observation::Answered(state) = replica else { continue };
                state.capabilities.insert(Capability::PartOffsetColumn);
            }
            fixture.redefine("ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')", "MergeTree");
            // What is not replicated has one replica a shard.
            fixture.snapshot.topology.shards.iter_mut().for_each(|shard| shard.replicas.truncate(1));
            fixture.snapshot.replicas.retain(|id, _| id.replica == 1);
        }
        let case = fixture.case();
        let plan = plan::build(&case, assess(&case), plan::Fence::Auto).unwrap();
        let source = case.source().unwrap();
        Self {
            create_query: source.create_query.clone(),
            definition_hash: source.definition_hash.clone(),
            attach_doubles: without_replication,
            sliced: false,
            plan,
        }
    }

    /// The same in small chunks, where rows have numbers.
    fn sliced(self) -> Self {
        Self { sliced: self.attach_doubles, ..self }
    }

    fn replicas(&self) -> Vec<ReplicaId> {
        self.plan.cluster.replicas.iter().map(|replica| replica.id).collect()
    }

    fn cluster(&self) -> Fake {
        Fake::new(&self.replicas(), &self.create_query, &self.definition_hash, self.attach_doubles)
    }

    /// On a machine that sees that every run before it has died.
    fn engine<'a>(&'a self, fake: &'a Fake, journal: &Path) -> Engine<'a, Fake, Quiet> {
        self.engine_of(fake, journal, claim("here", false, |_| true))
    }

    fn engine_of<'a>(&'a self, fake: &'a Fake, journal: &Path, claim: Claim) -> Engine<'a, Fake, Quiet> {
        let journal = open(journal);
        let engine = Engine::new(&self.plan, fake, &Quiet, journal, || "now".to_owned(), claim).unwrap();
        if self.sliced { engine.paced(&SmallChunks) } else { engine }
    }

    /// Runs until the end, an error, or the executor's death (none).
    async fn run(&self, fake: &Fake, journal: &Path, until: &Until) -> Option<Result<Outcome, ExecuteError>> {
        let (engine, mut approver) = (self.engine(fake, journal), ApproveAll);
        tokio::select! {
            biased;
            () = fake.death.notified() => None,
            outcome = engine.execute(until, &mut approver) => Some(outcome),
        }
    }

    async fn roll_back(&self, fake: &Fake, journal: &Path) -> Option<Result<Outcome, ExecuteError>> {
        let engine = self.engine(fake, journal);
        tokio::select! {
            biased;
            () = fake.death.notified() => None,
            outcome = engine.roll_back(None) => Some(outcome),
        }
    }

    /// Everything is as a finished plan leaves it: new key, the same rows, nothing else.
    fn assert_finished(&self, fake: &Fake, context: &str) {
        let before = self.cluster();
        for on in self.replicas() {
            let (key, rows) = fake.served(on);
            assert_eq!(key, self.plan.rebuild().unwrap().after.sorting, "{context}: key on {on}");
            assert_eq!(rows, before.served(on).1, "{context}: rows on {on}");
        }
        assert_eq!(fake.others(), Vec::<String>::new(), "{context}: left over");
    }
}

fn claim(host: &str, take_over: bool, is_gone: fn(&Executor) -> bool) -> Claim {
    let executor =
        Executor { host: host.to_owned(), machine: host.to_owned(), pid: 7, process: "of the test".to_owned() };
    Claim { executor, take_over, is_gone, takeover_seconds: 0, late_seconds: 0 }
}

/// A directory in memory where there is one: a journal is flushed after every record, and these tests write thousands.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn journal_in(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join("journal")
}

#[tokio::test]
async fn a_plan_without_trouble_ends_well() {
    for plain in [false, true] {
        let (stage, directory) = (Stage::new(plain).sliced(), directory());
        let fake = stage.cluster();
        let outcome = stage.run(&fake, &journal_in(&directory), &Until::default()).await;
        assert_eq!(outcome.unwrap().unwrap(), Outcome::Finished);
        stage.assert_finished(&fake, "no trouble");
        let slices = std::fs::read_to_string(journal_in(&directory)).unwrap().matches(":0-").count();
        assert_eq!(slices > 0, plain, "rows have numbers there");
    }
}

async fn die_at_any_call(plain: bool) {
    use FaultKind::{DiesAfterDone, DiesBeforeSending, DiesWhileRunning};
    let stage = Stage::of_one_shard(plain).sliced();
    let calls = calls_of_a_run(&stage).await;
    for at_call in 0..calls {
        for kind in [DiesBeforeSending, DiesAfterDone, DiesWhileRunning] {
            let context = format!("plain {plain}, {kind:?} at call {at_call}");
            let (fake, directory) = (stage.cluster(), directory());
            let journal = journal_in(&directory);
            fake.set_fault(Some(Fault { at_call, kind }));
            assert!(stage.run(&fake, &journal, &Until::default()).await.is_none(), "{context}: did not die");
            fake.set_fault(None);
            let outcome = stage.run(&fake, &journal, &Until::default()).await.unwrap();
            assert_eq!(outcome.unwrap_or_else(|error| panic!("{context}: {error}")), Outcome::Finished);
            stage.assert_finished(&fake, &context);
        }
    }
}

// Two tests, so that two cores share them: they take longer than all others.
#[tokio::test]
async fn the_executor_may_die_at_any_call() {
    die_at_any_call(false).await;
}

#[tokio::test]
async fn the_executor_may_die_at_any_call_where_partitions_are_sliced() {
    die_at_any_call(true).await;
}

#[tokio::test]
async fn an_error_at_any_call_is_survived() {
    use FaultKind::{LostAfter, LostBefore, Refused};
    for plain in [false, true] {
        let stage = Stage::of_one_shard(plain);
        let calls = calls_of_a_run(&stage).await;
        for at_call in 0..calls {
            for kind in [LostBefore, LostAfter, Refused] {
                let context = format!("plain {plain}, {kind:?} at call {at_call}");
                let (fake, directory) = (stage.cluster(), directory());
                let journal = journal_in(&directory);
                fake.set_fault(Some(Fault { at_call, kind }));
                // It may end well by itself: a lost answer to a statement that was run is looked up.
                _ = stage.run(&fake, &journal, &Until::default()).await.unwrap();
                fake.set_fault(None);
                let outcome = stage.run(&fake, &journal, &Until::default()).await.unwrap();
                assert_eq!(outcome.unwrap_or_else(|error| panic!("{context}: {error}")), Outcome::Finished);
                stage.assert_finished(&fake, &context);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_cannot_do_it_yet_is_asked_again() {
    let stage = Stage::of_one_shard(false);
    for at_call in (0..calls_of_a_run(&stage).await - 10).step_by(60) {
        let (fake, directory) = (stage.cluster(), directory());
        fake.set_fault(Some(Fault { at_call, kind: FaultKind::NotYet }));
        let outcome = stage.run(&fake, &journal_in(&directory), &Until::default()).await.unwrap();
        assert_eq!(outcome.unwrap_or_else(|error| panic!("call {at_call}: {error}")), Outcome::Finished);
        stage.assert_finished(&fake, "after a pause");
    }
}

#[tokio::test]
async fn a_plan_rolls_back_from_every_stage_and_can_then_be_carried_out() {
    let stage = Stage::new(false);
    let untouched = stage.cluster().world();
    for step in stage.plan.steps.iter().filter(|step| step.phase < Phase::Finalize) {
        let (fake, directory) = (stage.cluster(), directory());
        let journal = journal_in(&directory);
        let until = Until { before: Some(step.id.clone()), ask_each_step: false };
        assert_eq!(stage.run(&fake, &journal, &until).await.unwrap().unwrap(), Outcome::Stopped, "{}", step.id);
        assert_eq!(stage.roll_back(&fake, &journal).await.unwrap().unwrap(), Outcome::RolledBack, "{}", step.id);
        assert_eq!(tables(&fake), tables_of(&untouched), "{}", step.id);
        let outcome = stage.run(&fake, &journal, &Until::default()).await.unwrap().unwrap();
        assert_eq!(outcome, Outcome::Finished, "{}", step.id);
        stage.assert_finished(&fake, step.id.as_str());
    }
}

#[tokio::test]
async fn the_executor_may_die_at_any_call_of_a_rollback() {
    use FaultKind::{DiesAfterDone, DiesBeforeSending, DiesWhileRunning};
    let stage = Stage::of_one_shard(false);
    let finalize = Until { before: Some(StepId::new("gate.finalize")), ask_each_step: false };
    for kind in [DiesBeforeSending, DiesAfterDone, DiesWhileRunning] {
        for at_call in 0.. {
            let context = format!("{kind:?} at call {at_call}");
            let (fake, directory) = (stage.cluster(), directory());
            let journal = journal_in(&directory);
            stage.run(&fake, &journal, &finalize).await.unwrap().unwrap();
            fake.set_fault(Some(Fault { at_call, kind }));
            let died = stage.roll_back(&fake, &journal).await.is_none();
            fake.set_fault(None);
            if !died {
                assert!(at_call > 20, "{context}: a rollback makes more calls than that");
                break;
            }
            let outcome = stage.roll_back(&fake, &journal).await.unwrap();
            assert_eq!(outcome.unwrap_or_else(|error| panic!("{context}: {error}")), Outcome::RolledBack);
            assert_eq!(tables(&fake), tables_of(&stage.cluster().world()), "{context}");
        }
    }
}

#[tokio::test]
async fn a_row_too_many_is_put_right() {
    let (stage, directory) = (Stage::new(false), directory());
    let (fake, journal) = (stage.cluster(), journal_in(&directory));
    let until = Until { before: Some(StepId::new("verify.s2")), ask_each_step: false };
    stage.run(&fake, &journal, &until).await.unwrap().unwrap();
    fake.tamper(ReplicaId::new(1, 1), "`d`.`events__sw_shadow`", "202402", 7);
    stage.run(&fake, &journal, &Until::default()).await.unwrap().unwrap();
    stage.assert_finished(&fake, "a row too many");
}

#[tokio::test]
async fn drift_stops_a_plan_before_it_changes_anything() {
    let (stage, directory) = (Stage::new(false), directory());
    let fake = stage.cluster();
    fake.redefine(ReplicaId::new(2, 2));
    let error = stage.run(&fake, &journal_in(&directory), &Until::default()).await.unwrap().unwrap_err();
    assert!(matches!(&error, ExecuteError::Drift { .. }), "{error}");
    assert!(error.to_string().contains("s2r2"), "{error}");
    assert_eq!(fake.others(), Vec::<String>::new());
}

#[tokio::test]
async fn there_is_no_way_back_once_data_is_dropped() {
    let (stage, directory) = (Stage::new(false), directory());
    let (fake, journal) = (stage.cluster(), journal_in(&directory));
    stage.run(&fake, &journal, &Until::default()).await.unwrap().unwrap();
    let error = stage.roll_back(&fake, &journal).await.unwrap().unwrap_err();
    assert!(matches!(error, ExecuteError::NoReturn { .. }), "{error}");
    stage.assert_finished(&fake, "after a refused rollback");
}

/// The other machine knows nothing of the first one's processes.
const NOBODY_IS_GONE: fn(&Executor) -> bool = |_| false;

#[tokio::test]
async fn a_second_machine_is_refused_until_it_takes_over() {
    let stage = Stage::of_one_shard(false);
    let (fake, directory) = (stage.cluster(), directory());
    let (here, there) = (directory.path().join("here"), directory.path().join("there"));
    fake.set_fault(Some(Fault { at_call: 60, kind: FaultKind::DiesBeforeSending }));
    assert!(stage.run(&fake, &here, &Until::default()).await.is_none());
    fake.set_fault(None);
    let held = fake.world();
    std::fs::copy(&here, &there).unwrap();
    let engine = stage.engine_of(&fake, &there, claim("there", false, NOBODY_IS_GONE));
    let refused = engine.execute(&Until::default(), &mut ApproveAll).await.unwrap_err();
    assert!(
        matches!(&refused, ExecuteError::Locked { holder, .. } if holder.contains("process 7 on here")),
        "{refused}"
    );
    assert!(fake.world() == held, "a refused run changes nothing");
    drop(engine);

    let elsewhere = directory.path().join("elsewhere");
    let engine = stage.engine_of(&fake, &elsewhere, claim("there", true, NOBODY_IS_GONE));
    let refused = engine.execute(&Until::default(), &mut ApproveAll).await.unwrap_err();
    assert!(matches!(refused, ExecuteError::OtherJournal { .. }), "{refused}");
    assert!(fake.world() == held, "nor does one whose journal is not that of the holder");

    let engine = stage.engine_of(&fake, &there, claim("there", true, NOBODY_IS_GONE));
    assert_eq!(engine.execute(&Until::default(), &mut ApproveAll).await.unwrap(), Outcome::Finished);
    assert_eq!(engine.progress().token, 2, "each takeover has a higher token");
    stage.assert_finished(&fake, "taken over");
}

#[tokio::test]
async fn the_lock_of_a_dead_run_is_taken_on_a_server_that_is_slow_to_end_what_it_left() {
    let (stage, directory) = (Stage::of_one_shard(false), directory());
    let (fake, journal) = (stage.cluster(), journal_in(&directory));
    fake.set_fault(Some(Fault { at_call: 60, kind: FaultKind::DiesWhileRunning }));
    assert!(stage.run(&fake, &journal, &Until::default()).await.is_none());
    fake.set_fault(None);
    fake.is_slow_to_end();
    assert_eq!(stage.run(&fake, &journal, &Until::default()).await.unwrap().unwrap(), Outcome::Finished);
    stage.assert_finished(&fake, "taken over slowly");
}

/// Whether the run after one that died at a call waits for what that one may have sent.
async fn waits_after_death_at(stage: &Stage, at_call: usize) -> bool {
    let (fake, directory) = (stage.cluster(), directory());
    let journal = journal_in(&directory);
    fake.set_fault(Some(Fault { at_call, kind: FaultKind::DiesBeforeSending }));
    assert!(stage.run(&fake, &journal, &Until::default()).await.is_none());
    fake.set_fault(None);
    let late = Duration::from_mins(1);
    let claim = Claim { late_seconds: late.as_secs(), ..claim("here", false, |_| true) };
    let engine = stage.engine_of(&fake, &journal, claim);
    let until = Until { before: Some(StepId::new("gate.cutover")), ask_each_step: false };
    let began = tokio::time::Instant::now();
    engine.execute(&until, &mut ApproveAll).await.unwrap();
    began.elapsed() >= late
}

// Time passes when nothing else happens, however busy the machine is.
#[tokio::test(start_paused = true)]
async fn what_a_dead_run_may_have_sent_is_waited_for() {
    let stage = Stage::of_one_shard(false);
    assert!(!waits_after_death_at(&stage, 5).await, "preflight changes nothing");
    let mut in_a_change = false;
    for at_call in 60..70 {
        in_a_change = in_a_change || waits_after_death_at(&stage, at_call).await;
    }
    assert!(in_a_change);
}

/// Stops a run at each of its calls, lets another machine take over and come to the end, and wakes the first one.
#[tokio::test]
async fn a_run_that_was_taken_over_at_any_call_does_nothing_more() {
    for plain in [false, true] {
        let stage = Stage::of_one_shard(plain);
        let calls = calls_of_a_run(&stage).await;
        let mut refused = 0;
        for at_call in 0..calls {
            let context = format!("plain {plain}, call {at_call}");
            let (fake, directory) = (stage.cluster(), directory());
            let (here, there) = (directory.path().join("here"), directory.path().join("there"));
            fake.set_fault(Some(Fault { at_call, kind: FaultKind::Stops }));
            let first = stage.engine(&fake, &here);
            let (until, mut approver) = (Until::default(), ApproveAll);
            let second = async {
                fake.stopped.notified().await;
                std::fs::copy(&here, &there).unwrap();
                fake.end_sessions();
                let engine = stage.engine_of(&fake, &there, claim("there", true, NOBODY_IS_GONE));
                let outcome = engine.execute(&Until::default(), &mut ApproveAll).await;
                assert_eq!(outcome.unwrap_or_else(|error| panic!("{context}: {error}")), Outcome::Finished);
                let end = fake.world();
                fake.wake();
                end
            };
            let (outcome, end) = tokio::join!(first.execute(&until, &mut approver), second);
            assert!(fake.world() == end, "{context}: {outcome:?}");
            stage.assert_finished(&fake, &context);
            match outcome {
                Err(ExecuteError::TakenOver { .. }) => refused += 1,
                // It had not taken the lock yet: it finds that the plan is not for this cluster any more.
                Err(ExecuteError::Drift { .. }) => assert!(at_call < 4, "{context}"),
                other => panic!("{context}: {other:?}"),
            }
        }
        assert!(refused > 100, "{refused} of {calls}");
    }
}

async fn calls_of_a_run(stage: &Stage) -> usize {
    let (fake, directory) = (stage.cluster(), directory());
    stage.run(&fake, &journal_in(&directory), &Until::default()).await.unwrap().unwrap();
    fake.calls()
}

fn tables(fake: &Fake) -> Vec<String> {
    tables_of(&fake.world())
}

/// Names, keys and rows of all tables; data that no table leads to does not count.
fn tables_of(world: &super::fake::World) -> Vec<String> {
    world.listing()
}
