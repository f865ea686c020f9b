//! Signals that ask the process to end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::exit_code::Exit;
use super::failure::Failure;
use super::output::say;
use super::prompt;
use crate::execute::{Engine, ExecuteError, Reporter, Servers};

/// How long an interrupted run may take to end in good order. After that, the next run does what is left to do.
const WIND_UP_MAX: Duration = Duration::from_secs(20);

/// They are remembered from the moment on that this listens.
pub(super) struct Interrupts([Signal; 3]);

impl Interrupts {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    /// Ends at the next one.
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Hears one kind of signal from now on.
pub(super) fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))
}

/// Does an engine's work. A signal ends it in good order: nothing runs on, merges that were stopped are started. A second signal,
/// or one while a person is being asked, ends the process at once; the next run then does what this one did not.
pub(super) async fn heed<T, S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    work: impl Future<Output = Result<T, ExecuteError>>,
) -> Result<T, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let asked_to_end = Arc::new(Notify::new());
    let heard = Arc::clone(&asked_to_end);
    // On a thread of its own, since asking a person holds the other one up.
    let listening = tokio::spawn(async move {
        interrupts.next().await;
        if !prompt::is_asking() {
            heard.notify_one();
            interrupts.next().await;
        }
        std::process::exit(Exit::Error as i32);
    });
    // What is not done when the signal comes is dropped here, before the engine winds up.
    let done = tokio::select! {
        biased;
        done = work => Some(done),
        () = asked_to_end.notified() => None,
    };
    let result = if let Some(done) = done { done.map_err(Failure::from) } else { Err(wind_up(engine).await) };
    listening.abort();
    result
}

async fn wind_up<S: Servers, R: Reporter>(engine: &Engine<'_, S, R>) -> Failure {
    say("interrupted: ending what is under way …");
    let failure = match timeout(WIND_UP_MAX, engine.wind_up()).await {
        Ok(Ok(())) => Failure::new("interrupted"),
        Ok(Err(error)) => Failure::new(format!("interrupted; not all was ended: {error}")),
        Err(_) => Failure::new("interrupted; not all was ended in time"),
    };
    failure.hint("`execute` goes on from here, `rollback` undoes what was done")
}
