//! A plan for two replicated shards of two replicas, turned to servers without replication.

use std::collections::BTreeMap;

use super::{Target, Words, adapt, recreate};
use crate::assess::{Fixture, assess};
use crate::names::{ReplicaId, TableName};
use crate::plan::{Action, Fence, Plan, ReplicaIdentity, build};
use crate::snapshot::Capability;

fn plan() -> Plan {
    let fixture = Fixture::new();
    let case = fixture.case();
    build(&case, assess(&case), Fence::Auto).unwrap()
}

fn identity(shard: u32, replica: u32) -> ReplicaIdentity {
    let version = "26.9.2.1".to_owned();
    ReplicaIdentity { id: ReplicaId::new(shard, replica), host: "127.0.0.1".to_owned(), port: 9000, version }
}

fn target(plan: &Plan, replicated: bool) -> Target {
    let mut capabilities = plan.capabilities.clone();
    if !replicated {
        capabilities.remove(&Capability::Keeper);
    }
    Target::new(plan, "elsewhere".to_owned(), vec![identity(1, 1), identity(2, 1)], capabilities)
}

fn words() -> Words {
    let plan = plan();
    let hash = |table: &TableName| (table.clone(), "another hash".to_owned());
    Words {
        definition_hashes: BTreeMap::from([hash(&plan.objects.source)]),
        keys: [&plan.rebuild().unwrap().before, &plan.rebuild().unwrap().after].map(Clone::clone),
        columns: Vec::new(),
    }
}

fn text(plan: &Plan) -> String {
    serde_json::to_string(&plan.steps).unwrap()
}

#[test]
fn replicas_that_nobody_plays_are_left_out_and_said() {
    let plan = plan();
    let adapted = adapt(&plan, &target(&plan, true), &words());
    let replicas = adapted.plan.steps.iter().flat_map(|step| step.action.replicas());
    assert!(replicas.into_iter().all(|id| id.replica == 1));
    assert!(adapted.not_covered.contains(&"2 of the plan's 4 replicas, for which there was no server".to_owned()));
    assert_eq!(adapted.plan.steps.len(), plan.steps.len());
}

#[test]
fn without_replication_nothing_asks_for_it() {
    let plan = plan();
    let adapted = adapt(&plan, &target(&plan, false), &words());
    let text = text(&adapted.plan);
    for word in ["Replicated", "system.replicas", "system.zookeeper", "system.replication_queue"] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(!adapted.plan.steps.iter().any(|step| matches!(step.action, Action::CatchUp(_))));
    assert!(adapted.not_covered.iter().any(|line| line.starts_with("replication:")), "{:#?}", adapted.not_covered);
}

#[test]
fn the_statements_that_copy_compare_and_swap_are_the_plans_own() {
    let plan = plan();
    let adapted = adapt(&plan, &target(&plan, false), &words());
    for step in &plan.steps {
        let turned = adapted.plan.step(&step.id).unwrap();
        match (&step.action, &turned.action) {
            (Action::Backfill(own), Action::Backfill(turned)) => {
                assert_eq!((&own.copy, &own.attach, &own.landed), (&turned.copy, &turned.attach, &turned.landed));
            }
            (Action::Compare(own), Action::Compare(turned)) => {
                assert_eq!((&own.left, &own.right), (&turned.left, &turned.right));
            }
            (Action::Run { runs: own, .. }, Action::Run { runs: turned, .. })
                if !own[0].sql[0].contains("Replicated") =>
            {
                assert_eq!(own[0].sql, turned[0].sql, "{}", step.id);
            }
            _ => {}
        }
    }
}

#[test]
fn probes_speak_the_other_servers_words() {
    let plan = plan();
    let turned = text(&adapt(&plan, &target(&plan, false), &words()).plan);
    assert!(turned.contains("another hash"));
    assert!(turned.contains("MergeTree\\tid, team"), "the new key with an engine that is not replicated");
}

#[test]
fn what_the_plan_leans_on_is_made_before_what_leans_on_it() {
    let plan = plan();
    let (made, not_covered) = recreate(&plan, &target(&plan, false));
    let on_first: Vec<String> =
        made.iter().filter(|one| one.on == ReplicaId::new(1, 1)).map(|one| one.what.to_string()).collect();
    assert_eq!(on_first, ["d.events", "d.events_all", "d.daily"]);
    let distributed = made.iter().find(|one| one.what.table == "events_all").unwrap();
    assert!(distributed.sql.contains("Distributed('elsewhere', 'd', 'events', rand())"), "{}", distributed.sql);
    assert!(!made.iter().any(|one| one.sql.contains("Replicated")));
    assert_eq!(not_covered, Vec::<String>::new());
}
