//! `rollback`: undoes what a plan has done.

use std::path::Path;
use std::time::Duration;

use super::super::args::{Global, Rollback};
use super::super::executor;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::heed;
use super::super::output::say;
use super::super::progress::Progress;
use super::planned;
use crate::execute::Engine;
use crate::plan::{Plan, probes};
use crate::server::{Cluster, Statement};

const LOOK_TIMEOUT: Duration = Duration::from_mins(1);

pub(in super::super) async fn run(global: &Global, args: &Rollback) -> Result<Exit, Failure> {
    let path: &Path = &args.plan;
    let sealed = planned::read(path)?;
    let plan = &sealed.plan;
    let journal = planned::open_journal(path, &sealed)?;
    let cluster = planned::cluster_of(global, plan).await?;
    let progress = Progress::new();
    let nothing_done = journal.progress().touched().next().is_none();
    let engine = Engine::new(plan, &cluster, &progress, journal, planned::now, executor::claim(args.take_over))?;
    if nothing_done {
        refuse_lost_journal(&cluster, plan, path).await?;
        engine.clear_lock().await?;
        say("nothing has been done, so there is nothing to undo");
        return Ok(Exit::Done);
    }
    heed(&engine, engine.roll_back(args.despite_differences.clone())).await?;
    say(&match plan.rebuild() {
        Some(rebuild) => {
            format!("rolled back: {} is sorted by ({}) as before", plan.objects.source, rebuild.before.sorting)
        }
        None => format!("rolled back: {} and the tables over it are defined as before", plan.objects.source),
    });
    Ok(Exit::Done)
}

/// A journal that knows of nothing beside a cluster that has the plan's tables is not this plan's, or has been lost.
async fn refuse_lost_journal(cluster: &Cluster, plan: &Plan, path: &Path) -> Result<(), Failure> {
    let Some(rebuild) = plan.rebuild() else { return Ok(()) };
    let probe = probes::absent(&rebuild.tables.all());
    for replica in &plan.cluster.replicas {
        let asked = Statement::read(probe.sql.clone(), LOOK_TIMEOUT);
        let found = cluster.run(replica.id, &asked).await.map_err(|error| Failure::of(&error))?;
        if found != probe.expect {
            let journal = planned::journal_path(path);
            let message = format!(
                "the journal {} knows of nothing that was done, but {} has tables of a plan for {}",
                journal.display(),
                replica.id,
                plan.objects.source
            );
            return Err(Failure::new(message).exit(Exit::InDoubt).hint("find the journal that belongs to them"));
        }
    }
    Ok(())
}
