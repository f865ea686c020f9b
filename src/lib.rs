//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod assess;
pub mod catalog;
pub mod ddl;
pub mod inspect;
pub mod names;
pub mod plan;
pub mod server;
pub mod snapshot;
pub mod topology;
