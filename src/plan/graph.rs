//! The graph of a plan's steps: order, readiness and reachability.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Bfs, IntoNeighbors, Reversed, VisitMap, Visitable};

use super::step_id::StepId;
use super::{Edge, Step};

/// The graph over a plan's steps. Steps are named by their ids; node indices never leave this module.
#[derive(Debug)]
pub struct Graph {
    graph: DiGraph<StepId, ()>,
    nodes: BTreeMap<StepId, NodeIndex>,
}

/// A graph that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two steps have the same id.
    #[error("two steps have the id {0}")]
    Duplicate(StepId),
    /// An edge names a step that is not there.
    #[error("an edge names the step {0}, which is not in the plan")]
    Unknown(StepId),
    /// Steps wait for each other.
    #[error("the steps wait for each other in a circle: {}", .0.iter().map(StepId::as_str).collect::<Vec<_>>().join(", "))]
    Cycle(Vec<StepId>),
}

impl Graph {
    /// The graph of these steps and edges.
    pub fn new(steps: &[Step], edges: &[Edge]) -> Result<Self, GraphError> {
        let mut graph = DiGraph::with_capacity(steps.len(), edges.len());
        let mut nodes = BTreeMap::new();
        for step in steps {
            if nodes.insert(step.id.clone(), graph.add_node(step.id.clone())).is_some() {
                return Err(GraphError::Duplicate(step.id.clone()));
            }
        }
        let node = |id: &StepId| nodes.get(id).copied().ok_or_else(|| GraphError::Unknown(id.clone()));
        for edge in edges {
            graph.add_edge(node(&edge.from)?, node(&edge.to)?, ());
        }
        Ok(Self { graph, nodes })
    }

    /// The ids in an order in which each step comes after all it depends on; ties go to the step that comes first by `rank`.
    ///
    /// Kahn's algorithm with a sorted ready set, because petgraph's own order depends on the order of insertion.
    pub fn order<K: Ord>(&self, rank: impl Fn(&StepId) -> K) -> Result<Vec<StepId>, GraphError> {
        let mut waiting_for: BTreeMap<NodeIndex, usize> =
            self.graph.node_indices().map(|node| (node, self.graph.edges_directed(node, Incoming).count())).collect();
        let ranked = |node: NodeIndex| (rank(&self.graph[node]), self.graph[node].clone(), node);
        let mut ready: BTreeSet<(K, StepId, NodeIndex)> =
            waiting_for.iter().filter(|(_, count)| **count == 0).map(|(node, _)| ranked(*node)).collect();
        let mut order = Vec::with_capacity(self.graph.node_count());
        while let Some((_, id, node)) = ready.pop_first() {
            waiting_for.remove(&node);
            order.push(id);
            for next in self.graph.neighbors_directed(node, Outgoing) {
                if let Some(count) = waiting_for.get_mut(&next) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(ranked(next));
                    }
                }
            }
        }
        if waiting_for.is_empty() {
            Ok(order)
        } else {
            Err(GraphError::Cycle(waiting_for.into_keys().map(|node| self.graph[node].clone()).collect()))
        }
    }

    /// The steps that a step directly depends on.
    pub fn before<'a>(&'a self, id: &StepId) -> impl Iterator<Item = &'a StepId> {
        self.neighbours(id, Incoming)
    }

    /// The steps that directly depend on a step.
    pub fn after<'a>(&'a self, id: &StepId) -> impl Iterator<Item = &'a StepId> {
        self.neighbours(id, Outgoing)
    }

    /// Every step that must be done before a step, directly or through others.
    pub fn ancestors(&self, id: &StepId) -> BTreeSet<&StepId> {
        self.reachable(id, Reversed(&self.graph))
    }

    /// Every step that waits for a step, directly or through others.
    pub fn descendants(&self, id: &StepId) -> BTreeSet<&StepId> {
        self.reachable(id, &self.graph)
    }

    fn reachable<G>(&self, id: &StepId, graph: G) -> BTreeSet<&StepId>
    where
        G: IntoNeighbors<NodeId = NodeIndex> + Visitable<NodeId = NodeIndex> + Copy,
        G::Map: VisitMap<NodeIndex>,
    {
        let Some(start) = self.nodes.get(id) else { return BTreeSet::new() };
        let mut walk = Bfs::new(graph, *start);
        let mut found = BTreeSet::new();
        while let Some(node) = walk.next(graph) {
            if node != *start {
                found.insert(&self.graph[node]);
            }
        }
        found
    }

    fn neighbours<'a>(&'a self, id: &StepId, direction: petgraph::Direction) -> impl Iterator<Item = &'a StepId> {
        let node = self.nodes.get(id).copied();
        node.into_iter()
            .flat_map(move |node| self.graph.neighbors_directed(node, direction))
            .map(|node| &self.graph[node])
    }
}
