//! Asking a person.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::output::say;
use crate::execute::{Approver, Decision};
use crate::journal::{Progress, StepState};
use crate::plan::{Action, Gate, Phase, Plan, Step};

/// Whether a person is being asked right now.
static ASKING: AtomicBool = AtomicBool::new(false);

pub(super) fn is_asking() -> bool {
    ASKING.load(Ordering::Relaxed)
}

/// Lines of evidence shown at a gate; a cluster may have a thousand shards.
const EVIDENCE_LINES_MAX: usize = 12;

/// Asks on the terminal where there is one; elsewhere only what was approved beforehand passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt {
    /// Whether the gate `start` passes without asking.
    pub(super) approve_reversible: bool,
}

impl Approver for Prompt {
    fn gate(&mut self, plan: &Plan, progress: &Progress, gate: Gate) -> Decision {
        if gate == Gate::Start && self.approve_reversible {
            return Decision::Approve { by: login(), note: "--auto-approve reversible".to_owned() };
        }
        if !is_terminal() {
            return Decision::Wait;
        }
        say(&format!("\nGate `{gate}`: {}", question(plan, gate)));
        for line in evidence(plan, progress, gate) {
            say(&format!("  {line}"));
        }
        let approved = match gate {
            // What cannot be undone is not answered by habit.
            Gate::Finalize => {
                ask(&format!("Type {} to {}, or Enter to wait: ", plan.objects.source, what_is_lost(plan)))
                    .is_some_and(|answer| answer == plan.objects.source.to_string())
            }
            Gate::Start | Gate::Cutover => yes(&format!("Approve `{gate}`?")),
        };
        if approved { Decision::Approve { by: login(), note: String::new() } } else { Decision::Wait }
    }

    fn step(&mut self, step: &Step) -> bool {
        let replicas: Vec<String> = step.action.replicas().iter().map(ToString::to_string).collect();
        say(&format!("\n{}: {}\n  {}\n  on {}", step.id, step.title, step.why, replicas.join(", ")));
        is_terminal() && yes("Carry it out?")
    }
}

fn what_is_lost(plan: &Plan) -> &'static str {
    if plan.alters() { "do what cannot be taken back" } else { "drop the old data" }
}

fn question(plan: &Plan, gate: Gate) -> &'static str {
    match gate {
        Gate::Finalize if plan.alters() => {
            "the point of no return: the next statement destroys what no rollback brings back."
        }
        Gate::Start if plan.alters() => {
            "every replica is as planned. From here on definitions are changed; each step says how it is undone."
        }
        Gate::Start => "every shard is as planned. From here on the cluster is changed; all of it can be rolled back.",
        Gate::Cutover if plan.reshard().is_some() => {
            "are the writers still? What is lacking is sent, all is compared and the names are swapped; it can be rolled back."
        }
        Gate::Cutover => "source and shadow agree. From here on queries meet the new table; it can be rolled back.",
        Gate::Finalize if plan.reshard().is_some() => {
            "the point of no return: the old data and what leads rows back to it are dropped."
        }
        Gate::Finalize => "the point of no return: mirror, old data, snapshot and staging tables are dropped.",
    }
}

/// What was seen of the steps that speak for passing a gate.
fn evidence(plan: &Plan, progress: &Progress, gate: Gate) -> Vec<String> {
    let phase = match gate {
        Gate::Finalize if plan.alters() => Phase::Alter,
        Gate::Start => Phase::Preflight,
        Gate::Cutover if plan.reshard().is_some() => Phase::Backfill,
        Gate::Cutover => Phase::Verify,
        Gate::Finalize => Phase::Reconcile,
    };
    let seen = |step: &Step| match progress.step(&step.id) {
        StepState::Done { evidence, .. } => Some(format!("{}: {evidence}", step.id)),
        _ => None,
    };
    let mut lines: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.phase == phase)
        .filter(|step| matches!(step.action, Action::Compare(_) | Action::Check { .. } | Action::Redistribute(_)))
        .filter_map(seen)
        .collect();
    let more = lines.len().saturating_sub(EVIDENCE_LINES_MAX);
    if more > 0 {
        lines.truncate(EVIDENCE_LINES_MAX);
        lines.push(format!("and {more} more, see `status`"));
    }
    lines
}

/// Whether there is somebody to ask.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn yes(question: &str) -> bool {
    ask(&format!("{question} [y/N] ")).is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// The answer, or none at the end of input.
fn ask(question: &str) -> Option<String> {
    let mut stderr = anstream::stderr().lock();
    _ = write!(stderr, "{question}");
    _ = stderr.flush();
    let mut answer = String::new();
    ASKING.store(true, Ordering::Relaxed);
    let read = std::io::stdin().lock().read_line(&mut answer);
    ASKING.store(false, Ordering::Relaxed);
    let read = read.ok()?;
    (read > 0).then(|| answer.trim().to_owned())
}

fn login() -> String {
    std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned())
}
