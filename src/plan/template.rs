//! SQL with holes, filled in while a step runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::quote_string;

/// SQL text in which `{chunk}` stands for a partition id as a string literal, `{slice}` for a condition that makes less of the
/// partition, and other names in braces for lists and numbers; literal braces are doubled.
///
/// The text around the holes is escaped when the template is built, so a name that itself contains `{chunk}` stays a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// Text before the hole, and text after it.
    pub fn new(before: &str, after: &str) -> Self {
        Self::text(before).and(after)
    }

    /// Text without a hole, to go on from.
    pub fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// Adds a further hole and the text after it.
    #[must_use]
    pub fn and(self, after: &str) -> Self {
        self.hole("chunk", after)
    }

    /// Adds a hole with this name and the text after it.
    #[must_use]
    pub fn hole(mut self, name: &str, after: &str) -> Self {
        self.0.push('{');
        self.0.push_str(name);
        self.0.push('}');
        self.0.push_str(&escape(after));
        self
    }

    /// Adds another template's text and holes.
    #[must_use]
    pub fn then(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// The SQL for one partition as a whole.
    ///
    /// ```
    /// # use shardwright::plan::Template;
    /// let attach = Template::new("ALTER TABLE `{chunk}` ATTACH PARTITION ID ", " FROM `t`");
    /// assert_eq!(attach.fill("202401"), "ALTER TABLE `{chunk}` ATTACH PARTITION ID '202401' FROM `t`");
    /// ```
    pub fn fill(&self, chunk: &str) -> String {
        self.fill_all(&[("chunk", &quote_string(chunk)), ("slice", "")])
    }

    /// The SQL with every hole filled with the SQL given for its name. A hole that is not named stays as it is, and no server
    /// will take it.
    pub fn fill_all(&self, fillings: &[(&str, &str)]) -> String {
        let mut sql = String::with_capacity(self.0.len());
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            sql.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some((hole, after)) = hole(rest) {
                match fillings.iter().find(|(name, _)| *name == &hole[1..hole.len() - 1]) {
                    Some((_, filling)) => sql.push_str(filling),
                    None => sql.push_str(hole),
                }
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
        f.write_str(&self.fill_all(&[]))
    }
}

/// A hole at the beginning of a text, and what follows it.
fn hole(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let end = inside.find(|c: char| !c.is_ascii_lowercase())?;
    (end > 0 && inside[end..].starts_with('}')).then(|| text.split_at(end + 2))
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

    #[test]
    fn holes_are_filled_by_name() {
        let template = Template::text("SELECT '{parts}' WHERE p IN (").hole("parts", ") LIMIT ").hole("times", "");
        assert_eq!(template.fill_all(&[("times", "2"), ("parts", "'a'")]), "SELECT '{parts}' WHERE p IN ('a') LIMIT 2");
        assert_eq!(template.fill_all(&[("times", "{parts}")]), "SELECT '{parts}' WHERE p IN ({parts}) LIMIT {parts}");
    }
}
