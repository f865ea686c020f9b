//! Finalize: drop the old data and what led rows from shard to shard, and see that nothing is left.

use super::super::blueprint::ShardSite;
use super::super::finalize::{check, step};
use super::site::Site;
use super::tables::drop_routes;
use crate::plan::probes;
use crate::plan::step::Step;
use crate::plan::work::Run;

pub(super) fn steps(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Vec<Step> {
    vec![routes(site, shard), old_data(site, shard), nothing_left(site, shard)]
}

fn old_data(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let (blueprint, shadow) = (site.blueprint, &site.tables.shadow);
    let run = Run {
        on: shard.replicas.clone(),
        // The name must still mean the old data: dropping the live table is the one thing that must never happen.
        before: [site.is(&blueprint.objects.source, true, shard.num), site.is_none_or(shadow, false, shard.num)]
            .into_iter()
            .chain(blueprint.shadow_can_go())
            .collect(),
        sql: vec![blueprint.drop_table(shadow)],
        after: vec![probes::absent(&[shadow])],
    };
    step(shard, "old", "drop the old data", "The new table has taken its place.", vec![run])
}

fn routes(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let next = &site.tables.next;
    let mut runs = site.runs_over(Some(shard), |id, over| Run {
        on: Vec::new(),
        before: [Site::spreads(over, &site.distributed, true)].into_iter().chain(site.next_can_go(id)).collect(),
        sql: vec![site.blueprint.drop_table(next)],
        after: vec![probes::absent(&[next])],
    });
    runs.extend(drop_routes(site, shard));
    let why = "The Distributed table with the old key has sent all that was queued in it, and nothing is sent from shard to shard any more.";
    step(shard, "routes", "drop the Distributed tables of before", why, runs)
}

fn nothing_left(site: &Site<'_, '_>, shard: &ShardSite<'_>) -> Step {
    let mut probes = site.absent();
    probes.push(site.is(&site.blueprint.objects.source, true, shard.num));
    check(site.blueprint, shard, probes)
}
