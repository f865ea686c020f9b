//! The program dies, or a server does, at any moment of a run: the next run goes on, and the end is the same.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use shardwright::names::ReplicaId;
use shardwright::sandbox::Member;

use crate::dice::Dice;
use crate::harness::{End, Running, block_on, on_both_ends, single};
use crate::tool::{PLAN, Ran, Started, Tool};
use crate::victim::Victim;
use crate::world::definitions;

/// Kills of a whole run on Replicated tables, spread evenly over its length.
const KILLS: u32 = 10;
/// The same on plain ones of the old end.
const KILLS_PLAIN: u32 = 4;
/// The same on the new end.
const KILLS_NEW: u32 = 6;
/// Kills of a rollback, and of a run that is then rolled back.
const KILLS_OF_ROLLBACK: u32 = 4;
/// Runs that it may take to get to the end after a kill.
const RUNS_MAX: u32 = 3;

/// Runs a command until it has come to its end.
#[track_caller]
fn until_done(tool: &Tool, args: &[&str]) {
    let mut last: Option<Ran> = None;
    for _ in 0..RUNS_MAX {
        let ran = tool.run(args);
        if ran.code == Some(0) {
            return;
        }
        last = Some(ran);
    }
    panic!("not done after {RUNS_MAX} runs: {}", last.expect("at least one run"));
}

/// Kills a run after some time, and says what it was doing.
#[track_caller]
fn kill_after(tool: &Tool, args: &[&str], milliseconds: u64) {
    let run = tool.start(args);
    sleep(Duration::from_millis(milliseconds));
    kill_now(tool, run, &format!("after {milliseconds} ms"));
}

/// Kills a run once it has written a number of records: steps that take no time are met as often as those that do.
#[track_caller]
fn kill_at_record(tool: &Tool, args: &[&str], records: u64, milliseconds: u64) {
    let mut run = tool.start(args);
    while records_of(tool) < records && !run.has_ended() {
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(milliseconds));
    kill_now(tool, run, &format!("{milliseconds} ms after record {records}"));
}

fn records_of(tool: &Tool) -> u64 {
    let journal = std::fs::read_to_string(tool.dir().join(format!("{PLAN}.journal.jsonl"))).unwrap_or_default();
    journal.lines().count() as u64
}

