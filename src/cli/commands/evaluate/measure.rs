//! From twins to a report.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::super::args::Evaluate as Args;
use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::Subject;
use super::ask::{Asked, Method};
use super::ground::Ground;
use super::sizes::{self, Sizes};
use super::suggest::{self, Found};
use super::twins::{Held, Maker, Twin, codec, volume};
use crate::evaluate::{
    Alternative, Candidate, Coverage, EXAMPLES_MAX, FORMAT_VERSION, Key, Measured, NotCovered, Reads, Report, Scale,
    Volume, Workload, holds_sample, projections_spared, queries, weighted, weighted_bytes, whole,
};
use crate::names::TableName;
use crate::render::figures;
use crate::server::QueryError;

/// The table of the sample in the scratch database.
const SAMPLE: &str = "sample";
/// Projections that are told, at most; and skip indexes.
pub(super) const ALTERNATIVES_MAX: usize = 3;

/// One key, its twin and what it showed.
pub(super) struct Measurement {
    pub(super) key: Key,
    pub(super) twin: Twin,
    held: Held,
    sizes: Sizes,
    pub(super) reads: Vec<Reads>,
    refused: BTreeMap<usize, QueryError>,
}

/// Measures every key, and tells.
pub(super) async fn measure(
    ground: &Ground<'_>,
    connected: &Connected,
    subject: &Subject<'_>,
    keys: Vec<Key>,
    mut workload: Workload,
    args: &Args,
) -> Result<Report, Failure> {
    let began = Instant::now();
    let volume = volume(ground, subject.table).await?;
    let scale = Scale::new(&volume, args.sample_bytes);
    let codec = if scale.is_whole() { None } else { codec(ground, &subject.table.name).await };
    let maker = Maker { ground, table: subject.table, volume, codec };
    refuse_full_disk(subject, volume.bytes.min(args.sample_bytes), keys.len())?;
    let sample = ground.table(SAMPLE);
    let sample_rows = maker.sample(&scale, &sample).await?;
    let (some, all) = (figures::count(sample_rows), figures::rows(volume.rows));
    say(&format!("{some} of {all} are sampled on {}", subject.on));
    let run = Run { maker: &maker, subject, scale, sample, sample_rows, method: Method::probe(ground).await };
    let mut measurements = Vec::new();
    for (at, key) in keys.into_iter().enumerate() {
        measurements.push(run.candidate(at, key, &workload).await?);
    }
    leave_out_refused(&mut workload, &mut measurements, args.show_literals);
    let reads: Vec<Vec<Reads>> = measurements.iter().map(|one| one.reads.clone()).collect();
    let candidates: Vec<Candidate> =
        measurements.iter().enumerate().map(|(at, one)| run.report(at == 0, one, &workload)).collect();
    let found =
        if args.suggest { suggest::search(&run, &workload, &measurements, args).await? } else { Found::default() };
    let sizes_are_reliable = measurements.iter().all(|one| one.sizes.is_reliable);
    let mut notes = run.notes(&workload, sizes_are_reliable);
    notes.extend(found.notes);
    Ok(Report {
        format_version: FORMAT_VERSION,
        table: subject.table.name.to_string(),
        cluster: connected.cluster.topology().cluster.clone(),
        alternatives: [alternatives(&workload, &candidates, &reads, &found.others), found.indexes].concat(),
        candidates,
        queries: queries(&workload.groups, &reads, args.show_literals),
        coverage: Coverage::of(&workload),
        not_covered: workload.rest.iter().map(NotCovered::from).collect(),
        suggested: found.suggested,
        measured: run.measured(found.tried, sizes_are_reliable, began.elapsed().as_secs_f64()),
        notes,
    })
}

/// Twins are there all at once, beside the sample and one table of slices.
fn refuse_full_disk(subject: &Subject<'_>, sample_bytes: u64, keys: usize) -> Result<(), Failure> {
    let disks = subject.snapshot.state(subject.on).and_then(|state| state.disks.as_ref());
    let free = disks.and_then(|disks| disks.iter().map(|disk| disk.free_bytes).max());
    let needed = sample_bytes.saturating_mul(keys as u64 + 3);
    match free {
        Some(free) if free < needed => {
            let (needed, free) = (figures::bytes(needed), figures::bytes(free));
            let message = format!("{} has {free} free, and the twins may take {needed}", subject.on);
            Err(Failure::new(message).hint("a smaller --sample-bytes takes less"))
        }
        _ => Ok(()),
    }
}

