//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod ddl;
pub mod names;
pub mod topology;
