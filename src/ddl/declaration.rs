//! Takes a column's declaration apart: `name Type DEFAULT … COMMENT … CODEC(…) TTL … AFTER …`.

use super::alteration::ends_part;
use super::error::DdlError;
use super::reader::Reader;

/// A column's declaration, as a CREATE or an ALTER writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The column's name, unquoted; a Nested one's part is called `outer.inner`.
    pub name: String,
    /// Its type, verbatim.
    pub kind: Option<String>,
    /// What follows, part by part: the first word in upper case, and all of the part, verbatim.
    pub parts: Vec<(String, String)>,
}

/// Where a column is put.
pub const PLACES: [&str; 2] = ["FIRST", "AFTER"];
/// What only tables that store rows have.
const OF_STORAGE: [&str; 4] = ["CODEC", "TTL", "STATISTICS", "SETTINGS"];
/// Words by which a column gets a value that no insert gives.
pub const DEFAULT_KINDS: [&str; 4] = ["DEFAULT", "MATERIALIZED", "EPHEMERAL", "ALIAS"];

/// Reads what stands from a column's name on.
pub fn read_declaration(text: &str) -> Result<Declaration, DdlError> {
    let mut reader = Reader::new(text)?;
    let mut name = reader.identifier()?;
    while reader.take_symbol(".") {
        name = format!("{name}.{}", reader.identifier()?);
    }
    reader.take(&["TYPE"]);
    let kind =
        if reader.at_end() || ends_part(&reader) { None } else { Some(reader.clause("a type", ends_part)?.text) };
    let mut parts = Vec::new();
    while !reader.at_end() {
        let word = reader.text(0).to_ascii_uppercase();
        parts.push((word, reader.clause("more of the column", ends_part)?.text));
    }
    reader.expect_end()?;
    Ok(Declaration { name, kind, parts })
}

impl Declaration {
    /// Whether it has a part that begins with this word.
    pub fn has(&self, word: &str) -> bool {
        self.parts.iter().any(|(known, _)| known == word)
    }

    /// What it says of a value that no insert gives.
    pub fn default(&self) -> Option<&str> {
        self.parts.iter().find(|(word, _)| DEFAULT_KINDS.contains(&word.as_str())).map(|(_, text)| text.as_str())
    }

    /// What is computed from columns: what a default and a TTL say behind their first word.
    pub fn expressions(&self) -> Vec<String> {
        let computed = |word: &str| word == "TTL" || DEFAULT_KINDS.contains(&word);
        let parts = self.parts.iter().filter(|(word, _)| computed(word));
        parts.map(|(word, text)| text[word.len()..].trim_start().to_owned()).collect()
    }

    /// Without where the column is put.
    #[must_use]
    pub fn unplaced(mut self) -> Self {
        self.parts.retain(|(word, _)| !PLACES.contains(&word.as_str()));
        self
    }

    /// Without the parts that begin with this word.
    #[must_use]
    pub fn without(mut self, word: &str) -> Self {
        self.parts.retain(|(known, _)| known != word);
        self
    }

    /// Without what a table that stores no rows does not take.
    #[must_use]
    pub fn without_storage(mut self) -> Self {
        self.parts.retain(|(word, _)| !OF_STORAGE.contains(&word.as_str()));
        self
    }

    /// The column after which it is put, unquoted.
    pub fn after(&self) -> Option<String> {
        let (_, text) = self.parts.iter().find(|(word, _)| word == "AFTER")?;
        let mut reader = Reader::new(text).ok()?;
        reader.expect(&["AFTER"]).ok()?;
        reader.identifier().ok()
    }

    /// The declaration under a name, as SQL.
    pub fn to_sql(&self, name: &str) -> String {
        let mut sql = crate::names::quote_identifier(name);
        for text in self.kind.iter().chain(self.parts.iter().map(|(_, text)| text)) {
            sql.push(' ');
            sql.push_str(text);
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_falls_into_its_parts() {
        let sql = "`a b` Enum8('after' = 1, 'x' = 2) DEFAULT if(x, 'a', 'comment') COMMENT 'ttl' CODEC(ZSTD(1)) TTL d + toIntervalDay(1) AFTER `c d`";
        let read = read_declaration(sql).unwrap();
        assert_eq!(read.name, "a b");
        assert_eq!(read.kind.as_deref(), Some("Enum8('after' = 1, 'x' = 2)"));
        let words: Vec<&str> = read.parts.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["DEFAULT", "COMMENT", "CODEC", "TTL", "AFTER"]);
        assert_eq!(read.default(), Some("DEFAULT if(x, 'a', 'comment')"));
        assert_eq!(read.after().as_deref(), Some("c d"));
        assert_eq!(read.to_sql("a b"), sql);
        let bare = read.without_storage().unplaced();
        assert_eq!(bare.to_sql("z"), "`z` Enum8('after' = 1, 'x' = 2) DEFAULT if(x, 'a', 'comment') COMMENT 'ttl'");
    }

    #[test]
    fn a_type_may_be_left_out() {
        let read = read_declaration("a DEFAULT 1").unwrap();
        assert_eq!((read.kind, read.parts.len()), (None, 1));
        assert!(read_declaration("").is_err());
    }
}
