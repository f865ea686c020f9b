//! The ground that a rehearsal is set on: names that are free, and a marker that tells whose they are from then on.

use std::time::Duration;

use super::super::super::connect::{Connected, timeout};
use super::super::super::failure::Failure;
use super::super::super::output::say;
use crate::names::{ReplicaId, TableName, quote_identifier, quote_string};
use crate::plan::file::Sealed;
use crate::plan::{Plan, ReplicaIdentity};
use crate::rehearse::{MARKERS, Made, Target, create_database, databases, is_own, marker, names, recreate};
use crate::sandbox::{is_running, this_process};
use crate::server::Statement;
use crate::snapshot::{Capability, Snapshot};

const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// Where a plan is rehearsed, and all that is made there.
pub(super) struct Ground {
    pub(super) target: Target,
    /// Version of the first server.
    pub(super) version: String,
    pub(super) made: Vec<Made>,
    pub(super) not_covered: Vec<String>,
    marker: TableName,
}

impl Ground {
    /// Removes what an earlier dry run of this plan has left, refuses what is somebody else's, and marks the ground.
    pub(super) async fn take(connected: &Connected, sealed: &Sealed) -> Result<Self, Failure> {
        let plan = &sealed.plan;
        let mut snapshot = observe(connected).await;
        let target = target(plan, &snapshot)?;
        let (made, not_covered) = recreate(plan, &target);
        let first = target.replicas.values().next();
        let version = first.and_then(|on| snapshot.state(*on)).map_or_else(String::new, |state| state.version.clone());
        let ground = Self { target, version, made, not_covered, marker: marker(&sealed.sha256) };
        if snapshot.replicas.keys().any(|on| snapshot.table(*on, &ground.marker).is_some()) {
            ground.remove_leftovers(connected, plan, &snapshot).await?;
            snapshot = observe(connected).await;
        }
        refuse_occupied(plan, &snapshot)?;
        if let Err(error) = ground.mark(connected, plan, &snapshot).await {
            // Half a marker; where it cannot be removed either, the first error is the one to tell.
            _ = ground.clear(connected, plan).await;
            return Err(error);
        }
        Ok(ground)
    }

    async fn remove_leftovers(&self, connected: &Connected, plan: &Plan, snapshot: &Snapshot) -> Result<(), Failure> {
        for on in self.marked(snapshot) {
            if self.entries(connected, on, "process").await?.iter().any(|process| is_running(process)) {
                return Err(Failure::new(format!("another dry run of this plan is under way on {on} of the sandbox"))
                    .hint("wait until it has ended, or end it"));
            }
            for name in names(plan) {
                if let Some(found) = snapshot.table(on, name).filter(|found| !is_own(plan, found)) {
                    return Err(occupied(on, &found.name));
                }
            }
        }
        say("removing what an earlier dry run of this plan has left");
        self.clear_from(connected, plan, &self.marked(snapshot)).await
    }

    fn marked(&self, snapshot: &Snapshot) -> Vec<ReplicaId> {
        snapshot.replicas.keys().copied().filter(|on| snapshot.table(*on, &self.marker).is_some()).collect()
    }

    async fn mark(&self, connected: &Connected, plan: &Plan, snapshot: &Snapshot) -> Result<(), Failure> {
        for on in self.target.replicas.values() {
            let there = snapshot.state(*on).map(|state| &state.databases);
            let is_new = |database: &&str| !there.is_some_and(|there| there.contains_key(*database));
            let wanted: Vec<&str> = databases(plan).into_iter().filter(is_new).collect();
            let mut rows = vec![format!("('process', {})", quote_string(&this_process()))];
            rows.extend(wanted.iter().map(|database| format!("('database', {})", quote_string(database))));
            let marker = self.marker.sql();
            change(connected, *on, &format!("CREATE DATABASE IF NOT EXISTS {}", quote_identifier(MARKERS))).await?;
            change(connected, *on, &format!("CREATE TABLE {marker} (kind String, what String) ENGINE = TinyLog"))
                .await?;
            change(connected, *on, &format!("INSERT INTO {marker} (kind, what) VALUES {}", rows.join(", "))).await?;
            for database in wanted {
                change(connected, *on, &create_database(database)).await?;
            }
        }
        Ok(())
    }

