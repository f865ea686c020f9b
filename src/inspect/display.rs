//! A report as text tables.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use super::related::{self, Branch, Way};
use super::{Difference, ReplicaReport, Report, TableReplica, TableReport, differences};
use crate::catalog::Replication;
use crate::names::TableName;
use crate::render::figures;

/// Partitions shown of one table; JSON has all.
const PARTITIONS_SHOWN_MAX: usize = 40;
/// Differences shown; JSON has all.
const DIFFERENCES_SHOWN_MAX: usize = 40;

/// The report in `width` columns, without colour: the cluster and its tables, or one table in detail.
pub fn tables(report: &Report, width: u16, only: Option<&TableName>) -> String {
    let page = Page { report, width };
    let sections = match only {
        None => vec![page.cluster(), page.tables(), page.differences(|_| true)],
        Some(name) => match report.table(name) {
            Some(table) => page.detail(table),
            None => vec![visible(&format!("no table {name} on cluster {}", report.cluster))],
        },
    };
    let filled: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    filled.join("\n\n") + "\n"
}

struct Page<'a> {
    report: &'a Report,
    width: u16,
}

impl Page<'_> {
    fn grid(&self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width)
            .force_no_tty();
        if !header.is_empty() {
            table.set_header(header);
        }
        table
    }

    fn cluster(&self) -> String {
        let replicas = self.report.shards.iter().flat_map(|shard| &shard.replicas);
        let mut table = self.grid(&["Shard", "Replica", "Address", "Version", "Macros"]);
        for replica in replicas.clone() {
            table.add_row(replica_row(replica));
        }
        let answered = replicas.clone().filter(|replica| replica.reachable).count();
        let (shards, all) = (self.report.shards.len(), replicas.count());
        let title = format!(
            "Cluster {}: {}, {}, {}",
            visible(&self.report.cluster),
            counted(shards, "shard"),
            counted(all, "replica"),
            if answered == all { "all answer".to_owned() } else { format!("{answered} of which answer") },
        );
        titled(&title, &table)
    }

    fn tables(&self) -> String {
        let mut table = self.grid(&["Table", "Engine", "Sorting key", "Partition key", "Rows", "Size"]);
        for each in &self.report.tables {
            table.add_row(table_row(each));
        }
        // A long key is broken rather than an engine's name or a figure.
        for whole in [1, 4, 5] {
            if let Some(column) = table.column_mut(whole) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        if self.report.tables.is_empty() {
            return "No tables".to_owned();
        }
        titled("Tables (rows and size: one replica of each shard)", &table)
    }

    fn differences(&self, shown: impl Fn(&Difference) -> bool) -> String {
        let shown: Vec<&Difference> = self.report.differences.iter().filter(|each| shown(each)).collect();
        if shown.is_empty() {
            return String::new();
        }
        let mut table = self.grid(&[]);
        for difference in shown.iter().take(DIFFERENCES_SHOWN_MAX) {
            table.add_row(vec!["-".to_owned(), visible(&difference.text)]);
        }
        if let Some(more) = shown.len().checked_sub(DIFFERENCES_SHOWN_MAX + 1) {
            table.add_row(vec!["-".to_owned(), format!("and {} more", more + 1)]);
        }
        titled("Differences", &table)
    }

    fn detail(&self, table: &TableReport) -> Vec<String> {
        let name = table.full_name();
        vec![
            titled(&visible(&name.to_string()), &self.definition(table)),
            self.replicas(table),
            self.partitions(table),
            self.columns(table),
            self.tree("Upstream: where its rows come from", &name, Way::Up),
            self.tree("Downstream: where they go and what reads them", &name, Way::Down),
            self.differences(|difference| difference.concerns(&name)),
        ]
    }

    fn definition(&self, table: &TableReport) -> Table {
        let mut grid = self.grid(&[]);
        let mut add = |label: &str, value: &str| {
            if !value.is_empty() {
                grid.add_row(vec![label.to_owned(), visible(value)]);
            }
        };
        add("Engine", if table.engine_full.is_empty() { &table.engine } else { &table.engine_full });
        add("Sorting key", &table.sorting_key);
        if table.primary_key != table.sorting_key {
            add("Primary key", &table.primary_key);
        }
        add("Partition key", &table.partition_key);
        add("Sampling key", &table.sampling_key);
        if let Some(view) = &table.view {
            add("Reads", &view.sources.iter().map(TableName::to_string).collect::<Vec<_>>().join(", "));
            add("Writes to", &view.target.as_ref().map(TableName::to_string).unwrap_or_default());
        }
        if let Some(over) = &table.distributed {
            let database = over.database.as_deref().unwrap_or("(session's database)");
            add("Rows are in", &format!("{database}.{} on cluster {}", over.table, over.cluster));
            add("Sharding key", over.sharding_key.as_deref().unwrap_or_default());
        }
        if holds_data(table) {
            add("Data", &format!("{} rows, {}", figures::count(table.rows()), figures::bytes(table.bytes())));
        }
        grid
    }

    fn replicas(&self, table: &TableReport) -> String {
        let mut grid = self.grid(&["Replica", "Rows", "Size", "Parts", "Mutations", "Replication"]);
        for replica in table.shards.iter().flat_map(|shard| &shard.replicas) {
            grid.add_row(table_replica_row(replica));
        }
        if holds_data(table) { titled("Replicas", &grid) } else { String::new() }
    }

    fn partitions(&self, table: &TableReport) -> String {
        let all = || table.shards.iter().flat_map(|shard| shard.partitions.iter().map(move |each| (shard.num, each)));
        let mut grid = self.grid(&["Shard", "Partition", "Rows", "Size", "Parts"]);
        for (shard, each) in all().take(PARTITIONS_SHOWN_MAX) {
            grid.add_row(vec![
                Cell::new(shard),
                Cell::new(visible(&each.id)),
                number(figures::count(each.rows)),
                number(figures::bytes(each.bytes)),
                number(figures::count(each.parts)),
            ]);
        }
        match all().count() {
            0 => String::new(),
            count if count > PARTITIONS_SHOWN_MAX => {
                titled(&format!("Partitions (the first {PARTITIONS_SHOWN_MAX} of {count})"), &grid)
            }
            _ => titled("Partitions", &grid),
        }
    }

    fn columns(&self, table: &TableReport) -> String {
        let mut grid = self.grid(&[]);
        for column in &table.columns {
            grid.add_row(vec![visible(&column.name), visible(&differences::declared(column))]);
        }
        titled("Columns", &grid)
    }

    fn tree(&self, title: &str, name: &TableName, way: Way) -> String {
        let (branches, more) = related::tree(&self.report.graph, name, way);
        if branches.is_empty() {
            return String::new();
        }
        let mut lines = vec![title.to_owned(), format!(" {}", visible(&name.to_string()))];
        lines.extend((0..branches.len()).map(|index| tree_line(&branches, index)));
        if more {
            lines.push(" and more, which are in JSON".to_owned());
        }
        lines.join("\n")
    }
}

