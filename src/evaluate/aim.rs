//! Aims a query at a twin: every place that leads to the table gets the twin's name instead.
//!
//! The query keeps its text, token by token. A twin goes by the name that the query used, as an alias, so that columns that are
//! written with the table's name before them stay what they were. All other names get their database, since the query is asked
//! in another session than the one that it came from.

use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::{Name, quoting, table_places};
use crate::names::{TableName, quote_identifier};

use super::reach::{Reach, Way};
use super::text::end_of_query;

/// Views over views are followed so far.
const VIEWS_DEPTH_MAX: usize = 8;

/// Why a query that names the table cannot be aimed at a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unaimed {
    /// It cannot be split into tokens, or its brackets do not match.
    #[error("it cannot be read")]
    Unreadable,
    /// It does not touch the table.
    #[error("it does not read the table")]
    Elsewhere,
    /// A name without a database, which two databases have.
    #[error("it names the table without a database, and another database has a table of that name")]
    Ambiguous,
    /// `{name:Type}`: the log keeps the query and not the value.
    #[error("it has parameters, whose values are not in its text")]
    Parameters,
    /// `remote(…)`, `cluster(…)`, `merge(…)`.
    #[error("it names the table within a table function")]
    TableFunction,
    /// Views over views, without end.
    #[error("it goes through too many views")]
    Views,
}

/// A query with gaps where the twin's name goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aimed {
    pieces: Vec<Piece>,
    /// Whether it asks all shards.
    pub distributed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Sql(String),
    Twin,
}

impl Aimed {
    /// The query over this twin.
    pub fn at(&self, twin: &TableName) -> String {
        let twin = twin.sql();
        self.pieces.iter().map(|piece| if let Piece::Sql(sql) = piece { sql.as_str() } else { &twin }).collect()
    }
}

/// Aims a query that was run in a session with this database, if that is known.
pub fn aim(query: &str, database: Option<&str>, reach: &Reach) -> Result<Aimed, Unaimed> {
    let mut aimed = Aimed { pieces: Vec::new(), distributed: false };
    Aim { reach, database, depth: 0 }.write(query, &mut aimed)?;
    Ok(aimed)
}

struct Aim<'a> {
    reach: &'a Reach,
    database: Option<&'a str>,
    depth: usize,
}

/// A stretch of the query that is replaced.
struct Edit<'a> {
    span: std::ops::Range<usize>,
    with: With<'a>,
}

enum With<'a> {
    /// The twin, under this alias if the query gives none.
    Twin(Option<String>),
    /// A view's query, under this alias.
    View(&'a str, String, Option<String>),
    /// Other text.
    Text(String),
}

impl<'a> Aim<'a> {
    fn write(&self, query: &str, aimed: &mut Aimed) -> Result<(), Unaimed> {
        if self.depth > VIEWS_DEPTH_MAX {
            return Err(Unaimed::Views);
        }
        let tokens = significant_tokens(query).map_err(|_| Unaimed::Unreadable)?;
        let begin = beginning(query, &tokens).ok_or(Unaimed::Elsewhere)?;
        let end = end_of_query(query, &tokens);
        if has_parameters(query, &tokens) {
            return Err(Unaimed::Parameters);
        }
        let places = table_places(query).map_err(|_| Unaimed::Unreadable)?;
        let mut edits = Vec::new();
        let mut reaches = false;
        for place in places.iter().filter(|place| (begin..end).contains(&place.span.start)) {
            let edit = self.edit(query, &tokens, place, &mut aimed.distributed)?;
            reaches |= edit.as_ref().is_some_and(|edit| !matches!(edit.with, With::Text(_)));
            edits.extend(edit);
        }
        if !reaches {
            return Err(self.without_place(query, &tokens));
        }
        edits.extend(self.qualifiers(query, &tokens, &places));
        edits.sort_by_key(|edit| edit.span.start);
        let mut at = begin;
        for edit in edits.into_iter().filter(|edit| edit.span.start >= begin && edit.span.end <= end) {
            push(aimed, &query[at..edit.span.start]);
            at = edit.span.end;
            self.replace(edit.with, aimed)?;
        }
        push(aimed, query[at..end].trim_end());
        Ok(())
    }

    fn replace(&self, with: With<'_>, aimed: &mut Aimed) -> Result<(), Unaimed> {
        match with {
            With::Text(text) => push(aimed, &text),
            With::Twin(alias) => {
                aimed.pieces.push(Piece::Twin);
                push(aimed, &as_alias(alias));
            }
            With::View(select, database, alias) => {
                push(aimed, "(");
                let within = Aim { reach: self.reach, database: Some(&database), depth: self.depth + 1 };
                within.write(select, aimed)?;
                push(aimed, &format!("){}", as_alias(alias)));
            }
        }
        Ok(())
    }

