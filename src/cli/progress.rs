//! Telling how a run gets on: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::output::say;
use crate::execute::{News, Reporter};
use crate::plan::{Action, Step};
use crate::render::figures;

/// Between two plain lines about the same copy.
const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR: &str =
    "  {prefix:<16} {bar:24} {percent:>3} %  {human_pos}/{human_len} rows  {rate}, {eta} left  {wide_msg}";
const SPINNER: &str = "  {prefix:<22} {spinner} {wide_msg}";

/// The reporter that fits where stderr goes.
pub(super) enum Progress {
    /// Bars.
    Bars(Bars),
    /// Lines.
    Lines(Mutex<BTreeMap<String, Instant>>),
}

/// One bar for each step under way.
pub(super) struct Bars {
    all: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress {
    pub(super) fn new() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bars(Bars { all: MultiProgress::new(), running: Mutex::default() })
        } else {
            Self::Lines(Mutex::default())
        }
    }
}

impl Reporter for Progress {
    fn report(&self, news: News<'_>) {
        match self {
            Self::Bars(bars) => bars.report(&news),
            Self::Lines(last) => {
                if let Some(line) = line(&news, last) {
                    say(&line);
                }
            }
        }
    }
}

impl Bars {
    fn report(&self, news: &News<'_>) {
        match news {
            News::Started(step) | News::Undoing(step) => self.start(step),
            News::TookOver { .. } | News::Again { .. } | News::Lapsed { .. } => {
                if let Some(line) = final_line(news) {
                    // The terminal may have gone; the run goes on.
                    _ = self.all.println(line);
                }
            }
            News::Copied { step, rows, chunk } => {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = running.get(step.id.as_str()) {
                    bar.set_position(*rows);
                    bar.set_message(format!("partition {chunk}, {} in all", figures::bytes(step.cost.bytes)));
                }
            }
            News::Mutating { step, parts, .. } => {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = running.get(step.id.as_str()) {
                    bar.set_message(format!("{parts} parts to do"));
                }
            }
            News::Held { step, why } => {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                match running.get(step.id.as_str()) {
                    Some(bar) => bar.set_message(format!("held back: {why}")),
                    // A step that has not begun has no bar.
                    None => drop(self.all.println(format!("{:<22} held back: {why}", step.id))),
                }
            }
            News::Done { step, .. } | News::Failed { step, .. } | News::Postponed { step, .. } | News::Undone(step) => {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(bar) = running.remove(step.id.as_str()) {
                    bar.finish_and_clear();
                }
                if let Some(line) = final_line(news) {
                    // The terminal may have gone; the run goes on.
                    _ = self.all.println(line);
                }
            }
        }
    }

    fn start(&self, step: &Step) {
        let copies = step.cost.rows > 0 && matches!(step.action, Action::Backfill(_) | Action::Redistribute(_));
        let bar = if copies { ProgressBar::new(step.cost.rows) } else { ProgressBar::new_spinner() };
        let template = if copies { BAR } else { SPINNER };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // A figure for people; writing into a line of text does not fail.
            _ = write!(text, "{}/s", figures::count(rate(state)));
        });
        let bar = self.all.add(bar.with_style(style).with_prefix(step.id.to_string()));
        bar.set_message(step.title.clone());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(step.id.to_string(), bar);
    }
}

/// Rows a second, rounded.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive and far below 2^53")]
fn rate(state: &ProgressState) -> u64 {
    state.per_sec().round() as u64
}

/// A line about what ended a step.
fn final_line(news: &News<'_>) -> Option<String> {
    Some(match news {
        News::Done { step, took, evidence } => format!("{:<22} {evidence} ({:.1} s)", step.id, took.as_secs_f64()),
        News::Failed { step, error } => format!("{:<22} FAILED: {error}", step.id),
        News::Postponed { step, why } => format!("{:<22} postponed: {why}", step.id),
        News::Undone(step) => format!("{:<22} undone", step.id),
        News::Again { step, attempt, why } => format!("{:<22} attempt {attempt} came to nothing: {why}", step.id),
        News::Lapsed { step, why } => format!("{:<22} is done again: {why}", step.id),
        News::TookOver { holder, is_gone } => {
            let why =
                if *is_gone { "its process has ended" } else { "waiting until nothing of it can arrive any more" };
            format!("took over from {holder}: {why}")
        }
        News::Started(_) | News::Undoing(_) | News::Copied { .. } | News::Mutating { .. } | News::Held { .. } => {
            return None;
        }
    })
}

/// Whether a line may follow the last one of its kind. The first one is `at_once`, or counts from now.
fn is_due(last: &Mutex<BTreeMap<String, Instant>>, kind: String, at_once: bool) -> bool {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let is_due = last.get(&kind).map_or(at_once, |told| now.duration_since(*told) >= LINE_EVERY);
    if is_due || !last.contains_key(&kind) {
        last.insert(kind, now);
    }
    is_due
}

/// A plain line, or none where it would come too soon after the last one.
fn line(news: &News<'_>, last: &Mutex<BTreeMap<String, Instant>>) -> Option<String> {
    match news {
        News::Started(step) => Some(format!("{:<22} {} …", step.id, step.title)),
        News::Undoing(step) => Some(format!("{:<22} undoing: {} …", step.id, step.title)),
        News::Copied { step, rows, chunk } => {
            // Nothing is said of a copy that has only just begun.
            if !is_due(last, step.id.to_string(), false) {
                return None;
            }
            let of_all = match step.cost.rows {
                0 => String::new(),
                all => format!(" of {}", figures::rows(all)),
            };
            Some(format!("{:<22} {}{of_all}, partition {chunk}", step.id, figures::rows(*rows)))
        }
        News::Mutating { step, replica, parts } => is_due(last, format!("{} {replica}", step.id), true)
            .then(|| format!("{:<22} {parts} parts to do on {replica}", step.id)),
        News::Held { step, why } => {
            // Another reason is told at once, other figures are not.
            let reason: String = why.chars().filter(|c| !c.is_ascii_digit()).collect();
            is_due(last, format!("{} {reason}", step.id), true).then(|| format!("{:<22} held back: {why}", step.id))
        }
        News::TookOver { .. }
        | News::Again { .. }
        | News::Lapsed { .. }
        | News::Done { .. }
        | News::Failed { .. }
        | News::Postponed { .. }
        | News::Undone(_) => final_line(news),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture::plan;

    #[test]
    fn another_reason_is_told_at_once_and_other_figures_are_not() {
        let (plan, last) = (plan(1), Mutex::default());
        let told = |why: &str| line(&News::Held { step: &plan.steps[0], why }, &last).is_some();
        assert!(told("5 inserts under way"));
        assert!(!told("12 inserts under way"));
        assert!(told("paused by the config file"));
        assert!(!told("paused by the config file"));
    }
}
