//! The plan as a runbook that a person could carry out by hand.

use super::terminal::{changes, cluster, data, evaluated, evaluation, found, identity, untouched};
use super::{figures, grid, mermaid, uses, visible};
use crate::assess::Finding;
use crate::names::ReplicaId;
use crate::plan::{Cost, Gate, PartitionSize, Plan, Step};
use crate::runbook::{Dependency, Entry, Line, Passage, Repeat, Role, Runbook, Stage, Turn, UndoWay, Work};
use crate::words;

/// So many steps are named as dependencies; of more, the number. So many replicas are named where a step is on all of them.
const NAMED_MAX: usize = 8;

/// A document in GitHub's Markdown: summary, findings, overview, then every step with its SQL.
pub fn markdown(plan: &Plan) -> String {
    let runbook = Runbook::new(plan);
    let mut page = Page { text: String::new(), runbook: &runbook };
    page.summary();
    page.findings();
    page.evaluation();
    page.uses();
    page.overview();
    for stage in &runbook.stages {
        match stage {
            Stage::Gate(gate, entry) => page.gate(*gate, entry),
            Stage::Joint(entry) => page.joint(entry),
            Stage::Work(work) => page.work(work),
        }
    }
    page.text
}

struct Page<'r, 'p> {
    text: String,
    runbook: &'r Runbook<'p>,
}

impl Page<'_, '_> {
    fn summary(&mut self) {
        let plan = self.runbook.plan;
        self.paragraph(&format!("# Runbook: {}", code(&plan.objects.source.to_string())));
        self.fence("sql", &plan.change.statement);
        let mut rows: Vec<(String, String)> = changes(&plan.change);
        let mut add = |name: &str, value: String| rows.push((name.to_owned(), value));
        if let Some(names) = untouched(plan) {
            add("Not touched", names);
        }
        add("Cluster", cluster(self.runbook));
        add("Data", data(self.runbook));
        add("Expected time", format!("{}, without waiting at gates", figures::duration(self.runbook.seconds)));
        add("Plan", identity(self.runbook));
        self.table(
            "| | |\n|---|---|",
            rows.iter().map(|(name, value)| format!("| {} | {} |", prose(name), prose(value))),
        );
        self.list(plan.choices.iter().map(|choice| prose(choice)));
        self.paragraph(
            "A query under *check* or *ask* changes nothing. Where its answer is not the expected one, stop. \
             `{chunk}` stands for a partition's id as a string literal, such as `'202401'`.",
        );
    }

    fn findings(&mut self) {
        let mut findings: Vec<&Finding> = self.runbook.plan.findings.iter().collect();
        if findings.is_empty() {
            return;
        }
        findings.sort_by_key(|finding| (finding.severity, finding.suppressed.is_some()));
        self.paragraph(&format!("## {}", found(&self.runbook.plan.findings)));
        for finding in findings {
            let head = format!("{} {}", finding.severity.to_string().to_uppercase(), prose(&finding.code));
            let mut item = vec![format!("- **{head}**: {}", prose(&finding.what))];
            let suppressed = finding.suppressed.as_deref().unwrap_or_default();
            for (name, text) in [("why", finding.why.as_str()), ("help", &finding.help), ("suppressed", suppressed)] {
                if !text.is_empty() {
                    item.push(format!("  - {name}: {}", prose(text)));
                }
            }
            self.paragraph(&item.join("\n"));
        }
    }

    /// What the new key does to the queries that are really run.
    fn evaluation(&mut self) {
        let Some(evaluation) = evaluation(self.runbook.plan) else { return };
        self.paragraph("## Queries");
        self.paragraph(&format!("As `evaluate` measured: {}.", prose(&evaluated(evaluation))));
        let rows = evaluation.queries.iter().map(|query| {
            let [before, after] = query.rows_read;
            let figures = [query.count, before, after].map(figures::count).join(" | ");
            format!("| {} | {figures} | {} |", cell_code(&query.query), figures::times(after, before))
        });
        self.table("| query | runs | rows read today | with the new key | |\n|---|--:|--:|--:|---|", rows);
    }

    /// Who uses what is to go.
    fn uses(&mut self) {
        let Some(retirement) = uses::retirement(self.runbook.plan) else { return };
        self.paragraph("## Uses");
        self.paragraph(&prose(&uses::says(retirement)));
        if retirement.usage.uses.is_empty() {
            return;
        }
        let heads = format!("| {} |\n|{}", uses::HEADS.join(" | "), "---|".repeat(uses::HEADS.len()));
        let rows = uses::rows(retirement).map(|row| {
            let [cells @ .., query] = row;
            format!("| {} | {} |", cells.map(|cell| prose(&cell)).join(" | "), cell_code(&query))
        });
        self.table(&heads, rows);
    }

