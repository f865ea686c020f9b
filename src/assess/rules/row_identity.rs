//! SW007: the engine merges rows by key, and the new keys make other rows equal.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::Engine;
use crate::merging::{Merging, determines};
use crate::words::{list, sql};

pub(super) const CODE: &str = "SW007";

/// Rows are merged when they agree in the sorting key and lie in one partition.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let is_other = case.other_engine().is_some();
    let find = |old: Merging<'_>, new: Merging<'_>| {
        if is_other { Some(other_engine(case, old, new)) } else { other_keys(case, old, new) }
    };
    case.of_merging(find).flatten().into_iter().collect()
}

fn other_keys(case: &Case<'_>, before: Merging<'_>, after: Merging<'_>) -> Option<Finding> {
    let engine = before.engine;
    if before.keeps_rows() || engine.is_old_style() {
        return None;
    }
    let (old, new) = (before.identity(), after.identity());
    let finding = match (determines(&new, &old), determines(&old, &new)) {
        (true, true) => return None,
        (true, false) if !is_collapsing(engine) => Finding::hazard,
        _ => Finding::blocker,
    };
    let what = format!(
        "{} ({}) merges rows of equal {}, and would then merge rows of equal {} (sorting key and partition key)",
        case.name(),
        engine.name,
        shown(&old),
        shown(&new)
    );
    Some(finding(CODE, what, why(&old, &new, engine), help(&old)))
}

/// Another engine: rows that nothing merges today, rows that nothing would merge any more, or rows of which something else is left.
fn other_engine(case: &Case<'_>, old: Merging<'_>, new: Merging<'_>) -> Finding {
    let (name, key) = (case.name(), shown(&new.identity()));
    if new.keeps_rows() {
        return Finding::hazard(
            CODE,
            format!("{name} would keep rows of equal keys apart from now on"),
            "duplicates stay: rows that come in again are no longer merged with those that are there; those not yet merged are copied as \
             they are",
            "have readers leave out FINAL, which the new engine does not take, only once duplicates cannot come",
        );
    }
    let today = if old.keeps_rows() { "keeps every row" } else { "merges rows in another way" };
    Finding::blocker(
        CODE,
        format!("{name} {today}, and would then merge rows of equal {key} (sorting key and partition key)"),
        format!(
            "rows are lost by merging: of those of equal keys {}, for good; until `finalize` the old data has them all",
            left(new.engine)
        ),
        "that is what the engine is for: accept it with `--accept SW007='…'` if what is left of each key is all that is wanted",
    )
}

/// What an engine leaves of rows of equal keys.
fn left(engine: &Engine) -> &'static str {
    match engine.plain_name() {
        "ReplacingMergeTree" => "one is left",
        "SummingMergeTree" => {
            "one is left, with the sums of their numbers, or none if all sums are nought; its other columns are those of any of them"
        }
        "AggregatingMergeTree" => "one is left, with their states merged; its other columns are those of any of them",
        "CoalescingMergeTree" => "one is left, with the last value of each column that is not NULL",
        _ => "those of opposite signs take each other away",
    }
}

fn why(old: &[String], new: &[String], engine: &Engine) -> &'static str {
    match (determines(new, old), determines(old, new)) {
        _ if is_collapsing(engine) => {
            "a cancel row need only repeat the old key: where it differs in the new one, its row would never be cancelled; \
             under fewer columns strangers would cancel each other"
        }
        (true, false) => "duplicates stay: rows that are one today would stay apart where they differ in what is added",
        (false, true) => {
            "rows are lost by merging: those that differ only in what is left out would become one, for good"
        }
        _ => "some rows that are different ones today would become one, for good, and some duplicates would stay",
    }
}

fn help(old: &[String]) -> String {
    format!("keep the same expressions in another order: {}, sorting key and partition key taken together", shown(old))
}

/// A cancel row and its row must meet, or sums over signs go wrong.
fn is_collapsing(engine: &Engine) -> bool {
    engine.plain_name().ends_with("CollapsingMergeTree")
}

