//! What hangs on the source table, and what that in turn needs: all that must be made anew to rehearse a plan.

use std::collections::BTreeSet;

use super::{Fingerprint, Objects};
use crate::assess::Case;
use crate::catalog::Table;
use crate::ddl::{Clauses, mentions, read_dictionary, read_table, read_view};
use crate::names::{TableName, is_own_name};

/// Definitions kept, at most: a cluster where everything hangs together is not copied whole into a plan.
const RELATED_MAX: usize = 300;

/// Engines whose rows are on this cluster, besides those of the `MergeTree` family. All others lead outside.
const AT_HOME: [&str; 14] = [
    "Alias",
    "Buffer",
    "Dictionary",
    "Distributed",
    "GenerateRandom",
    "Join",
    "Log",
    "Memory",
    "Merge",
    "Null",
    "Set",
    "StripeLog",
    "TinyLog",
    "View",
];

/// Whether tables with this engine get their rows from outside the cluster, or have them there.
pub fn leads_outside(engine: &str) -> bool {
    !engine.ends_with("MergeTree") && !engine.ends_with("View") && !AT_HOME.contains(&engine)
}

/// Definitions of what hangs on the source, or feeds it, or is needed by any of these; the fingerprints themselves left out.
pub(super) fn related(case: &Case<'_>, objects: &Objects, fingerprints: &[Fingerprint]) -> Vec<Fingerprint> {
    let mut walk = Walk::new(case, objects);
    for print in fingerprints {
        walk.involved.insert(print.table.clone());
    }
    walk.follow();
    walk.add_needed();
    let known: BTreeSet<&TableName> = fingerprints.iter().map(|print| &print.table).collect();
    let names = walk.involved.iter().filter(|name| !known.contains(name)).take(RELATED_MAX);
    let mut found = definitions(case, names);
    for print in &mut found {
        print.definition = without_way_outside(&print.definition);
    }
    found
}

/// Tables through which rows come to the source: what views that write to it read, and what stands for it.
pub(super) fn writers(case: &Case<'_>, objects: &Objects) -> BTreeSet<TableName> {
    let mut walk = Walk::new(case, objects);
    walk.follow();
    walk.written.remove(&objects.source);
    walk.written
}

/// Definitions by table, grouped by replicas that agree.
pub(super) fn definitions<'t>(case: &Case<'_>, tables: impl Iterator<Item = &'t TableName>) -> Vec<Fingerprint> {
    let mut found: Vec<Fingerprint> = Vec::new();
    for name in tables {
        let first = found.len();
        for id in case.snapshot.replicas.keys() {
            let Some(table) = case.snapshot.table(*id, name) else { continue };
            match found[first..].iter_mut().find(|known| known.definition == table.create_query) {
                Some(known) => known.on.push(*id),
                None => found.push(Fingerprint {
                    table: name.clone(),
                    on: vec![*id],
                    definition_hash: table.definition_hash.clone(),
                    definition: table.create_query.clone(),
                }),
            }
        }
    }
    found
}

struct Walk<'a> {
    /// Every table of the cluster, as the first replica that has it describes it.
    tables: Vec<&'a Table>,
    names: BTreeSet<TableName>,
    involved: BTreeSet<TableName>,
    /// Tables whose readers are involved too: the source, what is filled from it, what stands for either.
    read: BTreeSet<TableName>,
    /// Tables whose writers are involved too: the source, what stands for it, what views that write to it read.
    written: BTreeSet<TableName>,
}

impl<'a> Walk<'a> {
    fn new(case: &Case<'a>, objects: &Objects) -> Self {
        let mut names = BTreeSet::new();
        let mut tables = Vec::new();
        for table in case.states().flat_map(|(_, state)| state.tables.values()) {
            let is_other = !is_own_name(&objects.source, &table.name) && !table.name.table.starts_with(".inner");
            if is_other && names.insert(table.name.clone()) {
                tables.push(table);
            }
        }
        let roots = || std::iter::once(&objects.source).chain(&objects.distributed).cloned().collect::<BTreeSet<_>>();
        Self { tables, names, involved: BTreeSet::new(), read: roots(), written: roots() }
    }

    /// Takes in readers of what is read and writers of what is written until nothing is added.
    fn follow(&mut self) {
        loop {
            let before = (self.involved.len(), self.read.len(), self.written.len());
            for table in self.tables.clone() {
                let wanted: BTreeSet<TableName> = self.read.union(&self.written).cloned().collect();
                let found = self.mentioned(table, &wanted);
                if !found.is_empty() {
                    self.take(table, &found);
                }
            }
            if before == (self.involved.len(), self.read.len(), self.written.len()) {
                return;
            }
        }
    }

    fn take(&mut self, table: &Table, found: &BTreeSet<TableName>) {
        let target = read_view(&table.create_query)
            .ok()
            .filter(|view| view.materialized)
            .and_then(|view| Some((view.target?.in_database(&table.name.database), view.sources)));
        match target {
            Some((target, sources)) => {
                let sources: BTreeSet<TableName> =
                    sources.iter().map(|source| source.in_database(&table.name.database)).collect();
                if sources.iter().any(|source| self.read.contains(source)) {
                    self.involved.insert(table.name.clone());
                    self.read.insert(target.clone());
                }
                if self.written.contains(&target) {
                    self.involved.insert(table.name.clone());
                    self.written.extend(sources);
                }
            }
            None if found.iter().any(|name| self.read.contains(name)) => {
                self.involved.insert(table.name.clone());
                self.read.insert(table.name.clone());
                // A Buffer or Distributed table passes on what is written to it.
                if table.engine == "Buffer" || table.engine == "Distributed" {
                    self.written.insert(table.name.clone());
                }
            }
            None => {}
        }
    }

