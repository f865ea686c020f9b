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
use crate::names::{TableName, is_own_name};
use crate::plan::{Changed, Plan, probes};
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
    let source = &plan.objects.source;
    say(&match &plan.change.what {
        Changed::Keys(rebuild) => format!("rolled back: {source} is sorted by ({}) as before", rebuild.before.sorting),
        Changed::Sharding(reshard) => {
            let key = reshard.before.as_deref().unwrap_or("no key");
            format!("rolled back: {} and its rows are spread by {key} as before", reshard.distributed)
        }
        Changed::Commands(_) => format!("rolled back: {source} and the tables over it are defined as before"),
    });
    Ok(Exit::Done)
}

/// A journal that knows of nothing beside a cluster that has the plan's tables is not this plan's, or has been lost.
async fn refuse_lost_journal(cluster: &Cluster, plan: &Plan, path: &Path) -> Result<(), Failure> {
    let own = plan.own_tables().into_iter().filter(|table| is_own_name(&plan.objects.source, table));
    let own: Vec<&TableName> = own.collect();
    if own.is_empty() {
        return Ok(());
    }
    let probe = probes::absent(&own);
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
