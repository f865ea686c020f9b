//! Where faults strike, read from the plan's own file: every statement of every step, forward and back.

use std::collections::BTreeSet;

use serde_json::Value;
use shardwright::names::ReplicaId;

use super::proxy::Request;
use crate::tool::PLAN;

/// The words with which statements begin that change something.
const CHANGING: [&str; 8] = ["CREATE", "DROP", "ALTER", "INSERT", "RENAME", "EXCHANGE", "SYSTEM", "TRUNCATE"];
/// The shard whose steps stand for their kind.
const SHARD: &str = ".s1";

/// One statement of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) step: String,
    /// Which of the step's statements, as the plan's file has it: `action clone`.
    pub(super) name: String,
    /// The replica, where each takes its turn.
    on: Option<ReplicaId>,
    id_prefix: String,
    /// The statement without what is filled in.
    pieces: Vec<String>,
}

impl Spot {
    /// Whether a request is this statement.
    pub(super) fn is(&self, request: &Request) -> bool {
        if !request.query_id.starts_with(&self.id_prefix) || self.on.is_some_and(|on| on != request.on) {
            return false;
        }
        let mut rest = request.sql.as_str();
        self.pieces.iter().all(|piece| match rest.find(piece.as_str()) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

/// Which way the plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Forward,
    Back,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Back => "back",
        }
    }

    /// The command that takes a plan this way.
    pub(super) fn command(self) -> [&'static str; 2] {
        match self {
            Self::Forward => ["execute", PLAN],
            Self::Back => ["rollback", PLAN],
        }
    }

    /// The event with which the journal says that a step is over.
    pub(super) fn over(self) -> &'static str {
        match self {
            Self::Forward => "done",
            Self::Back => "undone",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Forward => "action",
            Self::Back => "undo",
        }
    }
}

fn id(plan: &Value) -> &str {
    plan["id"].as_str().expect("the plan has an id")
}

pub(super) fn steps(plan: &Value) -> impl Iterator<Item = (&str, &Value)> {
    plan["steps"].as_array().expect("steps").iter().map(|step| (step["id"].as_str().expect("an id"), step))
}

/// The steps that stand for their kind: those of one shard, and those at which all shards wait for each other.
fn examples(plan: &Value) -> impl Iterator<Item = (&str, &Value)> {
    steps(plan).filter(|(id, step)| id.ends_with(SHARD) || step["shard"].is_null() && !id.starts_with("gate."))
}

/// Their ids, and those of the gates.
pub(super) fn kinds(plan: &Value) -> Vec<String> {
    let gates = steps(plan).filter(|(id, _)| id.starts_with("gate."));
    examples(plan).chain(gates).map(|(id, _)| id.to_owned()).collect()
}

/// The beginning of the query ids of a step.
pub(super) fn prefix(plan: &Value, step: &str) -> String {
    format!("shardwright-{}-{step}-", id(plan))
}

/// The phases in which a step that stands for its kind asks the replicas for something, with the beginnings of their query ids.
pub(super) fn phases(plan: &Value, way: Way) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (id, step) in examples(plan) {
        // Before it goes back over a swap, a rollback compares as the reconciliation does.
        if way == Way::Back && step["undo"]["undo"] != "run" && step["phase"] != "reconcile" {
            continue;
        }
        let (phase, prefix) = (step["phase"].as_str().expect("a phase"), prefix(plan, id));
        match found.iter_mut().find(|(known, _)| known == phase) {
            Some((_, prefixes)) => prefixes.push(prefix),
            None => found.push((phase.to_owned(), vec![prefix])),
        }
    }
    found
}

