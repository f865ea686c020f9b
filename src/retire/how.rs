//! How one query uses a column of a table: by its name, by `*`, by the number of columns, perhaps, or not at all.

use std::collections::BTreeSet;
use std::ops::Range;

use super::paths::Paths;
use crate::assess::How;
use crate::ddl::lexer::{Token, TokenKind, significant_tokens};
use crate::ddl::quoting::{name_of, unquote};
use crate::ddl::{
    Form, Name, TableFunction, asks_by_pattern, asks_for, is_named_at, read_alteration, speaks_of, table_functions,
    table_places,
};
use crate::evaluate::Way;
use crate::names::TableName;

/// Views over views are followed so far.
const VIEWS_DEPTH_MAX: usize = 8;

/// How a query that was run in a session with this database, if that is known, uses a column. Where a server says that it has not read
/// it, `*` is that of something without such a column: a subquery, another table.
pub fn how(query: &str, database: Option<&str>, paths: &Paths, column: &str, is_unread: bool) -> Option<How> {
    Look { paths, database, column, is_unread, depth: 0 }.at(query)
}

/// What a query asks, as far as its places were looked at.
#[derive(Default)]
struct Asked {
    /// Uses by views.
    found: BTreeSet<How>,
    /// What the table, and what others are called in the query.
    own: BTreeSet<String>,
    foreign: BTreeSet<String>,
    reaches: bool,
    is_unsure: bool,
}