/// What all keys have in common.
pub(super) struct Run<'a> {
    pub(super) maker: &'a Maker<'a>,
    pub(super) subject: &'a Subject<'a>,
    pub(super) scale: Scale,
    pub(super) sample: TableName,
    pub(super) sample_rows: u64,
    pub(super) method: Method,
}

impl Run<'_> {
    /// Rows of the table for each of a twin's.
    fn factor(&self) -> f64 {
        self.maker.volume.rows as f64 / self.sample_rows.max(1) as f64
    }

    /// Asks a table of the ground; of the table that is evaluated there are `factor` rows for each of its own.
    pub(super) fn asked<'a>(&'a self, twin: &'a TableName, factor: f64) -> Asked<'a> {
        let (ground, method, shards_factor) = (self.maker.ground, self.method, self.subject.shards_factor);
        Asked { ground, method, twin, factor, shards_factor }
    }

    pub(super) async fn candidate(&self, at: usize, key: Key, workload: &Workload) -> Result<Measurement, Failure> {
        say(&format!("measuring {}", key.sql));
        let other = (at > 0).then_some(&key);
        let twin = self.maker.twin(other, self.scale.granule_rows, &self.sample, &format!("twin_{at}")).await?;
        let told = self
            .asked(&twin.name, self.factor())
            .all(&workload.groups, EXAMPLES_MAX)
            .await
            .map_err(|error| Failure::of(&error))?;
        let held = self.maker.held(&twin.name).await?;
        let sizes = sizes::measure(self.maker, &self.scale, &key, other, &twin, &held).await?;
        Ok(Measurement { key, twin, held, sizes, reads: told.reads, refused: told.refused })
    }

    pub(super) fn report(&self, current: bool, one: &Measurement, workload: &Workload) -> Candidate {
        let size = |bytes: f64| whole(bytes * self.subject.shards_factor);
        Candidate {
            order_by: one.key.sql.clone(),
            current,
            rows_read_weighted: weighted(&workload.groups, &one.reads),
            bytes_read_weighted: weighted_bytes(&workload.groups, &one.reads),
            compressed_bytes: size(one.sizes.total),
            compressed_by_column: one
                .sizes
                .by_column
                .iter()
                .map(|(name, bytes)| (name.clone(), size(*bytes)))
                .collect(),
            primary_index_bytes: one.held.index_bytes,
            granules: one.held.granules,
            insert_seconds: rounded(one.twin.insert_seconds),
            merge_seconds: rounded(one.twin.merge_seconds),
            notes: if current { Vec::new() } else { self.consequences(&one.key) },
        }
    }

    fn measured(&self, keys_tried: usize, sizes_are_reliable: bool, seconds: f64) -> Measured {
        let Volume { rows, granule_rows, .. } = self.maker.volume;
        let version = self.subject.snapshot.state(self.subject.on).map_or("", |state| &state.version);
        Measured {
            on: self.subject.on.to_string(),
            version: version.to_owned(),
            method: self.method.name().to_owned(),
            table_rows: rows,
            sample_rows: self.sample_rows,
            granule_rows,
            twin_granule_rows: self.scale.granule_rows,
            shards_factor: rounded(self.subject.shards_factor),
            sizes_from: self.sizes_from(sizes_are_reliable).to_owned(),
            keys_tried,
            seconds: rounded(seconds),
        }
    }

    fn sizes_from(&self, are_reliable: bool) -> &'static str {
        match (self.scale.is_whole(), are_reliable) {
            (true, _) => "whole",
            (false, true) => "slices",
            (false, false) => "sample",
        }
    }

    /// How far the figures can be relied on.
    fn notes(&self, workload: &Workload, sizes_are_reliable: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if !sizes_are_reliable {
            notes.push(
                "sizes are those of a sample of rows: larger than the truth, and closer to each other".to_owned(),
            );
        }
        if !self.scale.is_whole() {
            notes.push(
                "rows are those of a sample: near the truth, within a fifth or a granule for each range; skip indexes look better on a \
                 sample than they are"
                    .to_owned(),
            );
        }
        if workload.groups.iter().any(|group| group.distributed) && self.subject.shards_factor > 1.0 {
            notes.push(format!(
                "queries that ask all shards: figures of {}, times {:.2}, as if all shards were alike",
                self.subject.on, self.subject.shards_factor
            ));
        }
        if self.method == Method::Explain {
            notes.push("a LIMIT that ends reading early is not seen: what the index leaves is counted".to_owned());
        }
        notes
    }

    /// Whether an engine that merges rows would merge others than today: `plan` blocks that.
    pub(super) fn merges_otherwise(&self, key: &Key) -> bool {
        let today = Key::of(&self.subject.table.keys.sorting).map(|key| key.items).unwrap_or_default();
        let within = |one: &[String], other: &[String]| one.iter().all(|item| other.contains(item));
        self.maker.merges() && !(within(&today, &key.items) && within(&key.items, &today))
    }

    /// What else the key would change.
    fn consequences(&self, key: &Key) -> Vec<String> {
        let table = self.subject.table;
        let mut notes = Vec::new();
        if self.merges_otherwise(key) {
            notes.push(format!("{} would merge other rows than today: `plan` blocks this (SW007)", table.engine));
        }
        if !table.keys.sampling.is_empty() && !holds_sample(key, &table.keys.sampling) {
            notes.push(format!("SAMPLE BY {} cannot stay: it is not in this key", table.keys.sampling));
        }
        let spared = projections_spared(key, &table.create_query);
        if !spared.is_empty() {
            let names = crate::words::list(spared.iter());
            notes.push(format!("projections in the order of this key would serve nothing that it does not: {names}"));
        }
        notes
    }
}

