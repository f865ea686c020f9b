//! `evaluate`: compares sorting keys by the queries that are really run.

mod ask;
mod ground;
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
use crate::catalog::Table;
use crate::ddl::{Name, read_engine, read_name};
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
        let name = &local_name(snapshot, wanted)?;
        let mut found: Vec<(ReplicaId, &Table)> =
            snapshot.replicas.keys().filter_map(|id| Some((*id, snapshot.table(*id, name)?))).collect();
        found.dedup_by_key(|(id, _)| id.shard);
        let rows: u64 = found.iter().map(|(_, table)| table.rows()).sum();
        let most = found.iter().max_by_key(|(id, table)| (table.rows(), std::cmp::Reverse(*id)));
        let Some((on, table)) = most.copied() else {
            let cluster = &snapshot.topology.cluster;
            return Err(Failure::new(format!("no replica of cluster {cluster} has a table {wanted}")));
        };
        let engine = read_engine(&table.engine_full).ok().filter(crate::ddl::Engine::is_merge_tree_family);
        if engine.is_none() {
            let message =
                format!("{name} is a {} table: only tables of the MergeTree family have a sorting key", table.engine);
            return Err(Failure::new(message));
        }
        Ok(Self { snapshot, table, on, shards_factor: rows as f64 / table.rows().max(1) as f64 })
    }
}

/// The local table behind a Distributed one.
fn local_name(snapshot: &Snapshot, wanted: &TableName) -> Result<TableName, Failure> {
    let found = snapshot.replicas.keys().find_map(|id| snapshot.table(*id, wanted));
    let Some(table) = found.filter(|table| table.engine == "Distributed") else { return Ok(wanted.clone()) };
    let args = read_engine(&table.engine_full)?.distributed();
    let args = args.ok_or_else(|| Failure::new(format!("{wanted} does not say which table it stands for")))?;
    let local = TableName::new(args.database.as_deref().unwrap_or(&wanted.database), args.table);
    say(&format!("{wanted} is a Distributed table over {local}, which is evaluated"));
    Ok(local)
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

/// `DB.T`, with quotes where a name needs them.
fn table_name(text: &str) -> Result<TableName, Failure> {
    let name: Name = read_name(text).map_err(|error| Failure { exit: Exit::Usage, ..error.into() })?;
    Ok(name.in_database("default"))
}
