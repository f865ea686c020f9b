//! How tables hang together: what rows come from, where they go, and what reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::Table;
use crate::ddl::{Engine, Merged, mentions, named_table, read_dictionary, read_engine, read_view};
use crate::names::TableName;

/// Tables and what is between them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Graph {
    /// The tables that an edge begins or ends at, by name.
    pub tables: Vec<Node>,
    /// From where rows are to where they go or are read.
    pub edges: Vec<Edge>,
}

/// A table of the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Node {
    /// Its database.
    pub database: String,
    /// The table within the database.
    pub name: String,
    /// The engine's name.
    pub engine: String,
}

/// One table leads to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Where rows or values are.
    pub from: TableName,
    /// Where they go, or what reads them.
    pub to: TableName,
    /// In which way.
    pub relation: Relation,
}

/// How rows get from one table to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// What is inserted into the one goes through the materialized view that is the other.
    Feeds,
    /// What is inserted into the one, a view or a `Distributed` or Buffer table, is written to the other.
    WritesTo,
    /// The other asks the one when it is asked itself, or when it loads.
    ReadBy,
    /// The other looks values up in the one.
    LookedUpBy,
    /// The server names the other as a dependent of the one, and its definition does not tell why.
    DependedOnBy,
}

impl Relation {
    /// Whether rows go this way by themselves once they are inserted.
    pub(super) fn carries_inserts(self) -> bool {
        matches!(self, Self::Feeds | Self::WritesTo)
    }
}

/// The graph of these tables, each as one replica describes it.
pub(super) fn graph(tables: &BTreeMap<&TableName, &Table>) -> Graph {
    let mut finder = Finder::new(tables);
    for table in tables.values() {
        finder.look_at(table);
    }
    finder.name_the_rest();
    Graph::of(finder.edges, |name| tables.get(name).map(|table| table.engine.clone()))
}

impl Graph {
    fn of(edges: BTreeSet<Edge>, engine: impl Fn(&TableName) -> Option<String>) -> Self {
        let names: BTreeSet<&TableName> = edges.iter().flat_map(|edge| [&edge.from, &edge.to]).collect();
        let node = |name: &TableName| Node {
            database: name.database.clone(),
            name: name.table.clone(),
            // A view may name a table that is not there.
            engine: engine(name).unwrap_or_default(),
        };
        Self { tables: names.into_iter().map(node).collect(), edges: edges.into_iter().collect() }
    }

    /// These edges of it alone.
    pub(super) fn only(&self, edges: BTreeSet<Edge>) -> Self {
        Self::of(edges, |name| self.engine(name).map(str::to_owned))
    }

    /// The engine of a table that has edges and is there.
    pub(super) fn engine(&self, name: &TableName) -> Option<&str> {
        let found = self.tables.iter().find(|node| node.database == name.database && node.name == name.table)?;
        Some(found.engine.as_str()).filter(|engine| !engine.is_empty())
    }
}

struct Finder<'a> {
    tables: &'a BTreeMap<&'a TableName, &'a Table>,
    /// Dictionaries and the like, which are asked by name in expressions.
    asked_by_name: BTreeSet<TableName>,
    edges: BTreeSet<Edge>,
}

impl<'a> Finder<'a> {
    fn new(tables: &'a BTreeMap<&'a TableName, &'a Table>) -> Self {
        let by_name = tables.values().filter(|table| matches!(table.engine.as_str(), "Dictionary" | "Join" | "Set"));
        Self { tables, asked_by_name: by_name.map(|table| table.name.clone()).collect(), edges: BTreeSet::new() }
    }

    fn look_at(&mut self, table: &Table) {
        match table.engine.as_str() {
            "MaterializedView" => self.materialized_view(table),
            "View" => {
                for source in self.view_of(table).map(|(sources, _)| sources).unwrap_or_default() {
                    self.add(source, &table.name, Relation::ReadBy);
                }
            }
            "Dictionary" => self.dictionary(table),
            _ => self.passing_on(table),
        }
        self.lookups(table);
    }

