//! One table's part of the graph, as two trees: up to where its rows come from, down to all that they reach.

use std::collections::BTreeSet;

use super::graph::{Edge, Graph, Relation};
use crate::names::TableName;

/// Levels shown; circles end earlier.
const DEPTH_MAX: usize = 12;
/// Lines of a tree; what comes after them is counted.
const BRANCHES_MAX: usize = 200;

/// A related table as one line of a tree.
pub(super) struct Branch {
    pub(super) depth: usize,
    /// `materialized view`, `writes to`, `Distributed over it` and so on.
    pub(super) relation: String,
    pub(super) table: TableName,
    /// Whether it is shown in full elsewhere in the tree.
    pub(super) seen: bool,
}

/// Which way a tree goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Against the rows: what feeds the table, and what it reads.
    Up,
    /// With the rows: what they are written to, and what reads them.
    Down,
}

/// The lines of one tree, in order of display, and whether there were more.
pub(super) fn tree(graph: &Graph, root: &TableName, way: Way) -> (Vec<Branch>, bool) {
    let (branches, _, more) = walk(graph, root, way, BRANCHES_MAX);
    (branches, more)
}

/// The part of the graph that both trees of a table are made of.
pub(super) fn around(graph: &Graph, root: &TableName) -> Graph {
    let [up, down] = [Way::Up, Way::Down].map(|way| walk(graph, root, way, usize::MAX).1);
    graph.only(up.into_iter().chain(down).collect())
}

fn walk(graph: &Graph, root: &TableName, way: Way, branches_max: usize) -> (Vec<Branch>, BTreeSet<Edge>, bool) {
    let mut walk = Walk {
        graph,
        way,
        branches_max,
        seen: BTreeSet::from([root.clone()]),
        branches: Vec::new(),
        edges: BTreeSet::new(),
        more: false,
    };
    walk.beyond(root, None, 0);
    (walk.branches, walk.edges, walk.more)
}

struct Walk<'a> {
    graph: &'a Graph,
    way: Way,
    branches_max: usize,
    seen: BTreeSet<TableName>,
    branches: Vec<Branch>,
    edges: BTreeSet<Edge>,
    more: bool,
}

impl Walk<'_> {
    fn beyond(&mut self, name: &TableName, before: Option<&TableName>, depth: usize) {
        for edge in self.steps(name, before) {
            if depth >= DEPTH_MAX || self.branches.len() >= self.branches_max {
                self.more = true;
                return;
            }
            let next = self.way.end(edge).clone();
            // What is asked for single values neither passes rows on nor gets them.
            let goes_on = edge.relation != Relation::LookedUpBy && self.seen.insert(next.clone());
            let seen = edge.relation != Relation::LookedUpBy && !goes_on;
            let relation = self.way.words(edge, self.graph.engine(&next));
            self.branches.push(Branch { depth, relation, table: next.clone(), seen });
            self.edges.insert(edge.clone());
            if goes_on {
                self.beyond(&next, Some(name), depth + 1);
            }
        }
    }

    /// Where it goes on from a table. A `Distributed` table writes to the table that it reads: what was come from is not gone back to.
    fn steps<'g>(&self, name: &TableName, before: Option<&TableName>) -> Vec<&'g Edge>
    where
        Self: 'g,
    {
        let graph: &'g Graph = self.graph;
        let is_next = |edge: &&Edge| self.way.start(edge) == name && before != Some(self.way.end(edge));
        let mut steps: Vec<&Edge> = graph.edges.iter().filter(is_next).collect();
        steps.sort_by_key(|edge| (!edge.relation.carries_inserts(), self.way.end(edge)));
        steps
    }
}

impl Way {
    fn start(self, edge: &Edge) -> &TableName {
        if self == Self::Down { &edge.from } else { &edge.to }
    }

    fn end(self, edge: &Edge) -> &TableName {
        if self == Self::Down { &edge.to } else { &edge.from }
    }

