//! The graph for Graphviz.

use std::fmt::Write as _;

use super::graph::{Form, Graph, GraphStage, Spot};
use super::visible;
use crate::plan::{Gate, Plan};
use crate::runbook::Runbook;

/// A digraph with a cluster for each stage and the reasons as tooltips of the edges. Steps that do the same on many
/// shards share a box.
pub fn dot(plan: &Plan) -> String {
    let runbook = Runbook::new(plan);
    let graph = Graph::new(&runbook);
    let mut text = String::from("digraph plan {\n");
    for setting in [
        "rankdir=TB",
        "labeljust=l",
        "fontname=\"Helvetica\"",
        "node [shape=box, style=\"rounded,filled\", fillcolor=\"#eef3fb\", color=\"#5b7db1\", fontname=\"Helvetica\", fontsize=11]",
        "edge [color=\"#7a8494\", arrowsize=0.7]",
    ] {
        line(&mut text, &format!("  {setting};"));
    }
    line(&mut text, &format!("  label={};", quoted(&[&caption(&runbook)])));
    let mut place = 0;
    for (number, stage) in graph.stages.iter().enumerate() {
        stage_lines(&mut text, number, stage, &mut place);
    }
    for edge in &graph.lines {
        let because = quoted(&edge.because);
        line(&mut text, &format!("  n{} -> n{} [tooltip={because}, edgetooltip={because}];", edge.from, edge.to));
    }
    text.push_str("}\n");
    text
}

fn caption(runbook: &Runbook) -> String {
    let plan = runbook.plan;
    format!("{} on {}: {}, plan {}", plan.objects.source, plan.cluster.name, runbook.shape(), plan.id)
}

fn stage_lines(text: &mut String, number: usize, stage: &GraphStage, place: &mut usize) {
    let boxed = stage.form == Form::Box;
    if boxed {
        line(text, &format!("  subgraph cluster_{number} {{"));
        line(text, &format!("    label={}; color=\"#c5cdd9\"; style=rounded;", quoted(&[&stage.name])));
    }
    for spot in &stage.spots {
        line(text, &format!("    n{place} [{}];", attributes(spot, stage.form)));
        *place += 1;
    }
    if boxed {
        line(text, "  }");
    }
}

fn attributes(spot: &Spot, form: Form) -> String {
    let shards = spot.shards.map(|shards| format!("× {shards} shards")).unwrap_or_default();
    let lines: Vec<&str> =
        [spot.name.as_str(), spot.title, &spot.cost, &shards].into_iter().filter(|part| !part.is_empty()).collect();
    let look = match form {
        Form::Box => "",
        Form::Joint => ", style=filled, fillcolor=\"#ece7f8\", color=\"#7d6bb5\"",
        Form::Gate(Gate::Finalize) => ", shape=octagon, style=filled, fillcolor=\"#fbe3e1\", color=\"#b3261e\"",
        Form::Gate(_) => ", shape=octagon, style=filled, fillcolor=\"#fdf0d5\", color=\"#b07a1e\"",
    };
    format!("label={}, tooltip={}{look}", quoted(&lines), quoted(&[spot.why]))
}

/// A quoted string of several lines. Backslashes are doubled, as labels know escapes such as `\N` for the node's name,
/// and `&` is written as an entity, as Graphviz reads entities in every string.
fn quoted(lines: &[&str]) -> String {
    let escaped: Vec<String> = lines
        .iter()
        .map(|line| visible::line(line).replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;"))
        .collect();
    format!("\"{}\"", escaped.join("\\n"))
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn a_hostile_text_stays_in_its_string() {
        assert_eq!(quoted(&["a\"]; \\N\n&lt;", "b"]), r#""a\"]; \\N\\n&amp;lt;\nb""#);
    }

    #[test]
    fn many_shards_share_boxes() {
        let text = dot(&fixture::plan(40));
        assert!(text.contains("backfill\\ncopy the old rows\\n"), "{text}");
        assert!(text.contains("× 40 shards"));
        assert!(!text.contains("backfill.s1"));
        assert_eq!(text.matches("shape=octagon").count(), 3);
    }
}
