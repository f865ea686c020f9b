//! What an evaluation found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::workload::{Group, Rest, Workload};

/// The version of the document.
pub const FORMAT_VERSION: u32 = 1;

/// The whole of it, as JSON has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of this document.
    pub format_version: u32,
    /// The table, `database.table`.
    pub table: String,
    /// The cluster.
    pub cluster: String,
    /// The keys that were measured; today's is the first.
    pub candidates: Vec<Candidate>,
    /// What is asked of the table, most rows read today first.
    pub queries: Vec<QueryReport>,
    /// How much of what is asked was understood and measured.
    pub coverage: Coverage,
    /// What was not, and why.
    pub not_covered: Vec<NotCovered>,
    /// Keys that the search found: none reads more and is larger than another one.
    pub suggested: Vec<Suggested>,
    /// What would help some queries without a new key.
    pub alternatives: Vec<Alternative>,
    /// What was measured, and how.
    pub measured: Measured,
    /// What to bear in mind.
    pub notes: Vec<String>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The key.
    pub order_by: String,
    /// Whether it is the one that the table has.
    pub current: bool,
    /// Rows read by all queries of the workload, each as often as it was run.
    pub rows_read_weighted: u64,
    /// Bytes read by them, where the log tells how many bytes a row of each has.
    pub bytes_read_weighted: u64,
    /// Size of the data, compressed: one copy of every shard.
    pub compressed_bytes: u64,
    /// The same by column.
    pub compressed_by_column: BTreeMap<String, u64>,
    /// The primary index in the memory of one replica.
    pub primary_index_bytes: u64,
    /// Granules on that replica.
    pub granules: u64,
    /// Seconds to insert the sample.
    pub insert_seconds: f64,
    /// Seconds to merge it.
    pub merge_seconds: f64,
    /// What else the key would change.
    pub notes: Vec<String>,
}

/// One group of queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryReport {
    /// Its normal form, or a query with its literals where those were asked for.
    pub query: String,
    /// How often it was run.
    pub count: u64,
    /// Rows that one run reads, in the mean over its literals: one number a candidate.
    pub rows_read: Vec<u64>,
    /// The least and the most over its literals: one pair a candidate.
    pub spread: Vec<[u64; 2]>,
    /// Literals that were tried.
    pub literals: usize,
    /// Rows that one run read, as the log has it; none for queries from a file.
    pub logged_rows_read: Option<u64>,
    /// Bytes that all runs read, as the log has it.
    pub logged_read_bytes: u64,
    /// Milliseconds that one run took, as the log has it.
    pub logged_duration_ms: u64,
    /// Whether it asks all shards.
    pub distributed: bool,
    /// Who ran it.
    pub users: Vec<String>,
    /// When it was last begun, by the server's clock.
    pub last_seen: String,
}

/// Shares between 0 and 1, and the numbers behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The share of queries that were measured.
    pub queries: f64,
    /// The share of bytes that these read.
    pub read_bytes: f64,
    /// Queries that were measured.
    pub queries_measured: u64,
    /// Queries that touch the table, or may.
    pub queries_seen: u64,
}

/// Queries that were not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCovered {
    /// Their normal form.
    pub query: String,
    /// How often they were run.
    pub count: u64,
    /// Bytes that they read.
    pub read_bytes: u64,
    /// Why not.
    pub reason: String,
}

/// A key that the search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggested {
    /// The key.
    pub order_by: String,
    /// Rows read by all queries of the workload.
    pub rows_read_weighted: u64,
    /// Size of the data, compressed.
    pub compressed_bytes: u64,
    /// What speaks for it.
    pub evidence: Vec<String>,
}

/// Something other than a new key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// `projection` or `skip index`.
    pub kind: String,
    /// What to add.
    pub sql: String,
    /// Rows read by all queries of the workload with it.
    pub rows_read_weighted: u64,
    /// Size of the data with it, compressed.
    pub compressed_bytes: u64,
}

/// What the figures rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The replica.
    pub on: String,
    /// Its version.
    pub version: String,
    /// `explain` or `run`.
    pub method: String,
    /// Rows of the table there.
    pub table_rows: u64,
    /// Rows in each twin.
    pub sample_rows: u64,
    /// Rows of a granule of the table.
    pub granule_rows: u64,
    /// Rows of a granule of a twin.
    pub twin_granule_rows: u64,
    /// What one replica's rows are multiplied by for queries that ask all shards.
    pub shards_factor: f64,
    /// `whole`, `slices` or `sample`: what sizes were measured on.
    pub sizes_from: String,
    /// Keys that the search tried.
    pub keys_tried: usize,
    /// Seconds that all took.
    pub seconds: f64,
}

