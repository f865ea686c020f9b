//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod assess;
pub mod catalog;
pub mod change;
pub mod ddl;
pub mod execute;
pub mod journal;
pub mod names;
pub mod plan;
pub mod snapshot;
pub mod topology;
