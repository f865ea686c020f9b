//! What is asked of a table: from the logs of all replicas, from a file, or both.

use std::fs;

use futures_util::{StreamExt, stream};

use super::super::super::args::Evaluate as Args;
use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::Subject;
use super::ground::Known;
use crate::evaluate::{Logged, Reach, Workload, statements};
use crate::names::ReplicaId;
use crate::render::figures::{count, duration};
use crate::server::{LogError, LogQuestion};

/// Replicas whose logs are read at one time.
const LOGS_AT_ONCE: usize = 4;

pub(super) async fn read(connected: &Connected, subject: &Subject<'_>, args: &Args) -> Result<Workload, Failure> {
    let catalog = subject.snapshot.state(subject.on).map(|state| &state.tables);
    let catalog = catalog.ok_or_else(|| Failure::new(format!("{} does not answer", subject.on)))?;
    let reach = Reach::new(&subject.table.name, catalog);
    let mut logged = match &args.queries {
        None => Vec::new(),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
            statements(&text).into_iter().map(Logged::from).collect()
        }
    };
    for one in &mut logged {
        one.database = Some(subject.table.name.database.clone());
    }
    if !args.no_log {
        logged.extend(from_logs(connected, subject, &reach, args).await?);
    }
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let workload = Workload::new(logged, &reach, limit);
    if workload.groups.is_empty() && workload.rest.is_empty() {
        return Err(nobody_asks(subject, &reach, args));
    }
    let queries: u64 = workload.groups.iter().map(|group| group.logged.count).sum();
    say(&format!("{} queries of {} shapes touch {}", count(queries), workload.groups.len(), subject.table.name));
    Ok(workload)
}

fn nobody_asks(subject: &Subject<'_>, reach: &Reach, args: &Args) -> Failure {
    let names = crate::words::list(reach.names());
    let message = match &args.queries {
        Some(path) if args.no_log => format!("no query of {} reads {names}", path.display()),
        _ => {
            format!("no query of the last {} reads {names}, in system.query_log of any replica", duration(args.window))
        }
    };
    Failure::new(format!("{}: {message}", subject.table.name))
        .hint("look further back with --window, see that log_queries is on for those who ask, or give queries with --queries FILE")
}

async fn from_logs(
    connected: &Connected,
    subject: &Subject<'_>,
    reach: &Reach,
    args: &Args,
) -> Result<Vec<Logged>, Failure> {
    let answering: Vec<ReplicaId> =
        subject.snapshot.replicas.keys().copied().filter(|id| subject.snapshot.state(*id).is_some()).collect();
    let replicas = answering.len();
    let answers: Vec<(ReplicaId, Result<Vec<Logged>, LogError>)> = stream::iter(answering)
        .map(|on| async move { (on, from_log(connected, on, reach, args).await) })
        .buffered(LOGS_AT_ONCE)
        .collect()
        .await;
    let mut logged = Vec::new();
    let mut failures = Vec::new();
    for (on, answer) in answers {
        match answer {
            Ok(found) => logged.extend(found),
            Err(error) => failures.push(match error {
                LogError::Missing(_) => error.to_string(),
                LogError::Refused(_) => format!("{on}: {error}"),
            }),
        }
    }
    if failures.len() == replicas && args.queries.is_none() {
        return Err(Failure::new(format!("no replica tells which queries were run: {}", failures.join("; "))).hint(
            "switch on query_log in the servers' config and log_queries for users, or give queries with --queries FILE",
        ));
    }
    for failure in failures {
        say(&format!("left out: {failure}"));
    }
    Ok(logged)
}

async fn from_log(connected: &Connected, on: ReplicaId, reach: &Reach, args: &Args) -> Result<Vec<Logged>, LogError> {
    let settings = Known::probe(&connected.cluster, on).await?.bounds();
    let question = LogQuestion { needles: reach.needles(), window_seconds: args.window, settings };
    connected.cluster.logged_queries(on, &question).await
}
