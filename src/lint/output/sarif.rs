//! As SARIF 2.1.0, which code hosts show beside the lines of a pull request.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::assess::Severity;
use crate::lint::{FileReport, Found, Place, Report, UNREADABLE, titles};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// All that was found, as a SARIF log of one run.
pub fn sarif(report: &Report) -> Value {
    let rules: Vec<Value> =
        titles().map(|(code, title)| json!({ "id": code, "shortDescription": { "text": title } })).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "shardwright",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": report.files.iter().flat_map(results).collect::<Vec<_>>(),
        }],
    })
}

fn results(file: &FileReport) -> Vec<Value> {
    let findings = file.findings.iter().map(|found| result(file, found));
    let unparsed = file.unparsed.iter().map(|unparsed| {
        let text = format!("cannot be read: {}", unparsed.message);
        let result = one(UNREADABLE, "warning", &text, &location(file, &unparsed.place));
        suppressed(result, unparsed.suppressed.as_deref())
    });
    findings.chain(unparsed).collect()
}

fn result(file: &FileReport, found: &Found) -> Value {
    let Found { finding, place } = found;
    let level = match finding.severity {
        Severity::Blocker => "error",
        Severity::Hazard => "warning",
        Severity::Note => "note",
    };
    let text = format!("{}: {}. Safer: {}", finding.what, finding.why, finding.help);
    suppressed(one(&finding.code, level, &text, &location(file, place)), finding.suppressed.as_deref())
}

fn suppressed(mut result: Value, reason: Option<&str>) -> Value {
    if let Some(reason) = reason {
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
    }
    result
}

fn one(code: &str, level: &str, text: &str, location: &Value) -> Value {
    let index = titles().position(|(known, _)| known == code);
    json!({
        "ruleId": code,
        "ruleIndex": index,
        "level": level,
        "message": { "text": text },
        "locations": [location],
    })
}

fn location(file: &FileReport, place: &Place) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&file.source.name) },
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    } })
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(uri("a b/c:1#é.sql"), "a%20b/c%3A1%23%C3%A9.sql");
    }
}
