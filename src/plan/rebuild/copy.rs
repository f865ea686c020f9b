//! Boundary, backfill, sync and verify: how the rows come into the shadow table, and the proof that they did.

use super::blueprint::{Blueprint, ShardSite};
use super::{comparison, estimate, step_id};
use crate::catalog::Table;
use crate::names::TableName;
use crate::plan::probes;
use crate::plan::sql;
use crate::plan::step::{
    Action, Backfill, CatchUp, ClonePartitions, CompareMode, Cost, PartitionSize, Phase, Run, Step, Undo,
};
use crate::plan::template::Template;
use crate::snapshot::Capability;

/// Replication that does not move for this long needs a person.
const STALL_SECONDS: u64 = 300;

pub(super) fn steps(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Step> {
    let mut steps = vec![clone(blueprint, shard), mirror(blueprint, shard), backfill(blueprint, shard)];
    if blueprint.is_replicated() {
        // A row that only another replica has would be in no clone.
        steps.push(sync(blueprint, shard, Phase::Boundary, "sync", &blueprint.objects.source));
        steps.push(sync(blueprint, shard, Phase::Sync, "source", &blueprint.objects.source));
        steps.push(Step {
            cost: estimate::fetch(shard),
            ..sync(blueprint, shard, Phase::Sync, "", &blueprint.objects.shadow)
        });
    }
    steps.push(verify(blueprint, shard, Phase::Verify, ""));
    steps
}

fn clone(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let (source, snapshot) = (&blueprint.objects.source, &blueprint.objects.snapshot);
    Step {
        id: step_id(Phase::Boundary, "clone", shard.num),
        phase: Phase::Boundary,
        shard: Some(shard.num),
        title: "clone every partition into the snapshot".to_owned(),
        why: format!(
            "The rows of {source} as they are now are what is copied. Hard links take no time and no space, and a \
             partition cloned twice is there once."
        ),
        action: Action::Clone(ClonePartitions {
            on: shard.home,
            before: vec![blueprint.source_unchanged(shard.home), probes::no_mutations(source)],
            list: sql::list_partitions(source),
            clone: sql::replace_partition(snapshot, source),
            cloned: sql::list_partitions(snapshot),
        }),
        undo: with_create(&format!("{snapshot} is dropped as a whole when its creation is undone")),
        cost: Cost::default(),
    }
}

fn mirror(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let (source, shadow, mirror) = (&blueprint.objects.source, &blueprint.objects.shadow, &blueprint.objects.mirror);
    let create = format!(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS {} TO {} AS SELECT {} FROM {}",
        mirror.sql(),
        shadow.sql(),
        sql::column_list(blueprint.mirrored()),
        source.sql()
    );
    let runs = shard.runs(|id, _| Run {
        on: Vec::new(),
        before: vec![blueprint.source_unchanged(id), blueprint.shadow_is(&blueprint.new)],
        sql: vec![create.clone()],
        after: vec![probes::has_engine(mirror, "MaterializedView")],
    });
    Step {
        id: step_id(Phase::Boundary, "mirror", shard.num),
        phase: Phase::Boundary,
        shard: Some(shard.num),
        title: "create the mirror".to_owned(),
        why: format!(
            "From here on every insert into {source} is also written to {shadow}. The view goes by names: after the swap it \
             fills the old data from the new table, so a rollback loses nothing."
        ),
        action: Action::Run { one_by_one: false, runs },
        undo: Undo::Run { one_by_one: false, runs: vec![drop_mirror(blueprint, shard)] },
        cost: Cost::default(),
    }
}

/// Drops the mirror wherever it is.
pub(super) fn drop_mirror(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Run {
    let mirror = &blueprint.objects.mirror;
    Run {
        on: shard.replicas.clone(),
        before: Vec::new(),
        sql: vec![blueprint.drop_table(mirror)],
        after: vec![probes::absent(&[mirror])],
    }
}

fn backfill(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let objects = &blueprint.objects;
    Step {
        id: step_id(Phase::Backfill, "", shard.num),
        phase: Phase::Backfill,
        shard: Some(shard.num),
        title: "copy the snapshot into the shadow table".to_owned(),
        why: format!(
            "Partition by partition: sorted anew into {}, compared with the snapshot by count and sum of row hashes, and \
             only then attached. A crash leaves at most a staging table, which is emptied and filled again.",
            objects.staging
        ),
        action: Action::Backfill(chunks(blueprint, shard)),
        undo: with_create(&format!("{} is dropped as a whole when its creation is undone", objects.shadow)),
        cost: estimate::copy(shard),
    }
}

fn chunks(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Backfill {
    let (snapshot, staging, shadow) =
        (&blueprint.objects.snapshot, &blueprint.objects.staging, &blueprint.objects.shadow);
    let columns = sql::column_list(blueprint.stored());
    let hash = sql::row_hash(blueprint.stored());
    let partition = sql::partition_id_of_row(blueprint.all_have(Capability::PartitionIdColumn));
    // An engine that keeps the last of several rows must see them in the order in which they came.
    let in_order = if blueprint.engine.plain_name() == "MergeTree" { "" } else { " SETTINGS max_threads = 1" };
    Backfill {
        on: shard.home,
        before: vec![blueprint.source_unchanged(shard.home), blueprint.shadow_is(&blueprint.new)],
        partitions: sizes(shard.source),
        list: sql::list_partitions(snapshot),
        clear: vec![format!("TRUNCATE TABLE {}", staging.sql())],
        copy: Template::new(
            &format!(
                "INSERT INTO {} ({columns}) {}SELECT {columns} FROM {} WHERE {partition} = ",
                staging.sql(),
                blueprint.insert_settings(),
                snapshot.sql()
            ),
            in_order,
        ),
        digest_source: Template::new(
            &format!("SELECT {} FROM {} WHERE {partition} = ", sql::digest(&hash), snapshot.sql()),
            "",
        ),
        digest_staging: format!("SELECT {} FROM {}", sql::digest(&hash), staging.sql()),
        staged: sql::list_partitions(staging),
        attach: sql::attach_partition(shadow, staging),
        landed: landed(blueprint, &hash, partition),
    }
}

/// Attaching happens as a whole, so fewer rows than were staged are others that look the same, come in through the mirror.
/// Where the engine merges rows, though, any that are there may be all that is left of them.
fn landed(blueprint: &Blueprint<'_>, hash: &str, partition: &str) -> Template {
    let (staging, shadow) = (blueprint.objects.staging.sql(), blueprint.objects.shadow.sql());
    let there = format!(" AND {hash} IN (SELECT {hash} FROM {staging} WHERE {partition} = ");
    if blueprint.engine.plain_name() == "MergeTree" {
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
    let of_table = sql::of_table(table);
    Step {
        id: step_id(phase, what, shard.num),
        phase,
        shard: Some(shard.num),
        title: format!("wait until every replica has {}", table.table),
        why: format!("{} is replicated; what is compared next must have arrived everywhere.", blueprint.objects.source),
        action: Action::CatchUp(CatchUp {
            on: shard.replicas.clone(),
            mark: format!("SELECT toString(max(log_max_index)) FROM system.replicas WHERE {of_table}"),
            pointer: format!("SELECT toString(max(log_pointer)) FROM system.replicas WHERE {of_table}"),
            queue: format!(
                "SELECT node_name FROM system.replication_queue WHERE {of_table} AND type NOT IN ('MERGE_PARTS', 'MUTATE_PART')"
            ),
            by_hand: format!("SYSTEM SYNC REPLICA {}", table.sql()),
            stall_seconds: STALL_SECONDS,
        }),
        undo: Undo::Nothing { because: "it only waits".to_owned() },
        cost: Cost::default(),
    }
}

/// The comparison of source and shadow.
pub(super) fn verify(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, phase: Phase, what: &str) -> Step {
    let compare = comparison::compare(blueprint, &shard.replicas);
    let how = match compare.mode {
        CompareMode::Rows => "every row, by count and sum of row hashes",
        CompareMode::Final => "rows as FINAL shows them, by count and sum of row hashes",
        CompareMode::Keys => "distinct new sorting keys, since the change alters which rows are merged",
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
        why: format!("Partition by partition, {how}.{left_out}"),
        action: Action::Compare(compare),
        undo: Undo::Nothing { because: "it only reads".to_owned() },
        cost: estimate::compare(shard),
    }
}

fn with_create(because: &str) -> Undo {
    Undo::Nothing { because: because.to_owned() }
}
