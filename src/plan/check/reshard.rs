//! What must hold of a change of sharding key alone.

use std::collections::BTreeSet;

use super::super::{Action, Feed, Last, Phase, Plan, Redistribute, Reshard, ReshardTables, Step, Undo, sql};
use super::rebuild::places;
use super::verb_and_target;
use crate::names::{ReplicaId, TableName};

/// What a step brings over.
struct Bringing<'p> {
    work: &'p Redistribute,
    /// On the way back rows go to the old data, which is not the plan's own.
    is_back: bool,
}

/// Objections to a change of sharding key.
pub(super) fn check(plan: &Plan, reshard: &Reshard, objections: &mut Vec<String>) {
    if !plan.objects.distributed.contains(&reshard.distributed) {
        objections.push(format!("{} is no Distributed table over {}", reshard.distributed, plan.objects.source));
    }
    for step in &plan.steps {
        statements(plan, reshard, step, objections);
        for bringing in bringings(step) {
            sending(plan, &reshard.tables, step, &bringing, objections);
        }
    }
    coverage(plan, objections);
    swap(plan, reshard, objections);
}

/// Nothing but the plan's own tables is made or dropped, and nothing of them is dropped before the point of no return but by an undo.
fn statements(plan: &Plan, reshard: &Reshard, step: &Step, objections: &mut Vec<String>) {
    let own: Vec<String> = reshard.tables.all().iter().map(|table| table.sql()).collect();
    let forward = step.action.runs().iter().map(|run| (run, matches!(step.undo, Undo::Impossible { .. })));
    let lasts: Vec<&Last> = bringings(step).filter_map(|bringing| bringing.work.last.as_ref()).collect();
    let swaps = lasts.iter().flat_map(|last| last.runs.iter().chain(&last.finish));
    let others = lasts.iter().flat_map(|last| last.flush.iter().chain(&last.renew)).flat_map(|run| &run.sql);
    let may_drop = step.phase == Phase::Create;
    let undone = step.undo.runs().iter().map(|run| (run, may_drop));
    let runs = forward.chain(undone).chain(swaps.map(|run| (run, false)));
    for (run, may_drop) in runs {
        for sql in &run.sql {
            let (verb, target) = verb_and_target(sql);
            let of_ours = target.as_ref().is_some_and(|target| own.contains(target));
            if !of_ours && !is_swap(plan, reshard, sql) {
                objections.push(format!("{} changes something other than the plan's own tables: {sql}", step.id));
            }
            if verb == "DROP" && !may_drop {
                objections.push(format!("{} drops a table before the point of no return", step.id));
            }
        }
    }
    for sql in others.filter(|sql| !is_harmless(plan, reshard, sql)) {
        objections.push(format!("{} changes something other than the plan's own tables: {sql}", step.id));
    }
}

/// Whether a statement swaps a live name with the one that stands ready for it.
fn is_swap(plan: &Plan, reshard: &Reshard, sql: &str) -> bool {
    let tables = &reshard.tables;
    let pairs =
        [[&plan.objects.source, &tables.shadow, &tables.swap], [&reshard.distributed, &tables.next, &tables.swap_next]];
    pairs.map(|pair| pair.map(TableName::sql)).iter().any(|[live, own, between]| {
        sql == format!("EXCHANGE TABLES {live} AND {own}")
            || sql == format!("RENAME TABLE {live} TO {between}, {own} TO {live}, {between} TO {own}")
    })
}

/// Whether a statement writes a queue out, or has a server look at a `Distributed` table anew.
fn is_harmless(plan: &Plan, reshard: &Reshard, sql: &str) -> bool {
    let flushes = |table: &TableName| sql == format!("SYSTEM FLUSH DISTRIBUTED {}", table.sql());
    let renews = |table: &TableName| {
        let name = table.sql();
        sql == format!("DETACH TABLE IF EXISTS {name}") || sql == format!("ATTACH TABLE IF NOT EXISTS {name}")
    };
    plan.objects.distributed.iter().any(flushes) || [&reshard.distributed, &reshard.tables.next].into_iter().any(renews)
}

/// What a step brings over, forward and back.
fn bringings(step: &Step) -> impl Iterator<Item = Bringing<'_>> {
    let back = match &step.undo {
        Undo::Run { then, .. } => then.as_slice(),
        Undo::Nothing { .. } | Undo::Impossible { .. } => &[],
    };
    let all = std::iter::once((&step.action, false)).chain(back.iter().map(|action| (action, true)));
    all.filter_map(|(action, is_back)| match action {
        Action::Redistribute(work) => Some(Bringing { work, is_back }),
        _ => None,
    })
}

