//! Where replicas differ that should be alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

use super::OnReplicas;
use crate::catalog::{Column, Table};
use crate::ddl;
use crate::names::{ReplicaId, TableName};
use crate::snapshot::Snapshot;
use crate::words;

/// Replicas named in one sentence.
const REPLICAS_NAMED_MAX: usize = 6;
/// Partitions named for one table and shard.
const PARTITIONS_NAMED_MAX: usize = 5;
/// Characters shown of a definition.
const VALUE_CHARS_MAX: usize = 160;

/// One thing that differs, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub subject: Subject,
    /// What differs and where.
    pub text: String,
}

/// What a difference is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The servers themselves.
    Servers,
    /// A database.
    Database(String),
    /// A table.
    Table(TableName),
}

impl Difference {
    fn of_servers(text: String) -> Self {
        Self { subject: Subject::Servers, text }
    }

    fn of_database(name: &str, text: String) -> Self {
        Self { subject: Subject::Database(name.to_owned()), text }
    }

    fn of_table(name: &TableName, text: &str) -> Self {
        Self { subject: Subject::Table(name.clone()), text: format!("{name}: {text}") }
    }

    /// Whether someone who looks at that table alone should know of it.
    pub fn concerns(&self, name: &TableName) -> bool {
        match &self.subject {
            Subject::Servers => true,
            Subject::Database(database) => *database == name.database,
            Subject::Table(table) => table == name,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// All differences between the replicas that answered: servers first, then tables by name.
pub(super) fn find(snapshot: &Snapshot, tables: &BTreeMap<&TableName, OnReplicas<'_>>) -> Vec<Difference> {
    let answered: Vec<ReplicaId> =
        snapshot.replicas.keys().copied().filter(|id| snapshot.state(*id).is_some()).collect();
    let mut found: Vec<Difference> = servers(snapshot, &answered).into_iter().map(Difference::of_servers).collect();
    found.extend(databases(snapshot, &answered));
    for (name, on) in tables {
        let has_database =
            |id: &ReplicaId| snapshot.state(*id).is_some_and(|state| state.databases.contains_key(&name.database));
        let expected: Vec<ReplicaId> = answered.iter().copied().filter(has_database).collect();
        // The server names it by a UUID of its own; the view that owns it is compared.
        if !name.table.starts_with(".inner_id.") {
            found.extend(table(on, &expected).iter().map(|text| Difference::of_table(name, text)));
        }
    }
    found
}

fn databases(snapshot: &Snapshot, answered: &[ReplicaId]) -> Vec<Difference> {
    let mut engines: BTreeMap<&str, BTreeMap<ReplicaId, String>> = BTreeMap::new();
    for id in answered {
        for (name, engine) in snapshot.state(*id).iter().flat_map(|state| &state.databases) {
            engines.entry(name).or_default().insert(*id, engine.clone());
        }
    }
    let mut found = Vec::new();
    for (name, on) in engines {
        let without: Vec<ReplicaId> = answered.iter().copied().filter(|id| !on.contains_key(id)).collect();
        if !without.is_empty() {
            found.push(Difference::of_database(name, format!("database {name} is missing on {}", listed(&without))));
        }
        let differs = differing(&format!("engine of database {name} differs"), on.into_iter());
        found.extend(differs.map(|text| Difference::of_database(name, text)));
    }
    found
}

fn servers(snapshot: &Snapshot, answered: &[ReplicaId]) -> Vec<String> {
    let states = || answered.iter().filter_map(|id| Some((*id, snapshot.state(*id)?)));
    let mut found = Vec::new();
    found.extend(differing("versions differ", states().map(|(id, state)| (id, state.version.clone()))));
    let names: BTreeSet<&String> = states().flat_map(|(_, state)| state.macros.keys()).collect();
    for name in names {
        let without: Vec<ReplicaId> =
            states().filter(|(_, state)| !state.macros.contains_key(name)).map(|(id, _)| id).collect();
        if !without.is_empty() {
            found.push(format!("macro {{{name}}} is missing on {}", listed(&without)));
        }
    }
    let value = |name: &str| -> BTreeMap<ReplicaId, String> {
        states().filter_map(|(id, state)| Some((id, state.macros.get(name)?.clone()))).collect()
    };
    found.extend(macros(&value("shard"), &value("replica")));
    found
}

/// By convention Keeper paths are told apart by the macros `{shard}` and `{replica}`.
fn macros(shards: &BTreeMap<ReplicaId, String>, replicas: &BTreeMap<ReplicaId, String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut shards_with: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (id, value) in shards {
        shards_with.entry(value).or_default().insert(id.shard);
    }
    for (value, nums) in shards_with.iter().filter(|(_, nums)| nums.len() > 1) {
        let nums: Vec<String> = nums.iter().map(u32::to_string).collect();
        found.push(format!("macro {{shard}} is {value} in shards {}", nums.join(" and ")));
    }
    let nums: BTreeSet<u32> = shards.keys().map(|id| id.shard).collect();
    for num in nums {
        let of_shard = shards.iter().filter(|(id, _)| id.shard == num).map(|(id, value)| (*id, value.clone()));
        found.extend(differing(&format!("macro {{shard}} differs within shard {num}"), of_shard));
    }
    let mut replicas_with: BTreeMap<(u32, &str), Vec<ReplicaId>> = BTreeMap::new();
    for (id, value) in replicas {
        replicas_with.entry((id.shard, value)).or_default().push(*id);
    }
    for ((_, value), ids) in replicas_with.iter().filter(|(_, ids)| ids.len() > 1) {
        found.push(format!("macro {{replica}} is {value} on {}", listed(ids)));
    }
    found
}

fn table(on: &OnReplicas<'_>, expected: &[ReplicaId]) -> Vec<String> {
    let mut found = Vec::new();
    let without: Vec<ReplicaId> = expected.iter().copied().filter(|id| !on.contains_key(id)).collect();
    if !without.is_empty() {
        found.push(format!("missing on {}", listed(&without)));
    }
    found.extend(definitions(on));
    found.extend(data(on));
    found
}

/// A definition and the replicas that have it, word for word.
struct Variant<'a> {
    table: &'a Table,
    on: Vec<ReplicaId>,
}

impl Variant<'_> {
    fn spread(&self, value: &str) -> Vec<(ReplicaId, String)> {
        self.on.iter().map(|id| (*id, value.to_owned())).collect()
    }
}

/// Replicas are few variants as a rule: each is read once, however many replicas have it.
fn variants<'a>(on: &OnReplicas<'a>) -> Vec<Variant<'a>> {
    let mut variants: BTreeMap<&str, Variant<'a>> = BTreeMap::new();
    for (id, table) in on {
        let variant = variants.entry(&table.definition_hash).or_insert_with(|| Variant { table, on: Vec::new() });
        variant.on.push(*id);
    }
    let mut variants: Vec<Variant<'a>> = variants.into_values().collect();
    variants.sort_by(|a, b| a.on.cmp(&b.on));
    variants
}

