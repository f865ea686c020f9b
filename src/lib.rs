//! `shardwright` changes the schema of live, sharded ClickHouse tables.

pub mod assess;
pub mod catalog;
pub mod change;
pub mod cli;
pub mod config;
pub mod ddl;
pub mod demo;
pub mod execute;
pub mod inspect;
pub mod journal;
pub mod names;
pub mod plan;
pub mod render;
pub mod runbook;
pub mod sandbox;
pub mod server;
pub mod snapshot;
pub mod topology;
mod words;
