//! Reads `CREATE DICTIONARY`, as far as it says where a dictionary's rows come from.

use std::ops::Range;

use super::error::DdlError;
use super::lexer::TokenKind;
use super::quoting::unquote;
use super::reader::Reader;
use super::sources::{table_functions, table_places};
use super::statement::{Name, Text};
use crate::names::TableName;

/// A dictionary's name and source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dictionary {
    /// The dictionary.
    pub name: Name,
    /// What stands in `SOURCE(…)`, verbatim: `CLICKHOUSE(TABLE 'names' DB 'd')`.
    pub source: Text,
    /// Its kind: `CLICKHOUSE`, `MYSQL`, in upper case.
    pub kind: String,
    /// Its settings in order: the key in upper case, and the value verbatim.
    pub settings: Vec<(String, Text)>,
}

impl Dictionary {
    /// The value of a setting, unquoted.
    pub fn setting(&self, key: &str) -> Option<String> {
        let (_, value) = self.settings.iter().find(|(known, _)| known == key)?;
        Some(unquote(&value.text).unwrap_or_else(|| value.text.clone()))
    }

    /// What is asked as SQL: to load it, to see whether there is something new, under which condition.
    pub fn queries(&self) -> Vec<String> {
        ["QUERY", "INVALIDATE_QUERY", "WHERE"].iter().filter_map(|key| self.setting(key)).collect()
    }

    /// The tables of a ClickHouse server that it is loaded from, if it is in `own`: those that it names, and those of `known` that
    /// table functions lead to.
    pub fn reads<'a>(&self, own: &str, known: impl IntoIterator<Item = &'a TableName>) -> Vec<TableName> {
        if self.kind != "CLICKHOUSE" {
            return Vec::new();
        }
        let database = self.setting("DB").unwrap_or_else(|| own.to_owned());
        let queries = self.queries();
        let places = queries.iter().filter_map(|query| table_places(query).ok()).flatten();
        let mut found: Vec<TableName> = places.map(|name| name.in_database(&database)).collect();
        let functions: Vec<_> = queries.iter().filter_map(|query| table_functions(query).ok()).flatten().collect();
        if !functions.is_empty() {
            let is_led_to = |name: &&TableName| functions.iter().any(|function| function.leads_to(name, &database));
            found.extend(known.into_iter().filter(is_led_to).cloned());
        }
        found.extend(self.setting("TABLE").map(|table| TableName::new(database, table)));
        found
    }

    /// The definition with something else in `SOURCE(…)`. `create_query` is what the dictionary was read from.
    pub fn with_source(&self, create_query: &str, source: &str) -> String {
        let Range { start, end } = self.source.span.clone();
        format!("{}{source}{}", &create_query[..start], &create_query[end..])
    }
}

/// Reads a dictionary's definition, as in `system.tables.create_table_query`.
pub fn read_dictionary(create_query: &str) -> Result<Dictionary, DdlError> {
    let mut reader = Reader::new(create_query)?;
    reader.expect(&["CREATE"])?;
    reader.take(&["OR", "REPLACE"]);
    reader.expect(&["DICTIONARY"])?;
    reader.take(&["IF", "NOT", "EXISTS"]);
    let name = reader.name()?;
    reader.skip_uuid()?;
    reader.on_cluster()?;
    reader.clause("a dictionary's columns", |reader| reader.sees(&["SOURCE"]) && reader.text(1) == "(")?;
    reader.expect(&["SOURCE"])?;
    reader.expect_symbol("(")?;
    let start = reader.place();
    let source = reader.clause("a source", |_| false)?;
    reader.return_to(start);
    let kind = reader.identifier()?.to_uppercase();
    let settings = if reader.take_symbol("(") { read_settings(&mut reader)? } else { Vec::new() };
    Ok(Dictionary { name, source, kind, settings })
}

/// `KEY value KEY value …` up to the closing bracket; a value may be a list in brackets.
fn read_settings(reader: &mut Reader<'_>) -> Result<Vec<(String, Text)>, DdlError> {
    let mut settings = Vec::new();
    while !reader.at_end() && reader.text(0) != ")" {
        let key = reader.identifier()?.to_uppercase();
        let value = match reader.peek(0) {
            Some(token) if reader.text(0) != "(" && reader.text(0) != ")" => {
                let text = reader.text_at(token.span.clone());
                reader.advance();
                text
            }
            Some(token) if token.kind == TokenKind::Open => {
                let start = token.span.start;
                reader.advance();
                let inside = reader.clause("a setting's values", |_| false)?;
                reader.expect_symbol(")")?;
                reader.text_at(start..inside.span.end + 1)
            }
            _ => return Err(reader.unexpected("a setting's value")),
        };
        settings.push((key, value));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 26.9 reports it.
    const NAMES: &str = "CREATE DICTIONARY k.names (`id` UInt64, `source` String DEFAULT '') PRIMARY KEY id \
                         SOURCE(CLICKHOUSE(HOST 'localhost' PORT 9000 USER 'default' PASSWORD '[HIDDEN]' DB 'k' TABLE \
                         'name_rows')) LIFETIME(MIN 0 MAX 300) LAYOUT(HASHED())";

    #[test]
    fn a_source_is_read_and_replaced() {
        let dictionary = read_dictionary(NAMES).unwrap();
        assert_eq!(
            (dictionary.name.in_database("").to_string(), dictionary.kind.as_str()),
            ("k.names".into(), "CLICKHOUSE")
        );
        assert_eq!(dictionary.setting("TABLE").as_deref(), Some("name_rows"));
        assert_eq!(dictionary.setting("PORT").as_deref(), Some("9000"));
        assert_eq!(
            dictionary.with_source(NAMES, "NULL()"),
            "CREATE DICTIONARY k.names (`id` UInt64, `source` String DEFAULT '') PRIMARY KEY id SOURCE(NULL()) \
             LIFETIME(MIN 0 MAX 300) LAYOUT(HASHED())"
        );
    }

    #[test]
    fn sources_of_other_kinds_and_nested_settings() {
        let sql =
            |source: &str| format!("CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE({source}) LAYOUT(FLAT())");
        let http = read_dictionary(&sql(
            "HTTP(URL 'http://x' FORMAT 'TSV' CREDENTIALS(USER 'u' PASSWORD 'p') HEADERS(HEADER(NAME 'a' VALUE 'b')))",
        ));
        let http = http.unwrap();
        assert_eq!((http.kind.as_str(), http.settings.len()), ("HTTP", 4));
        assert_eq!(http.settings[2].1.text, "(USER 'u' PASSWORD 'p')");
        assert_eq!(read_dictionary(&sql("NULL()")).unwrap().settings, []);
        assert!(read_dictionary("CREATE DICTIONARY d (a UInt64) PRIMARY KEY a LAYOUT(FLAT())").is_err());
    }
}
