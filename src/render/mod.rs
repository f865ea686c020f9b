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
mod visible;

pub use dot::dot;
pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use mermaid::mermaid;
pub use sql::sql;
pub use swimlane::swimlane_svg;
pub use terminal::{findings, terminal};
