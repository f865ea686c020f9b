//! Why an ALTER is not planned.

use crate::change::ChangeError;
use crate::ddl::DdlError;
use crate::names::TableName;
use crate::words::offered;

/// Why an ALTER cannot be tied to tables, or is not planned.
#[derive(Debug, thiserror::Error)]
pub enum AlterError {
    /// The tables cannot be found.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A command or a definition cannot be read.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What it is.
        what: String,
        /// Where, and why.
        source: Box<DdlError>,
    },
    /// A command that no plan is made for.
    #[error("`{command}` is not planned: {why}")]
    NotPlanned {
        /// The command.
        command: String,
        /// Why not.
        why: String,
    },
    /// A new key together with something else.
    #[error("`{rebuild}` needs {table} made anew, and `{other}` does not: they are two plans")]
    Mixed {
        /// The table.
        table: TableName,
        /// The command that needs a rebuild.
        rebuild: String,
        /// Another one.
        other: String,
    },
    /// The table has no such column.
    #[error("{table} has no column {column}, of which `{command}` speaks{}", offered(.similar))]
    NoColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The command.
        command: String,
        /// Columns with like names.
        similar: Vec<String>,
    },
    /// A column of the new name is there beside the one that is to get it.
    #[error("{table} has both {from} and {to}: the one cannot get the name of the other")]
    NameTaken {
        /// The table.
        table: TableName,
        /// The column.
        from: String,
        /// The name wanted.
        to: String,
    },
}

impl AlterError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Change(_) => "see `inspect` for the tables of the cluster",
            Self::Unreadable { .. } => "write it as ClickHouse's documentation has it",
            Self::NotPlanned { .. } => "docs/alters.md says of every command what it does and which are planned",
            Self::Mixed { .. } => {
                "plan the ALTER without the key first, carry it out, then plan the key alone; a key that only gets columns of the \
                 same ALTER behind it is changed in place"
            }
            Self::NoColumn { .. } => "with IF EXISTS such a command asks for nothing",
            Self::NameTaken { .. } => "drop or rename the other column first",
        }
    }
}
