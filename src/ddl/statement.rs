//! Statements that say how a table is, or how it shall become.

use std::ops::Range;

use super::alter::read_alter;
use super::create::read_create;
use super::declaration::{Declaration, read_declaration};
use super::engine::Engine;
use super::error::DdlError;
use super::reader::Reader;
use crate::names::{TableName, quote_identifier};

/// A piece of SQL, verbatim, without blanks and comments at its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The SQL.
    pub text: String,
    /// Where it stands in its source, in bytes; `0..0` for text that was made, not read.
    pub span: Range<usize>,
}

impl Text {
    /// Text that stands in no source.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), span: 0..0 }
    }
}

/// A table's name as a statement gives it, unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The database, if the statement names one.
    pub database: Option<String>,
    /// The table.
    pub table: String,
    /// Where it stands in its source, in bytes.
    pub span: Range<usize>,
}

impl Name {
    /// The full name, in `database` if the statement names none.
    pub fn in_database(&self, database: &str) -> TableName {
        TableName::new(self.database.as_deref().unwrap_or(database), &self.table)
    }

    /// The name as SQL text, quoted.
    pub fn sql(&self) -> String {
        match &self.database {
            Some(database) => format!("{}.{}", quote_identifier(database), quote_identifier(&self.table)),
            None => quote_identifier(&self.table),
        }
    }
}

impl From<&TableName> for Name {
    fn from(name: &TableName) -> Self {
        Self { database: Some(name.database.clone()), table: name.table.clone(), span: 0..0 }
    }
}

/// A statement that this version can plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A change of keys.
    AlterKeys(AlterKeys),
    /// A whole definition.
    Create(Box<CreateTable>),
}

/// `ALTER TABLE … MODIFY ORDER BY …, MODIFY PARTITION BY …, MODIFY PRIMARY KEY …`; at least one of the three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterKeys {
    /// The table.
    pub table: Name,
    /// The cluster of `ON CLUSTER`.
    pub on_cluster: Option<String>,
    /// The wanted sorting key.
    pub order_by: Option<Text>,
    /// The wanted primary key.
    pub primary_key: Option<Text>,
    /// The wanted partition key.
    pub partition_by: Option<Text>,
}

/// `CREATE TABLE`, in parts. Those that nobody changes keep their text, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// The table.
    pub name: Name,
    /// Whether an existing table is left alone.
    pub if_not_exists: bool,
    /// The cluster of `ON CLUSTER`.
    pub on_cluster: Option<String>,
    /// What stands between the outer parentheses.
    pub body: Text,
    /// The body, item by item.
    pub items: Vec<Item>,
    /// Engine and storage clauses.
    pub engine: Engine,
    /// The table's comment, a string literal.
    pub comment: Option<Text>,
}

/// One item of a table's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it declares.
    pub kind: ItemKind,
    /// All of it, its first word included.
    pub text: Text,
}

impl Item {
    /// What of it is computed from columns: the default and the TTL of a column, the expression of an index, and the like. All of it
    /// where it cannot be taken apart.
    pub fn expressions(&self) -> Vec<String> {
        let text = &self.text.text;
        let parts = match &self.kind {
            ItemKind::Column { .. } => read_declaration(text).map(|declaration| declaration.expressions()),
            _ => expression_of(text).map(|expression| vec![expression]),
        };
        parts.unwrap_or_else(|_| vec![text.clone()])
    }
}

/// What stands behind `INDEX name` and before its TYPE, behind `PROJECTION name`, `CONSTRAINT name CHECK`, `PRIMARY KEY`.
fn expression_of(text: &str) -> Result<String, DdlError> {
    let mut reader = Reader::new(text)?;
    let is_constraint = reader.sees(&["CONSTRAINT"]);
    reader.advance();
    reader.identifier()?;
    if is_constraint {
        reader.identifier()?;
    }
    let ends = |reader: &Reader<'_>| reader.sees(&["TYPE"]);
    reader.clause("an expression", ends).map(|expression| expression.text)
}

/// What an item of a table's body declares. Names are unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A column; a Nested one's part is called `outer.inner`.
    Column {
        /// The column's name.
        name: String,
    },
    /// A data skipping index.
    Index {
        /// The index's name.
        name: String,
    },
    /// A projection.
    Projection {
        /// The projection's name.
        name: String,
    },
    /// A constraint.
    Constraint {
        /// The constraint's name.
        name: String,
    },
    /// A primary key among the columns.
    PrimaryKey,
}

impl CreateTable {
    /// The names of the columns, in order.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Column { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// The same with another type of a column, which keeps its default and all else that is declared of it. A column whose
    /// declaration cannot be read keeps its type.
    #[must_use]
    pub fn with_type(mut self, column: &str, kind: &str) -> Self {
        for item in &mut self.items {
            if matches!(&item.kind, ItemKind::Column { name } if name == column)
                && let Ok(declared) = read_declaration(&item.text.text)
            {
                item.text = Text::new(Declaration { kind: Some(kind.to_owned()), ..declared }.to_sql(column));
            }
        }
        let items: Vec<&str> = self.items.iter().map(|item| item.text.text.as_str()).collect();
        self.body = Text::new(items.join(", "));
        self
    }

    /// Writes the statement from its parts, in ClickHouse's own order of clauses.
    ///
    /// `ON CLUSTER` and a UUID are left out: a definition is created replica by replica, and a UUID is one table's.
    /// The body comes from [`CreateTable::body`], so a change to [`CreateTable::items`] alone has no effect.
    pub fn to_sql(&self) -> String {
        let guard = if self.if_not_exists { "IF NOT EXISTS " } else { "" };
        let mut sql =
            format!("CREATE TABLE {guard}{} ({}) ENGINE = {}", self.name.sql(), self.body.text, self.engine.to_sql());
        if let Some(comment) = &self.comment {
            sql.push_str(" COMMENT ");
            sql.push_str(&comment.text);
        }
        sql
    }
}

/// Reads one statement that a person wrote.
pub fn read_change(sql: &str) -> Result<Statement, DdlError> {
    let mut reader = Reader::new(sql)?;
    if reader.at_end() {
        return Err(reader.error("there is no statement"));
    }
    let statement = if reader.take(&["ALTER"]) {
        Statement::AlterKeys(read_alter(&mut reader)?)
    } else if reader.take(&["CREATE"]) {
        Statement::Create(Box::new(read_create(&mut reader)?))
    } else {
        return Err(reader.unexpected("`ALTER TABLE` or `CREATE TABLE`"));
    };
    reader.expect_end()?;
    Ok(statement)
}

/// Reads a table's definition, as in `system.tables.create_table_query`.
pub fn read_table(create_table_query: &str) -> Result<CreateTable, DdlError> {
    let mut reader = Reader::new(create_table_query)?;
    reader.expect(&["CREATE"])?;
    let table = read_create(&mut reader)?;
    reader.expect_end()?;
    Ok(table)
}

/// Reads a table's name as people write it: `t`, `db.t`, with quotes where a name needs them.
pub fn read_name(text: &str) -> Result<Name, DdlError> {
    let mut reader = Reader::new(text)?;
    let name = reader.name()?;
    reader.expect_end()?;
    Ok(name)
}
