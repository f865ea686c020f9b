//! Making twins: a sample of the real rows, and tables that hold it under one key each.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use super::super::super::failure::Failure;
use super::ground::Ground;
use crate::catalog::{Column, Table};
use crate::ddl::read_engine;
use crate::evaluate::{Key, Plan, Scale, Volume};
use crate::names::{TableName, quote_identifier, quote_string};
use crate::plan::{list_partitions, of_table};
use crate::server::{QueryError, QueryErrorKind};
use crate::words::list;

/// A twin that holds its rows.
#[derive(Debug, Clone)]
pub(super) struct Twin {
    pub(super) name: TableName,
    pub(super) insert_seconds: f64,
    pub(super) merge_seconds: f64,
}

/// What a table holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    pub(super) rows: u64,
    pub(super) compressed_bytes: u64,
    pub(super) by_column: BTreeMap<String, u64>,
    pub(super) index_bytes: u64,
    pub(super) granules: u64,
}

/// One table of the replica that is measured, and what is made of it.
pub(super) struct Maker<'a> {
    pub(super) ground: &'a Ground<'a>,
    pub(super) table: &'a Table,
    pub(super) volume: Volume,
    /// The codec of most of its rows, where only a part of them is measured.
    pub(super) codec: Option<String>,
}

#[derive(Deserialize)]
struct VolumeRow {
    total_rows: u64,
    plain_bytes: u64,
    packed_bytes: u64,
    largest_rows: u64,
    largest_marks: u64,
    parts: u64,
}

/// Rows and bytes of a table on the replica.
pub(super) async fn volume(ground: &Ground<'_>, table: &Table) -> Result<Volume, Failure> {
    let sql = format!(
        "SELECT toUInt64(sum(rows)) AS total_rows, toUInt64(sum(data_uncompressed_bytes)) AS plain_bytes, \
         toUInt64(sum(data_compressed_bytes)) AS packed_bytes, toUInt64(count()) AS parts, \
         toUInt64(argMax(rows, rows)) AS largest_rows, toUInt64(argMax(marks, rows)) AS largest_marks \
         FROM system.parts WHERE active AND {}",
        of_table(&table.name)
    );
    let rows: Vec<VolumeRow> = ground.rows(&sql).await.map_err(|error| Failure::of(&error))?;
    let row = rows.into_iter().next().filter(|row| row.parts > 0 && row.total_rows > 0);
    let row = row.ok_or_else(|| {
        Failure::new(format!("{} has no rows on {}: there is nothing to measure", table.name, ground.on))
    })?;
    Ok(Volume {
        rows: row.total_rows,
        bytes: row.plain_bytes,
        disk_bytes: row.packed_bytes,
        granule_rows: granule_rows(table, &row),
    })
}

/// The codec in which most rows are, where a table can be told to use it.
pub(super) async fn codec(ground: &Ground<'_>, table: &TableName) -> Option<String> {
    if !ground.known.has("table default_compression_codec") {
        return None;
    }
    let sql = format!(
        "SELECT default_compression_codec FROM system.parts WHERE active AND {} \
         GROUP BY default_compression_codec ORDER BY sum(rows) DESC, default_compression_codec LIMIT 1",
        of_table(table)
    );
    ground.text(&sql).await.ok().filter(|codec| !codec.is_empty())
}

/// What the table's setting says, unless wide rows make granules smaller: then what its largest part has.
fn granule_rows(table: &Table, row: &VolumeRow) -> u64 {
    const DEFAULT: u64 = 8192;
    let set = table
        .engine_full
        .split("index_granularity = ")
        .nth(1)
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
    let set = set.filter(|rows| *rows > 0).unwrap_or(DEFAULT);
    // The last mark of a part is that of its end.
    let measured = row.largest_rows / row.largest_marks.saturating_sub(1).max(1);
    if row.largest_marks > 2 && measured * 10 < set * 9 { measured.max(1) } else { set }
}

