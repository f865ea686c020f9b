//! The plan for a reviewer at a terminal: what changes, the phases by shard, what was found.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::{figures, grid, uses, visible};
use crate::assess::{Evaluation, Finding, Retirement, Severity};
use crate::catalog::Keys;
use crate::names::TableName;
use crate::plan::{ChangeSummary, Changed, Plan, Rebuild, TableCommands};
use crate::runbook::Runbook;
use crate::words::count;

/// The plan in `width` columns, coloured by ANSI escapes if `colour`.
pub fn terminal(plan: &Plan, width: u16, colour: bool) -> String {
    let runbook = Runbook::new(plan);
    let page = Page { width, colour };
    let mut parts = vec![page.header(&runbook), grid::phases(&runbook, usize::from(width), colour)];
    if !plan.findings.is_empty() {
        parts.push(page.findings(&plan.findings));
    }
    parts.extend(uses::retirement(plan).map(|retirement| page.uses(retirement)));
    parts.join("\n\n") + "\n"
}

/// Findings alone, for a change that is not planned because of them.
pub fn findings(findings: &[Finding], width: u16, colour: bool) -> String {
    Page { width, colour }.findings(findings) + "\n"
}

struct Page {
    width: u16,
    colour: bool,
}

impl Page {
    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width);
        if self.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table
    }

    fn finish(table: &Table) -> String {
        table.trim_fmt()
    }

    fn header(&self, runbook: &Runbook) -> String {
        let plan = runbook.plan;
        let mut table = self.table();
        let mut add = |name: &str, value: &str| {
            table.add_row(vec![Cell::new(name).add_attribute(Attribute::Bold), Cell::new(value)]);
        };
        add("Table", &visible::line(&plan.objects.source.to_string()));
        for (name, value) in changes(&plan.change) {
            add(&visible::line(&name), &visible::line(&value));
        }
        if let Some(names) = untouched(plan) {
            add("Not touched", &visible::line(&names));
        }
        add("Cluster", &visible::line(&cluster(runbook)));
        add("Data", &data(runbook));
        add("Expected", &format!("{} of work, without waiting at gates", figures::duration(runbook.seconds)));
        if let Some(evaluation) = evaluation(plan) {
            add("Evaluated", &visible::line(&evaluated(evaluation)));
        }
        add("Plan", &visible::line(&identity(runbook)));
        for choice in &plan.choices {
            add("Chosen", &visible::line(choice));
        }
        Self::finish(&table)
    }

    fn findings(&self, findings: &[Finding]) -> String {
        let mut ordered: Vec<&Finding> = findings.iter().collect();
        ordered.sort_by_key(|finding| (finding.severity, finding.suppressed.is_some()));
        let mut table = self.table();
        for finding in ordered {
            Self::finding(&mut table, finding);
        }
        format!("{}\n{}", found(findings), Self::finish(&table))
    }

    /// Who uses what is to go.
    fn uses(&self, retirement: &Retirement) -> String {
        let mut says = self.table();
        says.add_row(vec![visible::line(&uses::says(retirement))]);
        let says = Self::finish(&says);
        if retirement.usage.uses.is_empty() {
            return format!("Uses: none\n{says}");
        }
        let mut table = self.table();
        table.add_row(uses::HEADS.map(|head| Cell::new(head).add_attribute(Attribute::Bold)));
        for row in uses::rows(retirement) {
            table.add_row(row.map(|text| visible::line(&text)));
        }
        format!("Uses\n{says}\n{}", Self::finish(&table))
    }

    fn finding(table: &mut Table, finding: &Finding) {
        let colour = match finding.severity {
            Severity::Blocker => Color::Red,
            Severity::Hazard => Color::Yellow,
            Severity::Note => Color::Blue,
        };
        let head = format!("{} {}", finding.severity.to_string().to_uppercase(), visible::line(&finding.code));
        let head = Cell::new(head).add_attribute(Attribute::Bold).fg(colour);
        table.add_row(vec![head, Cell::new(visible::line(&finding.what)).add_attribute(Attribute::Bold)]);
        let suppressed = finding.suppressed.as_deref().unwrap_or_default();
        for (name, text) in [("why", finding.why.as_str()), ("help", &finding.help), ("suppressed", suppressed)] {
            if !text.is_empty() {
                let name = Cell::new(name).set_alignment(CellAlignment::Right);
                table.add_row(vec![name, Cell::new(visible::line(text))]);
            }
        }
    }
}

/// What changes, by name, as it reads in one line.
pub(super) fn changes(change: &ChangeSummary) -> Vec<(String, String)> {
    let line = |(name, [before, after]): (String, [String; 2])| {
        (name, if before.is_empty() { after } else { format!("{before} → {after}") })
    };
    changed(change).into_iter().map(line).collect()
}

/// What changes, by name, before and after; nothing before where it is a statement. What stays is left out.
pub(super) fn changed(change: &ChangeSummary) -> Vec<(String, [String; 2])> {
    match &change.what {
        Changed::Keys(rebuild) => {
            let keys = changed_keys(rebuild).into_iter().map(|(name, pair)| (name.to_owned(), pair));
            keys.chain(changed_types(rebuild)).collect()
        }
        Changed::Commands(tables) => tables.iter().flat_map(commands).collect(),
        Changed::Sharding(reshard) => {
            let before = reshard.before.clone().unwrap_or_else(|| "none".to_owned());
            vec![(format!("Sharding key of {}", reshard.distributed), [before, reshard.after.clone()])]
        }
    }
}

