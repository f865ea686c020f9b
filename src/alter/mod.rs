//! What an `ALTER TABLE` asks of each table of a cluster: of the local tables, and of the `Distributed` tables over them.
//!
//! [`resolve`] reads the statement against a snapshot and gives [`Order`]s, one for each definition that changes. What servers make
//! of an order is seen on an empty table of the same definition: that is a [`Trial`], and plans are built from trials alone.

mod commands;
mod defaults;
mod dependents;
mod error;
mod history;
mod left_out;
mod loss;
mod mutation;
mod orders;
mod resolve;
mod retire;
mod rights;
mod sequence;
#[cfg(test)]
mod tests;
mod trial;
mod undo;

pub use defaults::{Lacking, NewDefault, redefaulted, same_expression};
pub use dependents::{Answer, Answers, Dependent, DependentKind, Outcome, Refusal, Script, TriedDependent, dependents};
pub use error::AlterError;
pub use history::{Speed, Worked, speed};
pub use left_out::refuses_materialized;
pub use loss::{Narrowed, Unfit, narrowed};
pub use mutation::{MutationCommand, mark, marked};
pub use resolve::{definitions, is_alter, resolve};
pub use retire::{another_column, mark as mark_retired, marked_since, retired, unmark};
pub use rights::{AllRights, ColumnGrant, Rights, RowPolicy};
pub use trial::{Altered, Tried, trials_of};

use crate::change::Change;
use crate::classify::Class;
use crate::ddl::{CreateTable, Form, asks_for, speaks_of};
use crate::names::{ReplicaId, TableName};

/// An ALTER, tied to the tables of a cluster.
#[derive(Debug, Clone)]
pub struct Alter {
    /// The statement, the local table, the `Distributed` tables over it.
    pub change: Change,
    /// The table that the statement names.
    pub named: TableName,
    /// The weightiest class of its commands.
    pub class: Class,
    /// Its commands, for those who judge it.
    pub commands: Vec<Command>,
    /// What is to be done, the local table first.
    pub orders: Vec<Order>,
    /// What needs nothing to be done, a sentence each.
    pub reached: Vec<String>,
}

impl Alter {
    /// Whether a query has the name of a column that goes, or asks for all columns of such names.
    pub fn may_lose_a_column(&self, query: &str) -> bool {
        let mut gone = self.commands.iter().filter_map(Command::takes_away);
        gone.any(|column| asks_for(query, column) || speaks_of(query, column))
    }
}

/// One command of the statement, as it is meant for the local table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it is.
    pub form: Form,
    /// What it costs.
    pub class: Class,
    /// Its words.
    pub text: String,
    /// The column, index or the like that it names.
    pub subject: Option<String>,
    /// What becomes of the column's default, if that changes.
    pub new_default: Option<NewDefault>,
}

impl Command {
    /// The column that is not there under its name any more once this is done.
    pub fn takes_away(&self) -> Option<&str> {
        let takes = matches!(self.form, Form::DropColumn | Form::RenameColumn);
        self.subject.as_deref().filter(|_| takes)
    }

    /// Whether a column is computed on every insert from then on.
    pub fn makes_materialized(&self) -> bool {
        let is_declared = matches!(
            self.form,
            Form::ModifyColumnDefault
                | Form::ModifyColumnSameType
                | Form::ModifyColumnType
                | Form::ModifyColumnMoreValues
        );
        is_declared && commands::declaration(&self.text).is_ok_and(|declared| declared.has("MATERIALIZED"))
    }

    /// The type that it declares for its column, if it declares one.
    pub fn declared_type(&self) -> Result<Option<String>, AlterError> {
        Ok(commands::declaration(&commands::without_guard(&self.text)?.0)?.kind)
    }

    /// Whether the type of a column changes.
    pub fn changes_type(&self) -> bool {
        matches!(self.form, Form::ModifyColumnType | Form::ModifyColumnMoreValues | Form::AddEnumValues)
    }
}

/// What is asked of one table on replicas that define it alike.
#[derive(Debug, Clone)]
pub struct Order {
    /// The table.
    pub table: TableName,
    /// The replicas.
    pub on: Vec<ReplicaId>,
    /// Whether it is the local table; a `Distributed` one otherwise.
    pub is_local: bool,
    /// Its definition without replication, to try on.
    pub definition: CreateTable,
    /// What must be so already, or the statement cannot be meant.
    pub claims: Vec<Claim>,
    /// What is sent, in order; at most one for each place.
    pub stages: Vec<Stage>,
}

/// Something that is to be added and is there: it is as wanted already, or something else has its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What it is, with its name: `column a`.
    pub what: String,
    /// The declaration that is there.
    pub there: String,
    /// The declaration that is wanted.
    pub wanted: String,
    /// What follows `ALTER TABLE t` in statements that make it as wanted: they change nothing where it is so.
    pub trial: Vec<String>,
}

/// When a table's turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// First of all: the mark on what is to go.
    Mark,
    /// Before the local tables: what must not be asked of them any more.
    Before,
    /// The rows of the local tables. Servers take such a mutation for itself: sent along with a change of definition that they refuse,
    /// it would be sent once more by whoever goes on.
    Rows,
    /// The local tables themselves.
    Local,
    /// After them: what they must have first.
    After,
}

/// One statement for a table, and its way back.
#[derive(Debug, Clone)]
pub struct Stage {
    /// When its turn comes.
    pub place: Place,
    /// What follows `ALTER TABLE t`, settings included.
    pub sql: String,
    /// How it is taken back.
    pub back: Back,
    /// Settings of the statement, with which it is taken back too: ` SETTINGS a = 1`, or nothing.
    pub settings: String,
    /// Mutations that leave the definition as it is, by which alone the server tells that it took the statement.
    pub mutations: Vec<MutationCommand>,
    /// Patterns of the commands that it leaves in `system.mutations`, if any.
    pub kills: Vec<String>,
}

/// How a stage is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// By the first of these that brings the definition back as it was: what follows `ALTER TABLE t`.
    Ways(Vec<String>),
    /// By this, though the definition is the same before and after: what follows `ALTER TABLE t`, with the mutation that it is.
    Mutation(String, MutationCommand),
    /// There is nothing to be taken back, for this reason.
    Nothing(String),
    /// Not at all, for this reason: values are gone.
    Gone(String),
}
