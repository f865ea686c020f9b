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
use super::twins::{Held, Maker, Twin, volume};
use crate::evaluate::{
    Candidate, Coverage, EXAMPLES_MAX, FORMAT_VERSION, Key, Measured, NotCovered, Reads, Report, Scale, Volume,
    Workload, queries, weighted, weighted_bytes, whole,
};
use crate::names::TableName;
use crate::render::figures;
use crate::server::QueryError;

/// The table of the sample in the scratch database.
const SAMPLE: &str = "sample";

/// One key, its twin and what it showed.
struct Measurement {
    key: Key,
    twin: Twin,
    held: Held,
    reads: Vec<Reads>,
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
    let volume = volume(ground, &subject.table.name).await?;
    let maker = Maker { ground, table: subject.table, volume };
    let scale = Scale::new(&volume, args.sample_bytes);
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
    Ok(Report {
        format_version: FORMAT_VERSION,
        table: subject.table.name.to_string(),
        cluster: connected.cluster.topology().cluster.clone(),
        candidates: measurements.iter().enumerate().map(|(at, one)| run.report(at == 0, one, &workload)).collect(),
        queries: queries(&workload.groups, &reads, args.show_literals),
        coverage: Coverage::of(&workload),
        not_covered: workload.rest.iter().map(NotCovered::from).collect(),
        suggested: Vec::new(),
        alternatives: Vec::new(),
        measured: run.measured(began.elapsed().as_secs_f64()),
        notes: run.notes(),
    })
}

/// What all keys have in common.
struct Run<'a> {
    maker: &'a Maker<'a>,
    subject: &'a Subject<'a>,
    scale: Scale,
    sample: TableName,
    sample_rows: u64,
    method: Method,
}

impl Run<'_> {
    /// Rows of the table for each of a twin's.
    fn factor(&self) -> f64 {
        self.maker.volume.rows as f64 / self.sample_rows.max(1) as f64
    }

    async fn candidate(&self, at: usize, key: Key, workload: &Workload) -> Result<Measurement, Failure> {
        say(&format!("measuring {}", key.sql));
        let other = (at > 0).then_some(&key);
        let twin = self.maker.twin(other, self.scale.granule_rows, &self.sample, &format!("twin_{at}")).await?;
        let asked = Asked {
            ground: self.maker.ground,
            method: self.method,
            twin: &twin.name,
            factor: self.factor(),
            shards_factor: self.subject.shards_factor,
        };
        let told = asked.all(&workload.groups, EXAMPLES_MAX).await.map_err(|error| Failure::of(&error))?;
        let held = self.maker.held(&twin.name).await?;
        Ok(Measurement { key, twin, held, reads: told.reads, refused: told.refused })
    }

    fn report(&self, current: bool, one: &Measurement, workload: &Workload) -> Candidate {
        let size = |bytes: u64| whole(bytes as f64 * self.factor() * self.subject.shards_factor);
        Candidate {
            order_by: one.key.sql.clone(),
            current,
            rows_read_weighted: weighted(&workload.groups, &one.reads),
            bytes_read_weighted: weighted_bytes(&workload.groups, &one.reads),
            compressed_bytes: size(one.held.compressed_bytes),
            compressed_by_column: one.held.by_column.iter().map(|(name, bytes)| (name.clone(), size(*bytes))).collect(),
            primary_index_bytes: one.held.index_bytes,
            granules: one.held.granules,
            insert_seconds: rounded(one.twin.insert_seconds),
            merge_seconds: rounded(one.twin.merge_seconds),
            notes: Vec::new(),
        }
    }

    fn measured(&self, seconds: f64) -> Measured {
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
            sizes_from: if self.scale.is_whole() { "whole" } else { "sample" }.to_owned(),
            keys_tried: 0,
            seconds: rounded(seconds),
        }
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
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
