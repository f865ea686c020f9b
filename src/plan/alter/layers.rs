//! Layers of steps: what waits for what, and why.

use crate::plan::Edge;
use crate::plan::step::Step;

/// Steps that wait for those of the layers before.
#[derive(Debug)]
pub(super) struct Layer {
    /// Why they must be done before what comes after them.
    because: &'static str,
    pub(super) steps: Vec<Step>,
}

impl Layer {
    pub(super) fn new(because: &'static str, steps: Vec<Step>) -> Self {
        Self { because, steps }
    }
}

/// The steps with the edges between layers.
///
/// Steps of a shard wait for those of the same shard; a step over the cluster waits for all before it, and all wait for that.
pub(super) fn joined(layers: Vec<Layer>) -> (Vec<Step>, Vec<Edge>) {
    let mut edges = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        for step in &layer.steps {
            edges.extend(waits_for(step, &layers[..number]));
        }
    }
    edges.sort();
    (layers.into_iter().flat_map(|layer| layer.steps).collect(), edges)
}

/// The steps of the nearest layer that has some for the same shard, or for the cluster.
fn waits_for(step: &Step, before: &[Layer]) -> Vec<Edge> {
    let concerns = |earlier: &&Step| earlier.shard.is_none() || step.shard.is_none() || earlier.shard == step.shard;
    let edge = |earlier: &Step, because: &str| Edge {
        from: earlier.id.clone(),
        to: step.id.clone(),
        because: because.to_owned(),
    };
    for layer in before.iter().rev() {
        let edges: Vec<Edge> =
            layer.steps.iter().filter(concerns).map(|earlier| edge(earlier, layer.because)).collect();
        if !edges.is_empty() {
            return edges;
        }
    }
    Vec::new()
}
