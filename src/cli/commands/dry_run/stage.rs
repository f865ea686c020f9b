//! Setting the stage: the plan's tables on the sandbox, with rows in them.

use std::time::Duration;

use super::super::super::connect::{Connected, timeout};
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::ground::Ground;
use super::{Rows, sample};
use crate::catalog::{Keys, Table};
use crate::change::{TypeChange, Wanted};
use crate::ddl::read_engine;
use crate::names::{ReplicaId, TableName};
use crate::plan::{Action, PartitionSize, Plan, Rebuild, definition};
use crate::rehearse::{Account, Fill, Target, Touched, Words, fill, touched, view_targets};
use crate::server::{QueryError, Statement, normal_form};
use crate::snapshot::Capability;
use crate::words::count;

const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);
/// Inserts that a shard's rows come in, at least: so that there are several parts to a partition.
const INSERTS_MIN: u64 = 4;
/// And at most: a partition key that makes a partition of every few rows would make parts without end.
const INSERTS_MAX: u64 = 300;
/// Inserts of fewer rows than this meet no server's limit on partitions of one block.
const INSERT_ROWS_MIN: u64 = 50;
/// Numbers of rows that come in later: beyond those of the first ones, and before those of writers.
const LATER_ROWS_FROM: u64 = 500_000_000_000;
/// Numbers of shards, at most.
const LATER_STRIDE: u64 = 10_000;
/// Rows of each table that the others need: of dictionaries' sources, of queues.
const OTHER_ROWS: u64 = 1000;
/// `TOO_MANY_PARTS`: more partitions in one block than the server takes.
const TOO_MANY_PARTITIONS: u32 = 252;