    fn overview(&mut self) {
        self.paragraph("## Overview");
        self.fence("mermaid", &mermaid::overview(self.runbook));
        let rows = self.runbook.stages.iter().map(|stage| match stage {
            Stage::Gate(gate, entry) => format!("| **GATE {gate}** | {} | | | |", prose(&entry.step.title)),
            Stage::Joint(entry) => format!("| **all shards** | {} | | | |", prose(&entry.step.title)),
            Stage::Work(work) => phase_row(work),
        });
        self.table("| phase | steps | rows | bytes | time |\n|---|--:|--:|--:|--:|", rows);
    }

    fn gate(&mut self, gate: Gate, entry: &Entry) {
        let last = if gate == Gate::Finalize { ": point of no return" } else { "" };
        self.paragraph(&format!("## ⛔ GATE {gate}{last}"));
        self.paragraph(&format!("**{}.** {}", prose(&entry.step.title), prose(&entry.step.why)));
        self.dependencies(entry);
        self.paragraph("Stop here until a person has approved.");
    }

    fn joint(&mut self, entry: &Entry) {
        self.paragraph("## All shards together");
        self.paragraph("Every shard waits here for the others.");
        self.step(entry);
    }

    fn work(&mut self, work: &Work) {
        self.paragraph(&format!("## Phase {}", work.name()));
        for entry in work.entries() {
            self.step(entry);
        }
    }

    fn step(&mut self, entry: &Entry) {
        let step = entry.step;
        self.paragraph(&format!("### {}. {}: {}", entry.number, code(step.id.as_str()), prose(&step.title)));
        self.paragraph(&prose(&step.why));
        let mut facts = Vec::new();
        if let Some(cost) = cost(step.cost) {
            facts.push(format!("Expected: {cost}"));
        }
        self.list(facts.into_iter());
        self.dependencies(entry);
        for passage in self.runbook.procedure(step) {
            self.passage(&passage);
        }
        self.undo(step);
    }

    fn dependencies(&mut self, entry: &Entry) {
        let dependencies = entry.dependencies();
        self.list(
            dependencies.iter().map(|dependency| format!("After {}: {}", steps(dependency), prose(dependency.because))),
        );
    }

    fn passage(&mut self, passage: &Passage) {
        self.paragraph(&format!("**On {}:**", self.places(passage)));
        if let Repeat::EachChunk(known) = passage.repeat {
            self.chunks(known);
        }
        for line in &passage.lines {
            self.line(line);
        }
    }

    fn places(&self, passage: &Passage) -> String {
        if passage.on.len() > NAMED_MAX && self.runbook.is_everywhere(&passage.on) {
            return "every replica".to_owned();
        }
        let place = |replica: &ReplicaId| format!("{replica} ({})", code(&self.runbook.address(*replica)));
        let places: Vec<String> = passage.on.iter().map(place).collect();
        let turn = if passage.turn == Turn::OneByOne && places.len() > 1 {
            ", one after the other, in this order"
        } else {
            ""
        };
        places.join(", ") + turn
    }

    fn chunks(&mut self, known: &[PartitionSize]) {
        self.paragraph("For each partition of the list, with its id in place of `{chunk}`:");
        if known.is_empty() {
            return;
        }
        let rows = known.iter().map(|chunk| {
            let (rows, bytes) = (figures::count(chunk.rows), figures::bytes(chunk.bytes));
            format!("| {} | {rows} | {bytes} |", cell_code(&chunk.id))
        });
        self.table("| partition when planned | rows | bytes |\n|---|--:|--:|", rows);
    }

    fn line(&mut self, line: &Line) {
        let says = if line.says.is_empty() { String::new() } else { format!(": {}", prose(line.says)) };
        let expect = match line.expect {
            None => String::new(),
            Some("") => ". Expected: no row".to_owned(),
            Some(answer) => format!(". Expected: {}", code(answer)),
        };
        self.paragraph(&format!("*{}*{says}{expect}", capital(line.role.name())));
        self.fence("sql", &line.sql.shown());
    }

    fn undo(&mut self, step: &Step) {
        match self.runbook.undo(step) {
            UndoWay::Nothing(because) => self.paragraph(&format!("**Undo:** nothing to do; {}", prose(because))),
            UndoWay::Impossible(because) => self.paragraph(&format!("**Undo: impossible.** {}", prose(because))),
            UndoWay::Run(passages) => {
                self.paragraph("**Undo**");
                for passage in &passages {
                    self.paragraph(&format!("On {}:", self.places(passage)));
                    passage.lines.iter().filter(|line| line.role == Role::Do).for_each(|line| self.line(line));
                }
            }
        }
    }

