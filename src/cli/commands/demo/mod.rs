//! `demo`: the whole way of a plan, on a cluster of its own.

mod observe;
mod stage;
mod story;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use clap::ValueEnum;

use super::super::args::Demo;
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::interrupts::Interrupts;
use super::super::output::say;
use crate::sandbox::{self, SandboxError, SandboxOptions};

/// Its sandbox, and the plan with its renderings.
const DIR: &str = ".shardwright/demo";
/// What the demo writes beside its sandbox.
const OWN_FILES: [&str; 4] = ["plan.json", "plan.json.journal.jsonl", "plan.md", "plan.html"];

pub(in super::super) async fn run(args: &Demo) -> Result<Exit, Failure> {
    let dir = Path::new(DIR);
    let _lock = lock(dir)?;
    let mut interrupts = Interrupts::listen()?;
    clear(dir).await?;
    let told = tell(dir, args, &mut interrupts).await;
    if args.keep && !matches!(told, Told::Interrupted) {
        say(&format!("\nThe sandbox is left running; {} ends it.", stage::command(&down_words())));
        return told.into_result();
    }
    say("\nTaking the sandbox down.");
    // A second Ctrl-C changes nothing: this is bounded, and the sandbox would be left behind.
    let down = sandbox::down(dir, false, &mut |line| say(line)).await;
    let result = told.into_result();
    down?;
    result
}

/// How the story ended.
enum Told {
    ToTheEnd(Result<(), Failure>),
    Interrupted,
}

impl Told {
    fn into_result(self) -> Result<Exit, Failure> {
        match self {
            Self::ToTheEnd(result) => result.map(|()| Exit::Done),
            Self::Interrupted => Err(Failure::new("interrupted")),
        }
    }
}

async fn tell(dir: &Path, args: &Demo, interrupts: &mut Interrupts) -> Told {
    let options = SandboxOptions { engine: args.engine.into(), ..SandboxOptions::new(dir) };
    stage::announce_sandbox(options.engine, &up_words(args));
    let config = match sandbox::up_unless(interrupts.next(), &options, &mut |line| say(line)).await {
        Ok(sandbox) => sandbox.config_path(),
        Err(SandboxError::Interrupted) => return Told::Interrupted,
        Err(error) => return Told::ToTheEnd(Err(error.into())),
    };
    tokio::select! {
        biased;
        () = interrupts.next() => Told::Interrupted,
        result = story::tell(dir, config, args.rows) => Told::ToTheEnd(result),
    }
}

fn up_words(args: &Demo) -> Vec<String> {
    let engine = args.engine.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    ["sandbox", "up", "--engine", &engine, "--dir", DIR].map(str::to_owned).to_vec()
}

fn down_words() -> Vec<String> {
    ["sandbox", "down", "--dir", DIR].map(str::to_owned).to_vec()
}

/// One demo at a time in a directory.
fn lock(dir: &Path) -> Result<File, Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file("make", dir, &error))?;
    let path = dir.join("demo.lock");
    let file = File::create(&path).map_err(|error| Failure::file("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new(format!("a demo is running in {}", dir.display())).exit(Exit::Locked))
        }
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
    }
}

/// Removes what an earlier demo left, its sandbox included.
async fn clear(dir: &Path) -> Result<(), Failure> {
    if sandbox::status(dir)?.is_some() {
        say("Taking the sandbox of an earlier demo down.");
        sandbox::down(dir, false, &mut |line| say(line)).await?;
    }
    for path in OWN_FILES.map(|name| dir.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file("remove", &path, &error));
            }
            _ => {}
        }
    }
    Ok(())
}