struct Look<'a> {
    paths: &'a Paths,
    database: Option<&'a str>,
    column: &'a str,
    is_unread: bool,
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
                fills.then(|| self.within(query, &tokens)).flatten()
            }
            "ALTER" => self.mutation(query, &tokens),
            "DELETE" | "UPDATE" => {
                [self.change(query, &tokens), self.within(query, &tokens)].into_iter().flatten().min()
            }
            // Rows that are equal in these columns are taken for one.
            "OPTIMIZE" if tokens.iter().any(|token| is(query, token, "BY")) => self.change(query, &tokens),
            // They speak of tables and read none of their rows.
            "DESCRIBE" | "DESC" | "SHOW" | "EXISTS" | "EXPLAIN" | "SYSTEM" | "OPTIMIZE" | "DROP" | "RENAME"
            | "EXCHANGE" | "ATTACH" | "DETACH" | "TRUNCATE" | "USE" | "SET" | "KILL" | "CHECK" | "GRANT" | "REVOKE"
            | "BACKUP" | "RESTORE" | "UNDROP" | "MOVE" | "BEGIN" | "COMMIT" | "ROLLBACK" => None,
            _ => self.unreadable(query),
        }
    }

    /// The query within a statement.
    fn within(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let within = &query[query_within(query, tokens)?..];
        self.select(within, &significant_tokens(within).ok()?)
    }

    /// A text that cannot be read uses the column if it may.
    fn unreadable(&self, query: &str) -> Option<How> {
        let names_table = self.paths.names().any(|name| query.contains(&name.table));
        (names_table && (query.contains(self.column) || query.contains('*'))).then_some(How::Perhaps)
    }

    fn select(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let Ok(places) = table_places(query) else { return self.unreadable(query) };
        let mut asked = Asked::default();
        for place in &places {
            self.reach(self.place(place), called(query, tokens, place), &mut asked);
        }
        for function in table_functions(query).unwrap_or_default() {
            for name in self.led_to(&function) {
                self.reach(self.place_of(name.clone()), Vec::new(), &mut asked);
                asked.is_unsure |= function.may_lead_outside();
            }
        }
        // Dictionaries are given names as strings or arguments.
        asked.reaches |= self.is_named_aside(query, tokens, &places);
        let Asked { mut found, own, foreign, reaches, is_unsure } = asked;
        found.extend(self.is_a_set(query, tokens).then_some(How::Counted));
        if reaches {
            let is_sure = !is_unsure;
            let names = self.is_ours(query, tokens, &own, &foreign);
            let in_string = is_asked_by_function(query, tokens) && has_string(query, tokens, self.column);
            let all = !self.is_unread && asks_for(query, self.column);
            match (names || in_string, all) {
                (true, _) => _ = found.insert(if is_sure { How::Named } else { How::Perhaps }),
                (false, true) => _ = found.insert(if is_sure { How::Star } else { How::Perhaps }),
                (false, false) => {}
            }
        }
        found.into_iter().next()
    }

    /// Whether the table stands behind IN: rows are looked for in it, as many values each as it has columns.
    fn is_a_set(&self, query: &str, tokens: &[Token]) -> bool {
        let behind =
            |at: usize| at + 1 + usize::from(tokens.get(at + 1).is_some_and(|next| next.kind == TokenKind::Open));
        let is_set = |at: usize| {
            let named = self.named_target(query, tokens, behind(at));
            named.is_some_and(|(_, next)| tokens.get(next).is_none_or(|token| token.kind != TokenKind::Open))
        };
        !self.is_unread && (0..tokens.len()).any(|at| is(query, &tokens[at], "IN") && is_set(at))
    }

    /// Takes in a place of a query, where the table there is called this in it.
    fn reach(&self, place: Place<'_>, called: Vec<String>, asked: &mut Asked) {
        match place {
            Place::Elsewhere => asked.foreign.extend(called),
            Place::View(select, database) if self.depth < VIEWS_DEPTH_MAX => {
                let within = Look { database: Some(&database), is_unread: false, depth: self.depth + 1, ..*self };
                match within.at(select) {
                    // What asks the view asks for the column by that.
                    Some(how @ (How::Named | How::Perhaps)) => _ = asked.found.insert(how),
                    // It is as good as the table.
                    Some(How::Star | How::Counted) => {
                        asked.reaches = true;
                        asked.own.extend(called);
                    }
                    None => asked.foreign.extend(called),
                }
            }
            other => {
                asked.is_unsure |= matches!(other, Place::Ambiguous | Place::View(..));
                asked.reaches = true;
                asked.own.extend(called);
            }
        }
    }

    /// What is written is used too: an insert that names the column fails once it is gone, and one without a list gives a value too many.
    fn insert(&self, query: &str, tokens: &[Token]) -> Option<How> {
        // As many values as the table has columns go on.
        let read = self.within(query, tokens).map(|how| if how == How::Star { How::Counted } else { how });
        let mut at = 1;
        while tokens.get(at).is_some_and(|token| is(query, token, "INTO") || is(query, token, "TABLE")) {
            at += 1;
        }
        let written = self.target(query, tokens, at);
        [read, written].into_iter().flatten().min()
    }

    fn target(&self, query: &str, tokens: &[Token], at: usize) -> Option<How> {
        let (sure, next) = if tokens.get(at).is_some_and(|token| is(query, token, "FUNCTION")) {
            self.target_of_function(query, tokens, at + 1)?
        } else {
            self.named_target(query, tokens, at)?
        };
        let or_perhaps = |how| Some(if sure { how } else { How::Perhaps });
        if tokens.get(next).is_none_or(|token| token.kind != TokenKind::Open) {
            return or_perhaps(How::Counted);
        }
        let list: Vec<Token> =
            tokens[next + 1..].iter().take_while(|token| token.kind != TokenKind::Close).cloned().collect();
        if (0..list.len()).any(|at| is_named_at(query, &list, at, self.column)) {
            return or_perhaps(How::Named);
        }
        let text = &query[tokens[next].span.start..list.last().map_or(tokens[next].span.end, |last| last.span.end)];
        let all = list.iter().any(|token| &query[token.span.clone()] == "*") || asks_by_pattern(text, self.column);
        all.then(|| or_perhaps(How::Counted)).flatten()
    }

    /// Whether it is sure that an insert goes to the table, and the token behind what it goes to.
    fn target_of_function(&self, query: &str, tokens: &[Token], at: usize) -> Option<(bool, usize)> {
        let start = tokens.get(at)?.span.start;
        let (function, length) = TableFunction::at_beginning(&query[start..])?;
        self.led_to(&function).next()?;
        let next = tokens.iter().position(|token| token.span.start >= start + length).unwrap_or(tokens.len());
        Some((!function.may_lead_outside(), next))
    }

    /// The same of a name.
    fn named_target(&self, query: &str, tokens: &[Token], at: usize) -> Option<(bool, usize)> {
        let name = |at: usize| tokens.get(at).and_then(|token| name_of(token.kind, &query[token.span.clone()]));
        let first = name(at)?;
        let is_full = tokens.get(at + 1).is_some_and(|token| token.kind == TokenKind::Dot);
        let (database, table, next) =
            if is_full { (Some(first), name(at + 2)?, at + 3) } else { (None, first, at + 1) };
        let span = tokens[at].span.start..tokens[next - 1].span.end;
        match self.place(&Name { database, table, span }) {
            Place::Table => Some((true, next)),
            Place::Ambiguous => Some((false, next)),
            Place::View(..) | Place::Elsewhere => None,
        }
    }

    /// Those of the names that lead to the table which a table function reads or writes.
    fn led_to(&self, function: &TableFunction) -> impl Iterator<Item = &TableName> {
        let database = self.database;
        self.paths.names().filter(move |name| function.leads_to(name, database.unwrap_or(&name.database)))
    }

    /// An ALTER that computes with the column.
    fn mutation(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let Ok(read) = read_alteration(query) else { return self.unreadable(query) };
        let mut computes =
            read.commands.iter().filter(|one| matches!(one.form, Form::Update | Form::Delete)).peekable();
        computes.peek()?;
        let name = Name { database: read.table.database.clone(), table: read.table.table.clone(), span: 0..0 };
        let is_ours = !matches!(self.place(&name), Place::Elsewhere);
        if is_ours && computes.any(|one| speaks_of(&one.text.text, self.column)) {
            return Some(How::Named);
        }
        self.within(query, tokens)
    }

    fn change(&self, query: &str, tokens: &[Token]) -> Option<How> {
        let is_word = |token: &Token| is(query, token, "FROM") || is(query, token, "TABLE");
        let at = if tokens.get(1).is_some_and(is_word) { 2 } else { 1 };
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
        self.place_of(full)
    }

    fn place_of(&self, full: TableName) -> Place<'_> {
        match (self.paths.reach.way(&full), self.paths.views.get(&full)) {
            (Some(Way::View { select }), _) | (None, Some(select)) => Place::View(select, full.database),
            (Some(Way::Local | Way::Distributed), _) => Place::Table,
            (None, None) if self.paths.others.contains(&full) => Place::Table,
            (None, None) => Place::Elsewhere,
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
        }) && is_asked_by_function(query, tokens)
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

/// Where a query begins within a statement: its first SELECT, WITH or FROM, but for the one of DELETE FROM.
fn query_within(query: &str, tokens: &[Token]) -> Option<usize> {
    let begins = |pair: &&[Token]| {
        let is_from = is(query, &pair[1], "FROM") && !is(query, &pair[0], "DELETE");
        pair[1].kind == TokenKind::Word && (is_from || is(query, &pair[1], "SELECT") || is(query, &pair[1], "WITH"))
    };
    tokens.windows(2).find(begins).map(|pair| pair[1].span.start)
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

/// `dictGet…(` and its like.
fn is_asked_by_function(query: &str, tokens: &[Token]) -> bool {
    let asks = |pair: &[Token]| query[pair[0].span.clone()].starts_with("dict") && &query[pair[1].span.clone()] == "(";
    tokens.windows(2).any(asks)
}
