//! The commands, one file each.

pub(super) mod approve;
pub(super) mod demo;
pub(super) mod dry_run;
pub(super) mod evaluate;
pub(super) mod execute;
pub(super) mod finalize;
pub(super) mod inspect;
pub(super) mod lint;
pub(super) mod plan;
mod planned;
pub(super) mod rollback;
pub(super) mod sandbox;
pub(super) mod show;
pub(super) mod status;
pub(super) mod verify;

use super::exit_code::Exit;
use super::failure::Failure;
use crate::change::DEFAULT_DATABASE;
use crate::ddl::read_name;
use crate::names::TableName;

/// `DB.T`, with quotes where a name needs them.
fn table_name(text: &str) -> Result<TableName, Failure> {
    let name = read_name(text).map_err(|error| Failure { exit: Exit::Usage, ..error.into() })?;
    Ok(name.in_database(DEFAULT_DATABASE))
}
