//! From the config file to a cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::args::Global;
use super::failure::Failure;
use crate::config::{Config, load};
use crate::server::{Cluster, Connection, Endpoint, ObserveSettings, Secret, Session};

/// A cluster and the config that led to it.
pub(super) struct Connected {
    pub(super) cluster: Cluster,
    pub(super) config: Config,
}

/// Reads the config file and learns the cluster's shape.
pub(super) async fn connect(global: &Global) -> Result<Connected, Failure> {
    connect_to(&global.config).await
}

/// The same for a config file of this name.
pub(super) async fn connect_to(path: &Path) -> Result<Connected, Failure> {
    let config = load::read(path).map_err(|error| {
        let failure = Failure::from(error);
        if path.exists() {
            failure
        } else {
            failure
                .hint("name the config file with --config or SHARDWRIGHT_CONFIG; `shardwright sandbox up` writes one")
        }
    })?;
    let password = load::password(&config)?.map(|secret| Secret::new(secret.expose()));
    let session = Session::new(&Connection { user: Some(config.user.clone()), password });
    let settings = ObserveSettings {
        http_ports: http_ports(&config),
        timeout: timeout(&config),
        ..ObserveSettings::new(
            &config.cluster,
            config.endpoints.iter().map(|endpoint| Endpoint::new(endpoint.host(), endpoint.port())).collect(),
        )
    };
    let cluster = Cluster::connect(session, &settings).await?;
    Ok(Connected { cluster, config })
}

/// How long one replica may take to be observed.
pub(super) fn timeout(config: &Config) -> Duration {
    Duration::from_secs(config.timeouts.query_seconds)
}

fn http_ports(config: &Config) -> BTreeMap<String, u16> {
    config.http_ports().clone()
}
