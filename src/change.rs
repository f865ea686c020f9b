//! What a person wants changed, tied to the tables of a cluster.

mod types;

pub use types::TypeChange;

use crate::catalog::Table;
use crate::ddl::{Alteration, CreateTable, Engine, Name, Statement, read_engine};
use crate::names::TableName;
use crate::snapshot::Snapshot;
use crate::words::{SIMILAR_MAX, are_similar, offered};

/// The database of names that are written without one.
pub const DEFAULT_DATABASE: &str = "default";

/// A change of one local table for which it is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The statement as the person wrote it.
    pub statement: String,
    /// The local table.
    pub table: TableName,
    /// `Distributed` tables over it.
    pub distributed: Vec<TableName>,
    /// What is to become of it.
    pub wanted: Wanted,
}

/// The wanted keys and types as expressions, as the person wrote them; none where a key is to stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `ORDER BY`.
    pub order_by: Option<String>,
    /// `PRIMARY KEY`.
    pub primary_key: Option<String>,
    /// `PARTITION BY`.
    pub partition_by: Option<String>,
    /// Other types of columns that keys need, by name.
    pub types: Vec<(String, String)>,
    /// Another sharding key of a `Distributed` table over it.
    pub sharding: Option<Sharding>,
    /// The whole definition, where the person gave one: beyond its keys it must be the table's own.
    pub definition: Option<Box<CreateTable>>,
}

/// Another sharding key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharding {
    /// The `Distributed` table.
    pub distributed: TableName,
    /// The key in the server's normal form.
    pub key: String,
}

/// Why a statement cannot be tied to a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No replica has the table.
    #[error("no replica of cluster {cluster} has a table {table}{}", offered(.similar))]
    UnknownTable {
        /// The table.
        table: TableName,
        /// The cluster.
        cluster: String,
        /// Tables with like names.
        similar: Vec<TableName>,
    },
    /// The table is not one that has keys.
    #[error(
        "{table} is a {engine} table: only tables of the MergeTree family and Distributed tables over them have a sorting key"
    )]
    NotMergeTree {
        /// The table.
        table: TableName,
        /// Its engine.
        engine: String,
    },
    /// A `Distributed` table over one that is neither of the `MergeTree` family.
    #[error(
        "{distributed} is a Distributed table over {table}, which is none of the MergeTree family: only such tables, and the Distributed \
         tables right over them, are planned for. Plan the change for those first, and then ALTER {distributed} on every replica"
    )]
    OverOther {
        /// The `Distributed` table.
        distributed: TableName,
        /// The table that it names.
        table: TableName,
    },
    /// A `Distributed` table over a table that is not there.
    #[error("{distributed} is a Distributed table over {table}, which no replica of cluster {cluster} has")]
    NothingBehind {
        /// The `Distributed` table.
        distributed: TableName,
        /// The local table that it names.
        table: TableName,
        /// The cluster.
        cluster: String,
    },
    /// `ON CLUSTER` names another cluster than the one configured.
    #[error("the statement says ON CLUSTER {named}, but the configured cluster is {configured}")]
    OtherCluster {
        /// In the statement.
        named: String,
        /// In the configuration.
        configured: String,
    },
}

impl Change {
    /// Finds the tables that a statement speaks of.
    pub fn resolve(statement: &Statement, sql: &str, snapshot: &Snapshot) -> Result<Self, ChangeError> {
        let (name, on_cluster, wanted) = match statement {
            Statement::AlterKeys(alter) => {
                let text = |key: &Option<crate::ddl::Text>| key.as_ref().map(|key| key.text.clone());
                let wanted = Wanted {
                    order_by: text(&alter.order_by),
                    primary_key: text(&alter.primary_key),
                    partition_by: text(&alter.partition_by),
                    ..Wanted::default()
                };
                (&alter.table, &alter.on_cluster, wanted)
            }
            Statement::Create(create) => (&create.name, &create.on_cluster, wanted_by(create)),
        };
        Self::tied(name, on_cluster.as_ref(), wanted, sql, snapshot)
    }

    /// The tables that an ALTER without a new key speaks of.
    pub fn of_alter(alteration: &Alteration, sql: &str, snapshot: &Snapshot) -> Result<Self, ChangeError> {
        Self::tied(&alteration.table, alteration.on_cluster.as_ref(), Wanted::default(), sql, snapshot)
    }