fn definitions(on: &OnReplicas<'_>) -> Vec<String> {
    let variants = variants(on);
    if variants.len() < 2 {
        return Vec::new();
    }
    let facets: Vec<BTreeMap<&str, String>> = variants.iter().map(|variant| facets(variant.table)).collect();
    let names: BTreeSet<&str> = facets.iter().flat_map(BTreeMap::keys).copied().collect();
    let mut found = Vec::new();
    for name in names {
        let value = |facets: &BTreeMap<&str, String>| facets.get(name).cloned().unwrap_or_default();
        let values = variants.iter().zip(&facets).flat_map(|(variant, facets)| variant.spread(&value(facets)));
        found.extend(differing(&format!("{name} differs"), values));
    }
    found.extend(columns(&variants));
    if found.is_empty() {
        let details = variants.iter().flat_map(|variant| variant.spread(&details(variant.table)));
        found.extend(differing("codecs, indexes, projections or constraints differ", details));
    }
    found
}

/// What is compared of a definition, in words for people. Keeper path and replica name may vary and are left aside.
fn facets(table: &Table) -> BTreeMap<&'static str, String> {
    let keys = &table.keys;
    let mut facets = BTreeMap::from([
        ("sorting key", keys.sorting.clone()),
        ("primary key", keys.primary.clone()),
        ("partition key", keys.partition.clone()),
        ("sampling key", keys.sampling.clone()),
    ]);
    if table.engine.ends_with("View") {
        match ddl::read_view(&table.create_query) {
            Ok(view) => {
                facets.insert("query", view.select.text);
                facets.insert("target", view.target.map(|target| target.sql()).unwrap_or_default());
            }
            Err(_) => drop(facets.insert("definition", table.create_query.clone())),
        }
    }
    match ddl::read_engine(&table.engine_full) {
        Ok(engine) => {
            let args = engine.merge_texts();
            let args = if args.is_empty() { String::new() } else { format!("({})", args.join(", ")) };
            facets.insert("engine", format!("{}{args}", engine.name));
            facets.insert("TTL", engine.clauses.ttl.map(|ttl| ttl.text).unwrap_or_default());
            facets.insert("SETTINGS", engine.clauses.settings.map(|settings| settings.text).unwrap_or_default());
        }
        Err(_) => drop(facets.insert("engine", format!("{} {}", table.engine, table.engine_full))),
    }
    facets
}

/// What of a definition is in no system column: codecs and the like.
fn details(table: &Table) -> String {
    let Ok(table) = ddl::read_table(&table.create_query) else { return String::new() };
    table.items.iter().map(|item| item.text.text.as_str()).collect::<Vec<_>>().join(", ")
}

