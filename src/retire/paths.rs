//! The names under which queries reach a table on one replica, and what else there names its columns.

use std::collections::{BTreeMap, BTreeSet};

use crate::assess::Standing;
use crate::ddl::{asks_by_pattern, mentions, read_dictionary, read_view, speaks_of};
use crate::evaluate::{Defined, Reach};
use crate::names::{TableName, quote_identifier, quote_string};

/// Every name that leads to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What can be followed: the table, `Distributed` tables over it, ordinary views, views that write into it.
    pub reach: Reach,
    /// What can be asked and leads to it some other way: dictionaries, Buffer, Merge and Alias
    /// tables, `Distributed` tables over others, views over all these.
    pub others: BTreeSet<TableName>,
    /// The queries of those of them that are ordinary views.
    pub views: BTreeMap<TableName, String>,
    /// Definitions of views, dictionaries and the like that lead to the table, by name.
    definitions: BTreeMap<TableName, String>,
}

impl Paths {
    /// As one replica's definitions tell them.
    pub fn new(table: &TableName, all: &[Defined]) -> Self {
        let reach = Reach::of(table, all);
        let mut known: BTreeSet<TableName> = reach.names().cloned().collect();
        let (mut others, mut views, mut definitions) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        loop {
            let leads = |one: &&Defined| !mentions(&one.name, &one.create_query, &known).is_empty();
            let fresh = |one: &&Defined| !definitions.contains_key(&one.name);
            let found: Vec<&Defined> = all.iter().filter(fresh).filter(leads).collect();
            if found.is_empty() {
                break;
            }
            for one in found {
                definitions.insert(one.name.clone(), one.create_query.clone());
                // Who reads a materialized view reads what it has written, and not the table.
                if one.engine != "MaterializedView" && known.insert(one.name.clone()) {
                    others.insert(one.name.clone());
                    let view = read_view(&one.create_query).ok();
                    views.extend(view.map(|view| (one.name.clone(), view.select.text)));
                }
            }
        }
        Self { reach, others, views, definitions }
    }

    /// Every name that can be asked.
    pub fn names(&self) -> impl Iterator<Item = &TableName> {
        self.reach.names().chain(&self.others)
    }

    /// Views, dictionaries and the like whose definitions name the column. Tables that only declare it are none.
    pub fn standing(&self, column: &str) -> Vec<Standing> {
        let is_table = |name: &TableName| {
            let text = &self.definitions[name];
            ["Distributed", "Buffer", "Merge", "Alias"]
                .iter()
                .any(|engine| text.contains(&format!("ENGINE = {engine}(")))
        };
        let named = self.definitions.iter().filter(|(name, text)| is_asked_for(text, column) && !is_table(name));
        named.map(|(name, _)| Standing { table: name.clone(), column: column.to_owned() }).collect()
    }

    /// Bare names as they may stand in a query's text, each once.
    fn needles(&self) -> BTreeSet<String> {
        let written = |name: &TableName| {
            let quoted = quote_identifier(&name.table);
            [name.table.clone(), quoted[1..quoted.len() - 1].to_owned()]
        };
        self.names().flat_map(written).collect()
    }

    /// A condition that one of the names is in `query`, or a pattern that may match one.
    pub fn condition(&self) -> String {
        let found: Vec<String> =
            self.needles().iter().map(|name| format!("position(query, {}) > 0", quote_string(name))).collect();
        format!("{} OR {}", found.join(" OR "), format_args!("match(query, {})", quote_string(MERGE)))
    }

    /// An expression by which queries differ that name different ones of them, or of the columns, or ask by another pattern.
    pub fn flags(&self, columns: &[String]) -> String {
        let all: Vec<String> = self.needles().into_iter().chain(columns.iter().cloned()).collect();
        let flags: Vec<String> =
            all.iter().map(|name| format!("toString(match(query, {}))", quote_string(&as_word(name)))).collect();
        // One alone is no concatenation on old servers.
        format!(
            "concat(arrayStringConcat(extractAll(query, {}), ','), {})",
            quote_string(&format!("{MERGE}|{COLUMNS}")),
            flags.join(", ")
        )
    }

    /// The columns as the list of columns that a query read has them, as string literals.
    pub fn listed(&self, columns: &[String]) -> String {
        let all: Vec<String> = columns.iter().flat_map(|column| self.listed_as(column)).collect();
        all.join(", ")
    }

    /// An expression with a digit for each column: 2 if the list of columns that a query read has it, 1 if it has others, 0 if it does
    /// not tell. What a table function reads has no name of a table in the list, at times beside the table's own, at times not.
    pub fn listing(&self, columns: &[String]) -> String {
        let digit = |column: &String| {
            let ends: Vec<String> = listed_forms(column)
                .iter()
                .map(|form| format!("endsWith(name, {})", quote_string(&format!(".{form}"))))
                .collect();
            format!(
                "multiIf(hasAny(columns, [{}]), '2', empty(columns) OR arrayExists(name -> startsWith(name, \
                 '_table_function.') AND ({}), columns), '0', '1')",
                self.listed_as(column).join(", "),
                ends.join(" OR ")
            )
        };
        let digits: Vec<String> = columns.iter().map(digit).collect();
        format!("concat('', {})", digits.join(", "))
    }

    fn listed_as(&self, column: &str) -> Vec<String> {
        let mut all = Vec::new();
        for name in self.names() {
            for database in listed_forms(&name.database) {
                for table in listed_forms(&name.table) {
                    let full = |column: String| quote_string(&format!("{database}.{table}.{column}"));
                    all.extend(listed_forms(column).into_iter().map(full));
                }
            }
        }
        all
    }
}

/// `merge('d', '^t')` up to its end, for servers.
const MERGE: &str = r"(?i:\bmerge\s*\([^)]*)";
/// The same of `COLUMNS('^c')`.
const COLUMNS: &str = r"(?i:\bcolumns\s*\([^)]*)";

/// A pattern of a name where it is a word of its own, for servers: `metric_1` is not in `metric_10`.
fn as_word(name: &str) -> String {
    let escape = |c: char| if c.is_alphanumeric() || c == '_' { c.to_string() } else { format!("\\{c}") };
    format!(r"(?:^|[^\pL\pN_]){}(?:[^\pL\pN_]|$)", name.chars().map(escape).collect::<String>())
}

/// Whether a definition names the column, or has a query that asks for it.
fn is_asked_for(definition: &str, column: &str) -> bool {
    let view = read_view(definition).map(|view| vec![view.select.text]);
    let queries = view.or_else(|_| read_dictionary(definition).map(|dictionary| dictionary.queries()));
    let in_query = |query: &String| speaks_of(query, column) || asks_by_pattern(query, column);
    speaks_of(definition, column) || queries.is_ok_and(|queries| queries.iter().any(in_query))
}

/// A name as servers may write it: they quote what needs it, and some words that do not.
fn listed_forms(name: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_plain = name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit());
    is_plain.then(|| name.to_owned()).into_iter().chain([quote_identifier(name)]).collect()
}
