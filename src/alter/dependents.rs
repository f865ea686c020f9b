//! What leans on the tables that an ALTER changes, and how a server is asked whether it still works afterwards.
//!
//! A view binds by name, and what the server makes of it shows only when it is used. So it is made once more in a scratch database,
//! over empty tables of the same definitions, and used before and after the ALTER.

use std::collections::{BTreeMap, BTreeSet};

use super::trial::forward;
use super::{Alter, Order, Place};
use crate::catalog::{Catalog, Table};
use crate::ddl::{Form, Item, ItemKind, Text, View, mentions, read_view, speaks_of, with_parameters, with_tables};
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::definition::unreplicated;
use crate::snapshot::{Capability, Snapshot};

/// Something that may fail once the ALTER is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// The view, or the table that is inserted into.
    pub name: TableName,
    /// What it is.
    pub kind: DependentKind,
    /// The replica that is asked: the first that defines it so.
    pub on: ReplicaId,
}

/// What leans on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependentKind {
    /// A view that runs its query when it is read.
    View,
    /// A materialized view that runs it on every insert.
    Materialized,
    /// What is inserted into the table itself, held against its constraints.
    Inserts,
}

/// What is done in an empty scratch database to try a dependent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// Makes the tables and views, in order.
    pub create: Vec<String>,
    /// Tables that get a row of defaults before and after the ALTER.
    pub rows: Vec<TableName>,
    /// Queries of the views themselves.
    pub reads: Vec<String>,
    /// Which columns the query gives.
    pub columns: Option<String>,
    /// Which table each column of the query is taken from, where servers can tell.
    pub origins: Option<String>,
    /// The ALTER.
    pub alter: Vec<String>,
    /// What the tables and views are called outside of the scratch database.
    pub names: BTreeMap<TableName, TableName>,
}

impl Script {
    /// A server's words with the tables' own names.
    pub fn in_own_names(&self, words: &str) -> String {
        let mut names: Vec<(&TableName, &TableName)> = self.names.iter().collect();
        names.sort_by_key(|(_, scratch)| std::cmp::Reverse(scratch.table.len()));
        names.into_iter().fold(words.to_owned(), |words, (own, scratch)| {
            words.replace(&scratch.sql(), &own.sql()).replace(&scratch.to_string(), &own.to_string())
        })
    }
}

/// What a server answers: text, or why not.
pub type Answer = Result<String, Refusal>;

/// Why a server did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its code.
    pub code: u32,
    /// Its words.
    pub words: String,
}

/// What came of the questions of a [`Script`] at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Of the rows and then of the queries of views.
    pub runs: Vec<Answer>,
    /// Of the columns.
    pub columns: Option<Answer>,
    /// Of the columns' origins.
    pub origins: Option<Answer>,
}

/// A dependent after its trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedDependent {
    /// What was tried.
    pub dependent: Dependent,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It could not be tried, for this reason.
    NotTried(String),
    /// The server's answers.
    Asked {
        /// Before the ALTER.
        before: Answers,
        /// After it.
        after: Answers,
    },
}

/// Everything that is to be tried, each with what is done in a scratch database of this name, or why it cannot be.
pub fn dependents(alter: &Alter, snapshot: &Snapshot, scratch: &str) -> Vec<(Dependent, Result<Script, String>)> {
    let is_spread = alter.commands.iter().any(|command| spreads(command.form));
    if !is_spread && alter.commands.iter().all(|command| command.takes_away().is_none()) {
        return Vec::new();
    }
    let locals = alter.orders.iter().filter(|order| order.is_local && is_spread);
    let mut found: Vec<_> = locals.filter_map(|order| inserts(order, scratch)).collect();
    let mut seen = BTreeSet::new();
    for id in snapshot.replicas.keys() {
        let Some(state) = snapshot.state(*id) else { continue };
        let tells = state.capabilities.contains(&Capability::ViewsLeaveMaterialized);
        let ground = Ground { alter, tables: &state.tables, on: *id, scratch, is_spread, tells };
        for table in state.tables.values().filter(|table| table.engine.ends_with("View")) {
            if seen.insert((&table.name, &table.create_query)) {
                found.extend(ground.view(table));
            }
        }
    }
    found
}

