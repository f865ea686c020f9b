//! The boundary: which rows are copied and which the mirror writes.
//!
//! With merges stopped, parts are the inserts that made them. The parts of a list A are cloned, then the mirror is created on
//! every replica, then all inserts that had begun before are waited for. What is in no part of A and was not written by the
//! mirror is copied too. Rows decide, each with how often it occurs, so rows that are inserted twice do no harm.

use super::blueprint::{Blueprint, ShardSite};
use super::{comparison, feeds, landing, step_id};
use crate::plan::probes;
use crate::plan::sql;
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::template::Template;
use crate::plan::work::{CompareMode, Gap, GapBy, ProbeOn, Run, Settle};
use crate::snapshot::Capability;

/// Without merges, parts pile up and inserts slow down: an attempt that takes longer is given up, and made again later.
const WITHOUT_MERGES_SECONDS_MAX: u64 = 60;

pub(super) fn step(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Step {
    let (source, shadow) = (&blueprint.objects.source, &blueprint.own.shadow);
    Step {
        id: step_id(Phase::Boundary, "", shard.num),
        phase: Phase::Boundary,
        shard: Some(shard.num),
        title: "draw the boundary: clone what is there, mirror what comes".to_owned(),
        why: format!(
            "With merges stopped for a moment, the parts of {source} are cloned by hard links, then the mirror is created: from \
             there on every insert is also written to {shadow}. Rows of inserts that fell between the two are told by looking, \
             and copied. Writers go on. The mirror goes by names: after the swap it fills the old data from the new table, so a \
             rollback loses nothing."
        ),
        action: Action::Settle(Box::new(settle(blueprint, shard))),
        undo: Undo::Run {
            one_by_one: false,
            runs: vec![drop_mirror(blueprint, shard)],
            then: vec![Action::Drain(landing::drain(blueprint, shard))],
        },
        cost: Cost::default(),
    }
}

fn settle(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Settle {
    let objects = &blueprint.objects;
    let (source, snapshot, shadow) = (&objects.source, &blueprint.own.snapshot, &blueprint.own.shadow);
    let merges =
        |verb: &str| [source, shadow].iter().map(|table| format!("SYSTEM {verb} MERGES {}", table.sql())).collect();
    let before = shard.replicas.iter().flat_map(|id| {
        [blueprint.source_unchanged(*id), blueprint.shadow_is(&blueprint.new), probes::no_mutations(source)]
            .map(|probe| ProbeOn { on: vec![*id], probe })
    });
    Settle {
        on: shard.home,
        before: before.collect(),
        fence: blueprint.fence,
        feeds: feeds::of_shard(blueprint, shard),
        unmirror: drop_mirror(blueprint, shard),
        mirrored: sql::list_partitions(shadow),
        drop_mirrored: sql::drop_partition(shadow),
        clear: [snapshot, &blueprint.own.staging].map(sql::truncate).to_vec(),
        cleared: probes::empty(&[shadow, snapshot, &blueprint.own.staging]),
        drain: landing::drain(blueprint, shard),
        stop_merges: merges("STOP"),
        start_merges: merges("START"),
        crowded: sql::crowded(source),
        seconds_max: WITHOUT_MERGES_SECONDS_MAX,
        parts: sql::list_parts(source),
        clone: sql::replace_partition(snapshot, source),
        cloned: sql::list_parts(snapshot),
        digest: sql::digest_parts(source, &blueprint.row_hash()),
        digest_cloned: sql::digest_parts(snapshot, &blueprint.row_hash()),
        mirror: mirror(blueprint, shard),
        gap: gap(blueprint),
    }
}

fn mirror(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Run> {
    let (source, shadow, mirror) = (&blueprint.objects.source, &blueprint.own.shadow, &blueprint.own.mirror);
    let create = format!(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS {} TO {} AS SELECT {} FROM {}{}",
        mirror.sql(),
        shadow.sql(),
        sql::column_list(blueprint.mirrored()),
        source.sql(),
        blueprint.only_fitting("WHERE")
    );
    shard.runs(|id, _| Run {
        on: Vec::new(),
        before: vec![blueprint.source_unchanged(id), blueprint.shadow_is(&blueprint.new)],
        sql: vec![create.clone()],
        after: vec![probes::has_engine(mirror, "MaterializedView")],
    })
}

/// Drops the mirror wherever it is.
pub(super) fn drop_mirror(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Run {
    let mirror = &blueprint.own.mirror;
    Run {
        on: shard.replicas.clone(),
        before: Vec::new(),
        sql: vec![blueprint.drop_table(mirror)],
        after: vec![probes::absent(&[mirror])],
    }
}

fn gap(blueprint: &Blueprint<'_>) -> Gap {
    let objects = &blueprint.objects;
    let staging = &blueprint.own.staging;
    let hash = comparison::merged_hash(blueprint);
    let columns = sql::column_list(blueprint.stored());
    let insert = Template::text(&format!(
        "INSERT INTO {} ({columns}) {}SELECT {columns} FROM {} WHERE _part IN (",
        staging.sql(),
        blueprint.insert_settings(),
        objects.source.sql()
    ));
    // Where servers merge the rows of an insert before they write them, source and shadow hold different rows of it. To write rows again
    // that are there does no harm where the last of them is kept.
    let is_merged = blueprint.case.any_has(Capability::OptimizeOnInsert);
    let keeps_last = blueprint.new_engine.plain_name() == "ReplacingMergeTree";
    let in_doubt = is_merged && !keeps_last && comparison::mode(blueprint) == CompareMode::Keys;
    let by = if in_doubt { GapBy::Part } else { GapBy::Row };
    let lacking = lacking(blueprint, &hash);
    let rows = insert.clone().hole("parts", &format!(") AND {hash} IN (SELECT __sw_h FROM (")).then(&lacking);
    Gap {
        by,
        found: Template::text(&format!(
            "SELECT _part, count(), sum({hash} IN (SELECT {hash} FROM {})) FROM {} WHERE _part IN (",
            blueprint.own.shadow.sql(),
            objects.source.sql()
        ))
        .hole("parts", ") GROUP BY _part ORDER BY _part"),
        copy: insert.hole("parts", ")"),
        lacking: Template::text("SELECT __sw_d, count() FROM (")
            .then(&lacking)
            .then(&Template::text(") GROUP BY __sw_d ORDER BY __sw_d")),
        copy_rows: rows
            .then(&Template::text(") WHERE __sw_d = "))
            .hole("times", ") LIMIT ")
            .hole("times", &format!(" BY {hash}")),
        staged: sql::list_partitions(staging),
        attach: sql::attach_partition(&blueprint.own.shadow, staging),
        clear: sql::truncate(staging),
    }
}

/// Hashes of rows that the parts have more often than the shadow table, and by how much. No name given here may be that of a column: an
/// alias hides it from the hash beside it.
fn lacking(blueprint: &Blueprint<'_>, hash: &str) -> Template {
    let (source, shadow) = (blueprint.objects.source.sql(), blueprint.own.shadow.sql());
    Template::text(&format!(
        "SELECT __sw_h, sum(__sw_s) - sum(__sw_m) AS __sw_d FROM (SELECT {hash} AS __sw_h, 1 AS __sw_s, 0 AS __sw_m FROM {source} \
         WHERE _part IN ("
    ))
    .hole(
        "parts",
        &format!(
            ") UNION ALL SELECT {hash} AS __sw_h, 0 AS __sw_s, 1 AS __sw_m FROM {shadow}) \
             GROUP BY __sw_h HAVING sum(__sw_s) > sum(__sw_m)"
        ),
    )
}