/// What one query group reads in one twin, in rows of the table: mean, least, most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reads {
    /// The mean over its literals, by how many queries each stands for.
    pub mean: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Reads {
    /// From pairs of rows and weight; nothing of nothing.
    pub fn of(rows: &[(f64, u64)]) -> Self {
        let weight: f64 = rows.iter().map(|(_, weight)| *weight as f64).sum();
        let sum: f64 = rows.iter().map(|(rows, weight)| rows * *weight as f64).sum();
        Self {
            mean: if weight > 0.0 { sum / weight } else { 0.0 },
            least: rows.iter().map(|(rows, _)| *rows).reduce(f64::min).unwrap_or_default(),
            most: rows.iter().map(|(rows, _)| *rows).reduce(f64::max).unwrap_or_default(),
        }
    }
}

/// A number of rows or bytes from a figure that was computed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rows and bytes are below 2^53")]
pub fn whole(number: f64) -> u64 {
    number.max(0.0).round() as u64
}

/// Rows that all queries read, each as often as it was run.
pub fn weighted(groups: &[Group], reads: &[Reads]) -> u64 {
    whole(groups.iter().zip(reads).map(|(group, reads)| group.logged.count as f64 * reads.mean).sum())
}

/// The same in bytes, by what a row of each group had in the log.
pub fn weighted_bytes(groups: &[Group], reads: &[Reads]) -> u64 {
    let bytes = |group: &Group| group.logged.read_bytes as f64 / group.logged.read_rows.max(1) as f64;
    let each = groups.iter().zip(reads);
    whole(each.map(|(group, reads)| group.logged.count as f64 * reads.mean * bytes(group)).sum())
}

/// The groups of a workload as a report has them; `reads` has a list of groups for each candidate.
pub fn queries(groups: &[Group], reads: &[Vec<Reads>], show_literals: bool) -> Vec<QueryReport> {
    let report = |(at, group): (usize, &Group)| {
        let of = |figure: fn(&Reads) -> f64| reads.iter().map(|twin| whole(figure(&twin[at]))).collect::<Vec<_>>();
        let (least, most) = (of(|reads| reads.least), of(|reads| reads.most));
        let logged = &group.logged;
        let runs = logged.count.max(1);
        let text = group.examples.first().filter(|_| show_literals).map(|example| example.text.clone());
        QueryReport {
            query: text.unwrap_or_else(|| group.query.clone()),
            count: logged.count,
            rows_read: of(|reads| reads.mean),
            spread: least.into_iter().zip(most).map(|(least, most)| [least, most]).collect(),
            literals: group.examples.len(),
            logged_rows_read: (!logged.last_seen.is_empty()).then(|| logged.read_rows / runs),
            logged_read_bytes: logged.read_bytes,
            logged_duration_ms: logged.duration_ms / runs,
            distributed: group.distributed,
            users: logged.users.clone(),
            last_seen: logged.last_seen.clone(),
        }
    };
    let mut reports: Vec<QueryReport> = groups.iter().enumerate().map(report).collect();
    let today =
        |report: &QueryReport| report.rows_read.first().copied().unwrap_or_default().saturating_mul(report.count);
    reports.sort_by_key(|report| std::cmp::Reverse(today(report)));
    reports
}

impl Coverage {
    /// Of what was measured and what was not.
    pub fn of(workload: &Workload) -> Self {
        let sum = |of: fn(&Group) -> u64| workload.groups.iter().map(of).sum::<u64>();
        let rest = |of: fn(&Rest) -> u64| workload.rest.iter().map(of).sum::<u64>();
        let (count, bytes) = (sum(|group| group.logged.count), sum(|group| group.logged.read_bytes));
        let (all, all_bytes) = (count + rest(|rest| rest.count), bytes + rest(|rest| rest.read_bytes));
        let share = |part: u64, all: u64| if all == 0 { 1.0 } else { part as f64 / all as f64 };
        Self {
            queries: share(count, all),
            read_bytes: share(bytes, all_bytes),
            queries_measured: count,
            queries_seen: all,
        }
    }
}

impl From<&Rest> for NotCovered {
    fn from(rest: &Rest) -> Self {
        Self { query: rest.query.clone(), count: rest.count, read_bytes: rest.read_bytes, reason: rest.reason.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_weighed_by_how_many_queries_each_literal_stands_for() {
        let reads = Reads::of(&[(10.0, 3), (50.0, 1)]);
        assert_eq!((whole(reads.mean), whole(reads.least), whole(reads.most)), (20, 10, 50));
        assert_eq!(Reads::of(&[]), Reads::default());
    }

    #[test]
    fn a_workload_that_is_all_rest_is_not_covered() {
        let rest = Rest { query: "?".into(), count: 3, read_bytes: 9, reason: String::new() };
        let coverage = Coverage::of(&Workload { groups: Vec::new(), rest: vec![rest] });
        assert_eq!((coverage.queries, coverage.read_bytes, coverage.queries_seen), (0.0, 0.0, 3));
    }
}
