//! Asking the logs of all replicas who used columns lately: when a plan is made, and again before anything of them goes.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::future::try_join_all;

use super::engine::Engine;
use super::error::ExecuteError;
use super::ports::{CallError, Reporter, Servers};
use crate::assess::{LogOf, Standing, Usage};
use crate::names::{ReplicaId, quoted_list};
use crate::plan::{LOG_SHAPES_MAX, LogQueries, Step, Unread};
use crate::retire::{Answer, Paths, Unreadable, definitions, flaw, flaw_of_others, found, held};
use crate::words::span;

/// Somebody to ask replicas. What a server refuses is an answer: the inner error, in its words.
pub trait Logs: Sync {
    /// Why there is no answer at all.
    type Error: From<Unreadable> + Send;

    /// Asks what changes nothing.
    fn ask(&self, on: ReplicaId, sql: &str)
    -> impl Future<Output = Result<Result<String, String>, Self::Error>> + Send;

    /// Has a server write its log out.
    fn flush(
        &self,
        on: ReplicaId,
        sql: &str,
    ) -> impl Future<Output = Result<Result<String, String>, Self::Error>> + Send;
}

/// A replica's log: what it is worth, and what was found in it.
struct Log {
    of: LogOf,
    paths: Option<Paths>,
    answers: Vec<Answer>,
}

/// Who used the columns within the time, and what each log is worth.
pub async fn usage<L: Logs>(logs: &L, unread: &Unread) -> Result<Usage, L::Error> {
    let all: Vec<(&LogQueries, ReplicaId)> =
        unread.logs.iter().flat_map(|queries| queries.on.iter().map(move |on| (queries, *on))).collect();
    // All of them first: a query that one replica was sent by another is to be found in both logs.
    let flushed = try_join_all(all.iter().map(|(_, on)| logs.flush(*on, &unread.flush))).await?;
    let asked = all.iter().zip(flushed).map(|((queries, on), flushed)| log(logs, unread, queries, *on, flushed.err()));
    let mut found_in = try_join_all(asked).await?;
    found_in.sort_by_key(|log| log.of.on);
    let ours = senders(logs, unread, &found_in).await?;
    let paths = || found_in.iter().filter_map(|log| log.paths.as_ref());
    let standing: BTreeSet<Standing> =
        paths().flat_map(|paths| unread.columns.iter().flat_map(|column| paths.standing(column))).collect();
    let of: Vec<LogOf> = found_in.iter().map(|log| log.of.clone()).collect();
    let answers: Vec<(Paths, Vec<Answer>)> =
        found_in.into_iter().filter_map(|log| Some((log.paths?, log.answers))).collect();
    Ok(Usage { uses: found(unread, &answers, &ours), standing: standing.into_iter().collect(), logs: of })
}

async fn log<L: Logs>(
    logs: &L,
    unread: &Unread,
    queries: &LogQueries,
    on: ReplicaId,
    unflushed: Option<String>,
) -> Result<Log, L::Error> {
    let mut log = Log { of: LogOf { on, reaches: None, at: 0, flaw: None }, paths: None, answers: Vec::new() };
    match read(logs, unread, queries, &mut log).await? {
        Ok(()) => {}
        Err(refused) => log.of.flaw = Some(refused),
    }
    if let Some(why) = unflushed {
        log.of.flaw.get_or_insert_with(|| format!("it cannot be written out: {why}"));
    }
    Ok(log)
}

/// Reads one replica's log. What the server refuses ends it.
async fn read<L: Logs>(
    logs: &L,
    unread: &Unread,
    queries: &LogQueries,
    log: &mut Log,
) -> Result<Result<(), String>, L::Error> {
    macro_rules! answer {
        ($sql:expr) => {
            match logs.ask(log.of.on, $sql).await? {
                Ok(answer) => answer,
                Err(refused) => return Ok(Err(format!("it cannot be read: {refused}"))),
            }
        };
    }
    let defined = definitions(&answer!(&unread.definitions))?;
    let paths = Paths::new(&unread.table, &defined);
    let (names, flags) = (paths.condition(), paths.flags(&unread.columns));
    let (columns, listed) = (paths.listed(&unread.columns), paths.listing(&unread.columns));
    log.paths = Some(paths);
    if answer!(&unread.is_there) != "1" {
        return Ok(Err("there is no system.query_log".to_owned()));
    }
    log.of.flaw = flaw(&answer!(&unread.settings));
    if let (None, Some(sql)) = (&log.of.flaw, &queries.profiles) {
        // Not everybody may ask for that.
        log.of.flaw = logs.ask(log.of.on, sql).await?.ok().and_then(|settings| flaw_of_others(&settings));
    }
    let reach = answer!(&unread.reach);
    let figures = reach.split_once('\t').and_then(|(at, reaches)| Some((at.parse().ok()?, reaches.parse().ok()?)));
    let (at, reaches) = figures.ok_or(Unreadable(reach))?;
    (log.of.at, log.of.reaches) = (at, Some(reaches));
    let sql =
        queries.uses.fill_all(&[("names", &names), ("flags", &flags), ("columns", &columns), ("listed", &listed)]);
    if let Some(answers) = Answer::all(&answer!(&sql))? {
        log.answers = answers;
    } else {
        let many = format!("it has more than {LOG_SHAPES_MAX} kinds of queries about the table, too many to be read");
        log.of.flaw = Some(many);
    }
    Ok(Ok(()))
}

