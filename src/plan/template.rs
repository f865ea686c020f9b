//! SQL with one hole, filled in while a step runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::quote_string;

const HOLE: &str = "{chunk}";

/// SQL text in which `{chunk}` stands for a partition id as a string literal; literal braces are doubled.
///
/// The text around the hole is escaped when the template is built, so a name that itself contains `{chunk}` stays a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// Text before the hole, and text after it.
    pub fn new(before: &str, after: &str) -> Self {
        Self(format!("{}{HOLE}{}", escape(before), escape(after)))
    }

    /// Adds a further hole and the text after it.
    #[must_use]
    pub fn and(mut self, after: &str) -> Self {
        self.0.push_str(HOLE);
        self.0.push_str(&escape(after));
        self
    }

    /// The SQL for one chunk.
    ///
    /// ```
    /// # use shardwright::plan::Template;
    /// let attach = Template::new("ALTER TABLE `{chunk}` ATTACH PARTITION ID ", " FROM `t`");
    /// assert_eq!(attach.fill("202401"), "ALTER TABLE `{chunk}` ATTACH PARTITION ID '202401' FROM `t`");
    /// ```
    pub fn fill(&self, chunk: &str) -> String {
        self.with(&quote_string(chunk))
    }

    fn with(&self, filling: &str) -> String {
        let mut sql = String::with_capacity(self.0.len() + filling.len());
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            sql.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix(HOLE) {
                sql.push_str(filling);
                rest = after;
            } else {
                sql.push_str(&rest[..1]);
                // A doubled brace; a single one, which only an edited file has, is kept as it is.
                rest = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")).unwrap_or(&rest[1..]);
            }
        }
        sql.push_str(rest);
        sql
    }
}

impl fmt::Display for Template {
    /// For people: the SQL with `{chunk}` where the partition id goes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with(HOLE))
    }
}

fn escape(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_of_the_text_are_not_holes() {
        let template = Template::new("`{chunk}` '{shard}' ", "; }{").and(" end");
        assert_eq!(template.fill("it's"), r"`{chunk}` '{shard}' 'it\'s'; }{'it\'s' end");
        assert_eq!(template.to_string(), "`{chunk}` '{shard}' {chunk}; }{{chunk} end");
    }
}
