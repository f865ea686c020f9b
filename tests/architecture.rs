//! The import rule: what is pure stays free of I/O, and what does I/O is not known to what is pure.

use std::fs;
use std::path::{Path, PathBuf};

/// Where I/O is. `render` and the others are pure as a whole; `execute`, `journal` and `config` in part.
const WITH_IO: [&str; 19] = [
    "main.rs",
    "lib.rs",
    "cli",
    "server",
    "sandbox",
    "journal/file.rs",
    "config/load.rs",
    "execute/backfill.rs",
    "execute/desk.rs",
    "execute/engine.rs",
    "execute/hold.rs",
    "execute/landing.rs",
    "execute/mutations.rs",
    "execute/pace.rs",
    "execute/redistribute.rs",
    "execute/renew.rs",
    "execute/repair.rs",
    "execute/settle.rs",
    "execute/stillness.rs",
];
/// A time-out is a value; looking at a clock is not allowed here either.
const WITH_DURATIONS: [&str; 1] = ["execute/ports.rs"];
const FORBIDDEN: [&str; 8] =
    ["crate::server", "crate::sandbox", "crate::cli", "tokio", "std::fs", "std::env", "std::time", "SystemTime"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src can be listed") {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Code that is compiled into the library: no tests, no comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().zip(1..).map(|(line, number)| (number, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_test(name: &str) -> bool {
    ["/tests.rs", "/fake.rs", "/fixture.rs"].iter().any(|end| name.ends_with(end)) || name.contains("/tests/")
}

fn offences(name: &str, text: &str) -> Vec<String> {
    let allowed = |word: &str| word == "std::time" && WITH_DURATIONS.contains(&name);
    let words = |line: &str| FORBIDDEN.into_iter().find(|word| line.contains(word) && !allowed(word));
    code(text).filter_map(|(number, line)| Some(format!("{name}:{number}: {}", words(line)?))).collect()
}

#[test]
fn pure_modules_do_no_io_and_import_nothing_that_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = Vec::new();
    let mut looked_at = 0;
    for path in files {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        if WITH_IO.iter().any(|place| name == *place || name.starts_with(&format!("{place}/"))) || is_test(name) {
            continue;
        }
        looked_at += 1;
        found.extend(offences(name, &fs::read_to_string(&path).unwrap()));
    }
    assert!(looked_at > 50, "only {looked_at} files were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_offence_is_seen() {
    assert_eq!(offences("plan/mod.rs", "// std::fs\nuse std::fs;\n"), ["plan/mod.rs:2: std::fs"]);
    assert_eq!(offences("execute/ports.rs", "use std::time::Duration;"), Vec::<String>::new());
    assert_eq!(offences("render/html/mod.rs", "use crate::cli::Exit;").len(), 1);
}
