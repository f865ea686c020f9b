//! Bounds on requests in flight.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::{QueryError, QueryErrorKind};

/// A bound over all servers and one for each of them.
pub(super) struct Lane {
    all: Arc<Semaphore>,
    host_requests_max: usize,
    hosts: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// The right to have one request in flight.
pub(super) struct Slot {
    _host: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Lane {
    pub(super) fn new(requests_max: usize, host_requests_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(requests_max)), host_requests_max, hosts: Mutex::default() }
    }

    /// Waits for a slot at most `patience`.
    pub(super) async fn enter(&self, url: &str, patience: Duration) -> Result<Slot, QueryError> {
        let host = self.host(url);
        match timeout(patience, self.acquire(host)).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(QueryError::new(
                QueryErrorKind::Unreachable,
                url,
                format!("not sent: no free connection within {:.1} s", patience.as_secs_f64()),
            )),
        }
    }

    // The host's permit first: a server that hangs must not hold back the others.
    async fn acquire(&self, host: Arc<Semaphore>) -> Result<Slot, AcquireError> {
        let host = host.acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Slot { _host: host, _all: all })
    }

    fn host(&self, url: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(url.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.host_requests_max)));
        Arc::clone(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_host_does_not_hold_back_another() {
        let lane = Lane::new(3, 1);
        let patience = Duration::from_millis(5);
        let held = lane.enter("http://a", patience).await.unwrap();
        let Err(error) = lane.enter("http://a", patience).await else { panic!("a second slot of one") };
        assert_eq!(error.kind, QueryErrorKind::Unreachable);
        assert!(lane.enter("http://b", patience).await.is_ok());
        drop(held);
        assert!(lane.enter("http://a", patience).await.is_ok());
    }
}
