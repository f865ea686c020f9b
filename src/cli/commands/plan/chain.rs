//! ALTERs of several tables of one chain.

use super::super::super::failure::Failure;
use crate::change::{DEFAULT_DATABASE, local_table};
use crate::ddl::{Name, one_statement as one};
use crate::snapshot::Snapshot;

/// The ALTERs as one of the local table that all of their names stand for; a single one as it is.
pub(super) fn one_statement(sql: &str, snapshot: &Snapshot) -> Result<String, Failure> {
    let local = |name: &Name| {
        let name = name.in_database(DEFAULT_DATABASE);
        local_table(&name, snapshot).unwrap_or(name)
    };
    Ok(one(sql, local)?)
}
