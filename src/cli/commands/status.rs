//! `status`: how far a plan has come.

use serde::Serialize;

use super::super::args::{Status, TableOrJson};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, width};
use super::planned;
use crate::execute::{Next, forward};
use crate::journal::{self, Direction, Progress, StepState};
use crate::plan::file::Sealed;
use crate::plan::{Gate, Graph, Plan, Step};

const FORMAT_VERSION: u32 = 1;

/// The document of `--format json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format_version: u32,
    plan_sha256: &'a str,
    state: &'static str,
    waiting_for: Option<Gate>,
    steps: Vec<StepLine<'a>>,
}

#[derive(Debug, Serialize)]
struct StepLine<'a> {
    id: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

pub(in super::super) fn run(args: &Status) -> Result<Exit, Failure> {
    let sealed = planned::read(&args.plan)?;
    let progress = planned::progress(&args.plan, &sealed)?;
    let is_running = journal::is_locked(&planned::journal_path(&args.plan))?;
    let document = document(&sealed, &progress, is_running)?;
    match args.format {
        TableOrJson::Json => {
            data(&serde_json::to_string_pretty(&document).map_err(|error| Failure::of(&error))?);
        }
        TableOrJson::Table => data(&table(&document)),
    }
    Ok(Exit::Done)
}

fn document<'a>(sealed: &'a Sealed, progress: &'a Progress, is_running: bool) -> Result<Document<'a>, Failure> {
    let plan = &sealed.plan;
    let graph = Graph::new(&plan.steps, &plan.edges).map_err(|error| Failure::of(&error))?;
    let (state, waiting_for) = state(plan, &graph, progress, is_running);
    let steps = plan.steps.iter().map(|step| line(step, progress)).collect();
    Ok(Document { format_version: FORMAT_VERSION, plan_sha256: &sealed.sha256, state, waiting_for, steps })
}

fn state(plan: &Plan, graph: &Graph, progress: &Progress, is_running: bool) -> (&'static str, Option<Gate>) {
    let any = |wanted: fn(&StepState) -> bool| progress.touched().any(|(_, state)| wanted(state));
    if is_running {
        return ("running", None);
    }
    if any(|state| matches!(state, StepState::Started | StepState::Undoing)) {
        return ("in doubt", None);
    }
    if any(|state| matches!(state, StepState::Failed(_))) {
        return ("failed", None);
    }
    match (forward(plan, graph, progress, &std::collections::BTreeSet::new()), progress.direction) {
        (Next::Finished, _) if plan.has_gate(Gate::Finalize) => ("finalized", None),
        (Next::Finished, _) => ("done", None),
        (_, Direction::AtRest) if progress.rollbacks > 0 => ("rolled back", None),
        (_, Direction::AtRest) => ("not started", None),
        (Next::Steps(next), Direction::Forward) if next.iter().any(|step| progress.postponed(&step.id).is_some()) => {
            ("postponed", None)
        }
        (Next::Gate(_, gate), Direction::Forward) => ("waiting", Some(gate)),
        _ => ("waiting", None),
    }
}

fn line<'a>(step: &'a Step, progress: &'a Progress) -> StepLine<'a> {
    let (state, detail) = match progress.step(&step.id) {
        StepState::Pending => match progress.postponed(&step.id) {
            Some(why) => ("postponed", Some(why)),
            None => ("pending", None),
        },
        StepState::Started => ("started", None),
        StepState::Done { evidence, .. } => ("done", Some(evidence.as_str())),
        StepState::Failed(error) => ("failed", Some(error.as_str())),
        StepState::Undoing => ("undoing", None),
    };
    StepLine { id: step.id.as_str(), state, detail }
}

fn table(document: &Document<'_>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_width(width()).set_header(["step", "state", "seen"]);
    for step in &document.steps {
        table.add_row([step.id, step.state, step.detail.unwrap_or_default()]);
    }
    let waiting = document.waiting_for.map(|gate| format!(" for approval of {gate}")).unwrap_or_default();
    format!("{table}\n{}{waiting}", document.state)
}
