//! Backfill, sync and verify: how the rows come into the shadow table, and the proof that they did.

use super::blueprint::{Blueprint, ShardSite};
use super::{comparison, estimate, landing, settle, step_id};
use crate::catalog::Table;
use crate::names::TableName;
use crate::plan::sql;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::template::Template;
use crate::plan::work::{Backfill, Compare, CompareMode, PartitionSize, Signal, SignalKind, Slices, Truth};
use crate::snapshot::Capability;

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    let mut steps = vec![settle::step(blueprint, shard), backfill(blueprint, shard)];
    if blueprint.is_replicated() {
        steps.push(sync(blueprint, shard, Phase::Sync, "source", &blueprint.objects.source));
        steps.push(Step {
            cost: estimate::fetch(shard),
            ..sync(blueprint, shard, Phase::Sync, "", &blueprint.own.shadow)
        });
    }
    steps.push(verify(blueprint, shard, Phase::Verify, ""));
    steps
}

fn backfill(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    Step {
        id: step_id(Phase::Backfill, "", shard.num),
        phase: Phase::Backfill,
        shard: Some(shard.num),
        title: "copy the snapshot into the shadow table".to_owned(),
        why: format!(
            "Partition by partition, large ones in slices: sorted anew into {}, compared with the snapshot by count and sum of row hashes, and \
             only then attached. A crash leaves at most a staging table, which is emptied and filled again.",
            blueprint.own.staging
        ),
        action: Action::Backfill(chunks(blueprint, shard)),
        undo: with_create(&format!("{} is dropped as a whole when its creation is undone", blueprint.own.shadow)),
        cost: estimate::copy(shard),
    }
}