/// Whether columns come, or differ for those who read them or insert.
fn spreads(form: Form) -> bool {
    matches!(
        form,
        Form::AddColumn
            | Form::ModifyColumnType
            | Form::ModifyColumnMoreValues
            | Form::ModifyColumnSameType
            | Form::AddEnumValues
            | Form::ModifyColumnDefault
            | Form::ModifyColumnRemove
            | Form::AddConstraint
    )
}

/// A row of defaults in the table alone.
fn inserts(order: &Order, scratch: &str) -> Option<(Dependent, Result<Script, String>)> {
    let name = TableName::new(scratch, order.table.table.clone());
    let script = Script {
        create: vec![unreplicated(&order.definition, &name).to_sql()],
        alter: altered_by(std::iter::once((order, &name))),
        names: BTreeMap::from([(order.table.clone(), name.clone())]),
        rows: vec![name],
        ..Script::default()
    };
    let dependent =
        Dependent { name: order.table.clone(), kind: DependentKind::Inserts, on: order.on.first().copied()? };
    Some((dependent, Ok(script)))
}

/// All stages of orders on tables of these names, in their places' order.
fn altered_by<'a>(orders: impl Iterator<Item = (&'a Order, &'a TableName)>) -> Vec<String> {
    let mut all: Vec<(Place, String)> = Vec::new();
    for (order, name) in orders {
        let statements = order.stages.iter().zip(forward(&order.stages));
        all.extend(statements.map(|(stage, command)| (stage.place, format!("ALTER TABLE {} {command}", name.sql()))));
    }
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, sql)| sql).collect()
}

/// A replica, for trials of its views.
struct Ground<'a> {
    alter: &'a Alter,
    tables: &'a Catalog,
    on: ReplicaId,
    scratch: &'a str,
    /// Whether columns come or differ; otherwise only views that a column goes from are of interest.
    is_spread: bool,
    /// Whether the server is one of today, which tells where a query takes its columns from.
    tells: bool,
}

/// What a view reads, as far as the ALTER reaches.
#[derive(Default)]
struct Read<'a> {
    /// Tables that are altered.
    altered: BTreeSet<TableName>,
    /// Ordinary views between the view and those, each after those that it reads.
    between: Vec<(&'a Table, View)>,
    seen: BTreeSet<TableName>,
}

impl<'a> Ground<'a> {
    fn view(&self, table: &'a Table) -> Option<(Dependent, Result<Script, String>)> {
        let view = match read_view(&table.create_query) {
            Ok(view) if !self.is_of_interest(&view) => return None,
            Ok(view) => view,
            Err(_) if !self.is_spread => return None,
            Err(error) => {
                let refused = Err(format!("its definition cannot be read: {error}"));
                return self.names_altered(table).then(|| (self.dependent(table, DependentKind::View), refused));
            }
        };
        // A refreshable view runs its query by itself, not when rows are inserted.
        let runs_on_inserts = view.materialized && !is_refreshed(table, &view);
        let kind = if runs_on_inserts { DependentKind::Materialized } else { DependentKind::View };
        let mut read = Read::default();
        let reads = self.read(&view, &table.name.database, &mut read);
        let target = view.target.as_ref().map(|target| target.in_database(&table.name.database));
        let writes = target.as_ref().is_some_and(|target| self.is_altered(target));
        if !(reads || writes && runs_on_inserts) {
            let refused =
                Err("it names a table that is altered in another place than after FROM, JOIN or IN".to_owned());
            return (!writes && self.names_altered(table)).then(|| (self.dependent(table, kind), refused));
        }
        Some((self.dependent(table, kind), self.script(table, &view, kind, read)))
    }

    fn dependent(&self, table: &Table, kind: DependentKind) -> Dependent {
        Dependent { name: table.name.clone(), kind, on: self.on }
    }

