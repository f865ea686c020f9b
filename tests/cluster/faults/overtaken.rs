//! An insert that a swap overtakes: it looked up the name before and its views after, so its rows are in the old data twice and never
//! in the new. That moment is rare, so the swap is held right behind the first replica's, and what such inserts leave is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::outages::PHASE_MAX;
use super::proxy::{Deed, Request};
use super::site::Site;
use super::spots::Way;
use super::{Row, Told};
use crate::harness::Running;

/// A plan on its way, forward or back.
pub(super) fn meet(cluster: &Running, way: Way) -> Told {
    let mut site = Site::new(cluster, &format!("faults_overtaken_{}", way.name()));
    let ending = site.ready(way);
    let (held, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (seen, flag, home) = (Arc::clone(&held), Arc::clone(&go), cluster.ids()[0]);
    let mut is_swapped = false;
    site.line.proxy.plot(move |request: &Request| {
        if request.on != home || flag.load(Ordering::SeqCst) {
            return Deed::Pass;
        }
        if ["RENAME TABLE", "EXCHANGE TABLES"].iter().any(|swap| request.sql.starts_with(swap)) {
            is_swapped = true;
            return Deed::Pass;
        }
        if is_swapped {
            seen.store(true, Ordering::SeqCst);
            return Deed::Hold(Arc::clone(&flag));
        }
        Deed::Pass
    });
    let run = site.line.start(&way.command());
    let began = Instant::now();
    while !held.load(Ordering::SeqCst) && began.elapsed() < PHASE_MAX {
        sleep(Duration::from_millis(20));
    }
    let mut told = Told::default();
    if held.load(Ordering::SeqCst) {
        site.overtake();
    } else {
        told.faults.push("no name was swapped".to_owned());
    }
    go.store(true, Ordering::SeqCst);
    let ran = run.end();
    told.faults.extend((ran.code != Some(0)).then(|| ran.to_string()));
    site.line.proxy.calm();
    let faults = site.close(ending);
    let outcome = if faults.is_empty() { "all rows exact" } else { "FAULTS" }.to_owned();
    told.rows.push(Row { codes: vec![ran.code], outcome, ..Row::new("overtaken", format!("the swap on {home}")) });
    told.faults.extend(faults);
    told
}
