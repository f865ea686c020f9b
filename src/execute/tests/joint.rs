//! Shards that wait for each other before the swap: all of them are swapped or none, and on evidence of now.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::super::fake::{Fake, Fault, FaultKind};
use super::super::ports::{News, Reporter};
use super::super::renew::Seen;
use super::super::{Engine, ExecuteError, Outcome, Until, outdated};
use super::{ApproveAll, SHA, Stage, claim, directory, journal_in, open};
use crate::assess::Fixture;
use crate::journal::{self, Event, Progress};
use crate::names::ReplicaId;
use crate::plan::StepId;

/// Somebody who does something at each piece of news, and keeps what was told.
struct Watcher<F> {
    does: F,
    told: Mutex<Vec<String>>,
}

impl<F: Fn(&News<'_>) + Sync> Watcher<F> {
    fn new(does: F) -> Self {
        Self { does, told: Mutex::default() }
    }

    fn told(&self, wanted: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|told| told.starts_with(wanted)).count()
    }
}

impl<F: Fn(&News<'_>) + Sync> Reporter for Watcher<F> {
    fn report(&self, news: News<'_>) {
        (self.does)(&news);
        let told = match &news {
            News::Done { step, .. } => format!("done {}", step.id),
            News::Lapsed { step, why } => format!("lapsed {}: {why}", step.id),
            News::Again { step, attempt, .. } => format!("again {} {attempt}", step.id),
            _ => return,
        };
        self.told.lock().unwrap().push(told);
    }
}

fn nothing(_: &News<'_>) {}

fn first(shard: u32) -> ReplicaId {
    ReplicaId::new(shard, 1)
}

fn before(step: &str) -> Until {
    Until { before: Some(StepId::new(step)), ask_each_step: false }
}

async fn run<R: Reporter>(
    stage: &Stage,
    fake: &Fake,
    journal: &Path,
    reporter: &R,
    until: Until,
    now: fn() -> SystemTime,
) -> Result<Outcome, ExecuteError> {
    let journal = open(journal);
    let claim = claim("here", false, |_| true);
    let mut engine = Engine::new(&stage.plan, fake, reporter, journal, || "now".to_owned(), claim).unwrap();
    engine.seen = Seen::new(now);
    engine.execute(&until, &mut ApproveAll).await
}

/// Nothing is swapped on any shard.
fn assert_untouched(stage: &Stage, fake: &Fake) {
    for on in stage.replicas() {
        assert_eq!(fake.served(on).0, stage.plan.rebuild().unwrap().before.sorting, "{on}");
    }
}

/// Rows that a merging engine combines are for a person to judge.
fn merging() -> Stage {
    let mut fixture = Fixture::new();
    fixture.redefine("ReplicatedMergeTree", "ReplicatedAggregatingMergeTree");
    Stage::of(fixture, false)
}

#[tokio::test]
async fn where_one_shard_differs_none_is_swapped() {
    let (stage, directory) = (merging(), directory());
    let (fake, journal) = (stage.cluster(), journal_in(&directory));
    let watcher = Watcher::new(nothing);
    let go = |until: Until| run(&stage, &fake, &journal, &watcher, until, SystemTime::now);
    go(before("gate.cutover")).await.unwrap();
    let (shadow, row) = ("`d`.`events__sw_shadow`", 77);
    fake.tamper(first(2), shadow, "202402", row);
    for runs in 1..3 {
        let error = go(Until::default()).await.unwrap_err();
        assert!(matches!(&error, ExecuteError::Rows { step, .. } if step.as_str() == "cutover.verify.s2"), "{error}");
        assert_untouched(&stage, &fake);
        assert_eq!(watcher.told("done cutover.verify.s1"), runs, "the shard that agrees is compared by every run");
    }
    assert_eq!(watcher.told("done cutover.ready"), 0);
    fake.take(first(2), shadow, "202402", row);
    assert_eq!(go(Until::default()).await.unwrap(), Outcome::Finished);
    stage.assert_finished(&fake, "once they agree");
}

#[tokio::test]
async fn evidence_of_an_earlier_run_is_renewed() {
    let (stage, directory) = (Stage::new(false), directory());
    let (fake, journal) = (stage.cluster(), journal_in(&directory));
    let watcher = Watcher::new(nothing);
    let go = |until: Until| run(&stage, &fake, &journal, &watcher, until, SystemTime::now);
    assert_eq!(go(before("cutover.s1")).await.unwrap(), Outcome::Stopped);
    assert_eq!((watcher.told("done cutover.verify"), watcher.told("done cutover.ready")), (2, 1));
    assert_eq!(go(before("cutover.s1")).await.unwrap(), Outcome::Stopped);
    assert_eq!((watcher.told("done cutover.verify"), watcher.told("done cutover.ready")), (4, 2));
    assert_eq!(watcher.told("lapsed cutover.verify.s2: an earlier run did it"), 1);
    // Once a name is swapped, its shard is not compared as if it were not; the other one is.
    assert_eq!(go(before("cutover.s2")).await.unwrap(), Outcome::Stopped);
    assert_eq!(go(Until::default()).await.unwrap(), Outcome::Finished);
    assert_eq!((watcher.told("done cutover.verify.s1"), watcher.told("done cutover.verify.s2")), (3, 4));
    assert_eq!(watcher.told("done cutover.ready"), 3);
    stage.assert_finished(&fake, "after four runs");
}

/// Drops a partition of the source whenever the shards have been compared, so many times at most.
fn dropping(fake: &Fake, times: usize) -> Watcher<impl Fn(&News<'_>) + Sync> {
    let partitions: Vec<(u32, &str)> =
        [1, 2].into_iter().flat_map(|shard| ["202401", "202402", "202403"].map(|id| (shard, id))).collect();
    let left = Mutex::new(partitions.into_iter().take(times));
    Watcher::new(move |news: &News<'_>| {
        if let News::Started(step) = news
            && step.id.as_str() == "cutover.ready"
            && let Some((shard, partition)) = left.lock().unwrap().next()
        {
            fake.drop_partition(first(shard), partition);
        }
    })
}

