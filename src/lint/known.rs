//! What all files together say about tables.

use std::collections::BTreeMap;

use super::dialect::Dialect;
use super::statement::{Act, ConstraintKind, Definition, Named, Statement, What};

/// More tables of a kind are not kept in mind.
const TABLES_MAX: usize = 10_000;
/// Nor more of one name in different databases.
const NAMESAKES_MAX: usize = 50;

/// What all files together say about tables.
#[derive(Default)]
pub(super) struct Known {
    /// `Distributed` tables with the local table of each, by the name of the table in lower case.
    distributed: BTreeMap<String, Vec<(Named, Named)>>,
    /// Materialized views of ClickHouse with a target, by name in lower case; no table that a later file creates by that name.
    views: BTreeMap<String, Named>,
    /// Tables that may tie rows of two others together.
    links: BTreeMap<(Option<String>, String), Link>,
}

/// A table of two columns, and at most an `id` beside them.
struct Link {
    columns: [String; 2],
    foreign_keys: usize,
    /// Whether no pair is in it twice.
    is_unique: bool,
}

impl Known {
    /// Takes in one more file.
    pub(super) fn take(&mut self, text: &str, dialect: Dialect, statements: &[Statement]) {
        for statement in statements {
            for act in &statement.acts {
                match (dialect, &act.table) {
                    (Dialect::ClickHouse, Some(table)) => {
                        self.take_distributed(act, table);
                        self.take_view(act, table);
                    }
                    (Dialect::Postgres, Some(table)) => self.take_link(act, table, &text[statement.span.clone()]),
                    (_, None) => {}
                }
            }
        }
    }

    fn take_distributed(&mut self, act: &Act, table: &Named) {
        let What::CreateTable(definition) = &act.what else { return };
        let Some(local) = definition.distributed_over.as_ref().filter(|_| self.distributed.len() < TABLES_MAX) else {
            return;
        };
        let namesakes = self.distributed.entry(table.table.to_ascii_lowercase()).or_default();
        if namesakes.len() < NAMESAKES_MAX {
            namesakes.push((table.clone(), local.clone()));
        }
    }

    fn take_view(&mut self, act: &Act, table: &Named) {
        let name = || table.table.to_ascii_lowercase();
        match &act.what {
            What::CreateMaterializedView { to: true, .. } if self.views.len() < TABLES_MAX => {
                self.views.insert(name(), table.clone());
            }
            What::CreateMaterializedView { .. } | What::CreateTable(_) => {
                self.views.remove(&name());
            }
            _ => {}
        }
    }

    fn take_link(&mut self, act: &Act, table: &Named, statement: &str) {
        let key = owned(table);
        match &act.what {
            What::CreateTable(definition) => {
                let link = Link::new(definition, statement).filter(|_| self.links.len() < TABLES_MAX);
                match link {
                    Some(link) => self.links.insert(key, link),
                    None => self.links.remove(&key),
                };
            }
            What::AddColumn(_) => {
                self.links.remove(&key);
            }
            What::AddConstraint { kind, text, .. } => {
                let Some(link) = self.links.get_mut(&key) else { return };
                link.foreign_keys += usize::from(*kind == ConstraintKind::ForeignKey);
                link.is_unique |= link.is_unique_by(text);
            }
            _ => {}
        }
    }

    /// The local table behind a `Distributed` one.
    pub(super) fn local_of(&self, table: &Named) -> Option<&Named> {
        let namesakes = self.distributed.get(&table.table.to_ascii_lowercase())?;
        namesakes.iter().find(|(distributed, _)| distributed.is(table)).map(|(_, local)| local)
    }

    /// Whether the files make a materialized view of it that has a target.
    pub(super) fn is_view_with_target(&self, table: &Named) -> bool {
        self.views.get(&table.table.to_ascii_lowercase()).is_some_and(|view| view.is(table))
    }

    /// Whether a table surely is no more than a tie between rows of two others: two foreign keys, each pair once, and at most an `id`.
    pub(super) fn is_join_table(&self, table: &Named) -> bool {
        self.links.get(&owned(table)).is_some_and(|link| link.foreign_keys == 2 && link.is_unique)
    }
}

fn owned(table: &Named) -> (Option<String>, String) {
    let (database, table) = table.key();
    (database.map(str::to_owned), table.to_owned())
}

impl Link {
    fn new(definition: &Definition, statement: &str) -> Option<Self> {
        let names = || definition.columns.iter().map(|column| column.name.to_ascii_lowercase());
        let columns = names().filter(|name| name != "id").collect::<Vec<_>>().try_into().ok()?;
        if definition.columns.len() > 3 {
            return None;
        }
        let mut link = Self { columns, foreign_keys: definition.foreign_keys, is_unique: false };
        link.is_unique = link.is_unique_by(statement);
        Some(link)
    }

    /// Whether `UNIQUE (a, b)` or `PRIMARY KEY (a, b)` stands there.
    fn is_unique_by(&self, text: &str) -> bool {
        let bare = |c: &char| !c.is_whitespace() && *c != '"';
        let text: String = text.chars().filter(bare).map(|c| c.to_ascii_lowercase()).collect();
        let [one, other] = &self.columns;
        let pairs = [format!("({one},{other})"), format!("({other},{one})")];
        pairs.iter().any(|pair| ["unique", "primarykey"].iter().any(|word| text.contains(&format!("{word}{pair}"))))
    }
}
