//! What `shardwright demo` shows: tables of a product-analytics kind, their rows, the change and the questions about them.
//!
//! Pure, and the same for the same number of rows: a row is a function of its number.

/// Months of events, from January 2024.
const MONTHS: u64 = 8;
/// Statements that a month's rows arrive with, so that a partition is made of several parts.
const INSERTS_A_MONTH: u64 = 3;
/// One row in so many is sent a second time, with a newer version.
const SENT_AGAIN_ONE_IN: u64 = 100;
/// One row for so many comes in while the old data soaks.
const LATE_ONE_IN: u64 = 50;

/// The local table whose sorting key changes.
pub const SOURCE: &str = "app.events_local";
/// Its sorting key before and after: the same columns, so that both tables merge the same rows.
pub const KEYS: [&str; 2] = ["team_id, toDate(timestamp), event, uuid", "team_id, event, toDate(timestamp), uuid"];

/// The statement that is planned.
pub const CHANGE: &str = "ALTER TABLE app.events_local MODIFY ORDER BY (team_id, event, toDate(timestamp), uuid)";

/// What the new key is for. `uniq` of people, so that a row which was sent twice counts once.
pub const QUESTION: &str =
    "SELECT uniqExact(distinct_id) AS people FROM app.events WHERE team_id = 1 AND event = 'purchase'";

/// A count and a checksum of every partition of one replica, as the engine merges rows.
pub const CHECKSUM: &str = "SELECT toYYYYMM(timestamp) AS month, count(), sum(cityHash64(team_id, event, timestamp, \
                            toString(uuid), distinct_id, properties, version)) FROM app.events_local FINAL \
                            GROUP BY month ORDER BY month";

/// Rows that the materialized view has counted. A copy that fired it would double them.
pub const COUNTED: &str = "SELECT sum(events) FROM app.daily_counts_local";

/// The tables of the database, a line each.
pub const TABLES: &str = "SELECT name FROM system.tables WHERE database = 'app' ORDER BY name";

/// The sorting key, as the server has it.
pub const SORTED_BY: &str = "SELECT sorting_key FROM system.tables WHERE database = 'app' AND name = 'events_local'";

/// The tables that hold rows.
pub const LOCAL: [&str; 2] = ["app.events_local", "app.daily_counts_local"];

/// Creates everything, on each replica of a cluster of this name; `replicated` where its shards have several.
///
/// A granule is 1024 rows, an eighth of the default, so that a million rows show what the default does to many more.
pub fn tables(cluster: &str, replicated: bool) -> Vec<String> {
    let events = engine(replicated, "ReplacingMergeTree", LOCAL[0], "version");
    let counts = engine(replicated, "SummingMergeTree", LOCAL[1], "");
    vec![
        "CREATE DATABASE app".to_owned(),
        format!(
            "CREATE TABLE app.events_local (
    team_id UInt64, event String, timestamp DateTime, uuid UUID, distinct_id String, properties String, version UInt64
) ENGINE = {events}
PARTITION BY toYYYYMM(timestamp) ORDER BY ({})
SETTINGS index_granularity = 1024",
            KEYS[0]
        ),
        format!(
            "CREATE TABLE app.events AS app.events_local
ENGINE = Distributed({cluster}, app, events_local, cityHash64(distinct_id))"
        ),
        format!(
            "CREATE TABLE app.daily_counts_local (team_id UInt64, day Date, event String, events UInt64)
ENGINE = {counts}
PARTITION BY toYYYYMM(day) ORDER BY (team_id, day, event)"
        ),
        "CREATE MATERIALIZED VIEW app.daily_counts_mv TO app.daily_counts_local
AS SELECT team_id, toDate(timestamp) AS day, event, count() AS events FROM app.events_local GROUP BY team_id, day, event"
            .to_owned(),
    ]
}

/// `Replicated…` with a Keeper path of its own, or plain.
fn engine(replicated: bool, family: &str, table: &str, args: &str) -> String {
    let keeper = format!("'/clickhouse/tables/{{shard}}/{table}', '{{replica}}'");
    match (replicated, args) {
        (false, _) => format!("{family}({args})"),
        (true, "") => format!("Replicated{family}({keeper})"),
        (true, _) => format!("Replicated{family}({keeper}, {args})"),
    }
}

