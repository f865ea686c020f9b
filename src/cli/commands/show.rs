//! `show`: a plan in the format asked for.

use std::fs;

use super::super::args::{Show, ShowFormat};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, is_coloured, say, width};
use super::{dry_run, planned};
use crate::render;

pub(in super::super) fn run(args: &Show) -> Result<Exit, Failure> {
    let sealed = planned::read(&args.plan)?;
    let plan = &sealed.plan;
    if let Some(replica) = args.replica {
        if args.format != ShowFormat::Sql {
            return Err(Failure::usage("--replica goes with --format sql"));
        }
        if !plan.cluster.replicas.iter().any(|known| known.id == replica) {
            return Err(Failure::usage(format!("the plan's cluster has no replica {replica}")));
        }
    }
    let text = match args.format {
        ShowFormat::Table => render::terminal(plan, width(), args.output.is_none() && is_coloured()),
        ShowFormat::Markdown => render::markdown(plan),
        ShowFormat::Html => render::html(plan),
        ShowFormat::Svg => render::swimlane_svg(plan),
        ShowFormat::Dot => render::dot(plan),
        ShowFormat::Mermaid => render::mermaid(plan),
        ShowFormat::Sql => render::sql(plan, args.replica),
        ShowFormat::Json => render::json(plan),
    };
    match &args.output {
        None => {
            data(&text);
            say(&dry_run::known(&args.plan, &sealed));
        }
        Some(path) => fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?,
    }
    Ok(Exit::Done)
}
