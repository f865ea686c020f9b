//! Shards wait for each other before the swap, and somebody steps in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::outages::PHASE_MAX;
use super::proxy::{Deed, Request};
use super::site::Line;
use super::spots::prefix;
use crate::harness::{Running, on_both_ends};
use crate::tool::PLAN;
use crate::victim::Victim;
use crate::world::sync;

const DATABASE: &str = "faults_waits";
const ROWS_A_SHARD: u32 = 20_000;

on_both_ends! { alone: a_shard_in_which_rows_go_while_it_waits_is_compared_again; }

/// The mirror does not drop partitions: the new table would go on with what was dropped, and the run would end with 6 after the swap.
fn a_shard_in_which_rows_go_while_it_waits_is_compared_again(cluster: &Running) {
    let mut victim = Victim::of(cluster, DATABASE, ROWS_A_SHARD);
    let line = Line::new(cluster);
    let (key_before, key_after) = (victim.key(), victim.plan(&line.tool));
    line.tool.approve(&["start", "cutover", "finalize"]);
    let prefix = prefix(&line.tool.plan_json(), "cutover.ready");
    let (reached, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (here, held) = (Arc::clone(&reached), Arc::clone(&go));
    line.proxy.plot(move |request: &Request| {
        let is_first = request.query_id.starts_with(&prefix) && !here.swap(true, Ordering::SeqCst);
        if is_first { Deed::Hold(Arc::clone(&held)) } else { Deed::Pass }
    });
    let (mut run, began) = (line.start(&["execute", PLAN]), Instant::now());
    while !reached.load(Ordering::SeqCst) && !run.has_ended() {
        assert!(began.elapsed() < PHASE_MAX, "the step is not reached within {PHASE_MAX:?}");
        sleep(Duration::from_millis(5));
    }
    cluster.query(cluster.ids()[0], &format!("ALTER TABLE {DATABASE}.t DROP PARTITION 1"));
    sync(cluster, &[&format!("{DATABASE}.t")]);
    assert_eq!(victim.key(), key_before, "no name is swapped yet");
    victim.rows = Victim::look(cluster, DATABASE);
    go.store(true, Ordering::SeqCst);
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{ran}");
    for said in [
        "attempt 1 came to nothing: cutover.ready: while shards waited for each other rows were deleted or altered in the partitions 1 of the source on s1r1",
        "cutover.verify.s1      is done again: rows were deleted or altered since",
    ] {
        assert!(ran.stderr.contains(said), "{said:?} is not in {ran}");
    }
    assert!(ran.stderr.contains(" were put right in the partitions 1 ("), "{ran}");
    assert_eq!(ran.stderr.matches("is done again").count(), 1, "the other shard is as it was: {ran}");
    victim.assert_finalized(&line.tool, key_after);
}
