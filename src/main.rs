//! The command line of `shardwright`.

use std::process::ExitCode;

fn main() -> ExitCode {
    shardwright::cli::run()
}
