//! What all phases of a rebuild draw on: names, definitions, keys, and the replicas of each shard.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fence, feeds, preflight};
use crate::assess::Case;
use crate::catalog::{Column, Keys, Table};
use crate::change::TypeChange;
use crate::ddl::{CreateTable, DdlError, Engine, key_items, with_columns};
use crate::merging::Merging;
use crate::names::{ReplicaId, TableName, own_name};
use crate::plan::definition::{self, DefinitionError};
use crate::plan::frame;
use crate::plan::related::definitions;
use crate::plan::work::{Probe, Run};
use crate::plan::{Fingerprint, GraphError, Objects, RebuildTables, probes, sql};
use crate::snapshot::Capability;
use crate::words::list;

/// Threads that sort and write one chunk. Each holds a block of rows in memory.
const COPY_THREADS: &str = "max_insert_threads = 2, ";
/// Blocks of twice the usual size make half as many parts to be merged afterwards: measured on 26.9.2 with 20 million rows, a
/// copy of 14 s in place of 16.
const COPY_BLOCKS: &str = "min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 536870912";

/// Why no plan can be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A shard has no replica that answered and has the table.
    #[error("no replica of shard {shard} has {table}")]
    NoSource {
        /// The shard.
        shard: u32,
        /// The table.
        table: TableName,
    },
    /// A live definition could not be read.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A key in the server's normal form could not be split into its items.
    #[error("the key ({key}) cannot be read")]
    Key {
        /// The key.
        key: String,
        /// Where, and why.
        source: Box<DdlError>,
    },
    /// The steps do not form a graph: a defect of the planner.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Engine and keys of a table in the server's normal form.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) engine: String,
    pub(super) keys: Keys,
    /// The sorting key, item by item.
    pub(super) sorting: Vec<String>,
    /// The partition key, item by item.
    pub(super) partition: Vec<String>,
    /// The types that columns have in this table alone.
    pub(super) types: Vec<(String, String)>,
}

impl Shape {
    fn new(engine: &str, keys: &Keys, types: Vec<(String, String)>) -> Result<Self, BuildError> {
        let items = |key: &str| {
            key_items(key).map_err(|source| BuildError::Key { key: key.to_owned(), source: Box::new(source) })
        };
        Ok(Self {
            engine: engine.to_owned(),
            keys: keys.clone(),
            sorting: items(&keys.sorting)?,
            partition: items(&keys.partition)?,
            types,
        })
    }
}

/// One shard.
#[derive(Debug)]
pub(super) struct ShardSite<'a> {
    pub(super) num: u32,
    pub(super) replicas: Vec<ReplicaId>,
    /// The replica on which the shard's copy is made.
    pub(super) home: ReplicaId,
    /// The table on that replica.
    pub(super) source: &'a Table,
    /// The live definition on each replica.
    definitions: BTreeMap<ReplicaId, CreateTable>,
    /// Expanded Keeper path of the source, if it has one that is known.
    pub(super) keeper_path: Option<String>,
}

/// Everything that the phases draw on.
#[derive(Debug)]
pub(super) struct Blueprint<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) id: String,
    pub(super) objects: Objects,
    /// Tables that the plan makes, and the name in between.
    pub(super) own: RebuildTables,
    pub(super) old: Shape,
    pub(super) new: Shape,
    /// The source's engine.
    pub(super) engine: Engine,
    /// The new table's, as far as it says how rows are merged.
    pub(super) new_engine: Engine,
    /// The source's columns.
    pub(super) columns: &'a [Column],
    /// Those of which the new table has another type.
    pub(super) types: Vec<TypeChange>,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) shards: Vec<ShardSite<'a>>,
    pub(super) swaps_by_exchange: bool,
    /// Whether writers must be still for the boundary.
    pub(super) fence: bool,
    /// Tables that the plan stops meanwhile, with their engines.
    pub(super) feeders: Vec<(TableName, String)>,
    /// What every replica can do. Asked once, not once a shard.
    common: BTreeSet<Capability>,
}

