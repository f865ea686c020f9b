//! How fast a run may go: what the config file says now, and whether somebody pauses the run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::SignalKind;
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::interrupts::listen;
use crate::config::{Throttle, load};
use crate::execute::Pace;

/// Files and signals, looked at whenever the run asks.
#[derive(Debug)]
pub(super) struct FilePace {
    config: PathBuf,
    /// While there is such a file, the run is paused.
    pause: PathBuf,
    signalled: Arc<AtomicBool>,
    listening: JoinHandle<()>,
}

impl FilePace {
    /// Listens from now on: SIGUSR1 pauses, SIGUSR2 resumes.
    pub(super) fn listen(config: &Path, plan: &Path) -> Result<Self, Failure> {
        let (mut pause, mut resume) = (listen(SignalKind::user_defined1())?, listen(SignalKind::user_defined2())?);
        let signalled = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&signalled);
        let listening = tokio::spawn(async move {
            loop {
                let is_paused = tokio::select! {
                    _ = pause.recv() => true,
                    _ = resume.recv() => false,
                };
                heard.store(is_paused, Ordering::Relaxed);
            }
        });
        let mut file = plan.as_os_str().to_owned();
        file.push(".pause");
        Ok(Self { config: config.to_owned(), pause: file.into(), signalled, listening })
    }
}

impl Drop for FilePace {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Pace for FilePace {
    fn paused(&self) -> Option<String> {
        if self.signalled.load(Ordering::Relaxed) {
            return Some(format!("paused by SIGUSR1; kill -USR2 {} resumes", std::process::id()));
        }
        // A file that cannot be looked for counts as there.
        let is_there = self.pause.try_exists().unwrap_or(true);
        is_there.then(|| format!("paused by {}; without the file it goes on", self.pause.display()))
    }

    fn throttle(&self) -> Result<Throttle, String> {
        let config = load::read(&self.config).map_err(|error| error.to_string())?;
        Ok(config.throttle)
    }
}