fn commands(table: &TableCommands) -> impl Iterator<Item = (String, [String; 2])> + '_ {
    let statement = |commands: &String| (format!("Changes {}", table.table), [String::new(), commands.clone()]);
    let effect = (!table.effect.is_empty()).then(|| ("Effect".to_owned(), [String::new(), table.effect.clone()]));
    table.statements.iter().map(statement).chain(effect)
}

fn changed_types(change: &Rebuild) -> impl Iterator<Item = (String, [String; 2])> + '_ {
    change.types.iter().map(|one| (format!("Column {}", one.column), [one.before.clone(), one.after.clone()]))
}

fn changed_keys(change: &Rebuild) -> Vec<(&'static str, [String; 2])> {
    type Key = fn(&Keys) -> &str;
    let keys: [(&str, Key); 4] = [
        ("Sorting key", |keys| &keys.sorting),
        ("Primary key", |keys| &keys.primary),
        ("Partition key", |keys| &keys.partition),
        ("Sampling key", |keys| &keys.sampling),
    ];
    let mut changes = Vec::new();
    for (name, key) in keys {
        let (before, after) = (key(&change.before), key(&change.after));
        // A primary key that follows the sorting key says nothing new.
        let follows = name == "Primary key" && before == change.before.sorting && after == change.after.sorting;
        if before != after && !follows {
            changes.push((name, [before, after].map(|key| format!("({key})"))));
        }
    }
    if change.engine[0] != change.engine[1] {
        changes.push(("Engine", change.engine.clone()));
    }
    changes
}

/// What `evaluate` measured of a change of key.
pub(super) fn evaluation(plan: &Plan) -> Option<&Evaluation> {
    plan.rebuild()?.evaluation.as_ref()
}

/// The workload before and after, and how far that can be relied on.
pub(super) fn evaluated(evaluation: &Evaluation) -> String {
    let Evaluation { rows_read: [before, after], compressed_bytes: [size, new_size], .. } = evaluation;
    format!(
        "queries read {} in place of {} ({}), the data take {} in place of {}; {} % of the queries, {} % of the bytes that they read, \
         measured on {}",
        figures::rows(*after),
        figures::count(*before),
        figures::times(*after, *before),
        figures::bytes(*new_size),
        figures::bytes(*size),
        evaluation.queries_percent,
        evaluation.read_bytes_percent,
        evaluation.measured
    )
}

/// `d.all (Distributed), d.per_day (view)`: what goes on by name, as it is.
pub(super) fn untouched(plan: &Plan) -> Option<String> {
    let changes = |name: &&TableName| match &plan.change.what {
        Changed::Keys(rebuild) => !rebuild.types.is_empty() && plan.objects.distributed.contains(name),
        Changed::Commands(tables) => tables.iter().any(|table| table.table == **name),
        Changed::Sharding(reshard) => reshard.distributed == **name,
    };
    let objects = &plan.objects;
    let distributed =
        objects.distributed.iter().filter(|name| !changes(name)).map(|name| format!("{name} (Distributed)"));
    let names: Vec<String> = distributed.chain(objects.views.iter().map(|name| format!("{name} (view)"))).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// `5ca1ab1e, strategy mirror, 35 steps`.
pub(super) fn identity(runbook: &Runbook) -> String {
    let plan = runbook.plan;
    format!("{}, strategy {}, {}", plan.id, runbook.strategy(), count(plan.steps.len(), "step"))
}

/// `main, 2 shards × 2 replicas, ClickHouse 18.16.1`.
pub(super) fn cluster(runbook: &Runbook) -> String {
    format!("{}, {}, ClickHouse {}", runbook.plan.cluster.name, runbook.shape(), runbook.versions().join(", "))
}

/// `1.2 million rows, 3.4 GiB on one replica of each shard`.
pub(super) fn data(runbook: &Runbook) -> String {
    let plan = runbook.plan;
    let total =
        format!("{}, {} on one replica of each shard", figures::rows(plan.rows()), figures::bytes(plan.bytes()));
    match plan.sizes.iter().rev().max_by_key(|size| size.bytes) {
        Some(largest) if plan.sizes.len() > 1 => {
            format!("{total}; the largest is shard {} with {}", largest.shard, figures::bytes(largest.bytes))
        }
        _ => total,
    }
}

/// `Findings: 1 blocker (suppressed), 2 hazards`.
pub(super) fn found(findings: &[Finding]) -> String {
    let mut parts = Vec::new();
    for severity in [Severity::Blocker, Severity::Hazard, Severity::Note] {
        let of = |suppressed: bool| {
            findings.iter().filter(|f| f.severity == severity && f.suppressed.is_some() == suppressed).count()
        };
        if of(false) > 0 {
            parts.push(count(of(false), &severity.to_string()));
        }
        if of(true) > 0 {
            parts.push(format!("{} (suppressed)", count(of(true), &severity.to_string())));
        }
    }
    format!("Findings: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    #[test]
    fn two_shards_beside_each_other() {
        insta::assert_snapshot!(terminal(&fixture::plan(2), 100, false));
    }

    #[test]
    fn a_thousand_shards_are_as_easy_to_read() {
        let text = terminal(&fixture::plan(1000), 100, false);
        assert!(text.lines().count() < 70, "{} lines", text.lines().count());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn no_line_is_wider_than_asked_and_no_name_colours_the_terminal() {
        for (shards, width) in [(1, 80), (2, 100), (6, 120), (40, 80)] {
            let text = terminal(&fixture::hostile(shards), width, false);
            assert!(!text.contains('\x1b'), "an escape sequence came through");
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{shards} shards: {line}");
            }
        }
    }

    #[test]
    fn colour_is_there_when_asked_for() {
        assert!(terminal(&fixture::plan(1), 100, true).contains('\x1b'));
    }
}
