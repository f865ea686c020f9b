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
        return allowed(&finding.code, &finding.what, &place, reason);
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
    if let Some(reason) = &unparsed.suppressed {
        return allowed(UNREADABLE, &unparsed.message, &position(file, &unparsed.place), reason);
    }
    let style = style_of(Severity::Hazard);
    let head = paint.on(style, &format!("unparsed[{UNREADABLE}]"));
    let excerpt = excerpt(file, &unparsed.place, style, paint);
    format!("{head}: {}\n{excerpt}   = why: what cannot be read is not judged\n\n", visible(&unparsed.message))
}

/// What somebody has allowed, with the reason.
fn allowed(code: &str, what: &str, place: &str, reason: &str) -> String {
    format!("allowed[{code}]: {}\n  --> {place}\n   = reason: {}\n\n", visible(what), visible(reason))
}

fn position(file: &FileReport, place: &Place) -> String {
    format!("{}:{}:{}", visible(&file.source.name), place.line, place.column)
}

/// The first line of the place, or what of it is near, with carets under it.
fn excerpt(file: &FileReport, place: &Place, style: Style, paint: Paint) -> String {
    let (before, behind) = file.source.text.split_at(place.span.start);
    let before: Vec<char> = before.chars().rev().take_while(|c| *c != '\n').take(LINE_CHARS_MAX / 2).collect();
    let room = LINE_CHARS_MAX - before.len();
    let behind: Vec<char> = behind.chars().take_while(|c| *c != '\n').take(room).collect();
    let shown: String = before.iter().rev().chain(&behind).collect();
    let marked = if place.line == place.end_line { place.end_column - place.column } else { behind.len() };
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let carets = paint.on(style, &"^".repeat(marked.clamp(1, room)));
    let indent = " ".repeat(before.len());
    let shown = visible(shown.trim_end_matches('\r'));
    format!("{gutter}--> {}\n{gutter} |\n{number} | {shown}\n{gutter} | {indent}{carets}\n", position(file, place))
}

/// Characters that a terminal obeys instead of showing them could make it show anything.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || is_directing(c) => '\u{FFFD}',
            c => c,
        })
        .collect()
}

/// Characters that are not seen, but set the direction of those that are, or break lines.
fn is_directing(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn summary(file: &FileReport) -> String {
    let number = |severity| {
        let standing = file.findings.iter().filter(|found| found.finding.suppressed.is_none());
        standing.filter(|found| found.finding.severity == severity).count() as u64
    };
    let unread = file.unparsed.iter().filter(|unparsed| unparsed.suppressed.is_none()).count();
    let allowed =
        file.findings.iter().filter(|found| found.finding.suppressed.is_some()).count() + file.unparsed.len() - unread;
    let parts = [
        (number(Severity::Blocker), "blocker"),
        (number(Severity::Hazard), "hazard"),
        (number(Severity::Note), "note"),
        (allowed as u64, "allowed finding"),
        (unread as u64, "place that cannot be read"),
        (file.omitted as u64, "finding not shown"),
        (file.down as u64, "statement that takes the migration back and is not judged"),
        (file.unparsed_omitted as u64, "more that cannot be read and is not shown"),
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
        "statement that takes the migration back and is not judged" => {
            "statements that take the migration back and are not judged"
        }
        "more that cannot be read and is not shown" => "more that cannot be read and are not shown",
        words => return count(many, words),
    };
    if many == 1 { format!("1 {words}") } else { format!("{many} {plural}") }
}
