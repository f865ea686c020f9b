//! How one query uses a column of a table: by its name, by `*`, perhaps, or not at all.

use std::collections::BTreeSet;
use std::ops::Range;

use super::paths::Paths;
use crate::assess::How;
use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::quoting::{name_of, unquote};
use crate::ddl::{Form, Name, asks_for, is_named_at, read_alteration, speaks_of, table_places};
use crate::evaluate::Way;
use crate::names::TableName;

/// Views over views are followed so far.
const VIEWS_DEPTH_MAX: usize = 8;

/// How a query that was run in a session with this database, if that is known, uses a column.
pub fn how(query: &str, database: Option<&str>, paths: &Paths, column: &str) -> Option<How> {
    Look { paths, database, column, depth: 0 }.at(query)
}

struct Look<'a> {
    paths: &'a Paths,
    database: Option<&'a str>,
    column: &'a str,
    depth: usize,
}

/// What a name in a query is.
enum Place<'a> {
    /// The table, or something that stands before it.
    Table,
    View(&'a str, String),
    Elsewhere,
    /// One of several tables of that name.
    Ambiguous,
}

impl Look<'_> {
    fn at(&self, query: &str) -> Option<How> {
        let Ok(tokens) = significant_tokens(query) else { return self.unreadable(query) };
        let text = |at: usize| tokens.get(at).map_or("", |token| &query[token.span.clone()]);
        match text(0).to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "FROM" | "(" => self.select(query, &tokens),
            "INSERT" => self.insert(query, &tokens),
            "CREATE" | "REPLACE" => {
                let is_table = (1..5).any(|at| text(at).eq_ignore_ascii_case("TABLE"));
                let fills = is_table || tokens.iter().any(|token| is(query, token, "POPULATE"));
                fills
                    .then(|| self.select(&query[query_within(query, &tokens)?..], &tokens_from(query, &tokens)?))
                    .flatten()
            }
            "ALTER" => self.mutation(query),
            "DELETE" | "UPDATE" => self.change(query, &tokens),
            // They speak of tables and read none of their rows.
            "DESCRIBE" | "DESC" | "SHOW" | "EXISTS" | "EXPLAIN" | "SYSTEM" | "OPTIMIZE" | "DROP" | "RENAME"
            | "EXCHANGE" | "ATTACH" | "DETACH" | "TRUNCATE" | "USE" | "SET" | "KILL" | "CHECK" | "GRANT" | "REVOKE"
            | "BACKUP" | "RESTORE" | "UNDROP" | "MOVE" | "BEGIN" | "COMMIT" | "ROLLBACK" => None,
            _ => self.unreadable(query),
        }
    }

    /// A text that cannot be read uses the column if it may.
    fn unreadable(&self, query: &str) -> Option<How> {
        let names_table = self.paths.names().any(|name| query.contains(&name.table));
        (names_table && (query.contains(self.column) || query.contains('*'))).then_some(How::Perhaps)
    }

    fn select(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let Ok(places) = table_places(query) else { return self.unreadable(query) };
        let mut found = BTreeSet::new();
        let (mut own, mut foreign) = (BTreeSet::new(), BTreeSet::new());
        let (mut reaches, mut is_sure) = (false, true);
        for place in &places {
            match self.place(place) {
                Place::Elsewhere => foreign.extend(called(query, tokens, place)),
                Place::View(select, database) if self.depth < VIEWS_DEPTH_MAX => {
                    let within = Look { database: Some(&database), depth: self.depth + 1, ..*self };
                    match within.at(select) {
                        // What asks the view names the column by that.
                        Some(How::Named) => _ = found.insert(How::Named),
                        // It is as good as the table.
                        Some(_) => {
                            reaches = true;
                            own.extend(called(query, tokens, place));
                        }
                        None => foreign.extend(called(query, tokens, place)),
                    }
                }
                other => {
                    is_sure &= !matches!(other, Place::Ambiguous | Place::View(..));
                    reaches = true;
                    own.extend(called(query, tokens, place));
                }
            }
        }
        // Table functions and dictionaries are given names as strings or arguments.
        if self.is_named_aside(query, tokens, &places) {
            is_sure &= reaches || is_asked_by_function(query, tokens);
            reaches = true;
        }
        if reaches {
            let names = self.is_ours(query, tokens, &own, &foreign);
            let in_string = is_asked_by_function(query, tokens) && has_string(query, tokens, self.column);
            let all = asks_for(query, self.column);
            match (names || in_string, all) {
                (true, _) => _ = found.insert(if is_sure { How::Named } else { How::Perhaps }),
                (false, true) => _ = found.insert(if is_sure { How::Star } else { How::Perhaps }),
                (false, false) => {}
            }
        }
        found.into_iter().next()
    }

    /// What is written is used too: an insert that names the column fails once it is gone, and one without a list gives a value too many.
    fn insert(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let read = query_within(query, tokens)
            .and_then(|from| self.select(&query[from..], &significant_tokens(&query[from..]).ok()?));
        let mut at = 1;
        while tokens.get(at).is_some_and(|token| is(query, token, "INTO") || is(query, token, "TABLE")) {
            at += 1;
        }
        let written = self.target(query, tokens, at);
        [read, written].into_iter().flatten().min()
    }

    fn target(&self, query: &str, tokens: &[Token], at: usize) -> Option<How> {
        let name = |at: usize| tokens.get(at).and_then(|token| name_of(token.kind, &query[token.span.clone()]));
        let first = name(at)?;
        let is_full = tokens.get(at + 1).is_some_and(|token| token.kind == TokenKind::Dot);
        let (database, table, next) =
            if is_full { (Some(first), name(at + 2)?, at + 3) } else { (None, first, at + 1) };
        let span = tokens[at].span.start..tokens[next - 1].span.end;
        let sure = match self.place(&Name { database, table, span }) {
            Place::Table => true,
            Place::Ambiguous => false,
            Place::View(..) | Place::Elsewhere => return None,
        };
        let or_perhaps = |how| Some(if sure { how } else { How::Perhaps });
        if tokens.get(next).is_none_or(|token| token.kind != TokenKind::Open) {
            return or_perhaps(How::Star);
        }
        let list: Vec<Token> =
            tokens[next + 1..].iter().take_while(|token| token.kind != TokenKind::Close).cloned().collect();
        if (0..list.len()).any(|at| is_named_at(query, &list, at, self.column)) {
            return or_perhaps(How::Named);
        }
        list.iter().any(|token| &query[token.span.clone()] == "*").then(|| or_perhaps(How::Star)).flatten()
    }

    /// An ALTER that computes with the column.
    fn mutation(&self, query: &str) -> Option<How> {
        let Ok(read) = read_alteration(query) else { return self.unreadable(query) };
        let name = Name { database: read.table.database.clone(), table: read.table.table.clone(), span: 0..0 };
        if matches!(self.place(&name), Place::Elsewhere) {
            return None;
        }
        let computes = |form: Form| matches!(form, Form::Update | Form::Delete);
        let uses = read.commands.iter().any(|one| computes(one.form) && speaks_of(&one.text.text, self.column));
        uses.then_some(How::Named)
    }

    fn change(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let at = if tokens.get(1).is_some_and(|token| is(query, token, "FROM")) { 2 } else { 1 };
        let words: Vec<String> = tokens[at.min(tokens.len())..]
            .iter()
            .take(3)
            .filter_map(|token| name_of(token.kind, &query[token.span.clone()]))
            .collect();
        let is_ours = self.paths.names().any(|name| words.contains(&name.table));
        (is_ours && speaks_of(query, self.column)).then_some(How::Named)
    }

    fn place(&self, name: &Name) -> Place<'_> {
        let reach = &self.paths.reach;
        let full = match (&name.database, self.database) {
            (Some(database), _) => TableName::new(database.clone(), name.table.clone()),
            (None, Some(database)) => TableName::new(database, name.table.clone()),
            (None, None) => {
                let mut known = self.paths.names().filter(|known| known.table == name.table);
                match (known.next(), known.next()) {
                    (Some(only), None) if !reach.is_ambiguous(&name.table) => only.clone(),
                    (None, _) => return Place::Elsewhere,
                    _ => return Place::Ambiguous,
                }
            }
        };
        match reach.way(&full) {
            Some(Way::View { select }) => Place::View(select, full.database),
            Some(Way::Local | Way::Distributed) => Place::Table,
            None if self.paths.others.contains(&full) => Place::Table,
            None => Place::Elsewhere,
        }
    }

    /// Whether a name that leads to the table stands where no table is read from: in a string, or as an argument.
    fn is_named_aside(&self, query: &str, tokens: &[Token], places: &[Name]) -> bool {
        let is_place = |span: &Range<usize>| {
            places.iter().any(|place| place.span.start <= span.start && span.end <= place.span.end)
        };
        tokens.iter().any(|token| {
            let text = &query[token.span.clone()];
            match token.kind {
                TokenKind::String => unquote(text).is_some_and(|text| self.is_name(&text)),
                TokenKind::Word | TokenKind::QuotedIdentifier if !is_place(&token.span) => {
                    name_of(token.kind, text).is_some_and(|name| self.is_name(&name))
                        && is_argument(query, tokens, token)
                }
                _ => false,
            }
        }) && (is_asked_by_function(query, tokens) || has_table_function(query, tokens))
    }

    /// `db.t` or `t`, of anything that leads to the table.
    fn is_name(&self, text: &str) -> bool {
        self.paths.names().any(|name| text == name.table || text.split_once('.') == Some((&name.database, &name.table)))
    }

    /// Whether the column's name stands somewhere without being that of another table's column.
    fn is_ours(&self, query: &str, tokens: &[Token], own: &BTreeSet<String>, foreign: &BTreeSet<String>) -> bool {
        let name = |at: usize| name_of(tokens[at].kind, &query[tokens[at].span.clone()]);
        (0..tokens.len()).any(|at| {
            let owner = (at >= 2 && tokens[at - 1].kind == TokenKind::Dot).then(|| name(at - 2)).flatten();
            is_named_at(query, tokens, at, self.column)
                && owner.is_none_or(|owner| own.contains(&owner) || !foreign.contains(&owner))
        })
    }
}

