//! SW080: rows of the table cannot go to other shards.

use std::collections::BTreeSet;

use super::super::case::Case;
use super::super::finding::Finding;
use crate::catalog::Column;
use crate::change::Sharding;
use crate::ddl::lexer::significant_tokens;
use crate::ddl::quoting::unquote;
use crate::ddl::read_engine;
use crate::names::ReplicaId;

pub(super) const CODE: &str = "SW080";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(sharding) = &case.change.wanted.sharding else { return Vec::new() };
    merging(case).into_iter().chain(alike(case)).chain(key_columns(case, sharding)).collect()
}

/// The key is computed of the local table's rows, so its columns must be what they are in the `Distributed` table.
fn key_columns(case: &Case<'_>, sharding: &Sharding) -> Vec<Finding> {
    let tokens = significant_tokens(&sharding.key).unwrap_or_default();
    let words: BTreeSet<String> = tokens.iter().map(|token| unquoted(&sharding.key[token.span.clone()])).collect();
    let local = case.source().map(|table| table.columns.as_slice()).unwrap_or_default();
    let over = case.states().filter_map(|(_, state)| state.tables.get(&sharding.distributed));
    let columns = over.flat_map(|table| &table.columns).filter(|column| words.contains(&column.name));
    let is_same = |column: &Column| {
        local.iter().any(|one| one.name == column.name && one.kind == column.kind && one.is_stored())
            && column.is_stored()
    };
    let differing: BTreeSet<&String> = columns.filter(|column| !is_same(column)).map(|column| &column.name).collect();
    let finding = |name: &&String| {
        Finding::blocker(
            CODE,
            format!(
                "column {name} of the new sharding key is not the same in {} and {}",
                sharding.distributed,
                case.name()
            ),
            "rows are sent by the value of the key over the local table's columns, and written by its value over those of the Distributed table: with \
             another type, or a column that only one of them stores, rows of one key would be on several shards",
            "give both tables the same column first",
        )
    };
    differing.iter().map(finding).collect()
}

fn unquoted(word: &str) -> String {
    unquote(word).unwrap_or_else(|| word.to_owned())
}

/// What an engine merges on one shard is not what it merges on another.
fn merging(case: &Case<'_>) -> Option<Finding> {
    let engine = read_engine(&case.source()?.engine_full).ok()?;
    (engine.plain_name() != "MergeTree").then(|| {
        Finding::blocker(
            CODE,
            format!("{} is a {} table: its rows cannot be sent to other shards", case.name(), engine.name),
            "it merges rows of the same sorting key that are on one shard. By another sharding key other rows meet, so there is nothing to compare the \
             result with",
            "only MergeTree and ReplicatedMergeTree tables can be given another sharding key here",
        )
    })
}

/// Both tables have the same keys: what they are called in Keeper, or by the server, tells one from the other after a crash.
fn alike(case: &Case<'_>) -> Option<Finding> {
    let has_path = |table: &crate::catalog::Table| {
        read_engine(&table.engine_full).is_ok_and(|engine| engine.keeper_path().is_some())
    };
    let cannot_tell = |id: &ReplicaId, table| !has_path(table) && !case.exchanges_on(*id);
    let ids: Vec<ReplicaId> = case.sources().filter(|(id, table)| cannot_tell(id, table)).map(|(id, _)| id).collect();
    (!ids.is_empty()).then(|| {
        Finding::blocker(
            CODE,
            format!("on {} {} has neither a Keeper path of its own nor a UUID", case.replicas(&ids), case.name()),
            "the new table has the same definition: after a crash in the middle of the swap nothing would tell one from the other",
            "make the table Replicated, or move it to an Atomic database",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;
    use crate::names::TableName;

    #[test]
    fn plain_rows_go_anywhere_and_merged_ones_nowhere() {
        let mut fixture = Fixture::new();
        fixture.redefine("ReplicatedMergeTree(", "ReplicatedReplacingMergeTree(");
        assert_eq!(fixture.found(check), [""; 0], "the sharding key stays");
        fixture.reshard("cityHash64(team)");
        let refused =
            "blocker SW080: d.events is a ReplicatedReplacingMergeTree table: its rows cannot be sent to other shards";
        assert_eq!(fixture.found(check), [refused]);

        let mut fixture = Fixture::new();
        fixture.reshard("cityHash64(team)");
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn a_key_of_other_columns_than_the_local_ones_is_refused() {
        let mut fixture = Fixture::new();
        fixture.reshard("cityHash64(team, `version`)");
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.states(|state| {
            let over = state.tables.get_mut(&TableName::new("d", "events_all")).unwrap();
            over.columns
                .iter_mut()
                .filter(|column| column.name == "version")
                .for_each(|column| column.kind = "String".to_owned());
        });
        let refused =
            "blocker SW080: column version of the new sharding key is not the same in d.events_all and d.events";
        assert_eq!(fixture.found(check), [refused]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let mut fixture = Fixture::new();
        fixture.reshard("cityHash64(team)");
        fixture.redefine("ReplicatedMergeTree('/clickhouse/{shard}/events', '{replica}')", "MergeTree");
        fixture.states(|state| _ = state.databases.insert("d".to_owned(), "Atomic".to_owned()));
        assert_eq!(fixture.found(check), [""; 0]);
        _ = fixture.state("s2r1").databases.insert("d".to_owned(), "Ordinary".to_owned());
        let found = fixture.found(check);
        assert!(
            matches!(found.as_slice(), [one] if one.contains("s2r1") && one.contains("neither a Keeper path")),
            "{found:?}"
        );
    }
}
