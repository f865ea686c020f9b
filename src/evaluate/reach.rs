//! The names under which queries reach a table: its own, those of `Distributed` tables over it, and views.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Table};
use crate::ddl::{read_engine, read_view, table_places};
use crate::names::TableName;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The rows of one replica.
    Local,
    /// The rows of all shards.
    Distributed,
    /// A query, which names the table or another way to it.
    View {
        /// The query.
        select: String,
    },
}

/// Every name that leads to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The table itself.
    pub table: TableName,
    ways: BTreeMap<TableName, Way>,
    /// Databases that have a table with the same bare name as one of the ways.
    ambiguous: Vec<String>,
}

/// What a replica says of a table, as far as it tells where the table leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// The table.
    pub name: TableName,
    /// Its engine, without arguments.
    pub engine: String,
    /// Its engine with everything behind it.
    pub engine_full: String,
    /// The statement that makes it.
    pub create_query: String,
}

impl From<&Table> for Defined {
    fn from(table: &Table) -> Self {
        Self {
            name: table.name.clone(),
            engine: table.engine.clone(),
            engine_full: table.engine_full.clone(),
            create_query: table.create_query.clone(),
        }
    }
}

impl Reach {
    /// The names that lead to `table`, as one replica's catalog tells them.
    pub fn new(table: &TableName, catalog: &Catalog) -> Self {
        Self::of(table, &catalog.values().map(Defined::from).collect::<Vec<_>>())
    }

    /// The same from what a replica says of all its tables.
    pub fn of(table: &TableName, all: &[Defined]) -> Self {
        let mut ways = BTreeMap::from([(table.clone(), Way::Local)]);
        loop {
            let found: Vec<(TableName, Way)> = all
                .iter()
                .filter(|other| !ways.contains_key(&other.name))
                .filter_map(|other| Some((other.name.clone(), way(other, &ways)?)))
                .collect();
            if found.is_empty() {
                break;
            }
            ways.extend(found);
        }
        let same_name = |name: &&TableName| ways.keys().any(|way| way.table == name.table && way != *name);
        let ambiguous = all.iter().map(|one| &one.name).filter(same_name).map(|name| name.table.clone()).collect();
        Self { table: table.clone(), ways, ambiguous }
    }

    /// What `database.table` stands for, if it leads to the table.
    pub fn way(&self, name: &TableName) -> Option<&Way> {
        self.ways.get(name)
    }

    /// What a bare name stands for where the session's database is not known: only one that no other database has too.
    pub fn bare(&self, table: &str) -> Option<&TableName> {
        if self.ambiguous.iter().any(|name| name == table) {
            return None;
        }
        self.ways.keys().find(|name| name.table == table)
    }

    /// Whether a bare name could stand for the table, or for another one.
    pub fn is_ambiguous(&self, table: &str) -> bool {
        self.ambiguous.iter().any(|name| name == table) && self.ways.keys().any(|name| name.table == table)
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &TableName> {
        self.ways.keys()
    }

    /// The bare names, each once: a query that has none of them in its text does not reach the table.
    pub fn needles(&self) -> Vec<String> {
        let mut names: Vec<String> = self.ways.keys().map(|name| name.table.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn way(table: &Defined, known: &BTreeMap<TableName, Way>) -> Option<Way> {
    match table.engine.as_str() {
        "Distributed" => {
            let args = read_engine(&table.engine_full).ok()?.distributed()?;
            let target = TableName::new(args.database.as_deref().unwrap_or(&table.name.database), args.table);
            matches!(known.get(&target)?, Way::Local).then_some(Way::Distributed)
        }
        // A view that writes into the table, when it is read, gives the table's rows.
        "MaterializedView" => {
            let target = read_view(&table.create_query).ok()?.target?.in_database(&table.name.database);
            matches!(known.get(&target)?, Way::Local).then_some(Way::Local)
        }
        "View" => {
            let view = read_view(&table.create_query).ok()?;
            let places = table_places(&view.select.text).ok()?;
            let reads = places.iter().any(|name| known.contains_key(&name.in_database(&table.name.database)));
            reads.then_some(Way::View { select: view.select.text })
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalog::Keys;

    fn table(name: &str, engine: &str, text: &str) -> (TableName, Table) {
        let (database, table) = name.split_once('.').unwrap();
        let name = TableName::new(database, table);
        let table = Table {
            name: name.clone(),
            engine: engine.to_owned(),
            engine_full: text.to_owned(),
            create_query: text.to_owned(),
            definition_hash: String::new(),
            keys: Keys::default(),
            columns: Vec::new(),
            partitions: Vec::new(),
            replication: None,
            mutations_pending: 0,
            mutation_next: 0,
            column_bytes: BTreeMap::new(),
            dependents: Vec::new(),
        };
        (name, table)
    }

    /// `d.t` behind a Distributed table, a view over that, and others.
    pub(in crate::evaluate) fn reach() -> Reach {
        let catalog = Catalog::from([
            table("d.t", "MergeTree", "MergeTree ORDER BY a"),
            table("d.all", "Distributed", "Distributed('main', 'd', 't', rand())"),
            table("d.recent", "View", "CREATE VIEW d.recent (`a` UInt8) AS SELECT a, ts FROM d.all WHERE ts > 0"),
            table("d.other", "MergeTree", "MergeTree ORDER BY a"),
            table(
                "d.feed",
                "MaterializedView",
                "CREATE MATERIALIZED VIEW d.feed TO d.t (`a` UInt8) AS SELECT a FROM d.other",
            ),
            table("e.all", "MergeTree", "MergeTree ORDER BY a"),
        ]);
        Reach::new(&TableName::new("d", "t"), &catalog)
    }

    #[test]
    fn names_lead_to_the_table_through_each_other() {
        let reach = reach();
        let names: Vec<String> = reach.names().map(ToString::to_string).collect();
        assert_eq!(names, ["d.all", "d.feed", "d.recent", "d.t"]);
        assert_eq!(reach.way(&TableName::new("d", "all")), Some(&Way::Distributed));
        assert_eq!(reach.way(&TableName::new("d", "feed")), Some(&Way::Local));
        assert_eq!(reach.way(&TableName::new("e", "all")), None);
        assert_eq!(reach.needles(), ["all", "feed", "recent", "t"]);
    }

    #[test]
    fn a_bare_name_that_another_database_has_too_stands_for_nothing() {
        let reach = reach();
        assert_eq!(reach.bare("t"), Some(&TableName::new("d", "t")));
        assert_eq!(reach.bare("all"), None);
        assert!(reach.is_ambiguous("all") && !reach.is_ambiguous("other"));
    }
}
