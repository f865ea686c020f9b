//! `-- shardwright: allow SW027 nobody reads it since May`: a finding of the statement beside the comment stands no more.

use std::ops::Range;

use super::rules::{self, Mark};
use super::statement::Statement;
use crate::assess::Severity;

/// One comment that allows something.
struct Allowance {
    code: String,
    reason: String,
    comment: Range<usize>,
    /// The statement that it is for.
    statement: Range<usize>,
    used: bool,
}

/// All comments of a file that allow something.
pub(super) struct Suppressions {
    allowances: Vec<Allowance>,
}

impl Suppressions {
    pub(super) fn new(text: &str, statements: &[Statement]) -> Self {
        let mut allowances = Vec::new();
        for statement in statements {
            for comment in &statement.comments {
                if let Some((code, reason)) = allowed(&text[comment.clone()]) {
                    let (comment, statement) = (comment.clone(), statement.span.clone());
                    allowances.push(Allowance { code, reason, comment, statement, used: false });
                }
            }
        }
        Self { allowances }
    }

    /// The reason with which a finding at this place is suppressed, if it is.
    pub(super) fn reason(&mut self, code: &str, at: usize) -> Option<String> {
        // Statements come in order, and so do the comments.
        let first = self.allowances.partition_point(|one| one.statement.end <= at);
        let candidates = self.allowances[first..].iter_mut().take_while(|one| one.statement.start <= at);
        let mut fitting = candidates.filter(|one| one.code == code && !one.reason.is_empty());
        let allowance = fitting.next()?;
        allowance.used = true;
        Some(allowance.reason.clone())
    }

    /// What is wrong with the comments themselves.
    pub(super) fn complaints(&self) -> Vec<Mark> {
        self.allowances.iter().filter_map(complaint).collect()
    }
}

fn complaint(allowance: &Allowance) -> Option<Mark> {
    let Allowance { code, reason, comment, used, .. } = allowance;
    let (severity, what, help) = if !rules::codes().any(|known| known == code) {
        let known = format!("write `-- shardwright: allow {} reason`", rules::ALL[0].code);
        (Severity::Hazard, format!("`{code}` is no code of a rule of lint, so nothing is suppressed"), known)
    } else if reason.is_empty() {
        let example = format!("write `-- shardwright: allow {code} why it is safe here`");
        (Severity::Hazard, format!("the suppression of {code} gives no reason, so it does not hold"), example)
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

/// Code and reason of a comment that allows something.
fn allowed(comment: &str) -> Option<(String, String)> {
    let inside = comment.trim_start_matches(['-', '/', '*', '#', '!']).trim_end_matches(['*', '/']).trim();
    let rest = inside.strip_prefix("shardwright:")?.trim_start().strip_prefix("allow")?;
    let (code, reason) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    Some((code.trim_end_matches([':', ',']).to_owned(), reason.trim().to_owned()))
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
        assert_eq!(allowed("-- allow SW027 x"), None);
    }
}
