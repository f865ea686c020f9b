//! `sandbox`: a local cluster.

use std::path::Path;

use super::super::args::{Sandbox, SandboxCommand, SandboxStatus, SandboxUp, TableOrJson};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::Interrupts;
use super::super::output::{data, say, width};
use crate::sandbox::{self, SandboxOptions};

pub(in super::super) async fn run(args: &Sandbox) -> Result<Exit, Failure> {
    match &args.command {
        SandboxCommand::Up(args) => up(args).await,
        SandboxCommand::Down(args) => {
            let was_there = sandbox::down(&args.dir, args.keep_data, &mut |line| say(line)).await?;
            say(if was_there { "the sandbox is down" } else { "there is no sandbox" });
            Ok(Exit::Done)
        }
        SandboxCommand::Status(args) => status(args),
    }
}

async fn up(args: &SandboxUp) -> Result<Exit, Failure> {
    let options = SandboxOptions {
        shards: args.shards,
        replicas: args.replicas,
        engine: args.engine.into(),
        ..SandboxOptions::new(&args.dir)
    };
    // Whatever had been started is then stopped, which takes seconds; a second signal changes nothing.
    let mut interrupts = Interrupts::listen()?;
    let sandbox = sandbox::up_unless(interrupts.next(), &options, &mut |line| say(line)).await?;
    if sandbox.started().is_empty() {
        say("the sandbox was up already");
    }
    data(&sandbox.config_path().display().to_string());
    say(&format!("next: shardwright --config {} inspect", shown(&sandbox.config_path())));
    Ok(Exit::Done)
}

fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn status(args: &SandboxStatus) -> Result<Exit, Failure> {
    let Some(status) = sandbox::status(&args.dir)? else {
        return Err(
            Failure::new(format!("there is no sandbox in {}", args.dir.display())).hint("`sandbox up` starts one")
        );
    };
    match args.format {
        TableOrJson::Json => data(&serde_json::to_string_pretty(&status).map_err(|error| Failure::of(&error))?),
        TableOrJson::Table => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
            table.set_width(width()).set_header(["member", "state", "pid", "HTTP", "port"]);
            for member in &status.members {
                let number = |n: Option<String>| n.unwrap_or_else(|| "–".to_owned());
                table.add_row([
                    member.member.to_string(),
                    member.state.to_string(),
                    number(member.pid.map(|pid| pid.to_string())),
                    number(member.http_port.map(|port| port.to_string())),
                    member.port.to_string(),
                ]);
            }
            let version = status.version.as_deref().unwrap_or("of unknown version");
            let what = format!("engine {}, ClickHouse {version}", status.engine);
            data(&format!("{table}\n{what}\n{}", status.config.display()));
        }
    }
    Ok(if status.is_up() { Exit::Done } else { Exit::Error })
}
