//! The table under load. A row follows from its number and version alone, in Rust and in SQL: so every row found can be
//! checked without a copy of it.

use std::fmt::Write as _;

use crate::harness::End;

/// Base rows, which are there before the load begins, have the numbers below this one.
pub(crate) const BASE_END: u64 = 1_000_000_000;
/// Rows that everybody inserts again and again, all in cold partitions.
pub(crate) const POOL: u64 = BASE_END;
/// How many there are.
pub(crate) const POOL_ROWS: u64 = 4_000;
/// Writer 0 begins here, the next one as much further on.
pub(crate) const WRITER: u64 = 10_000_000_000;
/// Where a writer's companions of pool rows begin, counted from its first number.
pub(crate) const COMPANIONS: u64 = WRITER / 2;
/// Numbers from here on belong to the writer that updates and deletes.
pub(crate) const CHANGING: u64 = 100 * WRITER;

/// Columns that are inserted.
const COLUMNS: &str = "id, version, at, tenant, kind, amount, tags, note";
/// 2024-01-01.
const EPOCH: u64 = 1_704_067_200;

/// The table and what hangs on it.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) database: String,
    pub(crate) end: End,
    /// `ReplacingMergeTree` instead of `MergeTree`.
    pub(crate) replacing: bool,
    /// The sorting key at first.
    pub(crate) key: &'static str,
    /// The partition key: rows of a month lie in one partition.
    pub(crate) partition: &'static str,
}

/// Nine partitions.
pub(crate) const BY_MONTH: &str = "toYYYYMM(at)";
/// Three of them.
pub(crate) const BY_QUARTER: &str = "toQuarter(at)";

impl Schema {
    /// The engine without its arguments.
    pub(crate) fn engine(&self) -> String {
        let replicated = if self.end == End::Old { "Replicated" } else { "" };
        let replacing = if self.replacing { "Replacing" } else { "" };
        format!("{replicated}{replacing}MergeTree")
    }

    /// `FINAL`, where rows that merges have not met yet are not to be seen.
    pub(crate) fn last(&self) -> &'static str {
        if self.replacing { " FINAL" } else { "" }
    }

    /// Makes the table and the `Distributed` table over it. Hundreds of inserts a second make many parts, which merges must have time
    /// to meet, and many files, which need not stay for eight minutes.
    pub(crate) fn tables(&self) -> [String; 2] {
        let Self { database, end, replacing, key, partition } = self;
        let mut arguments = Vec::new();
        if *end == End::Old {
            arguments.extend([format!("'/clickhouse/{database}/{{shard}}/t'"), "'{replica}'".to_owned()]);
        }
        arguments.extend(replacing.then(|| "version".to_owned()));
        let kind = if *end == End::Old { "String" } else { "LowCardinality(String)" };
        let columns = format!(
            "id UInt64, version UInt32, at DateTime, tenant UInt32, kind {kind}, amount Nullable(Int64), tags Array(String), note String"
        );
        [
            format!(
                "CREATE TABLE {database}.t ({columns}, bucket UInt64 MATERIALIZED intDiv(id, 7)) \
                 ENGINE = {}({}) PARTITION BY {partition} ORDER BY ({key}) \
                 SETTINGS parts_to_delay_insert = 3000, parts_to_throw_insert = 6000, old_parts_lifetime = 20",
                self.engine(),
                arguments.join(", ")
            ),
            // With the MATERIALIZED column, old servers would send it on, and refuse it.
            format!("CREATE TABLE {database}.everywhere ({columns}) ENGINE = Distributed(main, {database}, t, id)"),
        ]
    }

    /// Makes the downstream view, which sees every row that is inserted, where it is inserted.
    pub(crate) fn downstream(&self) -> [String; 2] {
        let database = &self.database;
        [
            format!("CREATE TABLE {database}.seen (id UInt64) ENGINE = MergeTree ORDER BY id"),
            format!("CREATE MATERIALIZED VIEW {database}.feed TO {database}.seen AS SELECT id FROM {database}.t"),
        ]
    }

    /// An insert whose rows follow as text.
    pub(crate) fn insert_text(&self, table: &str) -> String {
        format!("INSERT INTO {}.{table} ({COLUMNS}) FORMAT TabSeparated\n", self.database)
    }

    /// An insert of the rows `first`, `first + stride`, …, which the server makes.
    pub(crate) fn insert_select(&self, table: &str, first: u64, stride: u64, count: u64) -> String {
        format!(
            "INSERT INTO {}.{table} ({COLUMNS}) SELECT id, toUInt32(1) AS version, {AT}, {TENANT}, {KIND}, {AMOUNT}, {TAGS}, {NOTE} \
             FROM (SELECT number * {stride} + {first} AS id FROM system.numbers LIMIT {count})",
            self.database
        )
    }

    /// Holds for rows that are not what their number and version say, whatever their note.
    pub(crate) fn is_altered() -> String {
        format!(
            "at != {AT} OR tenant != {TENANT} OR kind != {KIND} OR isNull(amount) != (id % 5 = 0) \
             OR ifNull(amount, 0) != ifNull({AMOUNT}, 0) OR tags != {TAGS} OR bucket != intDiv(id, 7)"
        )
    }

    /// Holds for rows with another note than they were inserted with.
    pub(crate) fn is_noted() -> String {
        format!("note != {NOTE}")
    }
}