    fn is_altered(&self, name: &TableName) -> bool {
        *name == self.alter.change.table || self.alter.change.distributed.contains(name)
    }

    fn names_altered(&self, table: &Table) -> bool {
        let change = &self.alter.change;
        let altered = std::iter::once(&change.table).chain(&change.distributed).cloned().collect();
        !mentions(&table.name, &table.create_query, &altered).is_empty()
    }

    /// Views of columns that go are judged by those columns' names, but for what a trial on servers of today shows.
    fn is_of_interest(&self, view: &View) -> bool {
        if self.alter.may_lose_a_column(&view.select.text) { self.tells } else { self.is_spread }
    }

    /// Whether the view reads an altered table, itself or through other views.
    fn read(&self, view: &View, database: &str, read: &mut Read<'a>) -> bool {
        let mut reads = false;
        for name in view.sources.iter().map(|source| source.in_database(database)) {
            if self.is_altered(&name) {
                read.altered.insert(name);
                reads = true;
                continue;
            }
            if !read.seen.insert(name.clone()) {
                reads |= read.between.iter().any(|(table, _)| table.name == name);
                continue;
            }
            let Some(table) = self.tables.get(&name).filter(|table| table.engine == "View") else { continue };
            let Ok(inner) = read_view(&table.create_query) else { continue };
            if self.read(&inner, &name.database, read) {
                read.between.push((table, inner));
                reads = true;
            }
        }
        reads
    }

    fn script(&self, table: &Table, view: &View, kind: DependentKind, read: Read<'a>) -> Result<Script, String> {
        let mut script = Script::default();
        let mut sources = read.altered;
        if kind == DependentKind::Materialized {
            let feeds = |source: &&Table| source.dependents.contains(&table.name);
            sources.extend(self.tables.values().filter(feeds).map(|source| source.name.clone()));
        }
        for name in &sources {
            self.make_source(&mut script, name)?;
        }
        if view.materialized {
            self.make_target(&mut script, table, view)?;
        }
        for (table, inner) in &read.between {
            self.make_view(&mut script, table, inner, "VIEW", "")?;
        }
        let (word, to) = match (kind, target_of(table, view)) {
            (DependentKind::Materialized, target) => {
                ("MATERIALIZED VIEW", format!(" TO {}", script.names[&target].sql()))
            }
            _ => ("VIEW", String::new()),
        };
        let query = self.make_view(&mut script, table, view, word, &to)?;
        if kind != DependentKind::Materialized {
            script.reads.push(format!("SELECT * FROM {} LIMIT 1", script.names[&table.name].sql()));
        }
        script.columns = Some(format!("DESCRIBE TABLE ({query})"));
        script.origins = Some(format!("EXPLAIN QUERY TREE {query}"));
        let on_replica = |order: &&Order| order.on.contains(&self.on);
        let orders = self.alter.orders.iter().filter(on_replica);
        let orders = orders.filter_map(|order| Some((order, script.names.get(&order.table)?)));
        script.alter = altered_by(orders);
        Ok(script)
    }

    /// A name in the scratch database; the table's own where that is free, since columns may be qualified by it.
    fn name(&self, script: &mut Script, own: &TableName) -> TableName {
        let taken: BTreeSet<&str> = script.names.values().map(|name| name.table.as_str()).collect();
        let mut table = own.table.clone();
        while taken.contains(table.as_str()) {
            table.push('_');
        }
        let name = TableName::new(self.scratch, table);
        script.names.insert(own.clone(), name.clone());
        name
    }

