//! What servers are asked for an ALTER before it is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;

use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::dependents::try_dependents;
use crate::alter::{AllRights, Alter, Lacking, Speed, Unfit, narrowed, redefaulted};
use crate::assess::Survey;
use crate::catalog::Table;
use crate::classify::Class;
use crate::names::{ReplicaId, TableName};
use crate::plan;
use crate::server::{self, Statement};
use crate::snapshot::Snapshot;

/// All values of a column are read once.
const CONVERSION_TIMEOUT: Duration = Duration::from_mins(5);
/// What servers say of a query that takes too long, too much memory or too many rows.
const OVER_A_LIMIT: [u32; 6] = [158, 159, 160, 241, 307, 396];
/// Tables may have very many parts and columns.
const PARTS_TIMEOUT: Duration = Duration::from_mins(1);

/// Asks for all that the rules about ALTERs and the plan need to know.
pub(super) async fn survey(
    connected: &Connected,
    snapshot: &Snapshot,
    alter: &Alter,
    local: &Table,
) -> Result<Survey, Failure> {
    Ok(Survey {
        lacking: lacking(connected, snapshot, alter).await?,
        unfit: unfit(connected, snapshot, alter, local).await?,
        dependents: try_dependents(connected, snapshot, alter).await?,
        rights: rights(connected, alter).await?,
        speeds: speeds(connected, snapshot, alter).await?,
    })
}

/// Rows of all shards whose parts have no values of the columns that get another default.
async fn lacking(connected: &Connected, snapshot: &Snapshot, alter: &Alter) -> Result<Vec<Lacking>, Failure> {
    let table = &alter.change.table;
    let mut found = Vec::new();
    for column in redefaulted(alter) {
        let question = Statement::read(plan::rows_without(table, column), PARTS_TIMEOUT);
        let asked = firsts(snapshot, table).into_iter().map(|on| connected.cluster.run(on, &question));
        let answers = try_join_all(asked).await.map_err(|error| Failure::of(&error))?;
        let rows = answers.iter().filter_map(|answer| answer.trim().parse::<u64>().ok()).sum();
        found.push(Lacking { column: column.to_owned(), rows });
    }
    Ok(found)
}

/// What every server says of rights that go by names of columns, where one goes or changes.
async fn rights(connected: &Connected, alter: &Alter) -> Result<AllRights, Failure> {
    if !alter.commands.iter().any(|command| command.takes_away().is_some() || command.changes_type()) {
        return Ok(AllRights::new());
    }
    let change = &alter.change;
    let tables: Vec<TableName> = std::iter::once(&change.table).chain(&change.distributed).cloned().collect();
    let on: BTreeSet<ReplicaId> = alter.orders.iter().flat_map(|order| order.on.iter().copied()).collect();
    let asked = on.into_iter().map(|id| {
        let tables = &tables;
        async move { server::rights(&connected.cluster, id, tables).await.map(|rights| (id, rights)) }
    });
    Ok(try_join_all(asked).await.map_err(|error| Failure::of(&error))?.into_iter().collect())
}

/// How fast the first replica of each shard writes parts, where it tells and the ALTER has it write some.
async fn speeds(connected: &Connected, snapshot: &Snapshot, alter: &Alter) -> Result<BTreeMap<u32, Speed>, Failure> {
    if alter.class != Class::Mutation {
        return Ok(BTreeMap::new());
    }
    let table = &alter.change.table;
    let asked = firsts(snapshot, table).into_iter().map(|on| async move {
        server::speed_of(&connected.cluster, on, table).await.map(|speed| Some((on.shard, speed?)))
    });
    Ok(try_join_all(asked).await.map_err(|error| Failure::of(&error))?.into_iter().flatten().collect())
}

/// Columns of which a server cannot convert some value, or has not within its time.
async fn unfit(
    connected: &Connected,
    snapshot: &Snapshot,
    alter: &Alter,
    local: &Table,
) -> Result<Vec<Unfit>, Failure> {
    let table = &alter.change.table;
    let mut found = Vec::new();
    for narrowed in narrowed(alter, local).map_err(|error| Failure::of(&error))? {
        let sql = plan::converted(table, &narrowed.column, &narrowed.kind);
        let question = Statement::read(sql, CONVERSION_TIMEOUT);
        let asked = firsts(snapshot, table).into_iter().map(|on| connected.cluster.run(on, &question));
        let Err(error) = try_join_all(asked).await else { continue };
        let is_certain = error.code().is_some_and(|code| !OVER_A_LIMIT.contains(&code));
        found.push(Unfit { narrowed, said: error.to_string(), is_certain });
    }
    Ok(found)
}

/// The first replica of each shard that has the table.
fn firsts(snapshot: &Snapshot, table: &TableName) -> Vec<ReplicaId> {
    let has_it = |id: &ReplicaId| snapshot.table(*id, table).is_some();
    let shards = &snapshot.topology.shards;
    shards.iter().filter_map(|shard| shard.replica_ids().into_iter().find(has_it)).collect()
}