/// Different events among `rows` rows.
pub fn distinct(rows: u64) -> u64 {
    rows - sent_again_a_month(rows) * MONTHS
}

fn sent_again_a_month(rows: u64) -> u64 {
    rows / SENT_AGAIN_ONE_IN / MONTHS
}

/// The statements that send `rows` rows, of which one in a hundred is an event that was sent before.
pub fn inserts(rows: u64) -> Vec<String> {
    let (again, once) = (sent_again_a_month(rows), distinct(rows));
    let parts = MONTHS * INSERTS_A_MONTH;
    let start = |part: u64| once * part / parts;
    let mut inserts = Vec::new();
    for part in 0..parts {
        let month = part / INSERTS_A_MONTH + 1;
        inserts.push(insert(month, 1, start(part), start(part + 1) - start(part)));
        if part % INSERTS_A_MONTH == 0 {
            inserts.push(insert(month, 2, start(part), again));
        }
    }
    inserts
}

/// Rows that come in after `rows` others.
pub fn latecomers(rows: u64) -> (String, u64) {
    let count = rows / LATE_ONE_IN;
    (insert(MONTHS, 1, rows, count), count)
}

/// Half of the events are page views, a quarter clicks, and so on; team 1 has three fifths of them.
fn insert(month: u64, version: u64, first: u64, count: u64) -> String {
    format!(
        "INSERT INTO app.events SELECT \
         if(cityHash64(number, 1) % 10 < 6, 1, 2 + cityHash64(number, 1) % 19), \
         ['page_view', 'click', 'search', 'sign_up', 'add_to_cart', 'purchase', 'refund', 'export']\
         [8 - toUInt8(log2(1 + cityHash64(number, 2) % 255))], \
         toDateTime('2024-{month:02}-01 00:00:00') + cityHash64(number, 3) % 2419200, \
         toUUID(UUIDNumToString(MD5(toString(number)))), \
         concat('user-', toString(cityHash64(number, 4) % 50000)), \
         concat('{{\"path\": \"/', toString(cityHash64(number, 5) % 1000), '\", \"sent\": {version}}}'), \
         {version} FROM numbers({first}, {count})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numbers(first, count)` and the version of each statement.
    fn ranges(rows: u64) -> Vec<(u64, u64, u64)> {
        let parse = |sql: String| {
            let (head, tail) = sql.rsplit_once(" FROM numbers(").unwrap();
            let (first, count) = tail.trim_end_matches(')').split_once(", ").unwrap();
            let version = head.rsplit(' ').next().unwrap();
            (first.parse().unwrap(), count.parse().unwrap(), version.parse().unwrap())
        };
        inserts(rows).into_iter().map(parse).collect()
    }

    #[test]
    fn engines_are_replicated_where_there_are_replicas() {
        let (plain, replicated) = (tables("main", false).concat(), tables("main", true).concat());
        assert!(plain.contains("ENGINE = ReplacingMergeTree(version)\n") && !plain.contains("Replicated"), "{plain}");
        let keeper = "'/clickhouse/tables/{shard}/app.daily_counts_local', '{replica}'";
        assert!(replicated.contains(&format!("ENGINE = ReplicatedSummingMergeTree({keeper})\n")), "{replicated}");
    }

    #[test]
    fn as_many_rows_as_asked_for_are_sent_and_none_is_left_out() {
        for rows in [100_000, 123_457, 1_000_000] {
            let ranges = ranges(rows);
            assert_eq!(ranges.iter().map(|(_, count, _)| count).sum::<u64>(), rows);
            let mut next = 0;
            for (first, count, _) in ranges.iter().filter(|(_, _, version)| *version == 1) {
                assert_eq!(*first, next);
                next += count;
            }
            assert!(latecomers(rows).0.ends_with(&format!("FROM numbers({rows}, {})", rows / 50)));
        }
    }

    #[test]
    fn what_is_sent_again_has_been_sent_in_the_same_month() {
        let ranges = ranges(1_000_000);
        for pair in ranges.windows(2).filter(|pair| pair[1].2 == 2) {
            let ((first, count, _), (again, again_count, _)) = (pair[0], pair[1]);
            assert!(again == first && again_count <= count && again_count > 0);
        }
    }
}
