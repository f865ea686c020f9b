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