    fn there(&self, name: &TableName) -> Result<&'a Table, String> {
        self.tables.get(name).ok_or_else(|| format!("{} has no {name}", self.on))
    }

    /// A table that rows are inserted into and that the ALTER may be for.
    fn make_source(&self, script: &mut Script, own: &TableName) -> Result<(), String> {
        let there = self.there(own)?;
        let name = self.name(script, own);
        let order = self.alter.orders.iter().find(|order| order.table == *own && order.on.contains(&self.on));
        script.create.push(match order.filter(|order| order.is_local) {
            Some(order) => self.unconstrained(order, &name),
            // Its columns can be altered and read with FINAL.
            None => copied(&name, there, "ReplacingMergeTree ORDER BY tuple()"),
        });
        script.rows.push(name);
        Ok(())
    }

    /// The table's definition without constraints, which a row of defaults may violate, but for those that the ALTER names.
    fn unconstrained(&self, order: &Order, name: &TableName) -> String {
        let mut definition = unreplicated(&order.definition, name);
        let is_kept = |item: &&Item| match &item.kind {
            ItemKind::Constraint { name } => {
                self.alter.commands.iter().any(|command| command.subject.as_ref() == Some(name))
            }
            _ => true,
        };
        let kept: Vec<&str> = definition.items.iter().filter(is_kept).map(|item| item.text.text.as_str()).collect();
        definition.body = Text::new(kept.join(", "));
        definition.to_sql()
    }

    fn make_target(&self, script: &mut Script, table: &Table, view: &View) -> Result<(), String> {
        let own = target_of(table, view);
        if script.names.contains_key(&own) {
            return Ok(());
        }
        if self.is_altered(&own) {
            return self.make_source(script, &own);
        }
        let like = if view.target.is_some() { self.there(&own)? } else { table };
        let name = self.name(script, &own);
        script.create.push(copied(&name, like, "Memory"));
        Ok(())
    }

    /// Makes a view with the query that it gives back.
    fn make_view(
        &self,
        script: &mut Script,
        table: &Table,
        view: &View,
        word: &str,
        to: &str,
    ) -> Result<String, String> {
        let query = with_tables(&view.select.text, &table.name.database, |name| script.names.get(name).cloned())
            .map_err(|error| format!("its query cannot be read: {error}"))?;
        let query = with_parameters(&query, default_value);
        let name = self.name(script, &table.name);
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("{} {}", quote_identifier(&column.name), column.kind)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        script.create.push(format!("CREATE {word} {}{to}{columns} AS {query}", name.sql()));
        Ok(query)
    }
}

/// The table that a materialized view writes to, be it one of its own.
fn target_of(table: &Table, view: &View) -> TableName {
    let inner = || TableName::new(table.name.database.clone(), format!(".inner.{}", table.name.table));
    view.target.as_ref().map_or_else(inner, |target| target.in_database(&table.name.database))
}

/// What a view's parameter is taken to be; no table stands for one that is asked for by its name.
fn default_value(kind: &str) -> Option<String> {
    (kind != "Identifier").then(|| format!("defaultValueOfTypeName({})", quote_string(kind)))
}

fn is_refreshed(table: &Table, view: &View) -> bool {
    speaks_of(&table.create_query[..view.select.span.start], "REFRESH")
}