    /// What a place where a table is named becomes.
    fn edit(
        &self,
        query: &str,
        tokens: &[Token],
        place: &Name,
        distributed: &mut bool,
    ) -> Result<Option<Edit<'a>>, Unaimed> {
        let Some(name) = self.full_name(place)? else { return Ok(None) };
        let alias = (!is_in_set(query, tokens, place) && !has_alias(query, tokens, place)).then(|| place.table.clone());
        let with = match self.reach.way(&name) {
            None => With::Text(format!("{}{}", name.sql(), as_alias(alias.filter(|_| place.database.is_none())))),
            Some(Way::View { select }) => With::View(select, name.database, alias),
            Some(way) => {
                *distributed |= *way == Way::Distributed;
                With::Twin(alias)
            }
        };
        Ok(Some(Edit { span: place.span.clone(), with }))
    }

    /// The name with its database; none where that is not known and the name leads elsewhere.
    fn full_name(&self, place: &Name) -> Result<Option<TableName>, Unaimed> {
        match (&place.database, self.database) {
            (Some(database), _) => Ok(Some(TableName::new(database.clone(), place.table.clone()))),
            (None, Some(database)) => Ok(Some(TableName::new(database, place.table.clone()))),
            (None, None) if self.reach.is_ambiguous(&place.table) => Err(Unaimed::Ambiguous),
            (None, None) => Ok(self.reach.bare(&place.table).cloned()),
        }
    }

    /// `db.t.column` becomes `t.column`, as the table goes by an alias now.
    fn qualifiers(&self, query: &str, tokens: &[Token], places: &[Name]) -> Vec<Edit<'a>> {
        let value = |token: &Token| name_of(query, token);
        let mut edits = Vec::new();
        for (at, five) in tokens.windows(5).enumerate() {
            let [first, dot, second, other_dot, _] = five else { continue };
            let dotted = dot.kind == TokenKind::Dot && other_dot.kind == TokenKind::Dot;
            let is_start = at == 0 || tokens[at - 1].kind != TokenKind::Dot;
            let (Some(database), Some(table)) = (value(first), value(second)) else { continue };
            let leads = dotted && is_start && self.reach.way(&TableName::new(database, table)).is_some();
            let is_place = places.iter().any(|place| place.span.start == first.span.start);
            if leads && !is_place {
                edits.push(Edit { span: first.span.start..dot.span.end, with: With::Text(String::new()) });
            }
        }
        edits
    }

    /// Why no place leads to the table.
    fn without_place(&self, query: &str, tokens: &[Token]) -> Unaimed {
        const FUNCTIONS: [&str; 6] = ["remote", "remoteSecure", "cluster", "clusterAllReplicas", "merge", "view"];
        let is_function =
            |pair: &[Token]| FUNCTIONS.contains(&&query[pair[0].span.clone()]) && &query[pair[1].span.clone()] == "(";
        let named = tokens
            .iter()
            .any(|token| name_of(query, token).is_some_and(|name| self.reach.names().any(|known| known.table == name)));
        if named && tokens.windows(2).any(is_function) { Unaimed::TableFunction } else { Unaimed::Elsewhere }
    }
}

fn push(aimed: &mut Aimed, text: &str) {
    match aimed.pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Sql(sql)) => sql.push_str(text),
        _ => aimed.pieces.push(Piece::Sql(text.to_owned())),
    }
}

fn as_alias(alias: Option<String>) -> String {
    alias.map_or_else(String::new, |alias| format!(" AS {}", quote_identifier(&alias)))
}

/// Where the query begins: behind `INSERT INTO t (…)`, if that is there.
fn beginning(query: &str, tokens: &[Token]) -> Option<usize> {
    let is =
        |token: &Token, words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(&query[token.span.clone()]));
    let first = tokens.first()?;
    if is(first, &["SELECT", "WITH", "FROM", "("]) {
        return Some(first.span.start);
    }
    if !is(first, &["INSERT"]) {
        return None;
    }
    let mut depth = 0_usize;
    for token in tokens {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Word if depth == 0 && is(token, &["SELECT", "WITH"]) => return Some(token.span.start),
            TokenKind::Word if depth == 0 && is(token, &["VALUES", "FORMAT"]) => return None,
            _ => {}
        }
    }
    None
}

/// `{name:Type}`
fn has_parameters(query: &str, tokens: &[Token]) -> bool {
    tokens.windows(3).any(|three| {
        let [open, name, colon] = three else { return false };
        &query[open.span.clone()] == "{" && name.kind == TokenKind::Word && &query[colon.span.clone()] == ":"
    })
}

fn is_in_set(query: &str, tokens: &[Token], place: &Name) -> bool {
    let before = tokens.iter().rev().filter(|token| token.span.end <= place.span.start);
    before
        .map(|token| &query[token.span.clone()])
        .find(|text| *text != "(")
        .is_some_and(|text| text.eq_ignore_ascii_case("IN"))
}

