//! What plans of every kind begin and end with: who the cluster is, the plan's id, the order of its steps.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::definition::ID_LENGTH;
use super::step::{Action, Cost, Gate, Phase, Step, Undo};
use super::step_id::StepId;
use super::{ClusterIdentity, Edge, Fingerprint, Graph, GraphError, ReplicaIdentity};
use crate::snapshot::Snapshot;

/// The cluster as a plan knows it.
pub(super) fn identity(snapshot: &Snapshot) -> ClusterIdentity {
    let topology = &snapshot.topology;
    let replica = |replica: &crate::topology::Replica| ReplicaIdentity {
        id: replica.id,
        host: replica.host.clone(),
        port: replica.port,
        version: snapshot.state(replica.id).map_or_else(String::new, |state| state.version.clone()),
    };
    ClusterIdentity { name: topology.cluster.clone(), replicas: topology.replicas().map(replica).collect() }
}

/// Steps by dependency, then phase, then shard: as a person would read them.
pub(super) fn in_order(steps: Vec<Step>, edges: &[Edge]) -> Result<Vec<Step>, GraphError> {
    let graph = Graph::new(&steps, edges)?;
    let mut by_id: BTreeMap<StepId, Step> = steps.into_iter().map(|step| (step.id.clone(), step)).collect();
    let rank = |id: &StepId| by_id.get(id).map(|step| (step.phase, step.shard));
    let order = graph.order(rank)?;
    Ok(order.iter().filter_map(|id| by_id.remove(id)).collect())
}

/// The id of a step of one shard.
pub(super) fn step_id(phase: Phase, what: &str, shard: u32) -> StepId {
    let dot = if what.is_empty() { "" } else { "." };
    StepId::new(format!("{phase}{dot}{what}.s{shard}"))
}

/// The id of a step at which all shards wait for each other.
pub(super) fn joint_id(phase: Phase, what: &str) -> StepId {
    StepId::new(format!("{phase}.{what}"))
}

/// The id of a gate's step.
pub(super) fn gate_id(gate: Gate) -> StepId {
    StepId::new(format!("gate.{gate}"))
}

/// A gate in a phase.
pub(super) fn gate(gate: Gate, phase: Phase, title: &str, why: &str) -> Step {
    Step {
        id: gate_id(gate),
        phase,
        shard: None,
        title: title.to_owned(),
        why: why.to_owned(),
        action: Action::Gate { gate },
        undo: Undo::Nothing { because: "an approval changes nothing on the cluster".to_owned() },
        cost: Cost::default(),
    }
}

/// Eight hex digits that depend on the cluster, the definitions and the statement, and on nothing else.
pub(super) fn plan_id(snapshot: &Snapshot, statement: &str, fingerprints: &[Fingerprint]) -> String {
    let mut hasher = Sha256::new();
    let mut add = |text: &str| {
        // The length first, so that no two lists of texts look the same.
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    add(&snapshot.topology.cluster);
    add(statement);
    for replica in snapshot.topology.replicas() {
        add(&replica.address());
    }
    for fingerprint in fingerprints {
        add(&fingerprint.table.sql());
        add(&fingerprint.definition);
    }
    let mut id = hex::encode(hasher.finalize());
    id.truncate(ID_LENGTH);
    id
}
