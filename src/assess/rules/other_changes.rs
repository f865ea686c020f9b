//! SW011: the written definition differs from the live one in more than keys.

use super::super::case::Case;
use super::super::difference::Parts;
use super::super::finding::Finding;
use crate::catalog::Keys;
use crate::ddl::{DdlError, key_items, read_engine};
use crate::words::{list, sql};

pub(super) const CODE: &str = "SW011";

/// So many differences are written out.
const SHOWN_MAX: usize = 3;
/// Parts about which other rules speak, or which are the change itself.
const LEFT_OUT: [&str; 4] = ["engine", "PARTITION BY", "PRIMARY KEY", "ORDER BY"];

/// Only keys change: a column or setting that comes or goes with them would not be copied, or not be noticed.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(differences) = differences(case) else { return Vec::new() };
    if differences.is_empty() {
        return Vec::new();
    }
    let more = differences.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!("; {more} more") } else { String::new() };
    let shown: Vec<&str> = differences.iter().take(SHOWN_MAX).map(String::as_str).collect();
    vec![Finding::blocker(
        CODE,
        format!("the statement changes more of {} than its keys: {}{more}", case.name(), shown.join("; ")),
        "this version plans changes of keys alone, so that every row of the copy can be compared with its source",
        "write these parts as SHOW CREATE TABLE gives them, and change them with an ALTER TABLE before or afterwards",
    )]
}

fn differences(case: &Case<'_>) -> Option<Vec<String>> {
    let written = case.written?;
    let read = |sql: &str| Parts::read(sql).map(|parts| parts.without(&LEFT_OUT));
    let (written_parts, target) = match (read(&written.create_query), read(&case.target.create_query)) {
        (Ok(written), Ok(target)) => (written, target),
        (Err(error), _) | (_, Err(error)) => return Some(vec![unreadable(&error)]),
    };
    let found = written_parts.differences(&target);
    let mut found: Vec<String> = found.iter().map(|found| found.says("in the statement", "live")).collect();
    if written_parts.get("TTL").is_none() && target.get("TTL").is_none() {
        found.extend(other_ttl(case));
    }
    found.extend(other_keys(&written.keys, &case.target.keys));
    Some(found)
}

fn unreadable(error: &DdlError) -> String {
    format!("the definition cannot be read ({error})")
}

/// Scratch tables are made without TTL, so it is compared as it was written.
fn other_ttl(case: &Case<'_>) -> Option<String> {
    let written = case.change.wanted.definition.as_ref()?.engine.clauses.ttl.as_ref();
    let live = read_engine(&case.source()?.engine_full).ok()?.clauses.ttl;
    let [written, live] = [written, live.as_ref()].map(|ttl| ttl.map_or("nothing", |ttl| ttl.text.as_str()));
    let normal = |ttl: &str| key_items(ttl).map_or_else(|_| ttl.to_owned(), |items| list(&items));
    (normal(written) != normal(live)).then(|| format!("TTL: {} in the statement, {} live", sql(written), sql(live)))
}

/// The keys that were read from the statement must be those that the server sees in it.
fn other_keys(written: &Keys, target: &Keys) -> Option<String> {
    let keys = |keys: &Keys| list([&keys.sorting, &keys.primary, &keys.partition].map(|key| sql(key)));
    (written != target)
        .then(|| format!("keys: read as {}, but for the server they are {}", keys(target), keys(written)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn other_columns_and_settings_are_named() {
        let mut fixture = Fixture::new();
        fixture.write("DEFAULT 1", "DEFAULT 2");
        let text = "blocker SW011: the statement changes more of d.events than its keys: column value: `value Float64 \
                    DEFAULT 2` in the statement, `value Float64 DEFAULT 1` live";
        assert_eq!(fixture.found(check), [text]);
        fixture.write("8192", "1024");
        assert!(
            fixture.found(check)[0]
                .ends_with("SETTINGS: `index_granularity = 1024` in the statement, `index_granularity = 8192` live")
        );
    }

    #[test]
    fn a_definition_with_other_keys_alone_is_fine() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.write("ORDER BY (id, team)", "ORDER BY (id, team)");
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn a_ttl_counts_though_scratch_tables_have_none() {
        let mut fixture = Fixture::new();
        fixture.write("ORDER BY (id, team)", "ORDER BY (id, team)");
        fixture.sources(|source| source.engine_full = source.engine_full.replace(" SETTINGS", " TTL day + 1 SETTINGS"));
        assert!(fixture.found(check)[0].ends_with("TTL: `nothing` in the statement, `day + 1` live"));
        let definition = fixture.change.wanted.definition.as_mut().unwrap();
        definition.engine.clauses.ttl = Some(crate::ddl::Text::new("day+1"));
        assert_eq!(fixture.found(check), [""; 0]);
    }

    #[test]
    fn keys_that_the_server_reads_otherwise_are_refused() {
        let mut fixture = Fixture::new();
        fixture.write("ORDER BY (id, team)", "ORDER BY (id, team, day)");
        assert!(fixture.found(check)[0].contains("keys: read as `id, team`, "));
    }
}
