//! The plan for other programs.

use serde_json::{Value, json};

use crate::plan::{Action, Plan};
use crate::runbook::{Runbook, Stage, cost_of};

/// One JSON object with sorted keys: `format_version`, the `plan` as its file has it, and its `runbook`: the stages in
/// order, each with its steps and what they cost together.
pub fn json(plan: &Plan) -> String {
    let runbook = Runbook::new(plan);
    let document = json!({
        "format_version": plan.format_version,
        "plan": plan,
        "runbook": {
            "shards": runbook.shards,
            "seconds": runbook.seconds,
            "stages": runbook.stages.iter().map(stage).collect::<Vec<Value>>(),
        },
    });
    format!("{document:#}\n")
}

fn stage(stage: &Stage) -> Value {
    let entries = stage.entries();
    let first = entries.first().map(|entry| entry.step);
    let gate = first.and_then(|step| match &step.action {
        Action::Gate { gate } => Some(gate),
        _ => None,
    });
    json!({
        "phase": first.map(|step| step.phase),
        "gate": gate,
        "cost": cost_of(&entries),
        "steps": entries.iter().map(|entry| &entry.step.id).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn the_plan_comes_back_and_keys_are_sorted() {
        let plan = fixture::hostile(2);
        let text = json(&plan);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_value::<Plan>(document["plan"].clone()).unwrap(), plan);
        assert_eq!(document["runbook"]["stages"][1]["gate"], "start");
        assert_eq!(document["runbook"]["seconds"], Runbook::new(&plan).seconds);
        let keys: Vec<&String> = document["plan"].as_object().unwrap().keys().collect();
        assert!(keys.is_sorted(), "{keys:?}");
        let places: Vec<usize> =
            ["\n  \"format_version\"", "\n  \"plan\"", "\n  \"runbook\""].map(|key| text.find(key).unwrap()).to_vec();
        assert!(places.is_sorted());
    }
}
