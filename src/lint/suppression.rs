//! `-- shardwright: allow SW027 nobody reads it since May`: a finding of the statement beside the comment stands no more.

use std::collections::BTreeMap;
use std::ops::Range;

use super::dialect::Dialect;
use super::read::tokens;
use super::rules::{self, Mark};
use super::statement::Statement;
use crate::assess::Severity;
use crate::ddl::lexer::TokenKind;

/// One comment that allows something.
struct Allowance {
    code: String,
    reason: String,
    comment: Range<usize>,
    /// The statement that it is for, if it stands beside one.
    statement: Option<Range<usize>>,
    used: bool,
}

/// All comments of a file that allow something, in order.
pub(super) struct Suppressions {
    allowances: Vec<Allowance>,
    /// The statements that something is allowed for.
    statements: Vec<Range<usize>>,
    /// The first allowance with a reason, by where its statement begins and by code.
    holding: BTreeMap<(usize, String), usize>,
}

impl Suppressions {
    pub(super) fn new(text: &str, dialect: Dialect, statements: &[Statement]) -> Self {
        let mut all = Self { allowances: Vec::new(), statements: Vec::new(), holding: BTreeMap::new() };
        let mut end = 0;
        for statement in statements {
            for comment in &statement.comments {
                all.take(text, comment, Some(&statement.span));
                end = end.max(comment.end);
            }
            end = end.max(statement.span.end);
        }
        let behind = tokens(&text[end..], dialect).into_iter().filter(|token| token.kind == TokenKind::Comment);
        for comment in behind {
            all.take(text, &(comment.span.start + end..comment.span.end + end), None);
        }
        all
    }

    fn take(&mut self, text: &str, comment: &Range<usize>, statement: Option<&Range<usize>>) {
        let Some((code, reason)) = allowed(&text[comment.clone()]) else { return };
        if let Some(statement) = statement.filter(|_| !reason.is_empty()) {
            self.holding.entry((statement.start, code.clone())).or_insert(self.allowances.len());
            if self.statements.last() != Some(statement) {
                self.statements.push(statement.clone());
            }
        }
        let (comment, statement) = (comment.clone(), statement.cloned());
        self.allowances.push(Allowance { code, reason, comment, statement, used: false });
    }

    /// The reason with which a finding at this place is suppressed, if it is.
    pub(super) fn reason(&mut self, code: &str, at: usize) -> Option<String> {
        // The place may be the end of the statement, where something is lacking.
        let first = self.statements.partition_point(|statement| statement.end < at);
        let statement = self.statements.get(first).filter(|statement| statement.start <= at)?;
        let allowance = &mut self.allowances[*self.holding.get(&(statement.start, code.to_owned()))?];
        allowance.used = true;
        Some(allowance.reason.clone())
    }

    /// What is wrong with the comments themselves.
    pub(super) fn complaints(&self) -> Vec<Mark> {
        self.allowances.iter().filter_map(complaint).collect()
    }
}

fn complaint(allowance: &Allowance) -> Option<Mark> {
    let Allowance { code, reason, comment, statement, used } = allowance;
    let (severity, what, help) = if !rules::codes().any(|known| known == code) {
        let known = format!("write `-- shardwright: allow {} reason`", rules::ALL[0].code);
        (Severity::Hazard, format!("`{code}` is no code of a rule of lint, so nothing is suppressed"), known)
    } else if reason.is_empty() {
        let example = format!("write `-- shardwright: allow {code} why it is safe here`");
        (Severity::Hazard, format!("the suppression of {code} gives no reason, so it does not hold"), example)
    } else if statement.is_none() {
        let place = "write it over the statement that it is for, or behind that on its last line".to_owned();
        (
            Severity::Hazard,
            format!("the suppression of {code} stands beside no statement, so nothing is suppressed"),
            place,
        )
    } else if !used {
        (Severity::Note, format!("{code} is not found here, so nothing is suppressed"), "remove the comment".to_owned())
    } else {
        return None;
    };
    Some(Mark {
        span: comment.clone(),
        severity,
        what,
        why: "a suppression is read by those who come later".to_owned(),
        help,
    })
}

/// Code and reason of a comment that allows something; the reason on one line.
fn allowed(comment: &str) -> Option<(String, String)> {
    let inside = comment.trim_start_matches(['-', '/', '*', '#', '!']).trim_end_matches(['*', '/']).trim();
    let rest = inside.strip_prefix("shardwright:")?.trim_start().strip_prefix("allow")?;
    let (code, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((code.trim_end_matches([':', ',']).to_owned(), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_allows_a_code_for_a_reason() {
        let allowed = |comment| allowed(comment).map(|(code, reason)| format!("{code}|{reason}"));
        assert_eq!(
            allowed("-- shardwright: allow SW027 not read since May").as_deref(),
            Some("SW027|not read since May")
        );
        assert_eq!(allowed("/* shardwright:allow SW027: x */").as_deref(), Some("SW027|x"));
        assert_eq!(allowed("-- shardwright: allow SW027").as_deref(), Some("SW027|"));
        assert_eq!(allowed("-- shardwright: allow").as_deref(), Some("|"));
        assert_eq!(allowed("/* shardwright: allow SW027 a\n\n b\n*/").as_deref(), Some("SW027|a b"));
        assert_eq!(allowed("-- allow SW027 x"), None);
    }
}
