//! `plan --unread-for`: who uses the columns that are to go, as the logs of all replicas tell it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::super::super::args::Plan as Args;
use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::super::planned::now;
use crate::alter::{Alter, mark_retired, retired};
use crate::assess::Retirement;
use crate::execute::{Logs, usage};
use crate::names::ReplicaId;
use crate::plan::{Asked, Unread, log_columns, unread};
use crate::retire::Unreadable;
use crate::server::{Cluster, QueryError, Statement};
use crate::snapshot::Snapshot;

/// A log of a year may take a while.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What is asked of the logs, and what they answered.
pub(super) struct Retiring {
    pub(super) retirement: Retirement,
    pub(super) unread: Unread,
}

/// Reads who uses the columns that the ALTER drops, and has them marked.
pub(super) async fn retire(
    connected: &Connected,
    snapshot: &Snapshot,
    alter: &mut Alter,
    seconds: u64,
    args: &Args,
) -> Result<Retiring, Failure> {
    let Some(columns) = retired(alter) else {
        return Err(Failure::usage(
            "--unread-for: the statement does more than drop columns, or take away or replace a default that is another column",
        )
        .hint("have a statement of its own for them"));
    };
    let day = now();
    mark_retired(alter, snapshot, day.get(..10).unwrap_or(&day)).map_err(|error| Failure::of(&error))?;
    let cluster = &connected.cluster;
    let asked = snapshot.replicas.keys().map(async |on| {
        let columns = cluster.run(*on, &Statement::read(log_columns(), TIMEOUT)).await?;
        Ok::<_, QueryError>((*on, columns.lines().map(str::to_owned).collect()))
    });
    let logs: BTreeMap<ReplicaId, Vec<String>> =
        try_join_all(asked).await.map_err(|error| Failure::of(&error))?.into_iter().collect();
    let by_star = !args.except_star;
    let asked = Asked { table: &alter.change.table, columns: &columns, seconds, by_star };
    let mut unread = unread(&asked, &logs);
    let usage = usage(&Asking(cluster), &unread).await?;
    // What is there by now is found, and accepted or refused, where the plan is made.
    unread.known = usage.standing.iter().map(|one| one.table.clone()).collect();
    unread.known.dedup();
    Ok(Retiring { retirement: Retirement { columns, seconds, by_star, usage }, unread })
}

struct Asking<'a>(&'a Cluster);

impl Asking<'_> {
    async fn send(&self, on: ReplicaId, statement: &Statement) -> Result<Result<String, String>, Failure> {
        match self.0.run(on, statement).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if error.code().is_some() => Ok(Err(error.message)),
            Err(error) => Err(Failure::of(&error)),
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::of(&error)
    }
}

impl Logs for Asking<'_> {
    type Error = Failure;

    async fn ask(&self, on: ReplicaId, sql: &str) -> Result<Result<String, String>, Failure> {
        self.send(on, &Statement::read(sql, TIMEOUT)).await
    }

    async fn flush(&self, on: ReplicaId, sql: &str) -> Result<Result<String, String>, Failure> {
        self.send(on, &Statement::change(sql, TIMEOUT)).await
    }
}
