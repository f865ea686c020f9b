//! The command line: reads arguments, calls the library, prints. The only part that does any of these.
//!
//! Data goes to stdout, conversation to stderr.

mod args;
mod commands;
mod connect;
mod executor;
mod exit_code;
mod failure;
mod interrupts;
mod output;
mod pace;
mod progress;
mod prompt;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
pub use exit_code::Exit;

/// Runs the command line that the process was started with.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::refuse(&error),
    };
    args.color.apply();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&failure::Failure::new(format!("cannot start: {error}"))),
    };
    match runtime.block_on(dispatch(args)) {
        Ok(exit) => exit.into(),
        Err(failure) => output::fail(&failure),
    }
}

async fn dispatch(args: Args) -> Result<Exit, failure::Failure> {
    let global = &args.global;
    match args.command {
        Command::Inspect(inspect) => commands::inspect::run(global, &inspect).await,
        Command::Evaluate(evaluate) => commands::evaluate::run(global, &evaluate).await,
        Command::Lint(lint) => commands::lint::run(&lint),
        Command::Plan(plan) => commands::plan::run(global, &plan).await,
        Command::Show(show) => commands::show::run(&show),
        Command::Approve(approve) => commands::approve::run(&approve),
        Command::DryRun(dry_run) => commands::dry_run::run(global, &dry_run).await,
        Command::Execute(execute) => commands::execute::run(global, &execute).await,
        Command::Status(status) => commands::status::run(&status),
        Command::Verify(verify) => commands::verify::run(global, &verify.plan).await,
        Command::Rollback(rollback) => commands::rollback::run(global, &rollback).await,
        Command::Finalize(finalize) => commands::finalize::run(global, &finalize).await,
        Command::Sandbox(sandbox) => commands::sandbox::run(&sandbox).await,
        Command::Demo(demo) => commands::demo::run(&demo).await,
    }
}
