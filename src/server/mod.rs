//! Talking to ClickHouse over HTTP. The only module that uses the `clickhouse` crate.
//!
//! A [`Session`] sends statements to any server of a cluster over one shared transport. A [`Cluster`] knows the HTTP URL
//! of every replica, and [`observe`] turns what the replicas say into a [`Snapshot`](crate::snapshot::Snapshot).

mod connection;
mod error;
mod lane;
mod session;

pub use connection::{Connection, Endpoint, EndpointError, Secret};
pub use error::{QueryError, QueryErrorKind};
pub use session::{Session, Statement};
