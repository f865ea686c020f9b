//! How source and shadow are compared: what must be equal depends on what the engine does to rows when it merges parts.

use std::collections::BTreeSet;

use super::blueprint::{Blueprint, ShardSite};
use super::{landing, step_id};
use crate::catalog::Column;
use crate::ddl::columns_of;
use crate::merging::{self, Lasting};
use crate::names::TableName;
use crate::plan::sql;
use crate::plan::step::Phase;
use crate::plan::template::Template;
use crate::plan::work::{Compare, CompareMode, Drill, Give, Repair, Still, Truth, Unseen, Watch};
use crate::snapshot::Capability;

/// Groups of one comparison that are kept in memory; more go to disk.
const GROUPS_BYTES_MAX: u64 = 2_000_000_000;
/// Rows of a partition fall into this many buckets by their hash, so that few rows are looked at one by one.
const BUCKETS: u32 = 65_536;

/// The comparison of source and shadow on every replica of a shard.
pub(super) fn compare(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, truth: Truth, staging: &TableName) -> Compare {
    let mode = mode(blueprint);
    let (left, right) = (&blueprint.objects.source, &blueprint.own.shadow);
    Compare {
        on: shard.replicas.clone(),
        mode,
        left: query(blueprint, mode, left),
        right: query(blueprint, mode, right),
        drill: drill(blueprint, mode),
        drain: landing::drain(blueprint, shard),
        truth,
        repair: repair(blueprint, shard, truth, staging),
        settles: false,
        watch: None,
    }
}

/// The same comparison from the one before a swap to the ones after it: what is deleted or altered in between is known.
pub(super) fn watched(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, compare: Compare) -> Compare {
    Compare { watch: watch(blueprint, shard), ..compare }
}

