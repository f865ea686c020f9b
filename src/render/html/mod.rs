//! The plan as one HTML page that needs nothing else.

mod steps;

use super::terminal::{changed, cluster, evaluated, evaluation, found, identity, untouched};
use super::{figures, markup, swimlane, uses};
use crate::assess::Finding;
use crate::plan::Plan;
use crate::runbook::Runbook;
use crate::words::count;

const STYLE: &str = include_str!("page.css");
/// Unfolds what a link leads to. The page works without.
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of the script in Base64: the page allows itself this script, no other, and to load nothing.
const SCRIPT_HASH: &str = "KGo0gDG8zD2VO+x1OqwHOBivFzlbDhffDV9aXdMo1b0=";

/// A page: findings, numbers, picture, then every step to unfold. No text of the plan becomes markup.
pub fn html(plan: &Plan) -> String {
    let runbook = Runbook::new(plan);
    let title = markup::text(&plan.objects.source.to_string());
    let body = [
        header(&runbook, &title),
        findings(&plan.findings),
        numbers(&runbook),
        change(&runbook),
        queries(plan),
        who_uses(plan),
        format!(
            "<h2>Phases and shards</h2>\n<div class=\"card picture\" tabindex=\"0\">\n{}</div>",
            swimlane::linked(&runbook)
        ),
        steps::stages(&runbook),
    ];
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{SCRIPT_HASH}'");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Plan for {title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        body.join("\n")
    )
}

fn header(runbook: &Runbook, title: &str) -> String {
    let about = markup::text(&cluster(runbook));
    format!("<h1>{title}</h1>\n<p class=\"soft\">{about} · plan {}</p>", markup::text(&identity(runbook)))
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "<p>Nothing was found that a reviewer must know.</p>".to_owned();
    }
    let mut ordered: Vec<&Finding> = findings.iter().collect();
    ordered.sort_by_key(|finding| (finding.severity, finding.suppressed.is_some()));
    let cards: Vec<String> = ordered.into_iter().map(finding).collect();
    format!("<section>\n<h2>{}</h2>\n{}\n</section>", found(findings), cards.join("\n"))
}

fn finding(finding: &Finding) -> String {
    let severity = finding.severity.to_string();
    let mut lines = vec![format!(
        "<p class=\"what\"><span class=\"badge\">{severity} {}</span>{}</p>",
        markup::text(&finding.code),
        markup::text(&finding.what)
    )];
    let suppressed = finding.suppressed.as_deref().unwrap_or_default();
    for (name, text) in [("", finding.why.as_str()), ("Help: ", &finding.help), ("Suppressed: ", suppressed)] {
        if !text.is_empty() {
            lines.push(format!(
                "<p>{}{}</p>",
                if name.is_empty() { String::new() } else { format!("<b>{name}</b>") },
                markup::text(text)
            ));
        }
    }
    let standing = if suppressed.is_empty() { "" } else { " suppressed" };
    format!("<div class=\"card finding {severity}{standing}\">{}</div>", lines.join("\n"))
}

fn numbers(runbook: &Runbook) -> String {
    let plan = runbook.plan;
    let largest = plan.sizes.iter().rev().max_by_key(|size| size.bytes).filter(|_| plan.sizes.len() > 1);
    let largest = largest.map(|size| format!("largest: shard {}, {}", size.shard, figures::bytes(size.bytes)));
    let (rows, bytes) = (figures::count(plan.rows()), figures::bytes(plan.bytes()));
    let partitions: u64 = plan.sizes.iter().map(|size| size.partitions).sum();
    let tiles = [
        ("Rows", rows, format!("in {} partitions", figures::count(partitions))),
        ("Bytes, one replica a shard", bytes, largest.unwrap_or_default()),
        ("Expected time", figures::duration(runbook.seconds), "without waiting at gates".to_owned()),
        ("Cluster", runbook.shape(), format!("ClickHouse {}", runbook.versions().join(", "))),
        ("Steps", figures::count(plan.steps.len() as u64), count(runbook.gates(), "gate")),
    ];
    let tiles = tiles.map(|(name, value, note)| {
        format!(
            "<div class=\"card\"><dt>{name}</dt><dd>{}<small>{}</small></dd></div>",
            markup::text(&value),
            markup::text(&note)
        )
    });
    format!("<dl class=\"numbers\">\n{}\n</dl>", tiles.join("\n"))
}

fn change(runbook: &Runbook) -> String {
    let plan = runbook.plan;
    let mut rows: Vec<String> = changed(&plan.change)
        .into_iter()
        .map(|(name, [before, after])| {
            let [name, before, after] = [&name, &before, &after].map(|text| markup::text(text));
            let before = if before.is_empty() { before } else { format!("<del><code>{before}</code></del> → ") };
            format!("<tr><th>{name}</th><td>{before}<ins><code>{after}</code></ins></td></tr>")
        })
        .collect();
    if let Some(names) = untouched(plan) {
        rows.push(format!("<tr><th>Not touched</th><td>{}</td></tr>", markup::text(&names)));
    }
    rows.extend(plan.choices.iter().map(|choice| format!("<tr><th>Chosen</th><td>{}</td></tr>", markup::text(choice))));
    format!(
        "<section class=\"card change\">\n<pre>{}</pre>\n<table>\n{}\n</table>\n</section>",
        markup::sql(&plan.change.statement),
        rows.join("\n")
    )
}