fn is(query: &str, token: &Token, word: &str) -> bool {
    query[token.span.clone()].eq_ignore_ascii_case(word)
}

/// Where a query begins within a statement: its first SELECT or WITH outside of brackets, or within those behind AS.
fn query_within(query: &str, tokens: &[Token]) -> Option<usize> {
    let begins =
        |token: &&Token| token.kind == TokenKind::Word && (is(query, token, "SELECT") || is(query, token, "WITH"));
    tokens.iter().skip(1).find(begins).map(|token| token.span.start)
}

fn tokens_from(query: &str, tokens: &[Token]) -> Option<Vec<Token>> {
    significant_tokens(&query[query_within(query, tokens)?..]).ok()
}

/// The names that columns of the table at this place may have before them.
fn called(query: &str, tokens: &[Token], place: &Name) -> Vec<String> {
    let mut names = vec![place.table.clone()];
    let mut behind = tokens.iter().skip_while(|token| token.span.start < place.span.end);
    let mut next = behind.next();
    if next.is_some_and(|token| is(query, token, "AS")) {
        next = behind.next();
    }
    names.extend(next.and_then(|token| name_of(token.kind, &query[token.span.clone()])));
    names
}

fn has_string(query: &str, tokens: &[Token], text: &str) -> bool {
    let strings = tokens.iter().filter(|token| token.kind == TokenKind::String);
    strings.filter_map(|token| unquote(&query[token.span.clone()])).any(|string| string == text)
}

fn is_argument(query: &str, tokens: &[Token], token: &Token) -> bool {
    let before = tokens.iter().rev().find(|other| other.span.end <= token.span.start);
    before.is_some_and(|before| ["(", ",", "."].contains(&&query[before.span.clone()]))
}

fn has_table_function(query: &str, tokens: &[Token]) -> bool {
    const FUNCTIONS: [&str; 9] = [
        "remote",
        "remoteSecure",
        "cluster",
        "clusterAllReplicas",
        "merge",
        "view",
        "dictionary",
        "viewIfPermitted",
        "loop",
    ];
    tokens
        .windows(2)
        .any(|pair| FUNCTIONS.contains(&&query[pair[0].span.clone()]) && &query[pair[1].span.clone()] == "(")
}

/// `dictGet…(` and its like.
fn is_asked_by_function(query: &str, tokens: &[Token]) -> bool {
    let asks = |pair: &[Token]| query[pair[0].span.clone()].starts_with("dict") && &query[pair[1].span.clone()] == "(";
    tokens.windows(2).any(asks)
}