    /// Takes in what the involved ones cannot do without.
    fn add_needed(&mut self) {
        let mut open: Vec<TableName> = self.involved.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let Some(table) = self.tables.iter().find(|table| table.name == name) else { continue };
            let needed = self.mentioned(table, &self.names);
            open.extend(needed.into_iter().filter(|name| self.involved.insert(name.clone())));
        }
    }

    fn mentioned(&self, table: &Table, wanted: &BTreeSet<TableName>) -> BTreeSet<TableName> {
        // Most definitions mention none of them, and looking for a text is quick.
        if wanted.len() < self.names.len() && !wanted.iter().any(|name| table.create_query.contains(&name.table)) {
            return BTreeSet::new();
        }
        mentions(&table.name, &table.create_query, wanted)
    }
}

/// A definition without addresses, users and passwords of what is outside: a plan is read by many, and kept.
fn without_way_outside(definition: &str) -> String {
    if let Ok(dictionary) = read_dictionary(definition) {
        return match dictionary.kind.as_str() {
            "CLICKHOUSE" => {
                let secrets = ["USER", "PASSWORD"];
                let kept = dictionary.settings.iter().filter(|(key, _)| !secrets.contains(&key.as_str()));
                let kept: Vec<String> = kept.map(|(key, value)| format!("{key} {}", value.text)).collect();
                dictionary.with_source(definition, &format!("CLICKHOUSE({})", kept.join(" ")))
            }
            kind => dictionary.with_source(definition, &format!("{kind}()")),
        };
    }
    match read_table(definition) {
        Ok(mut table) if leads_outside(&table.engine.name) => {
            table.engine.args = None;
            table.engine.clauses = Clauses::default();
            table.to_sql()
        }
        _ => definition.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::{Fixture, assess};
    use crate::plan::{Fence, build};

    /// The related tables of the fixture's plan after these were added on the first replica.
    fn found(more: &[&str]) -> Vec<String> {
        let mut fixture = Fixture::new();
        for sql in more {
            fixture.add("s1r1", sql);
        }
        let case = fixture.case();
        let plan = build(&case, assess(&case), Fence::Auto).unwrap();
        assert!(plan.related.iter().all(|print| print.on == [crate::names::ReplicaId::new(1, 1)]));
        plan.related.into_iter().map(|print| print.definition).collect()
    }

    #[test]
    fn readers_writers_and_what_they_need_are_related_and_nothing_else() {
        let related = [
            "CREATE TABLE d.a_buffer (id UInt64) ENGINE = Buffer('d', 'events_all', 16, 10, 100, 1, 2, 3, 4)",
            "CREATE TABLE d.daily_data (day Date) ENGINE = SummingMergeTree ORDER BY day",
            "CREATE MATERIALIZED VIEW d.e_monthly TO d.monthly_data AS SELECT day FROM d.daily_data",
            "CREATE VIEW d.f_report AS SELECT * FROM d.monthly_data JOIN other.dimension USING day",
            "CREATE TABLE d.monthly_data (day Date) ENGINE = SummingMergeTree ORDER BY day",
            "CREATE TABLE d.queue_out (id UInt64) ENGINE = Null",
            "CREATE MATERIALIZED VIEW d.to_buffer TO d.a_buffer AS SELECT id FROM d.queue_out",
            "CREATE MATERIALIZED VIEW d.to_queue TO d.queue_out AS SELECT id FROM other.raw",
            "CREATE TABLE other.dimension (day Date) ENGINE = Memory",
            "CREATE TABLE other.raw (id UInt64) ENGINE = Null",
        ];
        let others = [
            "CREATE TABLE d.unrelated (id UInt64) ENGINE = Memory",
            "CREATE VIEW d.reader_of_the_dimension AS SELECT * FROM other.dimension",
            "CREATE TABLE d.events__sw_shadow_of_another (id UInt64) ENGINE = Memory",
        ];
        assert_eq!(found(&[&related[..], &others[..]].concat()), related);
    }

    #[test]
    fn a_plan_does_not_say_how_to_get_outside() {
        let related = found(&[
            "CREATE TABLE d.queue (id UInt64) ENGINE = Kafka('broker:9092', 't', 'g', 'CSV') SETTINGS kafka_sasl_password = 'pw'",
            "CREATE TABLE d.people (id UInt64) ENGINE = MySQL('db:3306', 'd', 't', 'user', 'pw')",
            "CREATE MATERIALIZED VIEW d.queue_mv TO d.events AS SELECT id FROM d.queue JOIN d.people USING id",
        ]);
        assert_eq!(
            related,
            [
                "CREATE TABLE `d`.`people` (id UInt64) ENGINE = MySQL",
                "CREATE TABLE `d`.`queue` (id UInt64) ENGINE = Kafka",
                "CREATE MATERIALIZED VIEW d.queue_mv TO d.events AS SELECT id FROM d.queue JOIN d.people USING id",
            ]
        );
        let dictionary = |source: &str| {
            without_way_outside(&format!(
                "CREATE DICTIONARY d.x (a UInt64) PRIMARY KEY a SOURCE({source}) LAYOUT(FLAT())"
            ))
        };
        assert!(dictionary("MYSQL(HOST 'h' USER 'u' PASSWORD 'pw' DB 'd' TABLE 't')").contains("SOURCE(MYSQL())"));
        let local = dictionary("CLICKHOUSE(HOST 'h' USER 'u' PASSWORD 'pw' DB 'd' TABLE 't')");
        assert!(local.contains("SOURCE(CLICKHOUSE(HOST 'h' DB 'd' TABLE 't'))"), "{local}");
    }
}