fn titled(title: &str, table: &Table) -> String {
    format!("{title}\n{}", table.trim_fmt())
}

fn replica_row(replica: &ReplicaReport) -> Vec<Cell> {
    let address = format!("{}:{}", replica.host, replica.port);
    let macros: Vec<String> = replica.macros.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (version, rest) = match (&replica.version, &replica.error) {
        (Some(version), _) => (visible(version), visible(&macros.join(", "))),
        (None, error) => ("no answer".to_owned(), visible(error.as_deref().unwrap_or_default())),
    };
    vec![
        Cell::new(replica.replica.shard),
        Cell::new(replica.replica),
        Cell::new(visible(&address)),
        Cell::new(version),
        Cell::new(rest),
    ]
}

fn table_row(table: &TableReport) -> Vec<Cell> {
    let (rows, size) = if holds_data(table) {
        (figures::count(table.rows()), figures::bytes(table.bytes()))
    } else {
        (String::new(), String::new())
    };
    vec![
        Cell::new(visible(&table.full_name().to_string())),
        Cell::new(visible(&table.engine)),
        Cell::new(visible(&table.sorting_key)),
        Cell::new(visible(&table.partition_key)),
        number(rows),
        number(size),
    ]
}

fn table_replica_row(replica: &TableReplica) -> Vec<Cell> {
    let state = replica.replication.as_ref().map(replication).unwrap_or_default();
    let mutations = replica.mutations_pending;
    vec![
        Cell::new(replica.replica),
        number(figures::count(replica.rows)),
        number(figures::bytes(replica.bytes)),
        number(figures::count(replica.parts)),
        number(if mutations == 0 { String::new() } else { format!("{mutations} pending") }),
        Cell::new(state),
    ]
}

/// `2 of 2 active`, and what is wrong.
fn replication(state: &Replication) -> String {
    let mut words = vec![format!("{} of {} active", state.active_replicas, state.total_replicas)];
    let wrong = [
        (state.is_readonly, "read-only".to_owned()),
        (state.is_session_expired, "session expired".to_owned()),
        (state.queue_size > 0, format!("{} queued", figures::count(state.queue_size))),
        (state.absolute_delay > 0, format!("{} s behind", figures::count(state.absolute_delay))),
    ];
    words.extend(wrong.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)));
    words.join(", ")
}

fn tree_line(branches: &[Branch], index: usize) -> String {
    let branch = &branches[index];
    // Whether another branch of this depth follows under the same parent.
    let goes_on = |depth: usize| {
        let later = branches[index + 1..].iter().map(|other| other.depth);
        later.take_while(|other| *other >= depth).any(|other| other == depth)
    };
    let stems: String = (0..branch.depth).map(|depth| if goes_on(depth) { "│  " } else { "   " }).collect();
    let fork = if goes_on(branch.depth) { "├─" } else { "└─" };
    let seen = if branch.seen { " (see above)" } else { "" };
    format!(" {stems}{fork} {} {}{seen}", branch.relation, visible(&branch.table.to_string()))
}

fn holds_data(table: &TableReport) -> bool {
    table.engine.ends_with("MergeTree") || table.rows() > 0
}

fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Control characters are written out: a name must not be able to move the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}