/// Which queries that replicas were sent by other servers come from clients of these replicas.
async fn senders<L: Logs>(logs: &L, unread: &Unread, found_in: &[Log]) -> Result<BTreeSet<String>, L::Error> {
    let mut ids: BTreeSet<&String> = BTreeSet::new();
    for log in found_in {
        let Some(paths) = &log.paths else { continue };
        let uses = |answer: &&Answer| (0..unread.columns.len()).any(|at| answer.how(paths, unread, at).is_some());
        ids.extend(log.answers.iter().filter(uses).flat_map(|answer| &answer.sent_as));
    }
    let ids: Vec<String> = ids.into_iter().filter_map(|id| String::from_utf8(hex::decode(id).ok()?).ok()).collect();
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids = quoted_list(&ids);
    let known = found_in.iter().filter(|log| log.of.reaches.is_some()).filter_map(|log| {
        let queries = unread.logs.iter().find(|queries| queries.on.contains(&log.of.on))?;
        Some((log.of.on, queries.senders.fill_all(&[("ids", &ids)])))
    });
    let asked = known.map(async |(on, sql)| logs.ask(on, &sql).await);
    let answers = try_join_all(asked).await?;
    Ok(answers.into_iter().flatten().flat_map(|answer| answer.lines().map(str::to_owned).collect::<Vec<_>>()).collect())
}

impl From<Unreadable> for Asking {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

/// Why a step has no answer.
#[derive(Debug)]
pub(super) enum Asking {
    Unreadable(Unreadable),
    Failed(Box<ExecuteError>),
}

/// The replicas as a step asks them.
struct Desked<'a, 'p, S, R> {
    engine: &'a Engine<'p, S, R>,
    step: &'a Step,
}

impl<S: Servers, R: Reporter> Desked<'_, '_, S, R> {
    /// A refusal is the server's word; that it cannot be reached is none.
    fn told(&self, result: Result<String, CallError>) -> Result<Result<String, String>, Asking> {
        match result {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if error.code.is_some() => Ok(Err(error.message)),
            Err(source) => {
                let source = CallError { outcome_unknown: false, ..source };
                Err(Asking::Failed(Box::new(ExecuteError::Call { step: self.step.id.clone(), source })))
            }
        }
    }
}

impl<S: Servers, R: Reporter> Logs for Desked<'_, '_, S, R> {
    type Error = Asking;

    async fn ask(&self, on: ReplicaId, sql: &str) -> Result<Result<String, String>, Asking> {
        match self.engine.desk.ask(&self.step.id, on, sql).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(ExecuteError::Call { source, .. }) => self.told(Err(source)),
            Err(other) => Err(Asking::Failed(Box::new(other))),
        }
    }

    async fn flush(&self, on: ReplicaId, sql: &str) -> Result<Result<String, String>, Asking> {
        self.told(self.engine.desk.statement(&self.step.id, on, sql).await)
    }
}

/// Whether nobody has read the columns. If somebody has, or nobody can know, the step is postponed.
pub(super) async fn unread<S: Servers, R: Reporter>(
    engine: &Engine<'_, S, R>,
    step: &Step,
    unread: &Unread,
) -> Result<String, ExecuteError> {
    let asked = usage(&Desked { engine, step }, unread).await;
    let usage = asked.map_err(|error| match error {
        Asking::Failed(error) => *error,
        Asking::Unreadable(Unreadable(line)) => {
            let on = unread.logs.first().and_then(|log| log.on.first()).copied();
            engine.desk.unreadable(&step.id, on.unwrap_or(engine.desk.plan.lock_replica()), &line)
        }
    })?;
    if let Some(held) = held(unread, &usage) {
        let (step, why, again) = (step.id.clone(), held.text(), held.again(unread.seconds));
        return Err(ExecuteError::Postponed { step, why, again });
    }
    let reach = usage.logs.iter().filter_map(|log| log.reaches).min().unwrap_or_default();
    let (columns, span, logs) = (unread.columns.join(", "), span(unread.seconds), usage.logs.len());
    Ok(format!("nobody has read {columns} for {span}; the logs of {logs} replicas reach back {reach} s and more"))
}