/// Whether the query gives the table another name. Words that may follow a table's name are none.
fn has_alias(query: &str, tokens: &[Token], place: &Name) -> bool {
    const NO_ALIASES: [&str; 35] = [
        "FINAL",
        "SAMPLE",
        "WHERE",
        "PREWHERE",
        "GROUP",
        "HAVING",
        "ORDER",
        "LIMIT",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "SETTINGS",
        "FORMAT",
        "USING",
        "ON",
        "WINDOW",
        "QUALIFY",
        "ARRAY",
        "LEFT",
        "RIGHT",
        "INNER",
        "FULL",
        "CROSS",
        "ANY",
        "ALL",
        "ASOF",
        "SEMI",
        "ANTI",
        "GLOBAL",
        "JOIN",
        "OFFSET",
        "FETCH",
        "INTO",
        "SELECT",
        "PASTE",
    ];
    let Some(next) = tokens.iter().find(|token| token.span.start >= place.span.end) else { return false };
    match next.kind {
        TokenKind::QuotedIdentifier => true,
        TokenKind::Word => !NO_ALIASES.iter().any(|word| word.eq_ignore_ascii_case(&query[next.span.clone()])),
        _ => false,
    }
}

/// The name that a token of a query is, unquoted.
pub(super) fn name_of(query: &str, token: &Token) -> Option<String> {
    quoting::name_of(token.kind, &query[token.span.clone()])
}

#[cfg(test)]
mod tests {
    use super::super::reach::tests::reach;
    use super::*;

    fn aimed(query: &str) -> String {
        aim(query, Some("d"), &reach()).unwrap().at(&TableName::new("s", "n"))
    }

    fn refused(query: &str, database: Option<&str>) -> Unaimed {
        aim(query, database, &reach()).unwrap_err()
    }

    #[test]
    fn every_way_to_the_table_ends_at_the_twin() {
        for (query, wanted) in [
            ("SELECT a FROM d.t WHERE a = 1;", "SELECT a FROM `s`.`n` AS `t` WHERE a = 1"),
            ("SELECT t.a FROM `d`.`t` FINAL FORMAT JSON", "SELECT t.a FROM `s`.`n` AS `t` FINAL"),
            ("SELECT x.a FROM all AS x SETTINGS max_threads = 9", "SELECT x.a FROM `s`.`n` AS x"),
            ("SELECT d.all.a FROM d.all", "SELECT all.a FROM `s`.`n` AS `all`"),
            ("SELECT a FROM feed x, other", "SELECT a FROM `s`.`n` x, `d`.`other` AS `other`"),
            ("SELECT a FROM other WHERE a IN (d.t)", "SELECT a FROM `d`.`other` AS `other` WHERE a IN (`s`.`n`)"),
            ("INSERT INTO d.other (a) SELECT a FROM t", "SELECT a FROM `s`.`n` AS `t`"),
            (
                "SELECT count() FROM recent WHERE a = 2",
                "SELECT count() FROM (SELECT a, ts FROM `s`.`n` AS `all` WHERE ts > 0) AS `recent` WHERE a = 2",
            ),
            (
                "SELECT a FROM t WHERE a IN (SELECT a FROM t WHERE b = 'd.t')",
                "SELECT a FROM `s`.`n` AS `t` WHERE a IN (SELECT a FROM `s`.`n` AS `t` WHERE b = 'd.t')",
            ),
            (
                "WITH t AS (SELECT 1 AS a) SELECT a FROM t JOIN d.t AS u USING a",
                "WITH t AS (SELECT 1 AS a) SELECT a FROM t JOIN `s`.`n` AS u USING a",
            ),
        ] {
            assert_eq!(aimed(query), wanted);
        }
    }

    #[test]
    fn a_hostile_name_stays_within_its_quotes() {
        let aimed = aim("SELECT 1 FROM d.t", None, &reach()).unwrap();
        assert_eq!(aimed.at(&TableName::new("s`; DROP", "n")), "SELECT 1 FROM `s\\`; DROP`.`n` AS `t`");
    }

    #[test]
    fn who_asks_all_shards_is_known() {
        assert!(aim("SELECT 1 FROM d.recent", None, &reach()).unwrap().distributed);
        assert!(!aim("SELECT 1 FROM d.t", None, &reach()).unwrap().distributed);
    }

    #[test]
    fn what_cannot_be_aimed_says_why() {
        for (query, wanted) in [
            ("SELECT 1 FROM other WHERE b = 't'", Unaimed::Elsewhere),
            ("SELECT t FROM d.other", Unaimed::Elsewhere),
            ("INSERT INTO d.t VALUES (1)", Unaimed::Elsewhere),
            ("ALTER TABLE d.t DELETE WHERE a = 1", Unaimed::Elsewhere),
            ("SELECT 'open", Unaimed::Unreadable),
            ("SELECT a FROM d.t WHERE a = {x:UInt8}", Unaimed::Parameters),
            ("SELECT a FROM remote('h', d.t)", Unaimed::TableFunction),
        ] {
            assert_eq!(refused(query, Some("d")), wanted, "{query}");
        }
        assert_eq!(refused("SELECT 1 FROM all", None), Unaimed::Ambiguous);
        assert_eq!(refused("SELECT 1 FROM t", Some("e")), Unaimed::Elsewhere);
        assert_eq!(aim("SELECT 1 FROM t", None, &reach()).map(|aimed| aimed.distributed), Ok(false));
    }
}