#[track_caller]
fn kill_now(tool: &Tool, mut run: Started, when: &str) {
    let had_ended = run.has_ended();
    run.kill();
    let status = tool.status();
    let steps = status["steps"].as_array().expect("steps");
    let doing: Vec<&str> = steps
        .iter()
        .filter(|step| matches!(step["state"].as_str(), Some("started" | "undoing")))
        .filter_map(|step| step["id"].as_str())
        .collect();
    let done = steps.iter().filter(|step| step["state"] == "done").count();
    let what = if had_ended { " (it had ended)" } else { "" };
    println!("killed {when}{what}: {done}/{} done, under way: {doing:?}", steps.len());
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds that a run takes that nobody disturbs, and how many records it writes.
#[track_caller]
fn undisturbed(victim: &Victim<'_>) -> (u64, u64) {
    let tool = Tool::new(victim.cluster);
    let key = victim.plan(&tool);
    tool.approve(&["start", "cutover", "finalize"]);
    let began = Instant::now();
    tool.expect(0, &["execute", PLAN]);
    let whole = milliseconds(began);
    victim.assert_finalized(&tool, key);
    (whole, records_of(&tool))
}

fn killed_anywhere(cluster: &Running, database: &'static str, kills: u32) {
    let mut dice = Dice::new();
    let victim = Victim::new(cluster, database);
    let (whole, records) = undisturbed(&victim);
    println!("an undisturbed run takes {whole} ms and writes {records} records");
    for number in 0..kills {
        let tool = Tool::new(cluster);
        let key = victim.plan(&tool);
        tool.approve(&["start", "cutover", "finalize"]);
        if number % 2 == 0 {
            kill_after(&tool, &["execute", PLAN], dice.slot(whole, number, kills));
        } else {
            kill_at_record(&tool, &["execute", PLAN], dice.slot(records, number, kills), dice.below(20));
        }
        if dice.below(5) < 2 {
            kill_after(&tool, &["execute", PLAN], dice.below(whole / 2));
        }
        until_done(&tool, &["execute", PLAN]);
        victim.assert_finalized(&tool, key);
    }
}

#[test]
fn a_run_killed_anywhere_goes_on() {
    killed_anywhere(&End::Old.shared(), "killed", KILLS);
}

#[test]
fn a_run_over_plain_tables_killed_anywhere_goes_on() {
    killed_anywhere(single(), "killed_plain", KILLS_PLAIN);
}

#[test]
fn a_run_on_the_new_end_killed_anywhere_goes_on() {
    killed_anywhere(&End::New.shared(), "killed_new", KILLS_NEW);
}

on_both_ends! {
    shared: a_rollback_killed_anywhere_goes_on, an_interrupt_ends_a_run_that_can_be_taken_up;
    alone: a_replica_that_hangs_for_a_while_holds_a_run_up_and_no_more,
        a_server_that_dies_in_the_backfill_is_restarted_and_the_run_goes_on;
}

fn a_rollback_killed_anywhere_goes_on(cluster: &Running) {
    let mut dice = Dice::new();
    let victim = Victim::new(cluster, "killed_rollback");
    let (key, before) = (victim.key(), definitions(cluster, victim.database));
    let tool = Tool::new(cluster);
    victim.plan(&tool);
    tool.approve(&["start", "cutover"]);
    let (began, waits) = (Instant::now(), tool.run(&["execute", PLAN]));
    assert_eq!(waits.code, Some(4), "{waits}");
    let forward = milliseconds(began);
    let began = Instant::now();
    tool.expect(0, &["rollback", PLAN]);
    let back = milliseconds(began);
    for number in 0..KILLS_OF_ROLLBACK {
        tool.approve(&["start", "cutover"]);
        if number % 2 == 0 {
            tool.expect(4, &["execute", PLAN]);
            kill_after(&tool, &["rollback", PLAN], dice.slot(back, number, KILLS_OF_ROLLBACK));
        } else {
            kill_after(&tool, &["execute", PLAN], dice.slot(forward, number, KILLS_OF_ROLLBACK));
            kill_after(&tool, &["rollback", PLAN], dice.below(back));
        }
        until_done(&tool, &["rollback", PLAN]);
        assert_eq!(victim.key(), key);
        assert_eq!(definitions(cluster, victim.database), before);
        victim.assert_whole();
    }
}

fn an_interrupt_ends_a_run_that_can_be_taken_up(cluster: &Running) {
    let victim = Victim::new(cluster, "interrupted");
    let tool = Tool::new(cluster);
    let key = victim.plan(&tool);
    tool.approve(&["start", "cutover", "finalize"]);
    for moment in [300, 900] {
        let run = tool.start(&["execute", PLAN]);
        sleep(Duration::from_millis(moment));
        run.signal(Signal::INT);
        let ran = run.end();
        assert_ne!(ran.code, Some(0), "{ran}");
    }
    until_done(&tool, &["execute", PLAN]);
    victim.assert_finalized(&tool, key);
}

fn a_replica_that_hangs_for_a_while_holds_a_run_up_and_no_more(cluster: &Running) {
    let victim = Victim::new(cluster, "paused");
    for (number, id) in first_and_last(cluster).into_iter().enumerate() {
        let tool = Tool::new(cluster);
        let key = victim.plan(&tool);
        tool.approve(&["start", "cutover", "finalize"]);
        let run = tool.start(&["execute", PLAN]);
        sleep(Duration::from_millis(500 + 700 * number as u64));
        block_on(cluster.pause(Member::Replica(id))).unwrap();
        sleep(Duration::from_secs(3));
        cluster.resume(Member::Replica(id)).unwrap();
        let ran = run.end();
        println!("{id} hung: {:?}", ran.code);
        if ran.code != Some(0) {
            until_done(&tool, &["execute", PLAN]);
        }
        victim.assert_finalized(&tool, key);
    }
}

fn a_server_that_dies_in_the_backfill_is_restarted_and_the_run_goes_on(cluster: &Running) {
    let victim = Victim::new(cluster, "server_died");
    // With Keeper a killed replica waits for its last session to end, half a minute: there it is the one that has the lock alone.
    let victims = first_and_last(cluster).into_iter().take(if cluster.replicates() { 1 } else { 2 });
    for id in victims {
        let tool = Tool::new(cluster);
        let key = victim.plan(&tool);
        tool.approve(&["start", "cutover", "finalize"]);
        let run = tool.start(&["execute", PLAN]);
        await_step(&tool, "backfill.s1", "started");
        block_on(cluster.kill(Member::Replica(id))).unwrap();
        let ran = run.end();
        assert!(matches!(ran.code, Some(1 | 8)), "{ran}");
        assert!(ran.stderr.contains(&id.to_string()), "the replica is named: {ran}");
        block_on(cluster.start(Member::Replica(id))).unwrap();
        until_done(&tool, &["execute", PLAN]);
        victim.assert_finalized(&tool, key);
    }
}

fn first_and_last(cluster: &Running) -> [ReplicaId; 2] {
    let ids = cluster.ids();
    [ids[0], ids[ids.len() - 1]]
}

/// Waits until the journal shows a step in a state.
#[track_caller]
fn await_step(tool: &Tool, step: &str, state: &str) {
    for _ in 0..500 {
        let status = tool.status();
        let is_there = |one: &serde_json::Value| one["id"] == step && one["state"] == state;
        if status["steps"].as_array().expect("steps").iter().any(is_there) {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("{step} never was {state}: {}", tool.status());
}