impl<'a> Blueprint<'a> {
    pub(super) fn new(case: &'a Case<'a>, fence: Fence) -> Result<Self, BuildError> {
        let shards: Vec<ShardSite<'_>> =
            case.snapshot.topology.shards.iter().map(|shard| site(case, shard)).collect::<Result<_, _>>()?;
        let source = shards.first().map(|shard| shard.source);
        let Some(source) = source else {
            return Err(BuildError::NoSource { shard: 1, table: case.name().clone() });
        };
        let engine = definition::engine(source)?;
        let new_engine = case.other_engine().unwrap_or(&engine).clone();
        let prefix = if engine.replicated() { "Replicated" } else { "" };
        // The name tells the tables apart, unless only the arguments differ.
        let only_args = new_engine.plain_name() == engine.plain_name() && !new_engine.merges_as(&engine);
        let told = |name: &str, args: &Engine| {
            if only_args { format!("{name}({})", list(args.merge_texts())) } else { name.to_owned() }
        };
        let new_name =
            told(&format!("{prefix}{}", new_engine.plain_name()), case.target_engine().as_ref().unwrap_or(&new_engine));
        let objects = objects(case);
        let fingerprints = fingerprints(case, &objects);
        let own = RebuildTables::of(&objects.source);
        let types = case.types();
        let each = |kind: fn(&TypeChange) -> &String| -> Vec<(String, String)> {
            types.iter().map(|change| (change.column.clone(), kind(change).clone())).collect()
        };
        Ok(Self {
            case,
            id: frame::plan_id(case.snapshot, &case.change.statement, &fingerprints),
            old: Shape::new(&told(&source.engine, &engine), &source.keys, each(|change| &change.before))?,
            new: Shape::new(&new_name, &case.target.keys, each(|change| &change.after))?,
            engine,
            new_engine,
            columns: &source.columns,
            types,
            fingerprints,
            shards,
            swaps_by_exchange: case.swaps_by_exchange(),
            fence: fence != Fence::Auto || case.rests_for_boundary(),
            feeders: if fence == Fence::Feeds { feeds::of(case, &objects) } else { Vec::new() },
            common: case.snapshot.common_capabilities(),
            objects,
            own,
        })
    }

    /// Whether every replica has a capability.
    pub(super) fn all_have(&self, capability: Capability) -> bool {
        self.common.contains(&capability)
    }

    /// All replicas.
    pub(super) fn replicas(&self) -> Vec<ReplicaId> {
        self.shards.iter().flat_map(|shard| shard.replicas.clone()).collect()
    }

    /// Columns whose values are on disk.
    pub(super) fn stored(&self) -> impl Iterator<Item = &'a Column> + use<'a> {
        self.columns.iter().filter(|column| column.is_stored())
    }

    /// A hash of a whole row, the same in both tables.
    pub(super) fn row_hash(&self) -> String {
        sql::row_hash(self.stored(), &self.types, self.all_have(Capability::HashesAnyType))
    }

    /// A column as an argument of a hash, the same in both tables.
    pub(super) fn hash_argument(&self, column: &Column) -> String {
        sql::common_argument(column, &self.types, self.all_have(Capability::HashesAnyType))
    }

    /// An expression over columns that has the same value in both tables.
    pub(super) fn in_both(&self, expression: &str) -> String {
        let change = |name: &str| self.types.iter().find(|change| change.column == name);
        with_columns(expression, |name| change(name).map(TypeChange::common))
    }

    /// Whether the old table can hold a row, as an expression over either table; none where it can hold every row.
    pub(super) fn fits(&self) -> Option<String> {
        let fits: Vec<String> = self.types.iter().map(TypeChange::fits).collect();
        (!fits.is_empty()).then(|| fits.join(" AND "))
    }

    /// What more a query over one of both tables asks for, so that it is about rows that both can hold. `before` is WHERE or AND.
    pub(super) fn only_fitting(&self, before: &str) -> String {
        self.fits().map(|fits| format!(" {before} {fits}")).unwrap_or_default()
    }

    /// Columns that the mirror gives to the shadow table.
    pub(super) fn mirrored(&self) -> impl Iterator<Item = &'a Column> + use<'a> {
        let leaves = self.all_have(Capability::ViewsLeaveMaterialized);
        self.stored().filter(move |column| !(leaves && column.is_materialized()))
    }

    fn has_materialized(&self) -> bool {
        self.columns.iter().any(Column::is_materialized)
    }

    /// Whether the staging table must do without defaults: old servers apply a setting to the query of an INSERT SELECT,
    /// not to the insert, so it cannot be told there to take MATERIALIZED columns.
    pub(super) fn staging_is_bare(&self) -> bool {
        self.has_materialized() && !self.all_have(Capability::ViewsLeaveMaterialized)
    }