/// To a thousandth.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// A group that any twin refused is measured for none: its figures could not be compared.
fn leave_out_refused(workload: &mut Workload, measurements: &mut [Measurement], show_literals: bool) {
    let reason = |error: &QueryError| match error.code() {
        // A server's message repeats what it did not like, literals among it.
        Some(code) if !show_literals => {
            format!("the server refuses it over a twin (code {code}; --show-literals has more)")
        }
        _ => format!("the server refuses it over a twin: {error}"),
    };
    let refused: BTreeMap<usize, String> =
        measurements.iter().flat_map(|one| &one.refused).map(|(at, error)| (*at, reason(error))).collect();
    for one in measurements {
        let reads = std::mem::take(&mut one.reads);
        one.reads =
            reads.into_iter().enumerate().filter(|(at, _)| !refused.contains_key(at)).map(|(_, reads)| reads).collect();
    }
    workload.give_up(&refused);
}

/// A projection reads like the key that it is sorted by, and takes as much room: today's key and each of the others together.
fn alternatives(
    workload: &Workload,
    candidates: &[Candidate],
    reads: &[Vec<Reads>],
    found: &[(Candidate, Vec<Reads>)],
) -> Vec<Alternative> {
    let (Some(today), Some(today_reads)) = (candidates.first(), reads.first()) else { return Vec::new() };
    let others = candidates.iter().zip(reads).skip(1).chain(found.iter().map(|(candidate, reads)| (candidate, reads)));
    let mut alternatives: Vec<Alternative> = others
        .map(|(other, other_reads)| {
            let least = |(a, b): (&Reads, &Reads)| if a.mean <= b.mean { *a } else { *b };
            let both: Vec<Reads> = today_reads.iter().zip(other_reads).map(least).collect();
            Alternative {
                kind: "projection".to_owned(),
                sql: format!("SELECT * ORDER BY {}", without_brackets(&other.order_by)),
                rows_read_weighted: weighted(&workload.groups, &both),
                compressed_bytes: today.compressed_bytes + other.compressed_bytes,
            }
        })
        .filter(|other| other.rows_read_weighted * 10 < today.rows_read_weighted * 9)
        .collect();
    alternatives.sort_by(|a, b| (a.rows_read_weighted, &a.sql).cmp(&(b.rows_read_weighted, &b.sql)));
    // What reads as little as the one before it and is no smaller tells nothing new.
    alternatives.dedup_by(|later, kept| later.rows_read_weighted * 100 <= kept.rows_read_weighted * 101);
    alternatives.truncate(ALTERNATIVES_MAX);
    alternatives
}

fn without_brackets(key: &str) -> &str {
    key.strip_prefix('(').and_then(|key| key.strip_suffix(')')).unwrap_or(key)
}
