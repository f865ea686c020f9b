//! What a rehearsal came to.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::render::figures;

/// The version of the report's format.
pub const FORMAT_VERSION: u32 = 1;

/// A rehearsal's report, kept beside the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the format.
    pub format_version: u32,
    /// The very plan that was rehearsed.
    pub plan_sha256: String,
    /// Whether all went well.
    pub verdict: Verdict,
    /// What it was rehearsed on.
    pub on: String,
    /// Rows that the table was filled with, over all shards.
    pub rows: u64,
    /// Where those rows came from.
    pub rows_from: String,
    /// Each step of the last time through, and how it ended.
    pub steps: Vec<StepOutcome>,
    /// What writers wrote and what was found of it, if there were writers.
    pub ledger: Option<Ledger>,
    /// Expected seconds of the backfill on the plan's cluster at the rate measured here.
    pub backfill_seconds_expected: Option<u64>,
    /// What the rehearsal could not cover.
    pub not_covered: Vec<String>,
    /// What went wrong first, if something did.
    pub error: Option<String>,
}

/// Passed or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every step was carried out, undone, carried out again and finalized, and no row was lost or doubled.
    Passed,
    /// Something was not as it should be.
    Failed,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The step's id in the plan.
    pub id: String,
    /// What was seen, or the error.
    pub outcome: String,
    /// How long it took.
    pub seconds: f64,
}

/// Rows that writers were told are safe, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Rows whose insert was acknowledged.
    pub acknowledged: u64,
    /// Those of them that are in the table.
    pub found: u64,
    /// Those that are not.
    pub lost: u64,
    /// How often rows are there beyond the first time.
    pub doubled: u64,
    /// Rows whose insert ended without an answer: they may be there or not.
    pub unknown: u64,
}

impl Report {
    /// The report for people.
    pub fn markdown(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "FAILED",
        };
        let mut text = format!(
            "# Dry run: {verdict}\n\nPlan SHA-256 `{}`, on {}, {}: {}.\n",
            self.plan_sha256,
            self.on,
            figures::rows(self.rows),
            self.rows_from
        );
        if let Some(error) = &self.error {
            line(&mut text, &format!("\n**What went wrong:** {error}"));
        }
        if let Some(ledger) = &self.ledger {
            let Ledger { acknowledged, found, lost, doubled, unknown } = ledger;
            line(
                &mut text,
                &format!(
                    "\nWriters: {acknowledged} rows acknowledged, {found} found, {lost} lost, {doubled} doubled, {unknown} of unknown outcome."
                ),
            );
        }
        if let Some(seconds) = self.backfill_seconds_expected {
            line(
                &mut text,
                &format!(
                    "\nAt the rate measured here the backfill takes {} on the plan's cluster.",
                    figures::duration(seconds)
                ),
            );
        }
        line(&mut text, "\n| step | seconds | seen |\n|---|---:|---|");
        for step in &self.steps {
            let seen = step.outcome.replace('|', "\\|").replace('\n', " ");
            line(&mut text, &format!("| {} | {:.1} | {seen} |", step.id, step.seconds));
        }
        line(&mut text, "\nNot covered:\n");
        for item in &self.not_covered {
            line(&mut text, &format!("- {item}"));
        }
        text
    }
}

fn line(text: &mut String, line: &str) {
    // Writing into a string does not fail.
    _ = writeln!(text, "{line}");
}