fn shown(items: &[String]) -> String {
    sql(&format!("({})", list(items)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    /// The findings where a table of this engine goes from one sorting key to another.
    fn found(engine: &str, from: &str, to: &str) -> Vec<String> {
        let mut fixture = Fixture::new();
        let keeper = "'/clickhouse/{shard}/events', '{replica}'";
        let engine = engine.replacen('(', &format!("({keeper}, "), 1).replace(", )", ")");
        fixture.redefine(&format!("ReplicatedMergeTree({keeper})"), &format!("Replicated{engine}"));
        fixture.sources(|source| crate::assess::fixture::redefine(source, "(team, id)", from));
        fixture.aim("(id, team)", to);
        let word = |finding: Finding| format!("{} {}", finding.severity, finding.why.split(' ').next().unwrap());
        check(&fixture.case()).into_iter().map(word).collect()
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn another_order_of_the_same_columns_changes_nothing() {
        assert_eq!(found("ReplacingMergeTree(version)", "(team, id)", "(id, team)"), NONE);
        assert_eq!(found("ReplacingMergeTree(version)", "(team, id)", "(cityHash64(id), id, team)"), NONE);
        assert_eq!(found("ReplacingMergeTree(version)", "(team, toDate(id), id)", "(id, team)"), NONE);
        assert_eq!(found("MergeTree()", "(team, id)", "id"), NONE);
    }

    #[test]
    fn a_finer_key_keeps_duplicates_and_a_coarser_one_loses_rows() {
        for engine in ["ReplacingMergeTree(version)", "SummingMergeTree()", "AggregatingMergeTree()"] {
            assert_eq!(found(engine, "(team, id)", "(id, team, day)"), ["hazard duplicates"], "{engine}");
            assert_eq!(found(engine, "(team, id)", "team"), ["blocker rows"], "{engine}");
            assert_eq!(found(engine, "(team, id)", "(team, version)"), ["blocker some"], "{engine}");
            assert_eq!(found(engine, "(team, id)", "(team, intDiv(id, 10))"), ["blocker rows"], "{engine}");
        }
    }

    #[test]
    fn cancel_rows_must_keep_meeting_their_rows() {
        assert_eq!(found("CollapsingMergeTree(sign)", "(team, id)", "(team, id, day)"), ["blocker a"]);
        assert_eq!(found("CollapsingMergeTree(sign)", "(team, id)", "id"), ["blocker a"]);
        let versioned = "VersionedCollapsingMergeTree(sign, version)";
        assert_eq!(found(versioned, "(team, id)", "(version, id, team)"), NONE);
        assert_eq!(found(versioned, "(team, id)", "id"), ["blocker a"]);
    }

    #[test]
    fn an_engine_that_merges_where_nothing_did_is_to_be_accepted() {
        let mut fixture = Fixture::new();
        fixture.write("ReplicatedMergeTree(", "ReplicatedReplacingMergeTree(");
        assert_eq!(
            fixture.found(check),
            [
                "blocker SW007: d.events keeps every row, and would then merge rows of equal `(id, team, toYYYYMM(day))` (sorting key \
                 and partition key)"
            ]
        );
        let mut fixture = Fixture::new();
        fixture.redefine("ReplicatedMergeTree(", "ReplicatedReplacingMergeTree(");
        fixture.write("ReplicatedMergeTree(", "ReplicatedMergeTree(");
        assert_eq!(fixture.found(check), ["hazard SW007: d.events would keep rows of equal keys apart from now on"]);
    }

    #[test]
    fn the_partition_key_counts_too() {
        let mut fixture = Fixture::new();
        fixture.redefine("ReplicatedMergeTree(", "ReplicatedReplacingMergeTree(");
        fixture.aim("toYYYYMM(day)", "day");
        assert_eq!(
            fixture.found(check),
            [
                "hazard SW007: d.events (ReplicatedReplacingMergeTree) merges rows of equal `(team, id, toYYYYMM(day))`, \
                 and would then merge rows of equal `(id, team, day)` (sorting key and partition key)"
            ]
        );
    }
}