/// The stage, set.
pub(super) struct Stage<'a> {
    pub(super) target: &'a Target,
    /// What its servers call things, for a plan whose steps are turned to them.
    pub(super) words: Option<Words>,
    pub(super) source: Table,
    /// How the table is filled.
    fill: Fill,
    /// How rows come in from then on: columns that the plan takes away, or whose values it changes, are not given.
    pub(super) later: Fill,
    /// Why it cannot be told afterwards what became of each row, if it cannot.
    pub(super) blurred: Option<String>,
    /// Columns that get another type.
    pub(super) types: Vec<TypeChange>,
    /// Rows that the table was filled with, over all shards.
    pub(super) rows: u64,
    pub(super) rows_from: String,
    /// The rows that were generated.
    pub(super) account: Account,
    pub(super) not_covered: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) async fn set(
        connected: &Connected,
        plan: &Plan,
        ground: &'a Ground,
        rows: &Rows,
    ) -> Result<Self, Failure> {
        refuse_types(plan, &ground.target)?;
        say(&format!("making {} on the sandbox", count(ground.made.len(), "object")));
        let mut not_covered = ground.not_covered.clone();
        for one in &ground.made {
            let statement = Statement::change(one.sql.as_str(), STATEMENT_TIMEOUT);
            let is_checked = plan.fingerprints.iter().any(|print| print.table == one.what);
            match connected.cluster.run(one.on, &statement).await {
                Ok(_) => {}
                Err(error) if is_checked => {
                    let hint = format!("the sandbox does not accept the definition of {} as it is", one.what);
                    return Err(Failure::of(&error).hint(hint));
                }
                Err(error) => not_covered.push(format!("{} was not made: {}", one.what, error.message)),
            }
        }
        let mut stage = Self::dressed(connected, plan, &ground.target, rows.count()).await?;
        stage.not_covered.extend(not_covered);
        stage.fill_others(connected, plan).await?;
        match rows {
            Rows::Generated(_) => stage.generate(connected, plan).await?,
            Rows::Sample { from, .. } => {
                let (rows, note) = sample::copy(from, connected, plan, &stage).await?;
                stage.rows = rows;
                note.clone_into(&mut stage.rows_from);
                if plan.rebuild().is_none() {
                    let said = "what became of each row of the sample: only rows that came in were counted";
                    stage.not_covered.push(said.to_owned());
                }
            }
        }
        Ok(stage)
    }

    /// Reads back what was made, in the servers' own words.
    async fn dressed(connected: &Connected, plan: &Plan, target: &'a Target, rows: u64) -> Result<Self, Failure> {
        let names: Vec<TableName> = plan.fingerprints.iter().map(|print| print.table.clone()).collect();
        let snapshot = connected.cluster.observe(timeout(&connected.config), Some(&names)).await;
        let first = target.replicas.values().next().copied();
        let Some((on, source)) = first.and_then(|on| Some((on, snapshot.table(on, &plan.objects.source)?.clone())))
        else {
            return Err(Failure::new(format!("{} is not on the sandbox after it was made", plan.objects.source)));
        };
        let hash = |name: &TableName| Some((name.clone(), snapshot.table(on, name)?.definition_hash.clone()));
        let words = match plan.rebuild() {
            None => None,
            Some(rebuild) => Some(Words {
                definition_hashes: names.iter().filter_map(hash).collect(),
                keys: [source.keys.clone(), wanted_keys(connected, plan, rebuild, on, &source).await?],
                columns: source.columns.clone(),
            }),
        };
        let fill = filling(&source, &partitions(plan), rows / homes(target).len().max(1) as u64);
        let left_out = fill.left_out.iter().map(|column| format!("values of column {column}: its type is not known"));
        let mut not_covered: Vec<String> = left_out.collect();
        let touched = touched(plan, &source);
        let later = fill.without(&touched.columns);
        let blurred = if plan.rebuild().is_some() { None } else { blurred(&touched, &fill, &later, &source) };
        not_covered.extend(blurred.clone());
        let partitions = if plan.rebuild().is_some() { " and the table's partitions" } else { "" };
        let rows_from = format!("generated to the columns' types{partitions}");
        let types = plan.rebuild().map(|rebuild| rebuild.types.clone()).unwrap_or_default();
        Ok(Self {
            target,
            words,
            source,
            fill,
            later,
            blurred,
            types,
            rows,
            rows_from,
            not_covered,
            account: Account::default(),
        })
    }

    /// Fills the table, a shard after the other, with inserts that the server takes: where one meets too many partitions, the
    /// next ones are smaller.
    async fn generate(&mut self, connected: &Connected, plan: &Plan) -> Result<(), Failure> {
        let homes = homes(self.target);
        let share = self.rows / homes.len().max(1) as u64;
        say(&format!("filling {} with {} rows", plan.objects.source, self.rows));
        let wanted = self.rows;
        self.rows = 0;
        for (index, on) in (0_u64..).zip(homes) {
            let made = self.generate_on(connected, &plan.objects.source, on, index * share, share).await?;
            self.account.acknowledged(index * share, made);
            self.rows += made;
        }
        if self.rows < share {
            self.not_covered.push(format!(
                "{wanted} rows: the partition key makes so many partitions of so few rows that only {} were made",
                self.rows
            ));
        }
        self.not_covered.push("the real rows: these were generated".to_owned());
        Ok(())
    }

    async fn generate_on(
        &self,
        connected: &Connected,
        table: &TableName,
        on: ReplicaId,
        first: u64,
        share: u64,
    ) -> Result<u64, Failure> {
        let mut made = 0;
        let mut size = (share / INSERTS_MIN).max(1);
        let mut inserts = 0;
        while made < share && inserts < INSERTS_MAX {
            let count = size.min(share - made);
            match insert(connected, on, insert_sql(table, &self.fill, first + made, count)).await {
                Ok(()) => made += count,
                Err(error) if error.code() == Some(TOO_MANY_PARTITIONS) && size > INSERT_ROWS_MIN => size /= 2,
                Err(error) => return Err(Failure::of(&error)),
            }
            inserts += 1;
        }
        Ok(made)
    }

    /// A few more rows for the live table, each time others.
    pub(super) async fn let_rows_come_in(
        &self,
        connected: &Connected,
        table: &TableName,
        act: u64,
    ) -> Result<Account, Failure> {
        let mut account = Account::default();
        for (index, on) in (0_u64..).zip(homes(self.target)) {
            let first = LATER_ROWS_FROM + (act * LATER_STRIDE + index) * INSERT_ROWS_MIN;
            let sql = insert_sql(table, &self.later, first, INSERT_ROWS_MIN);
            insert(connected, on, sql).await.map_err(|error| Failure::of(&error))?;
            account.acknowledged(first, INSERT_ROWS_MIN);
        }
        Ok(account)
    }

    /// Rows for the tables beside the source that no view fills: what dictionaries and joins read, and what comes in through
    /// queues. That a table is not filled ends nothing.
    async fn fill_others(&mut self, connected: &Connected, plan: &Plan) -> Result<(), Failure> {
        let names: Vec<TableName> = plan.related.iter().map(|print| print.table.clone()).collect();
        let (targets, partitions) = (view_targets(plan), partitions(plan));
        let snapshot = connected.cluster.observe(timeout(&connected.config), Some(&names)).await;
        for on in homes(self.target) {
            for table in names.iter().filter(|name| !targets.contains(name)).filter_map(|name| snapshot.table(on, name))
            {
                let takes_rows =
                    table.engine.ends_with("MergeTree") || ["Null", "Memory"].contains(&table.engine.as_str());
                if !takes_rows {
                    continue;
                }
                // Of a cycle that is much longer, so that these few rows meet few partitions wherever views take them.
                let fill = filling(table, &partitions, OTHER_ROWS * 100);
                if fill.columns.is_empty() {
                    continue;
                }
                let sql = insert_sql(&table.name, &fill, 0, OTHER_ROWS);
                if let Err(error) = insert(connected, on, sql).await {
                    let why = error.message.split(". ").next().unwrap_or_default();
                    self.not_covered.push(format!("rows of {}: {why}", table.name));
                } else {
                    self.not_covered.push(format!("the real rows of {}: {OTHER_ROWS} were generated", table.name));
                }
            }
        }
        Ok(())
    }
}