    fn tied(
        name: &Name,
        on_cluster: Option<&String>,
        wanted: Wanted,
        sql: &str,
        snapshot: &Snapshot,
    ) -> Result<Self, ChangeError> {
        let configured = &snapshot.topology.cluster;
        if let Some(named) = on_cluster.filter(|named| *named != configured) {
            return Err(ChangeError::OtherCluster { named: named.clone(), configured: configured.clone() });
        }
        let table = local_table(&name.in_database(DEFAULT_DATABASE), snapshot)?;
        let distributed = distributed_over(&table, snapshot);
        Ok(Self { statement: sql.trim().to_owned(), table, distributed, wanted })
    }
}

fn wanted_by(create: &CreateTable) -> Wanted {
    let clauses = &create.engine.clauses;
    let text = |key: &Option<crate::ddl::Text>| key.as_ref().map(|key| key.text.clone());
    Wanted {
        // What a whole definition leaves out is not there; a primary key alone is the sorting key too.
        order_by: text(&clauses.order_by).or_else(|| text(&clauses.primary_key)).or_else(|| Some("tuple()".to_owned())),
        primary_key: Some(text(&clauses.primary_key).unwrap_or_default()),
        partition_by: Some(text(&clauses.partition_by).unwrap_or_default()),
        definition: Some(Box::new(create.clone())),
        ..Wanted::default()
    }
}

/// The local table that a name stands for: itself, or the one behind a `Distributed` table.
pub fn local_table(named: &TableName, snapshot: &Snapshot) -> Result<TableName, ChangeError> {
    let cluster = snapshot.topology.cluster.clone();
    let Some(table) = any_replica(named, snapshot) else {
        let similar = similar_to(named, snapshot);
        return Err(ChangeError::UnknownTable { table: named.clone(), cluster, similar });
    };
    let engine = read_engine(&table.engine_full).ok();
    let Some(behind) = engine.as_ref().and_then(Engine::distributed) else {
        return if engine.is_some_and(|engine| engine.is_merge_tree_family()) {
            Ok(named.clone())
        } else {
            Err(ChangeError::NotMergeTree { table: named.clone(), engine: table.engine.clone() })
        };
    };
    let local = TableName::new(behind.database.unwrap_or_else(|| named.database.clone()), behind.table);
    match any_replica(&local, snapshot) {
        None => Err(ChangeError::NothingBehind { distributed: named.clone(), table: local, cluster }),
        Some(table) if is_merge_tree(table) => Ok(local),
        Some(_) => Err(ChangeError::OverOther { distributed: named.clone(), table: local }),
    }
}

fn is_merge_tree(table: &Table) -> bool {
    read_engine(&table.engine_full).is_ok_and(|engine| engine.is_merge_tree_family())
}

fn any_replica<'a>(name: &TableName, snapshot: &'a Snapshot) -> Option<&'a Table> {
    snapshot.replicas.keys().find_map(|id| snapshot.table(*id, name))
}

/// Whether a table of this engine and name is a `Distributed` one over a local table.
pub fn is_over(engine: &Engine, name: &TableName, local: &TableName) -> bool {
    engine.distributed().is_some_and(|behind| {
        behind.table == local.table && behind.database.as_ref().unwrap_or(&name.database) == &local.database
    })
}

/// `Distributed` tables, on any replica, over a local table.
fn distributed_over(local: &TableName, snapshot: &Snapshot) -> Vec<TableName> {
    let tables = snapshot.replicas.keys().filter_map(|id| snapshot.state(*id)).flat_map(|state| state.tables.values());
    let mut over: Vec<TableName> = tables
        .filter(|table| read_engine(&table.engine_full).is_ok_and(|engine| is_over(&engine, &table.name, local)))
        .map(|table| table.name.clone())
        .collect();
    over.sort();
    over.dedup();
    over
}

/// Tables whose names contain the unknown one or are contained in it, whatever the case.
fn similar_to(name: &TableName, snapshot: &Snapshot) -> Vec<TableName> {
    let states = snapshot.replicas.keys().filter_map(|id| snapshot.state(*id));
    let mut similar: Vec<TableName> = states
        .flat_map(|state| state.tables.keys())
        .filter(|known| are_similar(&known.table, &name.table))
        .cloned()
        .collect();
    similar.sort();
    similar.dedup();
    similar.truncate(SIMILAR_MAX);
    similar
}
