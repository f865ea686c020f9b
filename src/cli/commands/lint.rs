//! `lint`: migration files, looked at without a cluster.

use std::fs::File;
use std::io::Read;

use super::super::args::{Lint, LintDialect, LintFormat};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, is_coloured, say};
use crate::lint::{self, Choice, Dialect, Source};

/// A larger file is no migration.
const BYTES_MAX: u64 = 64 << 20;
/// The name that stands for standard input.
const STDIN: &str = "-";

pub(in super::super) fn run(args: &Lint) -> Result<Exit, Failure> {
    let sources = args.files.iter().map(|name| read(name)).collect::<Result<Vec<_>, _>>()?;
    let choice = match args.dialect {
        LintDialect::Auto => Choice::Auto,
        LintDialect::Clickhouse => Choice::Only(Dialect::ClickHouse),
        LintDialect::Postgres => Choice::Only(Dialect::Postgres),
    };
    let report = lint::lint(sources, choice);
    let document = match args.format {
        LintFormat::Table => lint::terminal(&report, is_coloured()),
        LintFormat::Json => format!("{:#}", lint::json(&report)),
        LintFormat::Sarif => format!("{:#}", lint::sarif(&report)),
    };
    data(&document);
    if args.format != LintFormat::Table {
        for file in &report.files {
            say(&format!("{}: read as {} ({})", file.source.name, file.dialect, file.dialect_reason));
        }
    }
    if report.is_blocked() {
        say("blocked by findings; see docs/findings.md for each code");
        return Ok(Exit::Blocked);
    }
    Ok(Exit::Done)
}

fn read(name: &str) -> Result<Source, Failure> {
    let failure = |error: &std::io::Error| Failure::new(format!("cannot read {name}: {error}"));
    let mut bytes = Vec::new();
    let read = if name == STDIN {
        std::io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)
    } else {
        File::open(name).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| failure(&error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::new(format!("{name} is larger than {} MiB, which is no migration", BYTES_MAX >> 20)));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            say(&format!("{name}: not UTF-8 from byte {at} on; what is not stands as U+FFFD"));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
    };
    let name = if name == STDIN { "<stdin>" } else { name };
    Ok(Source { name: name.to_owned(), text: text.trim_start_matches('\u{FEFF}').to_owned() })
}
