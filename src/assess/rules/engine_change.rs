//! SW010: the written definition has another engine.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::{Engine, key_items, read_engine};
use crate::words::{list, sql};

pub(super) const CODE: &str = "SW010";

/// Only keys change. Keeper path and replica name are left out: the new table gets a path of its own.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(written) = &case.change.wanted.definition else { return Vec::new() };
    let Some(source) = case.source() else { return Vec::new() };
    let Ok(live) = read_engine(&source.engine_full) else { return Vec::new() };
    let (live, written) = (shown(&live), shown(&written.engine));
    if live == written {
        return Vec::new();
    }
    vec![Finding::blocker(
        CODE,
        format!("the statement gives {} the engine {}, but it is {}", case.name(), sql(&written), sql(&live)),
        "another engine merges or replicates rows in another way, so the copy could not be compared with the source",
        format!("write ENGINE = {live}, with Keeper arguments as they are, if only the keys shall change"),
    )]
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
        fixture.write(
            "ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}'",
            "ReplicatedReplacingMergeTree('/x', 'y', version",
        );
        assert_eq!(
            fixture.found(check),
            [
                "blocker SW010: the statement gives d.events the engine `ReplicatedReplacingMergeTree(version)`, but it is \
                 `ReplicatedMergeTree`"
            ]
        );
    }

    #[test]
    fn another_keeper_path_is_no_other_engine() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.write("/clickhouse/{shard}/events", "/elsewhere/{shard}");
        assert_eq!(fixture.found(check), [""; 0]);
    }
}
