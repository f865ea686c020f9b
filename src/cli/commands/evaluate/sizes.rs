//! How large a table would be under a key.
//!
//! Rows that lie side by side compress each other; a sample of rows has torn them apart. So slices are taken: the twin tells
//! between which values of the key some of its rows lie, and all rows of the table between these values are copied.

use std::collections::BTreeMap;

use super::super::super::failure::Failure;
use super::twins::{Held, Maker, Twin};
use crate::evaluate::{Key, Scale};
use crate::names::{TableName, quote_string};
use crate::plan::of_table;

/// Slices of one key, spread over all of it.
const SLICES: u64 = 8;

/// Compressed bytes of the whole table on the replica.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sizes {
    pub(super) total: f64,
    pub(super) by_column: BTreeMap<String, f64>,
    /// Whether they rest on slices; or on all rows, where the sample has them.
    pub(super) is_reliable: bool,
}

impl Sizes {
    /// From what some of `rows` rows take.
    fn scaled(held: &Held, rows: u64, is_reliable: bool) -> Self {
        let factor = rows as f64 / held.rows.max(1) as f64;
        Self {
            total: held.compressed_bytes as f64 * factor,
            by_column: held.by_column.iter().map(|(name, bytes)| (name.clone(), *bytes as f64 * factor)).collect(),
            is_reliable,
        }
    }
}

/// A part of a twin, in the order of its rows.
struct Part {
    name: String,
    partition: String,
    rows: u64,
}

/// Measures the size under a key; `other` is none for today's.
pub(super) async fn measure(
    maker: &Maker<'_>,
    scale: &Scale,
    key: &Key,
    other: Option<&Key>,
    twin: &Twin,
    held: &Held,
) -> Result<Sizes, Failure> {
    let rows = maker.volume.rows;
    if scale.is_whole() {
        return Ok(Sizes::scaled(held, rows, true));
    }
    let name = maker.ground.table("slices");
    let sliced = match slices(maker, key, &twin.name, held.rows).await? {
        None => None,
        Some(condition) => copy(maker, other, &name, &condition).await?,
    };
    maker.ground.change(&format!("DROP TABLE IF EXISTS {}", name.sql())).await?;
    // Fewer rows than this are no slices: the values did not tell them from others.
    let enough = sliced.filter(|sliced| sliced.rows * 4 > held.rows && sliced.rows < held.rows * 4);
    Ok(enough.map_or_else(|| Sizes::scaled(held, rows, false), |sliced| Sizes::scaled(&sliced, rows, true)))
}

/// The condition that rows of the table fulfil which lie in one of the slices; none where the server does not number rows.
async fn slices(maker: &Maker<'_>, key: &Key, twin: &TableName, held: u64) -> Result<Option<String>, Failure> {
    if key.items.iter().any(|item| item.ends_with(" DESC")) {
        return Ok(None);
    }
    let Some(parts) = parts(maker, twin).await? else { return Ok(None) };
    // Equal keys keep the order that they came in, which is today's.
    let today = Key::of(&maker.table.keys.sorting)?;
    let mut items: Vec<&str> = key.expressions();
    items.extend(today.expressions().into_iter().filter(|item| !key.items.iter().any(|known| known == item)));
    if items.is_empty() {
        return Ok(None);
    }
    let tuple = format!("tuple({})", items.join(", "));
    let span = slice_rows(held, maker.volume.rows);
    let value = |part: &Part, at: u64| {
        let part = quote_string(&part.name);
        format!("(SELECT {tuple} FROM {} WHERE _part = {part} AND _part_offset = {at})", twin.sql())
    };
    let slice = |number: u64| {
        let (part, at) = place(&parts, held / SLICES * number + held / SLICES / 2)?;
        let begin = at.min(part.rows.saturating_sub(span));
        let end = begin + span;
        let partition = quote_string(&part.partition);
        let mut condition = format!("_partition_id = {partition} AND {tuple} >= {}", value(part, begin));
        if end < part.rows {
            condition = format!("{condition} AND {tuple} < {}", value(part, end));
        }
        Some(format!("({condition})"))
    };
    let slices: Vec<String> = (0..SLICES).filter_map(slice).collect();
    Ok((!slices.is_empty()).then(|| slices.join(" OR ")))
}

/// Rows of a twin in one slice: together as many rows of the table as the twin has.
fn slice_rows(held: u64, rows: u64) -> u64 {
    let share = held as f64 / rows.max(1) as f64;
    crate::evaluate::whole(held as f64 * share / SLICES as f64).max(2)
}

/// The part in which a row lies, and where there.
fn place(parts: &[Part], mut at: u64) -> Option<(&Part, u64)> {
    for part in parts {
        if at < part.rows {
            return Some((part, at));
        }
        at -= part.rows;
    }
    None
}

async fn parts(maker: &Maker<'_>, twin: &TableName) -> Result<Option<Vec<Part>>, Failure> {
    let numbered = format!("SELECT _part_offset, _partition_id FROM {} LIMIT 0", twin.sql());
    if maker.ground.text(&numbered).await.is_err() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT name, partition_id, toString(rows) FROM system.parts WHERE active AND {} ORDER BY name",
        of_table(twin)
    );
    let answer = maker.ground.text(&sql).await.map_err(|error| Failure::of(&error))?;
    let part = |line: &str| {
        let mut fields = line.split('\t').map(ToOwned::to_owned);
        Some(Part { name: fields.next()?, partition: fields.next()?, rows: fields.next()?.parse().ok()? })
    };
    Ok(Some(answer.lines().filter_map(part).collect()))
}

/// A table with the slices and the granules of the real one. None if the server would have to take more than it may.
async fn copy(
    maker: &Maker<'_>,
    other: Option<&Key>,
    name: &TableName,
    condition: &str,
) -> Result<Option<Held>, Failure> {
    let plan = maker.plan(other, maker.volume.granule_rows);
    maker.ground.change(&plan.create(name)?).await?;
    let insert = format!("{} WHERE {condition}", maker.copy(&maker.table.name, name, |_| true));
    if maker.ground.attempt(&insert, &[("use_query_condition_cache", "0")]).await.is_err() {
        return Ok(None);
    }
    maker.ground.change(&format!("OPTIMIZE TABLE {} FINAL", name.sql())).await?;
    maker.held(name).await.map(Some)
}