fn chunks(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Backfill {
    let (snapshot, staging, shadow) = (&blueprint.own.snapshot, &blueprint.own.staging, &blueprint.own.shadow);
    let columns = sql::column_list(blueprint.stored());
    let hash = blueprint.row_hash();
    let partition = sql::partition_id_of_row(blueprint.all_have(Capability::PartitionIdColumn));
    // An engine that keeps the last of several rows must see them in the order in which they came.
    let in_order = if blueprint.keeps_rows() { "" } else { " SETTINGS max_threads = 1" };
    Backfill {
        on: shard.home,
        before: vec![blueprint.source_unchanged(shard.home), blueprint.shadow_is(&blueprint.new)],
        partitions: sizes(shard.source),
        list: sql::list_parts_in_order(snapshot),
        slices: Slices {
            parts: Template::text(" AND _part IN (").hole("parts", ")"),
            rows: blueprint.all_have(Capability::PartOffsetColumn).then(|| {
                let part = Template::text(" AND _part = ").hole("parts", " AND _part_offset >= ");
                part.hole("from", " AND _part_offset < ").hole("to", "")
            }),
        },
        signals: signals(blueprint, shard),
        clear: vec![format!("TRUNCATE TABLE {}", staging.sql())],
        copy: Template::new(
            &format!(
                "INSERT INTO {} ({columns}) {}SELECT {columns} FROM {} WHERE {partition} = ",
                staging.sql(),
                blueprint.copy_settings(),
                snapshot.sql()
            ),
            "",
        )
        .hole("slice", in_order),
        digest_source: Template::new(
            &format!("SELECT {} FROM {} WHERE {partition} = ", sql::digest(&hash), snapshot.sql()),
            "",
        )
        .hole("slice", ""),
        digest_staging: format!("SELECT {} FROM {}", sql::digest(&hash), staging.sql()),
        staged: sql::list_partitions(staging),
        attach: sql::attach_partition(shadow, staging),
        landed: landed(blueprint, &hash, partition),
    }
}

/// On every replica of the shard: those that only replicate must keep up, too.
pub(super) fn signals(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Signal> {
    let tables = [&blueprint.objects.source, &blueprint.own.shadow];
    let mut signals = vec![
        (SignalKind::Parts, sql::parts_percent(tables)),
        (SignalKind::Merges, "SELECT count() FROM system.merges".to_owned()),
    ];
    if blueprint.is_replicated() {
        signals.push((SignalKind::Delay, sql::replication_delay(tables)));
        signals.push((SignalKind::Queue, sql::replication_queue(tables)));
    }
    if blueprint.all_have(Capability::Disks) {
        signals.push((SignalKind::FreeDisk, sql::free_disk_percent(tables[0])));
    }
    signals.into_iter().map(|(of, sql)| Signal { of, on: shard.replicas.clone(), sql }).collect()
}

/// Attaching happens as a whole, so fewer rows than were staged are others that look the same, come in through the mirror.
/// Where the engine merges rows, though, any that are there may be all that is left of them.
fn landed(blueprint: &Blueprint<'_>, hash: &str, partition: &str) -> Template {
    let (staging, shadow) = (blueprint.own.staging.sql(), blueprint.own.shadow.sql());
    let there = format!(" AND {hash} IN (SELECT {hash} FROM {staging} WHERE {partition} = ");
    if blueprint.new_engine.plain_name() == "MergeTree" {
        let staged = format!("SELECT count() >= (SELECT count() FROM {staging} WHERE {partition} = ");
        Template::new(&staged, &format!(") FROM {shadow} WHERE {partition} = ")).and(&there).and(")")
    } else {
        Template::new(&format!("SELECT count() > 0 FROM {shadow} WHERE {partition} = "), &there).and(")")
    }
}

fn sizes(source: &Table) -> Vec<PartitionSize> {
    let size = |partition: &crate::catalog::Partition| PartitionSize {
        id: partition.id.clone(),
        rows: partition.rows,
        bytes: partition.bytes,
    };
    source.partitions.iter().map(size).collect()
}

/// Waiting for all replicas of a shard.
pub(super) fn sync(
    blueprint: &Blueprint<'_>,
    shard: &ShardSite<'_>,
    phase: Phase,
    what: &str,
    table: &TableName,
) -> Step {
    Step {
        id: step_id(phase, what, shard.num),
        phase,
        shard: Some(shard.num),
        title: format!("wait until every replica has {}", table.table),
        why: format!("{} is replicated; what is compared next must have arrived everywhere.", blueprint.objects.source),
        action: Action::CatchUp(landing::catch_up(shard, table)),
        undo: Undo::Nothing { because: "it only waits".to_owned() },
        cost: Cost::default(),
    }
}

/// The comparison of source and shadow.
pub(super) fn verify(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, phase: Phase, what: &str) -> Step {
    let exchanges = || shard.replicas.iter().all(|id| blueprint.case.exchanges_on(*id));
    let truth = match phase {
        Phase::Reconcile if exchanges() => Truth::TwoCopies,
        // A swap by renames has looked at what it misplaced.
        Phase::Reconcile => Truth::Told,
        _ => Truth::Left,
    };
    let compare = comparison::compare(blueprint, shard, truth, &blueprint.own.staging);
    let settles = phase != Phase::Verify && !comparison::is_repaired(blueprint);
    let compare = if phase == Phase::Verify { compare } else { comparison::watched(blueprint, shard, compare) };
    let compare = Compare { settles, ..compare };
    let how = match compare.mode {
        CompareMode::Rows => "every row, by count and sum of row hashes",
        CompareMode::Final => "rows as FINAL shows them, by count and sum of row hashes",
        CompareMode::Keys => {
            "groups of rows that no merge takes apart, with what of each no merge changes, since the change alters which rows are merged"
        }
    };
    let repaired = match &compare.repair {
        Some(_) if truth != Truth::Left => {
            " Rows that an insert in the middle of the swap wrote to the old data are brought over. Where rows were deleted or altered \
             since the comparison before the swap, nothing is put right: they would come back."
        }
        Some(_) => " A row that differs for longer than any insert takes is put right, and all is compared again.",
        None if phase == Phase::Verify => {
            " Differences are for a person to judge. What writers change all the while cannot be compared, and is told; before and after the \
             swap it must hold still."
        }
        None => {
            " Differences are for a person to judge, and writers pause: what they change all the while cannot be compared."
        }
    };
    let left_out: Vec<&str> = comparison::not_compared(blueprint).iter().map(|column| column.name.as_str()).collect();
    let left_out = if left_out.is_empty() {
        String::new()
    } else {
        format!(
            " Left out, because merging in another order gives them other values: {}; each chunk was compared in full before.",
            left_out.join(", ")
        )
    };
    Step {
        id: step_id(phase, what, shard.num),
        phase,
        shard: Some(shard.num),
        title: "compare source and shadow on every replica".to_owned(),
        why: format!("Partition by partition, {how}.{repaired}{left_out}"),
        action: Action::Compare(Box::new(compare)),
        undo: Undo::Nothing { because: "rows that were put right were wrong before".to_owned() },
        cost: estimate::compare(shard),
    }
}

fn with_create(because: &str) -> Undo {
    Undo::Nothing { because: because.to_owned() }
}