#[tokio::test]
async fn a_shard_in_which_rows_went_while_it_waited_is_compared_again() {
    let (stage, directory) = (Stage::new(false), directory());
    let fake = stage.cluster();
    let watcher = dropping(&fake, 1);
    let outcome = run(&stage, &fake, &journal_in(&directory), &watcher, Until::default(), SystemTime::now).await;
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert_eq!(watcher.told("again cutover.ready 1"), 1);
    assert_eq!((watcher.told("done cutover.verify.s1"), watcher.told("done cutover.verify.s2")), (2, 1));
    assert_eq!(watcher.told("lapsed cutover.verify.s1: rows were deleted or altered since"), 1);
    for on in stage.replicas() {
        let (key, rows) = fake.served(on);
        assert_eq!(key, stage.plan.rebuild().unwrap().after.sorting);
        let has_rows = rows.get("202401").is_some_and(|rows| !rows.is_empty());
        assert_eq!(has_rows, on.shard == 2, "what was dropped does not come back, {on}: {rows:?}");
    }
}

#[tokio::test]
async fn where_rows_go_again_and_again_nothing_is_swapped() {
    let (stage, directory) = (Stage::new(false), directory());
    let fake = stage.cluster();
    let watcher = dropping(&fake, 9);
    let outcome = run(&stage, &fake, &journal_in(&directory), &watcher, Until::default(), SystemTime::now).await;
    let error = outcome.unwrap_err();
    assert!(matches!(&error, ExecuteError::Outdated { .. }), "{error}");
    assert!(error.to_string().contains("the partitions 202401 of the source on s2r1"), "{error}");
    assert_eq!(watcher.told("again"), 3);
    assert_untouched(&stage, &fake);
    let (journal, watcher) = (journal_in(&directory), Watcher::new(nothing));
    let outcome = run(&stage, &fake, &journal, &watcher, Until::default(), SystemTime::now);
    assert_eq!(outcome.await.unwrap(), Outcome::Finished);
}

/// Seconds by which the test's clock is ahead.
static AHEAD: AtomicU64 = AtomicU64::new(0);

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(AHEAD.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_long_wait_right_before_the_swap_lets_evidence_lapse() {
    let (stage, directory) = (Stage::new(false), directory());
    let fake = stage.cluster();
    let waits = Mutex::new(true);
    let watcher = Watcher::new(|news: &News<'_>| {
        if let News::Done { step, .. } = news
            && step.id.as_str() == "cutover.ready"
            && std::mem::take(&mut *waits.lock().unwrap())
        {
            AHEAD.fetch_add(2 * 3600, Ordering::Relaxed);
        }
    });
    let outcome = run(&stage, &fake, &journal_in(&directory), &watcher, Until::default(), clock).await;
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    assert_eq!((watcher.told("done cutover.verify"), watcher.told("done cutover.ready")), (4, 2));
    assert_eq!(watcher.told("lapsed cutover.verify.s1: that was 120 min ago"), 1);
    assert_eq!(watcher.told("done cutover.s1"), 1);
    stage.assert_finished(&fake, "after a long wait");
}