/// An empty table with the columns of another one.
fn copied(name: &TableName, like: &Table, engine: &str) -> String {
    let column = |column: &crate::catalog::Column| {
        let declared = format!("{} {}", quote_identifier(&column.name), column.kind);
        if column.default_kind.is_empty() {
            return declared;
        }
        format!("{declared} {} {}", column.default_kind, column.default_expression)
    };
    let columns: Vec<String> = like.columns.iter().map(column).collect();
    format!("CREATE TABLE {} ({}) ENGINE = {engine}", name.sql(), columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alter::resolve;
    use crate::assess::Fixture;

    /// What is tried of an ALTER of the fixture's table, with these views: a name each, with statements or why not.
    fn tried(sql: &str, views: &[&str]) -> Vec<(String, Result<Script, String>)> {
        let mut fixture = Fixture::new();
        for view in views {
            fixture.add("s1r1", view);
        }
        let alter = resolve(sql, &fixture.snapshot).unwrap();
        let all = dependents(&alter, &fixture.snapshot, "scratch");
        all.into_iter().map(|(dependent, script)| (dependent.name.to_string(), script)).collect()
    }

    fn names(sql: &str, views: &[&str]) -> String {
        let line = |(name, script): (String, Result<Script, String>)| if script.is_ok() { name } else { name + "?" };
        tried(sql, views).into_iter().map(line).collect::<Vec<_>>().join(" ")
    }

    const ADD: &str = "ALTER TABLE d.events ADD COLUMN more UInt8";

    #[test]
    fn every_view_that_the_change_reaches_is_tried_or_said_not_to_be() {
        let direct = "CREATE VIEW d.v AS SELECT id FROM d.events_all";
        let above = "CREATE VIEW d.w AS SELECT id FROM d.v";
        // Its target is not there.
        assert_eq!(names(ADD, &[]), "d.events d.daily?");
        let there = "CREATE TABLE d.daily_data (day Date) ENGINE = Memory";
        assert_eq!(names(ADD, &[there, direct, above]), "d.events d.daily d.v d.w");
        let function = "CREATE VIEW d.f AS SELECT count() AS c FROM cluster('main', d, events)";
        let other = "CREATE VIEW d.o AS SELECT id FROM d.daily_data";
        assert_eq!(names(ADD, &[there, function, other]), "d.events d.daily d.f?");
        let feed = "CREATE MATERIALIZED VIEW d.feed TO d.events AS SELECT id FROM d.daily_data";
        assert_eq!(names(ADD, &[there, feed]), "d.events d.daily d.feed");
        assert_eq!(names("ALTER TABLE d.events MODIFY SETTING index_granularity = 1", &[direct]), "");
        // Those that need a column that goes are found by its name.
        let both = "ALTER TABLE d.events DROP COLUMN value, ADD COLUMN more UInt8";
        assert_eq!(
            names(both, &[there, direct, "CREATE VIEW d.x AS SELECT value FROM d.events"]),
            "d.events d.daily d.v"
        );
    }

    #[test]
    fn views_that_may_need_a_column_that_goes_are_tried_where_servers_tell_what_they_take() {
        let mut fixture = Fixture::new();
        fixture.add("s1r1", "CREATE VIEW d.v AS SELECT team AS value FROM d.events");
        fixture.add("s1r1", "CREATE VIEW d.other AS SELECT id FROM d.events");
        let alter = resolve("ALTER TABLE d.events DROP COLUMN value", &fixture.snapshot).unwrap();
        assert!(dependents(&alter, &fixture.snapshot, "scratch").is_empty());
        fixture.state("s1r1").capabilities.insert(Capability::ViewsLeaveMaterialized);
        let tried = dependents(&alter, &fixture.snapshot, "scratch");
        let names: Vec<String> = tried.iter().map(|(dependent, _)| dependent.name.to_string()).collect();
        assert_eq!(names, ["d.v"]);
    }

    #[test]
    fn a_view_with_parameters_is_tried_with_values_of_their_types() {
        let view = "CREATE VIEW d.p AS SELECT id FROM d.events WHERE team = {team:UInt32}";
        let (_, script) = tried(ADD, &[view]).into_iter().find(|(name, _)| name == "d.p").unwrap();
        let create = script.unwrap().create.pop().unwrap();
        assert!(create.ends_with("WHERE team = defaultValueOfTypeName('UInt32')"), "{create}");
    }

    #[test]
    fn views_are_made_over_empty_tables_of_the_same_definitions() {
        let views = [
            "CREATE VIEW d.v AS SELECT id, value FROM d.events WHERE id IN (SELECT id FROM d.u)",
            "CREATE MATERIALIZED VIEW d.m TO d.sums AS SELECT sum(value) AS s FROM d.events_all JOIN v USING id",
            "CREATE TABLE d.sums (s Float64) ENGINE = SummingMergeTree ORDER BY tuple()",
        ];
        let (_, script) = tried(ADD, &views).into_iter().find(|(name, _)| name == "d.m").unwrap();
        let script = script.unwrap();
        let all = [script.create.clone(), script.alter.clone()].concat().join("\n");
        insta::assert_snapshot!(all);
        assert_eq!(
            script.rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["scratch.events", "scratch.events_all"]
        );
        assert_eq!(script.in_own_names("no scratch.events_all, `scratch`.`events`"), "no d.events_all, `d`.`events`");
    }
}
