//! `rollback`: undoes what a plan has done.

use std::path::Path;

use super::super::args::Global;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::say;
use super::super::progress::Progress;
use super::planned;
use crate::execute::Engine;

pub(in super::super) async fn run(global: &Global, path: &Path) -> Result<Exit, Failure> {
    let sealed = planned::read(path)?;
    let plan = &sealed.plan;
    let journal = planned::open_journal(path, &sealed)?;
    if journal.progress().touched().next().is_none() {
        say("nothing has been done, so there is nothing to undo");
        return Ok(Exit::Done);
    }
    let cluster = planned::cluster_of(global, plan).await?;
    let progress = Progress::new();
    let engine = Engine::new(plan, &cluster, &progress, journal, planned::now)?;
    engine.roll_back().await?;
    say(&format!("rolled back: {} is sorted by ({}) as before", plan.objects.source, plan.change.before.sorting));
    Ok(Exit::Done)
}
