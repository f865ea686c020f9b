//! `inspect`: what is there.

use super::super::args::{Global, Inspect, TableOrJson};
use super::super::connect::{connect, timeout};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, width};
use super::table_name;
use crate::inspect::{Report, tables};

pub(in super::super) async fn run(global: &Global, args: &Inspect) -> Result<Exit, Failure> {
    let only = args.table.as_deref().map(table_name).transpose()?;
    let connected = connect(global).await?;
    let snapshot = connected.cluster.observe(timeout(&connected.config), None).await;
    let report = Report::new(&snapshot);
    if let Some(only) = only.as_ref().filter(|only| report.table(only).is_none()) {
        return Err(Failure::new(format!("no replica of cluster {} has a table {only}", snapshot.topology.cluster)));
    }
    match args.format {
        TableOrJson::Table => data(&tables(&report, width(), only.as_ref())),
        TableOrJson::Json => {
            let report = match &only {
                Some(only) => report.narrowed(only),
                None => report,
            };
            data(&serde_json::to_string_pretty(&report).map_err(|error| Failure::of(&error))?);
        }
    }
    Ok(Exit::Done)
}
