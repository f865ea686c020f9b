//! Renderings that another program must be able to read.

use std::io::Write as _;
use std::process::{Command, Stdio};

use shardwright::render;
// The fixture is the library's own: it names these modules as parts of its crate.
use shardwright::{assess, catalog, names, plan};

#[path = "../src/render/fixture/mod.rs"]
mod fixture;

/// What Graphviz makes of a graph.
fn drawn(dot: &str) -> String {
    let mut graphviz = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Graphviz is needed for this test: install the package graphviz");
    let mut input = graphviz.stdin.take().expect("standard input is a pipe");
    let text = dot.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = graphviz.wait_with_output().expect("dot runs to its end");
    writer.join().expect("the writer does not panic").expect("dot reads all of its input");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "dot refused the graph: {complaints}");
    assert_eq!(complaints, "", "dot complained");
    String::from_utf8(output.stdout).expect("SVG is UTF-8")
}

#[test]
fn graphviz_draws_every_step_and_edge() {
    let plan = fixture::plan(2);
    let svg = drawn(&render::dot(&plan));
    assert_eq!(svg.matches("class=\"node\"").count(), plan.steps.len());
    assert_eq!(svg.matches("class=\"edge\"").count(), plan.edges.len());
    assert_eq!(svg.matches("class=\"cluster\"").count(), 10);
    assert!(svg.contains("xlink:title=\"the mirror writes into the shadow table\""), "reasons are tooltips");
}

#[test]
fn graphviz_draws_hostile_names_as_text() {
    let plan = fixture::hostile(2);
    let svg = drawn(&render::dot(&plan));
    assert_eq!(svg.matches("class=\"node\"").count(), plan.steps.len());
    assert!(svg.contains(r"check &lt;b&gt;all|`things`\nDROP TABLE t; &#45;&#45; &quot;]"), "{svg}");
    assert!(!svg.contains("<b>"));
}

#[test]
fn graphviz_draws_many_shards_together() {
    let svg = drawn(&render::dot(&fixture::plan(1000)));
    assert_eq!(svg.matches("class=\"node\"").count(), 20);
}
