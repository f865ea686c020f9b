//! A second executor in each phase, on the same machine and on another one: it is refused, and the first goes on.

use std::sync::atomic::Ordering;

use super::outages::{Met, Walk};
use super::site::Site;
use super::spots::Way;
use super::{Row, Told};
use crate::harness::Running;
use crate::lock::{copy, elsewhere};
use crate::tool::{PLAN, Ran, Tool};

/// The program's exit code where another run holds the lock.
const LOCKED: i32 = 7;

/// A plan that meets a second executor in each phase. The codes are those of the second ones, then that of the first.
pub(super) fn meet(cluster: &Running, way: Way) -> Told {
    let site = Site::new(cluster, &format!("faults_second_{}", way.name()));
    let ending = site.ready(way);
    let mut walk = Walk::new(&site.line, way);
    let mut told = Told::default();
    loop {
        match walk.next(&site.line) {
            Met::Phase(phase, go) => {
                let there = Tool::new(cluster);
                copy(&site.line.tool, &there);
                let seconds = [
                    there.run(&["execute", PLAN]),
                    elsewhere(&there, &["execute", PLAN]).end(),
                    elsewhere(&there, &["rollback", PLAN]).end(),
                    site.line.tool.run(&["execute", PLAN]),
                ];
                let codes: Vec<_> = seconds.iter().map(|ran| ran.code).collect();
                // Past the point of no return a rollback is refused for that reason.
                let is_refused = |ran: &&Ran| ran.code == Some(LOCKED) || ran.stderr.contains("cannot be undone");
                told.faults.extend(seconds.iter().filter(|ran| !is_refused(ran)).map(ToString::to_string));
                told.rows.push(Row { codes, ..Row::new("second", phase) });
                go.store(true, Ordering::SeqCst);
            }
            Met::End(ran) => {
                told.faults.extend((ran.code != Some(0)).then(|| ran.to_string()));
                break;
            }
        }
    }
    site.line.proxy.calm();
    let faults = site.close(ending);
    let outcome = if faults.is_empty() { "refused; the first went on, all rows exact" } else { "FAULTS" };
    told.rows.iter_mut().for_each(|row| outcome.clone_into(&mut row.outcome));
    told.faults.extend(faults);
    told
}
