//! Renderings of a plan: for a terminal, a review, a picture, a person with a client, a program.
//!
//! All of them are made from a [`Runbook`](crate::runbook::Runbook), are functions of the plan alone, and treat every
//! text of the plan as hostile: a name can neither leave its place nor become markup.

pub mod figures;

mod dot;
#[cfg(test)]
pub(crate) mod fixture;
mod graph;
mod grid;
mod html;
mod json;
mod markdown;
mod markup;
mod mermaid;
mod sql;
mod swimlane;
mod terminal;
mod uses;
mod visible;

pub use dot::dot;
pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use mermaid::mermaid;
pub use sql::sql;
pub use swimlane::swimlane_svg;
pub use terminal::{findings, terminal};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Plan};

    fn all(plan: &Plan) -> Vec<String> {
        let texts = [terminal(plan, 100, false), terminal(plan, 1, true), markdown(plan), html(plan), dot(plan)];
        texts.into_iter().chain([mermaid(plan), json(plan), sql(plan, None), swimlane_svg(plan)]).collect()
    }

    #[test]
    fn plans_with_parts_missing_are_rendered() {
        for shards in [2, 40] {
            let mut plan = fixture::plan(shards);
            plan.findings.clear();
            plan.steps.retain(|step| matches!(step.action, Action::Gate { .. }));
            assert_eq!(all(&plan).len(), 9, "only gates");
            plan.steps.clear();
            assert_eq!(all(&plan).len(), 9, "no steps");
            plan.sizes.clear();
            plan.cluster.replicas.clear();
            assert_eq!(all(&plan).len(), 9, "no shards");
        }
    }

    #[test]
    fn every_rendering_names_every_gate_and_the_table() {
        let plan = fixture::plan(3);
        for text in [terminal(&plan, 100, false), markdown(&plan), html(&plan), sql(&plan, None)] {
            assert!(text.contains("analytics.events"));
            for gate in ["GATE start", "GATE cutover", "GATE finalize"] {
                assert!(text.contains(gate), "{gate} is missing");
            }
        }
    }

    #[test]
    fn every_statement_stands_in_each_rendering_that_shows_sql() {
        let plan = fixture::plan(2);
        let statement = "RENAME TABLE `analytics`.`events` TO";
        for text in [markdown(&plan), html(&plan), sql(&plan, None)] {
            assert!(text.contains(statement));
        }
    }
}
