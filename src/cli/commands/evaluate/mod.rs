//! `evaluate`: compares sorting keys by the queries that are really run.

mod ask;
mod ground;
mod indexes;
mod measure;
mod sizes;
mod suggest;
mod twins;
mod workload;

use super::super::args::{Evaluate as Args, Global, TableOrJson};
use super::super::connect::{Connected, connect, timeout};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::Interrupts;
use super::super::output::{data, say, width};
use super::table_name;
use crate::catalog::Table;
use crate::change::local_table;
use crate::evaluate::{Key, Report, tables};
use crate::names::{ReplicaId, TableName};
use crate::snapshot::Snapshot;
use ground::Ground;

pub(in super::super) async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let wanted = table_name(&args.table)?;
    let connected = connect(global).await?;
    if !connected.config.policy.scratch {
        return Err(Failure::new("the policy forbids the scratch database in which keys are measured")
            .hint("set `scratch = true` under [policy] in the config file"));
    }
    let snapshot = connected.cluster.observe(timeout(&connected.config), None).await;
    let subject = Subject::find(&snapshot, &wanted)?;
    let keys = candidates(args, subject.table)?;
    let workload = workload::read(&connected, &subject, args).await?;
    let ground = Ground::find(&connected.cluster, subject.on).await?;
    let report = on_ground(&ground, &connected, &subject, keys, workload, args).await?;
    match args.format {
        TableOrJson::Table => data(&tables(&report, width())),
        TableOrJson::Json => data(&serde_json::to_string_pretty(&report).map_err(|error| Failure::of(&error))?),
    }
    Ok(Exit::Done)
}

/// Whatever happens, and when somebody presses Ctrl-C, what was made is dropped.
async fn on_ground(
    ground: &Ground<'_>,
    connected: &Connected,
    subject: &Subject<'_>,
    keys: Vec<Key>,
    workload: crate::evaluate::Workload,
    args: &Args,
) -> Result<Report, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let work = async {
        ground.claim().await?;
        measure::measure(ground, connected, subject, keys, workload, args).await
    };
    let result = tokio::select! {
        result = work => result,
        () = interrupts.next() => {
            say("interrupted: dropping what was made …");
            Err(Failure::new("interrupted"))
        }
    };
    // The first error is the one to tell.
    let left = ground.leave().await;
    let report = result?;
    left.map(|()| report)
}

/// The table that is evaluated, and where it is measured.
pub(super) struct Subject<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) table: &'a Table,
    /// The replica.
    pub(super) on: ReplicaId,
    /// Rows of one replica of each shard, for each of this one's.
    pub(super) shards_factor: f64,
}

impl<'a> Subject<'a> {
    /// The first replica that answers of the shard with most rows.
    fn find(snapshot: &'a Snapshot, wanted: &TableName) -> Result<Self, Failure> {
        for (id, reason) in snapshot.unreachable() {
            say(&format!("{id} does not answer, and is left out: {reason}"));
        }
        let name = &local_table(wanted, snapshot).map_err(|error| Failure::of(&error))?;
        if name != wanted {
            say(&format!("{wanted} is a Distributed table over {name}, which is evaluated"));
        }
        let mut found: Vec<(ReplicaId, &Table)> =
            snapshot.replicas.keys().filter_map(|id| Some((*id, snapshot.table(*id, name)?))).collect();
        found.dedup_by_key(|(id, _)| id.shard);
        let rows: u64 = found.iter().map(|(_, table)| table.rows()).sum();
        let most = found.iter().max_by_key(|(id, table)| (table.rows(), std::cmp::Reverse(*id)));
        let Some((on, table)) = most.copied() else {
            return Err(Failure::new(format!("no replica that answers has {name}")));
        };
        Ok(Self { snapshot, table, on, shards_factor: rows as f64 / table.rows().max(1) as f64 })
    }
}

/// Today's key first, then those that were asked for, each once.
fn candidates(args: &Args, table: &Table) -> Result<Vec<Key>, Failure> {
    let mut keys = vec![Key::of(&table.keys.sorting)?];
    for text in &args.order_by {
        let key = Key::read(text, table).map_err(|error| match error {
            crate::evaluate::KeyError::Unreadable(error) => Failure { exit: Exit::Usage, ..error.into() },
            other => Failure::of(&other),
        })?;
        match keys.iter().position(|known| known.items == key.items) {
            None => keys.push(key),
            Some(0) => say(&format!("{} is the key that {} has today; it is measured once", key.sql, table.name)),
            Some(_) => say(&format!("{} was given twice; it is measured once", key.sql)),
        }
    }
    Ok(keys)
}
