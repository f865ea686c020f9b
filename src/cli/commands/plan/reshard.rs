//! Plans for another sharding key.

use super::super::super::args::Plan as Args;
use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::{target, unblocked};
use crate::assess::{self, Case, Finding};
use crate::change::{Change, Sharding, Wanted};
use crate::plan::{self, Fence, Plan, Reshard, definition};
use crate::snapshot::Snapshot;

/// The finding that forbids it.
const REFUSED: &str = "SW080";

pub(super) fn plan(
    snapshot: &Snapshot,
    change: &Change,
    args: &Args,
    accepted: &[(String, String)],
) -> Result<Plan, Failure> {
    build(snapshot, change, args.fence.into(), |case| unblocked(assess::assess(case), &change.table, accepted))
}

/// The same change once more, on another cluster with tables of the same definitions.
pub(in super::super) async fn again(
    connected: &Connected,
    snapshot: &Snapshot,
    plan: &Plan,
    reshard: &Reshard,
) -> Result<Plan, Failure> {
    let name = &reshard.distributed;
    let found = snapshot.replicas.keys().find_map(|id| Some((*id, snapshot.table(*id, name)?)));
    let Some((on, table)) = found else { return Err(Failure::new(format!("no replica has {name}"))) };
    let live = definition::live(table).map_err(|error| Failure::of(&error))?;
    let key = target::sharding_key(connected, name, &live, &reshard.after, on).await?;
    let sharding = Some(Sharding { distributed: name.clone(), key });
    let change = Change {
        statement: plan.change.statement.clone(),
        table: plan.objects.source.clone(),
        distributed: plan.objects.distributed.clone(),
        wanted: Wanted { sharding, ..Wanted::default() },
    };
    // Whatever else was found was found where the plan was made.
    build(snapshot, &change, Fence::Manual, |case| {
        match assess::assess(case).into_iter().find(|found| found.code == REFUSED) {
            Some(refused) => {
                Err(Failure::new(refused.what).hint("rehearse it on servers that are more like the plan's own"))
            }
            None => Ok(Vec::new()),
        }
    })
}

/// The definition of the local table is its own target: only where its rows are changes.
fn build(
    snapshot: &Snapshot,
    change: &Change,
    fence: Fence,
    findings: impl FnOnce(&Case<'_>) -> Result<Vec<Finding>, Failure>,
) -> Result<Plan, Failure> {
    let local = snapshot.replicas.keys().find_map(|id| snapshot.table(*id, &change.table));
    let (Some(target), Some(sharding)) = (local, &change.wanted.sharding) else {
        return Err(Failure::new(format!("no replica has {}", change.table)));
    };
    let case = Case { snapshot, change, target, written: None, evaluation: None };
    let findings = findings(&case)?;
    plan::build_reshard(&case, sharding, findings, fence).map_err(|error| Failure::of(&error))
}
