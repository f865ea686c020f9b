//! What `inspect --table` draws of a chain of tables.

use serde_json::Value;

use crate::harness::{Running, on_both_ends};
use crate::in_place::set_up;
use crate::tool::Tool;
use crate::world::everywhere;

on_both_ends! {
    shared: a_table_is_shown_with_all_that_feeds_and_reads_it;
}

/// The part of the page from a title to the next empty line, without the title.
fn section(page: &str, title: &str) -> String {
    let lines = page.lines().skip_while(|line| !line.starts_with(title)).skip(1);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn a_table_is_shown_with_all_that_feeds_and_reads_it(cluster: &Running) {
    let db = "graph";
    set_up(cluster, db);
    everywhere(
        cluster,
        &[
            "CREATE TABLE graph.buffer AS graph.t ENGINE = Buffer(graph, t, 1, 10, 100, 10, 100, 10000, 1000000)",
            "CREATE TABLE graph.some (d Date) ENGINE = Merge(graph, '^(t|daily_data)$')",
        ],
    );
    let tool = Tool::new(cluster);
    let page = tool.expect(0, &["inspect", "--table", "graph.t"]).stdout;
    let (local, daily) = if cluster.replicates() {
        ("ReplicatedMergeTree", "ReplicatedSummingMergeTree")
    } else {
        ("MergeTree", "SummingMergeTree")
    };
    // Old servers have neither the view into the writable table nor dictionaries that are tables.
    let (feed, dictionary) = if cluster.replicates() {
        ("", "")
    } else {
        (
            "\n    └─ written by materialized view graph.feed\n       └─ fed by Null graph.source",
            "\n ├─ dictionary graph.dict",
        )
    };
    assert_eq!(
        section(&page, "Upstream"),
        format!(" graph.t\n ├─ written by Buffer graph.buffer\n └─ written by Distributed graph.write{feed}")
    );
    let down = format!(
        " graph.t
 ├─ materialized view graph.daily
 │  └─ writes to {daily} graph.daily_data
 │     └─ Merge over it graph.some
 ├─ Buffer over it graph.buffer{dictionary}
 ├─ Distributed over it graph.read
 │  └─ view graph.report
 ├─ Merge over it graph.some (see above)
 └─ Distributed over it graph.write"
    );
    assert_eq!(section(&page, "Downstream"), down);
    let json = tool.expect(0, &["inspect", "--table", "graph.report", "--format", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let engines = json["graph"]["tables"].as_array().unwrap().iter();
    let engines: Vec<(&str, &str)> =
        engines.map(|node| (node["name"].as_str().unwrap(), node["engine"].as_str().unwrap())).collect();
    assert!(engines.contains(&("t", local)) && !engines.iter().any(|(name, _)| *name == "daily"), "{engines:?}");
    everywhere(cluster, &["DROP DATABASE graph"]);
}