    fn paragraph(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn list(&mut self, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.map(|item| format!("- {item}")).collect();
        if !items.is_empty() {
            self.paragraph(&items.join("\n"));
        }
    }

    fn table(&mut self, head: &str, rows: impl Iterator<Item = String>) {
        let lines: Vec<String> = std::iter::once(head.to_owned()).chain(rows).collect();
        self.paragraph(&lines.join("\n"));
    }

    fn fence(&mut self, language: &str, content: &str) {
        let content = visible::sql(content);
        let fence = "`".repeat(longest_run(&content).max(2) + 1);
        self.paragraph(&format!("{fence}{language}\n{}\n{fence}", content.trim_end()));
    }
}

fn phase_row(work: &Work) -> String {
    let steps: usize = work.kinds.iter().map(|kind| kind.entries.len()).sum();
    format!("| {} | {steps} | {} |", work.name(), grid::costs(work.cost).join(" | "))
}

/// `1.2 million rows, 3.4 GiB, 14 s`; none where the cost is next to nothing.
pub(super) fn cost(cost: Cost) -> Option<String> {
    let parts = [
        (cost.rows > 0).then(|| figures::rows(cost.rows)),
        (cost.bytes > 0).then(|| figures::bytes(cost.bytes)),
        (cost.seconds > 0).then(|| figures::duration(cost.seconds)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn steps(dependency: &Dependency) -> String {
    words::first(dependency.steps.iter().map(|id| code(id.as_str())), NAMED_MAX)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A code span in a table, where a `|` would end the cell even inside the span.
fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A code span, its ticks longer than any run of them inside.
fn code(text: &str) -> String {
    let text = visible::line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let edge = |c: Option<char>| c.is_none_or(|c| c == '`' || c == ' ');
    let pad = if edge(text.chars().next()) || edge(text.chars().last()) { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Text that is shown as it is, wherever in a line it stands.
fn prose(text: &str) -> String {
    let text = visible::line(text);
    let chars: Vec<char> = text.chars().collect();
    let mut shown = String::with_capacity(text.len() + 8);
    for (at, c) in chars.iter().enumerate() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '#' | '~' | '$' => shown.extend(['\\', *c]),
            '_' if !is_inside_word(&chars, at) => shown.extend(['\\', '_']),
            '-' | '+' | '=' if at == 0 => shown.extend(['\\', *c]),
            '.' | ')' if starts_list(&chars, at) => shown.extend(['\\', *c]),
            _ => shown.push(*c),
        }
    }
    shown
}

/// Whether this is the end of a list item's number: `1. `.
fn starts_list(chars: &[char], at: usize) -> bool {
    at > 0 && chars[..at].iter().all(char::is_ascii_digit) && chars.get(at + 1).is_none_or(|next| *next == ' ')
}

/// Whether the run of underscores at this place has a letter or digit on both sides: then it is no emphasis.
fn is_inside_word(chars: &[char], at: usize) -> bool {
    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
    word(chars[..at].iter().rev().find(|c| **c != '_')) && word(chars[at..].iter().find(|c| **c != '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn names_stay_text() {
        assert_eq!(prose("a|b <b>`x`\n _y_ t__sw_new"), r"a\|b &lt;b&gt;\`x\`\\n \_y\_ t__sw_new");
        assert_eq!(prose("1. one"), r"1\. one");
        assert_eq!(prose("1.4 billion"), "1.4 billion");
        assert_eq!(prose("- one"), r"\- one");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(cell_code("a|b"), r"`a\|b`");
    }

    #[test]
    fn what_was_evaluated_is_told() {
        assert!(!markdown(&fixture::plan(2)).contains("## Queries"));
        let text = markdown(&fixture::hostile(2));
        assert!(text.contains("queries read 8.2 million rows in place of 82 million (10 × less)"));
        assert!(text.contains(" | 1,000 | 81,920 | 8,192 | 10 × less |"));
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        let text = markdown(&fixture::hostile(2));
        assert!(text.contains("\n````sql\nALTER TABLE"));
        let mut open: Option<usize> = None;
        for line in text.lines() {
            let ticks = line.chars().take_while(|c| *c == '`').count();
            match open {
                None if ticks >= 3 => open = Some(ticks),
                None => assert!(!line.contains("<b>") || line.contains('`'), "markup outside code: {line}"),
                Some(length) if ticks >= length && line.trim_end().len() == ticks => open = None,
                Some(length) => assert!(ticks < length, "a fence was closed by its content: {line}"),
            }
        }
        assert_eq!(open, None, "a fence is left open");
    }

    #[test]
    fn a_runbook_of_one_shard() {
        insta::assert_snapshot!(markdown(&fixture::plan(1)));
    }
}
