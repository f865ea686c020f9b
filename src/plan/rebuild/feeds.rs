//! What writes to the source by itself: tables that read a stream for views to write on, and queues of Distributed tables.

use super::blueprint::{Blueprint, ShardSite};
use crate::assess::Case;
use crate::names::{ReplicaId, TableName};
use crate::plan::work::Feed;
use crate::plan::{Objects, related};
use crate::snapshot::Capability;

/// Engines whose tables take rows in for as long as they are attached.
const STREAMS: [&str; 6] = ["AzureQueue", "FileLog", "Kafka", "NATS", "RabbitMQ", "S3Queue"];

/// The engine whose tables keep queues.
const DISTRIBUTED: &str = "Distributed";

/// A table that feeds the source, and its engine.
type Feeder = (TableName, String);

/// Every table that feeds the source of a case, on whatever replica.
pub(super) fn of(case: &Case<'_>, objects: &Objects) -> Vec<Feeder> {
    let engine = |name: &TableName| {
        let mut tables = case.states().filter_map(|(_, state)| state.tables.get(name));
        tables.next().map(|table| table.engine.clone())
    };
    let feeders = related::writers(case, objects).into_iter();
    let feeders = feeders.filter_map(|name| engine(&name).map(|engine| (name, engine)));
    feeders.filter(|(_, engine)| engine == DISTRIBUTED || STREAMS.contains(&engine.as_str())).collect()
}

/// How those of a shard are stopped. A queue is stopped only where every server can.
pub(super) fn of_shard(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Feed> {
    blueprint.feeders.iter().filter_map(|feeder| feed(blueprint, shard, feeder)).collect()
}

/// The same of tables that read a stream alone.
pub(super) fn streams_of_shard(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>) -> Vec<Feed> {
    let streams = blueprint.feeders.iter().filter(|(_, engine)| engine != DISTRIBUTED);
    streams.filter_map(|feeder| feed(blueprint, shard, feeder)).collect()
}

fn feed(blueprint: &Blueprint<'_>, shard: &ShardSite<'_>, (name, engine): &Feeder) -> Option<Feed> {
    let has_it = |id: &&ReplicaId| blueprint.case.snapshot.table(**id, name).is_some();
    let on: Vec<ReplicaId> = shard.replicas.iter().filter(has_it).copied().collect();
    let sql = name.sql();
    match engine.as_str() {
        _ if on.is_empty() => None,
        DISTRIBUTED if blueprint.all_have(Capability::DistributedSends) => Some(Feed {
            on,
            says: format!("sends of {name}"),
            stop: format!("SYSTEM STOP DISTRIBUTED SENDS {sql}"),
            start: format!("SYSTEM START DISTRIBUTED SENDS {sql}"),
        }),
        DISTRIBUTED => None,
        _ => Some(Feed {
            on,
            says: format!("{name}, which reads a stream ({engine})"),
            stop: format!("DETACH TABLE {sql}"),
            start: format!("ATTACH TABLE {sql}"),
        }),
    }
}
