//! Backfill: every row is sent to the shard of the new key, while writers write.

use super::super::blueprint::{Blueprint, ShardSite};
use super::super::{copy, estimate, landing};
use super::over_all;
use super::site::{self, Site};
use crate::names::{ReplicaId, TableName};
use crate::plan::sql;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::step_id::StepId;
use crate::plan::template::Template;
use crate::plan::work::{Last, ProbeOn, Redistribute};
use crate::snapshot::Capability;

pub(super) fn id() -> StepId {
    over_all(Phase::Backfill)
}

pub(super) fn step(site: &Site<'_, '_>) -> Step {
    let (blueprint, tables) = (site.blueprint, &site.tables);
    Step {
        id: id(),
        phase: Phase::Backfill,
        shard: None,
        title: "send every row to the shard of the new key".to_owned(),
        why: format!(
            "Partition by partition, each shard sends its rows by {}. Then all shards are looked at again, and rows that came in meanwhile are \
             sent, until few are left for the time in which writers are still.",
            tables.route
        ),
        action: Action::Redistribute(Box::new(redistribute(site, true, unswapped(site), None))),
        undo: Undo::Nothing { because: format!("{} is dropped as a whole when its creation is undone", tables.shadow) },
        cost: cost(blueprint),
    }
}

/// Holds while each name means what it did when the plan was made, so that what is sent and dropped is of the right table.
pub(super) fn unswapped(site: &Site<'_, '_>) -> Vec<ProbeOn> {
    let (blueprint, shadow) = (site.blueprint, &site.tables.shadow);
    let on = |shard: &ShardSite<'_>| -> Vec<ProbeOn> {
        let probes = |id: &ReplicaId| {
            [blueprint.source_unchanged(*id), site.is(shadow, true, shard.num)]
                .map(|probe| ProbeOn { on: vec![*id], probe })
        };
        shard.replicas.iter().flat_map(probes).collect()
    };
    blueprint.shards.iter().flat_map(on).collect()
}

/// Each row is read, sent and written once, and looked at on both sides.
fn cost(blueprint: &Blueprint<'_>) -> Cost {
    let each = || blueprint.shards.iter().map(|shard| (estimate::copy(shard), estimate::compare(shard)));
    Cost {
        rows: each().map(|(copy, _)| copy.rows).sum(),
        bytes: each().map(|(copy, _)| copy.bytes).sum(),
        seconds: each().map(|(copy, compare)| copy.seconds + compare.seconds).max().unwrap_or(0),
    }
}

/// Rows go from the live name to the shadow's name, by the new key or by the old one.
pub(super) fn redistribute(
    site: &Site<'_, '_>,
    forward: bool,
    before: Vec<ProbeOn>,
    last: Option<Last>,
) -> Redistribute {
    let (blueprint, tables) = (site.blueprint, &site.tables);
    let (source, shadow) = (&blueprint.objects.source, &tables.shadow);
    let to = if forward { &tables.route } else { &tables.back };
    let (whole, hash) = (blueprint.row_hash(), sent_hash(blueprint));
    let partition = partition(blueprint);
    let columns = sql::column_list(site::sent(blueprint));
    let insert = format!("INSERT INTO {} ({columns}) {}SELECT {columns} FROM ", to.sql(), settings(blueprint));
    let of_partition = |table: &TableName| format!("{} WHERE {partition} = ", table.sql());
    let digests = |table: &TableName| {
        let select = format!("SELECT {partition}, {}", sql::digest(&whole));
        Template::text(&format!("{select} FROM {} WHERE {partition} IN (", table.sql()))
            .hole("partitions", &format!(") GROUP BY {partition} ORDER BY {partition}"))
    };
    let lacking = lacking(blueprint, &tables.gather, to);
    Redistribute {
        on: blueprint.replicas(),
        homes: blueprint.shards.iter().map(|shard| shard.home).collect(),
        before,
        drains: blueprint.shards.iter().map(|shard| landing::drain(blueprint, shard)).collect(),
        signals: blueprint.shards.iter().flat_map(|shard| copy::signals(blueprint, shard)).collect(),
        parts: [source, shadow].map(sql::list_parts),
        digests: [source, shadow].map(digests),
        copy: Template::new(&format!("{insert}{}", of_partition(source)), ""),
        lacking: times(&lacking),
        send: Template::new(
            &format!("{insert}{}", of_partition(&tables.gather)),
            &format!(" AND {hash} GLOBAL IN (SELECT __sw_h FROM ("),
        )
        .then(&lacking)
        .then(&Template::text(") WHERE __sw_d = "))
        .hole("times", ") LIMIT ")
        .hole("times", &format!(" BY {hash}")),
        clear: forward.then(|| sql::drop_partition(shadow)),
        last,
    }
}

/// What the shadow's name has and the live name lacks.
pub(super) fn behind(site: &Site<'_, '_>) -> Template {
    times(&lacking(site.blueprint, &site.tables.route, &site.tables.gather))
}

fn times(lacking: &Template) -> Template {
    Template::text("SELECT __sw_d, count() FROM (")
        .then(lacking)
        .then(&Template::text(") GROUP BY __sw_d ORDER BY __sw_d"))
}

/// Hashes of rows that one table has more often than another, over all shards, and by how much.
fn lacking(blueprint: &Blueprint<'_>, from: &TableName, to: &TableName) -> Template {
    let (hash, partition) = (sent_hash(blueprint), partition(blueprint));
    let side = |table: &TableName, marks: &str| {
        Template::new(
            &format!("SELECT {hash} AS __sw_h, {marks} FROM {} WHERE {partition} = ", table.sql()),
            &format!(" AND {hash} % "),
        )
        .hole("buckets", " = ")
        .hole("bucket", "")
    };
    Template::text("SELECT __sw_h, sum(__sw_s) - sum(__sw_m) AS __sw_d FROM (")
        .then(&side(from, "1 AS __sw_s, 0 AS __sw_m"))
        .then(&Template::text(" UNION ALL "))
        .then(&side(to, "0 AS __sw_s, 1 AS __sw_m"))
        .then(&Template::text(") GROUP BY __sw_h HAVING sum(__sw_s) > sum(__sw_m)"))
}

fn partition(blueprint: &Blueprint<'_>) -> &'static str {
    sql::partition_id_of_row(blueprint.all_have(Capability::PartitionIdColumn))
}

/// A hash of what is sent of a row. What is computed anew where it arrives is compared with the rest of it.
fn sent_hash(blueprint: &Blueprint<'_>) -> String {
    sql::row_hash(site::sent(blueprint), &blueprint.types, blueprint.all_have(Capability::HashesAnyType))
}

fn settings(blueprint: &Blueprint<'_>) -> String {
    let given = blueprint.insert_settings();
    if !blueprint.all_have(Capability::DistributedInsertSelect) {
        return given.to_owned();
    }
    let before = if given.is_empty() { "SETTINGS ".to_owned() } else { format!("{}, ", given.trim_end()) };
    // Else each shard would keep its own rows.
    format!("{before}parallel_distributed_insert_select = 0 ")
}
