//! SW069: values are destroyed.

use crate::alter::Back;
use crate::assess::{AlterCase, Finding};

pub(super) const CODE: &str = "SW069";

/// The plan has a gate before it, and a reviewer reads it here.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let stages = case.alter.orders.iter().filter(|order| order.is_local).flat_map(|order| &order.stages);
    let mut gone: Vec<&String> =
        stages.filter_map(|stage| if let Back::Gone(why) = &stage.back { Some(why) } else { None }).collect();
    gone.dedup();
    let finding = |why: &&String| {
        Finding::hazard(
            CODE,
            format!("{} cannot be taken back: {why}", case.alter.change.table),
            "no rollback brings them back; the gate `finalize` stands before it, and all that can be undone is done before the gate",
            "have a backup (FREEZE makes one by hard links), and let the gate wait until nobody misses anything",
        )
    };
    gone.iter().take(1).map(finding).collect()
}
