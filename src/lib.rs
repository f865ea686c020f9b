//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod config;
pub mod names;
pub mod sandbox;
pub mod topology;
