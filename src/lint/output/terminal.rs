//! For people: each finding with its line, the place marked.

use anstyle::{AnsiColor, Style};

use crate::assess::Severity;
use crate::lint::{FileReport, Found, Place, Report, UNREADABLE, Unparsed};
use crate::words::count;

/// More of a line is not shown.
const LINE_CHARS_MAX: usize = 160;

/// All that was found, with colours if wanted.
pub fn terminal(report: &Report, coloured: bool) -> String {
    let paint = Paint { coloured };
    let mut text = String::new();
    for file in &report.files {
        for unparsed in &file.unparsed {
            text.push_str(&unread(file, unparsed, paint));
        }
        for found in &file.findings {
            text.push_str(&finding(file, found, paint));
        }
        text.push_str(&summary(file));
    }
    text
}

#[derive(Clone, Copy)]
struct Paint {
    coloured: bool,
}

impl Paint {
    fn on(self, style: Style, text: &str) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn style_of(severity: Severity) -> Style {
    let color = match severity {
        Severity::Blocker => AnsiColor::Red,
        Severity::Hazard => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    Style::new().bold().fg_color(Some(color.into()))
}

fn finding(file: &FileReport, found: &Found, paint: Paint) -> String {
    let finding = &found.finding;
    if let Some(reason) = &finding.suppressed {
        let place = position(file, &found.place);
        return format!("allowed[{}]: {}\n  --> {place}\n   = reason: {reason}\n\n", finding.code, finding.what);
    }
    let style = style_of(finding.severity);
    let head = paint.on(style, &format!("{}[{}]", finding.severity, finding.code));
    let excerpt = excerpt(file, &found.place, style, paint);
    format!(
        "{head}: {}\n{excerpt}   = why: {}\n   = safer: {}\n\n",
        visible(&finding.what),
        finding.why,
        visible(&finding.help)
    )
}

fn unread(file: &FileReport, unparsed: &Unparsed, paint: Paint) -> String {
    let style = style_of(Severity::Hazard);
    let head = paint.on(style, &format!("unparsed[{UNREADABLE}]"));
    let excerpt = excerpt(file, &unparsed.place, style, paint);
    format!("{head}: {}\n{excerpt}   = why: what cannot be read is not judged\n\n", visible(&unparsed.message))
}

fn position(file: &FileReport, place: &Place) -> String {
    format!("{}:{}:{}", visible(&file.source.name), place.line, place.column)
}

/// The first line of the place, with carets under it.
fn excerpt(file: &FileReport, place: &Place, style: Style, paint: Paint) -> String {
    let text = &file.source.text;
    let start = text[..place.span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let before = place.column - 1;
    let skipped = before.saturating_sub(LINE_CHARS_MAX / 2);
    let shown: String = visible(&line.chars().skip(skipped).take(LINE_CHARS_MAX).collect::<String>());
    let marked = if place.line == place.end_line {
        place.end_column - place.column
    } else {
        line.chars().count().saturating_sub(before)
    };
    let marked = marked.clamp(1, LINE_CHARS_MAX.saturating_sub(before - skipped).max(1));
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let carets = paint.on(style, &"^".repeat(marked));
    let indent = " ".repeat(before - skipped);
    format!("{gutter}--> {}\n{gutter} |\n{number} | {shown}\n{gutter} | {indent}{carets}\n", position(file, place))
}

/// Control characters could do anything to a terminal.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}

fn summary(file: &FileReport) -> String {
    let number = |severity| {
        let standing = file.findings.iter().filter(|found| found.finding.suppressed.is_none());
        standing.filter(|found| found.finding.severity == severity).count() as u64
    };
    let parts = [
        (number(Severity::Blocker), "blocker"),
        (number(Severity::Hazard), "hazard"),
        (number(Severity::Note), "note"),
        (file.findings.iter().filter(|found| found.finding.suppressed.is_some()).count() as u64, "allowed finding"),
        (file.unparsed.len() as u64, "place that cannot be read"),
        (file.omitted as u64, "finding not shown"),
        (file.down as u64, "statement of the down section not judged"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(many, _)| *many > 0).map(|(many, word)| phrase(*many, word)).collect();
    let found = if parts.is_empty() { "nothing to say".to_owned() } else { parts.join(", ") };
    let statements = count(file.statements as u64, "statement");
    format!(
        "{}: {statements}, read as {} ({}): {found}\n",
        visible(&file.source.name),
        file.dialect,
        file.dialect_reason
    )
}

fn phrase(many: u64, words: &str) -> String {
    let plural = match words {
        "place that cannot be read" => "places that cannot be read",
        "finding not shown" => "findings not shown",
        "statement of the down section not judged" => "statements of the down section not judged",
        words => return count(many, words),
    };
    if many == 1 { format!("1 {words}") } else { format!("{many} {plural}") }
}