    /// What the table at the far end is to the near one. `engine` is the far one's.
    fn words(self, edge: &Edge, engine: Option<&str>) -> String {
        let kind = match engine {
            Some("MaterializedView") => "materialized view",
            Some("View") => "view",
            Some("Dictionary") => "dictionary",
            Some(engine) => engine,
            None => "missing",
        };
        match (self, edge.relation) {
            (Self::Up, Relation::WritesTo) => format!("written by {kind}"),
            (Self::Up, Relation::Feeds) => format!("fed by {kind}"),
            (Self::Up, Relation::ReadBy) => format!("reads {kind}"),
            (Self::Up, Relation::LookedUpBy) => format!("looks up in {kind}"),
            (Self::Up, Relation::DependedOnBy) => format!("depends on {kind}"),
            (Self::Down, Relation::WritesTo) => format!("writes to {kind}"),
            (Self::Down, Relation::Feeds) => kind.to_owned(),
            (Self::Down, Relation::ReadBy) => match kind {
                "Distributed" | "Buffer" | "Merge" | "Alias" => format!("{kind} over it"),
                kind => kind.to_owned(),
            },
            (Self::Down, Relation::LookedUpBy) => format!("looked up by {kind}"),
            (Self::Down, Relation::DependedOnBy) => format!("depended on by {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::graph::graph;
    use super::super::tests::bare;
    use super::*;
    use crate::catalog::Table;

    /// Engine, with its arguments if it has any, and the rest of the definition if that tells anything.
    const CHAIN: [(&str, &str, &str); 18] = [
        ("queue", "Kafka", ""),
        ("raw", "Null", ""),
        ("people", "MergeTree", ""),
        ("from_queue", "MaterializedView", "TO d.raw AS SELECT a FROM d.queue"),
        ("feed", "MaterializedView", "TO d.write AS SELECT a FROM d.raw JOIN d.people USING a"),
        ("write", "Distributed('main', 'd', 't', a)", ""),
        ("t", "MergeTree", ""),
        ("read", "Distributed(main, d, t)", ""),
        ("report", "View", "AS SELECT a FROM d.read"),
        ("hourly", "MaterializedView", "TO d.hours AS SELECT a FROM d.t WHERE dictGet('d.names', 'x', a) = ''"),
        ("hours", "SummingMergeTree", ""),
        ("daily", "MaterializedView", "TO d.days AS SELECT a FROM d.hours"),
        ("days", "SummingMergeTree", ""),
        ("names", "Dictionary", "SOURCE(CLICKHOUSE(TABLE 'days'))"),
        ("named", "Dictionary", "SOURCE(CLICKHOUSE(DB 'd' QUERY 'SELECT a FROM t'))"),
        ("buffer", "Buffer('d', 't', 16, 10, 100, 1, 2, 3, 4)", ""),
        ("both", "Merge(currentDatabase(), '^(t|days)$')", ""),
        ("lost", "MaterializedView", "TO d.gone AS SELECT a FROM d.days"),
    ];

    fn named(name: &str) -> TableName {
        TableName::new("d", name)
    }

    fn table(name: &str, engine_full: &str, rest: &str) -> Table {
        let engine = engine_full.split('(').next().unwrap();
        let create = match engine {
            "MaterializedView" => format!("CREATE MATERIALIZED VIEW d.{name} {rest}"),
            "View" => format!("CREATE VIEW d.{name} {rest}"),
            "Dictionary" => format!("CREATE DICTIONARY d.{name} (a UInt64) PRIMARY KEY a {rest} LAYOUT(FLAT())"),
            _ => format!("CREATE TABLE d.{name} (a UInt64) ENGINE = {engine_full}"),
        };
        let mut table = bare(name, engine, engine_full, &create);
        if name == "raw" {
            table.dependents = vec![named("feed")];
        }
        table
    }

    fn chain() -> Graph {
        let tables = CHAIN.map(|(name, engine, rest)| table(name, engine, rest));
        graph(&tables.iter().map(|table| (&table.name, table)).collect::<BTreeMap<_, _>>())
    }

    fn lines(graph: &Graph, root: &str, way: Way) -> String {
        let (branches, more) = tree(graph, &named(root), way);
        assert!(!more);
        let line = |branch: &Branch| {
            let seen = if branch.seen { " (seen)" } else { "" };
            format!("{}{} {}{seen}", "  ".repeat(branch.depth), branch.relation, branch.table)
        };
        branches.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn upstream_is_what_rows_come_from() {
        insta::assert_snapshot!(lines(&chain(), "t", Way::Up), @r"
        written by Buffer d.buffer
        written by Distributed d.write
          written by materialized view d.feed
            fed by Null d.raw
              written by materialized view d.from_queue
                fed by Kafka d.queue
            looks up in MergeTree d.people
        ");
    }

    #[test]
    fn downstream_is_what_rows_reach_and_what_reads_them() {
        insta::assert_snapshot!(lines(&chain(), "t", Way::Down), @r"
        materialized view d.hourly
          writes to SummingMergeTree d.hours
            materialized view d.daily
              writes to SummingMergeTree d.days
                materialized view d.lost
                  writes to missing d.gone
                Merge over it d.both
                dictionary d.names
                  looked up by materialized view d.hourly
        Merge over it d.both (seen)
        Buffer over it d.buffer
        dictionary d.named
        Distributed over it d.read
          view d.report
        Distributed over it d.write
        ");
    }

    #[test]
    fn a_table_that_writes_where_it_reads_has_both_ways() {
        insta::assert_snapshot!(lines(&chain(), "write", Way::Up), @r"
        written by materialized view d.feed
          fed by Null d.raw
            written by materialized view d.from_queue
              fed by Kafka d.queue
          looks up in MergeTree d.people
        reads MergeTree d.t
          written by Buffer d.buffer
        ");
        assert_eq!(lines(&chain(), "write", Way::Down).lines().next(), Some("writes to MergeTree d.t"));
    }

    #[test]
    fn the_part_around_a_table_leaves_the_rest_out() {
        let graph = chain();
        let report = around(&graph, &named("report"));
        assert_eq!(report.tables.len(), 10, "{report:?}");
        assert!(report.edges.iter().all(|edge| graph.edges.contains(edge) && edge.to != named("daily")));
        assert_eq!(report.engine(&named("queue")), Some("Kafka"));
        let json = serde_json::to_value(&report.edges[0]).unwrap();
        assert_eq!(json["relation"], "writes_to");
        assert_eq!(json["from"], serde_json::json!({"database": "d", "table": "buffer"}));
    }
}