    /// What the marker says of one kind. Nothing where its run was killed before it wrote the line.
    async fn entries(&self, connected: &Connected, on: ReplicaId, kind: &str) -> Result<Vec<String>, Failure> {
        let sql = format!("SELECT what FROM {} WHERE kind = {}", self.marker.sql(), quote_string(kind));
        let raw = Statement { format: "TabSeparatedRaw".to_owned(), ..Statement::read(sql, STATEMENT_TIMEOUT) };
        let answer = connected.cluster.run(on, &raw).await.map_err(|error| Failure::of(&error))?;
        Ok(answer.lines().map(str::to_owned).collect())
    }

    /// Removes all that was made, the marker last.
    pub(super) async fn clear(&self, connected: &Connected, plan: &Plan) -> Result<(), Failure> {
        let all: Vec<ReplicaId> = self.target.replicas.values().copied().collect();
        self.clear_from(connected, plan, &all).await
    }

    async fn clear_from(&self, connected: &Connected, plan: &Plan, replicas: &[ReplicaId]) -> Result<(), Failure> {
        let sync = if self.target.capabilities.contains(&Capability::Exchange) { " SYNC" } else { "" };
        for on in replicas {
            // What a rehearsal that failed has left comes first, the mirror before what it reads and writes; then what was
            // made, the last of it first.
            for own in plan.own_tables() {
                change(connected, *on, &format!("DROP TABLE IF EXISTS {}{sync}", own.sql())).await?;
            }
            for one in self.made.iter().rev().filter(|one| one.on == *on) {
                change(connected, *on, &format!("{}{sync}", one.undo)).await?;
            }
            for database in self.entries(connected, *on, "database").await? {
                drop_if_empty(connected, *on, &database).await?;
            }
            change(connected, *on, &format!("DROP TABLE IF EXISTS {}{sync}", self.marker.sql())).await?;
            drop_if_empty(connected, *on, MARKERS).await?;
        }
        Ok(())
    }
}

async fn observe(connected: &Connected) -> Snapshot {
    connected.cluster.observe(timeout(&connected.config), None).await
}

pub(super) async fn change(connected: &Connected, on: ReplicaId, sql: &str) -> Result<(), Failure> {
    let statement = Statement::change(sql, STATEMENT_TIMEOUT);
    connected.cluster.run(on, &statement).await.map(|_| ()).map_err(|error| Failure::of(&error))
}

async fn drop_if_empty(connected: &Connected, on: ReplicaId, database: &str) -> Result<(), Failure> {
    let sql = format!("SELECT count() FROM system.tables WHERE database = {}", quote_string(database));
    let answer = connected.cluster.run(on, &Statement::read(sql, STATEMENT_TIMEOUT)).await;
    if answer.map_err(|error| Failure::of(&error))? == "0" {
        change(connected, on, &format!("DROP DATABASE IF EXISTS {}", quote_identifier(database))).await?;
    }
    Ok(())
}

fn target(plan: &Plan, snapshot: &Snapshot) -> Result<Target, Failure> {
    if let Some((id, reason)) = snapshot.unreachable().next() {
        return Err(Failure::new(format!("replica {id} of the sandbox does not answer: {reason}")));
    }
    let identity = |replica: &crate::topology::Replica| ReplicaIdentity {
        id: replica.id,
        host: replica.host.clone(),
        port: replica.port,
        version: snapshot.state(replica.id).map_or_else(String::new, |state| state.version.clone()),
    };
    let identities = snapshot.topology.replicas().map(identity).collect();
    Ok(Target::new(plan, snapshot.topology.cluster.clone(), identities, snapshot.common_capabilities()))
}

/// A sandbox may hold somebody's tables of the same names: those are not written to.
fn refuse_occupied(plan: &Plan, snapshot: &Snapshot) -> Result<(), Failure> {
    let names = names(plan);
    let on = |id| names.iter().find(move |name| snapshot.table(id, name).is_some());
    match snapshot.replicas.keys().find_map(|id| Some((*id, on(*id)?))) {
        None => Ok(()),
        Some((id, table)) => Err(occupied(id, table)),
    }
}

fn occupied(on: ReplicaId, table: &TableName) -> Failure {
    Failure::new(format!("the sandbox has a table {table} on {on} already"))
        .hint("drop it there, or leave out --on, and the dry run starts a sandbox of its own")
}
