//! SW073: queries that are really run read more rows with the new key.

use super::super::case::Case;
use super::super::evaluation::{EvaluatedQuery, Evaluation};
use super::super::finding::Finding;
use crate::words::{count, sql};

pub(super) const CODE: &str = "SW073";

/// A group of queries is slower if it reads so many times as many rows.
const SLOWER: u64 = 2;
/// One that reads less than this share of what the workload reads, before and after, does not matter.
const MATTERS_ONE_IN: u64 = 100;
/// Groups that are named.
const NAMED_MAX: usize = 3;

/// Reads of queries that matter, and of the workload as a whole.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(evaluation) = case.evaluation else { return Vec::new() };
    let mut slower: Vec<&EvaluatedQuery> =
        evaluation.queries.iter().filter(|query| is_slower(query) && matters(query, evaluation)).collect();
    slower.sort_by_key(|query| std::cmp::Reverse(query.of_all_runs()[1]));
    let mut what = Vec::new();
    let [before, after] = evaluation.rows_read;
    if after > before {
        what.push(format!("the workload reads {after} rows in place of {before}"));
    }
    if !slower.is_empty() {
        let groups = count(slower.len(), "group");
        what.push(format!("{groups} of queries read at least twice as many rows: {}", named(&slower)));
    }
    if what.is_empty() {
        return Vec::new();
    }
    vec![Finding::hazard(
        CODE,
        format!("with the new key of {} {}", case.name(), what.join("; ")),
        "a sorting key serves the queries that ask by what it begins with; others read more",
        "look for a better key with `shardwright evaluate --suggest`, or keep a projection for these queries",
    )]
}

fn is_slower(query: &EvaluatedQuery) -> bool {
    let [before, after] = query.rows_read;
    after >= before.saturating_mul(SLOWER) && after > before
}

fn matters(query: &EvaluatedQuery, evaluation: &Evaluation) -> bool {
    let shares = query.of_all_runs().into_iter().zip(evaluation.rows_read);
    shares.into_iter().any(|(own, all)| own.saturating_mul(MATTERS_ONE_IN) >= all && own > 0)
}

fn named(slower: &[&EvaluatedQuery]) -> String {
    let one = |query: &&EvaluatedQuery| {
        let [before, after] = query.rows_read;
        format!("{}, run {} times, {after} rows in place of {before}", sql(&query.query), query.count)
    };
    let more = slower.len().saturating_sub(NAMED_MAX);
    let mut all: Vec<String> = slower.iter().take(NAMED_MAX).map(one).collect();
    all.extend((more > 0).then(|| format!("and {more} more")));
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    fn query(text: &str, count: u64, rows_read: [u64; 2]) -> EvaluatedQuery {
        EvaluatedQuery { query: text.to_owned(), count, rows_read }
    }

    fn found(queries: Vec<EvaluatedQuery>) -> Vec<String> {
        let sum = |at: usize| queries.iter().map(|query| query.of_all_runs()[at]).sum();
        let evaluation = Evaluation {
            rows_read: [sum(0), sum(1)],
            compressed_bytes: [1, 1],
            queries,
            queries_percent: 100,
            read_bytes_percent: 100,
            measured: String::new(),
        };
        let fixture = Fixture::new();
        let case = Case { evaluation: Some(&evaluation), ..fixture.case() };
        check(&case).into_iter().map(|finding| format!("{} {}", finding.severity, finding.what)).collect()
    }

    #[test]
    fn queries_that_read_more_and_matter_are_named() {
        let told = found(vec![query("SELECT a", 10, [100_000, 1000]), query("SELECT b", 5, [1000, 90_000])]);
        assert_eq!(
            told,
            ["hazard with the new key of d.events 1 group of queries read at least twice as many rows: `SELECT b`, \
              run 5 times, 90000 rows in place of 1000"]
        );
        let told = found(vec![query("SELECT b", 5, [1000, 1500])]);
        assert_eq!(told, ["hazard with the new key of d.events the workload reads 7500 rows in place of 5000"]);
    }

    #[test]
    fn what_reads_less_or_next_to_nothing_is_not() {
        assert_eq!(found(vec![query("SELECT a", 10, [100_000, 1000])]), [""; 0]);
        let rare = query("SELECT rare", 1, [10, 900]);
        assert_eq!(found(vec![query("SELECT a", 10, [100_000, 90_000]), rare]), [""; 0]);
        assert_eq!(Fixture::new().found(check), [""; 0]);
    }
}