    /// What an insert of all stored columns into a table with defaults must say.
    pub(super) fn insert_settings(&self) -> &'static str {
        if self.has_materialized() && self.all_have(Capability::ViewsLeaveMaterialized) {
            "SETTINGS insert_allow_materialized_columns = 1 "
        } else {
            ""
        }
    }

    /// The same for the copy of a chunk, where servers take settings there.
    pub(super) fn copy_settings(&self) -> String {
        let given = self.insert_settings();
        if !self.all_have(Capability::InsertThreads) {
            return given.to_owned();
        }
        // Several threads only where the order of rows means nothing.
        let threads = if self.keeps_rows() { COPY_THREADS } else { "" };
        let before = if given.is_empty() { "SETTINGS ".to_owned() } else { format!("{}, ", given.trim_end()) };
        format!("{before}{threads}{COPY_BLOCKS} ")
    }

    /// How the source merges rows, and how the new table does.
    pub(super) fn merging(&self) -> [Merging<'_>; 2] {
        [(&self.engine, &self.old), (&self.new_engine, &self.new)]
            .map(|(engine, shape)| Merging { engine, keys: &shape.keys })
    }

    /// What the steps of a rebuild do to which table.
    pub(super) fn privileges(&self) -> [(&'static str, &TableName); 5] {
        let RebuildTables { shadow, snapshot, staging, mirror, .. } = &self.own;
        [
            (preflight::TO_SWAP, &self.objects.source),
            (preflight::TO_FILL, shadow),
            (preflight::TO_FILL, snapshot),
            (preflight::TO_FILL, staging),
            ("CREATE VIEW, DROP VIEW", mirror),
        ]
    }

    /// Whether neither table merges rows.
    pub(super) fn keeps_rows(&self) -> bool {
        self.merging().iter().all(Merging::keeps_rows)
    }

    /// Whether the new table merges rows as the source does.
    pub(super) fn merges_alike(&self) -> bool {
        self.engine.merges_as(&self.new_engine)
    }

    pub(super) fn is_replicated(&self) -> bool {
        self.engine.replicated()
    }

    /// Holds on a replica while the source has the definition that the plan was made for.
    pub(super) fn source_unchanged(&self, on: ReplicaId) -> Probe {
        let hash = self.case.snapshot.table(on, &self.objects.source).map_or("", |table| &table.definition_hash);
        probes::unchanged(&self.objects.source, hash)
    }

    /// Holds while the live name has the old keys, or the new ones.
    pub(super) fn source_is(&self, shape: &Shape) -> Probe {
        probes::has_keys(&self.objects.source, &shape.engine, &shape.keys, &shape.types)
    }

    /// Holds while the shadow's name has the new keys, or the old ones.
    pub(super) fn shadow_is(&self, shape: &Shape) -> Probe {
        probes::has_keys(&self.own.shadow, &shape.engine, &shape.keys, &shape.types)
    }

    /// What must hold before what has the shadow table's name is dropped, where it is Replicated and servers tell.
    pub(super) fn shadow_can_go(&self) -> Option<Probe> {
        let asks = self.is_replicated() && self.all_have(Capability::Keeper);
        asks.then(|| probes::keeper_lets_go(&self.own.shadow))
    }

    /// Holds while the shadow's name has nothing, or a table of this shape.
    pub(super) fn shadow_is_none_or(&self, shape: &Shape) -> Probe {
        // Where the engine stays it tells nothing.
        let engine = (!self.merges_alike()).then_some(shape.engine.as_str());
        probes::absent_or_has_keys(&self.own.shadow, engine, &shape.keys, &shape.types)
    }

    /// `DROP TABLE IF EXISTS`, at once and for good where the server would otherwise take its time.
    pub(super) fn drop_table(&self, table: &TableName) -> String {
        let sync = if self.swaps_by_exchange { " SYNC" } else { "" };
        format!("DROP TABLE IF EXISTS {}{sync}", table.sql())
    }

    /// The shadow table's definition on a replica.
    pub(super) fn shadow_definition(&self, live: &CreateTable) -> CreateTable {
        definition::shadow(live, &self.case.change.wanted, &self.own.shadow, &self.id)
    }

    /// What was chosen for this cluster, and why.
    pub(super) fn choices(&self) -> Vec<String> {
        let swap = if self.swaps_by_exchange {
            "names are swapped with EXCHANGE TABLES, which every replica has: no moment without the table"
        } else if self.case.states().any(|(id, _)| self.case.exchanges_on(id)) {
            "names are swapped with EXCHANGE TABLES on replicas that have it in this database, else by one RENAME of three names"
        } else {
            "names are swapped by one RENAME of three names, since no replica has EXCHANGE TABLES in this database"
        };
        let attach = if self.is_replicated() {
            "chunks are attached with ATTACH PARTITION FROM; a Replicated table recognises a part that it already has"
        } else {
            "chunks are attached with ATTACH PARTITION FROM; after a crash the rows themselves tell whether it happened"
        };
        let rows = if self.all_have(Capability::PartitionIdColumn) { "_partition_id" } else { "the name of its part" };
        let comment = if self.all_have(Capability::LogComment) {
            "every statement bears plan, step and chunk as its log_comment, and plan and step in its query_id"
        } else {
            "every statement bears plan and step in its query_id alone, since not every replica has log_comment"
        };
        let drop = if self.swaps_by_exchange {
            "tables are dropped with SYNC: their names and Keeper paths are free when the statement is answered"
        } else {
            "tables are dropped without SYNC, which not every replica has or needs"
        };
        let mut choices = vec![
            "strategy mirror: engine, sorting, primary and partition key, and the types of columns in keys, cannot be changed in place"
                .to_owned(),
            swap.to_owned(),
            attach.to_owned(),
            format!("a row's partition is told by {rows}"),
            drop.to_owned(),
            comment.to_owned(),
        ];
        if self.has_materialized() {
            let mirror = if self.all_have(Capability::ViewsLeaveMaterialized) {
                "the mirror leaves MATERIALIZED columns to the table that it writes to"
            } else {
                "the mirror gives MATERIALIZED columns too, since not every replica computes them behind a view"
            };
            choices.push(mirror.to_owned());
        }
        if !self.types.is_empty() {
            let columns = list(self.types.iter().map(|change| &change.column));
            choices.push(format!(
                "rows are compared by their values of the types after ({columns}); after the swap the mirror leaves out rows that \
                 the types before cannot hold"
            ));
        }
        if !self.feeders.is_empty() {
            let names: Vec<String> = self.feeders.iter().map(|(name, engine)| format!("{name} ({engine})")).collect();
            let names = names.join(", ");
            choices.push(format!("while a boundary is drawn these are stopped, as far as servers can: {names}"));
        }
        choices
    }
}

