//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod assess;
pub mod catalog;
pub mod names;
pub mod plan;
pub mod render;
pub mod runbook;
pub mod snapshot;
pub mod topology;