impl Maker<'_> {
    /// Columns that are stored.
    fn stored(&self) -> impl Iterator<Item = &Column> {
        self.table.columns.iter().filter(|column| column.is_stored())
    }

    /// A table for rows as they come.
    pub(super) async fn heap(&self, name: &TableName) -> Result<(), Failure> {
        let columns = list(self.stored().map(|column| format!("{} {}", quote_identifier(&column.name), column.kind)));
        self.ground
            .change(&format!("CREATE TABLE {} ({columns}) ENGINE = MergeTree ORDER BY tuple()", name.sql()))
            .await
    }

    /// Copies the stored columns that are chosen.
    pub(super) fn copy(&self, from: &TableName, to: &TableName, chosen: impl Fn(&Column) -> bool) -> String {
        let columns = list(self.stored().filter(|column| chosen(column)).map(|column| quote_identifier(&column.name)));
        format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", to.sql(), from.sql())
    }

    /// A twin's plan; the key is today's if none is given. No row is merged away.
    pub(super) fn plan<'p>(&'p self, key: Option<&'p Key>, granule_rows: u64) -> Plan<'p> {
        let Self { table, ground, codec, .. } = self;
        Plan { table, key, granule_rows, dialect: ground.dialect, merges: false, codec: codec.as_deref() }
    }

    /// Copies the sample. Which rows it has depends on their places in their parts alone, so that it is the same each time.
    pub(super) async fn sample(&self, scale: &Scale, name: &TableName) -> Result<u64, Failure> {
        self.heap(name).await?;
        let all = self.copy(&self.table.name, name, |_| true);
        let rows_max = self.volume.rows.saturating_mul(2).saturating_add(1_000_000).to_string();
        let bounds = [("max_rows_to_read", rows_max.as_str()), ("use_query_condition_cache", "0")];
        if scale.is_whole() {
            self.ground.attempt(&all, &bounds).await.map_err(|error| self.not_sampled(&error))?;
            return self.count(name).await;
        }
        let threshold = scale.threshold();
        let by_place = format!("{all} WHERE intHash32(_part_offset) < {threshold}");
        match self.ground.attempt(&by_place, &bounds).await {
            // Servers without places of rows: by the order of reading, which one thread keeps.
            Err(error) if matches!(error.kind, QueryErrorKind::Server { code: 47 }) => {
                let bounds = [bounds.as_slice(), &[("max_threads", "1")]].concat();
                let by_order = format!("{all} WHERE intHash32(rowNumberInAllBlocks()) < {threshold}");
                self.ground.attempt(&by_order, &bounds).await.map_err(|error| self.not_sampled(&error))?;
            }
            answer => answer.map_err(|error| self.not_sampled(&error))?,
        }
        self.count(name).await
    }

    /// A table with today's key and some of the table's granules, as they are: as many rows as a sample has. False if the server does not
    /// number rows, or would have to take more than it may.
    pub(super) async fn whole_granules(&self, scale: &Scale, name: &TableName) -> Result<bool, Failure> {
        let granule_rows = self.volume.granule_rows;
        self.create(&self.plan(None, granule_rows), name).await?;
        let all = self.copy(&self.table.name, name, |_| true);
        let some = format!("{all} WHERE intHash32(intDiv(_part_offset, {granule_rows})) < {}", scale.threshold());
        Ok(self.ground.attempt(&some, &[("use_query_condition_cache", "0")]).await.is_ok())
    }

    fn not_sampled(&self, error: &QueryError) -> Failure {
        Failure::new(format!("rows of {} cannot be sampled: {error}", self.table.name))
            .hint("a smaller --sample-bytes takes less memory and disk")
    }

    pub(super) async fn count(&self, table: &TableName) -> Result<u64, Failure> {
        let answer = self.ground.text(&format!("SELECT count() FROM {}", table.sql())).await;
        Ok(answer.map_err(|error| Failure::of(&error))?.parse().unwrap_or(0))
    }

    /// A twin with this key, or today's, filled from `from` and merged.
    pub(super) async fn twin(
        &self,
        key: Option<&Key>,
        granule_rows: u64,
        from: &TableName,
        name: &str,
    ) -> Result<Twin, Failure> {
        self.twin_of(key, granule_rows, from, name, |_| true).await
    }

    /// The same with the values of some columns only; of the others the twin has the default.
    pub(super) async fn twin_of(
        &self,
        key: Option<&Key>,
        granule_rows: u64,
        from: &TableName,
        name: &str,
        has_values: impl Fn(&Column) -> bool,
    ) -> Result<Twin, Failure> {
        let name = self.ground.table(name);
        let plan = self.plan(key, granule_rows);
        let unmerged = if self.merges() { self.ground.table(&format!("{}_rows", name.table)) } else { name.clone() };
        self.create(&plan, &unmerged).await?;
        let insert = self.copy(from, &unmerged, has_values);
        let began = Instant::now();
        self.ground.change(&insert).await?;
        let insert_seconds = began.elapsed().as_secs_f64();
        let began = Instant::now();
        self.ground.change(&format!("OPTIMIZE TABLE {} FINAL", unmerged.sql())).await?;
        let merge_seconds = began.elapsed().as_secs_f64();
        if self.merges() {
            self.as_engine(&Plan { merges: true, ..plan }, &unmerged, &name).await?;
        }
        Ok(Twin { name, insert_seconds, merge_seconds })
    }

    /// Whether the table's engine merges rows. A sample of them would lose what it has no right to lose.
    pub(super) fn merges(&self) -> bool {
        read_engine(&self.table.engine_full).is_ok_and(|engine| engine.plain_name() != "MergeTree")
    }

    /// Parts that were merged without losing a row become those of a table with the real engine, for queries with FINAL.
    async fn as_engine(&self, plan: &Plan<'_>, unmerged: &TableName, name: &TableName) -> Result<(), Failure> {
        self.create(plan, name).await?;
        let partitions = self.ground.text(&list_partitions(unmerged)).await.map_err(|error| Failure::of(&error))?;
        for id in partitions.lines() {
            let (to, id) = (name.sql(), quote_string(id));
            self.ground.change(&format!("ALTER TABLE {to} ATTACH PARTITION ID {id} FROM {}", unmerged.sql())).await?;
        }
        self.ground.change(&format!("DROP TABLE {}", unmerged.sql())).await
    }

    async fn create(&self, plan: &Plan<'_>, name: &TableName) -> Result<(), Failure> {
        let create = plan.create(name)?;
        self.ground.attempt(&create, &[]).await.map_err(|error| match plan.key {
            Some(key) => Failure::new(format!("{} cannot have the key {}: {error}", self.table.name, key.sql))
                .hint("a key has deterministic expressions over columns that are not Nullable"),
            None => Failure::new(format!("a twin of {} cannot be made: {error}", self.table.name)),
        })
    }

    /// What a table of the scratch database holds.
    pub(super) async fn held(&self, name: &TableName) -> Result<Held, Failure> {
        let is_it = format!("active AND {}", of_table(name));
        let failed = |error: QueryError| Failure::of(&error);
        let sql = format!(
            "SELECT toUInt64(sum(rows)), toUInt64(sum(data_compressed_bytes)), toUInt64(sum(primary_key_bytes_in_memory)), \
             toUInt64(sum(marks) - count()) FROM system.parts WHERE {is_it}"
        );
        let answer = self.ground.text(&sql).await.map_err(failed)?;
        let figures: Vec<u64> = answer.split('\t').map(|figure| figure.parse().unwrap_or(0)).collect();
        let [rows, compressed_bytes, index_bytes, granules] = figures[..] else { return Ok(Held::default()) };
        let sql = format!(
            "SELECT column, toString(sum(column_data_compressed_bytes)) FROM system.parts_columns WHERE {is_it} \
             GROUP BY column ORDER BY column"
        );
        let answer = self.ground.text(&sql).await.map_err(failed)?;
        let pairs = answer.lines().filter_map(|line| line.split_once('\t'));
        let by_column = pairs.map(|(column, bytes)| (column.to_owned(), bytes.parse().unwrap_or(0))).collect();
        Ok(Held { rows, compressed_bytes, by_column, index_bytes, granules })
    }
}
