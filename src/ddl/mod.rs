//! Reads and rewrites the SQL that defines tables and views, without executing any of it.
//!
//! Two kinds of text come in: statements that people write ([`read_change`]) and definitions that servers report in
//! `system.tables` ([`read_table`], [`read_engine`], [`read_view`]). Both go through one [`lexer`] modelled on
//! ClickHouse's own, and from there through token readers that keep verbatim slices of the source: what is not
//! understood is refused with its place, and what is not changed is written back byte for byte.
//!
//! Only [`expression`] uses a general SQL parser, for the one thing where it is sound: which columns a key mentions.

mod adjacency;
mod alter;
pub mod alteration;
mod changing;
mod create;
mod declaration;
mod dictionary;
pub mod engine;
mod error;
pub mod expression;
mod key;
pub mod lexer;
mod mentions;
mod passing;
mod pieces;
pub(crate) mod quoting;
pub(crate) mod reader;
mod renaming;
mod said_once;
mod several;
mod sources;
mod speaking;
pub mod statement;
mod substitution;
pub mod view;

pub use alteration::{AlterCommand, Alteration, Form, read_alteration};
pub use changing::changing_function;
pub use declaration::{DEFAULT_KINDS, Declaration, PLACES, read_declaration};
pub use dictionary::{Dictionary, read_dictionary};
pub use engine::{Clauses, DistributedArgs, Engine, read_engine};
pub use error::DdlError;
pub use expression::columns_of;
pub use key::key_items;
pub use mentions::mentions;
pub use passing::{Merged, TableFunction, named_table};
pub use pieces::{Pieces, pieces, with_body_of};
pub use renaming::with_tables;
pub use several::{joined, names_several_tables, one_statement};
pub use sources::{table_functions, table_places};
pub(crate) use speaking::is_named_at;
pub use speaking::{asks_by_pattern, asks_for, computes_with, speaks_of};
pub use statement::{
    AlterKeys, CreateTable, Item, ItemKind, Name, Statement, Text, read_change, read_name, read_table,
};
pub use substitution::{with_columns, with_parameters};
pub use view::{View, read_view};
