//! Talking to ClickHouse over HTTP. The only module that uses the `clickhouse` crate.
//!
//! A [`Session`] sends statements to any server of a cluster over one shared transport. A [`Cluster`] knows the HTTP URL
//! of every replica, and [`observe`] turns what the replicas say into a [`Snapshot`](crate::snapshot::Snapshot).

mod capability;
mod cluster;
mod connection;
mod dependents;
mod error;
mod executor;
mod history;
mod introspect;
mod lane;
mod normalize;
mod pour;
mod query_log;
mod rights;
mod session;
mod tables;

pub use cluster::{Cluster, ObserveError, ObserveSettings, Running};
pub use connection::{Connection, Endpoint, EndpointError, Secret};
pub use dependents::try_dependent;
pub use error::{QueryError, QueryErrorKind};
pub use history::speed_of;
pub use introspect::observe;
pub use normalize::{Alterations, NormalizeCause, NormalizeError, alterations, normal_form, scratch_database};
pub use pour::PourError;
pub use query_log::{LogError, LogQuestion};
pub use rights::rights;
pub use session::{Session, Statement};