fn columns(variants: &[Variant<'_>]) -> Vec<String> {
    if variants.iter().all(|variant| variant.table.columns == variants[0].table.columns) {
        return Vec::new();
    }
    let mut by_name: BTreeMap<&str, Vec<(ReplicaId, String)>> = BTreeMap::new();
    for variant in variants {
        for column in &variant.table.columns {
            by_name.entry(&column.name).or_default().extend(variant.spread(&declared(column)));
        }
    }
    let mut found = Vec::new();
    for (name, with) in by_name {
        let has: BTreeSet<ReplicaId> = with.iter().map(|(id, _)| *id).collect();
        let all = variants.iter().flat_map(|variant| variant.on.iter().copied());
        let mut without: Vec<ReplicaId> = all.filter(|id| !has.contains(id)).collect();
        without.sort();
        if !without.is_empty() {
            found.push(format!("column {name} is missing on {}", listed(&without)));
        }
        found.extend(differing(&format!("column {name} differs"), with.into_iter()));
    }
    if found.is_empty() {
        let order = |table: &Table| -> String {
            table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let orders = variants.iter().flat_map(|variant| variant.spread(&order(variant.table)));
        found.extend(differing("order of columns differs", orders));
    }
    found
}

pub(super) fn declared(column: &Column) -> String {
    let comment = if column.comment.is_empty() { String::new() } else { format!("COMMENT '{}'", column.comment) };
    let words = [column.kind.as_str(), &column.default_kind, &column.default_expression, &comment];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Data of Replicated tables: replicas of a shard share a Keeper path and have the same rows, shards do not share one.
fn data(on: &OnReplicas<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let paths: BTreeMap<ReplicaId, String> =
        on.iter().filter_map(|(id, table)| Some((*id, table.replication.as_ref()?.keeper_path.clone()))).collect();
    let mut shards_at: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (id, path) in &paths {
        shards_at.entry(path).or_default().insert(id.shard);
    }
    for (path, nums) in shards_at.iter().filter(|(_, nums)| nums.len() > 1) {
        let nums: Vec<String> = nums.iter().map(u32::to_string).collect();
        found.push(format!("shards {} share Keeper path {path}, so each has the rows of all", nums.join(" and ")));
    }
    let nums: BTreeSet<u32> = paths.keys().map(|id| id.shard).collect();
    for num in nums {
        let of_shard = || paths.iter().filter(move |(id, _)| id.shard == num);
        let apart = differing(
            &format!("replicas of shard {num} have different Keeper paths, so they do not replicate"),
            of_shard().map(|(id, path)| (*id, path.clone())),
        );
        match apart {
            Some(text) => found.push(text),
            None => found.extend(rows(num, &of_shard().map(|(id, _)| (*id, on[id])).collect::<Vec<_>>())),
        }
    }
    found
}

fn rows(num: u32, replicas: &[(ReplicaId, &Table)]) -> Vec<String> {
    let partitions: BTreeSet<&str> =
        replicas.iter().flat_map(|(_, table)| &table.partitions).map(|partition| partition.id.as_str()).collect();
    let rows_of = |table: &Table, id: &str| -> u64 {
        table.partitions.iter().filter(|partition| partition.id == id).map(|partition| partition.rows).sum()
    };
    let mut found: Vec<String> = Vec::new();
    for id in partitions {
        let values = replicas.iter().map(|(replica, table)| (*replica, rows_of(table, id).to_string()));
        found.extend(differing(&format!("rows of partition {id} differ in shard {num}"), values));
    }
    if found.len() > PARTITIONS_NAMED_MAX {
        let more = found.len() - PARTITIONS_NAMED_MAX;
        found.truncate(PARTITIONS_NAMED_MAX);
        found.push(format!("rows of {more} more partitions differ in shard {num}"));
    }
    found
}

/// `what: a on s1r1, s1r2; b on s2r1`, if there is more than one value.
fn differing(what: &str, values: impl Iterator<Item = (ReplicaId, String)>) -> Option<String> {
    let mut groups: Vec<(String, Vec<ReplicaId>)> = Vec::new();
    for (id, value) in values {
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((value, vec![id])),
        }
    }
    if groups.len() < 2 {
        return None;
    }
    for (_, ids) in &mut groups {
        ids.sort();
    }
    groups.sort_by(|(_, a), (_, b)| a.cmp(b));
    let groups: Vec<String> =
        groups.iter().map(|(value, ids)| format!("{} on {}", shown(value), listed(ids))).collect();
    Some(format!("{what}: {}", groups.join("; ")))
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None if value.is_empty() => "none".to_owned(),
        None => value.to_owned(),
    }
}

fn listed(ids: &[ReplicaId]) -> String {
    words::first(ids.iter(), REPLICAS_NAMED_MAX)
}
