//! `demo`, told to its end on either end of what the product is for, and cut short.

use rustix::process::Signal;

use crate::machine::processes_in;
use crate::tool::Tool;

const ROWS: &str = "100000";
const SANDBOX: &str = ".shardwright/demo";

fn is_told(engine: &str, servers: usize) {
    let tool = Tool::without_cluster();
    let _supervisor = tool.supervise("demo");
    let ran = tool.expect(0, &["demo", "--engine", engine, "--rows", ROWS]);
    assert!(ran.stderr.contains("\nEvery check held."), "{ran}");
    let checks = ran.stderr.lines().filter(|line| line.starts_with("held: ")).count();
    assert_eq!(checks, 10, "{ran}");
    let unchanged = format!("partitions on {servers} servers are what they were");
    assert_eq!(ran.stderr.matches(&unchanged).count(), 2, "after the rollback and in the end: {ran}");
    assert_nothing_runs(&tool);
    for file in ["plan.json", "plan.json.journal.jsonl", "plan.md", "plan.html"] {
        assert!(tool.dir().join(SANDBOX).join(file).exists(), "{file} stays");
    }
}

#[track_caller]
fn assert_nothing_runs(tool: &Tool) {
    assert_eq!(processes_in(tool.dir()), Vec::<u32>::new());
    assert!(!tool.dir().join(SANDBOX).join("state.json").exists());
}

#[test]
fn on_the_old_end() {
    is_told("debian", 4);
}

#[test]
fn on_the_new_end() {
    is_told("chdb", 2);
}

#[test]
fn a_signal_at_any_time_leaves_no_process_behind() {
    for (moment, signal) in [
        ("starting s2r1", Signal::INT),
        ("rows through app.events", Signal::TERM),
        ("copy the snapshot into the shadow table", Signal::INT),
        ("undoing: ", Signal::HUP),
    ] {
        let tool = Tool::without_cluster();
        let _supervisor = tool.supervise("demo");
        let mut run = tool.start(&["demo", "--rows", ROWS]);
        run.await_words(moment);
        run.signal(signal);
        let ran = run.end();
        assert_eq!(ran.code, Some(1), "{moment}: {ran}");
        assert!(ran.stderr.contains("error: interrupted"), "{moment}: {ran}");
        assert_nothing_runs(&tool);
    }
}
