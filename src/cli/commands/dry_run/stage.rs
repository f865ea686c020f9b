//! Setting the stage: the plan's tables on the sandbox, with rows in them.

use std::time::Duration;

use super::super::super::connect::{Connected, timeout};
use super::super::super::failure::Failure;
use super::super::super::output::say;
use crate::catalog::Table;
use crate::ddl::read_engine;
use crate::names::{TableName, quote_identifier};
use crate::plan::{Plan, ReplicaIdentity, definition};
use crate::rehearse::{Fill, Target, Words, fill, recreate};
use crate::server::{Statement, normal_form};
use crate::snapshot::{Capability, Snapshot};

/// Statements with which the stage is set are short, but for the rows.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);
/// Inserts that the rows come in, so that there are several parts to a partition.
const INSERTS: u64 = 4;

/// The stage, set.
pub(super) struct Stage {
    pub(super) target: Target,
    pub(super) words: Words,
    pub(super) source: Table,
    pub(super) fill: Fill,
    pub(super) rows: u64,
    pub(super) version: String,
    pub(super) not_covered: Vec<String>,
}

impl Stage {
    pub(super) async fn set(connected: &Connected, plan: &Plan, rows: u64) -> Result<Self, Failure> {
        let snapshot = connected.cluster.observe(timeout(&connected.config), None).await;
        let target = target(plan, &snapshot)?;
        refuse_occupied(plan, &snapshot)?;
        let (made, mut not_covered) = recreate(plan, &target);
        say(&format!("making {} objects on the sandbox", made.len()));
        for one in made {
            let statement = Statement::change(one.sql, STATEMENT_TIMEOUT);
            match connected.cluster.run(one.on, &statement).await {
                Ok(_) => {}
                Err(error) if one.what == plan.objects.source => {
                    return Err(Failure::of(&error).hint("the sandbox does not accept the table's own definition"));
                }
                Err(error) => not_covered.push(format!("{} was not made: {error}", one.what)),
            }
        }
        let stage = Self::dressed(connected, plan, target, not_covered, rows).await?;
        stage.fill_rows(connected, plan).await?;
        Ok(stage)
    }

    /// Reads back what was made, in the servers' own words.
    async fn dressed(
        connected: &Connected,
        plan: &Plan,
        target: Target,
        mut not_covered: Vec<String>,
        rows: u64,
    ) -> Result<Self, Failure> {
        let names: Vec<TableName> = plan.fingerprints.iter().map(|print| print.table.clone()).collect();
        let snapshot = connected.cluster.observe(timeout(&connected.config), Some(&names)).await;
        let first = target.replicas.values().next().copied();
        let Some((on, source)) = first.and_then(|on| Some((on, snapshot.table(on, &plan.objects.source)?.clone())))
        else {
            return Err(Failure::new(format!("{} is not on the sandbox after it was made", plan.objects.source)));
        };
        let hash = |name: &TableName| Some((name.clone(), snapshot.table(on, name)?.definition_hash.clone()));
        let mut words = Words { definition_hashes: names.iter().filter_map(hash).collect(), ..Words::default() };
        words.keys[0] = source.keys.clone();
        words.keys[1] = wanted_keys(connected, plan, on, &source).await?;
        let engine = read_engine(&source.engine_full).map_err(|error| Failure::of(&error))?;
        let sign = engine.plain_name().ends_with("CollapsingMergeTree").then(|| engine.merge_args().first()).flatten();
        let sizes = plan.steps.iter().find_map(|step| match &step.action {
            crate::plan::Action::Backfill(backfill) => Some(backfill.partitions.as_slice()),
            _ => None,
        });
        let sign = sign.map(|sign| sign.text.trim_matches('`').to_owned());
        let fill = fill(&source.columns, &source.keys.sorting, sign.as_deref(), sizes.unwrap_or_default());
        not_covered
            .extend(fill.left_out.iter().map(|column| format!("values of column {column}: its type is not known")));
        not_covered.push("the real rows: these were generated to the columns' types".to_owned());
        let version = snapshot.state(on).map_or_else(String::new, |state| state.version.clone());
        Ok(Self { target, words, source, fill, rows, version, not_covered })
    }

