//! A report for the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::report::{Candidate, QueryReport, Report};
use crate::render::figures::{bytes, count, times};

/// Query groups that are shown; JSON has all.
const QUERIES_SHOWN_MAX: usize = 40;
/// Groups without figures that are shown.
const NOT_COVERED_SHOWN_MAX: usize = 10;
/// Characters of the longest bar.
const BAR: usize = 20;

/// The report in `width` columns, without colour.
pub fn tables(report: &Report, width: u16) -> String {
    let sections = [
        keys(report, width),
        queries(report, width),
        suggested(report, width),
        alternatives(report, width),
        not_covered(report, width),
        confidence(report),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn grid(width: u16, header: &[String]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .force_no_tty();
    table.set_header(header);
    table
}

fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn titled(title: &str, table: &Table) -> String {
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{title}\n{}", lines.join("\n"))
}

fn keys(report: &Report, width: u16) -> String {
    let mut table =
        grid(width, &text(&["", "Sorting key", "Rows read", "", "Against today", "Size", "Index", "Insert", "Merge"]));
    let most = report.candidates.iter().map(|candidate| candidate.rows_read_weighted).max().unwrap_or(1);
    let today = report.candidates.first();
    for (at, candidate) in report.candidates.iter().enumerate() {
        table.add_row(vec![
            Cell::new(label(at)),
            Cell::new(shown(&candidate.order_by)),
            right(count(candidate.rows_read_weighted)),
            Cell::new(bar(candidate.rows_read_weighted, most)),
            right(today.map_or_else(String::new, |today| against(candidate, today))),
            right(bytes(candidate.compressed_bytes)),
            right(bytes(candidate.primary_index_bytes)),
            right(format!("{:.1} s", candidate.insert_seconds)),
            right(format!("{:.1} s", candidate.merge_seconds)),
        ]);
    }
    let notes: Vec<String> = report
        .candidates
        .iter()
        .enumerate()
        .flat_map(|(at, candidate)| candidate.notes.iter().map(move |note| format!("  {}: {note}", label(at))))
        .collect();
    let title = format!("Sorting keys of {}, by the rows that the workload reads", shown(&report.table));
    [vec![titled(&title, &table)], notes].concat().join("\n")
}

/// `today`, `A`, `B` and so on.
fn label(at: usize) -> String {
    match u8::try_from(at) {
        Ok(0) => "today".to_owned(),
        Ok(at @ 1..=26) => char::from(b'A' + at - 1).to_string(),
        _ => format!("#{at}"),
    }
}

fn against(candidate: &Candidate, today: &Candidate) -> String {
    if candidate.current { String::new() } else { times(candidate.rows_read_weighted, today.rows_read_weighted) }
}

fn bar(number: u64, most: u64) -> String {
    let length = super::report::whole(number as f64 / most.max(1) as f64 * BAR as f64);
    let length = usize::try_from(length).unwrap_or(BAR).clamp(usize::from(number > 0), BAR);
    "█".repeat(length)
}

/// Worst regressions first: what the best of the others makes worse.
fn queries(report: &Report, width: u16) -> String {
    if report.queries.is_empty() {
        return String::new();
    }
    let mut header = text(&["Query", "Runs"]);
    header.extend((0..report.candidates.len()).map(label));
    header.push(String::new());
    let mut table = grid(width, &header);
    let best = best(report);
    let mut shown_first: Vec<&QueryReport> = report.queries.iter().collect();
    let worse = |query: &QueryReport| {
        let rows = |at: usize| query.rows_read.get(at).copied().unwrap_or_default();
        rows(best).saturating_mul(query.count).saturating_sub(rows(0).saturating_mul(query.count))
    };
    shown_first.sort_by_key(|query| std::cmp::Reverse(worse(query)));
    for query in shown_first.iter().take(QUERIES_SHOWN_MAX) {
        let mut row = vec![Cell::new(shown(&query.query)), right(count(query.count))];
        row.extend(query.rows_read.iter().map(|rows| right(count(*rows))));
        let new = query.rows_read.get(best).copied().unwrap_or_default();
        let today = query.rows_read.first().copied().unwrap_or_default();
        row.push(Cell::new(if best == 0 { String::new() } else { times(new, today) }));
        table.add_row(row);
    }
    let more = report.queries.len().saturating_sub(QUERIES_SHOWN_MAX);
    let more = if more > 0 { format!("\n  and {more} more, in --format json") } else { String::new() };
    let title = if best == 0 {
        "Rows that one run reads, in the mean over its literals".to_owned()
    } else {
        format!("Rows that one run reads, in the mean over its literals; what {} makes worse comes first", label(best))
    };
    titled(&title, &table) + &more
}

/// The candidate that reads least.
fn best(report: &Report) -> usize {
    let read = |at: &usize| report.candidates[*at].rows_read_weighted;
    (0..report.candidates.len()).min_by_key(read).unwrap_or(0)
}

fn suggested(report: &Report, width: u16) -> String {
    if report.suggested.is_empty() {
        return String::new();
    }
    let mut table = grid(width, &text(&["Suggested key", "Rows read", "Against today", "Size", "Because"]));
    let today = report.candidates.first().map_or(0, |today| today.rows_read_weighted);
    for key in &report.suggested {
        table.add_row(vec![
            Cell::new(shown(&key.order_by)),
            right(count(key.rows_read_weighted)),
            right(times(key.rows_read_weighted, today)),
            right(bytes(key.compressed_bytes)),
            Cell::new(key.evidence.join("; ")),
        ]);
    }
    titled(
        &format!("Suggested, of {} that were tried", crate::words::count(report.measured.keys_tried as u64, "key")),
        &table,
    )
}

fn alternatives(report: &Report, width: u16) -> String {
    if report.alternatives.is_empty() {
        return String::new();
    }
    let mut table = grid(width, &text(&["Instead of a new key", "", "Rows read", "Against today", "Size"]));
    let today = report.candidates.first().map_or(0, |today| today.rows_read_weighted);
    for other in &report.alternatives {
        table.add_row(vec![
            Cell::new(&other.kind),
            Cell::new(shown(&other.sql)),
            right(count(other.rows_read_weighted)),
            right(times(other.rows_read_weighted, today)),
            right(bytes(other.compressed_bytes)),
        ]);
    }
    titled("What else would serve", &table)
}

fn not_covered(report: &Report, width: u16) -> String {
    if report.not_covered.is_empty() {
        return String::new();
    }
    let mut table = grid(width, &text(&["Not measured", "Runs", "Read", "Why"]));
    for rest in report.not_covered.iter().take(NOT_COVERED_SHOWN_MAX) {
        table.add_row(vec![
            Cell::new(shown(&rest.query)),
            right(count(rest.count)),
            right(bytes(rest.read_bytes)),
            Cell::new(shown(&rest.reason)),
        ]);
    }
    let more = report.not_covered.len().saturating_sub(NOT_COVERED_SHOWN_MAX);
    let more = if more > 0 { format!("\n  and {more} more, in --format json") } else { String::new() };
    titled("Left out", &table) + &more
}

fn confidence(report: &Report) -> String {
    let (coverage, measured) = (&report.coverage, &report.measured);
    let mut lines = vec![format!(
        "Measured: {} of {} queries ({:.0} % of the bytes that they read), on {} (ClickHouse {})",
        count(coverage.queries_measured),
        count(coverage.queries_seen),
        coverage.read_bytes * 100.0,
        measured.on,
        measured.version,
    )];
    let share = measured.sample_rows as f64 / measured.table_rows.max(1) as f64 * 100.0;
    lines.push(format!(
        "  {} of {} rows ({share:.1} %) in each twin, granules of {} rows for {}; {} s",
        count(measured.sample_rows),
        count(measured.table_rows),
        measured.twin_granule_rows,
        measured.granule_rows,
        super::report::whole(measured.seconds),
    ));
    lines.extend(report.notes.iter().map(|note| format!("  {note}")));
    lines.join("\n")
}

/// Text from a server or a file, without control characters.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_labels_stay_within_bounds() {
        assert_eq!([bar(0, 10), bar(1, 1000), bar(5, 10)], [String::new(), "█".into(), "█".repeat(10)]);
        assert_eq!([label(0), label(2), label(30)], ["today", "B", "#30"]);
    }
}
