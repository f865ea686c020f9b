//! The graph for Mermaid, which many viewers of Markdown draw.

use super::graph::{Form, Graph, Spot};
use super::visible;
use crate::plan::{Gate, Plan};
use crate::runbook::Runbook;

/// A flowchart. Steps that do the same on many shards share a box.
pub fn mermaid(plan: &Plan) -> String {
    flowchart(&Graph::new(&Runbook::new(plan)))
}

/// A flowchart in which steps that do the same always share a box.
pub(super) fn overview(runbook: &Runbook) -> String {
    flowchart(&Graph::overview(runbook))
}

fn flowchart(graph: &Graph) -> String {
    let mut lines = vec!["flowchart TB".to_owned()];
    let mut place = 0;
    for (number, stage) in graph.stages.iter().enumerate() {
        if stage.form == Form::Box {
            lines.push(format!("  subgraph p{number} [\"{}\"]", escaped(&stage.name)));
        }
        for spot in &stage.spots {
            lines.push(node(place, spot, stage.form));
            place += 1;
        }
        if stage.form == Form::Box {
            lines.push("  end".to_owned());
        }
    }
    lines.extend(graph.lines.iter().map(|line| format!("  n{} --> n{}", line.from, line.to)));
    lines.push("  classDef gate fill:#fdf0d5,stroke:#b07a1e,color:#3d2a05".to_owned());
    lines.push("  classDef last fill:#fbe3e1,stroke:#b3261e,color:#410e0b".to_owned());
    if graph.stages.iter().any(|stage| stage.form == Form::Joint) {
        lines.push("  classDef joint fill:#ece7f8,stroke:#7d6bb5,color:#2c2150".to_owned());
    }
    lines.join("\n") + "\n"
}

fn node(place: usize, spot: &Spot, form: Form) -> String {
    let shards = spot.shards.map(|shards| format!("× {shards} shards")).unwrap_or_default();
    let parts: Vec<String> = [spot.name.as_str(), spot.title, &spot.cost, &shards]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(escaped)
        .collect();
    let label = parts.join("<br/>");
    match form {
        Form::Box => format!("    n{place}[\"{label}\"]"),
        Form::Joint => format!("  n{place}[[\"{label}\"]]:::joint"),
        Form::Gate(Gate::Finalize) => format!("  n{place}{{{{\"{label}\"}}}}:::last"),
        Form::Gate(_) => format!("  n{place}{{{{\"{label}\"}}}}:::gate"),
    }
}

/// Letters, digits and what is harmless in a quoted label; anything else by its number, as Mermaid writes entities.
fn escaped(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for c in visible::line(text).chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | '_' | '-' | '×') {
            label.push(c);
        } else {
            label.extend(["#", &u32::from(c).to_string(), ";"]);
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn labels_hold_no_markup() {
        assert_eq!(escaped("a\"]; <b>`\n"), "a#34;#93;#59; #60;b#62;#96;#92;n");
        let text = mermaid(&fixture::hostile(2));
        assert!(!text.contains("<b>") && !text.contains('`'));
        assert!(text.lines().count() < 120);
    }

    #[test]
    fn the_overview_of_many_shards() {
        insta::assert_snapshot!(mermaid(&fixture::plan(40)));
    }
}