#[test]
fn evidence_keeps_for_an_hour_and_as_long_as_all_of_it_took() {
    let stage = Stage::new(false);
    let mut progress = Progress::default();
    progress.advance(&Event::Opened { plan_sha256: SHA.to_owned() }).unwrap();
    let mut happens = |event: Event| progress.advance(&event).map(|()| progress.clone()).unwrap();
    let id = |step: &str| StepId::new(step);
    let mut is_done = |step: &str, minutes: u64| {
        happens(Event::Started { step: id(step) });
        happens(Event::Done { step: id(step), milliseconds: minutes * 60_000, evidence: String::new() })
    };
    let old = |progress: &Progress, minutes: u64| -> Vec<String> {
        let steps = outdated(&stage.plan, progress, |_| Some(minutes * 60));
        steps.iter().map(|step| step.id.to_string()).collect()
    };
    is_done("cutover.verify.s1", 30);
    let compared = is_done("cutover.verify.s2", 600);
    assert_eq!(old(&compared, 690), Vec::<String>::new(), "the first waited for the second");
    assert_eq!(old(&compared, 691), ["cutover.verify.s1", "cutover.verify.s2"]);
    let ready = is_done("cutover.ready", 0);
    assert_eq!(old(&ready, 691), ["cutover.verify.s1", "cutover.verify.s2", "cutover.ready"]);
    assert_eq!(outdated(&stage.plan, &ready, |_| None).len(), 3, "all of it is another run's");
    let swapped = is_done("cutover.s1", 0);
    assert_eq!(old(&swapped, 691), ["cutover.verify.s2"]);
}

/// The calls of a run between two pieces of news.
async fn calls_between(stage: &Stage, from: &str, to: &str) -> std::ops::Range<usize> {
    let (fake, directory) = (stage.cluster(), directory());
    let seen = Mutex::new((0, 0));
    let watcher = Watcher::new(|news: &News<'_>| match news {
        News::Started(step) if step.id.as_str() == from => seen.lock().unwrap().0 = fake.calls(),
        News::Done { step, .. } if step.id.as_str() == to => seen.lock().unwrap().1 = fake.calls(),
        _ => {}
    });
    run(stage, &fake, &journal_in(&directory), &watcher, Until::default(), SystemTime::now).await.unwrap();
    let (first, last) = *seen.lock().unwrap();
    first..last
}

#[tokio::test]
async fn an_executor_that_dies_between_comparison_and_swap_leaves_nothing_swapped_that_was_not_compared() {
    let stage = Stage::new(false);
    let calls = calls_between(&stage, "cutover.verify.s1", "cutover.s2").await;
    assert!(calls.len() > 40, "{calls:?}");
    let mut half = 0;
    for at_call in calls {
        for kind in [FaultKind::DiesBeforeSending, FaultKind::DiesAfterDone] {
            let context = format!("{kind:?} at call {at_call}");
            let (fake, directory) = (stage.cluster(), directory());
            let journal = journal_in(&directory);
            fake.set_fault(Some(Fault { at_call, kind }));
            assert!(stage.run(&fake, &journal, &Until::default()).await.is_none(), "{context}: did not die");
            fake.set_fault(None);
            let after = &stage.plan.rebuild().unwrap().after.sorting;
            let swapped = stage.replicas().into_iter().filter(|on| fake.served(*on).0 == *after).count();
            let progress = journal::read(&journal, SHA).unwrap();
            let is_known = ["cutover.verify.s1", "cutover.verify.s2", "cutover.ready"].map(StepId::new);
            assert!(swapped == 0 || is_known.iter().all(|step| progress.is_done(step)), "{context}");
            half += usize::from(swapped > 0 && swapped < stage.replicas().len());
            assert_eq!(stage.run(&fake, &journal, &Until::default()).await.unwrap().unwrap(), Outcome::Finished);
            stage.assert_finished(&fake, &context);
        }
    }
    assert!(half > 0, "some died in the middle of the swaps");
}