/// Months of 31 days. Base rows lie in the first six. Of the others the last four in each 64 numbers are late and lie in the first
/// four; the rest is in a month that moves on with the numbers, so that partitions come into being under load.
const AT: &str = "toDateTime(toUInt32(1704067200 + multiIf(id < 1000000000, intDiv(id, 100) % 6, id % 64 >= 60, intDiv(id, 64) % 4, \
                  4 + intDiv(id, 8192) % 4) * 2678400 + id * 104729 % 2419200))";
const TENANT: &str = "toUInt32(id * 7919 % 257)";
const KIND: &str = "concat('kind ', toString(id % 7))";
const AMOUNT: &str = "if(id % 5 = 0, NULL, toInt64(id % 100003) - 50000)";
const TAGS: &str = "arrayMap(i -> concat('t', toString((id + i) % 11)), range(id % 4))";
const NOTE: &str = "concat('note ', toString(id % 1009), ' v', toString(version))";

/// The month of a row, from 0.
pub(crate) fn month(id: u64) -> u64 {
    match id {
        _ if id < BASE_END => id / 100 % 6,
        _ if id % 64 >= 60 => id / 64 % 4,
        _ => 4 + id / 8192 % 4,
    }
}

/// The place in `of` of a number in one of the first four months, on one of two shards.
pub(crate) fn cold(of: u64, index: u64, month: u64, shard: u32) -> u64 {
    of + index * 256 + month * 64 + 60 + u64::from(shard - 1)
}

/// The shard that the `Distributed` table sends a row to.
pub(crate) fn shard(id: u64) -> u32 {
    if id.is_multiple_of(2) { 1 } else { 2 }
}

/// Appends a row as text.
pub(crate) fn write_row(text: &mut String, id: u64, version: u32) {
    let at = EPOCH + month(id) * 2_678_400 + id * 104_729 % 2_419_200;
    let tags: Vec<String> = (0..id % 4).map(|i| format!("'t{}'", (id + i) % 11)).collect();
    let amount = if id.is_multiple_of(5) {
        "\\N".to_owned()
    } else {
        (i64::try_from(id % 100_003).unwrap_or(0) - 50_000).to_string()
    };
    _ = writeln!(
        text,
        "{id}\t{version}\t{at}\t{}\tkind {}\t{amount}\t[{}]\tnote {} v{version}",
        id * 7919 % 257,
        id % 7,
        tags.join(","),
        id % 1009
    );
}

#[test]
fn pool_rows_and_companions_lie_where_they_are_said_to() {
    for (index, at, home) in [(0, 0, 1), (7, 3, 2), (15, 2, 1)] {
        for of in [POOL, WRITER + COMPANIONS, 8 * WRITER + COMPANIONS] {
            let id = cold(of, index, at, home);
            assert_eq!((month(id), shard(id)), (at, home), "{id}");
        }
    }
}
