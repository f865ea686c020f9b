//! Saying what comes next, and typing commands for everybody to see.

use anstyle::{AnsiColor, Style};
use clap::Parser;

use super::super::super::args::Args;
use super::super::super::exit_code::Exit;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::super::planned::shell_word;
use crate::sandbox::EngineChoice;

/// Says what is shown next.
pub(super) fn chapter(title: &str, text: &str) {
    let bold = Style::new().bold();
    say(&format!("\n{bold}== {title}{bold:#}\n{text}"));
}

/// The first chapter, whose command is carried out by the demo itself.
pub(super) fn announce_sandbox(engine: EngineChoice, words: &[String]) {
    let what = match engine {
        EngineChoice::Auto => "whatever this machine can run",
        EngineChoice::Only(engine) => engine.summary(),
    };
    chapter("A cluster to play with", &format!("Two shards start on this machine's loopback: {what}."));
    show(words);
}

/// Types a command as a person would and carries it out. Any exit code but 0 ends the demo.
pub(super) async fn type_in(config: &str, words: &[&str]) -> Result<(), Failure> {
    let words: Vec<String> = ["--config", config].iter().chain(words).map(|word| (*word).to_owned()).collect();
    show(&words);
    // The program's name is what clap expects first.
    let args = Args::try_parse_from(std::iter::once("shardwright".to_owned()).chain(words))
        .map_err(|error| Failure::new(error.to_string()))?;
    match Box::pin(super::super::super::dispatch(args)).await? {
        Exit::Done => Ok(()),
        other => Err(Failure::new(format!("the command ended with exit code {}", other as u8)).exit(other)),
    }
}

/// A command as it can be typed.
pub(super) fn command(words: &[String]) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "shardwright".to_owned());
    let words: Vec<String> = std::iter::once(&program).chain(words).map(|word| shell_word(word)).collect();
    words.join(" ")
}

fn show(words: &[String]) {
    let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
    say(&format!("\n{cyan}$ {}{cyan:#}\n", command(words)));
}

/// Says that something held which was checked.
pub(super) fn held(what: &str) {
    let green = Style::new().fg_color(Some(AnsiColor::Green.into()));
    say(&format!("{green}held:{green:#} {what}"));
}

/// Ends the demo unless this holds.
pub(super) fn check(what: &str, holds: bool) -> Result<(), Failure> {
    if holds {
        held(what);
        return Ok(());
    }
    Err(Failure::new(format!("this does not hold: {what}")).exit(Exit::VerificationFailed))
}
