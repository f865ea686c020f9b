//! The steps of the page: those of a kind together, each to unfold.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::swimlane::{Look, look};
use super::super::{figures, grid, markdown, markup};
use crate::names::ReplicaId;
use crate::plan::{Gate, PartitionSize};
use crate::runbook::{
    Dependency, Entry, Kind, Line, Passage, Repeat, Role, Runbook, Stage, Turn, UndoWay, Work, dependencies,
};
use crate::words::{self, count};

/// Up to so many shards each step is shown apart; of more, those that run the same statements share one text.
const APART_MAX: usize = 8;
/// So many steps are named as dependencies; of more, the number. So many replicas are named where a step is on all of them.
const NAMED_MAX: usize = 8;
const EVERYWHERE: &str = "every replica";

/// All stages.
pub(super) fn stages(runbook: &Runbook) -> String {
    let page = Page { runbook, apart: runbook.shards.len() <= APART_MAX };
    let stages: Vec<String> = runbook
        .stages
        .iter()
        .map(|stage| match stage {
            Stage::Gate(gate, entry) => gate_bar(*gate, entry),
            Stage::Joint(entry) => page.joint(entry),
            Stage::Work(work) => page.work(work),
        })
        .collect();
    stages.join("\n")
}

struct Page<'r, 'p> {
    runbook: &'r Runbook<'p>,
    apart: bool,
}

impl<'p> Page<'_, 'p> {
    fn joint(&self, entry: &Entry<'p>) -> String {
        let kind = Page { apart: true, ..*self }.kind(&entry.alone());
        format!(
            "<section class=\"joint\">\n<h2>All shards together</h2>\n<p class=\"soft\">Every shard waits here for the others.</p>\n{kind}\n</section>"
        )
    }

    fn work(&self, work: &Work<'p>) -> String {
        let kinds: Vec<String> = work.kinds.iter().map(|kind| self.kind(kind)).collect();
        let cost = markdown::cost(work.cost).map(|cost| format!(" <small class=\"soft\">{cost}</small>"));
        format!(
            "<section>\n<h2>Phase {}{}</h2>\n{}\n</section>",
            work.name(),
            cost.unwrap_or_default(),
            kinds.join("\n")
        )
    }

    fn kind(&self, kind: &Kind<'p>) -> String {
        let tag = match look(kind) {
            Look::Read => "<span class=\"tag\">only reads</span>",
            Look::Do => "",
            Look::Gone => "<span class=\"tag gone\">cannot be taken back</span>",
        };
        let why = kind.entries.first().map(|entry| markup::text(&entry.step.why)).unwrap_or_default();
        let bodies: Vec<String> = if self.apart {
            kind.entries.iter().map(|entry| self.apart(entry)).collect()
        } else {
            self.variants(kind).iter().map(|entries| self.together(entries)).collect()
        };
        format!(
            "<article class=\"card kind\" id=\"{}\">\n<header><h3>{}</h3> <code>{}</code> {tag}<span class=\"soft\">{}</span></header>\n\
             <p class=\"soft\">{why}</p>\n{}\n</article>",
            markup::anchor("kind", &kind.stem),
            markup::text(kind.title()),
            markup::text(&kind.stem),
            markdown::cost(kind.cost()).unwrap_or_default(),
            bodies.join("\n")
        )
    }

    /// One step.
    fn apart(&self, entry: &Entry<'p>) -> String {
        let step = entry.step;
        let place = step.shard.map_or_else(|| "every shard".to_owned(), |shard| format!("shard {shard}"));
        let cost = markdown::cost(step.cost).map(|cost| format!(" · {cost}")).unwrap_or_default();
        format!(
            "<details id=\"{}\"><summary><b>{place}</b><span class=\"soft\"><code>{}</code> on {}{cost}</span></summary>\n<div class=\"body\">\n{}{}</div></details>",
            markup::anchor("step", step.id.as_str()),
            markup::text(step.id.as_str()),
            self.replicas(&step.action.replicas()),
            after(&[entry]),
            self.procedure(entry, &|on| self.places(on), true)
        )
    }

    /// Steps of one kind, those with the same statements and answers together.
    fn variants<'k>(&self, kind: &'k Kind<'p>) -> Vec<Vec<&'k Entry<'p>>> {
        let mut variants: Vec<Vec<&Entry>> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &kind.entries {
            let place = *places.entry(self.procedure(entry, &numbers, false)).or_insert_with(|| {
                variants.push(Vec::new());
                variants.len() - 1
            });
            variants[place].push(entry);
        }
        variants
    }

    /// Steps of several shards that run the same statements.
    fn together(&self, entries: &[&Entry<'p>]) -> String {
        let Some(first) = entries.first() else { return String::new() };
        let what = if entries.len() == 1 {
            format!("<code>{}</code>", markup::text(first.step.id.as_str()))
        } else {
            format!("{}, the same statements on each", count(entries.len(), "shard"))
        };
        let mut rows = String::new();
        for entry in entries {
            let step = entry.step;
            let [count, bytes, seconds] = grid::costs(step.cost);
            // Writing to a string cannot fail.
            let _ = writeln!(
                rows,
                "<tr id=\"{}\"><td><code>{}</code></td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                markup::anchor("step", step.id.as_str()),
                markup::text(step.id.as_str()),
                self.places(&step.action.replicas()),
                count,
                bytes,
                seconds
            );
        }
        format!(
            "<details><summary><b>{what}</b></summary>\n<div class=\"body\">\n{}{}<h4>Where</h4>\n<div class=\"scroll\" tabindex=\"0\"><table>\n\
             <tr><th>step</th><th>replicas</th><th class=\"num\">rows</th><th class=\"num\">bytes</th><th class=\"num\">time</th></tr>\n{rows}</table></div>\n</div></details>",
            after(entries),
            self.procedure(first, &numbers, false)
        )
    }

    /// What is run, and how it is taken back. `known` says whether to list the partitions known when planned.
    fn procedure(&self, entry: &Entry<'p>, places: &dyn Fn(&[ReplicaId]) -> String, known: bool) -> String {
        let passages = self.runbook.procedure(entry.step);
        let mut parts: Vec<String> = passages.iter().map(|one| passage(one, places, known)).collect();
        parts.push(match self.runbook.undo(entry.step) {
            UndoWay::Nothing(because) => {
                format!("<div class=\"undo\"><p><b>Undo:</b> nothing to do; {}</p></div>\n", markup::text(because))
            }
            UndoWay::Impossible(because) => {
                format!("<div class=\"undo\"><p><b>Undo: impossible.</b> {}</p></div>\n", markup::text(because))
            }
            UndoWay::Run(passages) => {
                let passages: Vec<String> = passages.iter().map(|one| passage(one, places, known)).collect();
                format!("<div class=\"undo\"><p><b>Undo</b></p>{}</div>\n", passages.join(""))
            }
        });
        parts.join("")
    }

    fn are_many_everywhere(&self, on: &[ReplicaId]) -> bool {
        on.len() > NAMED_MAX && self.runbook.is_everywhere(on)
    }

    fn replicas(&self, on: &[ReplicaId]) -> String {
        if self.are_many_everywhere(on) { EVERYWHERE.to_owned() } else { names(on) }
    }

    fn places(&self, on: &[ReplicaId]) -> String {
        if self.are_many_everywhere(on) {
            return EVERYWHERE.to_owned();
        }
        let place =
            |replica: &ReplicaId| format!("{replica} <code>{}</code>", markup::text(&self.runbook.address(*replica)));
        on.iter().map(place).collect::<Vec<_>>().join(", ")
    }
}