/// What the new key does to the queries that are really run; nothing where that was not measured.
fn queries(plan: &Plan) -> String {
    let Some(evaluation) = evaluation(plan) else { return String::new() };
    let rows: Vec<String> = evaluation
        .queries
        .iter()
        .map(|query| {
            let [before, after] = query.rows_read;
            let figures = [query.count, before, after]
                .map(|number| format!("<td class=\"num\">{}</td>", markup::text(&figures::count(number))));
            let (query, against) = (markup::text(&query.query), markup::text(&figures::times(after, before)));
            format!("<tr><td><code>{query}</code></td>{}<td>{against}</td></tr>", figures.concat())
        })
        .collect();
    format!(
        "<section>\n<h2>Queries</h2>\n<p>As <code>evaluate</code> measured: {}.</p>\n<table>\n<tr><th>Query</th><th class=\"num\">Runs</th>\
         <th class=\"num\">Rows read today</th><th class=\"num\">With the new key</th><th></th></tr>\n{}\n</table>\n</section>",
        markup::text(&evaluated(evaluation)),
        rows.join("\n")
    )
}

/// Who uses what is to go; nothing where nothing goes for that.
fn who_uses(plan: &Plan) -> String {
    let Some(retirement) = uses::retirement(plan) else { return String::new() };
    let heads = uses::HEADS.map(|head| format!("<th>{head}</th>")).concat();
    let row = |row: [String; 8]| {
        let [cells @ .., query] = row;
        let cells = cells.map(|cell| format!("<td>{}</td>", markup::text(&cell))).concat();
        format!("<tr>{cells}<td><code>{}</code></td></tr>", markup::text(&query))
    };
    let rows: Vec<String> = uses::rows(retirement).map(row).collect();
    let says = markup::text(&uses::says(retirement));
    let table = if rows.is_empty() {
        String::new()
    } else {
        format!("<table>\n<tr>{heads}</tr>\n{}\n</table>\n", rows.join("\n"))
    };
    format!("<section>\n<h2>Uses</h2>\n<p>{says}</p>\n{table}</section>")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::render::fixture;

    #[test]
    fn the_page_allows_its_own_script() {
        let base64 = base64(&Sha256::digest(SCRIPT));
        assert_eq!(SCRIPT_HASH, base64);
    }

    fn base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let joined = (0..3).fold(0u32, |all, at| all << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
            for digit in 0..4 {
                let known = digit <= chunk.len();
                let place = (joined >> (18 - 6 * digit)) as usize & 63;
                text.push(if known { char::from(DIGITS[place]) } else { '=' });
            }
        }
        text
    }

    #[test]
    fn hostile_names_do_no_harm() {
        for shards in [2, 40] {
            let page = html(&fixture::hostile(shards));
            assert_eq!(page.matches("</script>").count(), 1, "a script ends where ours ends");
            assert_eq!(page.matches("<script>").count(), 1);
            for markup in ["<b>all", "<b>'", "<b>\"", "<img", "</title><b>", "\x1b", "\u{202e}"] {
                assert!(!page.contains(markup), "{markup:?} came through");
            }
        }
    }

    #[test]
    fn what_was_evaluated_is_told() {
        assert!(!html(&fixture::plan(2)).contains("<h2>Queries</h2>"));
        let page = html(&fixture::hostile(2));
        assert!(page.contains("<h2>Queries</h2>") && page.contains("<td class=\"num\">81,920</td>"));
    }

    #[test]
    fn tags_are_balanced() {
        let page = html(&fixture::hostile(3)) + &html(&fixture::hostile(9));
        for tag in [
            "div", "details", "section", "article", "summary", "table", "tr", "td", "pre", "code", "a", "g", "svg",
            "p", "ul", "li",
        ] {
            let open = page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn every_link_leads_somewhere() {
        for shards in [2, 9, 40] {
            let page = html(&fixture::hostile(shards));
            let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
            for link in links.collect::<std::collections::BTreeSet<_>>() {
                assert_eq!(page.matches(&format!("id=\"{link}\"")).count(), 1, "{link}");
            }
        }
    }

    #[test]
    fn findings_come_first_and_nothing_is_loaded() {
        let page = html(&fixture::plan(2));
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert!(place("Findings:") < place("<dl") && place("<dl") < place("<svg"));
        assert!(
            !page.contains("src=") && !page.contains("<link") && !page.contains("@import") && !page.contains("url(")
        );
    }
}
