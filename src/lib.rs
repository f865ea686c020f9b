//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod names;
pub mod topology;
