//! What a report says of one change of key.

use super::key::Key;
use super::report::{Measured, Report, whole};
use crate::assess::{EvaluatedQuery, Evaluation};
use crate::names::TableName;

/// Why a report says nothing of a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoVerdict {
    /// It is about another table.
    #[error("it is about {0}")]
    OtherTable(String),
    /// The table had another key when it was made.
    #[error("{table} was sorted by {then} when it was made")]
    OtherKey {
        /// The table.
        table: String,
        /// Its key then.
        then: String,
    },
    /// The key was not among those that were compared.
    #[error("it does not compare {wanted}; it compares {known}")]
    NotCompared {
        /// The key.
        wanted: String,
        /// Those that it compares.
        known: String,
    },
}

impl Report {
    /// What it says of this table's change from one sorting key to another.
    pub fn of_change(&self, table: &TableName, before: &str, after: &str) -> Result<Evaluation, NoVerdict> {
        if self.table != table.to_string() {
            return Err(NoVerdict::OtherTable(self.table.clone()));
        }
        let items = |key: &str| Key::of(key).map(|key| key.items).unwrap_or_default();
        let today = self.candidates.first().filter(|today| items(&today.order_by) == items(before));
        let Some(today) = today else {
            let then = self.candidates.first().map(|today| today.order_by.clone()).unwrap_or_default();
            return Err(NoVerdict::OtherKey { table: self.table.clone(), then });
        };
        let wanted = items(after);
        let found = self.candidates.iter().position(|candidate| items(&candidate.order_by) == wanted);
        let Some(at) = found else {
            let known: Vec<&str> = self.candidates.iter().map(|candidate| candidate.order_by.as_str()).collect();
            return Err(NoVerdict::NotCompared { wanted: format!("({after})"), known: known.join(", ") });
        };
        let new = &self.candidates[at];
        let query = |query: &super::report::QueryReport| {
            let rows = |at: usize| query.rows_read.get(at).copied().unwrap_or_default();
            EvaluatedQuery { query: query.query.clone(), count: query.count, rows_read: [rows(0), rows(at)] }
        };
        Ok(Evaluation {
            rows_read: [today.rows_read_weighted, new.rows_read_weighted],
            compressed_bytes: [today.compressed_bytes, new.compressed_bytes],
            queries: self.queries.iter().map(query).collect(),
            queries_percent: whole(self.coverage.queries * 100.0),
            read_bytes_percent: whole(self.coverage.read_bytes * 100.0),
            measured: measured(&self.measured),
        })
    }
}

/// `1,000,000 of 20,000,000 rows of s1r1, ClickHouse 26.9.2.1`.
fn measured(measured: &Measured) -> String {
    let Measured { sample_rows, table_rows, on, version, .. } = measured;
    format!("{sample_rows} of {table_rows} rows of {on}, ClickHouse {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of two keys and one group of queries, as `evaluate --format json` writes it.
    fn report() -> Report {
        let candidate = |key: &str, current: bool, rows: u64| {
            serde_json::json!({
                "order_by": key, "current": current, "rows_read_weighted": rows, "bytes_read_weighted": 0, "compressed_bytes": rows / 10,
                "compressed_by_column": {}, "primary_index_bytes": 0, "granules": 1, "insert_seconds": 0.0, "merge_seconds": 0.0,
                "notes": []
            })
        };
        let query = serde_json::json!({
            "query": "SELECT ?", "count": 5, "rows_read": [200, 20], "spread": [], "literals": 1, "logged_rows_read": null,
            "logged_read_bytes": 0, "logged_duration_ms": 0, "distributed": false, "users": [], "last_seen": ""
        });
        let measured = serde_json::json!({
            "on": "s1r1", "version": "26.9.2.1", "method": "explain", "table_rows": 1000, "sample_rows": 50, "granule_rows": 8192,
            "twin_granule_rows": 410, "shards_factor": 2.0, "sizes_from": "slices", "keys_tried": 0, "seconds": 1.0
        });
        let report = serde_json::json!({
            "format_version": 1, "table": "d.t", "cluster": "main", "queries": [query], "not_covered": [], "suggested": [],
            "candidates": [candidate("(a, b)", true, 1000), candidate("(b, toDate(c))", false, 100)], "alternatives": [],
            "coverage": { "queries": 0.955, "read_bytes": 1.0, "queries_measured": 955, "queries_seen": 1000 },
            "measured": measured, "notes": []
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn the_key_that_was_compared_is_found_however_it_is_written() {
        let evaluation = report().of_change(&TableName::new("d", "t"), "a, b", "`b`, toDate(c)").unwrap();
        assert_eq!((evaluation.rows_read, evaluation.compressed_bytes), ([1000, 100], [100, 10]));
        assert_eq!((evaluation.queries[0].rows_read, evaluation.queries[0].count), ([200, 20], 5));
        assert_eq!((evaluation.queries_percent, evaluation.read_bytes_percent), (96, 100));
        assert_eq!(evaluation.measured, "50 of 1000 rows of s1r1, ClickHouse 26.9.2.1");
    }

    #[test]
    fn a_report_about_something_else_says_so() {
        let table = TableName::new("d", "t");
        let refusal = |table: &TableName, before: &str, after: &str| {
            report().of_change(table, before, after).unwrap_err().to_string()
        };
        assert_eq!(refusal(&TableName::new("d", "u"), "a, b", "b"), "it is about d.t");
        assert_eq!(refusal(&table, "b", "a"), "d.t was sorted by (a, b) when it was made");
        assert_eq!(refusal(&table, "a, b", "c"), "it does not compare (c); it compares (a, b), (b, toDate(c))");
    }
}