    async fn fill_rows(&self, connected: &Connected, plan: &Plan) -> Result<(), Failure> {
        let mut homes: Vec<_> = self.target.replicas.values().copied().collect();
        homes.sort();
        homes.dedup_by_key(|id| id.shard);
        let share = self.rows / homes.len().max(1) as u64;
        say(&format!("filling {} with {} rows", plan.objects.source, self.rows));
        for (index, on) in (0_u64..).zip(homes) {
            for insert in 0..INSERTS {
                let count = share / INSERTS;
                let sql = insert_sql(&plan.objects.source, &self.fill, index * share + insert * count, count);
                let statement = Statement::change(sql, STATEMENT_TIMEOUT);
                connected.cluster.run(on, &statement).await.map_err(|error| Failure::of(&error))?;
            }
        }
        Ok(())
    }
}

/// An insert of generated rows.
pub(super) fn insert_sql(table: &TableName, fill: &Fill, first: u64, count: u64) -> String {
    format!("INSERT INTO {} ({}) {}", table.sql(), fill.columns.join(", "), fill.select(first, count))
}

fn target(plan: &Plan, snapshot: &Snapshot) -> Result<Target, Failure> {
    if let Some((id, reason)) = snapshot.unreachable().next() {
        return Err(Failure::new(format!("replica {id} of the sandbox does not answer: {reason}")));
    }
    let identity = |replica: &crate::topology::Replica| ReplicaIdentity {
        id: replica.id,
        host: replica.host.clone(),
        port: replica.port,
        version: snapshot.state(replica.id).map_or_else(String::new, |state| state.version.clone()),
    };
    let identities = snapshot.topology.replicas().map(identity).collect();
    let replicated = snapshot.all_have(Capability::Keeper);
    Ok(Target::new(plan, snapshot.topology.cluster.clone(), identities, replicated))
}

/// A sandbox may hold somebody's tables of the same names: those are not written to.
fn refuse_occupied(plan: &Plan, snapshot: &Snapshot) -> Result<(), Failure> {
    let objects = &plan.objects;
    let own = [&objects.mirror, &objects.staging, &objects.snapshot, &objects.shadow, &objects.swap];
    let theirs = plan.fingerprints.iter().chain(&plan.related).map(|print| &print.table);
    let names: Vec<&TableName> = own.into_iter().chain(theirs).collect();
    let on = |id| names.iter().find(move |name| snapshot.table(id, name).is_some());
    let occupied = snapshot.replicas.keys().find_map(|id| Some((*id, on(*id)?)));
    match occupied {
        None => Ok(()),
        Some((id, table)) => Err(Failure::new(format!("the sandbox has a table {table} on {id} already"))
            .hint("drop it there, or leave out --on, and the dry run starts a sandbox of its own")),
    }
}

/// The wanted keys as this server writes them; that it accepts the new definition is seen on the way.
async fn wanted_keys(
    connected: &Connected,
    plan: &Plan,
    on: crate::names::ReplicaId,
    source: &Table,
) -> Result<crate::catalog::Keys, Failure> {
    let live = definition::live(source).map_err(|error| Failure::of(&error))?;
    let key = |text: &String| Some(if text.is_empty() { "tuple()".to_owned() } else { format!("({text})") });
    let wanted = crate::change::Wanted {
        order_by: key(&plan.change.after.sorting),
        partition_by: Some(plan.change.after.partition.clone()),
        primary_key: (plan.change.after.primary != plan.change.after.sorting)
            .then(|| format!("({})", plan.change.after.primary)),
        definition: None,
    };
    let wanted = definition::with_keys(&live, &wanted, &plan.objects.source);
    let tag = format!("{:08x}", std::process::id());
    let create = |name: &TableName| definition::unreplicated(&wanted, name).to_sql();
    let table = normal_form(&connected.cluster, on, &tag, create).await.map_err(|error| Failure::of(&error))?;
    Ok(table.keys)
}

/// Removes what was made.
pub(super) async fn clear(connected: &Connected, plan: &Plan, target: &Target) -> Result<(), Failure> {
    let objects = &plan.objects;
    // What a rehearsal that failed has left comes first, the mirror before what it reads and writes; then the plan's tables,
    // views before what they lean on.
    let own = [&objects.mirror, &objects.staging, &objects.snapshot, &objects.shadow, &objects.swap];
    let theirs = plan.fingerprints.iter().chain(&plan.related).map(|print| &print.table).rev();
    let tables: Vec<&TableName> = own.into_iter().chain(theirs).collect();
    for on in target.replicas.values() {
        for table in &tables {
            let sql = format!(
                "DROP TABLE IF EXISTS {}.{}",
                quote_identifier(&table.database),
                quote_identifier(&table.table)
            );
            let statement = Statement::change(sql, STATEMENT_TIMEOUT);
            connected.cluster.run(*on, &statement).await.map_err(|error| Failure::of(&error))?;
        }
    }
    Ok(())
}