fn gate_bar(gate: Gate, entry: &Entry) -> String {
    let (class, last) =
        if gate == Gate::Finalize { ("gate-bar last", ": point of no return") } else { ("gate-bar", "") };
    format!(
        "<section class=\"{class}\" id=\"{}\">\n<h2>GATE {gate}{last}</h2>\n<p><b>{}.</b> {}</p>\n{}</section>",
        markup::anchor("step", entry.step.id.as_str()),
        markup::text(&entry.step.title),
        markup::text(&entry.step.why),
        after(&[entry])
    )
}

fn names(on: &[ReplicaId]) -> String {
    on.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Replicas of whichever shard.
fn numbers(on: &[ReplicaId]) -> String {
    let numbers: Vec<String> = on.iter().map(|replica| replica.replica.to_string()).collect();
    let word = if numbers.len() == 1 { "replica" } else { "replicas" };
    format!("{word} {} of the shard", numbers.join(", "))
}

fn after(entries: &[&Entry]) -> String {
    let items: Vec<String> = dependencies(entries)
        .iter()
        .map(|dependency| format!("<li>after {}: {}</li>\n", named(dependency), markup::text(dependency.because)))
        .collect();
    if items.is_empty() { String::new() } else { format!("<ul>\n{}</ul>\n", items.join("")) }
}

fn named(dependency: &Dependency) -> String {
    let link = |id: &str| format!("<a href=\"#{}\"><code>{}</code></a>", markup::anchor("step", id), markup::text(id));
    words::first(dependency.steps.iter().map(|id| link(id.as_str())), NAMED_MAX)
}

fn passage(passage: &Passage, places: &dyn Fn(&[ReplicaId]) -> String, known: bool) -> String {
    let turn = if passage.turn == Turn::OneByOne && passage.on.len() > 1 {
        ", one after the other, in this order"
    } else {
        ""
    };
    let mut parts = vec![format!("<h4>On {}{turn}</h4>\n", places(&passage.on))];
    if let Repeat::EachChunk(partitions) = passage.repeat {
        parts.push(
            "<p class=\"line\">For each partition of the list, with its id in place of <code>{chunk}</code>:</p>\n"
                .to_owned(),
        );
        if known {
            parts.push(chunks(partitions));
        }
    }
    parts.extend(passage.lines.iter().map(line));
    parts.join("")
}

fn chunks(known: &[PartitionSize]) -> String {
    if known.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = known
        .iter()
        .map(|chunk| {
            let (rows, bytes) = (figures::count(chunk.rows), figures::bytes(chunk.bytes));
            let id = markup::text(&chunk.id);
            format!("<tr><td><code>{id}</code></td><td class=\"num\">{rows}</td><td class=\"num\">{bytes}</td></tr>\n")
        })
        .collect();
    format!(
        "<details><summary>{} when planned</summary>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<tr><th>partition</th><th class=\"num\">rows</th>\
         <th class=\"num\">bytes</th></tr>\n{}</table></div></details>\n",
        count(known.len(), "partition"),
        rows.join("")
    )
}

fn line(line: &Line) -> String {
    let expect = match line.expect {
        None => String::new(),
        Some("") => "; expected: no row".to_owned(),
        Some(answer) => format!("; expected: <code>{}</code>", markup::text(answer)),
    };
    let class = if line.role == Role::Do { "role" } else { "role soft" };
    format!(
        "<p class=\"line\"><span class=\"{class}\">{}</span> {}{expect}</p>\n<pre>{}</pre>\n",
        line.role.name(),
        markup::text(line.says),
        markup::sql(&line.sql.shown())
    )
}
