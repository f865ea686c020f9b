//! The three places where a person decides.

use crate::plan::frame;
use crate::plan::step::{Gate, Phase, Step};

pub(super) fn steps() -> Vec<Step> {
    [Gate::Start, Gate::Cutover, Gate::Finalize].map(step).into()
}

fn step(gate: Gate) -> Step {
    let (phase, title, why) = match gate {
        Gate::Start => (
            Phase::Create,
            "wait for approval to start",
            "From here on the plan changes the cluster. Until the gate `finalize` everything can be rolled back.",
        ),
        Gate::Cutover => (
            Phase::Cutover,
            "wait for approval to cut over",
            "Verification has passed on every replica. From here on queries and inserts meet the new table. \
             It can be rolled back: the old data stays, and the mirror keeps it current.",
        ),
        Gate::Finalize => (
            Phase::Finalize,
            "wait for approval to finalize",
            "The point of no return. Let the new table prove itself first; from here on the old data is dropped.",
        ),
    };
    frame::gate(gate, phase, title, why)
}