/// By the new key rows go to the plan's own table, which may be emptied; by the old one to the old data, which is never. Every replica is
/// looked at, and the rows of each shard count once.
fn sending(plan: &Plan, tables: &ReshardTables, step: &Step, bringing: &Bringing<'_>, objections: &mut Vec<String>) {
    let work = bringing.work;
    let to = if bringing.is_back { &tables.back } else { &tables.route };
    let mut changes = vec![(work.copy.to_string(), to), (work.send.to_string(), to)];
    if bringing.is_back && work.clear.is_some() {
        objections.push(format!("{} may empty the old data on its way back", step.id));
    }
    changes.extend(work.clear.iter().map(|clear| (clear.to_string(), &tables.shadow)));
    for (sql, table) in changes {
        if verb_and_target(&sql).1 != Some(table.sql()) {
            objections.push(format!("{} is to change {table}, but changes something else: {sql}", step.id));
        }
    }
    let asked = work.digests.iter().chain([&work.lacking]).chain(work.last.iter().map(|last| &last.behind));
    let asked = asked.map(ToString::to_string).chain(work.parts.iter().cloned());
    for sql in asked.filter(|sql| verb_and_target(sql).0 != "SELECT") {
        objections.push(format!("{} is to look, but does something: {sql}", step.id));
    }
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    if work.on.iter().copied().collect::<BTreeSet<_>>() != all {
        objections.push(format!("{} does not compare every replica", step.id));
    }
    for (side, table) in [&plan.objects.source, &tables.shadow].into_iter().enumerate() {
        let reads = work.digests[side].to_string().contains(&format!(" FROM {} WHERE ", table.sql()));
        if !reads || work.parts[side] != sql::list_parts(table) {
            objections.push(format!("{} does not look at {table} on its side", step.id));
        }
    }
    if work.before.is_empty() || work.drains.is_empty() {
        objections.push(format!("{} asks for nothing before it begins, or waits for nothing", step.id));
    }
    let shards: BTreeSet<u32> = all.iter().map(|id| id.shard).collect();
    let homes: BTreeSet<u32> = work.homes.iter().map(|id| id.shard).collect();
    if homes != shards || work.homes.len() != shards.len() || !work.homes.iter().all(|home| all.contains(home)) {
        objections.push(format!("{} does not count the rows of each shard once", step.id));
    }
    let feeds = work.last.iter().flat_map(|last| &last.feeds);
    let is_stream = |feed: &&Feed| {
        let table = feed.stop.strip_prefix("DETACH TABLE ");
        table.is_some() && table == feed.start.strip_prefix("ATTACH TABLE ")
    };
    if let Some(feed) = feeds.into_iter().find(|feed| !is_stream(feed)) {
        objections.push(format!("{} stops something that it does not start again: {}", step.id, feed.stop));
    }
}

/// Every replica is looked at, gets the new table and the swap, and everything made is dropped in the end and by undoing.
fn coverage(plan: &Plan, objections: &mut Vec<String>) {
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    for phase in [Phase::Preflight, Phase::Create, Phase::Backfill, Phase::Cutover, Phase::Reconcile, Phase::Finalize] {
        let reached: BTreeSet<ReplicaId> =
            plan.steps.iter().filter(|step| step.phase == phase).flat_map(|step| step.action.replicas()).collect();
        for id in all.difference(&reached) {
            objections.push(format!("the phase {phase} leaves out {id}"));
        }
    }
    let made = places(plan.steps.iter().flat_map(|step| step.action.runs()), "CREATE");
    let last = plan.steps.iter().filter(|step| step.phase == Phase::Finalize);
    let dropped = places(last.flat_map(|step| step.action.runs()), "DROP");
    let taken_back = places(plan.steps.iter().flat_map(|step| step.undo.runs()), "DROP");
    for (table, id) in &made {
        for (gone, how) in [(&dropped, "never dropped"), (&taken_back, "dropped by no undo")] {
            if !gone.contains(&(table.clone(), *id)) {
                objections.push(format!("{table} is made on {id} and {how}"));
            }
        }
    }
}

/// Names are swapped in one step, on every replica, with both tables compared there; and that step has a way back that brings rows back.
fn swap(plan: &Plan, reshard: &Reshard, objections: &mut Vec<String>) {
    let all: BTreeSet<ReplicaId> = plan.cluster.replicas.iter().map(|replica| replica.id).collect();
    let swapping: Vec<&Step> = plan.steps.iter().filter(|step| super::rebuild::swaps(plan, step)).collect();
    let [step] = swapping.as_slice() else {
        objections.push(format!("names are swapped by {} steps, not by one", swapping.len()));
        return;
    };
    let made = places(plan.steps.iter().flat_map(|step| step.action.runs()), "CREATE");
    let next = reshard.tables.next.sql();
    let over = made.into_iter().filter(|(table, _)| *table == next).map(|(_, id)| id).collect();
    for Bringing { work, .. } in bringings(step) {
        let Some(last) = &work.last else {
            objections.push(format!("{} sends rows and does not swap", step.id));
            continue;
        };
        for (table, wanted) in [(&plan.objects.source, &all), (&reshard.distributed, &over)] {
            let name = table.sql();
            let swaps_it = |sql: &String| verb_and_target(sql).1.as_ref() == Some(&name);
            let runs = last.runs.iter().filter(|run| run.sql.iter().any(swaps_it));
            let swapped: BTreeSet<ReplicaId> = runs.flat_map(|run| run.on.clone()).collect();
            for id in wanted.difference(&swapped) {
                objections.push(format!("{} does not swap {table} on {id}", step.id));
            }
        }
    }
    let finished =
        |bringing: &Bringing<'_>| bringing.work.last.as_ref().map(|last| (last.runs.clone(), last.finish.clone()));
    let (there, back): (Vec<_>, Vec<_>) = bringings(step).partition(|bringing| !bringing.is_back);
    if let (Some(Some((runs, _))), Some(Some((_, finish)))) = (there.first().map(finished), back.first().map(finished))
        && runs != finish
    {
        objections.push(format!("{} goes back from another swap than its own", step.id));
    }
    if bringings(step).count() != 2 {
        objections.push(format!("{} has no way back that brings rows back", step.id));
    }
}
