//! A negative control under writers: the mirror goes right after the boundary, and the comparison must notice.

use super::RUNS_MAX;
use super::site::{Ending, Site};
use super::spots::Way;
use crate::harness::{Running, on_both_ends};
use crate::tool::PLAN;
use crate::world::everywhere;

on_both_ends! { alone: rows_that_no_mirror_writes_are_noticed; }

fn rows_that_no_mirror_writes_are_noticed(cluster: &Running) {
    let site = Site::new(cluster, "faults_without_mirror");
    site.ready(Way::Forward);
    let tool = &site.line.tool;
    let copied = (0..RUNS_MAX).any(|_| tool.run(&["execute", PLAN, "--until", "cutover"]).code == Some(0));
    assert!(copied, "not after {RUNS_MAX} runs");
    everywhere(cluster, &["DROP TABLE faults_without_mirror.t__sw_mirror"]);
    site.more_inserts();
    let found = tool.expect(6, &["verify", PLAN]);
    assert!(found.stderr.contains("the shadow table lacks"), "{found}");
    // Where it puts right what came in and finds no more, it looks for the mirror before it swaps; else rows go on to differ.
    let stopped = tool.run(&["execute", PLAN]);
    assert!(matches!(stopped.code, Some(5 | 6)), "{stopped}");
    tool.expect(0, &["rollback", PLAN]);
    let faults = site.close(Ending::RolledBack);
    assert!(faults.is_empty(), "{faults:#?}");
}
