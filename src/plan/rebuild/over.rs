//! The `Distributed` tables over a table of which columns get other types: they get them too, once every shard has them.
//!
//! Until then a state of an aggregate function comes from the shards with one type and is expected with another, and a value that the
//! type before cannot hold would be read as another one.

use super::blueprint::Blueprint;
use super::joint_id;
use crate::catalog::Table;
use crate::names::{ReplicaId, TableName};
use crate::plan::step::{Action, Cost, Phase, Step, Undo};
use crate::plan::step_id::StepId;
use crate::plan::work::Run;
use crate::plan::{probes, sql};

/// The step's id.
pub(super) fn id() -> StepId {
    joint_id(Phase::Reconcile, "distributed")
}

/// The step; none where no such table has a column that changes.
pub(super) fn step(blueprint: &Blueprint<'_>) -> Option<Step> {
    let (before, after) = (&blueprint.old.types, &blueprint.new.types);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for table in &blueprint.objects.distributed {
        for (columns, on) in concerned(blueprint, table) {
            let of = |types: &[(String, String)]| -> Vec<(String, String)> {
                types.iter().filter(|(column, _)| columns.contains(column)).cloned().collect()
            };
            let (old, new) = (of(before), of(after));
            there.push(run(table, &on, &old, &new));
            back.push(run(table, &on, &new, &old));
        }
    }
    if there.is_empty() {
        return None;
    }
    Some(Step {
        id: id(),
        phase: Phase::Reconcile,
        shard: None,
        title: "give the Distributed tables the new types".to_owned(),
        why: "Shards give values and states of the new types from the last swap on; what stands for them must expect the same. It \
              changes definitions alone."
            .to_owned(),
        action: Action::Run { one_by_one: false, runs: there },
        undo: Undo::Run { one_by_one: false, runs: back, then: Vec::new() },
        cost: Cost::default(),
    })
}

fn run(table: &TableName, on: &[ReplicaId], from: &[(String, String)], to: &[(String, String)]) -> Run {
    Run {
        on: on.to_vec(),
        before: vec![probes::typed(table, from)],
        sql: vec![sql::modify_types(table, to)],
        after: vec![probes::typed(table, to)],
    }
}

/// Columns of a `Distributed` table that have the types before, with the replicas where it is these.
fn concerned(blueprint: &Blueprint<'_>, table: &TableName) -> Vec<(Vec<String>, Vec<ReplicaId>)> {
    let has = |table: &Table, (column, kind): &(String, String)| {
        table.columns.iter().any(|one| one.name == *column && one.kind == *kind && one.default_kind != "ALIAS")
    };
    let mut found: Vec<(Vec<String>, Vec<ReplicaId>)> = Vec::new();
    for id in blueprint.case.snapshot.replicas.keys() {
        let Some(there) = blueprint.case.snapshot.table(*id, table) else { continue };
        let types = blueprint.old.types.iter().filter(|typed| has(there, typed));
        let columns: Vec<String> = types.map(|(column, _)| column.clone()).collect();
        if columns.is_empty() {
            continue;
        }
        match found.iter_mut().find(|(known, _)| *known == columns) {
            Some((_, on)) => on.push(*id),
            None => found.push((columns, vec![*id])),
        }
    }
    found
}