impl ShardSite<'_> {
    /// The same statements for all replicas whose definitions make them the same.
    pub(super) fn runs(&self, make: impl Fn(ReplicaId, &CreateTable) -> Run) -> Vec<Run> {
        together(self.definitions.iter().map(|(id, definition)| (*id, make(*id, definition))))
    }

    /// The definition on the backfill replica.
    pub(super) fn home_definition(&self) -> Option<&CreateTable> {
        self.definitions.get(&self.home)
    }
}

/// What is run on replicas, those on which it is the same together.
pub(super) fn together(each: impl Iterator<Item = (ReplicaId, Run)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (id, run) in each {
        let same = |known: &&mut Run| known.sql == run.sql && known.before == run.before && known.after == run.after;
        match runs.iter_mut().find(same) {
            Some(known) => known.on.push(id),
            None => runs.push(Run { on: vec![id], ..run }),
        }
    }
    runs
}

fn site<'a>(case: &Case<'a>, shard: &crate::topology::Shard) -> Result<ShardSite<'a>, BuildError> {
    let replicas = shard.replica_ids();
    let mut definitions = BTreeMap::new();
    for id in &replicas {
        if let Some(table) = case.snapshot.table(*id, case.name()) {
            definitions.insert(*id, definition::live(table)?);
        }
    }
    let home = definitions.keys().next().copied();
    let source = home.and_then(|home| case.snapshot.table(home, case.name()));
    let (Some(home), Some(source)) = (home, source) else {
        return Err(BuildError::NoSource { shard: shard.num, table: case.name().clone() });
    };
    let keeper_path = source.replication.as_ref().map(|replication| replication.keeper_path.clone());
    Ok(ShardSite { num: shard.num, replicas, home, source, definitions, keeper_path })
}

fn objects(case: &Case<'_>) -> Objects {
    let source = case.name();
    Objects {
        source: source.clone(),
        distributed: case.change.distributed.clone(),
        views: case.source().map(|table| table.dependents.clone()).unwrap_or_default(),
        lock: own_name(source, "lock"),
    }
}

/// The definitions of the table and all that lean on it.
fn fingerprints(case: &Case<'_>, objects: &Objects) -> Vec<Fingerprint> {
    definitions(case, std::iter::once(&objects.source).chain(&objects.distributed).chain(&objects.views))
}