    fn materialized_view(&mut self, view: &Table) {
        let Some((sources, target)) = self.view_of(view) else { return };
        let is_told =
            |source: &TableName| self.tables.get(source).is_some_and(|source| source.dependents.contains(&view.name));
        // Servers tell which of the tables in a view's query is the one whose inserts it sees.
        let told: BTreeSet<TableName> = sources.iter().filter(|source| is_told(source)).cloned().collect();
        for source in sources {
            let feeds = told.is_empty() || told.contains(&source);
            self.add(source, &view.name, if feeds { Relation::Feeds } else { Relation::LookedUpBy });
        }
        if let Some(target) = target {
            self.add(view.name.clone(), &target, Relation::WritesTo);
        }
    }

    /// The tables that a view reads, and the one that it writes to.
    fn view_of(&self, table: &Table) -> Option<(Vec<TableName>, Option<TableName>)> {
        let view = read_view(&table.create_query).ok()?;
        let database = &table.name.database;
        let known = self.tables.keys().copied().filter(|name| **name != table.name);
        Some((view.reads(database, known), view.target.as_ref().map(|name| name.in_database(database))))
    }

    fn dictionary(&mut self, dictionary: &Table) {
        let own = &dictionary.name;
        let Ok(read) = read_dictionary(&dictionary.create_query) else { return };
        for source in read.reads(&own.database, self.tables.keys().copied()) {
            self.add(source, own, Relation::ReadBy);
        }
    }

    /// `Distributed`, Buffer, Merge and Alias tables, which have their rows elsewhere.
    fn passing_on(&mut self, table: &Table) {
        let Ok(engine) = read_engine(&table.engine_full) else { return };
        let own = &table.name;
        match engine.name.as_str() {
            "Distributed" => {
                let Some(over) = engine.distributed() else { return };
                // Without a database in the definition the session's counts, mostly the table's own.
                let there = TableName::new(over.database.unwrap_or_else(|| own.database.clone()), over.table);
                if over.sharding_key.is_some() {
                    self.add(own.clone(), &there, Relation::WritesTo);
                }
                self.add(there, own, Relation::ReadBy);
            }
            "Buffer" | "Alias" => {
                let Some(there) = named_table(&engine, &own.database) else { return };
                self.add(own.clone(), &there, Relation::WritesTo);
                self.add(there, own, Relation::ReadBy);
            }
            "Merge" => {
                for there in self.merged(&engine, own) {
                    self.add(there, own, Relation::ReadBy);
                }
            }
            _ => {}
        }
    }

    /// The tables that a Merge table reads, by its patterns.
    fn merged(&self, engine: &Engine, own: &TableName) -> Vec<TableName> {
        let Some(merged) = Merged::read(engine.args(), &own.database) else { return Vec::new() };
        let all = self.tables.keys().filter(|name| **name != own);
        all.filter(|name| merged.has(name)).map(|name| (*name).clone()).collect()
    }

    /// `dictGet('d.names', …)` and the like, in whatever place of a definition.
    fn lookups(&mut self, table: &Table) {
        if !self.asked_by_name.iter().any(|name| table.create_query.contains(&name.table)) {
            return;
        }
        for asked in mentions(&table.name, &table.create_query, &self.asked_by_name) {
            if !self.edges.iter().any(|edge| edge.from == asked && edge.to == table.name) {
                self.add(asked, &table.name, Relation::LookedUpBy);
            }
        }
    }

    /// What servers name as dependents, and no definition explained.
    fn name_the_rest(&mut self) {
        let explained: BTreeSet<(TableName, TableName)> =
            self.edges.iter().map(|edge| (edge.from.clone(), edge.to.clone())).collect();
        for table in self.tables.values() {
            for dependent in &table.dependents {
                if !explained.contains(&(table.name.clone(), dependent.clone())) {
                    self.add(table.name.clone(), dependent, Relation::DependedOnBy);
                }
            }
        }
    }

    fn add(&mut self, from: TableName, to: &TableName, relation: Relation) {
        if from != *to {
            self.edges.insert(Edge { from, to: to.clone(), relation });
        }
    }
}