/// All statements of the steps that stand for their kind: those that change something, a question of each step that asks any, and those
/// about the lock.
pub(super) fn spots(plan: &Value, way: Way) -> Vec<Spot> {
    let mut found = vec![lock(plan, "CREATE TABLE"), lock(plan, "DROP TABLE")];
    for (step, content) in examples(plan) {
        let mut leaves = Vec::new();
        let key = if content["phase"] == "reconcile" { "action" } else { way.key() };
        walk(&content[key], key, None, &mut leaves);
        let changing = |sql: &str| CHANGING.iter().any(|word| sql.starts_with(word));
        let question = leaves.iter().find(|(_, _, sql)| sql.starts_with("SELECT")).cloned();
        leaves.retain(|(_, _, sql)| changing(sql));
        let question = question.filter(|_| content[key]["runs"].as_array().is_none_or(Vec::is_empty));
        leaves.extend(question);
        found.extend(leaves.into_iter().map(|(name, on, sql)| Spot {
            step: step.to_owned(),
            name,
            on,
            id_prefix: prefix(plan, step),
            pieces: pieces(&sql),
        }));
    }
    found
}

fn lock(plan: &Value, verb: &str) -> Spot {
    let table = plan["objects"]["lock"]["table"].as_str().expect("the lock's name").to_owned();
    let name = format!("{} the lock", if verb == "CREATE TABLE" { "take" } else { "give back" });
    let id_prefix = prefix(plan, "lock");
    Spot { step: "lock".to_owned(), name, on: None, id_prefix, pieces: vec![verb.to_owned(), table] }
}

/// Every text in a value, with its place; a run's statements once for each of its replicas.
fn walk(value: &Value, path: &str, on: Option<ReplicaId>, found: &mut Vec<(String, Option<ReplicaId>, String)>) {
    match value {
        Value::String(text) => found.push((path.to_owned(), on, text.clone())),
        Value::Array(list) => {
            // Of statements that do the same to one table after the other, one stands for all.
            let mut seen = BTreeSet::new();
            for (one, number) in list.iter().zip(1..) {
                let verb = one.as_str().map(|text| text.split(' ').take(2).collect::<String>());
                let path = if list.len() == 1 { path.to_owned() } else { format!("{path} {number}") };
                if verb.is_none_or(|verb| seen.insert(verb)) {
                    walk(one, &path, on, found);
                }
            }
        }
        Value::Object(object) if object.contains_key("sql") && object.contains_key("after") => {
            for id in replicas(&object["on"]) {
                walk(&object["sql"], &format!("{path} on {id}"), Some(id), found);
            }
        }
        Value::Object(object) => {
            for (key, value) in
                object.iter().filter(|(key, _)| !["says", "expect", "because", "by_hand"].contains(&key.as_str()))
            {
                walk(value, &format!("{path} {key}"), on, found);
            }
        }
        _ => {}
    }
}

fn replicas(on: &Value) -> Vec<ReplicaId> {
    let read = |text: &str| {
        let (shard, replica) = text.strip_prefix('s')?.split_once('r')?;
        Some(ReplicaId::new(shard.parse().ok()?, replica.parse().ok()?))
    };
    let list = on.as_array().expect("replicas");
    list.iter().map(|one| one.as_str().and_then(read).expect("a replica")).collect()
}

/// Text between the holes of a template.
fn pieces(sql: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        pieces.push(before.to_owned());
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    pieces.push(rest.to_owned());
    pieces
}

#[test]
fn a_spot_is_known_whatever_is_filled_in() {
    let spot = Spot {
        step: "backfill.s1".to_owned(),
        name: "action attach".to_owned(),
        on: None,
        id_prefix: "shardwright-1-backfill.s1-".to_owned(),
        pieces: pieces("ALTER TABLE `d`.`n` ATTACH PARTITION ID {chunk} FROM `d`.`s`"),
    };
    let request = |query_id: &str, sql: &str| Request {
        on: ReplicaId::new(1, 1),
        query_id: query_id.to_owned(),
        sql: sql.to_owned(),
    };
    let sql = "ALTER TABLE `d`.`n` ATTACH PARTITION ID '5' FROM `d`.`s`";
    assert!(spot.is(&request("shardwright-1-backfill.s1-77-a-3", sql)));
    assert!(!spot.is(&request("shardwright-1-backfill.s2-77-a-3", sql)));
    assert!(!spot.is(&request("shardwright-1-backfill.s1-77-a-3", "ALTER TABLE `d`.`n` ATTACH PARTITION ID '5'")));
}