async fn insert(connected: &Connected, on: ReplicaId, sql: String) -> Result<(), QueryError> {
    connected.cluster.run(on, &Statement::change(sql, STATEMENT_TIMEOUT)).await.map(|_| ())
}

/// The first replica of each shard.
pub(super) fn homes(target: &Target) -> Vec<ReplicaId> {
    let mut homes: Vec<ReplicaId> = target.replicas.values().copied().collect();
    homes.sort();
    homes.dedup_by_key(|id| id.shard);
    homes
}

fn filling(table: &Table, partitions: &[PartitionSize], rows: u64) -> Fill {
    let sign = match read_engine(&table.engine_full) {
        Ok(engine) if engine.plain_name().ends_with("CollapsingMergeTree") => {
            engine.merge_args().first().map(|sign| sign.text.trim_matches('`').to_owned())
        }
        _ => None,
    };
    fill(&table.columns, &table.keys.sorting, sign.as_deref(), partitions, rows)
}

/// The source's partitions over all shards.
fn partitions(plan: &Plan) -> Vec<PartitionSize> {
    let of = |action: &Action| match action {
        Action::Backfill(backfill) => backfill.partitions.clone(),
        _ => Vec::new(),
    };
    plan.steps.iter().flat_map(|step| of(&step.action)).collect()
}

/// A mirror between two types needs views that convert what they write, as those of servers with EXCHANGE TABLES do.
fn refuse_types(plan: &Plan, target: &Target) -> Result<(), Failure> {
    let has_types = plan.rebuild().is_some_and(|rebuild| !rebuild.types.is_empty());
    if !has_types || target.capabilities.contains(&Capability::Exchange) {
        return Ok(());
    }
    Err(Failure::new("the plan gives columns of a key other types, and views of the sandbox's servers do not convert what they write")
        .hint("rehearse it on current servers: `sandbox up --engine chdb`, or leave out --on"))
}

/// Why rows of a table that is altered are not counted one by one, if they cannot be.
fn blurred(touched: &Touched, fill: &Fill, later: &Fill, source: &Table) -> Option<String> {
    let in_key = |column: &String| source.keys.sorting.split(", ").any(|item| item.trim_matches('`') == column);
    let why = if !touched.keeps_rows {
        "the statement itself removes or alters rows"
    } else if source.create_query.contains(" TTL ") {
        "the table's TTL may remove them"
    } else if !later.tells_as(fill) {
        "no column that stays as it is tells them apart"
    } else if !keeps_keys(&source.engine) || !is_plain(&source.engine) && !later.telling.iter().all(in_key) {
        "the engine may merge them"
    } else {
        return None;
    };
    Some(format!("what became of each row: {why}"))
}

/// Whether rows with different keys all stay. Summing drops those whose sums are nought, Graphite thins them out.
fn keeps_keys(engine: &str) -> bool {
    let kind = engine.strip_prefix("Replicated").unwrap_or(engine).strip_suffix("MergeTree");
    kind.is_some_and(|kind| ["", "Replacing", "Aggregating", "Collapsing", "VersionedCollapsing"].contains(&kind))
}

fn is_plain(engine: &str) -> bool {
    matches!(engine, "MergeTree" | "ReplicatedMergeTree")
}

/// An insert of generated rows.
pub(super) fn insert_sql(table: &TableName, fill: &Fill, first: u64, count: u64) -> String {
    format!("INSERT INTO {} ({}) {}", table.sql(), fill.columns.join(", "), fill.select(first, count))
}

/// The wanted keys as this server writes them; that it accepts the new definition is seen on the way.
async fn wanted_keys(
    connected: &Connected,
    plan: &Plan,
    rebuild: &Rebuild,
    on: ReplicaId,
    source: &Table,
) -> Result<Keys, Failure> {
    let live = definition::live(source).map_err(|error| Failure::of(&error))?;
    let key = |text: &String| Some(if text.is_empty() { "tuple()".to_owned() } else { format!("({text})") });
    let after = &rebuild.after;
    let wanted = Wanted {
        order_by: key(&after.sorting),
        partition_by: Some(after.partition.clone()),
        primary_key: (after.primary != after.sorting).then(|| format!("({})", after.primary)),
        types: rebuild.types.iter().map(|change| (change.column.clone(), change.after.clone())).collect(),
        ..Wanted::default()
    };
    let wanted = definition::with_keys(&live, &wanted, &plan.objects.source);
    let tag = format!("{:08x}", std::process::id());
    let create = |name: &TableName| definition::unreplicated(&wanted, name).to_sql();
    let table = normal_form(&connected.cluster, on, &tag, create).await.map_err(|error| Failure::of(&error))?;
    Ok(table.keys)
}
