//! SW010: the written definition has another engine, with which the copy could not be compared.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::{Engine, key_items, read_engine};
use crate::words::{list, sql};

pub(super) const CODE: &str = "SW010";

/// Between `MergeTree` and `ReplacingMergeTree` the keys that are there stay the same, however far rows are merged, and so does the
/// highest version of each. Keeper path and replica name are left out: the new table gets a path of its own.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(written) = &case.change.wanted.definition else { return Vec::new() };
    let Some(source) = case.source() else { return Vec::new() };
    let Ok(live) = read_engine(&source.engine_full) else { return Vec::new() };
    if live.replicated() == written.engine.replicated() && keeps_keys(&live, &written.engine) {
        return Vec::new();
    }
    let (live, written) = (shown(&live), shown(&written.engine));
    if live == written {
        return Vec::new();
    }
    vec![Finding::blocker(
        CODE,
        format!("the statement gives {} the engine {}, but it is {}", case.name(), sql(&written), sql(&live)),
        "only from MergeTree to ReplacingMergeTree, with or without a version, and back can the copy be compared with the source: other \
         engines, other arguments or other replication make other rows",
        format!("write ENGINE = {live}, with Keeper arguments as they are, if only the keys shall change"),
    )]
}

/// Whether the one is `MergeTree` and the other `ReplacingMergeTree` that deletes nothing.
fn keeps_keys(live: &Engine, written: &Engine) -> bool {
    let names = [live.plain_name(), written.plain_name()];
    let has_both = ["MergeTree", "ReplacingMergeTree"].iter().all(|name| names.contains(name));
    has_both && live.merge_args().len() <= 1 && written.merge_args().len() <= 1
}

/// The engine with the arguments that say how rows are merged.
fn shown(engine: &Engine) -> String {
    let normal = |text: &str| key_items(text).map_or_else(|_| text.to_owned(), |items| list(&items));
    let args: Vec<String> = engine.merge_args().iter().map(|arg| normal(&arg.text)).collect();
    if args.is_empty() { engine.name.clone() } else { format!("{}({})", engine.name, list(args)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn another_engine_is_refused() {
        let mut fixture = Fixture::new();
        fixture.write("ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')", "MergeTree()");
        assert_eq!(
            fixture.found(check),
            ["blocker SW010: the statement gives d.events the engine `MergeTree`, but it is `ReplicatedMergeTree`"]
        );
        for (engine, shown) in [
            ("SummingMergeTree('/x', 'y'", "SummingMergeTree"),
            ("ReplacingMergeTree('/x', 'y', version, sign", "ReplacingMergeTree(version, sign)"),
        ] {
            let keeper = "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}'";
            fixture.write(keeper, &format!("Replicated{engine}"));
            let what =
                format!("the statement gives d.events the engine `Replicated{shown}`, but it is `ReplicatedMergeTree`");
            assert_eq!(fixture.found(check), [format!("blocker SW010: {what}")]);
        }
        fixture.write(
            "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}'",
            "ReplicatedReplacingMergeTree('/x', 'y', version",
        );
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn another_keeper_path_is_no_other_engine() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.write("/clickhouse/{shard}/events", "/elsewhere/{shard}");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