/// The parts of a shard that the comparison before the swap writes down. Where nothing is put right, nothing comes back.
pub(super) fn watch(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Option<Watch> {
    let parts = [&blueprint.objects.source, &blueprint.own.shadow].map(sql::list_parts);
    let by = step_id(Phase::Cutover, "verify", shard.num);
    is_repaired(blueprint).then_some(Watch { by, on: shard.home, parts })
}

fn drill(blueprint: &Blueprint<'_>, mode: CompareMode) -> Drill {
    let sides = [&blueprint.objects.source, &blueprint.own.shadow].map(|table| rows(blueprint, mode, table));
    let [left, right] = &sides;
    // What merging leaves of a group may be another thing a moment later, and the group must still be found.
    let bucket = format!("{} % {BUCKETS}", if is_repaired(blueprint) { "__sw_h" } else { "__sw_k" });
    let by_partition = if mode == CompareMode::Final { by_partition(blueprint) } else { "" };
    let digests = |rows: &Template| {
        Template::text(&format!("SELECT {bucket} AS b, count() AS c, sum(__sw_h) AS s FROM "))
            .then(rows)
            .then(&Template::text(" GROUP BY b"))
    };
    let marked = |rows: &Template, mark: &str| {
        Template::text(&format!("SELECT __sw_h, {mark} FROM "))
            .then(rows)
            .then(&Template::text(&format!(" WHERE {bucket} IN (")))
            .hole("buckets", ")")
    };
    let counts = |rows: &Template| {
        Template::text("SELECT toString(__sw_h), count() FROM ")
            .then(rows)
            .then(&Template::text(" WHERE __sw_h IN ("))
            .hole("hashes", &format!(") GROUP BY __sw_h{by_partition}"))
    };
    let union = Template::text(" UNION ALL ");
    Drill {
        buckets: Template::text("SELECT b FROM (").then(&digests(left)).then(&union).then(&digests(right)).then(
            &Template::text(&format!(
                ") GROUP BY b HAVING count() != 2 OR min(c) != max(c) OR min(s) != max(s) ORDER BY b{by_partition}"
            )),
        ),
        suspects: Template::text("SELECT toString(__sw_h) FROM (")
            .then(&marked(left, "1 AS l, 0 AS r"))
            .then(&union)
            .then(&marked(right, "0 AS l, 1 AS r"))
            .then(&Template::text(&format!(
                ") GROUP BY __sw_h HAVING sum(l) != sum(r) ORDER BY __sw_h LIMIT {}{by_partition}",
                crate::plan::SUSPECTS_MAX + 1
            ))),
        left: counts(left),
        right: counts(right),
    }
}

/// What `FINAL` shows is what merging leaves: it never takes rows of two partitions for one. Servers as old as 18.16 cannot be told so.
fn by_partition(blueprint: &Blueprint<'_>) -> &'static str {
    if blueprint.all_have(Capability::OptimizeOnInsert) {
        " SETTINGS do_not_merge_across_partitions_select_final = 1"
    } else {
        ""
    }
}

/// Hash by hash, what is compared of the partitions `{partitions}` of a table.
fn rows(blueprint: &Blueprint<'_>, mode: CompareMode, table: &TableName) -> Template {
    let partition = partition_label(blueprint);
    let from = table.sql();
    let select = match mode {
        CompareMode::Rows => format!("(SELECT {} AS __sw_h FROM {from}", blueprint.row_hash()),
        CompareMode::Final if is_repaired(blueprint) => {
            format!("(SELECT {} AS __sw_h FROM {from} FINAL", merged_hash(blueprint))
        }
        CompareMode::Final => {
            let key = sql::hash(&texts(blueprint, &lasting(blueprint).keys));
            format!("(SELECT {key} AS __sw_k, {} AS __sw_h FROM {from} FINAL", merged_hash(blueprint))
        }
        CompareMode::Keys => return keys(blueprint, &from, &partition),
    };
    let end = format!("){})", blueprint.only_fitting("AND"));
    Template::text(&format!("{select} WHERE {partition} IN (")).hole("partitions", &end)
}

/// Group by group, each with what of it no merge changes, however far merging has come.
fn keys(blueprint: &Blueprint<'_>, from: &str, partition: &str) -> Template {
    let (begin, end) = of_keys(blueprint, partition, from);
    Template::text(&format!("({begin} WHERE {partition} IN ("))
        .hole("partitions", &format!("){}{end})", blueprint.only_fitting("AND")))
}

/// A query for groups and what outlives merging of each: what comes before its WHERE, and what comes after.
fn of_keys(blueprint: &Blueprint<'_>, partition: &str, from: &str) -> (String, String) {
    let lasting = lasting(blueprint);
    let key = texts(blueprint, &lasting.keys);
    let values = texts(blueprint, &lasting.values);
    let digest = sql::hash(&std::iter::once("__sw_k".to_owned()).chain(values).collect::<Vec<_>>());
    let remains = lasting.remains.map(|remains| format!(" HAVING {}", blueprint.in_both(&remains))).unwrap_or_default();
    (
        format!("SELECT {partition} AS __sw_p, {} AS __sw_k, {digest} AS __sw_h FROM {from}", sql::hash(&key)),
        format!(" GROUP BY __sw_p, __sw_k{remains}"),
    )
}

/// As arguments of a hash, which is NULL itself where one of them is.
fn texts(blueprint: &Blueprint<'_>, expressions: &[String]) -> Vec<String> {
    let text = |item: &String| {
        let item = blueprint.in_both(item);
        format!("isNull({item}), ifNull(toString({item}), '')")
    };
    expressions.iter().map(text).collect()
}

fn lasting(blueprint: &Blueprint<'_>) -> Lasting {
    let [old, new] = blueprint.merging();
    merging::lasting(old, new, blueprint.columns)
}

/// Rows can be put right one by one where the engine keeps rows as they are, or the last of several.
pub(super) fn is_repaired(blueprint: &Blueprint<'_>) -> bool {
    let [old, new] = blueprint.merging();
    merging::is_mended_by_rows(old, new)
}

/// What shows whether writers of a shard are still, where they must be when names are swapped: nothing could be put right afterwards.
pub(super) fn still(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Option<Still> {
    let tables = [&blueprint.objects.source, &blueprint.own.shadow];
    (!is_repaired(blueprint))
        .then(|| Still { drain: landing::drain(blueprint, shard), blocks: tables.map(sql::last_blocks) })
}

/// How single rows are put right, where they can be.
///
/// `staging` has the definition of the table under the source's name, so that its parts can be attached there.
fn repair(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, truth: Truth, staging: &TableName) -> Option<Repair> {
    if !is_repaired(blueprint) {
        return None;
    }
    let mode = mode(blueprint);
    let objects = &blueprint.objects;
    let (left, right) = (&objects.source, &blueprint.own.shadow);
    let hash = merged_hash(blueprint);
    let last = if mode == CompareMode::Final { " FINAL" } else { "" };
    let pick = |columns: &str, from: &TableName| {
        Template::text(&format!("SELECT {columns} FROM {}{last} WHERE {} IN (", from.sql(), partition_label(blueprint)))
            .hole("partitions", &format!("){} AND {hash} IN (", blueprint.only_fitting("AND")))
            .hole("hashes", ") LIMIT ")
            .hole("times", &format!(" BY {hash}{}", if last.is_empty() { "" } else { by_partition(blueprint) }))
    };
    let given: Vec<&Column> = blueprint.stored().filter(|column| !column.is_materialized()).collect();
    let given = sql::column_list(given);
    let stored = sql::column_list(blueprint.stored());
    Some(Repair {
        on: shard.home,
        add: Template::text(&format!("INSERT INTO {} ({given}) ", right.sql())).then(&pick(&given, left)),
        pass: Template::text(&format!("INSERT INTO {} ({given}) ", left.sql())).then(&pick(&given, right)),
        remove: Template::text(&format!("ALTER TABLE {} DELETE WHERE {hash} IN (", right.sql())).hole("hashes", ")"),
        mutations: format!(
            "SELECT mutation_id, toString(is_done) FROM system.mutations WHERE {}",
            sql::of_table(right)
        ),
        give: Give {
            clear: sql::truncate(staging),
            copy: Template::text(&format!("INSERT INTO {} ({stored}) {}", staging.sql(), blueprint.insert_settings()))
                .then(&pick(&stored, right)),
            staged: sql::list_partitions(staging),
            attach: sql::attach_partition(left, staging),
        },
        unseen: (truth == Truth::TwoCopies).then(|| unseen(blueprint, shard, &pick(&given, right), &given)).flatten(),
    })
}

/// Only where names are exchanged are there such rows.
fn unseen(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, picked: &Template, given: &str) -> Option<Unseen> {
    let objects = &blueprint.objects;
    let exchanges = shard.replicas.iter().all(|id| blueprint.case.exchanges_on(*id));
    if objects.views.is_empty() || !exchanges {
        return None;
    }
    let (left, hash) = (objects.source.sql(), merged_hash(blueprint));
    Some(Unseen {
        views: objects.views.clone(),
        list: sql::list_parts(&objects.source),
        parts: Template::text(&format!(
            "SELECT _part, toString({hash}), count() FROM {left} WHERE {} IN (",
            partition_label(blueprint)
        ))
        .hole("partitions", &format!(") AND {hash} IN ("))
        .hole("hashes", &format!(") GROUP BY _part, {hash}")),
        drop: Template::text(&format!("ALTER TABLE {left} DROP PART ")).hole("chunk", ""),
        // Replicated tables remember the block that they just lost.
        show: Template::text(&format!("INSERT INTO {left} ({given}) SETTINGS insert_deduplicate = 0 ")).then(picked),
    })
}

/// Exact rows where nothing merges them; merged rows where both tables merge alike; what outlives merging where they do not.
pub(super) fn mode(blueprint: &Blueprint<'_>) -> CompareMode {
    let [old, new] = blueprint.merging();
    if blueprint.keeps_rows() {
        CompareMode::Rows
    } else if merging::alike(old, new) {
        CompareMode::Final
    } else {
        CompareMode::Keys
    }
}

/// Columns left out of a comparison, because merging decides what becomes of their values.
pub(super) fn not_compared<'a>(blueprint: &Blueprint<'a>) -> Vec<&'a Column> {
    match mode(blueprint) {
        CompareMode::Rows => Vec::new(),
        CompareMode::Final => {
            blueprint.stored().filter(|column| merged_argument(blueprint, column).is_none()).collect()
        }
        CompareMode::Keys => {
            let lasting = lasting(blueprint);
            let compared = lasting.keys.iter().chain(&lasting.values).filter_map(|item| columns_of(item).ok());
            let compared: BTreeSet<String> = compared.flatten().collect();
            blueprint.stored().filter(|column| !compared.contains(&column.name)).collect()
        }
    }
}

/// A hash of what merging leaves as it is: of the whole row, where nothing merges rows.
pub(super) fn merged_hash(blueprint: &Blueprint<'_>) -> String {
    match mode(blueprint) {
        CompareMode::Rows | CompareMode::Keys => blueprint.row_hash(),
        CompareMode::Final => {
            let arguments: Vec<String> =
                blueprint.stored().filter_map(|column| merged_argument(blueprint, column)).collect();
            sql::hash(&arguments)
        }
    }
}

fn query(blueprint: &Blueprint<'_>, mode: CompareMode, table: &TableName) -> String {
    let partition = partition_label(blueprint);
    let (table, fitting) = (table.sql(), blueprint.only_fitting("WHERE"));
    match mode {
        CompareMode::Rows => grouped(&partition, &blueprint.row_hash(), &format!("{table}{fitting}")),
        CompareMode::Final => {
            grouped(&partition, &merged_hash(blueprint), &format!("{table} FINAL{fitting}")) + by_partition(blueprint)
        }
        CompareMode::Keys => {
            let (begin, end) = of_keys(blueprint, &partition, &table);
            let all = grouped("__sw_p", "__sw_h", &format!("({begin}{fitting}{end})"));
            // As many groups as the table has keys.
            format!("{all} SETTINGS max_bytes_before_external_group_by = {GROUPS_BYTES_MAX}")
        }
    }
}

fn grouped(partition: &str, hash: &str, from: &str) -> String {
    format!("SELECT {partition}, {} FROM {from} GROUP BY {partition} ORDER BY {partition}", sql::digest(hash))
}

/// What tells the partition of a row in both tables: the partition's id, or, where the partition key changes, the old key's
/// value as text; one for all where rows of several may become one.
fn partition_label(blueprint: &Blueprint<'_>) -> String {
    let key = &blueprint.old.partition;
    let in_both: Vec<String> = key.iter().map(|item| blueprint.in_both(item)).collect();
    let is_same = key == &blueprint.new.partition && *key == in_both;
    if is_same && blueprint.all_have(Capability::PartitionIdColumn) {
        return "_partition_id".to_owned();
    }
    let stays = |item: &String| blueprint.merging().iter().all(|merging| merging.keeps_together(item));
    if mode(blueprint) == CompareMode::Keys && !key.iter().all(stays) {
        return "'all'".to_owned();
    }
    let items: Vec<String> = in_both.iter().map(|item| format!("toString({item})")).collect();
    match items.as_slice() {
        [] => "'all'".to_owned(),
        [only] => only.clone(),
        several => format!("concat({})", several.join(", ', ', ")),
    }
}

/// What of a column can be compared after merging; none if nothing can.
fn merged_argument(blueprint: &Blueprint<'_>, column: &Column) -> Option<String> {
    let in_key = blueprint.new.sorting.iter().any(|item| item.trim_matches('`') == column.name);
    if let Some(function) = merging::aggregate_function(&column.kind) {
        let result = format!("toString(finalizeAggregation({}))", crate::names::quote_identifier(&column.name));
        return merging::is_order_free(function, &column.kind).then_some(result);
    }
    // Sums of floating-point numbers depend on the order of summing.
    let sums = matches!(blueprint.engine.plain_name(), "SummingMergeTree" | "AggregatingMergeTree");
    if sums && !in_key && column.kind.contains("Float") { None } else { Some(blueprint.hash_argument(column)) }
}
